"""The engine `ray`: two nodes give what one machine gives, and one that is lost takes nothing with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import toys
from paredown.errors import UsageError
from paredown.experiment import run_plan
from paredown.measurement import Trial
from paredown.study.engines import open_engine
from paredown.study.index import read_index, read_parts
from paredown.study.plan_file import parse_plan
from paredown.toml import parse_toml

ray = pytest.importorskip("ray", reason="the extra [ray] is not installed")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # Ray leaves sockets to the collector

PLAN = """
[study]
data = "data"
calib = "calib"
models = ["toy0.onnx", "toy1.onnx"]
recipes = ["int8-weights", "int8-minmax"]
target = "raspberry-pi-5"
[options]
calibration_images = 4
threads = 1
"""


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("material")
    for i in range(2):
        toys.write_detector(folder / f"toy{i}.onnx", i)
    toys.write_images(folder / "data" / "images", 6, 1)
    toys.write_truth(folder / "data", folder / "toy0.onnx")
    toys.write_images(folder / "calib" / "images", 12, 2)
    return folder


@pytest.fixture
def cluster() -> Iterator[Any]:
    from ray.cluster_utils import Cluster

    found = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    found.add_node(num_cpus=1)
    ray.init(address=found.address, log_to_driver=False)
    yield found
    ray.shutdown()
    found.shutdown()


def figures(out: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """Every accuracy of every trial: value, samples, interval; and the model it is of."""
    return {
        (part, trial.label): _accuracies(trial)
        for part, trials in read_parts(out, read_index(out)).items()
        for trial in trials
    }


def _accuracies(trial: Trial) -> dict[str, Any]:
    assert trial.measurement is not None, trial.error
    kept = [q for q in trial.measurement.quantities if q.unit != "s"]
    return {"sha256": trial.measurement.subject_sha256} | {
        q.name: (q.value, q.samples, q.low, q.high) for q in kept
    }


def test_two_nodes_give_what_one_machine_gives_and_one_may_be_lost(material, tmp_path, cluster) -> None:
    plan = parse_plan(parse_toml(PLAN))
    lost = list(cluster.worker_nodes)

    def say(text: str) -> None:
        if "made in" in text and lost:
            cluster.remove_node(lost.pop(), allow_graceful=False)

    run_plan(plan, tmp_path / "ray", root=str(material), engine="ray", say=say)
    assert not lost
    run_plan(plan, tmp_path / "local", root=str(material), engine="local", say=lambda text: None)
    there, here = figures(tmp_path / "ray"), figures(tmp_path / "local")
    assert len(here) == 6
    assert there == here


def test_a_board_that_the_cluster_does_not_know_is_refused(cluster) -> None:
    with pytest.raises(UsageError, match="two timings could meet") as told:
        open_engine("ray", boards=("ssh:pi@board",))
    assert "ray start ... --resources='{\"host:ssh:pi@board\": 1}'" in str(told.value.hint)
