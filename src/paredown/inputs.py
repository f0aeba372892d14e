"""What the verbs take besides nouns: a path to a model, a path to images."""

from __future__ import annotations

from pathlib import Path

from paredown import data
from paredown._compress.pack import pdz
from paredown.errors import ModelError, UsageError
from paredown.families.hints import Hints
from paredown.families.model_parts import read_parts
from paredown.graph.dequantize import dequantized
from paredown.graph.given_shapes import with_shapes
from paredown.graph.join import DECODER, ENCODER, joined
from paredown.graph.load import from_proto, load_model, parse, refuse_no_file
from paredown.graph.single import runnable
from paredown.model import Model
from paredown.protocols import Progress
from paredown.reading import read_plain
from paredown.runtimes.tflite.reading import read as read_tflite
from paredown.sample import Dataset
from paredown.study.images import read_images
from paredown.torch_files import file_of, is_source, read_torch

ModelLike = Model | str | Path
ImagesLike = Dataset | str | Path

PACKED, TFLITE, CARD = ".pdz", ".tflite", ".toml"
TFLITE_BYTES = 2**31 - 1
BUILT = {".xml": "openvino", ".param": "ncnn", ".engine": "tensorrt"}
"""Ending of what `compress` writes beside model.onnx -> the runtime that opens it."""


def read_model(path: str | Path, hints: Hints | None = None) -> Model:
    """The model in an ONNX or TFLite file, in a `.pdz` that holds one, of PyTorch (`torch_files`), or in the
    two files that a card names as its parts.

    Its open shapes are as the hints say, and its integers floats where they ask for that. Raises ModelError,
    UnsupportedModel; UsageError where the hints do not fit.
    """
    shapes = () if hints is None else hints.input
    file = Path(path)
    if file.suffix.lower() == CARD:
        return runnable(_joined(file, hints))
    model = read_torch(file, shapes) if is_source(file) else _read(file)
    if hints is not None and hints.dequantize:
        model = dequantized(model)
    return runnable(model if hints is None else with_shapes(model, hints.input))


def _read(file: Path) -> Model:
    if file.suffix.lower() in BUILT:
        raise ModelError(
            f"{file.name} is a file of a runtime, made of an ONNX model",
            expected="the .onnx beside it: what is built of it says its precision again",
            hint=f"{file.parent / 'model.onnx'} --runtime {BUILT[file.suffix.lower()]}",
        )
    if file.suffix.lower() == TFLITE:
        refuse_no_file(file)
        return read_tflite(
            read_plain(file, TFLITE_BYTES, what="the TFLite file", error=ModelError), file.stem
        )
    if file.suffix.lower() != PACKED:
        return load_model(file)
    return from_proto(parse(pdz.unpack_file(file), str(file)), file.stem)


def _joined(card: Path, hints: Hints | None) -> Model:
    """Encoder and decoder as one model, under the name of the card's file or, of a card.toml, its folder."""
    parts = read_parts(card)
    files = {name: load_model(file) for name, file in parts.files.items()}
    if hints is not None and hints.dequantize:
        files = {name: dequantized(model) for name, model in files.items()}
    encoder = with_shapes(files[ENCODER], () if hints is None else hints.input)
    name = card.stem if card.stem != "card" else card.absolute().parent.name
    return joined(encoder, files[DECODER], name or card.stem, parts.embeddings)


def is_there(text: str) -> bool:
    """Whether something stands at a path as a study names it: a model's, or images' with `FORMAT:` or not."""
    path = file_of(Path(text))
    return path.exists() or Path(text.partition(":")[2] or text).exists()


def as_model(model: ModelLike) -> Model:
    """The model itself, or the one in the file of that path."""
    return model if isinstance(model, Model) else read_model(model)


def as_dataset(images: ImagesLike, progress: Progress, max_bad: int = 0) -> Dataset:
    """The data set itself, or the one at that path with every image decoded once. Raises DataError."""
    if isinstance(images, Dataset):
        return images
    if not str(images):
        raise UsageError("the path of the images is empty", expected="a folder, a file or FORMAT:PATH")
    return data.verify(read_images(str(images)), max_bad, progress)
