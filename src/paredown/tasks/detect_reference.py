"""Whether a float detector can be a reference: it finds what is true, and no other reading finds far more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from paredown.card import Card
from paredown.detections import Detections, Prediction
from paredown.errors import CardError
from paredown.families.candidates import box_form, with_box_form
from paredown.families.geometry import FAMILIAR, FORMS
from paredown.metrics.pooled import pooled
from paredown.sample import Labels, Truth
from paredown.tasks.card_evidence import PooledBoxes
from paredown.toml import toml_value

NOTHING = 0.001  # an AP50 below finds nothing that is true
SUSPICIOUS = 0.3  # an AP50 without classes from which on boxes are not read wrongly
BETTER = 2.0  # times, and LEAST_GAIN more: another reading that is the right one
LEAST_GAIN = 0.05
IMAGES = 16  # that other readings are tried on

Reread = Callable[[Sequence[int], Card], list[Prediction]]
"""What the model says of the images with these indices, read by another card."""


def check_detector(
    predictions: Sequence[Prediction], truths: Sequence[Truth], card: Card, reread: Reread
) -> None:
    """Raises CardError where the detections can be no reference. truths: None where nothing is known."""
    known = [(p, t) for p, t in zip(predictions, truths, strict=True) if t is not None]
    if not any(isinstance(t, Labels) and len(t.classes) for _, t in known):
        if not any(isinstance(p, Detections) and len(p.above(card.conf)) for p in predictions):
            raise _finds_nothing(card, len(predictions), f"no detection from confidence {card.conf:g} on")
        return
    judged, true = [p for p, _ in known], [t for _, t in known]
    whole = _ap50(judged, true, with_classes=True)
    boxes = _ap50(judged, true, with_classes=False)
    shift = _better_shift(judged, true, whole)
    if shift is not None:
        raise shift
    if boxes < SUSPICIOUS:
        _check_forms(truths, card, reread)
    if whole < NOTHING:
        found = f"AP50 {whole:.3f} on {len(true)} images with truth"
        raise _finds_nothing(card, len(true), f"{found}, {boxes:.3f} with all classes taken for one")


def box_evidence(
    predictions: Sequence[Prediction], truths: Sequence[Truth], *, with_classes: bool
) -> PooledBoxes:
    """The evidence of the images with true boxes; without classes every box is of the same one."""
    pairs = zip(predictions, truths, strict=True)
    boxes = [(p, t) for p, t in pairs if isinstance(p, Detections) and isinstance(t, Labels)]
    return PooledBoxes(pooled(boxes, with_classes=with_classes))


def _ap50(predictions: Sequence[Prediction], truths: Sequence[Truth], *, with_classes: bool) -> float:
    return box_evidence(predictions, truths, with_classes=with_classes).value


def _better_shift(
    predictions: Sequence[Prediction], truths: Sequence[Truth], whole: float
) -> CardError | None:
    """The refusal where the classes are right once their numbers are moved by one; else None."""
    for first, words in ((1, "start at 1"), (-1, "leave out the model's first")):
        moved = [replace(p, classes=p.classes - first) for p in predictions if isinstance(p, Detections)]
        found = _ap50(moved, truths, with_classes=True)
        if found > BETTER * whole + LEAST_GAIN:
            line = "[decode]\n      first_class = 1" if first == 1 else 'classes = ["background", ...]'
            return CardError(
                "the model finds the objects, but its class numbers are one off",
                got=f"AP50 {whole:.2f} as they are, {found:.2f} moved by one",
                hint=f"they {words}; say it in a card.toml beside the model:\n      {line}",
            )
    return None


def _check_forms(truths: Sequence[Truth], card: Card, reread: Reread) -> None:
    """Raises CardError where another order of the four columns of a box finds far more of the true ones."""
    columns = str(card.decode.get("columns", ""))
    form = box_form(columns)
    if len(form.split()) != 4:
        return
    with_truth = [i for i, t in enumerate(truths) if isinstance(t, Labels) and len(t.classes)]
    spread = np.linspace(0, len(with_truth) - 1, min(IMAGES, len(with_truth))).round().astype(int)
    some = [with_truth[i] for i in np.unique(spread)]

    def ap50(words: str) -> float:
        said = reread(some, replace(card, decode={**card.decode, "columns": with_box_form(columns, words)}))
        return _ap50(said, [truths[i] for i in some], with_classes=False)

    scores = {words: ap50(words) for words in (form, *(f for f in FORMS if f != form))}
    best = max(scores, key=lambda words: scores[words])
    if scores[best] > BETTER * scores[form] + LEAST_GAIN:
        raise CardError(
            f"the boxes cannot be {form!r}: a misread model gets no verdict",
            got=f"AP50 {scores[form]:.2f} on {len(some)} images with truth, {scores[best]:.2f} as {best!r}",
            hint=f"this looks like {FAMILIAR[best]}; say it in a card.toml beside the model:\n"
            f"      [decode]\n      columns = {toml_value(with_box_form(columns, best))}",
        )


def _finds_nothing(card: Card, n_images: int, got: str) -> CardError:
    return CardError(
        "the float model finds nothing to judge by: it is misread, fed wrongly, or knows nothing that is in "
        "these images",
        got=f"{got}; {n_images} images, family {card.family}",
        hint="`paredown inspect MODEL --data DATA --out DIR` draws what it finds; a card.toml beside it "
        "says how it is fed and read (docs/card.md)",
    )
