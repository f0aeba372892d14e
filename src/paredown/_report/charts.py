"""The sections made of plots."""

from __future__ import annotations

from itertools import accumulate

from paredown._report import details, disagreement, evidence, per_class, plots, sizes
from paredown._report import trade_off as scatter
from paredown._report.evidence import Row
from paredown._report.html import Child, Html, nothing, section, tag
from paredown._report.plots import Figure
from paredown._report.story import Story
from paredown.metrics import title_of
from paredown.quantities import QUANTITIES
from paredown.tasks import TASKS

FALLING = (
    "{0} at or above a confidence, over all images, measured. A model whose line falls early lost its "
    "certainty, {1}."
)
PRECISION = "Precision at each recall, mean over the classes, measured; COCO's curve at IoU 0.5."
F1 = (
    "F1 of all classes together when detections below a confidence are not shown, measured. A model whose "
    "peak lies further left wants a lower threshold than float."
)
PER_BIN = "{0} per bin of confidence, over all images, measured. A gap is a bin without any."
LATENCY = (
    "Every timed inference in its order, measured. A rising line is a machine that heats up; single peaks "
    "are other processes."
)
POWER = "Power while energy was measured: the machine at rest first, then the model and float in turns."
MEMORY = "Resident memory of the process after every timed inference, measured."


def _figures(figures: list[Figure | None], empty: str) -> Child:
    """Those that exist, two beside each other where there is room; the words where none does."""
    drawn = [plots.draw(f) for f in figures if f is not None]
    return tag("div", drawn, class_="two") if drawn else nothing(empty)


def trade_off(story: Story, rows: tuple[Row, ...]) -> Html:
    """Accuracy against latency, then latency, size and memory of every model."""
    figure = scatter.figure(rows, story.metric)
    missing = "Fewer than two trials have both accuracy and latency, so there is no trade-off to draw."
    return section(
        "trade-off",
        "Accuracy against latency",
        plots.draw(figure) if figure is not None else nothing(missing),
        _figures(
            [plots.bars(evidence.leading(rows, story.metric), kind) for kind in QUANTITIES.values()],
            "Neither latency nor size nor memory was measured.",
        ),
        _no_energy(rows),
    )


def _no_energy(rows: tuple[Row, ...]) -> Html | None:
    """Why there is no energy; None where there is, or where nobody asked."""
    reasons = [m.absent["energy"] for r in rows if (m := r.trial.measurement) and "energy" in m.absent]
    if not reasons or any(r.get("energy_j") is not None for r in rows):
        return None
    return nothing(f"Energy was not measured: {reasons[0]}.")


def accuracy(story: Story, rows: tuple[Row, ...]) -> Html:
    """The table of accuracy measures, per-class losses, and how sure each model is."""
    good = evidence.measured(rows)
    truth = (
        "."
        if story.dataset.has_truth
        else ": there is no truth, so this is not accuracy but agreement with the float model's own answers."
    )
    return section(
        "accuracy",
        "Accuracy in detail",
        details.accuracy_tables(good),
        tag("h3", "Per class"),
        *per_class.block(story, good),
        *sizes.block(rows),
        *_thresholds(good),
        *disagreement.block(story),
        tag("h3", "How sure the models are"),
        _figures(
            _confidence(good, story.model.task),
            "No confidences were recorded: not every kind of model has any.",
        ),
        lead=f"{title_of(story.metric)} on {story.dataset.images} images of {story.dataset.name}{truth}",
    )


def _thresholds(rows: tuple[Row, ...]) -> list[Child]:
    """Precision by recall and F1 by confidence, of detectors."""
    precision = [(r, r.curve("pr_recall"), r.curve("pr_precision")) for r in rows if r.curve("pr_precision")]
    f1 = [(r, r.curve("f1_confidence"), r.curve("f1")) for r in rows if r.curve("f1")]
    if not precision and not f1:
        return []
    figures = [
        plots.lines(precision, "plot-precision", ("recall", "precision, IoU 0.5"), PRECISION),
        plots.lines(f1, "plot-f1", ("confidence", "F1, IoU 0.5"), F1),
    ]
    return [tag("h3", "Precision, recall and confidence"), _figures(figures, "")]


def _confidence(rows: tuple[Row, ...], task: str) -> list[Figure | None]:
    """The number of detections, or images, at or above each confidence, and in each bin."""
    counted = [(r, c) for r in rows if any(c := r.curve("confidence_histogram"))]
    first = min(
        (i for _, c in counted for i, n in enumerate(c) if n), default=0
    )  # lower bins are not recorded
    falling, per_bin = [], []
    for row, counts in counted:
        bins = range(first, len(counts))
        at_or_above = list(accumulate(counts[::-1]))[::-1]
        falling.append((row, [i / len(counts) for i in bins], at_or_above[first:]))
        per_bin.append((row, [(i + 0.5) / len(counts) for i in bins], list(counts[first:])))
    words = TASKS[task].WORDS
    titles = ("confidence", f"{words.counted} at or above"), ("confidence", f"{words.counted} in bin")
    captions = FALLING.format(words.counting, words.held), PER_BIN.format(words.counted.capitalize())
    return [
        plots.lines(falling, "plot-confidence", titles[0], captions[0], log=True),
        plots.lines(per_bin, "plot-histogram", titles[1], captions[1], log=True),
    ]


def over_time(rows: tuple[Row, ...]) -> Html:
    """Latency of every timed inference in order, and memory over the life of the process."""
    timed = [
        (r, list(range(1, len(q.samples) + 1)), [s * 1e3 for s in q.samples])
        for r in rows
        if (q := r.timed("latency_s")) is not None and len(q.samples) > 1
    ]
    memory = [
        (r, r.curve("memory_time_s"), [b / 1e6 for b in r.curve("memory_bytes")])
        for r in rows
        if r.curve("memory_bytes") and len(r.curve("memory_time_s")) == len(r.curve("memory_bytes"))
    ]
    power = [(r, r.curve("power_time_s"), r.curve("power_w")) for r in rows if r.curve("power_w")]
    figures = [
        plots.lines(timed, "plot-latency-time", ("inference", "latency, ms"), LATENCY),
        plots.lines(memory, "plot-memory-time", ("time, s", "resident memory, MB"), MEMORY),
        plots.lines(power, "plot-power-time", ("time, s", "power, W"), POWER),
    ]
    return section("over-time", "Over time", _figures(figures, "No series over time was recorded."))
