"""How sure the teacher is of what each number at its heads belongs to.

A detector answers in rows: a candidate each, its box and its scores. Which row a number of a head belongs to
is found by gradients, whatever the tail between them does: with J the derivative of the answers y by one
number h of a head, and v random,

    sum_r r (J v)_r / sum_r (J v)_r = r        where h reaches one row r alone,

and the same over channels tells the channel of y, where h reaches one alone. Heads are drawn at random for
it, twice: what does not agree has no row.

The confidence of a row is its highest score; where one score stands beside whichever of the others is high,
it is an objectness, and the confidence is its product with the highest of the others.

Shapes: N images, R rows, K channels of the answer, C channels and P positions of a head.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from paredown.graph.executor import Executor
from paredown.graph.torch_ops import Tensor, torch
from paredown.model import Model

RARE = 0.1  # a number whose mean is below this tells something rare: a score, not a coordinate
NONE = -1  # no row, no channel
HIGH, BESIDE = 0.5, 0.25  # a score that says yes; one that may belong to it
COMPANY = 0.6  # of the rows where an objectness is high, a class is at least this often high too
FEWEST = 5  # rows with a high score, to tell an objectness from


@dataclass(frozen=True)
class CandidateRows:
    """The rows of answers of one length.

    answers: names. row, channel: head -> (C, P), -1 where it has none. scores: channels of the answers.
    objectness: one of the scores, None where there is none.
    """

    answers: tuple[str, ...]
    row: Mapping[str, Tensor]
    channel: Mapping[str, Tensor]
    scores: tuple[int, ...]
    objectness: int | None

    def of(self, made: Mapping[str, Tensor]) -> Tensor:
        """The rows of the answers, (N, R, K)."""
        return torch.cat([_rows(made[name]) for name in self.answers], 2)

    def confidence(self, y: Tensor) -> Tensor:
        """(N, R) of rows (N, R, K)."""
        classes = [k for k in self.scores if k != self.objectness]
        best = y[:, :, classes].amax(2)
        return best if self.objectness is None else best * y[:, :, self.objectness]

    def sure(self, made: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """c and o by head, (N, C, P): the confidence of a number's row, the objectness a class goes by."""
        y = self.of(made)
        there = torch.ones_like(y[:, :, 0]) if self.objectness is None else y[:, :, self.objectness]
        c, o = self.confidence(y), {}
        for head, row in self.row.items():
            itself = self.channel[head] == (NONE if self.objectness is None else self.objectness)
            o[head] = torch.where(itself, torch.ones(()), _at(there, row))
        return {head: _at(c, row) for head, row in self.row.items()}, o

    def tells(self, head: str) -> Tensor:
        """(C,) True for the channels of a head that become scores."""
        scores = torch.tensor(self.scores, device=self.channel[head].device)
        return torch.isin(self.channel[head], scores).float().mean(1) > 0.5


def find_candidates(
    teacher: Model, heads: Mapping[str, Tensor], answers: Sequence[str], seen: Sequence[Mapping[str, Tensor]]
) -> list[CandidateRows]:
    """The rows of a teacher, by their number; none where it does not answer in rows with scores among them.

    heads: by name, one image's. answers: names of tensors that may hold rows. seen: answers on some images.
    """
    by_length: dict[int, list[str]] = {}
    for name in answers:
        y = seen[0][name]
        if y.is_floating_point() and (y.ndim == 3 or (y.ndim == 2 and len(y) > 1)):
            by_length.setdefault(max(_rows(y).shape[1:]), []).append(name)
    found = [_rows_in(teacher, heads, names, seen) for names in by_length.values()]
    return [rows for rows in found if rows is not None]


def _rows_in(
    teacher: Model, heads: Mapping[str, Tensor], names: Sequence[str], seen: Sequence[Mapping[str, Tensor]]
) -> CandidateRows | None:
    tail = Executor(teacher, names, given=heads, device=str(next(iter(heads.values())).device))
    first, second = (_trace(tail, heads, names, seed) for seed in (0, 1))
    row, channel = (
        {head: torch.where(a[head] == b[head], a[head], NONE) for head in a}
        for a, b in zip(first[:2], second[:2], strict=True)
    )
    row = {head: r for head, r in row.items() if (r >= 0).float().mean() > 0.5}
    y = torch.cat([torch.cat([_rows(made[name]) for name in names], 2)[0] for made in seen])
    shares = (y.amin(0) >= 0) & (y.amax(0) <= 1) & ((y.mean(0) < RARE) | (first[2] & second[2]))
    scores = tuple(shares.nonzero().flatten().tolist())
    if not row or not scores:
        return None
    found = objectness(y[:, list(scores)])
    return CandidateRows(tuple(names), row, channel, scores, None if found is None else scores[found])


