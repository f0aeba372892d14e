"""Models on an emulated x86 CPU: ONNX Runtime in a child process, under qemu-user where a CPU is named.

Good for what a CPU answers, bit for bit; useless for time. `apt-get install qemu-user` brings the emulator
(AVX2 needs version 7.2 or later, Debian 12). The child is this same file, run with a model's path.
"""

from __future__ import annotations

import importlib
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from paredown.no_telemetry import all_switches

HASWELL = "Haswell"  # AVX2 without VNNI, as every x86 from 2013 until VNNI came
EMULATOR = "qemu-x86_64"
PRECISE = (
    "session.x64quantprecision"  # ONNX Runtime: where the CPU saturates, take slower kernels that do not
)


Arrays = Mapping[str, "np.ndarray[Any, Any]"]


class Running:
    """A model in a child process."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def run(self, feeds: Arrays) -> Arrays:
        """The outputs by name. Raises EOFError or BrokenPipeError where the child died."""
        into, out_of = self._process.stdin, self._process.stdout
        assert into is not None
        assert out_of is not None
        pickle.dump(dict(feeds), into)
        into.flush()
        answers: Arrays = pickle.load(out_of)
        return answers


def emulator() -> str | None:
    """The path of the emulator, None where it is not installed."""
    return shutil.which(EMULATOR)


@contextmanager
def running(model: bytes, cpu: str | None, precise: bool = False) -> Iterator[Running]:
    """The model on that CPU (see `qemu-x86_64 -cpu help`), on this machine's own where it is None.

    precise: with the session option that avoids saturation.
    """
    with tempfile.TemporaryDirectory(prefix="paredown-") as folder:
        file = Path(folder, "model.onnx")
        file.write_bytes(model)
        child = [sys.executable, __file__, str(file), str(int(precise))]
        command = child if cpu is None else [EMULATOR, "-cpu", cpu, *child]
        # the emulator warns of features of that CPU which it lacks, none of which a model uses
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **all_switches()},
        )
        try:
            yield Running(process)
        finally:
            process.terminate()
            process.communicate()


def _serve(path: str, precise: bool, into: IO[bytes], out_of: IO[bytes]) -> None:
    """Answers feeds from one stream on the other until the first ends."""
    onnxruntime = importlib.import_module("onnxruntime")  # in the child only, which inherits the switches
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry(PRECISE, str(int(precise)))
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [v.name for v in session.get_outputs()]
    while True:
        try:
            feeds = pickle.load(into)
        except EOFError:
            return
        pickle.dump(dict(zip(names, session.run(names, feeds), strict=True)), out_of)
        out_of.flush()


if __name__ == "__main__":
    _serve(sys.argv[1], sys.argv[2] == "1", sys.stdin.buffer, sys.stdout.buffer)
