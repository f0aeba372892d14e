"""Whether bytes can be an ONNX model at all, and of how many nodes, found without reading what lies inside.

A model file is a protobuf message: fields one after the other, each with its number, its kind and its length.
Walking over the heads of those of the model and of its graph touches a few bytes each, so a file of gigabytes
that is none, one that is cut short, and one of a million nodes are known before any memory is spent on them.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from mmap import mmap

MOST_NODES = 10_000  # the largest detectors have 3,000; simplifying takes time with the square of it
MOST_FIELDS = 200_000
_GRAPH, _NODE = 7, 1  # numbers of fields: ModelProto.graph, GraphProto.node
_VARINT, _EIGHT_BYTES, _LENGTH, _FOUR_BYTES = 0, 1, 2, 5

Bytes = bytes | memoryview | mmap


class NoMessage(Exception):
    """The bytes are no protobuf message, or one that is cut short."""


def count_nodes(data: Bytes) -> int:
    """Nodes of the main graph, counted no further than MOST_FIELDS. Raises NoMessage."""
    graphs = [(a, b) for number, a, b in _fields(data, 0, len(data)) if number == _GRAPH]
    heads = (number for begin, end in graphs for number, _, _ in _fields(data, begin, end))
    return sum(number == _NODE for number in islice(heads, MOST_FIELDS - 1))


def _fields(data: Bytes, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """(number, begin, end) of the fields with a length in data[at:end]."""
    for _ in range(MOST_FIELDS):
        if at == end:
            return
        tag, at = _varint(data, at, end)
        number, kind = tag >> 3, tag & 7
        if number == 0:
            raise NoMessage
        if kind == _VARINT:
            _, at = _varint(data, at, end)
        elif kind == _LENGTH:
            length, at = _varint(data, at, end)
            yield number, at, at + length
            at += length
        elif kind in (_EIGHT_BYTES, _FOUR_BYTES):
            at += 8 if kind == _EIGHT_BYTES else 4
        else:
            raise NoMessage
        if at > end:
            raise NoMessage
    raise NoMessage


def _varint(data: Bytes, at: int, end: int) -> tuple[int, int]:
    """The number at a place, seven bits a byte, and the place behind it."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= end:
            break
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise NoMessage
