"""A study that never ran, with figures of a believable shape, to draw reports from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import cv2
import numpy as np

from paredown._report import DatasetFacts, ModelFacts, Picture, Story
from paredown._report.story import NodeSeconds, NodeTimings
from paredown.graph.layers import Layer, Layers
from paredown.measurement import Doubt, Measurement, Quantity, StepRecord, Trial
from paredown.study.best import Verdict
from paredown.study.choices import Choice
from paredown.study.limits import Limits

CLASSES = ("person", "car", "bicycle", "dog", "truck", "bus", "traffic light", "backpack", "umbrella", "cup")
TABLE = [  # recipe, label, mAP, latency ms, ratio, MB, peak MB, CPU %
    ("float", "float", 0.4144, 62.1, 1.0, 12.8, 214.0, 99.1),
    ("w8a8-pc-mse+bc", "int8", 0.4104, 30.4, 0.49, 3.5, 151.0, 99.0),
    ("w8a8-pc-minmax", "int8-minmax", 0.4021, 30.1, 0.485, 3.5, 150.2, 99.2),
    ("w8a8-pt-mse", "int8-per-tensor", 0.3652, 29.8, 0.48, 3.5, 149.0, 98.7),
    ("w8", "int8-weights", 0.4139, 61.8, 0.995, 3.6, 214.0, 99.0),
    ("w8ad", "int8-dynamic", 0.4127, 91.2, 1.47, 3.5, 190.0, 99.4),
    ("ort-dynamic", "ort-dynamic", 0.4101, 132.0, 2.12, 3.4, 201.0, 99.3),
    ("ort-static", "ort-static", 0.0, 31.2, 0.50, 3.4, 152.0, 99.0),
]


def story(**changed: object) -> Story:
    rng = np.random.default_rng(0)
    trials = [_trial(rng, *line) for line in TABLE]
    trials.append(
        Trial(
            "w4",
            "int4",
            "ab" * 32,
            None,
            "local",
            0,
            None,
            error="ORT refused the model: <no kernel> for int4 & up",
        )
    )
    made = Story(
        title="yolov8n on local",
        model=ModelFacts(
            "yolov8n.onnx", "9bd1e157" * 8, 12_800_000, "yolov8", "detect", ("images float32 1x3x640x640",),
            {"family": "output shape (1, 84, 8400)", "classes": "metadata"},
            4_370_000_000, 3_151_904, 19_660_800,
        ),
        dataset=DatasetFacts(
            "coco_eval", "coco", 197, True, 100,
            "100 of 206 images of coco_calib, drawn with seed 0; none of them is judged on.", 1610, 80,
            ("2 boxes stood partly outside their image and were clipped.",),
        ),
        limits=Limits(max_drop=0.5),
        verdict=verdict(
            trials,
            "w8a8-pc-mse+bc",
            ("Fastest of the models that lose at most 0.50 points.", "ort-static finds nothing at all."),
            {"float": "reference", "ort-static": "loses more than 0.5", "ort-dynamic": "slower than float",
             "w8a8-pt-mse": "loses more than 0.5", "w8ad": "slower than float", "w8": "not faster"},
        ),
        trials=tuple(trials),
        metric="map50_95",
        command="paredown run yolov8n.onnx --data coco_eval --calib coco_calib --max-drop 0.5 --out runs/y8",
        environment={
            "cpu": "Cortex-A76", "cores_physical": 4, "packages": {"onnxruntime": "1.31.1"},
            "memory_bytes": 8e9,
            "instruction_sets": ["asimd", "dotprod"], "governor": "performance", "frequency_max_mhz": 2400.0,
        },
        classes=CLASSES,
        stock=("ort-static", "ort-dynamic"),
        pictures=(_picture("000000000139.jpg", rng), _picture("000000000285.jpg", rng)),
        pictures_of="int8",
        doubts=("The frequency governor was not “performance” for the whole run.",),
        made_on="2026-11-21 05:00 UTC",
    )  # fmt: skip
    return replace(made, **changed)  # type: ignore[arg-type]


def verdict(
    trials: Sequence[Trial],
    recipe: str,
    reasons: tuple[str, ...] = (),
    remarks: Mapping[str, str] | None = None,
    gate_met: bool = True,
) -> Verdict:
    best, baseline = (next(t for t in trials if t.recipe == name) for name in (recipe, "float"))
    return Verdict(best, baseline, gate_met, f"Use {best.label}", reasons, remarks or {})


def _trial(rng: np.random.Generator, recipe: str, label: str, ap: float, *figures: float) -> Trial:
    latency_ms, ratio, mb, peak_mb, cpu = figures
    samples = tuple(latency_ms / 1e3 * (1 + 0.02 * rng.standard_normal(300) + 0.3 * (rng.random(300) > 0.99)))
    drop = 100 * (0.4144 - ap)
    quantities = [
        Quantity(
            "map50_95", ap, "", "higher", low=max(0, ap - 0.02), high=ap + 0.02, ci="bootstrap over images"
        ),
        Quantity("map50", ap * 1.4, "", "higher"),
        Quantity("ap_small", ap * 0.5, "", "higher"),
        Quantity("ap_medium", ap * 1.1, "", "higher"),
        Quantity("ap_large", ap * 1.3, "", "higher"),
        Quantity("miss_rate", 0.03 + drop / 100, "", "lower"),
        Quantity("precision", 0.7, "", "higher"),
        Quantity("recall", 0.6, "", "higher"),
        Quantity.listed("latency_s", samples=samples, low=latency_ms * 0.98e-3, high=latency_ms * 1.02e-3),
        Quantity("float_latency_s", latency_ms / ratio / 1e3, "s", "lower"),
        Quantity("latency_ratio", ratio, "ratio", "lower", "derived", low=ratio * 0.98, high=ratio * 1.02),
        Quantity("size_bytes", mb * 1e6, "bytes", "lower"),
        Quantity("peak_memory_bytes", peak_mb * 1e6, "bytes", "lower"),
        Quantity("cpu_percent", cpu, "%", "neither"),
    ]
    if recipe != "float":
        quantities.append(Quantity("fidelity_map50_95", 0.99 - drop / 100, "", "higher"))
        quantities.append(Quantity("confidence_shift", -0.01 * drop, "", "neither", low=-0.02, high=0.0))
        quantities.append(
            Quantity("map50_95_drop", drop, "points", "lower", "derived", low=drop - 0.3, high=drop + 0.3)
        )
    shape = np.exp(-6 * np.linspace(0, 1, 40)) * 900 * (ap + 0.01) + 30 * np.exp(
        -((np.linspace(0, 1, 40) - 0.85) ** 2) / 0.01
    )
    curves = {
        "confidence_histogram": tuple(float(v) for v in np.round(shape)),
        "memory_time_s": tuple(float(v) for v in np.linspace(0, 9, 60)),
        "memory_bytes": tuple(float(v) for v in 1e6 * peak_mb * (1 - np.exp(-np.linspace(0.2, 9, 60)))),
        "ap_per_class": tuple(float(v) for v in np.clip(ap + 0.03 * rng.standard_normal(len(CLASSES)), 0, 1)),
    }
    doubts = (
        (Doubt("spread", "the rounds of the model differ by 12%", 0.12),) if label == "int8-dynamic" else ()
    )
    measurement = Measurement("cd" * 32, "local", {"cpu": "Cortex-A76"}, tuple(quantities), curves, doubts)
    log = () if recipe in ("float", "ort-static", "ort-dynamic") else _log()
    return Trial(recipe, label, "ab" * 32, f"models/{label}.onnx", "local", 0, measurement, log)


def _log() -> tuple[StepRecord, ...]:
    tail = [
        StepRecord("w8a8", f"/model.22/Mul_{i}", "float", "decode tail: box pixels and scores")
        for i in range(14)
    ]
    done = [
        StepRecord("w8a8", f"/model.{i}/conv/Conv", "quantized", "fuses to QLinearConv") for i in range(63)
    ]
    odd = [StepRecord("w8a8", "/model.22/dfl/conv/Conv", "float", "DFL: expectation over bins")]
    return (*done, *tail, *odd, StepRecord("bc", "", "skipped", "no convolution drifted by more than <1 %>"))


def _picture(name: str, rng: np.random.Generator) -> Picture:
    image = rng.integers(90, 160, (12, 16, 3), dtype=np.uint8)
    big = cv2.resize(image, (640, 480), interpolation=cv2.INTER_CUBIC)
    jpeg = cv2.imencode(".jpg", big)[1].tobytes()
    return Picture(name, "3 of 11 boxes missed, 1 new", jpeg, jpeg)


def with_quantities(told: Story, label: str, *quantities: Quantity) -> Story:
    """The story, one trial of it with these quantities in place of its own of the same names."""

    def changed(trial: Trial) -> Trial:
        if trial.label != label or trial.measurement is None:
            return trial
        names = {q.name for q in quantities}
        kept = (q for q in trial.measurement.quantities if q.name not in names)
        return replace(trial, measurement=replace(trial.measurement, quantities=(*kept, *quantities)))

    return replace(told, trials=tuple(changed(t) for t in told.trials))


def without_truth() -> Story:
    """The same study on images without truth: only the agreement with the float model is known."""
    told = story()
    against_truth = {"map50_95", "map50_95_drop", "map50", "ap_small", "ap_medium", "ap_large", "miss_rate"}
    trials = []
    for trial in told.trials:
        measured = trial.measurement
        if measured is not None:
            own = tuple(q for q in measured.quantities if q.name not in against_truth)
            if trial.recipe == "float":
                own += (Quantity("fidelity_map50_95", 1.0, "", "higher"),)
            trial = replace(trial, measurement=replace(measured, quantities=own))
        trials.append(trial)
    return replace(
        told,
        trials=tuple(trials),
        metric="fidelity_map50_95",
        dataset=replace(told.dataset, has_truth=False),
        limits=Limits(),
        verdict=replace(told.verdict, reasons=(), remarks={}),
    )


def with_layers(**changed: object) -> Story:
    """The study with layers of its recommended model: a chain with a skip, and a float tail."""
    made = story(**changed)
    recipe = made.best
    seconds = {f"/model.{i}/conv/Conv": 1e-3 * (i + 1) for i in range(63)} | {"/model.22/Mul_0": 2e-4}
    times = {name: NodeSeconds({k: v * slower for k, v in seconds.items()}) for name, slower in
             (("float", 2.0), (recipe, 1.0))}  # fmt: skip
    return replace(
        made,
        layers={"float": _layers(integer=False), recipe: _layers(integer=True)},
        node_times=NodeTimings(times, {"cpu": "Cortex-A76"}, ""),
    )


def _layers(*, integer: bool) -> Layers:
    found, before = [], ""
    for i in range(63):
        name, skip = f"/model.{i}/conv/Conv", f"/model.{i - 3}/conv/Conv"
        inputs = tuple(n for n in (before, skip if i % 7 == 3 else "") if n)
        bits = (8, 8) if integer else (32, None)
        shape = (1, 16, 40, 40)
        kind = "integer" if integer else "float"
        found.append(Layer(name, name, "Conv", kind, *bits, 1_000_000 * (i + 1), shape, inputs, (f"t{i}",)))
        before = name
    for i in range(14):
        name = f"/model.22/Mul_{i}"
        found.append(Layer(name, name, "Mul", "float", None, None, 0, (1, 4, 8400), (before,), (f"m{i}",)))
    return Layers(tuple(found), ())


def classifier(*, truth: bool = True) -> Story:
    """The study of a classifier: no word about boxes belongs into its report."""
    made = story()
    float_cells = {(0, 0): 40, (0, 1): 2, (1, 1): 38, (1, 0): 1, (2, 2): 30, (2, 1): 9}
    int8_cells = {(0, 0): 38, (0, 1): 4, (1, 1): 38, (1, 0): 1, (2, 2): 31, (2, 1): 8}
    metric = "top1" if truth else "fidelity_top1"
    trials = []
    for recipe, label, cells in (("float", "float", float_cells), ("w8a8-pc-mse+bc", "int8", int8_cells)):
        right = sum(n for (t, s), n in cells.items() if t == s) / sum(cells.values())
        columns = list(zip(*((t, s, n) for (t, s), n in cells.items()), strict=True))
        curves = {f"confusion_{k}": tuple(map(float, c)) for k, c in
                  zip(("true", "said", "count"), columns, strict=True)}  # fmt: skip
        curves["confidence_histogram"] = (0.0, 3.0, 20.0, 97.0)
        quantities = (
            Quantity(metric, right, "", "higher"),
            Quantity.listed("latency_s", samples=(0.0101, 0.0102, 0.0103)),
            Quantity("latency_ratio", 1.0 if label == "float" else 0.5, "ratio", "lower", low=0.4, high=1.0),
        )
        measured = Measurement("cd" * 32, "local", {"cpu": "Cortex-A76"}, quantities, curves)
        trials.append(Trial(recipe, label, "ab" * 32, f"models/{label}.onnx", "local", 0, measured))
    model = replace(made.model, family="classifier", task="classify", origins={}, inputs=())
    dataset = replace(made.dataset, has_truth=truth, boxes=None, classes=3, notes=(), calibration_how="")
    pictures = tuple(replace(p, why="cat became dog", truth=truth) for p in made.pictures)
    return replace(
        made, model=model, dataset=dataset, trials=tuple(trials), metric=metric, pictures=pictures, doubts=(),
        classes=("cat", "dog", "horse"), verdict=verdict(trials, "w8a8-pc-mse+bc", ("Smallest.",)), stock=(),
    )  # fmt: skip


def in_several_runtimes() -> Story:
    """A study over three runtimes: OpenVINO wins, ncnn refuses one recipe, some are left out."""
    told = story()
    rng = np.random.default_rng(1)
    usual = [t for t in told.trials if t.recipe in ("float", "w8a8-pc-mse+bc", "w8", "ort-dynamic")]
    slow = next(t for t in usual if t.recipe == "ort-dynamic")
    usual[usual.index(slow)] = _unjudged(slow)
    lines = [
        ("openvino", "float", "float", 0.4144, 63.5, 1.02, 13.1, 190.0, 99.0),
        ("openvino", "bf16", "bf16", 0.4141, 21.0, 0.34, 13.1, 150.0, 99.0),
        ("openvino", "w8a8-pc-mse+bc", "int8", 0.4120, 27.5, 0.44, 3.6, 130.0, 99.0),
        ("ncnn", "float", "float", 0.4143, 47.0, 0.76, 12.9, 120.0, 99.0),
    ]
    others = [
        replace(_trial(rng, *rest), label=f"{rest[1]}@{runtime}", runtime=runtime) for runtime, *rest in lines
    ]
    error = "ncnn CPU has no arithmetic and no weights in bfloat16\n  got: bf16"
    refused = replace(others[1], label="bf16@ncnn", runtime="ncnn", measurement=None, error=error)
    trials = (*usual, *others, refused)
    best = next(t for t in trials if t.label == "bf16@openvino")
    remarks = {t.key: "not the fastest" for t in trials} | {best.key: "best", "float": "reference"}
    slower = "3.0\u00d7 the time of bf16@openvino: it cannot win, and no accuracy is left to gain"
    return replace(
        told,
        trials=trials,
        verdict=Verdict(best, usual[0], True, "Use bf16@openvino", ("It is the fastest.",), remarks),
        pictures_of="bf16@openvino",
        left_out=(
            Choice("w4a8-pc-mse", "onnxruntime", 0, "not tried", slower),
            Choice("w4a8-pc-mse@openvino", "openvino", 0, "not tried", "the budget ran out"),
            Choice("ort-dynamic", "onnxruntime", 0, "not judged", slower),
            Choice("int8@openvino", "openvino", 0, "timed shortly", "it is not among the last"),
        ),
    )  # fmt: skip


def _unjudged(trial: Trial) -> Trial:
    assert trial.measurement is not None
    kept = tuple(
        q for q in trial.measurement.quantities if q.name.startswith(("latency", "size", "float", "peak"))
    )
    measured = replace(trial.measurement, quantities=kept, doubts=(Doubt("unjudged", "not judged: slow"),))
    return replace(trial, measurement=measured)