def objectness(scores: Tensor) -> int | None:
    """The column of (R, K) scores that is high beside whichever of the others is; None where none is so."""
    best, most = None, COMPANY
    for k in range(scores.shape[1] if scores.shape[1] > 1 else 0):
        sure = scores[scores[:, k] > HIGH]
        others = sure.clone()
        others[:, k] = 0
        beside, which = others.max(1) if len(sure) >= FEWEST else (None, None)
        if beside is None or which is None:
            continue
        accompanied = beside > BESIDE
        various = len(set(which[accompanied].tolist())) >= min(2, scores.shape[1] - 1)
        share = float(accompanied.float().mean())
        if various and share > most:
            best, most = k, share
    return best


def _trace(
    tail: Executor, heads: Mapping[str, Tensor], names: Sequence[str], seed: int
) -> tuple[dict[str, Tensor], dict[str, Tensor], Tensor]:
    """Row and channel by head, (C, P), of random heads; (K,) True for channels that are their sigmoids."""
    rng = torch.Generator().manual_seed(seed)
    feeds = {
        name: torch.randn(x.shape, generator=rng).to(x.device).requires_grad_() for name, x in heads.items()
    }
    made = tail.run(feeds)
    y = torch.cat([_rows(made[name]) for name in names], 2)[0]
    weighed = y * (torch.rand(y.shape, generator=rng) + 0.5).to(y.device)
    rows, channels = (torch.arange(n, device=y.device, dtype=y.dtype) for n in y.shape)
    sums = (weighed.sum(), (weighed * rows[:, None]).sum(), (weighed * channels).sum())
    found = [torch.autograd.grad(s, list(feeds.values()), retain_graph=True, allow_unused=True) for s in sums]
    row, channel = {}, {}
    right, wrong = (torch.zeros(y.shape[1], dtype=torch.bool, device=y.device) for _ in range(2))
    for name, whole, by_row, by_channel in zip(feeds, *found, strict=True):
        if whole is None or by_row is None or by_channel is None:
            continue
        row[name], channel[name] = _whole(by_row, whole, len(rows)), _whole(by_channel, whole, len(channels))
        alone = (row[name] >= 0) & (channel[name] >= 0)
        at, number = channel[name][alone], flat(feeds[name])[0][alone]
        same = (y[row[name][alone], at] - torch.sigmoid(number)).abs() < 1e-3
        right[at[same]], wrong[at[~same]] = True, True
    return row, channel, right & ~wrong


def _whole(above: Tensor, below: Tensor, end: int) -> Tensor:
    """above / below where that is a whole number of 0..end - 1, else NONE; (C, P) of (1, C, ...)."""
    ratio = flat(above / torch.where(below == 0, torch.nan, below))[0]
    near = ratio.round()
    return (
        torch.where(((ratio - near).abs() < 0.1) & (near >= 0) & (near < end), near, NONE)
        .nan_to_num(NONE)
        .long()
    )


def _at(values: Tensor, row: Tensor) -> Tensor:
    """(N, R) at rows (C, P): (N, C, P); 0 without a row."""
    taken = values[:, row.clamp(min=0).flatten()].reshape(len(values), *row.shape)
    return taken * (row >= 0)


def _rows(y: Tensor) -> Tensor:
    """(N, R, K): rows are the longer axis. An answer of one image may lack N."""
    y = y[None] if y.ndim == 2 else y
    return y if y.shape[1] >= y.shape[2] else y.transpose(1, 2)


def flat(x: Tensor) -> Tensor:
    """(N, C, P). Tokens (N, P, C) of a matrix product are told by their three axes."""
    if x.ndim == 2:
        return x[:, :, None]
    return x.transpose(1, 2) if x.ndim == 3 else x.flatten(2)
