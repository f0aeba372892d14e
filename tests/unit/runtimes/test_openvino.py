"""OpenVINO computes in the precision that was said, keeps the model's names and times its nodes."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from paredown._compress.compress import compress
from paredown._compress.presets import parse_recipe
from paredown._compress.recipe import Context
from paredown.errors import MissingDependency, ModelError, TargetError
from paredown.graph.load import to_proto
from paredown.runtimes import openvino, openvino_nodes, openvino_session
from paredown.targets import target
from paredown.testing import networks
from paredown.testing.runtimes import DEVICE, image, small_network

try:
    openvino.version()
except MissingDependency as error:
    pytest.skip(f"{error.what}: {error.hint}", allow_module_level=True)


def compiled(folder, precision=""):
    artifact = openvino.build(small_network(), DEVICE, folder, precision)
    return artifact, openvino_session.compile_files(artifact.files, 1)[0]


def test_float32_is_said_and_stored(tmp_path):
    artifact, made = compiled(tmp_path)
    assert [f.name for f in artifact.files] == ["model.xml", "model.bin"]
    assert made.get_property("INFERENCE_PRECISION_HINT").to_string() == "f32"
    assert made.get_property("INFERENCE_NUM_THREADS") == 1
    assert made.get_property("NUM_STREAMS") == 1
    assert b'precision="FP16"' not in artifact.files[0].read_bytes()
    assert artifact.build_s > 0


@pytest.mark.parametrize(("precision", "hint"), [("float16", "f16"), ("bfloat16", "bf16")])
def test_another_precision_is_computed_or_refused(tmp_path, precision, hint):
    try:
        _, made = compiled(tmp_path, precision)
    except TargetError as error:
        assert error.expected == hint  # noqa: PT017
        # asked for f16, a CPU with bf16 takes that
        assert error.got in {"f32", "bf16"} - {hint}  # noqa: PT017
        assert precision in error.what  # noqa: PT017
    else:
        assert made.get_property("INFERENCE_PRECISION_HINT").to_string() == hint


def test_float16_halves_the_weights(tmp_path):
    sizes = {}
    for precision in ("", "float16"):
        (tmp_path / f"in-{precision}").mkdir()
        data = networks.classifier().data
        sizes[precision] = openvino.build(data, DEVICE, tmp_path / f"in-{precision}", precision).files[1]
    assert sizes["float16"].stat().st_size < 0.6 * sizes[""].stat().st_size


def test_files_of_two_models_stand_beside_each_other(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.onnx").write_bytes(small_network())
        openvino.build(tmp_path / f"{name}.onnx", DEVICE, tmp_path)
    assert {p.name for p in tmp_path.iterdir()} >= {"a.xml", "a.bin", "b.xml", "b.bin"}


def test_a_model_is_always_the_same_file(tmp_path):
    sums = {openvino.build(networks.detector().data, DEVICE, tmp_path).sha256 for _ in range(2)}
    assert len(sums) == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model.bin", "model.xml"]


def test_a_model_that_is_built_again_leaves_open_sessions_alone(tmp_path):
    session = openvino.open(openvino.build(small_network(), DEVICE, tmp_path), threads=1)
    before = session.run({"image": image()})["answer"]
    openvino.build(networks.classifier().data, DEVICE, tmp_path)
    np.testing.assert_array_equal(session.run({"image": image()})["answer"], before)


def test_answers_keep_the_model_s_names_and_order_and_are_the_caller_s(tmp_path):
    net = networks.Net()
    one, other = net.conv("image", 3, 4), net.conv("image", 3, 2)
    same = net.node("Identity", one)  # of another name, and of no other value
    model = net.model(same, other, one)
    session = openvino.open(openvino.build(model.data, DEVICE, tmp_path), threads=1)
    first, second = networks.images(2)
    answers = session.run({"image": first})
    assert list(answers) == [s.name for s in session.outputs] == [same, other, one]
    kept = answers[other].copy()
    session.run({"image": second})
    np.testing.assert_array_equal(answers[other], kept)
    np.testing.assert_array_equal(answers[same], answers[one])


def test_two_inputs_keep_their_names(tmp_path):
    net = networks.Net()
    less = net.node("Sub", "b", "a")
    model = net.model(less, inputs={"a": [1, 4], "b": [1, 4]})
    session = openvino.open(openvino.build(model.data, DEVICE, tmp_path), threads=1)
    a, b = np.ones((1, 4), np.float32), np.full((1, 4), 3, np.float32)
    np.testing.assert_array_equal(session.run({"a": a, "b": b})[less], b - a)


def test_a_tap_that_is_no_tensor_is_refused(tmp_path):
    artifact = openvino.build(small_network(), DEVICE, tmp_path)
    with pytest.raises(TargetError, match="no tensor 'nothing'"):
        openvino.open(artifact, threads=1, taps=["nothing"])


def test_what_is_no_model_is_refused(tmp_path):
    with pytest.raises(ModelError):
        openvino.build(b"no model", DEVICE, tmp_path)
    artifact = openvino.build(small_network(), DEVICE, tmp_path)
    artifact.files[0].write_text("no network")
    with pytest.raises(ModelError):
        openvino.open(artifact)


@pytest.mark.parametrize("name", sorted(networks.NETS))
def test_times_belong_to_nodes_of_the_model(name):
    model = networks.NETS[name]()
    (times,) = openvino_nodes.node_times([model], threads=1, rounds=2)
    nodes = {n.name: n for n in to_proto(model).graph.node}
    assert set(times.seconds) <= set(nodes)
    convolutions = {n.name for n in nodes.values() if n.op_type == "Conv"}
    assert convolutions <= set(times.seconds)
    assert times.unmapped_s <= 0.1 * times.total_s


def test_the_plugin_s_fusions_count_for_the_convolution():
    (times,) = openvino_nodes.node_times([networks.residual()], threads=1, rounds=2)
    kinds = {n.name: n.op_type for n in to_proto(networks.residual()).graph.node}
    assert {kinds[name] for name in times.seconds} == {"Conv"}


def test_its_telemetry_is_not_loaded():
    code = "import paredown, sys, openvino; assert sys.modules['openvino_telemetry'] is None"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_it_is_not_loaded_before_it_is_needed():
    code = "from paredown.runtimes import runtime; from paredown.targets import target; import sys"
    code += "; runtime('openvino').policy(target('local').device); assert 'openvino' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def kernels(compiled):
    """Layer type -> the precisions that its kernels run in, of what OpenVINO executes."""
    found = {}
    for op in compiled.get_runtime_model().get_ordered_ops():
        told = {k: op.get_rt_info()[k].astype(str) for k in ("layerType", "runtimePrecision")}
        found.setdefault(told["layerType"], set()).add(told["runtimePrecision"])
    return found


@pytest.mark.parametrize(("recipe", "kind"), [("float", "f32"), ("bf16", "bf16"), ("fp16", "f16")])
def test_a_recipe_s_precision_is_what_the_convolutions_of_its_file_run_in(tmp_path, recipe, kind):
    where = target("local", runtime="openvino")
    made = compress(parse_recipe(recipe), Context(networks.detector(), networks.feeds, DEVICE, where.policy))
    artifact = where.build(made.model.data, tmp_path)
    try:
        compiled = openvino_session.compile_files(artifact.files, 1)[0]
    except TargetError as error:
        assert recipe != "float"
        assert error.expected == kind  # noqa: PT017
        return
    assert kernels(compiled)["Convolution"] == {kind}


def test_the_file_keeps_the_precision_when_it_is_measured_later(tmp_path):
    where = target("local", runtime="openvino")
    made = compress(parse_recipe("bf16"), Context(networks.detector(), networks.feeds, DEVICE, where.policy))
    (tmp_path / "model.onnx").write_bytes(made.model.data)
    files = where.build(tmp_path / "model.onnx", tmp_path).files
    assert '"precision": "bfloat16"' in files[0].read_text().replace("&quot;", '"')
