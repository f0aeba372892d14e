"""Loading: a Model, or a ParedownError that says what is wrong; the file is never touched."""

from __future__ import annotations

import io
import zipfile
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import nets
from paredown.errors import ModelError, ParedownError
from paredown.graph.load import from_proto, load_model, parse, to_proto
from paredown.graph.prepare import prepare

WHOLE = nets.residual().data


def write(folder: Path, data: bytes) -> Path:
    path = folder / "model.onnx"
    path.write_bytes(data)
    return path


def external(folder: Path, location: str = "weights.bin") -> onnx.ModelProto:
    """A model whose first weight stands in `folder`/weights.bin, pointing at `location`."""
    proto = onnx.load_model_from_string(WHOLE)
    tensor = proto.graph.initializer[0]
    (folder / "weights.bin").write_bytes(tensor.raw_data)
    point_at(tensor, location, len(tensor.raw_data))
    return proto


def point_at(tensor: onnx.TensorProto, location: str, length: int, offset: int | str = 0) -> None:
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", offset), ("length", length)):
        tensor.external_data.add(key=key, value=str(value))


def test_a_good_file(tmp_path: Path) -> None:
    path = write(tmp_path, nets.detector().data)
    model = load_model(path)
    assert (model.name, model.inputs[0].shape, model.inputs[0].dtype) == ("model", (1, 3, 16, 16), "float32")
    assert model.outputs[0].shape == (1, 6, 64)
    assert model.metadata["stride"] == "2"
    assert path.read_bytes() == nets.detector().data
    assert load_model(str(path)).sha256 == model.sha256


def test_an_open_dimension_is_none() -> None:
    net = nets.Net()
    model = net.model(net.conv("image", 3, 4), inputs={"image": ["batch", 3, "h", 16]})
    assert model.inputs[0].shape == (None, 3, None, 16)


