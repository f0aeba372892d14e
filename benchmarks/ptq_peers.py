"""Paredown beside ONNX Runtime's quantizer, NNCF, AIMET and ai-edge: points lost, seconds, memory, latency.

    python benchmarks/ptq_peers.py --material MATERIAL                    # resumes where it was stopped

On a machine that has other work to do, `--stages make judge` first; the same command without it then times
the files that were made, and nothing else.

All are handed the same prepared float model and the same calibration tensors, and work in a fresh process
of their own virtual environment. All are judged by the same code on the same images (confidence 0.001, NMS
at IoU 0.7, at most 300 boxes), in ONNX Runtime, or in the runtime whose own format the peer writes. The
latency of each result is timed in all runtimes that take it, in rounds alternating with the float model in
ONNX Runtime, and in the runtime that its tool writes for also in rounds alternating with the file that
Paredown makes for that one ("beside_paredown"). "tuned" is what a user who knows the tool would do, leaving
the decode tail float included; the list of its nodes comes from us.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from common import HERE, SUBJECTS, Loaded, arguments, first_line, load, read_rows, say, write
from environments import InstallError, interpreter, runtime_folder, versions
from fresh import Failed, Limits, run_fresh
from quantizers import OURS, PEERS, Peer
from runtimes import OPENVINO
from runtimes import compile as compile_file

from paredown._compress.quantize.placement.body import body_of
from paredown._measure.accuracy import accuracy, predict_all
from paredown._measure.align import align
from paredown._measure.timing.latency import measure_latency
from paredown.detections import Prediction
from paredown.errors import ParedownError
from paredown.graph.load import load_model
from paredown.graph.prepare import prepare
from paredown.graph.walk import to_ir
from paredown.metrics import headline
from paredown.preprocessing.tensor import preprocess
from paredown.runtimes import RUNTIMES
from paredown.runtimes.tflite import write as tflite
from paredown.sample import Dataset
from paredown.study.bench import FedImages
from paredown.targets import target

IOU, MAX_DETECTIONS = 0.7, 300
STAGES = {"make": "file", "judge": "accuracy", "time": "latency"}
"""What can be done for a row, and the key that says that it was."""
FAILED = {"make": "quantize", "judge": "load or run", "time": "load or run"}
REPORTED = frozenset({"nncf", "openvino", "aimet-onnx", "onnxruntime", "onnx", "torch", "ai-edge-quantizer"})


MODELS = (
    "yolov8n",
    "yolov5n",
    "yolox_nano",
    "nanodet_m_416",
    "nanodet_m_320",
    "yolo_fastest_1_1_xl",
    "picodet_s_416_coco",
    "ssdlite_mobilenet_v2_coco",
    "yolo26n",
    "mobilenet_v2_torchvision",
)


@dataclass(frozen=True)
class Ground:
    """What all get and are judged by, on one model. `folder` holds float.onnx, float.tflite, calibration/.

    What takes long is made when a peer asks for it: a row that wants its latency alone asks for none.
    """

    loaded: Loaded
    folder: Path
    settings: Mapping[str, object]  # a row made under others is measured again

    @cached_property
    def judged(self) -> Dataset:
        """The images, in the card's class indices."""
        return align(self.loaded.judged, self.loaded.card)[0]

    @cached_property
    def reference(self) -> list[Prediction]:
        """What the float model says of them."""
        say(f"{self.loaded.name}: float model on {len(self.judged)} images")
        return predict_all(compile_file(self.folder / "float.onnx"), self.loaded.card, self.judged)

    @cached_property
    def calibration(self) -> Path:
        """The folder of what the model is fed for the calibration images, one .npy each."""
        folder = self.folder / "calibration"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        fed = FedImages(self.loaded.calibration, self.loaded.card, self.loaded.model.inputs)
        for i, feeds in enumerate(fed):
            (tensor,) = feeds.values()
            np.save(folder / f"{i:04}.npy", tensor)
        return folder

    @cached_property
    def excluded(self) -> tuple[str, ...]:
        """The nodes of the decode tail."""
        graph = to_ir(load_model(self.folder / "float.onnx")).graph
        body = body_of(graph)
        return tuple(str(n.name) for n in graph if n not in body)


