"""What `detect` does that tasks do alike whose answers are boxes with more: key points, masks, angles.

Such a task imports all of it, and gives its own names, words, overlap, truth and official figures.
"""

from __future__ import annotations

from paredown.tasks.detect import (
    TRUTH,
    as_truths,
    card_evidence,
    check_reference,
    classes_of,
    confidences,
    disagreement,
    draw,
    draw_pair,
    found_classes,
    image_scores,
    restore,
    store,
    tally,
    truth_text,
    unclassed,
)

__all__ = [
    "TRUTH",
    "as_truths",
    "card_evidence",
    "check_reference",
    "classes_of",
    "confidences",
    "disagreement",
    "draw",
    "draw_pair",
    "found_classes",
    "image_scores",
    "restore",
    "store",
    "tally",
    "truth_text",
    "unclassed",
]
