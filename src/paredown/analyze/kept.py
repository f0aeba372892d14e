"""What is kept of a judged model, so that a comparison made later needs neither model nor images.

Letters: N images, R bootstrap resamples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, get_type_hints

import numpy as np
from numpy.typing import NDArray

from paredown.analyze.sampled import sampled
from paredown.card import Card
from paredown.detections import Prediction
from paredown.metrics import METRICS, headline
from paredown.metrics.tally import Evidence
from paredown.sample import Dataset
from paredown.statistics.confidence_interval import Difference, paired_difference
from paredown.tasks import TASKS

Arrays = dict[str, NDArray[Any]]
_FIELD = "evidence."
_PACKED = "packed."  # bits of a bool array, eight to a byte, and its shape


@dataclass(frozen=True)
class Kept:
    """A judged model in short. value, resampled: of the metric that judges, as it is and over R resamples.

    scores: (N,) how right it is on each image, nan where one tells nothing. same: differs where the images
    differ or what the answers were held against; only models of the same `same` are compared.
    """

    task: str
    against: Literal["truth", "reference"]
    metric: str
    value: float
    resampled: NDArray[np.float64]
    scores: NDArray[np.float64]
    images: tuple[str, ...]
    same: str

    @property
    def n_images(self) -> int:
        return len(self.images)


def keep(
    predictions: Sequence[Prediction],
    reference: Sequence[Prediction],
    judged: Dataset,
    card: Card,
    same: str,
) -> tuple[Kept, Evidence]:
    """What a model's predictions come to: against the truth, or without any against the float model's.

    judged: in the card's class indices. The resamples are those of every other model of the same images.
    """
    task = TASKS[card.task]
    name = headline(card.task, judged.has_truth)
    against = METRICS[name].against
    chosen = [i for i, s in enumerate(judged) if against == "reference" or s.truth is not None]
    if against == "truth":
        truths = [judged[i].truth for i in chosen]
        evidence = task.against_truth([predictions[i] for i in chosen], truths, card)
    else:
        evidence = task.against_reference(predictions, reference, card)
    found = sampled(evidence, task.tally)
    kept = Kept(
        task=card.task,
        against=against,
        metric=name,
        value=found.value(METRICS[name]),
        resampled=METRICS[name].compute(found.resampled),
        scores=task.image_scores(evidence),
        images=tuple(judged[i].name for i in chosen),
        same=same,
    )
    return kept, evidence


def apart(a: Kept, b: Kept) -> Difference | None:
    """b - a in the metric, with the interval and p-value of the paired bootstrap; None where they were not
    judged on the same images by the same metric."""
    if (a.same, a.metric) != (b.same, b.metric):
        return None
    least = min(len(a.resampled), len(b.resampled))  # the first resamples are the same, however many
    return paired_difference(a.value, b.value, a.resampled[:least], b.resampled[:least])


def to_arrays(kept: Kept, evidence: Evidence) -> Arrays:
    """Both as arrays by name, for a file."""
    arrays: Arrays = {f.name: np.asarray(getattr(kept, f.name)) for f in fields(kept)}
    for f in fields(evidence):  # type: ignore[arg-type]
        value = np.asarray(getattr(evidence, f.name))
        if value.dtype == np.bool_ and value.ndim:
            arrays[f"{_PACKED}{f.name}"] = np.array(value.shape, np.int64)
            value = np.packbits(value)
        arrays[f"{_FIELD}{f.name}"] = value
    return arrays


def from_arrays(arrays: Any) -> Kept:
    """What `to_arrays` was given, without the evidence. Raises KeyError, ValueError on anything else."""
    found = {f.name: arrays[f.name] for f in fields(Kept)}
    for name in ("task", "against", "metric", "value", "same"):
        found[name] = found[name].item()
    found["images"] = tuple(str(name) for name in found["images"])
    return Kept(**found)


def evidence_from(arrays: Any) -> Evidence:
    """The evidence that `to_arrays` was given. Raises KeyError, ValueError on anything else."""
    kept = from_arrays(arrays)
    # the task says by its annotation what its evidence is
    held = getattr(TASKS[kept.task], f"against_{kept.against}")
    kind = get_type_hints(held)["return"]
    return kind(**{f.name: _field(arrays, f.name) for f in fields(kind)})  # type: ignore[no-any-return]


def _field(arrays: Any, name: str) -> Any:
    value = arrays[f"{_FIELD}{name}"]
    if f"{_PACKED}{name}" in arrays:
        shape = arrays[f"{_PACKED}{name}"]
        return np.unpackbits(value, count=int(np.prod(shape))).reshape(shape).astype(bool)
    return value.item() if value.ndim == 0 else value
