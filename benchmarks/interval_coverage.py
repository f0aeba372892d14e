"""How often the interval of a difference in mAP holds the true difference, over simulated experiments.

    python benchmarks/interval_coverage.py [--cases 300]    # writes results/interval_coverage.json

Two detectors that share what is hard about an image are simulated on a population of images, whose mAP
difference is taken for the true one; each case draws some of the images and makes the interval of a 95 %
level that `run` would show (`analyze.sampled.difference`). It also times one interval of 80 classes.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import date
from functools import lru_cache
from time import process_time

import numpy as np
from common import RESULTS, command, machine

from paredown._measure.environment import environment
from paredown.analyze.sampled import difference, sampled
from paredown.detections import Detections
from paredown.hosts import open_host
from paredown.metrics import METRICS
from paredown.metrics.matching import Matches, match
from paredown.metrics.tally import DetectionTally
from paredown.sample import Labels

METRIC = METRICS["map50_95"]
OUT = "interval_coverage.json"
POPULATION = 4000
SHARING = 50  # experiments on one population
SIDE = 640.0


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cases", type=int, default=300)
    parser.add_argument("--images", type=int, default=200)
    args = parser.parse_args()
    covered = []
    for case in range(args.cases):
        covered.append(covers(case, args.images))
        if case % 25 == 24:
            print(f"{sum(covered)} of {case + 1} covered", file=sys.stderr)
    scene = simulate(np.random.default_rng(0), args.images, 80, noise=7, objects=7, strays=250)
    started = process_time()
    a, b = (sampled(m, DetectionTally) for m in scene)
    shown = difference(a, b, METRIC)
    seconds = process_time() - started
    result = {
        "command": command(sys.argv),
        "machine": machine(environment(open_host(), 1)),
        "date": date.today().isoformat(),
        "cases": args.cases,
        "images": args.images,
        "covered": float(np.mean(covered)),
        "seconds_80_classes": seconds,
        "method": shown.method,
    }
    (RESULTS / OUT).write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))
    return int(not 0.93 <= result["covered"] <= 0.97)


def covers(case: int, images: int) -> bool:
    """Whether the interval of one experiment holds the difference over the whole population."""
    pair, true = population(case // SHARING)
    chosen = np.random.default_rng(1000 + case).choice(POPULATION, images, replace=False)
    found = difference(*(sampled(part(m, chosen), DetectionTally, seed=case) for m in pair), METRIC)
    return found.low <= true <= found.high


@lru_cache(maxsize=1)
def population(seed: int) -> tuple[tuple[Matches, Matches], float]:
    """Two detectors on all images there are, and by how much the second's mAP is the higher one."""
    rng = np.random.default_rng(seed)
    pair = simulate(rng, POPULATION, 3, noise=rng.uniform(6, 12), objects=3, strays=4)
    once = np.ones((1, POPULATION), np.int64)
    first, second = (float(METRIC.compute(DetectionTally(m, once))[0]) for m in pair)
    return pair, second - first


def simulate(
    rng: np.random.Generator, images: int, classes: int, *, noise: float, objects: float, strays: float
) -> tuple[Matches, Matches]:
    """What two detectors find in the same images: the second draws its boxes a little worse."""
    truths, answers = [], ([], [])
    for _ in range(images):
        count = rng.poisson(objects)
        corner = rng.uniform(0, SIDE, (count, 2))
        boxes = np.concatenate([corner, corner + rng.uniform(30, 200, (count, 2))], axis=1)
        kinds = rng.integers(0, classes, count)
        truths.append(
            Labels(boxes, kinds, np.zeros(count, bool), np.prod(boxes[:, 2:] - boxes[:, :2], axis=1))
        )
        hardness = rng.normal(0, 1, count)
        drawn = boxes + rng.normal(0, noise, (count, 4))
        for answer, spread, lift in zip(answers, (0.0, 4.0), (0.0, -0.3), strict=True):
            sure = 1 / (1 + np.exp(hardness - lift + rng.normal(0, 0.3, count)))
            answer.append(
                _with_strays(rng, drawn + rng.normal(0, spread, (count, 4)), sure, kinds, classes, strays)
            )
    first, second = (match(found, truths, classes, 0.25) for found in answers)
    return first, second


def _with_strays(
    rng: np.random.Generator,
    boxes: np.ndarray,
    scores: np.ndarray,
    kinds: np.ndarray,
    classes: int,
    strays: float,
) -> Detections:
    """The detections and some false alarms, less sure ones more often."""
    count = rng.poisson(strays)
    corner = rng.uniform(0, SIDE, (count, 2))
    false = np.concatenate([corner, corner + rng.uniform(30, 200, (count, 2))], axis=1)
    return Detections(
        np.concatenate([boxes, false]).astype(np.float32),
        np.concatenate([scores, rng.beta(1, 4, count)]).astype(np.float32),
        np.concatenate([kinds, rng.integers(0, classes, count)]),
    )


def part(found: Matches, images: np.ndarray) -> Matches:
    """The matches of some of the images, numbered as they were drawn."""
    place = np.full(found.n_images, -1)
    place[images] = np.arange(len(images))
    kept, true = place[found.image] >= 0, place[found.truth_image] >= 0
    return Matches(
        n_images=len(images),
        n_classes=found.n_classes,
        conf=found.conf,
        image=place[found.image[kept]],
        class_=found.class_[kept],
        score=found.score[kept],
        hit=found.hit[..., kept],
        ignored=found.ignored[..., kept],
        truth_image=place[found.truth_image[true]],
        truth_class=found.truth_class[true],
        truth_score=found.truth_score[true],
        counted=found.counted[:, true],
        found_score=found.found_score[true],
        found_iou=found.found_iou[true],
    )


if __name__ == "__main__":
    sys.exit(main())
