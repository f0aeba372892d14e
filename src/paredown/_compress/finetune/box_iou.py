"""How far the pupil's boxes lie from the teacher's behind the decode tail, by 1 - IoU.

    places = sum_r c_r (1 - IoU(t_r, s_r)) / sum_r c_r

c_r is how sure the teacher is of row r. The numbers at the heads tell of a box in many ways (distances in
distributions, offsets in sigmoids, logarithms); which errors of theirs move it, the tail itself knows. It is
run behind the pupil's heads, so gradients go through it.

Source: Yu et al. 2016, "UnitBox", arXiv 1608.01471, section 3.1 (there -ln IoU, and ground truth).
Differs from the source: no labels; boxes nearly agree from the start, so that 1 - IoU serves.

Shapes: N images, R rows, K channels of the answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from paredown._compress.finetune.candidates import CandidateRows
from paredown.graph.executor import Executor
from paredown.graph.torch_ops import Tensor, torch

NEARLY_ALL = 0.999  # of the rows look like boxes
LEAST = 1e-6  # of all confidence together: an image may hold nothing at all


@dataclass(frozen=True)
class BoxIou:
    """Boxes in the answers' rows. columns: the four that hold them. corners: x1 y1 x2 y2, else centre, size.

    heads, tail: what is fed to the tail, by name, and the tail.
    """

    rows: CandidateRows
    heads: tuple[str, ...]
    tail: Executor
    columns: tuple[int, ...]
    corners: bool

    def error(self, teacher: Mapping[str, Tensor], heads: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """The weighted sum of 1 - IoU and the sum of weights. teacher: its answers; heads: the pupil's."""
        y = self.rows.of(teacher)
        sure = self.rows.confidence(y)
        images = _one_by_one({name: heads[name] for name in self.heads})
        made = [self.rows.of(self.tail.run(image)) for image in images]
        overlap = box_iou(self._boxes(y), self._boxes(torch.cat(made)))
        return (sure * (1 - overlap)).sum(), sure.sum().clamp(min=LEAST)

    def _boxes(self, y: Tensor) -> Tensor:
        return as_corners(y[:, :, list(self.columns)], self.corners)


def find_box_iou(
    teacher: Executor, heads: Sequence[str], rows: CandidateRows, seen: Sequence[Mapping[str, Tensor]]
) -> BoxIou | None:
    """Where the rows hold boxes; None where what they hold does not look like any. seen: answers."""
    y = torch.cat([rows.of(made)[0] for made in seen])
    columns = tuple(k for k in range(y.shape[1]) if k not in rows.scores)[:4]
    if len(columns) < 4:
        return None
    for corners in (True, False):
        if _are_boxes(y[:, list(columns)], corners):
            tail = Executor(teacher.model, rows.answers, given=heads, device=str(teacher.device))
            return BoxIou(rows, tuple(heads), tail, columns, corners)
    return None


def _are_boxes(y: Tensor, corners: bool) -> bool:
    """Do nearly all rows (R, 4) have a size, and lie all over the image? Distances to a cell do not."""
    low, size = y[:, :2], (y[:, 2:] - y[:, :2] if corners else y[:, 2:])
    sized = (size > 0).all(1).float().mean() >= NEARLY_ALL
    return bool(sized) and bool((low.std(0) > size.mean(0)).all())


def as_corners(boxes: Tensor, corners: bool) -> Tensor:
    """x1 y1 x2 y2 (..., 4), of these or of centre and size."""
    if corners:
        return boxes
    centre, half = boxes[..., :2], boxes[..., 2:] / 2
    return torch.cat([centre - half, centre + half], -1)


def box_iou(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union, pair by pair: (..., 4) corners twice -> (...)."""
    inside = (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp(min=0)
    common = inside.prod(-1)
    both = sum((x[..., 2:] - x[..., :2]).clamp(min=0).prod(-1) for x in (a, b))
    return common / (both - common).clamp(min=1e-9)


def _one_by_one(heads: Mapping[str, Tensor]) -> list[dict[str, Tensor]]:
    """Exports write one image into the shapes of their tails."""
    images = len(next(iter(heads.values())))
    return [{name: x[i : i + 1] for name, x in heads.items()} for i in range(images)]
