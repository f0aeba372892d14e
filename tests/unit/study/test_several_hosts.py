"""One model on several machines: the plan that `paredown run --host a,b` makes."""

from __future__ import annotations

import pytest

from paredown.errors import UsageError
from paredown.study.limits import Limits
from paredown.study.options import Asked, Options
from paredown.study.plan_file import parse_plan, plan_text
from paredown.study.several_hosts import on_hosts
from paredown.toml import parse_toml

HOSTS = ("ssh:pi@a", "ssh:jetson@b:2222", "local")
OPTIONS = Options(recipes=("int8",), family="yolov8", threads=2, seed=3, power_model=(2.0, 5.0), sizes=(320,))
ASKED = Asked("models/my net.onnx", "data", "calib", Limits(max_drop=0.5), OPTIONS)


def test_every_host_is_a_part_that_asks_what_run_was_asked() -> None:
    plan = on_hosts(ASKED, HOSTS)
    parts = plan.parts()
    assert [part.place.host for part in parts] == list(HOSTS)
    assert [part.label for part in parts] == ["my-net", "my-net@ssh-jetson-b-2222", "my-net@local"]
    for part, host in zip(parts, HOSTS, strict=True):
        asked = plan.asked(part)
        assert asked == Asked(ASKED.model, "data", "calib", ASKED.limits, asked.options)
        expected = Options(**{**vars(OPTIONS), "host": host})
        assert asked.options == expected


def test_it_stands_in_a_file_as_any_plan() -> None:
    plan = on_hosts(ASKED, HOSTS)
    assert parse_plan(parse_toml(plan_text(plan))) == plan


@pytest.mark.parametrize("options", [Options(search=3), Options(search=0), Options(auto_size=True)])
def test_a_search_is_for_one_machine(options: Options) -> None:
    with pytest.raises(UsageError, match="a search is for one machine"):
        on_hosts(Asked("a.onnx", "data", None, Limits(), options), HOSTS)
