"""Which runtimes a study tries, and a name that is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from paredown.errors import UnknownName, UsageError
from paredown.job import run
from paredown.study.options import Options
from paredown.study.places import check_runtimes, places
from paredown.targets import target


def test_a_misspelled_runtime_is_a_usage_error_before_anything_is_read(tmp_path: Path) -> None:
    missing = tmp_path / "missing.onnx"
    with pytest.raises(UnknownName, match="unknown runtime 'opnvino'") as caught:
        run(missing, "nowhere", out=tmp_path / "out", options=Options(runtimes=("opnvino",)))
    assert "did you mean 'openvino'" in str(caught.value)
    assert "reference" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_all_stands_alone() -> None:
    with pytest.raises(UsageError, match="and some by name"):
        check_runtimes(("all", "onnxruntime"))
    check_runtimes(("all",))
    check_runtimes(())


def test_a_runtime_named_twice_is_tried_once() -> None:
    here = target("local")
    assert [p.runtime for p in places(here, ("onnxruntime", "onnxruntime")).tried] == ["onnxruntime"]
