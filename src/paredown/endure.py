"""`endure`: what a model does over minutes, beside neighbours and by threads, and what its process needs."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from paredown._compress.pack import pdz
from paredown._compress.size import STRIDE, sides
from paredown._measure.energy.power import PowerFrom
from paredown._measure.environment import environment
from paredown._measure.timing.footprint import footprint
from paredown._measure.timing.interference import KINDS, interfere, ways
from paredown._measure.timing.rounds import Way
from paredown._measure.timing.sustained import check_sustained, sustain
from paredown._measure.timing.threads_curve import threads_curve
from paredown.checking import checked
from paredown.endurance import Endurance, Footprint
from paredown.errors import ParedownError, UnknownName, UsageError
from paredown.graph.input_size import at_size, size_of
from paredown.graph.prepare import prepare
from paredown.hosts import open_host
from paredown.measurement import Measurement, Quantity, machine_name
from paredown.model import Model
from paredown.preprocessing.feeds import feed
from paredown.protocols import Progress, silent
from paredown.sample import Dataset
from paredown.targets import Target
from paredown.targets import target as find_target

_SMALLER = 0.75  # of the longer side: 56 % of the operations


@dataclass(frozen=True)
class Asked:
    """What to look at. sustained_s: how long it runs without a pause, 0 for not at all."""

    sustained_s: float = 0.0
    interference: tuple[str, ...] = ()
    threads: bool = False
    footprint: bool = False

    def __post_init__(self) -> None:
        for kind in self.interference:
            if kind not in KINDS:
                raise UnknownName("kind of neighbour", kind, KINDS)
        check_sustained(self.sustained_s)

    @property
    def anything(self) -> bool:
        return bool(self.sustained_s or self.interference or self.threads or self.footprint)


@checked
def endure(
    model: Model,
    images: Dataset,
    asked: Asked,
    *,
    target: str = "local",
    runtime: str = "",
    host: str = "local",
    threads: int = 0,
    power: PowerFrom | None = None,
    progress: Progress = silent,
) -> Endurance:
    """What was asked for, on that host; a model with a card, the first image is what it is fed.

    Raises TargetError where this is not the target, UsageError where the model has no card.
    """
    if model.card is None:
        raise UsageError(f"nothing is known yet about how to feed {model.name}")
    (power or PowerFrom()).require_log()
    where, image = find_target(target, open_host(host), runtime), images[0].read()
    where.require_timing()
    feeds = feed(image, model.card.preprocess, model.inputs)[0]
    used, cores = where.used_threads(threads), where.host.facts().cores_usable
    with tempfile.TemporaryDirectory(prefix="paredown-") as folder:
        file = Path(folder, "model.onnx")
        file.write_bytes(model.data)
        tried: Sequence[Way] = ()
        if asked.interference:
            tried = ways(
                file, feeds, used, cores, _smaller(model, images, Path(folder, "smaller.onnx"), used)
            )
        return Endurance(
            model.name,
            machine_name(Measurement("", where.name, environment(where.host, used), ())),
            datetime.now(UTC).isoformat(timespec="seconds"),
            sustain(file, where, feeds, asked.sustained_s, threads=threads, power=power, progress=progress)
            if asked.sustained_s
            else None,
            tuple(interfere(kind, tried, where, progress=progress) for kind in asked.interference),
            threads_curve(file, where, feeds, progress) if asked.threads else None,
            _footprint(model, file, where, image, threads, progress) if asked.footprint else None,
        )


def _footprint(
    model: Model, file: Path, where: Target, image: NDArray[np.uint8], threads: int, progress: Progress
) -> Footprint:
    """With the size as a .pdz file too, as it goes over a wire."""
    assert model.card is not None
    feeds = feed(image, model.card.preprocess, model.inputs)[0]
    found = footprint(file, where, feeds, model.card, model.inputs, image, threads=threads, progress=progress)
    packed = Quantity.listed("packed_bytes", len(pdz.pack(model.data)))
    return replace(found, quantities=(*found.quantities, packed))


def _smaller(model: Model, images: Dataset, file: Path, threads: int) -> Way:
    """The same network at three quarters of its input, or why it cannot be had."""
    name = "smaller input"
    try:
        prepared = prepare(model)
        pixels = STRIDE * max(1, int(_SMALLER * max(size_of(prepared)) / STRIDE))
        name = f"smaller input ({pixels} pixels; accuracy has to be measured again)"
        if pixels >= max(size_of(prepared)):
            return Way(name, file, {}, threads, refused="the input is as small as it can be")
        small = at_size(prepared, sides(prepared, pixels))
    except ParedownError as e:
        return Way(name, file, {}, threads, refused=e.what)
    assert small.card is not None
    file.write_bytes(small.data)
    return Way(name, file, feed(images[0].read(), small.card.preprocess, small.inputs)[0], threads)
