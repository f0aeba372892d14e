"""What a resumed study keeps, and what it does about trials of other machines or runtimes: it names them and
measures them again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from paredown._compress.presets import parse_recipe
from paredown._compress.recipe import Recipe
from paredown.analyze.against_float import FLOAT
from paredown.errors import ParedownError
from paredown.measurement import Trial
from paredown.model import Model
from paredown.study.environments import Apart, Facts, TrialKey, may_reuse, trial_key
from paredown.study.pairs import Pair
from paredown.study.store import Store, model_of


def kept_before(pair: Pair, store: Store) -> Trial | None:
    """What stands on the disk of the pair and need not be repeated; None where it is still to be tried."""
    return store.finished(pair.work.key(pair.recipe.name))


def apart_notes(others: Sequence[Apart], keep_other: bool) -> tuple[str, ...]:
    """A sentence for each other environment: how many trials, what differs, what becomes of them."""
    fate = "kept apart and not ranked" if keep_other else "not ranked with new ones, to be measured again"
    return tuple(f"{_trials(len(a.trials))} of another environment ({_what(a)}): {fate}" for a in others)


def measured_elsewhere(
    others: Sequence[Apart], here: Sequence[Trial], wanted: Mapping[str, Recipe], runtime: str
) -> dict[str, Recipe]:
    """The recipes by label that were measured in another environment, in this runtime, and that nobody asked
    for anew."""
    here = [t for t in here if t.runtime == runtime]
    done = {t.recipe for t in here if t.measurement is not None} | {r.name for r in wanted.values()} | {FLOAT}
    found: dict[str, Recipe] = {}
    found_there = (t for a in others for t in a.trials if t.runtime == runtime and t.recipe not in done)
    for trial in found_there:
        try:
            found[trial.label] = parse_recipe(trial.recipe)
        except ParedownError:  # a recipe of another version of this package: its trial stays apart
            continue
    return found


def made_before(store: Store, key: TrialKey, now: Facts) -> tuple[Trial, Model] | None:
    """The trial of another environment whose model its recipe would make here too, and that model."""
    for trial in (t for a in store.apart(now) for t in a.trials if trial_key(t) == key):
        if may_reuse(trial, now):
            try:
                return trial, model_of(store.directory, trial)
            except ParedownError:  # the file is gone or another: it is made anew
                continue
    return None


def _what(other: Apart) -> str:
    return "; ".join(other.differs) or "unknown"


def _trials(n: int) -> str:
    return "1 trial" if n == 1 else f"{n} trials"
