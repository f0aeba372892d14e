"""Distillation: a pupil learns to answer as its teacher does, from images alone.

Adam (Kingma & Ba 2015, arXiv 1412.6980) with a cosine rate after a warm-up, on augmented images; the
average of the parameters over the steps (EMA) is what is kept. A step's length is relative to the
parameter's own size, as in Adafactor (Shazeer & Stern 2018, arXiv 1804.04235, section 8), so that one rate
suits every layer. Held-out images judge; what was best on them is handed back, and that is the start itself
where nothing was better.

Same seed, images and steps: the same result, across a stop in between too, but for the last bits of a float.
A training that its time limit ends promises no such thing.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
from numpy.typing import NDArray

from paredown._compress.finetune.augment import augment
from paredown._compress.finetune.checkpoint import Checkpoint, load, save
from paredown._compress.finetune.distillation_loss import make_objective
from paredown._compress.finetune.images import FeedTensors, batches, divide, read, together
from paredown._compress.finetune.rates import cosine, groups
from paredown._compress.finetune.taps import Taps, at_pupil, find_taps
from paredown._compress.finetune.training import Learned, Training, better
from paredown.errors import CalibrationError
from paredown.graph.executor import Executor, threads
from paredown.graph.load import to_proto
from paredown.graph.torch_ops import Tensor, torch
from paredown.graph.walk import has_shape, shape_of, to_ir
from paredown.model import Model
from paredown.protocols import FeedSource, Progress, silent

STATISTICS = 16  # images on which the objective takes its statistics
VALUES = 2_500_000  # of the input, run at once (two images of 640x640): a batch is the sum of such runs
FEW_VALUES = 650_000  # of the input: a step takes at least so many (four images of 224x224) ...
LARGE_BATCH = 16  # ... or so many images
PATIENCE = 8  # checks behind the best before it stops


Sculpt = Callable[[Executor, float], bool]
"""sculpt(pupil, done) -> did it change the pupil's masks? Called before every step, `done` from 0 to 1."""


