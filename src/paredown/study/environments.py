"""Which trials may stand in one ranking: those taken on one machine with one runtime.

A latency of another processor, or an accuracy that other kernels gave, says nothing beside one taken here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from paredown.measurement import Trial
from paredown.study.fingerprints import digest
from paredown.targets.target import Target

Facts = Mapping[str, object]
Versions = Mapping[str, str]
NONE: Versions = {}

HARDWARE = {
    "cpu": "CPU",
    "board": "board",
    "arch": "architecture",
    "instruction_sets": "instruction sets",
    "cores_physical": "physical cores",
    "cores_logical": "logical cores",
    "cores_usable": "usable cores",
    "threads": "threads",
    "governor": "frequency governor",
    "virtualization": "virtualization",
}
"""Fact of an environment that moves a latency or picks a kernel -> how it is called. Not among them: the
kernel, the memory and the date, which change on one machine from day to day."""

PACKAGES = ("onnxruntime", "paredown", "numpy", "opencv-python-headless", "faster-coco-eval")
"""Packages that compute something a trial reports, whatever runtime it is of."""

OF_RUNTIME = {
    "openvino": ("openvino",),
    "litert": ("ai-edge-litert",),
    "ncnn": ("ncnn", "pnnx"),
    "tensorrt": ("tensorrt",),
}
"""Runtime -> the packages that compute or build what trials of it report, and of no other runtime."""

_MAKING = ("CPU", "architecture", "instruction sets", "threads", "paredown")
_RUNTIME_MAKES = ("mix", "ort-")  # kinds of steps that ask the runtime how to make a model
_TIMED = "timed"  # the word of a step that asks its clock


class TrialKey(NamedTuple):
    """What makes two trials the same one, repeated. Not the input size: a study has one, in its card."""

    recipe: str
    source_sha256: str
    target: str
    seed: int
    runtime: str = "onnxruntime"
    host: str = "local"


@dataclass(frozen=True)
class Apart:
    """Trials of one other environment. differs: "onnxruntime 1.31.1 -> 1.32.0", then to now, one each."""

    trials: tuple[Trial, ...]
    environment: Facts
    differs: tuple[str, ...] = ()


def identity(facts: Facts) -> dict[str, str]:
    """What an environment is told apart by, as text by name."""
    found = {name: facts[fact] for fact, name in HARDWARE.items() if fact in facts}
    packages = facts.get("packages")
    if isinstance(packages, Mapping):
        found |= {name: packages[name] for name in PACKAGES if name in packages}
    return {name: _text(value) for name, value in found.items()}


def runtime_versions(facts: Facts, runtime: str = "") -> dict[str, str]:
    """Version by package of those that belong to one runtime alone: of this one, "" for every one."""
    packages = facts.get("packages")
    if not isinstance(packages, Mapping):
        return {}
    wanted = OF_RUNTIME.get(runtime, ()) if runtime else [p for found in OF_RUNTIME.values() for p in found]
    return {name: str(packages[name]) for name in wanted if name in packages}


def environment_key(facts: Facts) -> str:
    """The same text for the same environment, another for another."""
    return digest((json.dumps(identity(facts), sort_keys=True),))


def differences(before: Facts, now: Facts, known: Versions = NONE) -> tuple[str, ...]:
    """What is not the same in two environments, in words. known: versions of runtimes now that go before."""
    old, new = identity(before), identity(now)
    names = [*HARDWARE.values(), *PACKAGES]
    found = [
        f"{name} {old.get(name, 'not known')} -> {new.get(name, 'not known')}"
        for name in names
        if old.get(name) != new.get(name)
    ]
    then, versions = runtime_versions(before), {**runtime_versions(now), **known}
    return (*found, *(f"{n} {v} -> {versions[n]}" for n, v in then.items() if versions.get(n, v) != v))


def may_reuse(trial: Trial, now: Facts) -> bool:
    """Whether the model of a trial taken elsewhere is the one that its recipe would make here.

    What a recipe makes depends on the device's instructions and on this package; where it asks the runtime
    (its node times, its own quantizer), on that as well.
    """
    if trial.measurement is None:
        return False
    old, new = identity(trial.measurement.environment), identity(now)
    steps = trial.recipe.split("+")
    asks = any(step.startswith(_RUNTIME_MAKES) or _TIMED in step.split("-") for step in steps)
    names = (*_MAKING, *(("onnxruntime",) if asks else ()))
    same = all(old.get(name) == new.get(name) for name in names)
    return same and not (asks and _other_runtime(trial, runtime_versions(now)))


def asks_runtime(recipe: str, target: Target) -> bool:
    """Whether what the recipe makes depends on more of the runtime than its policy: on its times, or on what
    judges in it."""
    steps = [step.split("-") for step in recipe.split("+")]
    timed = any(_TIMED in words for words in steps) and target.time_nodes() is not None
    return timed or any(words[0].startswith("mix") for words in steps)


def trial_key(trial: Trial) -> TrialKey:
    """The key of a trial."""
    return TrialKey(trial.recipe, trial.source_sha256, trial.target, trial.seed, trial.runtime, trial.host)


def latest_key(trials: Sequence[Trial]) -> str:
    """The environment of the last trial that was measured; "" where none was."""
    measured = (t.measurement for t in reversed(trials) if t.measurement is not None)
    return next((environment_key(m.environment) for m in measured), "")


def ranked(trials: Sequence[Trial], key: str, versions: Versions = NONE) -> tuple[Trial, ...]:
    """Of all trials, oldest first, those of the environment `key` and those that failed; each once, the last.

    versions: of the runtimes' packages there, as far as known. A trial that failed gives way to one that was
    measured, whenever that was.
    """
    kept: dict[TrialKey, Trial] = {}
    for trial in trials:
        before = kept.get(trial_key(trial))
        if trial.measurement is None:
            if before is None or before.measurement is None:
                kept[trial_key(trial)] = trial
        elif environment_key(trial.measurement.environment) == key and not _other_runtime(trial, versions):
            if before is not None and before.measurement is None:
                del kept[trial_key(trial)]  # its place in the order is that of the measured one
            kept[trial_key(trial)] = trial
    return tuple(kept.values())


def _other_runtime(trial: Trial, versions: Versions) -> bool:
    """Whether the trial's own runtime computed it in another version."""
    if trial.measurement is None:
        return False
    then = runtime_versions(trial.measurement.environment, trial.runtime)
    return any(versions.get(name, version) != version for name, version in then.items())


