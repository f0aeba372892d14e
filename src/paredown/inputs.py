"""What the verbs take besides nouns: a path to a model, a path to images."""

from __future__ import annotations

from pathlib import Path

from paredown import data
from paredown._compress.pack import pdz
from paredown.errors import ModelError, UsageError
from paredown.families.hints import Hints
from paredown.graph.dequantize import dequantized
from paredown.graph.given_shapes import with_shapes
from paredown.graph.load import from_proto, load_model, parse
from paredown.graph.single import runnable
from paredown.model import Model
from paredown.protocols import Progress
from paredown.sample import Dataset
from paredown.study.images import read_images

ModelLike = Model | str | Path
ImagesLike = Dataset | str | Path

PACKED = ".pdz"
BUILT = {".xml": "openvino", ".tflite": "litert", ".param": "ncnn", ".engine": "tensorrt"}
"""Ending of what `compress` writes beside model.onnx -> the runtime that opens it."""


def read_model(path: str | Path, hints: Hints | None = None) -> Model:
    """The model in an ONNX file, or in a `.pdz` that holds one; with its open shapes as the hints say, and
    turned to floats where they ask for it. Raises ModelError; UsageError where the hints do not fit."""
    model = _read(Path(path))
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
    if file.suffix.lower() != PACKED:
        return load_model(file)
    return from_proto(parse(pdz.unpack_file(file), str(file)), file.stem)


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
