"""A model compressed on tensors instead of images: `compress --calib FILE.npz`.

For models without an image input, and for those whose other inputs change with every sample: video, points,
the embeddings that a decoder reads. The arrays are what the model is fed; nothing is preprocessed.

Shapes: S samples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from paredown._compress.compress import compress
from paredown._compress.presets import parse_recipe
from paredown._compress.recipe import Compressed, Context, Recipe
from paredown.errors import DataError, UnknownName
from paredown.graph.prepare import prepare
from paredown.graph.single import as_float
from paredown.model import Model, TensorSpec
from paredown.preprocessing.npz import read_npz
from paredown.protocols import Feeds, Progress, silent
from paredown.targets import target as find_target


def read_feeds(file: Path, inputs: Sequence[TensorSpec]) -> list[Feeds]:
    """What the model is fed, sample by sample: an array for each input by name, (S, ...) with S in the place
    of the batch, or of the input's own shape where it is the same for all.

    Raises CardError where it is no such file; DataError, UnknownName where it does not fit the model.
    """
    arrays = read_npz(file)
    names = [spec.name for spec in inputs]
    for name in arrays:
        if name not in names:
            raise UnknownName("input", name, names)
    if missing := [str(spec) for spec in inputs if spec.name not in arrays]:
        raise DataError(f"{file} does not feed every input", got=f"nothing for {', '.join(missing)}")
    counts = {spec.name: _samples(arrays[spec.name], spec, file) for spec in inputs}
    most = max(counts.values())
    if any(count not in (1, most) for count in counts.values()):
        raise DataError(f"{file} holds as many samples for one input as for another", got=counts)
    return [_of(i, arrays, inputs, counts) for i in range(most)]


def compress_fed(
    model: Model,
    recipe: str | Recipe,
    file: Path,
    *,
    target: str = "local",
    runtime: str = "",
    threads: int = 0,
    keep_float: Sequence[str] = (),
    seed: int = 0,
    progress: Progress = silent,
) -> Compressed:
    """The model after one recipe, calibrated on the tensors in `file`.

    Nothing says what the answers mean, so no candidate is judged: a step that chooses by accuracy goes by
    what it estimates. Raises as `read_feeds` and `compress` do.
    """
    wanted = parse_recipe(recipe) if isinstance(recipe, str) else recipe
    prepared = prepare(as_float(model))
    feeds = read_feeds(file, prepared.inputs)
    where = find_target(target, runtime=runtime)
    context = Context(
        prepared,
        lambda: feeds,
        where.device,
        where.policy,
        threads=threads,
        keep_float=tuple(keep_float),
        seed=seed,
        progress=progress,
        time_nodes=where.time_nodes(threads),
    )
    return compress(wanted, context)


def _samples(array: NDArray[Any], spec: TensorSpec, file: Path) -> int:
    """S; 1 where the array is of the input's own shape."""
    if array.shape == spec.shape:
        return 1
    if (
        array.ndim == len(spec.shape)
        and array.shape[1:] == spec.shape[1:]
        and spec.shape[:1] == (1,)
        and len(array)
    ):
        return len(array)
    raise DataError(
        f"{file}: {spec.name!r} does not fit the input",
        got="x".join(map(str, array.shape)) or "one number",
        expected=f"{spec}, or as many samples in the place of its first 1",
    )


def _of(
    i: int, arrays: Mapping[str, NDArray[Any]], inputs: Sequence[TensorSpec], counts: Mapping[str, int]
) -> Feeds:
    return {
        spec.name: (arrays[spec.name] if counts[spec.name] == 1 else arrays[spec.name][i : i + 1]).astype(
            spec.dtype
        )
        for spec in inputs
    }