def main() -> int:
    """Exit code. Measures every peer on every model, row by row."""
    parser = arguments(__doc__, "ptq_peers.json", MODELS)
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=list(PEERS), metavar="PEER")
    parser.add_argument("--again", action="store_true", help="measure also what was measured before")
    parser.add_argument("--threads", type=int, default=1, help="of the timed inference (default: 1)")
    parser.add_argument(
        "--stages",
        nargs="+",
        choices=STAGES,
        default=list(STAGES),
        metavar="STAGE",
        help="make, judge, time: only what is still missing of these",
    )
    parser.add_argument("--memory-gb", type=float, default=8.0, help="a peer that needs more is stopped")
    parser.add_argument("--minutes", type=float, default=30.0, help="a peer that needs longer is stopped")
    parser.add_argument("--work", type=Path, default=HERE.parent / "runs" / "peers")
    args = parser.parse_args()
    _make_importable()
    rows = read_rows(args.out)
    for name in args.models:
        ground = _ground(args, name)
        for key in args.peers:
            mine = [r for r in rows if (r["model"], r["peer"]) == (name, key)]
            kept = mine[0] if mine and mine[0]["settings"] == ground.settings and not args.again else None
            if (row := _wanted(args, ground, key, kept)) is None:
                continue
            rows = sorted([r for r in rows if r not in mine] + [row], key=_place)
            write(args.out, rows, args.threads, limits={"memory_gb": args.memory_gb, "minutes": args.minutes})
    return 0


def _wanted(
    args: argparse.Namespace, ground: Ground, key: str, kept: dict[str, Any] | None
) -> dict[str, Any] | None:
    """The row with what is still missing of it; None where nothing is."""
    row = dict(kept or {})
    if "file" in row and not (ground.folder / str(row["file"])).exists():
        row = {}  # made on another machine
    if "latency" in row and row.get("threads") != args.threads:
        del row["latency"]
    missing = [s for s in STAGES if s in args.stages and STAGES[s] not in row and "error" not in row]
    if not missing or ("make" not in args.stages and "file" not in row):
        return None
    say(f"{ground.loaded.name}: {key}, {', '.join(missing)}")
    row.pop("made_by", None)
    return _measure(args, ground, key, row, missing)


def _place(row: Mapping[str, object]) -> tuple[int, int]:
    """Where the row stands in the table, whenever it was measured."""
    return list(SUBJECTS).index(str(row["model"])), list(PEERS).index(str(row["peer"]))


def _make_importable() -> None:
    """This folder and OpenVINO, for this process and those it measures in."""
    places = [str(HERE), str(runtime_folder("openvino"))]
    sys.path += places
    os.environ["PYTHONPATH"] = os.pathsep.join([*filter(None, [os.environ.get("PYTHONPATH")]), *places])


def _ground(args: argparse.Namespace, name: str) -> Ground:
    """The prepared float model on disk, and its images."""
    loaded = load(args.material, name, args.images, args.eval)
    card = replace(loaded.card, iou=IOU, max_detections=MAX_DETECTIONS)
    prepared = prepare(loaded.model.with_card(card), card.preprocess.size)
    folder = args.work / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "float.onnx").write_bytes(prepared.data)
    (folder / "float.tflite").write_bytes(tflite(prepared))
    settings = {"images": len(loaded.calibration), "judged": len(loaded.judged)}
    settings |= {"sha256": loaded.model.sha256}
    return Ground(replace(loaded, model=prepared.with_card(card)), folder, settings)


def _measure(
    args: argparse.Namespace, ground: Ground, key: str, row: dict[str, Any], stages: Sequence[str]
) -> dict[str, Any]:
    """The row after these stages, or with the stage at which it failed and how."""
    peer = PEERS[key]
    if not row:
        row = {"model": ground.loaded.name, "peer": key, "tool": peer.tool, "variant": peer.variant}
        row["settings"] = dict(ground.settings)
    row["runtime"] = peer.runtime
    stage = ""
    try:
        for stage in stages:
            if stage == "make":
                row |= _made(args, ground, key, peer)
            elif stage == "judge":
                row |= _judge(ground, ground.folder / str(row["file"]))
                say(f"  {row['accuracy']:.4f}, {row['points_lost']:.2f} points lost")
            else:
                row |= _timed(ground, ground.folder / str(row["file"]), peer, args.threads)
    except (InstallError, Failed, ParedownError) as e:
        say(f"  failed to {stage}: {e}")
        return {**row, "stage": FAILED[stage], "error": first_line(e, args.work)}
    return row


