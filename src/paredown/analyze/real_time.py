"""Whether a candidate keeps up with a camera: the time of one frame against what the frame rate leaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from paredown.analyze.against_float import compared
from paredown.analyze.selection import Candidate
from paredown.measurement import Quantity

Found = Literal["keeps up", "too slow", "too near to tell"]
AROUND = ("pre_s", "post_s")  # what a frame needs beside the inference


@dataclass(frozen=True)
class RealTime:
    """A candidate at a frame rate.

    frame_s: of one frame, its interval where the latency has one. parts: seconds by name, the inference as
    "latency_s". whole: whether preprocessing and decoding are in it.
    """

    fps: float
    frame_s: float
    low_s: float
    high_s: float
    parts: dict[str, float]
    whole: bool

    @property
    def found(self) -> Found:
        """Whether the whole interval lies on one side of what the rate leaves."""
        budget = 1 / self.fps
        return (
            "keeps up" if self.high_s <= budget else "too slow" if self.low_s > budget else "too near to tell"
        )

    @property
    def reached_fps(self) -> float:
        """Frames per second, one after the other."""
        return 1 / self.frame_s


def real_time(candidate: Candidate, fps: float) -> RealTime | None:
    """The verdict at a frame rate; None where the candidate was not timed.

    The frame is preprocessing, inference and decoding one after the other. Where the first and last were not
    timed on the target's host, the inference alone is judged, and `whole` says so.
    """
    latency = compared(candidate.trial, candidate.baseline, "latency_s")
    if latency is None or not latency.value > 0:
        return None
    around = {name: q.value for name in AROUND if (q := _own(candidate, name)) is not None}
    whole = len(around) == len(AROUND)
    more = sum(around.values()) if whole else 0.0
    low = latency.value if latency.low is None else latency.low
    high = latency.value if latency.high is None else latency.high
    parts = {"latency_s": latency.value, **(around if whole else {})}
    return RealTime(fps, latency.value + more, low + more, high + more, parts, whole)


def _own(candidate: Candidate, name: str) -> Quantity | None:
    return None if candidate.trial.measurement is None else candidate.trial.measurement.get(name)
