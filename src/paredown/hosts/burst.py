"""A marker in a power meter's log: bursts of work on all cores. `python -m paredown.hosts.burst 1.5 0.75 ...`

The arguments are seconds of work and of rest in turns, work first. The answer is a JSON list: when it began,
then the end of each, on the clock of this machine (`time.monotonic`).
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Sequence

import numpy as np

from paredown.cores import usable_cores


def main(seconds: Sequence[float]) -> list[float]:
    """Work and rest; the edges."""
    edges = [time.monotonic()]
    for i, length in enumerate(seconds):
        end = edges[-1] + length
        if i % 2 == 0:
            threads = [threading.Thread(target=_work, args=(end,)) for _ in range(usable_cores())]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        time.sleep(max(0.0, end - time.monotonic()))
        edges.append(time.monotonic())
    return edges


def _work(end_s: float) -> None:
    values = np.random.default_rng(0).random((256, 256))
    while time.monotonic() < end_s:  # numpy frees the interpreter, so that the threads work side by side
        values = values @ values
        values /= values.max()


if __name__ == "__main__":
    json.dump(main([float(word) for word in sys.argv[1:]]), sys.stdout)
