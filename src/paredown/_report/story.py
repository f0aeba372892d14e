"""The noun `Story`: all that a report says, gathered before anything is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from paredown.analyze.kept import Kept
from paredown.endurance import Endurance
from paredown.graph.layers import Layers
from paredown.measurement import Trial
from paredown.study.best import Verdict
from paredown.study.choices import Choice
from paredown.study.limits import Limits


@dataclass(frozen=True)
class ModelFacts:
    """The float model. `inputs`: readable specs ("images float32 1x3x640x640"); `origins`: `Card.origin`."""

    name: str
    sha256: str
    size_bytes: int
    family: str
    task: str  # as the card says it
    inputs: tuple[str, ...] = ()
    origins: Mapping[str, str] = field(default_factory=dict)
    macs: int | None = None
    weights: int | None = None
    peak_activation_bytes: int | None = None


@dataclass(frozen=True)
class DatasetFacts:
    """The images judged on, and where the calibration images came from (`calibration_how`: one sentence)."""

    name: str
    format: str
    images: int
    has_truth: bool
    calibration_images: int
    calibration_how: str
    boxes: int | None = None
    classes: int | None = None
    notes: tuple[str, ...] = ()
    judged_classes: tuple[str, ...] = ()
    digest: str = ""  # of the images: two sets of one name may differ; "" where it is not known


@dataclass(frozen=True)
class Picture:
    """One image with the float model's answer and with the compressed model's, both as JPEG bytes."""

    name: str
    why: str  # "3 of 11 boxes missed, 1 new"
    float_jpeg: bytes = field(repr=False)
    other_jpeg: bytes = field(repr=False)
    truth: bool = False  # whether the truth is drawn too


@dataclass(frozen=True)
class Elsewhere:
    """Trials of another machine or runtime, which are shown and not ranked. differs: from then to now."""

    trials: tuple[Trial, ...]
    differs: tuple[str, ...] = ()


@dataclass(frozen=True)
class NodeSeconds:
    """What each node of a model took in the runtime's own profile; `unmapped_s` belongs to no node."""

    seconds: Mapping[str, float]
    unmapped_s: float = 0.0


@dataclass(frozen=True)
class NodeTimings:
    """Node times by `Trial.key`, all of one machine (`environment`); `why` says why there are none."""

    models: Mapping[str, NodeSeconds] = field(default_factory=dict)
    environment: Mapping[str, object] = field(default_factory=dict)
    why: str = "the nodes were not timed one by one"


@dataclass(frozen=True)
class Story:
    """One study, read. `trials[0]` is the float model; `metric` is the quantity that "accuracy" means here.

    `layers`: by `Trial.key`, of the models whose files could be read. `stock`: recipes that are other tools'
    defaults, shown for comparison. `classes`: the card's class names, in the order of the per-class curves.
    `pictures_of`: label of the model on the right of the pictures.
    """

    title: str
    model: ModelFacts
    dataset: DatasetFacts
    limits: Limits
    verdict: Verdict | None  # None before the float model was measured
    trials: tuple[Trial, ...]
    metric: str  # "map50_95", "top1", "fidelity_map50_95", ...
    command: str
    environment: Mapping[str, object]
    classes: tuple[str, ...] = ()
    stock: tuple[str, ...] = ()
    pictures: tuple[Picture, ...] = ()
    pictures_of: str = ""
    doubts: tuple[str, ...] = ()
    elsewhere: tuple[Elsewhere, ...] = ()
    layers: Mapping[str, Layers] = field(default_factory=dict)
    layers_for: str = ""  # label of the model whose layers are drawn; "" for the recommended one
    node_times: NodeTimings = field(default_factory=NodeTimings)
    endurance: Mapping[str, Endurance] = field(default_factory=dict)  # by the name it was kept under
    left_out: tuple[Choice, ...] = ()  # what a search over several runtimes did not do
    directory: Path | None = None  # of the study: where the trials' model files lie
    finished: bool = True
    to_come: tuple[str, ...] = ()  # labels of recipes without a trial yet
    kept: Mapping[str, Kept] = field(default_factory=dict, repr=False)  # by `Trial.key`, for comparisons
    fps: float | None = None  # the frame rate that a model must keep up with
    weights: Mapping[str, float] = field(default_factory=dict)  # of the ranking; empty: all the same
    made_on: str = ""  # ISO date and time, given by the caller: rendering asks no clock

    @property
    def best(self) -> str:
        """The key of the recommended model's trial; "" where nothing can be recommended yet."""
        return "" if self.verdict is None else self.verdict.best.key
