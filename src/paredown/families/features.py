"""What a model file shows about its family: metadata, shapes, and the operators of its tail.

Never the name of a tensor, a node or a file: exporters choose those as they like.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError

from paredown.card import Card, Preprocess
from paredown.errors import ModelError
from paredown.families.candidates import class_count
from paredown.families.label_maps import Names, coco_by_id, read_names, unnamed_classes
from paredown.families.outputs import Output, find_outputs
from paredown.graph.image_input import batched, likeliest_image
from paredown.model import Model, TensorSpec
from paredown.preprocessing.integer_input import InputGrid, input_grid, offset_of
from paredown.preprocessing.settled import Settled, find_settled, whole_numbers


@dataclass(frozen=True)
class Features:
    """What a family looks at. `size`: (height, width) of the input image."""

    preprocess: Preprocess  # what the input's shape and type settle; the rest are Preprocess' defaults
    outputs: tuple[Output, ...]
    named: Names  # class names in the metadata
    task: str | None  # task in the metadata
    settled: Settled = field(default_factory=Settled)  # what the file itself says about its input
    said: Mapping[str, object] = field(default_factory=dict)  # what a card file says in [decode]
    grid: InputGrid | None = None  # of an integer input whose numbers are no pixels
    key_points: str = ""  # "[17, 3]" in the metadata of a pose model
    inputs: tuple[TensorSpec, ...] = ()  # all of them

    @property
    def point(self) -> int:
        """How many numbers a key point has, by a pose model's metadata: 3 with how sure it is, else 2."""
        numbers = re.findall(r"\d+", self.key_points)
        return int(numbers[1]) if len(numbers) == 2 and numbers[1] in ("2", "3") else 3

    @property
    def values_known(self) -> str:
        """Why the values of the input are known from the file; empty where they are not."""
        if self.grid is not None:
            return self.grid.why
        return whole_numbers(self.preprocess) or (self.settled.why if self.settled.values else "")

    def fed(self, change: Mapping[str, Any]) -> Preprocess:
        """The preprocessing with those changes, quantized where the input is read through a grid."""
        if self.grid is None:
            return self.settled.on(with_input(self.preprocess, change))
        zeros = (0.0,) * len(self.preprocess.mean)
        floats = with_input(replace(self.preprocess, scale=1 / 255, mean=zeros, dtype="float32"), change)
        return self.settled.on(self.grid.onto(floats))

    @property
    def size(self) -> tuple[int, int]:
        return self.preprocess.size

    @property
    def names(self) -> tuple[str, ...]:
        """The class names in the metadata, in their order; empty where there are none."""
        return self.named.names

    def readings(self, *usual: Mapping[str, object]) -> list[dict[str, object]]:
        """The family's ways of reading its outputs, the usual first, with what the card file says in each.

        What does not belong to this family's [decode] is left to the card's own check.
        """
        made = [{**how, **{k: v for k, v in self.said.items() if k in how}} for how in usual]
        for how in made:
            if "keypoints" in str(how.get("columns", "")):
                how["point"] = self.said.get("point", self.point)
        return [how for i, how in enumerate(made) if how not in made[:i]]

    def row_readings(
        self, width: int | None, *usual: Mapping[str, object]
    ) -> list[tuple[dict[str, object], int | None]]:
        """Those readings of rows of `width` columns that fit it, each with its number of classes."""
        found: list[tuple[dict[str, object], int | None]] = []
        for how in self.readings(*usual):
            try:
                found.append((how, class_count(how, width or 0)))
            except ValueError:
                continue
        return found

    def row_cards(
        self,
        family: str,
        width: int | None,
        *usual: Mapping[str, object],
        why: str,
        inputs: Sequence[Mapping[str, Any]] | None = None,
        iou: float = 0.7,
        classes: int = 0,
    ) -> list[tuple[Card, ...]]:
        """The cards of a detector for each reading of rows of `width` columns that fits.

        inputs: letterbox_inputs where none are given. classes: how many, where the columns do not tell.
        """
        fed = self.letterbox_inputs if inputs is None else inputs
        return [
            self.cards(family, task_of(how), n_classes or classes, fed, iou=iou, decode=how, why=why)
            for how, n_classes in self.row_readings(width, *usual)
        ]

    @property
    def letterbox_inputs(self) -> list[dict[str, Any]]:
        """Letterbox, RGB, 0..1; and, where no metadata vouches for it, what people who train change there."""
        others: list[dict[str, Any]] = [{"fit": "stretch"}, {"colour": "bgr"}, {"scale": 1.0}]
        return [{}] if self.names else [{}, *others]

    def cards(
        self,
        family: str,
        task: str,
        n_classes: int,
        inputs: Sequence[Mapping[str, Any]],
        *,
        iou: float = 0.7,
        decode: Mapping[str, object] | None = None,
        settled: bool = True,
        why: str,
    ) -> tuple[Card, ...]:
        """One card per preprocessing in `inputs` (changes to `self.preprocess`), default first.

        What the file settles goes into each. settled: as in `Match`.
        """
        classes, named = self._classes(n_classes)
        origin = {
            "family": why,
            "preprocessing": self._basis(family, len(inputs), settled),
            "classes": named,
        }
        card = Card(family, task, self.preprocess, classes, iou=iou, decode=decode or {}, origin=origin)
        hows = dict.fromkeys(self.fed(change) for change in inputs)  # each once
        return tuple(replace(card, preprocess=how) for how in hows)

    def _basis(self, family: str, n_inputs: int, settled: bool) -> str:
        """Where the default preprocessing comes from, in words."""
        if self.names and n_inputs == 1:
            basis = "the file's metadata, that of an Ultralytics export"
        elif settled:
            basis = f"the convention of the family {family}"
        else:
            basis = f"the family {family} has no convention: the first of the usual ways"
        known = self.values_known or self.settled.why
        return f"{known}; the rest is {basis}" if known else basis

    def _classes(self, count: int) -> tuple[tuple[str, ...], str]:
        """(count,) names, and where they are from. 90 and 91 are how many COCO's ids are, 1..90 and 0..90."""
        for names in (self.names, self.named.by_number):
            if len(names) == count:
                return names, "metadata"
        note = f"; the metadata names {len(self.names)}" if self.names else ""
        if not note and count in (90, 91):
            return coco_by_id(91 - count, count), f"COCO's category ids, as the model gives {count}"
        return unnamed_classes(count), f"unnamed: the model gives {count}{note}"


