"""What every benchmark shares: models and their images, the command line, results as JSON with evidence."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import paredown
from paredown import data
from paredown._measure.environment import environment
from paredown.card import Card
from paredown.errors import ParedownError
from paredown.hosts import open_host
from paredown.model import Model
from paredown.sample import Dataset

HERE = Path(__file__).parent
RESULTS = HERE / "results"
ENVIRONMENT_VARIABLE = "PAREDOWN_MATERIAL"


@dataclass(frozen=True)
class Subject:
    """A model of the material, and the data sets to calibrate and to judge it on."""

    task: str
    calibration: str
    evaluation: str


_COCO = Subject("detect", "coco_calib", "coco_eval")
_IMAGENET = Subject("classify", "imagenet_sample/calib.csv", "imagenet_sample/eval.csv")
_CIFAR = Subject("classify", "cifar10/calib.zip", "cifar10/eval.zip")

SUBJECTS: dict[str, Subject] = {
    "yolov8n": _COCO,
    "yolov5n": _COCO,
    "yolox_nano": _COCO,
    "nanodet_m_416": _COCO,
    "nanodet_m_320": _COCO,
    "yolo_fastest_1_1_xl": _COCO,
    "person_ssd_retail_0013": _COCO,
    "picodet_s_416_coco": _COCO,
    "ssdlite_mobilenet_v2_coco": _COCO,
    "centernet_mbv3_coco": _COCO,
    "yolo_lite_coco": _COCO,
    "yolo26n": _COCO,
    "squeezenet1_1": _IMAGENET,
    "mobilenet_v2": _IMAGENET,
    "mobilenet_v2_torchvision": _IMAGENET,
    "resnet20_cifar10": _CIFAR,
}


@dataclass(frozen=True)
class Loaded:
    """A model with its card, and its images. `judged` is not yet in the card's class indices."""

    name: str
    model: Model
    calibration: Dataset
    judged: Dataset

    @property
    def card(self) -> Card:
        assert self.model.card is not None  # `load` gave it one
        return self.model.card


def arguments(doc: str | None, results: str, models: Sequence[str]) -> argparse.ArgumentParser:
    """The parser with what all benchmarks take. `models`: those measured when none is named."""
    summary = (doc or "").strip().splitlines()[0]
    parser = argparse.ArgumentParser(description=summary)
    default = os.environ.get(ENVIRONMENT_VARIABLE)
    parser.add_argument(
        "--material",
        type=Path,
        default=default,
        required=default is None,
        help=f"folder with models/ and data/; it is only read (default: ${ENVIRONMENT_VARIABLE})",
    )
    parser.add_argument("--models", nargs="+", choices=SUBJECTS, default=list(models), metavar="MODEL")
    parser.add_argument("--images", type=int, default=100, help="calibration images")
    parser.add_argument("--eval", type=int, help="images to judge on (default: all)")
    parser.add_argument(
        "--out", type=Path, default=RESULTS / results, help="JSON file of the results (default: %(default)s)"
    )
    return parser


def datasets(material: Path, name: str, images: int, judged: int | None) -> tuple[Dataset, Dataset]:
    """The images to calibrate on and to judge on: as many as asked for, drawn by a fixed seed."""
    subject, root = SUBJECTS[name], material / "data"
    calibration = data.sample(data.read_dataset(str(root / subject.calibration)), images)
    evaluation = data.read_dataset(str(root / subject.evaluation))
    return calibration, evaluation if judged is None else data.sample(evaluation, judged)


def model_file(material: Path, name: str) -> Path:
    """Where the material keeps a model."""
    return material / "models" / f"{name}.onnx"


def load(material: Path, name: str, images: int, judged: int | None = None) -> Loaded:
    """A subject with its images; its card is tried on them."""
    calibration, evaluation = datasets(material, name, images, judged)
    return Loaded(name, paredown.load(model_file(material, name), evaluation), calibration, evaluation)


def write(path: Path, rows: Sequence[Mapping[str, object]], threads: int, **more: object) -> None:
    """The results on disk, with machine and date; a row keeps the command, date and machine that made it."""
    here = environment(open_host(), threads)
    made = {"command": command(sys.argv), "date": here["date"], "machine": machine(here)}
    rows = [{**row, "made_by": row.get("made_by", made)} for row in rows]
    text = json.dumps(
        {
            "command": command(sys.argv),
            "date": here["date"],
            "machine": machine(here),
            "environment": here,
            **more,
            "rows": rows,
        },
        indent=1,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(text + "\n")
    partial.replace(path)


def told(main: Callable[[], int]) -> int:
    """The exit code of a benchmark; an error of ours is said in its own words, without a traceback."""
    try:
        return main()
    except ParedownError as e:
        say(str(e))
        return e.exit_code


def read_rows(path: Path) -> list[dict[str, object]]:
    """The rows written before; none where there is no file."""
    return list(json.loads(path.read_text())["rows"]) if path.exists() else []


def command(argv: Sequence[str]) -> str:
    """The command as somebody else would type it: paths of this machine by what they stand for."""
    words = [f"benchmarks/{Path(argv[0]).name}"]
    hide = {"--material": f"${ENVIRONMENT_VARIABLE}", "--out": "FILE", "--runs": "DIR", "--work": "DIR"}
    before = ""
    for word in argv[1:]:
        option, equals, _ = word.partition("=")
        words.append(hide.get(before) or (f"{option}={hide[option]}" if equals and option in hide else word))
        before = word
    return "python " + " ".join(w if w.startswith("$") else shlex.quote(w) for w in words)


def machine(here: Mapping[str, object]) -> str:
    """The machine in words, for people."""
    sets = here.get("instruction_sets")
    parts = [
        str(here.get("cpu") or here.get("board") or platform.machine()),
        f"{here['cores_usable']} cores" if "cores_usable" in here else "",
        ", ".join(map(str, sets)) if isinstance(sets, list) else "",
        f"{float(str(here['memory_bytes'])) / 2**30:.0f} GiB" if "memory_bytes" in here else "",
        str(here.get("virtualization", "")),
        str(here.get("os", "")),
    ]
    return "; ".join(part for part in parts if part)


def first_line(error: Exception, *folders: Path) -> str:
    """What went wrong, in one line, without the places of this machine."""
    text = (str(error).splitlines() or [type(error).__name__])[0]
    for folder in (*folders, HERE.parent):
        text = text.replace(str(folder.resolve()), "...")
    return text


def say(text: str) -> None:
    """Tell the person in front of the terminal what goes on."""
    print(text, file=sys.stderr, flush=True)
