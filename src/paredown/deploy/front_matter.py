"""The head of the bundle's README that model hubs read: YAML between two lines of ---.

Source of the keys: Hugging Face, Model Cards, `modelcard.md` of huggingface_hub (library_name, pipeline_tag,
tags, model-index). A key whose value is not known is left out: a licence is for the model's owner to say.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from paredown.card import Card
from paredown.measurement import Trial
from paredown.metrics import METRICS, title_of

PIPELINES = {
    "detect": "object-detection",
    "classify": "image-classification",
    "segment": "image-segmentation",
}
"""Task -> what hubs call it; a task that is not here has no name there."""


def front_matter(card: Card, trial: Trial, name: str, judged_on: str) -> str:
    """The head with its two lines. name: of the model. judged_on: the images, in words; "": no results."""
    pipeline = PIPELINES.get(card.task)
    values = {
        "library_name": "onnx" if trial.runtime == "onnxruntime" else trial.runtime,
        **({"pipeline_tag": pipeline} if pipeline else {}),
        "tags": ["paredown", trial.runtime, card.family, *_bits(trial)],
    }
    lines = [f"{key}: {_yaml(value)}" for key, value in values.items()]
    results = _results(trial, pipeline, judged_on) if judged_on and pipeline else []
    if results:
        lines += ["model-index:", f"- name: {_yaml(name)}", "  results:", *results]
    return "\n".join(["---", *lines, "---", "", ""])


def _bits(trial: Trial) -> list[str]:
    """What searches on hubs look for, where the recipe says so: "int8", "int4"."""
    steps = trial.recipe.split("+")
    found = [f"int{bits}" for bits in (4, 8) if any(s.startswith(f"w{bits}") for s in steps)]
    return ["quantized", *found] if found else []


def _results(trial: Trial, pipeline: str, judged_on: str) -> list[str]:
    """The metrics measured against the truth: agreement with a float model is no accuracy, and what was
    simulated is no result."""
    measured = [] if trial.measurement is None else trial.measurement.quantities
    found = [q for q in measured if q.name in METRICS and METRICS[q.name].against == "truth"]
    found = [q for q in found if q.how == "measured"]
    if not found:
        return []
    metrics = [
        line
        for q in found
        for line in (f"    - type: {_yaml(q.name)}", f"      name: {_yaml(title_of(q.name))}",
                     f"      value: {q.value:.6g}", "      verified: false")
    ]  # fmt: skip
    return [
        "  - task:",
        f"      type: {_yaml(pipeline)}",
        "    dataset:",
        f"      name: {_yaml(judged_on)}",
        f"      type: {_yaml(judged_on)}",
        "    metrics:",
        *metrics,
    ]


def _yaml(value: str | Sequence[str]) -> str:
    """A text or a list of texts; JSON is YAML, and quotes whatever a stranger's name may hold."""
    return json.dumps(value if isinstance(value, str) else [*value])
