"""What every model of a study is judged on: the same images, card, target and rounds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

from paredown._compress.compress import RECIPE_KEY
from paredown._compress.pack import pdz
from paredown._measure.accuracy import Predicted, accuracy, predict_timed
from paredown._measure.energy.energy import measure_energy
from paredown._measure.energy.energy_of import accuracy_per_joule, estimated_energy
from paredown._measure.energy.power import PowerFrom
from paredown._measure.environment import environment
from paredown._measure.prompted import fed_for, opened
from paredown._measure.reference import check_reference
from paredown._measure.scope import Chosen, said_of
from paredown._measure.there import session_on_host
from paredown._measure.timing.interleaved import TimingPlan
from paredown._measure.timing.latency import measure_latency
from paredown.analyze.against_float import UNJUDGED
from paredown.analyze.doubts import gain_doubts
from paredown.card import Card
from paredown.detections import Prediction
from paredown.hosts import open_host
from paredown.measurement import Doubt, Measurement, Quantity, Readings
from paredown.metrics import kind_of
from paredown.model import Model, TensorSpec
from paredown.preprocessing.feeds import feed
from paredown.protocols import Feeds, Progress, Session, silent
from paredown.quantities import How
from paredown.sample import Dataset
from paredown.targets import Target

WHAT = ("map", "latency", "memory", "energy")
PACKED = ("sparse", "cluster")  # steps that pay once the file is packed
LATENCY = frozenset({"latency", "memory"})  # what a timed process gives
TIMED = LATENCY | {"energy"}  # what has to be taken on the device itself
_JUDGED = frozenset({"target", "gain"})  # kinds of doubts about the answers; the others are about times
_TIMED_CURVES = ("latency_s", "memory_bytes", "memory_time_s")


@dataclass(frozen=True)
class Bench:
    """`judged` is in the card's class indices. threads: 0 is the target's own choice.

    float_card, float_target: how the float model is fed and where it runs, where that is not as the others.
    power: where watts come from. answers_here: models answer for their accuracy on this machine, whatever the
    target's host is. classes: those that count; empty for all. timing_s: how long each model is timed at
    least, where that was said.
    """

    card: Card
    judged: Dataset
    target: Target
    threads: int = 0
    float_card: Card | None = None
    float_target: Target | None = None
    power: PowerFrom = field(default_factory=PowerFrom)
    answers_here: bool = False
    classes: Chosen = ()
    timing_s: float | None = None

    def fed_by(self, card: Card) -> Bench:
        """The same bench for models that are fed by another card than the float model."""
        return replace(self, card=card, float_card=self.float_card or self.card)

    def at(self, place: Target) -> Bench:
        """The same bench for models in another runtime; float, timed beside them, stays where it is."""
        return replace(self, target=place, float_target=self.usual)

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes that count, where not all do."""
        return tuple(self.card.classes[i] for i in self.classes)

    @property
    def usual(self) -> Target:
        """Where the float model runs that all are compared with."""
        return self.float_target or self.target

    def predict(self, model: Model, progress: Progress = silent) -> Predicted:
        """What the model says about each judged image."""
        with self._session(model) as session:
            return self._predicted(session, progress)

    def ask_reference(self, model: Model, progress: Progress = silent) -> Predicted:
        """What the float model says about each judged image. Raises CardError where that is no reference."""
        with self._session(model) as session:
            predicted = self._predicted(session, progress)
            check_reference(predicted.predictions, self.judged, self.card, session)
        return predicted

    def _session(self, model: Model) -> AbstractContextManager[Session]:
        if self.answers_here or self.target.is_this_machine:
            plain = partial(self.target.compile, threads=self.threads)
            return nullcontext(opened(model, self.card, plain))
        return session_on_host(self.target, model.data, self.threads)

    def _predicted(self, session: Session, progress: Progress) -> Predicted:
        """With the seconds of each stage where all of them run on the host, which is this machine then."""
        predicted = predict_timed(session, self.card, self.judged, progress=progress)
        said = said_of(predicted.predictions, self.classes)
        if self.target.is_this_machine:
            return replace(predicted, predictions=said)
        return Predicted(said, (), (), ())

    def judge(
        self, model: Model, predicted: Predicted | None, reference: list[Prediction] | None
    ) -> Readings:
        """The model's size and, of what it predicted, its accuracy.

        `predicted` None: no accuracy. `reference`: what the float model says; the same list as
        `predicted.predictions` where this is the float model.
        """
        how: How = "simulated" if self.target.simulated else "measured"
        size = self._shipped_bytes(model)
        quantities = [Quantity.listed("size_bytes", size, how=how), *_packed(model)]
        doubts = tuple(Doubt("target", text) for text in (*self.target.doubts, *self._elsewhere()))
        if predicted is None:
            return Readings(tuple(quantities), doubts=doubts)
        started = monotonic()
        found, curves = accuracy(predicted.predictions, self.judged, self.card, reference)
        if self.target.simulated:
            quantities += (replace(q, how="simulated") for q in found)
        else:
            quantities += (*found, *predicted.quantities)
        seconds = {"accuracy": monotonic() - started}
        return Readings(tuple(quantities), curves, (*doubts, *gain_doubts(found)), seconds)

    def _elsewhere(self) -> tuple[str, ...]:
        """That the models did not answer on the target's host, in words."""
        if not self.answers_here or self.target.is_this_machine:
            return ()
        machine = open_host().facts()
        return (f"accuracy was computed on another machine ({machine.cpu or machine.arch}) than latency",)

    def _shipped_bytes(self, model: Model) -> int:
        """Of what the target's runtime opens: the ONNX file, or what is made of it."""
        with TemporaryDirectory(prefix="paredown-") as folder:
            return self.target.build(model.data, Path(folder)).size_bytes

    def time(
        self,
        model: Model,
        file: Path,
        baseline: Path,
        progress: Progress = silent,
        *,
        what: Sequence[str] = WHAT,
        plan: TimingPlan | None = None,
    ) -> Readings:
        """The model's latency, memory and energy, of the target alone: nothing else may run on its host then.

        file: the model's. baseline: the float model's, timed in turns with it. plan: how long; None: as long
        as a figure takes. Nothing where this is not the target.
        """
        if not (TIMED & set(what) and self.target.can_time):
            return Readings()
        estimated = "energy" in what and bool(self.power.model)
        if plan is None and self.timing_s is not None:
            plan = TimingPlan(min_seconds=self.timing_s)
        timed = energy = Readings()
        if LATENCY & set(what) or estimated:
            timed = self._latency(model, file, baseline, progress, plan)
        if estimated:
            cores = self.target.host.facts().cores_logical or 1
            energy = estimated_energy(timed.quantities, self.power.model, cores)
        elif "energy" in what:
            energy = self._energy(model, file, baseline, progress)
        wanted = tuple(q for q in timed.quantities if kind_of(q.name).what in what)
        return Readings(
            (*wanted, *energy.quantities),
            {**timed.curves, **energy.curves},
            (*timed.doubts, *energy.doubts),
            {**timed.seconds, **energy.seconds},
            energy.absent,
        )

    def _latency(
        self, model: Model, file: Path, baseline: Path, progress: Progress, plan: TimingPlan | None
    ) -> Readings:
        started = monotonic()
        found, curves, doubts = measure_latency(
            file,
            baseline,
            self.target,
            self._feeds(model, self.card),
            baseline_place=self.usual,
            baseline_feeds=self._feeds(model, self.float_card or self.card),
            threads=self.threads,
            plan=plan,
            progress=progress,
        )
        return Readings(found, curves, doubts, {"latency": monotonic() - started})

    def _energy(self, model: Model, file: Path, baseline: Path, progress: Progress) -> Readings:
        started = monotonic()
        found = measure_energy(
            file,
            baseline,
            self.target,
            self._feeds(model, self.card),
            baseline_place=self.usual,
            baseline_feeds=self._feeds(model, self.float_card or self.card),
            threads=self.threads,
            power=self.power,
            progress=progress,
        )
        return replace(found, seconds={"energy": monotonic() - started})

    def measurement(self, model: Model, *parts: Readings) -> Measurement:
        """What the parts say of the model together, in the surroundings of now."""
        quantities = tuple(q for part in parts for q in part.quantities)
        return Measurement(
            model.sha256,
            self.target.name,
            self.environment(),
            (*quantities, *accuracy_per_joule(quantities)),
            {name: curve for part in parts for name, curve in part.curves.items()},
            tuple(doubt for part in parts for doubt in part.doubts),
            {what: why for part in parts for what, why in part.absent.items()},
        )

    def environment(self) -> Mapping[str, object]:
        """The surroundings of what is measured here and now; the runtime too, where it is not the usual."""
        found = dict(environment(self.target.host, self.usual.used_threads(self.threads)))
        if self.target.runtime != self.usual.runtime:
            found["runtime"] = f"{self.target.runtime} {self.target.version()}"
        if not self.target.is_this_machine:
            found["accuracy_on"] = "another machine" if self.answers_here else "the host"
        return found

    def feeds(self, model: Model) -> Feeds:
        """The first judged image as the model's inputs."""
        return self._feeds(model, self.card)

    def _feeds(self, model: Model, card: Card) -> Feeds:
        return feed(self.judged[0].read(), card.preprocess, model.inputs)[0]


