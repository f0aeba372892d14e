"""Whether images may share a batch: tried, not guessed.

Two images that differ as much as inputs can (0..1 and 0..255) are run together and one by one. A shape
written for one image, an axis that is mixed, a sum over the batch: whatever it is, the answers differ.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from paredown.errors import UnsupportedModel
from paredown.graph.torch_ops import Tensor, torch
from paredown.model import TensorSpec

Run = Callable[[Mapping[str, Tensor], int], dict[str, Tensor]]  # feeds, batch size -> answers by name
REACHES = (1.0, 255.0)


def batch_fault(run: Run, inputs: Sequence[TensorSpec], own: int) -> str:
    """Why images cannot share a batch; "" where they can. own: the batch size the export wrote down."""
    rng = torch.Generator().manual_seed(0)
    single = [{s.name: _random(s, own, rng) * reach for s in inputs} for reach in REACHES]
    with torch.no_grad():
        apart = [run(_typed(feeds, inputs), own) for feeds in single]
        both = {name: torch.cat([feeds[name] for feeds in single]) for name in single[0]}
        try:
            together = run(_typed(both, inputs), own * len(single))
        except UnsupportedModel as error:
            return f"{error.what}: {error.got}"
    for name, answer in together.items():
        if fault := _differs(apart[0][name], apart[1][name], answer):
            return f"{name!r}: {fault}"
    return ""


def _random(spec: TensorSpec, own: int, rng: torch.Generator) -> Tensor:
    return torch.rand([own, *(d or 1 for d in spec.shape[1:])], generator=rng)


def _typed(feeds: Mapping[str, Tensor], inputs: Sequence[TensorSpec]) -> dict[str, Tensor]:
    return {s.name: feeds[s.name].to(getattr(torch, s.dtype)) for s in inputs}


def _differs(first: Tensor, second: Tensor, together: Tensor) -> str:
    """Why a batch of two does not answer as its images do alone, or "". Few roundings may fall otherwise."""
    if not first.ndim or (together.shape == first.shape and torch.equal(together, first)):
        return "" if torch.equal(first, second) else "a number of its own for every image"
    expected = torch.cat([first, second])
    if together.shape != expected.shape:
        return f"shape {list(together.shape)} for two images of shape {list(first.shape)} each"
    if not first.is_floating_point():
        same = float((together == expected).float().mean())
        return "" if same > 0.9 else "two images together are not answered as one by one"
    error = (together - expected).pow(2).mean().sqrt()
    allowed = 0.05 * (first - second).pow(2).mean().sqrt() + 1e-4 * expected.pow(2).mean().sqrt()
    return "" if error <= allowed else "two images together are not answered as one by one"
