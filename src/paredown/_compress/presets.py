"""Names for the recipes that most people want, and how a recipe is read. Presets are spelled recipes."""

from __future__ import annotations

import re
from pathlib import Path

from paredown._compress.order import check_order
from paredown._compress.recipe import Recipe, Step, require_possible
from paredown._compress.steps import STEPS
from paredown.errors import UnknownName, UsageError
from paredown.policy import HALVES, Policy
from paredown.toml import read_toml

PRESETS: dict[str, tuple[str, str]] = {
    "int8": ("cle+gates+w8a8-pc-mse-guard-timed+gptq", "static INT8, the recipe to start with"),
    "mixed": ("cle+gates+mix", "float, INT8 or INT4 layer by layer, under the limits asked for"),
    "fp16": ("fp16", "floats of 16 bits: arithmetic where the runtime has it, else half the file"),
    "bf16": ("bf16", "bfloat16 arithmetic; the fastest on CPUs with AMX"),
    "int8-minmax": ("w8a8-pc-minmax", "static INT8 with ranges that clip nothing"),
    "int8-per-tensor": ("w8a8-pt-mse", "static INT8 for runtimes without per-channel weights"),
    "int4": (
        "cle+w4a8-pc-mse-guard-keep5+gptq+pack",
        "weights of 16 levels: a sixth of the file at the speed of INT8",
    ),
    "int8-qat": (
        "cle+gates+w8a8-pc-mse-guard-timed+gptq+qat-rate0.0001",
        "int8, then learned from your images for up to half an hour",
    ),
    "int4-qat": (
        "cle+w4a8-pc-mse-guard-keep10+gptq+qat-rate0.0001+pack",
        "int4 with more layers in 8 bits, then learned from your images for up to half an hour",
    ),
    "pruned": ("prune30-taylor+distill", "30 % of the operations gone, recovered from your images"),
    "pruned-int8": (
        "prune30-taylor+distill+cle+gates+w8a8-pc-mse-guard-timed+gptq",
        "30 % of the operations gone, recovered from your images, then int8",
    ),
    "deep": ("cluster-gptq-bits2.4", "a twelfth of the file once it is packed (.pdz); float arithmetic"),
    "deep-learned": (
        "cluster-gptq-bits2.35+distill",
        "deep, then learned from your images for up to half an hour",
    ),
    "int8-dynamic": ("dynamic", "no calibration; activation ranges found at every run"),
    "int8-weights": ("w8-pc", "a quarter of the file, float arithmetic"),
    "ort-static": ("ort-static-pt-minmax", "stock ONNX Runtime, static, its defaults"),
    "ort-dynamic": ("ort-dynamic", "stock ONNX Runtime, dynamic"),
}
"""Preset name -> (spelled recipe, what it is for)."""

_ASKED_FOR = frozenset({"qat", "distill", "cluster", "fp16", "bf16"})
"""Kinds of steps that learn for minutes, pay only once the file is packed, or only on some runtimes."""

DEFAULT_RECIPES: tuple[str, ...] = tuple(
    name
    for name, (steps, _) in PRESETS.items()
    if _ASKED_FOR.isdisjoint(step.split("-")[0] for step in steps.split("+"))
)
"""What `paredown run` tries when no recipes are named, in this order. The others are to be asked for."""


def default_recipes(policy: Policy) -> tuple[str, ...]:
    """Those of DEFAULT_RECIPES that can mean something on the runtime, and the floats that it computes in."""
    halves = [word for precision, word in HALVES.items() if precision in policy.computed]
    return tuple(name for name in (*halves, *DEFAULT_RECIPES) if not refusal(parse_recipe(name), policy))


def refusal(recipe: Recipe, policy: Policy) -> str:
    """Why the recipe means nothing on the runtime and what does instead, "" where it means something."""
    try:
        require_possible(recipe, policy)
    except UsageError as e:
        return str(e)
    return ""


STOCK = frozenset({"ort-static", "ort-dynamic"})
"""Kinds of steps that are somebody else's quantizer: shown as baselines."""


_AMOUNT = re.compile(r"([a-z-]*[a-z])(\d+(?:\.\d+)?)(-.*)?")  # "prune30-taylor": kind, amount, words


def parse_recipe(text: str) -> Recipe:
    """The recipe behind a preset's name, a spelled name ("w8a8-pc-mse+bc") or a TOML file.

    Presets may be parts of a spelled name: "prune30+int8-qat". The file says `recipe = "<spelled name>"`, or
    `steps = ["<step>", ...]`.

    Raises:
        UnknownName: a name that is neither, with a did-you-mean.
        UsageError: a step with a word it does not know, or one that could do nothing where it stands; a file
            that says something else.
    """
    recipe = _from_file(Path(text)) if text.endswith(".toml") else spelled(text)
    check_order(recipe)
    return recipe


def spelled(text: str) -> Recipe:
    """The recipe behind a name, its steps in whatever order. Raises as `parse_recipe`, orders left aside."""
    if text == "float":
        return Recipe()
    parts = [step for part in text.split("+") for step in PRESETS.get(part.strip(), (part,))[0].split("+")]
    return Recipe(tuple(_parse_step(part.strip(), text) for part in parts))


def _parse_step(text: str, whole: str) -> Step:
    kinds = [k for k in STEPS if text == k or text.startswith(f"{k}-")]
    if kinds:
        kind = max(kinds, key=len)
        words = text[len(kind) + 1 :].split("-") if len(text) > len(kind) else []
        return STEPS[kind][0].parse(words)
    found = _AMOUNT.fullmatch(text)
    step = STEPS[found[1]][0] if found and found[1] in STEPS else None
    if found is None or step is None or not step.amount:
        raise UnknownName("recipe" if text == whole else "step", text, {*PRESETS, *STEPS, "float"})
    return step.parse([f"{step.amount}{found[2]}", *(found[3].split("-")[1:] if found[3] else [])])


def _from_file(path: Path) -> Recipe:
    table = read_toml(path, what="the recipe", error=UsageError)
    steps = table.get("steps", [table["recipe"]] if "recipe" in table else None)
    if (
        set(table) - {"steps", "recipe", "name"}
        or not isinstance(steps, list)
        or not steps
        or not all(isinstance(s, str) and not s.endswith(".toml") for s in steps)
    ):
        raise UsageError(
            f"{path} is no recipe",
            got=", ".join(table) or "nothing",
            expected='recipe = "..." or steps = ["...", ...]',
        )
    return spelled("+".join(steps))