def split(measured: Measurement | None) -> tuple[Readings, Readings]:
    """What was judged of the model, and what was timed."""
    if measured is None:
        return Readings(), Readings()
    timed = [kind_of(q.name).what in TIMED for q in measured.quantities]
    curves: dict[bool, dict[str, tuple[float, ...]]] = {True: {}, False: {}}
    for name, curve in measured.curves.items():
        curves[name.endswith(_TIMED_CURVES)][name] = curve
    parts = [
        Readings(
            tuple(q for q, its in zip(measured.quantities, timed, strict=True) if its == of_time),
            curves[of_time],
            tuple(d for d in measured.doubts if d.kind != UNJUDGED and (d.kind not in _JUDGED) == of_time),
        )
        for of_time in (False, True)
    ]
    return parts[0], parts[1]


def _packed(model: Model) -> list[Quantity]:
    """The size as a .pdz file, of models that were made to be packed."""
    steps = model.metadata.get(RECIPE_KEY, "").split("+")
    if not any(step.startswith(PACKED) for step in steps):
        return []
    return [Quantity.listed("packed_bytes", len(pdz.pack(model.data)))]


@dataclass(frozen=True)
class FedImages:
    """What a model with these inputs is fed for the images, one by one; may be gone through again."""

    images: Dataset
    card: Card
    inputs: tuple[TensorSpec, ...]

    def __len__(self) -> int:
        return len(self.images)

    def __iter__(self) -> Iterator[Feeds]:
        for number, sample in enumerate(self.images):
            feeds, frame = feed(sample.read(), self.card.preprocess, self.inputs)
            yield fed_for(feeds, self.card, frame, sample, number)
