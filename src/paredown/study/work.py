"""The noun `Work`: one study, ready to start, and what of it decides the meaning of a number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from paredown._compress.kept import Kept
from paredown._compress.recipe import Recipe
from paredown._compress.size import at_recipe_size
from paredown.data.calibration_split import Images
from paredown.measurement import Trial
from paredown.model import Model
from paredown.protocols import Progress, silent
from paredown.sample import Dataset
from paredown.study.bench import Bench
from paredown.study.environments import TrialKey
from paredown.study.fingerprints import RULES, digest, images_digest, truth_digest
from paredown.study.options import Options
from paredown.study.private import Hide
from paredown.targets import Target

Say = Callable[[str], None]


def quiet(text: str) -> None:
    """The Say that says nothing."""


@dataclass(frozen=True)
class Work:
    """One study, ready to start. `model`: the float baseline as loaded; `prepared`: recipes start from it.

    hide: what takes the paths of this machine out of a text that is written (`private.py`).
    kept: what recipes found out on the calibration images, for those that come later.
    """

    model: Model
    prepared: Model
    images: Images
    bench: Bench
    options: Options
    progress: Progress = silent
    say: Say = quiet
    hide: Hide = str
    kept: Kept = field(default_factory=Kept, repr=False, compare=False)

    def settings(self) -> dict[str, object]:
        """What decides the meaning of a number. A directory holds trials of one such setting only."""
        options, card, where = self.options, self.bench.card, self.bench.usual
        unlabelled = self.images.learn_from
        return {
            "model_sha256": self.model.sha256,
            "card": digest((repr((card.family, card.preprocess, card.classes, card.iou, card.decode)),)),
            "judged_on": images_digest(self.images.judged),
            "truth": truth_digest(self.images.judged),
            "rules": RULES.get(card.task),
            "calibrated_on": images_digest(self.images.calibration),
            "learned_from": None if unlabelled is None else images_digest(unlabelled),
            "target": where.name,
            "host": None if where.is_this_machine else where.host.name,
            "accuracy_on": None if where.is_this_machine else options.accuracy_on,
            "profile": digest((repr(where.device),)) if where.own_file else None,
            "threads": options.threads,
            "keep_float": list(options.keep_float),
            "seed": options.seed,
            "power_model": list(options.power_model) or None,
            "classes": list(options.classes) or None,
            "conf": options.conf,
        }

    def key(self, recipe: str) -> TrialKey:
        """What tells the trial of that recipe from others."""
        where = self.bench.target
        return TrialKey(
            recipe,
            self.model.sha256,
            where.name,
            self.options.seed,
            where.runtime,
            where.host.name,
        )

    def trial(self, recipe: str, label: str) -> Trial:
        """A trial of that recipe of which nothing is known yet."""
        key = self.key(recipe)
        return Trial(
            recipe,
            label,
            key.source_sha256,
            model_file=None,
            target=key.target,
            seed=key.seed,
            measurement=None,
            model=self.model.name,
            runtime=key.runtime,
            size=self.bench.card.preprocess.size,
            host=key.host,
        )

    def at(self, place: Target) -> Work:
        """The work on models for another runtime of the same device."""
        return replace(self, bench=self.bench.at(place))

    def label(self, recipe: str) -> str:
        """What tables show of a recipe's label here, with the place where that is not the usual one:
        "int8@openvino"."""
        here, usual = self.bench.target, self.bench.usual
        pairs = ((here.runtime, usual.runtime), (here.host.name, usual.host.name))
        return "@".join([recipe, *(mine for mine, its in pairs if mine != its)])

    def sized_for(self, recipe: Recipe) -> Work:
        """The work on one recipe: model, images and card at the input size that it asks for.

        Raises UnsupportedModel with the node where the model cannot be proved right at that size.
        """
        prepared = at_recipe_size(self.prepared.with_card(self.bench.card), recipe)
        if prepared.card is None or prepared.card == self.bench.card:
            return self
        return replace(self, prepared=prepared, bench=self.bench.fed_by(prepared.card))

    def calibrated_on(self, images: Dataset) -> Work:
        """The same work with other calibration images: nothing that was found out on these holds there."""
        return replace(self, images=replace(self.images, calibration=images), kept=Kept())

    def sendable(self) -> Work:
        """The same work without those who watch it here: it pickles, for another process."""
        return replace(self, progress=silent, say=quiet, kept=Kept())
