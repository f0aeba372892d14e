"""Virtual environments of the peers, made once under `benchmarks/.envs/` and kept.

    python benchmarks/environments.py [NAME ...]                          # all of them

Each peer gets its own, so that no pin of one can hold back another or Paredown. The versions of what was
installed are part of every result.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent / ".envs"
_TIMEOUT_S = 1800.0

CPU_TORCH = "torch==2.13.0+cpu"
"""Named with its build: any other pin would let pip choose several GB of CUDA. Where the package index has
CUDA builds only, add the one of pytorch.org with PIP_EXTRA_INDEX_URL."""

INSTALLS: dict[str, tuple[tuple[str, ...], ...]] = {
    "onnxruntime": (("onnx", "onnxruntime"),),
    "nncf": (("nncf", "openvino", "onnx", "onnxruntime"),),
    "ai-edge": (("ai-edge-quantizer", "onnx"),),
    # Without its dependencies, because onnx2torch among them brings torchvision and with it another torch;
    # neither is touched by post-training quantization.
    "aimet": (
        (CPU_TORCH,),
        ("onnx", "onnxruntime", "onnx-ir", "onnxscript", "numpy", "scipy", "pandas", "scikit-learn", "osqp"),
        ("jinja2", "pyyaml", "bokeh", "hvplot", "jsonschema", "psutil", "pybind11", "tqdm"),
        ("--no-deps", "aimet-onnx"),
    ),
}
"""Environment -> the arguments of `pip install`, one call after the other."""


class InstallError(Exception):
    """An environment that could not be made; the text is pip's own first error line."""


def interpreter(name: str) -> Path:
    """The Python of an environment, which is made first where it is missing. Raises InstallError."""
    if name == "":
        return Path(sys.executable)
    home = FOLDER / name
    python = home / "bin" / "python"
    finished = home / "finished.json"
    plan = json.dumps(INSTALLS[name])
    if finished.exists() and finished.read_text() == plan:
        return python
    shutil.rmtree(home, ignore_errors=True)
    _call([sys.executable, "-m", "venv", str(home)])
    for packages in INSTALLS[name]:
        _call([str(python), "-m", "pip", "install", "--quiet", *packages])
    finished.write_text(plan)
    return python


def runtime_folder(package: str) -> Path:
    """A folder to put on the path of this very interpreter, with `package` in it and none of what it needs.

    So OpenVINO can be timed in the same harness as ONNX Runtime, with Paredown's own numpy.
    """
    home = FOLDER / f"only-{package}"
    if not (home / package).is_dir():
        partial = home.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        call = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--target",
            str(partial),
            package,
        ]
        _call(call)
        shutil.rmtree(home, ignore_errors=True)
        partial.rename(home)
    return home


def versions(name: str) -> dict[str, str]:
    """Version by package of an environment."""
    call = [str(interpreter(name)), "-m", "pip", "list", "--format", "json", "--disable-pip-version-check"]
    return {
        p["name"]: p["version"]
        for p in json.loads(subprocess.run(call, capture_output=True, check=True).stdout)
    }


def _call(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S)
    except subprocess.TimeoutExpired as e:
        raise InstallError(f"{command[-1]} was not installed within {_TIMEOUT_S:g} s") from e
    if done.returncode != 0:
        lines = [
            line for line in done.stderr.splitlines() if line.startswith("ERROR")
        ] or done.stderr.splitlines()
        raise InstallError((lines or [f"exit code {done.returncode}"])[0])


if __name__ == "__main__":
    for each in sys.argv[1:] or INSTALLS:
        print(interpreter(each))
    print(runtime_folder("openvino"))