def task_of(how: Mapping[str, object]) -> str:
    """The task of rows with those columns: what stands there beside a box, its score and its class."""
    words = {item.partition("*")[0] for item in str(how["columns"]).split()}
    return "pose" if "keypoints" in words else "oriented" if "angle" in words else "detect"


def with_input(base: Preprocess, change: Mapping[str, Any]) -> Preprocess:
    """The preprocessing with those changes, for as many channels as `base` has.

    An integer input takes pixels (less 128 where it is int8): only the fit and the colour order are left.
    """
    if not base.dtype.startswith("float"):
        change = {k: v for k, v in change.items() if k in ("fit", "pad", "colour")}
    how = replace(base, **change)
    if base.colour == "grey":
        how = replace(how, colour="grey", mean=how.mean[:1], std=how.std[:1])
    return how


def find_features(
    model: Model,
    size: tuple[int, int] | None = None,
    said: Mapping[str, object] | None = None,
    image: str = "",
) -> Features | None:
    """The features of a model with an image input, else None. `size` fills in an input size left open.

    `said`: what a card file says in [decode]. `image`: the input that takes the image, where it is said; else
    the one that looks most like it, None where several do.
    """
    named = next((spec for spec in model.inputs if spec.name == image), None)
    spec = named or likeliest_image(model.inputs)
    how = None if spec is None else _input(spec, size or _metadata_size(model.metadata))
    if how is None or spec is None:
        return None
    how = how if len(model.inputs) == 1 else replace(how, image=spec.name)
    graph = _graph(model)
    settled = find_settled(graph, model.metadata, how)
    grid = input_grid(graph, how.dtype)
    grid = None if grid is None or grid.holds_pixels else grid
    outputs = find_outputs(model, graph)
    names, task = read_names(model.metadata), model.metadata.get("task")
    points = model.metadata.get("kpt_shape", "")
    return Features(how, outputs, names, task, settled, said or {}, grid, points, model.inputs)


def _input(spec: TensorSpec, size: tuple[int, int] | None) -> Preprocess | None:
    shape = batched(spec.shape)
    if len(shape) != 4:
        return None
    channels_last = shape[3] in (1, 3) and shape[1] not in (1, 3)
    channels, *found = (shape[i] for i in ((3, 1, 2) if channels_last else (1, 2, 3)))
    if channels not in (1, 3):
        return None
    height, width = found[0] or (size and size[0]), found[1] or (size and size[1])
    if not height or not width:
        return None
    if spec.dtype in ("bool", "object") or not hasattr(np, spec.dtype):
        return None
    grey = channels == 1
    integer = not spec.dtype.startswith("float")
    return Preprocess(
        size=(height, width),
        colour="grey" if grey else "rgb",
        scale=1.0 if integer else 1 / 255,
        mean=(offset_of(spec.dtype),) * channels,
        std=(1.0,) * channels,
        layout="nhwc" if channels_last else "nchw",
        dtype=spec.dtype,
    )


def _metadata_size(metadata: Mapping[str, str]) -> tuple[int, int] | None:
    numbers = [int(n) for n in re.findall(r"\d+", metadata.get("imgsz", ""))]
    return (numbers[0], numbers[-1]) if 1 <= len(numbers) <= 2 else None


def _graph(model: Model) -> onnx.GraphProto:
    try:
        return onnx.load_model_from_string(model.data).graph
    except DecodeError as error:
        raise ModelError("the model's bytes are no ONNX model", got=error) from error
