"""What a file is that is no ONNX model, and how an ONNX model is made of it; what a cut file lacks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path

from paredown.graph.outline import Bytes

_TORCH = (
    "export it to ONNX: yolo export model={name} format=onnx (Ultralytics), "
    "or torch.onnx.export(model, example_input, 'model.onnx')"
)
_TFLITE = "convert it: pip install tf2onnx; python -m tf2onnx.convert --tflite {name} --output model.onnx"
_KERAS = "convert it: pip install tf2onnx; python -m tf2onnx.convert --saved-model DIR --output model.onnx"
_COMPILED = "this file is made for a runtime: take the ONNX file that it was made from"

TAKEN = "an .onnx or .tflite file, or a PyTorch module as my_module.py:make"

_BY_MAGIC: tuple[tuple[bytes, str, str], ...] = (
    (b"PK", "a zip archive (a PyTorch checkpoint?)", _TORCH),
    (b"\x80\x02", "a pickle (an old PyTorch checkpoint?)", _TORCH),
    (b"\x89HDF", "an HDF5 file (a Keras model?)", _KERAS),
    (b"7767517", "an ncnn model", _COMPILED),
    (b"\x89PNG", "a PNG image", "the model comes first, images behind --data and --calib"),
    (b"\xff\xd8", "a JPEG image", "the model comes first, images behind --data and --calib"),
    (b"ptrt", "a TensorRT engine", _COMPILED),
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself", "fetch it: git lfs pull"),
)
_BY_SUFFIX: dict[str, tuple[str, str]] = {
    ".pt": ("a PyTorch file", _TORCH),
    ".pth": ("a PyTorch file", _TORCH),
    ".safetensors": ("weights without a graph", _TORCH),
    ".tflite": ("a TFLite model", _TFLITE),
    ".keras": ("a Keras model", _KERAS),
    ".h5": ("a Keras model", _KERAS),
    ".pb": (
        "a TensorFlow graph",
        "convert it: pip install tf2onnx; python -m tf2onnx.convert --graphdef {name} --inputs IN "
        "--outputs OUT --output model.onnx",
    ),
    ".engine": ("a TensorRT engine", _COMPILED),
    ".xml": ("an OpenVINO model", _COMPILED),
    ".ort": ("a model in ONNX Runtime's own format", _COMPILED),
    ".pdz": ("a packed model", "paredown unpack {name}"),
}
_MODEL_FIELDS = frozenset([*range(1, 9), 14, 20, 25, 26])  # of ModelProto in onnx.proto
_VARINT, _BYTES = 0, 2  # wire types
_MOST_NAMED = 3  # model files of a folder that a hint names
_MOST_FIELDS = 100_000  # of a model, its metadata one by one


def kind_of(data: Bytes, name: str) -> tuple[str, str]:
    """What the bytes are in words, and a hint. name: the file's, for what its bytes do not say."""
    file = Path(name)
    if not data:
        return "an empty file", "fetch it again"
    head = bytes(data[:64])
    if head[4:8] == b"TFL3":
        return "a TFLite model", _TFLITE.format(name=file.name)
    if (known := _BY_SUFFIX.get(file.suffix.lower())) is not None:
        return known[0], known[1].format(name=file.name)
    for magic, kind, hint in _BY_MAGIC:
        if head.startswith(magic):
            return kind, hint.format(name=file.name)
    if (whole := expected_bytes(data)) > len(data):
        return (
            f"{len(data):,} bytes",
            f"the file is cut short: its graph alone ends at byte {whole}; fetch it again",
        )
    return f"{len(data):,} bytes of something else", "fetch it again, or export the model to ONNX"


def hint_for_folder(path: Path) -> str:
    """The hint where a folder was given as a model, or a name that no file has."""
    if (path / "saved_model.pb").is_file():
        return f"a TensorFlow SavedModel. {_KERAS.replace('DIR', path.name)}"
    inside = sorted(path.glob("*.onnx"))[:_MOST_NAMED] if path.is_dir() else []
    if inside:
        return f"did you mean {' or '.join(str(file) for file in inside)}?"
    beside = {} if path.exists() else {file.stem: file for file in _beside(path)}
    alike = get_close_matches(path.stem, sorted(beside), _MOST_NAMED)
    return f"did you mean {' or '.join(str(beside[s]) for s in alike)}?" if alike else "check the path"


def _beside(path: Path) -> Iterator[Path]:
    """The model files in the folder of `path`."""
    with suppress(OSError, ValueError):  # no such folder, or a name that no file can have
        yield from (file for file in path.parent.iterdir() if file.suffix in (".onnx", ".tflite"))


def expected_bytes(data: Bytes) -> int:
    """How many bytes the fields of a ModelProto say there are; 0 where the bytes begin like no ModelProto."""
    place, seen = 0, 0
    while place < len(data):
        if seen > _MOST_FIELDS:
            return 0
        key, place = _varint(data, place)
        if key >> 3 not in _MODEL_FIELDS or key & 7 not in (_VARINT, _BYTES):
            return 0
        length, place = _varint(data, place)
        place += length if key & 7 == _BYTES else 0
        seen += 1
    return place if seen > 1 else 0


def _varint(data: Bytes, place: int) -> tuple[int, int]:
    """A number of seven bits a byte, and the place behind it."""
    number = shift = 0
    while place < len(data) and shift < 64:
        byte = data[place]
        number |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            break
    return number, place