def set_apart(
    trials: Sequence[Trial], key: str, now: Facts | None = None, versions: Versions = NONE
) -> tuple[Apart, ...]:
    """The trials measured in other environments than `key`, by environment; each once, the last.

    now: the facts of the environment `key`, where no trial of it tells them yet. versions: see `ranked`.
    """
    groups: dict[tuple[str, ...], dict[TrialKey, Trial]] = {}
    for trial in trials:
        if trial.measurement is None:
            continue
        facts = trial.measurement.environment
        other, own = environment_key(facts), runtime_versions(facts, trial.runtime)
        if other == key and not _other_runtime(trial, versions):
            now = facts
        else:
            groups.setdefault((other, *own.values()), {})[trial_key(trial)] = trial
    found = []
    for group in groups.values():
        last = tuple(group.values())
        facts = last[-1].measurement.environment if last[-1].measurement is not None else {}
        found.append(Apart(last, facts, () if now is None else differences(facts, now, versions)))
    return tuple(found)


def unmatched(others: Sequence[Apart], here: Sequence[Trial]) -> tuple[Apart, ...]:
    """The other environments, with those trials only that were not measured here."""
    done = {trial_key(t) for t in here if t.measurement is not None}
    left = (replace(a, trials=tuple(t for t in a.trials if trial_key(t) not in done)) for a in others)
    return tuple(a for a in left if a.trials)


def _text(value: object) -> str:
    if isinstance(value, list | tuple):
        return " ".join(str(v) for v in value) or "none"
    return str(value)