def _made(args: argparse.Namespace, ground: Ground, key: str, peer: Peer) -> dict[str, Any]:
    """The peer's file, its size, and what it took."""
    row = _quantize(args, ground, key, peer) if peer.driver else {}
    file = Path(row.pop("model_file", ground.folder / "float.onnx"))
    size = sum(f.stat().st_size for f in (file, file.with_suffix(".bin")) if f.exists())
    return {**row, "file": file.name, "size_bytes": size}


def _timed(ground: Ground, file: Path, peer: Peer, threads: int) -> dict[str, Any]:
    """The file's latency beside the float model's in each runtime, and beside our file in its own."""
    found: dict[str, Any] = {"threads": threads}
    ours = ground.folder / OURS[peer.runtime]
    if peer.driver and file != ours and ours.exists():
        found["beside_paredown"] = _beside(ground, ours, _for_runtime(file)[peer.runtime], threads)
    return {**found, "latency": _time(ground, file, threads)}


def _quantize(args: argparse.Namespace, ground: Ground, key: str, peer: Peer) -> dict[str, Any]:
    """Seconds, peak memory and the file written, as the driver says; the versions of its packages."""
    python = interpreter(peer.environment)
    job = ground.folder / f"{key}.json"
    told = {
        "model": str(ground.folder / "float.onnx"),
        "input": ground.loaded.model.inputs[0].name,
        "calibration": str(ground.calibration),
        "output": str(ground.folder / key),
        "excluded": ground.excluded,
        "settings": peer.settings,
    }
    job.write_text(json.dumps(told))
    env = None if peer.environment == "" else {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    limits = Limits(args.memory_gb * 1e9, args.minutes * 60)
    answer = run_fresh([str(python), str(HERE / "peers" / f"{peer.driver}.py"), str(job)], limits, env)
    row = {"model_file": answer["model"], "seconds": answer["seconds"], "peak_bytes": answer["peak_bytes"]}
    if peer.environment:
        row["versions"] = {p: v for p, v in versions(peer.environment).items() if p in REPORTED}
    return row


def _judge(ground: Ground, file: Path) -> dict[str, Any]:
    """Accuracy of the file, points lost against the float model with their interval, and fidelity to it."""
    card = ground.loaded.card
    predictions = predict_all(compile_file(file), card, ground.judged)
    quantities, _ = accuracy(predictions, ground.judged, card, ground.reference)
    found, name = {q.name: q for q in quantities}, headline(card.task, has_truth=True)
    drop = found[f"{name}_drop"]
    row = {"metric": name, "accuracy": found[name].value, "points_lost": drop.value}
    row |= {"points_low": drop.low, "points_high": drop.high}
    agreed = found.get(f"fidelity_{name}")  # none for the float model itself
    return row if agreed is None else row | {"fidelity": agreed.value}


def _time(ground: Ground, file: Path, threads: int) -> dict[str, Any]:
    """By runtime: seconds, and their ratio to the float model's in ONNX Runtime; or why there are none."""
    found: dict[str, Any] = {}
    for runtime, candidate in _for_runtime(file).items():
        try:
            found[runtime] = _beside(ground, candidate, ground.folder / "float.onnx", threads)
        except ParedownError as e:
            found[runtime] = {"error": first_line(e, ground.folder)}
    return found


def _for_runtime(file: Path) -> dict[str, Path]:
    """Runtime -> what it opens of that file, for all that take it."""
    if file.suffix != ".onnx":
        return {"litert" if file.suffix == ".tflite" else "openvino": file}
    other = file.with_name(file.stem + OPENVINO)
    shutil.copyfile(file, other)
    return {"onnxruntime": file, "openvino": other}


def _beside(ground: Ground, file: Path, other: Path, threads: int) -> dict[str, Any]:
    """Seconds of a file and their ratio to those of another, in alternating rounds."""
    card, model = ground.loaded.card, ground.loaded.model
    feeds = {model.inputs[0].name: preprocess(ground.loaded.judged[0].read(), card.preprocess)[0]}
    RUNTIMES["peers"] = "runtimes"
    where = replace(target("local"), name="peers", runtime="peers")
    timed, _, doubts = measure_latency(file, other, where, feeds, threads=threads)
    by_name = {q.name: q for q in timed}
    ratio = by_name["latency_ratio"]
    say(f"  {file.name}: {ratio.value:.3f} of {other.name} ({ratio.low:.3f} .. {ratio.high:.3f})")
    return {
        "latency_s": by_name["latency_s"].value,
        "latency_ratio": ratio.value,
        "low": ratio.low,
        "high": ratio.high,
        "doubts": [d.text for d in doubts],
    }


if __name__ == "__main__":
    sys.exit(main())
