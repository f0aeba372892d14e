"""Whether SSH changes a measured ratio of latencies: this machine over loopback against itself, in turns.

    python benchmarks/ssh_ratio.py A.onnx B.onnx            # an sshd of its own on 127.0.0.1
    python benchmarks/ssh_ratio.py A.onnx B.onnx --host ssh:localhost

Each repeat times the pair once here and once over SSH, the order alternating. Bar: the medians of the two
ratios differ by at most 3 %. Worth nothing on a machine where other programs run: the spread is printed.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import numpy as np

from paredown import api
from paredown._measure.timing.latency import measure_latency
from paredown.hosts import open_host
from paredown.hosts.board_link import close_links
from paredown.hosts.ssh_connection import CONFIG
from paredown.model import TensorSpec
from paredown.targets import target

BAR = 0.03


@contextmanager
def loopback():
    """A host behind a real sshd of this script, laid out by links to what is installed here."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    from sshd import make_board

    with tempfile.TemporaryDirectory(prefix="paredown-") as folder:
        board = make_board(Path(folder))
        board.lay_out("onnxruntime")
        os.environ[CONFIG] = str(board.ssh_config)
        try:
            yield open_host("ssh:board")
        finally:
            close_links()
            board.stop()


@contextmanager
def named(name: str):
    """A host that the user names."""
    yield open_host(name)


def noise(spec: TensorSpec) -> dict[str, np.ndarray]:
    """Random values for an input; latency does not depend on them."""
    values = np.random.default_rng(0).random([d or 1 for d in spec.shape])
    return {spec.name: values.astype(spec.dtype)}


def main() -> int:
    """Exit code: 1 where the bar is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("a", type=Path)
    parser.add_argument("b", type=Path)
    parser.add_argument("--host", default="")
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    fed = [noise(api.load(file).inputs[0]) for file in (args.a, args.b)]
    ratios: dict[str, list[float]] = {"here": [], "ssh": []}
    with named(args.host) if args.host else loopback() as there:
        places = {"here": target("local"), "ssh": target("local", there)}
        for i in range(args.repeats):
            for key in ("here", "ssh") if i % 2 == 0 else ("ssh", "here"):
                quantities, _, _ = measure_latency(
                    args.a, args.b, places[key], fed[0], baseline_feeds=fed[1], threads=1
                )
                ratios[key].append(next(q.value for q in quantities if q.name == "latency_ratio"))
                print(f"{i + 1}/{args.repeats} {key}: {ratios[key][-1]:.4f}", file=sys.stderr)
    middle = {key: median(values) for key, values in ratios.items()}
    off = abs(middle["ssh"] / middle["here"] - 1)
    spread = {key: (max(v) - min(v)) / median(v) for key, v in ratios.items()}
    print(json.dumps({"ratio": middle, "differ": off, "bar": BAR, "spread": spread, "all": ratios}, indent=1))
    return int(off > BAR)


if __name__ == "__main__":
    sys.exit(main())
