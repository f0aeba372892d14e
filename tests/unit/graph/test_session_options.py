"""What ships opens a model with the options that it was measured with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnxruntime
import pytest

import nets
from paredown._measure.environment import saturated, threads_set
from paredown.card import Card, Preprocess
from paredown.cores import usable_cores
from paredown.deploy import device_model
from paredown.deploy.device_model import DeviceModel, Opening
from paredown.families.yolov8 import decode
from paredown.graph.session_options import EXACT_PRODUCTS, session_options
from paredown.runtimes import onnxruntime_nodes
from paredown.runtimes.onnxruntime_session import open_onnx
from paredown.targets import target

ENTRIES = ("session.force_spinning_stop", EXACT_PRODUCTS, "session.intra_op.allow_spinning")
CARD = Card("yolov8", "detect", Preprocess((16, 16)), ("disc", "box"))


def spelled(options: Any) -> dict[str, object]:
    """Every option as a plain value, and the entries that this package could set."""
    plain = (bool, int, float, str)
    found = {
        name: value
        for name in dir(options)
        if not name.startswith("_") and isinstance(value := getattr(options, name), plain)
    }
    found |= {"level": str(options.graph_optimization_level), "mode": str(options.execution_mode)}
    return found | {name: entry(options, name) for name in ENTRIES}


def entry(options: Any, name: str) -> str | None:
    try:
        return str(options.get_session_config_entry(name))
    except RuntimeError:
        return None


def opening(threads: int, *, saturated: bool = True) -> Opening:
    return Opening(open_onnx, ("model.onnx",), "onnxruntime", threads, saturated, exact_products=True)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The options of every session opened from now on."""
    seen: list[Any] = []
    honest = onnxruntime.InferenceSession

    def watched(model: Any, options: Any, **more: Any) -> Any:
        seen.append(options)
        return honest(model, options, **more)

    monkeypatch.setattr(onnxruntime, "InferenceSession", watched)
    return seen


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_a_bundle_opens_a_model_as_it_was_measured(
    threads: int, opened: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device_model, "saturates", lambda: False)
    file = tmp_path / "model.onnx"
    file.write_bytes(nets.detector().data)
    target("local").open(target("local").build(file, tmp_path), threads=threads)
    DeviceModel(file, CARD, decode, opening(threads))
    measured, shipped = map(spelled, opened)
    assert measured == shipped
    assert measured["session.force_spinning_stop"] == "1"


def test_node_times_are_taken_with_the_same_options(opened: list[Any]) -> None:
    onnxruntime_nodes.node_times([nets.detector()], threads=2, rounds=1)
    apart = {"log_severity_level", "enable_profiling", "profile_file_prefix", "optimized_model_filepath"}
    usual = {k: v for k, v in spelled(session_options(2)).items() if k not in apart}
    for options in opened:
        assert {k: v for k, v in spelled(options).items() if k not in apart} == usual


@pytest.mark.parametrize(
    ("here", "there", "exact"),
    [(True, True, None), (True, False, "1"), (False, True, None), (False, False, None)],
)
def test_other_kernels_are_asked_for_only_where_the_measured_ones_would_saturate(
    here: bool, there: bool, exact: str | None, opened: list[Any], tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(device_model, "saturates", lambda: here)
    file = tmp_path / "model.onnx"
    file.write_bytes(nets.detector().data)
    DeviceModel(file, CARD, decode, opening(1, saturated=there))
    assert entry(opened[0], EXACT_PRODUCTS) == exact


def test_surroundings_tell_what_a_bundle_must_know() -> None:
    assert saturated({"arch": "x86_64", "instruction_sets": ["avx2"]})
    assert not saturated({"arch": "x86_64", "instruction_sets": ["avx2", "vnni"]})
    assert not saturated({"arch": "aarch64", "instruction_sets": []})
    assert not saturated({})
    assert threads_set({"threads": 2, "cores_usable": 2}) == 0
    assert threads_set({"threads": 2, "cores_usable": 8}) == 2
    assert threads_set({}) == 0


def test_threads_are_those_asked_for_then_the_devices_then_all(tmp_path: Path) -> None:
    def board(text: str) -> Any:
        file = tmp_path / "board.toml"
        file.write_text(f'summary = "a board"\n{text}')
        return target(str(file))

    assert board("threads = 3").used_threads() == 3
    assert board("threads = 3").used_threads(2) == 2
    assert board("").used_threads() == usable_cores()
    elsewhere = board('threads = 64\narch = "another"')
    assert elsewhere.used_threads() == usable_cores()  # 64 is the number of cores of the other machine
    assert target("reference").used_threads(4) == 1
