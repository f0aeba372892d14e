"""A data set looked over before it is used: what it holds, and what in it will mislead a figure.

Near copies are found by the difference hash: 64 signs of the slope between neighbours in a 9 x 8 picture.
Source: N. Krawetz, Kind of Like That, 2013 (dHash).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from paredown.protocols import Progress, silent
from paredown.sample import Dataset, Labels

NEAR = 3  # bits of 64 that a near copy may differ in: another compression or size changes one or two
THIN = 2.0  # pixels: a box that is thinner is a slip of the hand
TWICE = 0.95  # IoU of two boxes of one class in one image that are one object
AREAS = {"small": 32.0**2, "medium": 96.0**2, "large": float("inf")}  # COCO's, pixels squared, up to


@dataclass(frozen=True)
class Survey:
    """What a data set holds, names of images where nothing else is said.

    counts: by class name, of true boxes or images. unused: classes without any. empty: where nothing is true.
    unlabelled: of which nothing is known. sizes: of true boxes. thin, doubled: with such a box. copies, near:
    pairs that are the same file, or look the same. pixels: least and most of width and height.
    """

    images: int
    counts: Mapping[str, int]
    unused: tuple[str, ...]
    empty: tuple[str, ...]
    unlabelled: tuple[str, ...]
    sizes: Mapping[str, int]
    thin: tuple[str, ...]
    doubled: tuple[str, ...]
    copies: tuple[tuple[str, str], ...]
    near: tuple[tuple[str, str], ...]
    pixels: tuple[tuple[int, int], tuple[int, int]]
    prints: Mapping[str, int] = field(default_factory=dict, repr=False)  # difference hash by name
    digests: Mapping[str, str] = field(default_factory=dict, repr=False)


def survey(dataset: Dataset, progress: Progress = silent) -> Survey:
    """The data set looked over: every image is decoded once. Raises ImageError where one cannot be read."""
    prints, digests, shapes = dict[str, int](), dict[str, str](), list[tuple[int, int]]()
    for sample in progress(dataset, "looking at images", len(dataset)):
        image = sample.read()
        shapes.append((image.shape[1], image.shape[0]))
        prints[sample.name], digests[sample.name] = difference_hash(image), sample.digest()
    names = dataset.classes
    found = Counter(_called(names, c) for s in dataset for c in _classes(s.truth))
    boxes = [(s.name, s.truth) for s in dataset if isinstance(s.truth, Labels)]
    copies = _same(digests)
    return Survey(
        images=len(dataset),
        counts={name: found[name] for name in (*names, *(n for n in found if n not in names)) if found[name]},
        unused=tuple(n for n in names if not found[n]) if dataset.has_truth else (),
        empty=tuple(name for name, truth in boxes if not len(truth.classes)),
        unlabelled=tuple(s.name for s in dataset if s.truth is None) if dataset.has_truth else (),
        sizes=_sizes([truth for _, truth in boxes]),
        thin=tuple(name for name, truth in boxes if _is_thin(truth)),
        doubled=tuple(name for name, truth in boxes if _is_doubled(truth)),
        copies=copies,
        near=tuple(pair for pair in _near(prints, prints) if pair not in copies),
        pixels=(_range([w for w, _ in shapes]), _range([h for _, h in shapes])),
        prints=prints,
        digests=digests,
    )


def shared(a: Survey, b: Survey) -> tuple[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]:
    """Pairs of a name of a and one of b: that are the same file, and that look the same without being it."""
    of_b: dict[str, str] = {digest: name for name, digest in b.digests.items()}
    copies = tuple((name, of_b[d]) for name, d in a.digests.items() if d in of_b)
    near = tuple(pair for pair in _near(a.prints, b.prints, between=True) if pair not in copies)
    return copies, near


def difference_hash(image: NDArray[np.uint8]) -> int:
    """64 bits: where a picture of 9 x 8 grey values grows lighter to the right. image: (H, W, 3)."""
    grey = cv2.cvtColor(cv2.resize(image, (9, 8), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    return int.from_bytes(np.packbits(grey[:, 1:] > grey[:, :-1]).tobytes(), "big")


def _near(
    a: Mapping[str, int], b: Mapping[str, int], *, between: bool = False
) -> tuple[tuple[str, str], ...]:
    """Pairs whose hashes differ in few bits; a picture without any slope looks like every other such."""
    names_a, names_b = [*a], [*b]
    if not names_a or not names_b:
        return ()
    bits_a, bits_b = (
        np.array([np.frombuffer(h.to_bytes(8, "big"), np.uint8) for h in of.values()]) for of in (a, b)
    )
    ones = np.array([bin(v).count("1") for v in range(256)], np.uint8)
    pairs = []
    for i, name in enumerate(names_a):
        if not a[name]:
            continue
        distance = ones[bits_a[i] ^ bits_b].sum(axis=1)
        for j in np.flatnonzero(distance <= NEAR):
            if between or j > i:
                pairs.append((name, names_b[j]))
    return tuple(pairs)


def _same(digests: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    first: dict[str, str] = {}
    return tuple((first[d], name) for name, d in digests.items() if first.setdefault(d, name) != name)


def _classes(truth: object) -> list[int]:
    """Of boxes each one's class; of a map of classes none are counted."""
    if isinstance(truth, Labels):
        return [int(c) for c in truth.classes]
    return [int(truth)] if isinstance(truth, int | np.integer) else []


def _called(names: tuple[str, ...], index: int) -> str:
    return names[index] if 0 <= index < len(names) else str(index)


def _sizes(truths: list[Labels]) -> dict[str, int]:
    areas = np.concatenate([np.zeros(0), *(t.area for t in truths)])
    edges = [0.0, *AREAS.values()]
    return {
        size: int(((areas >= low) & (areas < high)).sum())
        for size, low, high in zip(AREAS, edges, edges[1:], strict=False)
    } if truths else {}  # fmt: skip


def _is_thin(truth: Labels) -> bool:
    sides = truth.boxes[:, 2:] - truth.boxes[:, :2]
    return bool((sides < THIN).any())


def _is_doubled(truth: Labels) -> bool:
    """Whether two boxes of a class are as good as one; crowd regions may lie over others."""
    real = ~truth.crowd
    boxes, classes = truth.boxes[real].astype(np.float64), truth.classes[real]
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    overlap = np.clip(high - low, 0, None).prod(-1)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(-1)
    union = area[:, None] + area[None] - overlap
    same = (overlap > TWICE * union) & (classes[:, None] == classes[None])
    return bool(np.triu(same, 1).any())


def _range(values: list[int]) -> tuple[int, int]:
    return (min(values), max(values)) if values else (0, 0)
