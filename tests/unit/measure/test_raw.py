"""Models that nobody reads: compressed, judged by their outputs, never where a reading was refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from nets import residual
from paredown import api
from paredown.detections import RawAnswer
from paredown.errors import CardError
from paredown.families.raw import MOST_VALUES, sampled
from paredown.job import run
from paredown.study.limits import Limits
from paredown.study.options import Options
from paredown.tasks import TASKS, headline
from toys import Toy, write_images


@pytest.fixture
def dense(tmp_path: Path) -> Path:
    """A network with one output (1, 4, 16, 16), a dense map of nothing that has a name."""
    path = tmp_path / "dense.onnx"
    proto = onnx.load_from_string(residual().data)
    extra = onnx.helper.make_tensor_value_info(
        proto.graph.node[1].output[0], onnx.TensorProto.FLOAT, [1, 8, 16, 16]
    )
    proto.graph.output.append(extra)  # two maps: no class map either
    path.write_bytes(proto.SerializeToString())
    return path


def test_a_whole_job_says_how_near_the_outputs_are(dense: Path, tmp_path: Path) -> None:
    images = write_images(tmp_path / "images", 6)
    outcome = run(
        dense, images, write_images(tmp_path / "calib", 6, 1), out=tmp_path / "study", recipes="int8",
        options=Options(), limits=Limits(min_agreement=80),
    )  # fmt: skip
    assert outcome.card.task == "raw"
    int8 = next(t for t in outcome.trials if t.label == "int8")
    assert int8.measurement is not None
    found = int8.measurement
    assert 0.8 < found.value("fidelity_signal") < 1
    assert len(found.curves["ap_per_class"]) == 2
    assert found.value("fidelity_decibel") == pytest.approx(
        -20 * np.log10(1 - found.value("fidelity_signal")), abs=1e-3
    )
    assert any("agreement with the float model" in reason for reason in outcome.verdict.reasons)
    assert "outputs" in (outcome.bundle / "detect.py").read_text()


def test_truth_is_left_aside_and_said(dense: Path, toy: Toy, tmp_path: Path) -> None:
    measured = api.measure(dense, toy.data, baseline=dense, what=("map",))
    assert measured.value("fidelity_signal") == 1
    assert measured.get("map50_95") is None
    assert headline("raw", has_truth=True) == "fidelity_signal"


def test_a_reading_that_is_refused_does_not_become_raw(toy: Toy, tmp_path: Path) -> None:
    """Boxes are known to be there: what the values refuse is told, and raw is said to be another choice."""
    proto = onnx.load(toy.model)
    scores = next(
        n for n in proto.graph.node if n.op_type == "Sigmoid" and n.output[0] in proto.graph.node[-1].input
    )
    scores.op_type = "Identity"
    (tmp_path / "logits.onnx").write_bytes(proto.SerializeToString())
    with pytest.raises(CardError, match="misread") as refused:
        api.load(tmp_path / "logits.onnx", toy.data)
    assert "--family raw" in str(refused.value)
    assert api.load(tmp_path / "logits.onnx", toy.data, family="raw").card.task == "raw"


def test_answers_are_stored_and_come_back() -> None:
    task = TASKS["raw"]
    rng = np.random.default_rng(0)
    said = [RawAnswer((rng.normal(size=n).astype(np.float32), np.arange(3)), ((1, n), (3,))) for n in (5, 7)]
    kept = task.restore({k: np.asarray(v) for k, v in task.store(said).items()})
    for a, b in zip(said, kept, strict=True):
        assert isinstance(b, RawAnswer)
        assert a.shapes == b.shapes
        for x, y in zip(a.values, b.values, strict=True):
            np.testing.assert_array_equal(x, y)
    with pytest.raises(KeyError):
        task.restore({"scores": np.zeros(3)})


def test_a_large_output_is_looked_at_in_the_same_places() -> None:
    big = np.arange(3 * MOST_VALUES, dtype=np.float32)
    one, other = (sampled(RawAnswer((v,), ((len(big),),))).values[0] for v in (big, big + 1))
    assert len(one) == MOST_VALUES
    np.testing.assert_array_equal(other - one, 1)
