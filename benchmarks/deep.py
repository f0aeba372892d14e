"""What deep compression gives: points lost, stock and packed size, unpacking, latency, minutes.

    python benchmarks/deep.py --material MATERIAL                         # resumes where it was stopped
    python benchmarks/deep.py --models resnet20_cifar10 --recipes deep

All calibration images are used, without their labels. Beside every packed file stands what other coders
make of the same tensors.
"""

from __future__ import annotations

import heapq
import lzma
import sys
import time
import zlib
from statistics import median
from typing import Any

import numpy as np
import onnx
from making import make_rows, parser

from paredown._compress.pack import pdz
from paredown.model import Model

RECIPES = ("cluster", "sparse60+cluster", "deep")
MODELS = ("resnet20_cifar10", "squeezenet1_1")
UNPACKINGS = 51  # of which the median counts


def main() -> int:
    """Exit code: 1 where a recipe failed, after all others were tried."""
    args = parser(__doc__, "deep.json", MODELS).parse_args()
    return make_rows(args, dict.fromkeys(MODELS, RECIPES), _packed)


def _packed(model: Model, source: Model) -> dict[str, Any]:
    """Sizes, how fast the packed file is unpacked, and what other coders would have made of it."""
    packed = pdz.pack(model.data)
    times = []
    for _ in range(UNPACKINGS):
        started = time.process_time()  # one thread that waits for nothing: the same on a busy machine
        made = pdz.unpack(packed)
        times.append(time.process_time() - started)
    assert made == model.data
    return {
        "size_bytes": model.size_bytes,
        "packed_bytes": len(packed),
        "ratio": round(source.size_bytes / len(packed), 2),
        "unpack_bytes_per_s": round(model.size_bytes / median(times)),
        "coders": coders(model.data),
    }


def coders(data: bytes) -> dict[str, int]:
    """Bytes that each coder makes of the file's large tensors, every tensor for itself."""
    tensors = [
        t.raw_data
        for t in onnx.load_model_from_string(data).graph.initializer
        if len(t.raw_data) >= pdz.WORTH
    ]
    found = {
        "plain": len,
        "entropy": entropy_bytes,
        "canonical Huffman": huffman_bytes,
        "DEFLATE, Huffman only": lambda raw: len(pdz._deflate(raw, zlib.Z_HUFFMAN_ONLY)),
        "DEFLATE": lambda raw: len(pdz._deflate(raw, zlib.Z_DEFAULT_STRATEGY)),
        "LZMA": lambda raw: len(lzma.compress(raw, lzma.FORMAT_ALONE)),
    }
    return {name: sum(count(raw) for raw in tensors) for name, count in found.items()}


def entropy_bytes(raw: bytes) -> int:
    """Bytes that the least coder of single bytes takes, its table left out."""
    counts = np.bincount(np.frombuffer(raw, np.uint8))
    p = counts[counts > 0] / len(raw)
    return int(np.ceil(-(p * np.log2(p)).sum() * len(raw) / 8))


def huffman_bytes(raw: bytes) -> int:
    """Bytes of a Huffman code of single bytes (Huffman 1952), with half a byte of table for each of 256."""
    heap = [int(c) for c in np.bincount(np.frombuffer(raw, np.uint8)) if c]
    heapq.heapify(heap)
    bits = len(raw) if len(heap) == 1 else 0
    while len(heap) > 1:
        both = heapq.heappop(heap) + heapq.heappop(heap)
        bits += both
        heapq.heappush(heap, both)
    return (bits + 7) // 8 + 128


if __name__ == "__main__":
    sys.exit(main())