def distill(
    pupil: Model,
    teacher: Model,
    images: FeedSource,
    training: Training,
    *,
    unrounded: Mapping[str, NDArray[np.float32]] | None = None,
    masks: Mapping[str, NDArray[np.bool_]] | None = None,
    sculpt: Sculpt | None = None,
    left: Mapping[str, NDArray[np.int64]] | None = None,
    learn_from: FeedSource | None = None,
    progress: Progress = silent,
) -> Learned:
    """What the pupil's graph has learned from the teacher's; neither model is changed.

    pupil: the teacher's graph with other numbers in it, quantized or not, or with fewer channels. masks:
    weights that count as zero where they are False. sculpt: changes them on the way; what was best under
    older masks is then forgotten. left: tensor -> which of the teacher's channels the pupil still has.
    learn_from: images of anything, learned from as well; they judge nothing.

    Raises: CalibrationError without images; UnsupportedModel for a graph that cannot be learned through.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    left = left or {}
    taps = _comparable(find_taps(to_ir(teacher).graph), pupil, teacher, left)
    names = _pupil_names(pupil, taps)
    taught = Executor(teacher, [*taps.heads, *taps.features, *taps.answers], device=device)
    learner = Executor(
        pupil, list(dict.fromkeys(names.values())), device=device, unrounded=unrounded, masks=masks
    )
    with threads(training.threads):
        seen = read(images)
        if not seen:
            raise CalibrationError("there is no image to learn from", expected="at least one, 100 are good")
        more = read(learn_from) if learn_from else []
        return _Trainer(taught, learner, names, seen, more, training, taps, sculpt, left).run(progress)


def _comparable(taps: Taps, pupil: Model, teacher: Model, left: Collection[str]) -> Taps:
    """Without the features that lost channels nobody knows which: nothing can be compared one by one."""
    theirs, mine = _shapes(teacher), _shapes(pupil)
    kept = tuple(
        name for name in taps.features if (name in theirs and mine.get(name) == theirs[name]) or name in left
    )
    return replace(taps, features=kept)


def _shapes(model: Model) -> dict[str, tuple[int, ...]]:
    graph = ir.from_proto(onnx.shape_inference.infer_shapes(to_proto(model))).graph
    return {str(v.name): shape_of(v) for node in graph for v in node.outputs if has_shape(v)}


def _pupil_names(pupil: Model, taps: Taps) -> dict[str, str]:
    graph = to_ir(pupil).graph
    return {name: at_pupil(graph, name) for name in (*taps.heads, *taps.features)}


class _Trainer:
    def __init__(
        self,
        teacher: Executor,
        pupil: Executor,
        names: Mapping[str, str],
        images: Sequence[FeedTensors],
        further: Sequence[FeedTensors],
        training: Training,
        taps: Taps,
        sculpt: Sculpt | None,
        left: Mapping[str, NDArray[np.int64]],
    ) -> None:
        self.teacher, self.pupil, self.names, self.training = teacher, pupil, names, training
        self.sculpt = sculpt
        self.left = {
            name: torch.from_numpy(left[name]).to(pupil.device) for name in taps.features if name in left
        }
        self.held, own = divide(images)
        self.images = [*own, *further]
        size = sum(x.numel() for x in self.images[0].values())
        self.batch = max(training.batch, min(FEW_VALUES // size, LARGE_BATCH))
        self.brief = training.brief and str(pupil.device) == "cpu" and multiplies_bfloat16()
        mixes = teacher.batch_fault() or pupil.batch_fault()
        self.together = 1 if mixes else max(VALUES // size, 1)
        self.objective = make_objective(teacher, taps, [self._ready(x) for x in images[:STATISTICS]])
        self.truth = [self._taught(self._ready(x)) for x in self.held]
        self.optimizer = torch.optim.Adam(groups(pupil, training.rate), betas=(0.9, 0.99), eps=1e-12)
        self.average = {k: p.detach().clone() for k, p in pupil.parameters.items()}
        self.first = self._real(pupil.parameters)
        self.checkpoint: Path | None = None
        self.state = self._start()

    def run(self, progress: Progress) -> Learned:
        """Trains until the steps, the time or the progress end."""
        begun, stopped = time.perf_counter() - self.state.seconds, ""
        while not stopped:
            for step in progress(self._steps(begun), self._progress_text(), self._expected()):
                done = self._done(step, time.perf_counter() - begun)
                if self.sculpt is not None and self.sculpt(self.pupil, done):
                    self.state.best, self.state.best_error, self.state.checks_since_best = self.first, 1.0, 0
                self._learn(step, done)
                self.state.step = step + 1
            self.state.seconds = time.perf_counter() - begun
            self._judge()
            stopped = self._ended()
        if self.checkpoint:
            self.checkpoint.unlink(missing_ok=True)
        return self._learned(stopped)

    def _steps(self, begun: float) -> Iterator[int]:
        """The steps up to the next check."""
        state, checks = self.state, self.training.checks
        last = (math.floor(self._done(state.step, state.seconds) * checks + 1e-9) + 1) / checks
        while self._done(state.step, time.perf_counter() - begun) < last - 1e-9:
            yield state.step

    def _expected(self) -> int:
        """About so many steps lie between two checks."""
        state, training = self.state, self.training
        pace = 60 * training.minutes * state.step / state.seconds if state.seconds > 0 else training.steps
        return max(int(min(training.steps, pace) / training.checks), 1)

    def _ended(self) -> str:
        state, training = self.state, self.training
        if state.step >= training.steps:
            return "steps"
        if state.seconds >= 60 * training.minutes:
            return "time"
        worse = state.best_error < 1 and state.checks_since_best >= PATIENCE
        return "no progress" if worse else ""  # never better yet: it may be once the rate has fallen

    def _learned(self, stopped: str) -> Learned:
        """What is handed back: the start again, where the best is no better beyond chance."""
        parts = self._kept(self.state.best)
        if self.sculpt is None and not better(self.before, self._errors(parts)):
            self.state.best, self.state.best_error = self.first, 1.0
            parts = self._kept(self.first)
        relative = {n: v / max(self.objective.start[n], 1e-12) for n, v in _means(parts).items()}
        return Learned(
            self.pupil.learned(),
            self.state.best_error,
            relative,
            self.state.step,
            self.state.seconds,
            stopped,
            str(self.pupil.device),
        )

    def _kept(self, parameters: Mapping[str, Tensor]) -> list[dict[str, Tensor]]:
        """Takes parameters and the masks that their zeros say, and gives the parts of their error."""
        self._take(parameters)
        self.pupil.masks = {name: (parameters[name] != 0).float() for name in self.pupil.masks}
        return self._held_parts()

    def _start(self) -> Checkpoint:
        """The state before the first step, or that of the checkpoint."""
        parts = self._held_parts()
        self.objective.start = _means(parts)
        self.before = self._errors(parts)
        key = f"{self.pupil.model.sha256} {self.teacher.model.sha256} {_key(self.training, self.images)}"
        if self.training.folder is not None:
            digest = hashlib.sha256(key.encode()).hexdigest()
            self.checkpoint = self.training.folder / f"learning-{digest[:12]}.pt"
        found = load(self.checkpoint, key) if self.checkpoint else None
        if found is None:
            return Checkpoint(key, 0, 0.0, self.first, self.average, self.first, 1.0, 0, {})
        self._take(found.parameters)
        self.pupil.masks |= found.masks
        self.average = found.average
        self.optimizer.load_state_dict(found.optimizer)
        return found

    def _learn(self, step: int, done: float) -> None:
        """One step of the optimiser."""
        training, rng = self.training, np.random.default_rng((self.training.seed, step))
        chosen = rng.choice(len(self.images), self.batch, replace=len(self.images) < self.batch)
        self.optimizer.zero_grad(set_to_none=True)
        for some in batches(list(chosen), self.together):
            x = augment(together([self._ready(self.images[i]) for i in some]), rng, self.training.blended)
            with torch.autocast("cpu", torch.bfloat16, enabled=self.brief):
                taught, asked = self._taught(x), self._asked(x)
            if self.brief:
                taught, asked = _widened(taught), _widened(asked)
            error = self.objective.total(self.objective.parts(taught, asked))
            torch.autograd.backward(error * (len(some) / self.batch))
        self._drop_infinite()
        factor = cosine(done, training.warm_up)
        for group in self.optimizer.param_groups:
            group["lr"] = group["longest"] * factor
        self.optimizer.step()
        keep = min(training.average, (1 + step) / (10 + step))
        with torch.no_grad():
            for name, p in self.pupil.parameters.items():
                self.average[name].lerp_(p, 1 - keep)

    def _drop_infinite(self) -> None:
        for p in self.pupil.parameters.values():
            if p.grad is not None and not bool(torch.isfinite(p.grad).all()):
                p.grad = None  # one overflow must not spoil Adam's memory

    def _judge(self) -> None:
        """Compares the averaged parameters with the best so far, and writes the checkpoint."""
        state = self.state
        now = {k: p.detach().clone() for k, p in self.pupil.parameters.items()}
        self._take(self.average)
        error = float(self._errors(self._held_parts()).mean())
        improved = error < state.best_error
        state.checks_since_best = 0 if improved else state.checks_since_best + 1
        if improved:
            state.best, state.best_error = self._real(self.average), error
        self._take(now)
        if self.checkpoint:
            state.parameters, state.average, state.optimizer = now, self.average, self.optimizer.state_dict()
            state.masks = self.pupil.masks
            save(self.checkpoint, state)

    def _held_parts(self) -> list[dict[str, Tensor]]:
        """The parts of the error on every held-out image."""
        with torch.no_grad():
            return [
                self.objective.parts(truth, self._asked(self._ready(image)))
                for image, truth in zip(self.held, self.truth, strict=True)
            ]

    def _errors(self, parts: Sequence[Mapping[str, Tensor]]) -> NDArray[np.float64]:
        """The error at the heads on every image: what is inside only helps."""
        heads = [{n: part for n, part in some.items() if n != "features"} or some for some in parts]
        return np.array([float(self.objective.total(some)) for some in heads])

    def _real(self, parameters: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """A copy of the parameters, zero where their masks are."""
        masks = self.pupil.masks
        return {k: p.detach() * masks[k] if k in masks else p.detach().clone() for k, p in parameters.items()}

    def _take(self, parameters: Mapping[str, Tensor]) -> None:
        with torch.no_grad():
            for name, p in self.pupil.parameters.items():
                p.copy_(parameters[name])

    def _taught(self, x: FeedTensors) -> dict[str, Tensor]:
        with torch.no_grad():
            made = self.teacher.run(x)
        return made | {name: made[name].index_select(1, kept) for name, kept in self.left.items()}

    def _asked(self, x: FeedTensors) -> dict[str, Tensor]:
        made = self.pupil.run(x)
        return {name: made[at] for name, at in self.names.items()}

    def _ready(self, feeds: FeedTensors) -> FeedTensors:
        return {
            name: (x.float() if x.dtype == torch.float16 else x).to(self.pupil.device)
            for name, x in feeds.items()
        }

    def _done(self, step: int, seconds: float) -> float:
        """The part of the training that is over, by steps or by time."""
        return max(step / self.training.steps, seconds / (60 * self.training.minutes))

    def _progress_text(self) -> str:
        state = self.state
        done = self._done(state.step, state.seconds)
        left = (
            f", {state.seconds * (1 - done) / done / 60:.0f} min left"
            if done > 0 and state.seconds > 1
            else ""
        )
        return f"learning, error {state.best_error:.0%} of the start{left}"


def _means(parts: Sequence[Mapping[str, Tensor]]) -> dict[str, float]:
    return {name: float(np.mean([float(some[name]) for some in parts])) for name in parts[0]}


def _widened(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: x.float() if x.is_floating_point() else x for name, x in tensors.items()}


def multiplies_bfloat16() -> bool:
    """True on a processor with bfloat16 matrix instructions: on others it is slower than float32."""
    names = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
    return any(getattr(torch.cpu, name, lambda: False)() for name in names)


def _key(training: Training, images: Sequence[FeedTensors]) -> str:
    """What must be the same for a checkpoint to be gone on from."""
    kept = {k: v for k, v in vars(training).items() if k not in ("folder", "threads", "minutes")}
    means = sum(float(x.float().mean()) for feeds in images for x in feeds.values())
    seen = f"{len(images)} images, {means:.9g}"
    return ", ".join([*(f"{k}={v}" for k, v in kept.items()), seen])
