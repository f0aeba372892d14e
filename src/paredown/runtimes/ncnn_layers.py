"""ncnn's two files as plain values: the layers of a .param, each with its arrays from the .bin.

Source of the format: ncnn's documentation, "param and model file structure" and "operators", and the order
in which each layer's `load_model` reads. A tagged array begins with four bytes that tell its type.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from paredown.errors import UnsupportedModel

MAGIC = "7767517"
_TAGS: Mapping[int, np.dtype[np.generic]] = {
    0: np.dtype(np.float32),
    0x01306B47: np.dtype(np.float16),
    0x000D4B38: np.dtype(np.int8),
}
_TAG_OF = {kind: tag for tag, kind in _TAGS.items()}


@dataclass(frozen=True)
class Stored:
    """An array of the .bin, flat. tagged: whether its type is written in front of it; else it is float32."""

    data: NDArray[np.generic]
    tagged: bool = False


@dataclass(frozen=True, eq=False)
class Layer:
    """One line of the .param. parameters: id -> the value as it is written; arrays: in the .bin's order.

    Two are the same layer only where they are one object.
    """

    kind: str
    name: str
    bottoms: tuple[str, ...]
    tops: tuple[str, ...]
    parameters: Mapping[int, str]
    arrays: tuple[Stored, ...] = field(default=(), repr=False)

    def number(self, key: int, default: int = 0) -> int:
        return int(float(self.parameters.get(key, default)))


Sizes = list[tuple[int, bool]]
"""How many numbers each array of a layer has, and whether it is tagged."""


def _convolution(layer: Layer) -> Sizes:
    if layer.number(19):  # its weights are computed
        return []
    scales = layer.number(7) if layer.kind == "ConvolutionDepthWise" else layer.number(0)
    biases = [(layer.number(0), False)] * layer.number(5)
    return [(layer.number(6), True), *biases, *_scales(layer, scales)]


def _inner_product(layer: Layer) -> Sizes:
    biases = [(layer.number(0), False)] * layer.number(1)
    return [(layer.number(2), True), *biases, *_scales(layer, layer.number(0))]


def _scales(layer: Layer, weights: int) -> Sizes:
    """Of a layer in integers: of its weights, of what it reads, and of what it writes in integers."""
    term = layer.number(8)
    return [(size, False) for size in (weights, 1, 1)[: 0 if not term else 3 if term > 100 else 2]]


def _memory(layer: Layer) -> Sizes:
    sizes = [layer.number(key) for key in (0, 1, 11, 2)]
    return [(int(np.prod([s for s in sizes if s])), not layer.number(21, 1))]


def _gemm(layer: Layer) -> Sizes:
    m, n, k = (layer.number(key) for key in (7, 8, 9))
    added = {0: 1, 1: m, 2: m, 3: m * n, 4: n}
    sizes = [(layer.number(4), m * k), (layer.number(5), k * n)]
    sizes.append((layer.number(6), added.get(layer.number(10), 0)))
    return [(size, True) for constant, size in sizes if constant and size]


_SIZES: Mapping[str, Callable[[Layer], Sizes]] = {
    **dict.fromkeys(
        ["Convolution", "ConvolutionDepthWise", "Deconvolution", "DeconvolutionDepthWise"], _convolution
    ),
    "InnerProduct": _inner_product,
    "MemoryData": _memory,
    "Gemm": _gemm,
    "PReLU": lambda layer: [(layer.number(0), False)],
    "Bias": lambda layer: [(layer.number(0), False)],
    "Scale": lambda layer: [(layer.number(0), False)] * (1 + layer.number(1)),
    "BatchNorm": lambda layer: [(layer.number(0), False)] * 4,
}
"""Layer -> the sizes of its arrays; a layer that is not here has none."""


def read(param: Path, weights: Path) -> tuple[Layer, ...]:
    """The layers in order. Raises UnsupportedModel where their arrays are not those of the .bin."""
    content, place, found = weights.read_bytes(), 0, []
    for line in param.read_text(encoding="utf-8").splitlines()[2:]:
        layer = _parsed(line.split())
        arrays = []
        for size, tagged in _SIZES.get(layer.kind, _none)(layer):
            stored, place = _taken(content, place, size, tagged, layer)
            arrays.append(stored)
        found.append(_with(layer, layer.parameters, arrays))
    if place != len(content):
        raise UnsupportedModel(
            "a layer of ncnn has weights of a kind that is not known here",
            got=f"{len(content)} bytes, of which {place} are known",
        )
    return tuple(found)


def write(layers: Sequence[Layer], param: Path, weights: Path) -> None:
    """The two files."""
    blobs = {top for layer in layers for top in layer.tops}
    lines = [MAGIC, f"{len(layers)} {len(blobs)}", *(_line(layer) for layer in layers)]
    param.write_text("\n".join(lines) + "\n", encoding="utf-8")
    weights.write_bytes(b"".join(_bytes(stored) for layer in layers for stored in layer.arrays))


def changed(layer: Layer, parameters: Mapping[int, str], arrays: Iterable[Stored]) -> Layer:
    """The layer with these parameters beside its own, and with other arrays."""
    return _with(layer, {**layer.parameters, **parameters}, arrays)


def halved(layers: Sequence[Layer]) -> tuple[Layer, ...]:
    """The layers with weights in float16 where that holds them exactly: those that a recipe rounded to it."""
    return tuple(_with(layer, layer.parameters, map(_halved, layer.arrays)) for layer in layers)


def over_corners(layers: Sequence[Layer]) -> tuple[Layer, ...]:
    """The layers with linear enlargements that put corners over corners."""
    linear = (layer.kind == "Interp" and layer.number(0) == 2 for layer in layers)
    return tuple(
        changed(layer, {6: "1"}, layer.arrays) if is_one else layer
        for layer, is_one in zip(layers, linear, strict=True)
    )


def _halved(stored: Stored) -> Stored:
    with np.errstate(over="ignore"):
        half = stored.data.astype(np.float16)
    exact = stored.tagged and stored.data.dtype == np.float32 and np.array_equal(half, stored.data)
    return Stored(half, True) if exact else stored


def _with(layer: Layer, parameters: Mapping[int, str], arrays: Iterable[Stored]) -> Layer:
    return Layer(layer.kind, layer.name, layer.bottoms, layer.tops, parameters, tuple(arrays))


def _none(layer: Layer) -> Sizes:
    return []


def _parsed(words: list[str]) -> Layer:
    """TYPE NAME BOTTOMS TOPS, their names, then ID=VALUE."""
    kind, name, reads, gives = words[0], words[1], int(words[2]), int(words[3])
    names = words[4 : 4 + reads + gives]
    pairs = (word.split("=", 1) for word in words[4 + reads + gives :])
    parameters = {int(key): value for key, value in pairs}
    return Layer(kind, name, tuple(names[:reads]), tuple(names[reads:]), parameters)


def _line(layer: Layer) -> str:
    counts = f"{len(layer.bottoms)} {len(layer.tops)}"
    said = (f"{key}={value}" for key, value in layer.parameters.items())
    return " ".join([f"{layer.kind:<24} {layer.name:<24}", counts, *layer.bottoms, *layer.tops, *said])


def _taken(content: bytes, place: int, size: int, tagged: bool, layer: Layer) -> tuple[Stored, int]:
    kind: np.dtype[np.generic] | None = np.dtype(np.float32)
    if tagged:
        kind, place = _TAGS.get(int.from_bytes(content[place : place + 4], "little")), place + 4
    end = place + size * (kind.itemsize if kind else 0)
    if kind is None or end > len(content):
        raise UnsupportedModel(f"the weights of ncnn's layer {layer.name!r} cannot be read")
    return Stored(np.frombuffer(content[place:end], kind), tagged), end + -end % 4


def _bytes(stored: Stored) -> bytes:
    tag = _TAG_OF[stored.data.dtype].to_bytes(4, "little") if stored.tagged else b""
    data = stored.data.tobytes()
    return tag + data + bytes(-len(data) % 4)
