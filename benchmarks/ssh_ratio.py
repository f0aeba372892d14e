"""Whether SSH changes a measured ratio of latencies: this machine over loopback against itself, in turns.

    python benchmarks/ssh_ratio.py A.onnx B.onnx            # an sshd of its own on 127.0.0.1
    python benchmarks/ssh_ratio.py A.onnx B.onnx --host ssh:localhost

Four processes, both models here and both over SSH, take turns in every round. Bar: over SSH the ratio of a
round is at most 3 % off that of the same round here (the median of all rounds; its interval is printed).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np

from paredown import api
from paredown._measure.timing.interleaved import TimingPlan, interleave, warmed_up
from paredown._measure.timing.process import WorkerProcess
from paredown.hosts import open_host
from paredown.hosts.board_link import close_links
from paredown.hosts.ssh_connection import CONFIG
from paredown.model import TensorSpec
from paredown.protocols import Host, silent
from paredown.runtimes import RUNTIMES
from paredown.statistics.confidence_interval import median_of_rounds
from paredown.targets import target

BAR = 0.03


@contextmanager
def loopback():
    """A host behind a real sshd of this script, laid out by links to what is installed here."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    from sshd import make_board

    with TemporaryDirectory(prefix="paredown-") as folder:
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


def timed(models: tuple[Path, Path], hosts: dict[str, Host], rounds: int) -> dict[str, list[float]]:
    """The ratio of the two models in every round, by host. All four processes take turns in each round."""
    plan = TimingPlan(min_runs=rounds, min_seconds=0, min_rounds=rounds, turn_s=0.2)
    fed = [noise(api.load(model).inputs[0]) for model in models]
    with ExitStack() as stack, TemporaryDirectory(prefix="paredown-") as folder:
        workers, records = [], []
        for host in hosts.values():
            place = target("local", host)
            for model, feeds in zip(models, fed, strict=True):
                built = place.build(model, Path(folder))
                worker = WorkerProcess(
                    place.host, built, RUNTIMES[place.runtime], feeds, threads=1, timeout_s=plan.timeout_s
                )
                workers.append(stack.enter_context(worker))
                records.append(warmed_up(worker, plan))
        interleave(workers, records, plan, silent)
    halves = {name: (records[2 * i], records[2 * i + 1]) for i, name in enumerate(hosts)}
    return {
        name: [x / y for x, y in zip(a.round_s, b.round_s, strict=True)] for name, (a, b) in halves.items()
    }


def main() -> int:
    """Exit code: 1 where the bar is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("a", type=Path)
    parser.add_argument("b", type=Path)
    parser.add_argument("--host", default="")
    parser.add_argument("--rounds", type=int, default=40)
    args = parser.parse_args()
    with named(args.host) if args.host else loopback() as there:
        ratios = timed((args.a, args.b), {"here": open_host(), "ssh": there}, args.rounds)
    middle = {key: median(values) for key, values in ratios.items()}
    pairs = zip(ratios["ssh"], ratios["here"], strict=True)
    change = median_of_rounds([[there / here] for there, here in pairs])
    found = {
        "ratio": middle,
        "changed_by": change.value - 1,
        "interval": [change.low - 1, change.high - 1],
        "bar": BAR,
        "rounds": args.rounds,
        "load": os.getloadavg()[0],
    }
    print(json.dumps(found, indent=1))
    return int(abs(change.value - 1) > BAR)


if __name__ == "__main__":
    sys.exit(main())
