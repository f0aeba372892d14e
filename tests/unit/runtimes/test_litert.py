"""The runtime litert: a file that takes NHWC behind a session that takes what the ONNX model takes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import litert as interpreter
import nets
from paredown.errors import MissingDependency, ModelError, TargetError, UnsupportedModel
from paredown.graph.load import from_proto
from paredown.graph.prepare import prepare
from paredown.runtimes import litert, onnxruntime
from paredown.runtimes.proto import with_outputs
from paredown.testing import networks


def test_the_file_takes_nhwc_and_the_session_nchw(tmp_path: Path) -> None:
    artifact = litert.build(nets.detector().data, nets.ANY_BOARD, tmp_path)
    assert [f.name for f in artifact.files] == ["model.tflite"]
    runner = interpreter.interpreter.Interpreter(model_path=str(artifact.files[0]))
    assert list(runner.get_input_details()[0]["shape"]) == [1, 16, 16, 3]
    session = litert.open(artifact, threads=1)
    assert session.inputs[0].shape == (1, 3, 16, 16)
    image = nets.images(1)[0]
    (answer,) = session.run({"image": image}).values()
    np.testing.assert_allclose(answer, nets.run(nets.detector(), image)[0], atol=1e-4)


def test_inner_tensors_come_in_onnxs_order_as_real_numbers(tmp_path: Path) -> None:
    """Behind a transpose, where axes stand otherwise than usual, and from integers."""
    for model in (
        prepare(nets.detector()),
        nets.compressed(prepare(nets.detector()), "int8", threads=1).model,
    ):
        graph = interpreter.lowered(model)
        inner = [t.name for i, t in enumerate(graph.tensors) if i in graph.layouts and i not in graph.outputs]
        assert len(inner) > 10
        image = nets.images(1)[0]
        artifact = litert.build(model.data, nets.ANY_BOARD, tmp_path)
        found = litert.open(artifact, threads=1, taps=inner).run({"image": image})
        for name in inner:
            want = nets.run(from_proto(with_outputs(model.data, [name]), "tapped"), image)[-1]
            assert found[name].shape == want.shape, name
            # A step or two of 8 bits, by the processor's kernels; in another order of axes it is above 1.
            assert nets.agreement(want, found[name]) < 0.05, name


def test_a_tensor_that_the_file_has_not_is_named(tmp_path: Path) -> None:
    """What a convolution gives before its ReLU is nowhere: one operator computes both."""
    artifact = litert.build(prepare(nets.residual()).data, nets.ANY_BOARD, tmp_path)
    with pytest.raises(TargetError, match="no tensor 'conv0'"):
        litert.open(artifact, taps=["conv0"])


def test_a_session_says_nothing_of_its_own(tmp_path: Path) -> None:
    """LiteRT tells once in a process which delegate it made, past Python."""
    script = (
        "import os, nets; from paredown.graph.prepare import prepare; from pathlib import Path\n"
        "from paredown.runtimes import litert; from paredown.device import Device\n"
        f"made = litert.build(prepare(nets.residual()).data, Device('d', ''), Path({str(tmp_path)!r}))\n"
        "litert.open(made); os.write(2, b'still here')"
    )
    here = Path(nets.__file__).parent
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(here)},
        timeout=120,
    )
    assert done.stderr == b"still here"
    assert done.returncode == 0


def test_what_is_no_tflite_file_is_refused(tmp_path: Path) -> None:
    artifact = litert.build(nets.detector().data, nets.ANY_BOARD, tmp_path)
    artifact.files[0].write_bytes(b"not a model")
    with pytest.raises(ModelError, match="LiteRT cannot read the model"):
        litert.open(artifact)


def test_half_precision_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="in the numbers that it is written in"):
        litert.build(nets.detector().data, nets.ANY_BOARD, tmp_path, "float16")


def test_a_node_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    net = nets.Net()
    with pytest.raises(UnsupportedModel, match="Erf 'N0'"):
        litert.build(net.model(net.node("Erf", "image")).data, nets.ANY_BOARD, tmp_path)


def test_without_the_package_its_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    artifact = litert.build(nets.detector().data, nets.ANY_BOARD, tmp_path)
    for name in ("ai_edge_litert.interpreter", "ai_edge_litert.schema_py_generated"):
        monkeypatch.setitem(sys.modules, name, None)
    for use in (litert.open, lambda a: litert.build(nets.detector().data, nets.ANY_BOARD, tmp_path)):
        with pytest.raises(MissingDependency, match=r"paredown\[litert\]"):
            use(artifact)


@pytest.mark.parametrize(
    ("recipe", "part", "moved"), [("fp16", 0.65, 2e-3), ("w8-pc", 0.4, 2e-2), ("w8-pt", 0.4, 5e-2)]
)
def test_small_weights_make_the_file_small_and_hardly_move_the_answer(
    tmp_path: Path, recipe: str, part: float, moved: float
) -> None:
    net = networks.Net()
    plain = net.model(net.conv("image", 3, 64, kernel=5))
    small = nets.compressed(plain, recipe, threads=1).model
    exact = onnxruntime.open(onnxruntime.build(small.data, nets.ANY_BOARD, None))
    sizes, answers = [], []
    feeds = next(iter(networks.feeds()))
    for i, model in enumerate((plain, small)):
        (tmp_path / str(i)).mkdir()
        artifact = litert.build(model.data, nets.ANY_BOARD, tmp_path / str(i))
        sizes.append(artifact.size_bytes)
        answers += litert.open(artifact, threads=1).run(feeds).values()
    assert sizes[1] < part * sizes[0]
    assert 0 < np.abs(answers[1] - answers[0]).max() < moved * np.ptp(answers[0])
    (wanted,) = exact.run(feeds).values()
    np.testing.assert_allclose(answers[1], wanted, atol=1e-5 * np.ptp(wanted))