@pytest.mark.parametrize("length", [*range(0, 40), *range(40, len(WHOLE), len(WHOLE) // 25), len(WHOLE) - 1])
def test_a_truncated_file_is_refused(tmp_path: Path, length: int) -> None:
    with pytest.raises(ModelError) as caught:
        load_model(write(tmp_path, WHOLE[:length]))
    assert "model.onnx" in caught.value.what
    if length == 0:
        assert caught.value.got == "an empty file"


def test_what_is_no_onnx_file_is_named(tmp_path: Path) -> None:
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("data.pkl", b"weights")
    picture = cv2.imencode(".png", np.zeros((4, 4, 3), np.uint8))[1].tobytes()
    kinds = {
        zipped.getvalue(): "zip",
        picture: "PNG",
        b"\x1c\x00\x00\x00TFL3" + bytes(64): "TFLite",
        b"<html>not found</html>": "bytes of something else",
    }
    for data, kind in kinds.items():
        with pytest.raises(ModelError) as caught:
            load_model(write(tmp_path, data))
        assert kind in str(caught.value.got)


def test_no_file_and_a_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.onnx", tmp_path):
        with pytest.raises(ModelError, match="no model file"):
            load_model(path)


def test_an_unknown_op(tmp_path: Path) -> None:
    proto = onnx.load_model_from_string(WHOLE)
    proto.graph.node[1].op_type = "Reluu"
    with pytest.raises(ModelError, match="Reluu"):
        load_model(write(tmp_path, proto.SerializeToString()))


def test_unknown_and_missing_opsets(tmp_path: Path) -> None:
    proto = onnx.load_model_from_string(WHOLE)
    proto.opset_import[0].version = 9999
    with pytest.raises(ParedownError):  # reading needs no runtime, preparing does
        prepare(load_model(write(tmp_path, proto.SerializeToString())))
    del proto.opset_import[:]
    with pytest.raises(ModelError, match="opset"):
        load_model(write(tmp_path, proto.SerializeToString()))


def test_a_graph_with_a_missing_tensor(tmp_path: Path) -> None:
    proto = onnx.load_model_from_string(WHOLE)
    proto.graph.node[1].input[0] = "nowhere"
    with pytest.raises(ModelError, match="nowhere"):
        load_model(write(tmp_path, proto.SerializeToString()))


def test_an_input_that_is_no_tensor() -> None:
    proto = onnx.load_model_from_string(WHOLE)
    sequence = helper.make_tensor_sequence_value_info("image", TensorProto.FLOAT, None)
    proto.graph.input[0].CopyFrom(sequence)
    with pytest.raises(ModelError, match="no tensor"):
        from_proto(proto, "net")


def test_external_data_is_pulled_in(tmp_path: Path) -> None:
    model = load_model(write(tmp_path, external(tmp_path).SerializeToString()))
    (tmp_path / "weights.bin").unlink()
    whole = onnx.load_model_from_string(WHOLE)
    assert to_proto(model).graph.initializer[0].raw_data == whole.graph.initializer[0].raw_data
    np.testing.assert_array_equal(*(nets.run(m, nets.images(1)[0])[0] for m in (model, nets.residual())))


def test_external_data_missing_or_cut_short(tmp_path: Path) -> None:
    path = write(tmp_path, external(tmp_path).SerializeToString())
    stored = (tmp_path / "weights.bin").read_bytes()
    (tmp_path / "weights.bin").write_bytes(stored[:-1])
    with pytest.raises(ModelError, match="cut short"):
        load_model(path)
    (tmp_path / "weights.bin").unlink()
    with pytest.raises(ModelError, match="missing"):
        load_model(path)


def test_external_data_outside_the_folder(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    secret = tmp_path / "secret.bin"
    secret.write_bytes(bytes(4096))
    (inside / "link.bin").symlink_to(secret)
    for location in ("../secret.bin", str(secret), "link.bin", "", "a/../../secret.bin"):
        proto = external(inside, location)
        with pytest.raises(ModelError, match="outside"):
            load_model(write(inside, proto.SerializeToString()))


@pytest.mark.parametrize("offset", ["many", "-8"])
def test_external_data_at_no_place(tmp_path: Path, offset: str) -> None:
    proto = onnx.load_model_from_string(WHOLE)
    tensor = proto.graph.initializer[0]
    (tmp_path / "weights.bin").write_bytes(tensor.raw_data)
    point_at(tensor, "weights.bin", len(tensor.raw_data), offset)
    with pytest.raises(ModelError):
        load_model(write(tmp_path, proto.SerializeToString()))


@pytest.mark.parametrize("location", ["../secret.bin", "absent.bin", "nul\0byte.bin"])
def test_external_data_of_a_constant_node(tmp_path: Path, location: str) -> None:
    """A tensor in a node's attribute may point at a file as well as an initializer may."""
    inside = tmp_path / "inside"
    inside.mkdir()
    (tmp_path / "secret.bin").write_bytes(bytes(64))
    value = TensorProto(name="value", data_type=TensorProto.FLOAT, dims=[4])
    point_at(value, location, 16)
    node = helper.make_node("Constant", [], ["y"], value=value)
    graph = helper.make_graph([node], "g", [], [helper.make_tensor_value_info("y", TensorProto.FLOAT, [4])])
    path = write(
        inside, helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString()
    )
    with pytest.raises(ModelError):
        load_model(path)


def test_a_constant_node_beside_an_honest_initializer(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    (tmp_path / "secret.bin").write_bytes(bytes(64))
    proto = external(inside)
    value = TensorProto(name="value", data_type=TensorProto.FLOAT, dims=[4])
    point_at(value, "../secret.bin", 16)
    proto.graph.node.append(helper.make_node("Constant", [], ["stolen"], value=value))
    with pytest.raises(ModelError):
        load_model(write(inside, proto.SerializeToString()))


def test_external_data_without_a_folder() -> None:
    proto = onnx.load_model_from_string(WHOLE)
    point_at(proto.graph.initializer[0], "weights.bin", 8)
    with pytest.raises(ModelError, match="another file"):
        parse(proto.SerializeToString(), "a stream")


def with_constants(folder: Path, location: str) -> Path:
    """A model whose weights stand in Constant nodes, their data in `location`."""
    proto = onnx.load_model_from_string(WHOLE)
    weights = [t for t in proto.graph.initializer if len(t.raw_data) > 64]
    data = b""
    nodes = []
    for tensor in weights:
        node = helper.make_node("Constant", [], [tensor.name], value=tensor)
        point_at(node.attribute[0].t, location, len(tensor.raw_data), len(data))
        data += tensor.raw_data
        nodes.append(node)
        proto.graph.initializer.remove(tensor)
    (folder / "weights.bin").write_bytes(data)
    others = list(proto.graph.node)
    del proto.graph.node[:]
    proto.graph.node.extend(nodes + others)
    return write(folder, proto.SerializeToString())


def test_external_data_of_constant_nodes_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = with_constants(tmp_path, "weights.bin")
    monkeypatch.chdir("/")
    model = load_model(path)
    np.testing.assert_array_equal(*(nets.run(m, nets.images(1)[0])[0] for m in (model, nets.residual())))


@pytest.mark.parametrize("location", ["../secret.bin", "/etc/hostname", "link.bin"])
def test_external_data_of_constant_nodes_stays_inside(tmp_path: Path, location: str) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    (tmp_path / "secret.bin").write_bytes(bytes(1 << 16))
    (inside / "link.bin").symlink_to(tmp_path / "secret.bin")
    with pytest.raises(ModelError, match="outside the model's folder"):
        load_model(with_constants(inside, location))


def test_external_data_cut_short_says_how_much_there_should_be(tmp_path: Path) -> None:
    path = with_constants(tmp_path, "weights.bin")
    whole = (tmp_path / "weights.bin").read_bytes()
    (tmp_path / "weights.bin").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match="cut short") as caught:
        load_model(path)
    assert caught.value.got == f"{len(whole) // 2} bytes"
    assert str(len(whole)) in str(caught.value.expected)


def test_a_cut_file_says_where_its_graph_ends(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        load_model(write(tmp_path, WHOLE[: len(WHOLE) // 2]))
    assert caught.value.hint is not None
    assert "cut short" in caught.value.hint
    end = int(caught.value.hint.split("byte ")[1].split(";")[0])
    assert len(WHOLE) // 2 < end <= len(WHOLE)


@pytest.mark.parametrize(
    ("name", "data", "hint"),
    [
        ("m.pt", b"PK\x03\x04" + bytes(64), "format=onnx"),
        ("m.pth", b"\x80\x02ctorch", "torch.onnx.export"),
        ("m.tflite", b"\x1c\x00\x00\x00TFL3" + bytes(64), "tf2onnx"),
        ("m.onnx", b"\x1c\x00\x00\x00TFL3" + bytes(64), "tf2onnx"),
        ("m.h5", b"\x89HDF\r\n" + bytes(64), "tf2onnx"),
        ("m.onnx", b"version https://git-lfs.github.com/spec/v1", "git lfs pull"),
        ("m.pdz", b"something", "paredown unpack m.pdz"),
        ("m.engine", b"ftrt" + bytes(64), "the ONNX file that it was made from"),
    ],
)
def test_other_kinds_of_models_say_how_an_onnx_file_is_made(
    tmp_path: Path, name: str, data: bytes, hint: str
) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ModelError) as caught:
        load_model(tmp_path / name)
    assert caught.value.hint is not None
    assert hint in caught.value.hint


def in_functions(opset: int) -> onnx.ModelProto:
    """The network with every convolution in a local function of that opset, called from another function."""
    proto = onnx.load_model_from_string(WHOLE)
    for index, node in enumerate(n for n in proto.graph.node if n.op_type == "Conv"):
        names = [f"i{i}" for i in range(len(node.input))]
        inner = helper.make_node("Conv", names, ["y"])
        inner.attribute.extend(node.attribute)
        call = helper.make_node(f"conv{index}", names, ["y"], domain="pkg.local")
        ids = [helper.make_opsetid("", opset), helper.make_opsetid("pkg.local", 1)]
        proto.functions.append(
            helper.make_function("pkg.local", f"conv{index}", names, ["y"], [inner], ids[:1])
        )
        proto.functions.append(helper.make_function("pkg.local", f"outer{index}", names, ["y"], [call], ids))
        node.op_type, node.domain = f"outer{index}", "pkg.local"
        del node.attribute[:]
    proto.opset_import.append(helper.make_opsetid("pkg.local", 1))
    proto.ir_version = 9
    return proto


@pytest.mark.parametrize("opset", [17, 16])
def test_local_functions_are_inlined(tmp_path: Path, opset: int) -> None:
    model = load_model(write(tmp_path, in_functions(opset).SerializeToString()))
    proto = to_proto(model)
    assert not proto.functions
    assert Counter(n.op_type for n in proto.graph.node) == Counter(
        n.op_type for n in onnx.load_model_from_string(WHOLE).graph.node
    )
    np.testing.assert_array_equal(*(nets.run(m, nets.images(1)[0])[0] for m in (model, nets.residual())))
