"""Files of PyTorch: `my_module.py:make` and Ultralytics' `.pt`, exported in a process of their own.

    python -m paredown.torch_files module FILE NAME OUT SHAPE...
    python -m paredown.torch_files ultralytics FILE OUT [HEIGHT WIDTH]

The process writes OUT/model.onnx, or OUT/error.txt with what went wrong. A `.pt` holds a pickle, which may
run anything: it is read by nobody but the library that its owner installed for it.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from paredown.errors import MissingDependency, ModelError, ParedownError, UsageError, first_line
from paredown.graph.load import load_model, refuse_no_file
from paredown.model import Model

LIMIT_S = 600.0  # of one export
MAKER = "make"
_QUIET = {"YOLO_AUTOINSTALL": "false", "YOLO_OFFLINE": "true", "YOLO_VERBOSE": "false"}  # no pip, no network


def is_source(path: Path) -> bool:
    """Whether the path is one of `my_module.py:make`, `my_module.py`, `weights.pt`."""
    return path.suffix.lower() == ".pt" or _split(path) is not None


def file_of(path: Path) -> Path:
    """The file that a model is in: of `my_module.py:make` the module."""
    source = _split(path)
    return path if source is None else source[0]


def read_torch(path: Path, shapes: Sequence[str]) -> Model:
    """The model that such a path means; shapes: as `--input` says them, of the module's inputs in order.

    Raises ModelError with what the other process says, UsageError without a shape, MissingDependency.
    """
    source = _split(path)
    if source is None:
        return _ultralytics(path, shapes)
    file, name = source
    refuse_no_file(file)
    plain = [text.rpartition("=")[2] for text in shapes]
    if not plain:
        raise UsageError(f"nothing says the input of {path}", hint="--input 1x3x640x640")
    return _exported(["module", str(file.resolve()), name], plain, file, name)


def _split(path: Path) -> tuple[Path, str] | None:
    """File and function of `my_module.py:make`."""
    text = str(path)
    file, colon, name = text.rpartition(":")
    if colon and file.endswith(".py") and name.isidentifier():
        return Path(file), name
    return (path, MAKER) if text.endswith(".py") else None


def _ultralytics(path: Path, shapes: Sequence[str]) -> Model:
    refuse_no_file(path)
    if importlib.util.find_spec("ultralytics") is None:
        how = (
            f"pip install ultralytics; or: yolo export model={path.name} format=onnx, and give the .onnx file"
        )
        raise MissingDependency("ultralytics", None, f"exporting {path.name}", how)
    sides = shapes[0].split("x")[-2:] if shapes else []
    return _exported(["ultralytics", str(path.resolve())], sides, path, path.stem)


def _exported(words: Sequence[str], more: Sequence[str], file: Path, name: str) -> Model:
    with tempfile.TemporaryDirectory(prefix="paredown-") as folder:
        command = [sys.executable, "-P", "-m", __name__, *words, folder, *more]
        environment = {**os.environ, **_QUIET, "YOLO_CONFIG_DIR": folder}
        try:
            ended = subprocess.run(
                command,
                env=environment,
                capture_output=True,
                timeout=LIMIT_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise ModelError(f"exporting {file} takes too long", got=f"over {LIMIT_S:g} s") from error
        said = Path(folder, "error.txt")
        made = Path(folder, "model.onnx")
        if ended.returncode or not made.is_file():
            tail = ended.stderr.decode(errors="replace").strip().splitlines()[-1:]
            got = said.read_text(encoding="utf-8") if said.is_file() else " ".join(tail)
            raise ModelError(f"{file} cannot be exported to ONNX", got=got or f"exit code {ended.returncode}")
        model = load_model(made)
        return Model(model.data, model.inputs, model.outputs, file.stem, model.metadata)


def _export_module(file: str, name: str, out: Path, shapes: Sequence[str]) -> None:
    import torch

    from paredown.torch_export import from_torch

    sys.path.insert(0, str(Path(file).parent))  # what the file itself imports
    spec = importlib.util.spec_from_file_location("paredown_source", file)
    if spec is None or spec.loader is None:
        raise ModelError(f"{file} is no Python file")
    space = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(space)
    make: Any = getattr(space, name, None)
    module = make if isinstance(make, torch.nn.Module) else make() if callable(make) else None
    if not isinstance(module, torch.nn.Module):
        raise ModelError(
            f"{Path(file).name}:{name} gives no torch.nn.Module",
            got=type(make).__name__ if module is None else type(module).__name__,
            expected="a function without arguments that gives one, or a module",
        )
    sizes = [tuple(int(d) for d in shape.split("x")) for shape in shapes]
    generator = torch.Generator().manual_seed(0)
    example = tuple(torch.rand(size, generator=generator) for size in sizes)
    out.joinpath("model.onnx").write_bytes(from_torch(module, example).data)


def _export_ultralytics(file: str, out: Path, sides: Sequence[str]) -> None:
    from ultralytics import YOLO

    copy = shutil.copy(file, out / Path(file).name)  # its exporter writes beside the weights
    size = {"imgsz": [int(side) for side in sides]} if sides else {}
    made = YOLO(copy).export(format="onnx", simplify=False, **size)
    Path(made).rename(out / "model.onnx")


def main(words: Sequence[str]) -> int:
    kind, file, *rest = words
    out = Path(rest[1] if kind == "module" else rest[0])
    try:
        if kind == "module":
            _export_module(file, rest[0], out, rest[2:])
        else:
            _export_ultralytics(file, out, rest[1:])
    except ParedownError as error:
        out.joinpath("error.txt").write_text(" ".join(str(error).split()), encoding="utf-8")
        return 1
    except Exception as error:  # whatever the user's file or library raises
        out.joinpath("error.txt").write_text(f"{type(error).__name__}: {first_line(error)}", encoding="utf-8")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
