"""A PyTorch module becomes a model: exported to ONNX, and compared with the module.

torch is imported where it is used: nothing here needs it before.
"""

from __future__ import annotations

import inspect
import io
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from paredown.errors import MissingDependency, ParedownError, UnsupportedModel, UsageError, first_line
from paredown.graph.load import from_proto, parse
from paredown.graph.notes import add_note
from paredown.graph.run import run_once
from paredown.model import Model

if TYPE_CHECKING:
    import torch

OPSET = 18
AGREES = 1e-3  # of the largest value of an output: float32 summed in another order


def from_torch(module: torch.nn.Module, example: Any, *, name: str = "model", opset: int = OPSET) -> Model:
    """The model of a PyTorch module, exported to ONNX and compared with it on the example.

    example: a tensor, a tuple of tensors, or the shape of one float32 input: (1, 3, 640, 640). Both of
    torch's exporters are tried, that by tracing first; the first whose file answers as the module is taken.

    Raises MissingDependency without torch; UnsupportedModel with the reason of each exporter.
    """
    given, was_training = _example(example), module.training
    module.eval()
    try:
        wanted = _answers(module, given)
        reasons: list[str] = []
        for route, export in _ROUTES.items():
            try:
                return _checked(export(module, given, opset), given, wanted, name, route)
            except ParedownError as error:
                reasons.append(f"{route}: {error.what}{'' if error.got is None else f' ({error.got})'}")
            except Exception as error:  # the exporters raise whatever the module's code met
                reasons.append(f"{route}: {type(error).__name__}: {first_line(error)[:300]}")
    finally:
        module.train(was_training)
    raise UnsupportedModel(
        "PyTorch cannot export this module to ONNX",
        got="; ".join(reasons),
        hint="export it by the library it comes from, and give the .onnx file",
    )


def _example(example: Any) -> tuple[torch.Tensor, ...]:
    try:
        import torch
    except ImportError as error:
        raise MissingDependency("torch", "train", "reading a PyTorch module") from error
    if isinstance(example, torch.Tensor):
        return (example,)
    parts = tuple(example) if isinstance(example, tuple | list) else ()
    if parts and all(isinstance(d, int) for d in parts):
        return (torch.rand(parts, generator=torch.Generator().manual_seed(0)),)
    if parts and all(isinstance(p, torch.Tensor) for p in parts):
        return parts
    raise UsageError(
        "the example is no input of a module",
        got=type(example).__name__,
        expected="a tensor, a tuple of tensors, or a shape such as (1, 3, 640, 640)",
    )


def _answers(module: torch.nn.Module, given: Sequence[torch.Tensor]) -> list[np.ndarray[Any, Any]]:
    """All tensors that the module gives, in the order in which an exporter lists them."""
    import torch

    with torch.no_grad():
        return [t.detach().cpu().numpy() for t in _flat(module(*given))]


def _flat(answer: Any) -> list[torch.Tensor]:
    import torch

    if isinstance(answer, torch.Tensor):
        return [answer]
    parts = (
        answer.values() if isinstance(answer, dict) else answer if isinstance(answer, list | tuple) else ()
    )
    return [t for part in parts for t in _flat(part)]


def _traced(module: torch.nn.Module, given: tuple[torch.Tensor, ...], opset: int) -> bytes:
    import torch

    file, names = io.BytesIO(), _names(module, len(given))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tracing; what is wrong in the file is found by comparing
        torch.onnx.export(module, given, file, input_names=names, opset_version=opset, dynamo=False)  # type: ignore[arg-type]
    return file.getvalue()


def _names(module: torch.nn.Module, count: int) -> list[str]:
    """What the module calls its inputs."""
    named = [
        p.name
        for p in inspect.signature(module.forward).parameters.values()
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    return [*named, *(f"input{i}" for i in range(len(named), count))][:count]


def _captured(module: torch.nn.Module, given: tuple[torch.Tensor, ...], opset: int) -> bytes:
    import torch

    try:
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise MissingDependency("onnxscript", "train", "torch's newer exporter") from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(module, given, opset_version=opset, dynamo=True, verbose=False)
    return bytes(program.model_proto.SerializeToString())  # type: ignore[union-attr]


_ROUTES: dict[str, Callable[[Any, tuple[Any, ...], int], bytes]] = {
    "torch.onnx.export(dynamo=False)": _traced,
    "torch.onnx.export(dynamo=True)": _captured,
}


def _checked(
    data: bytes, given: Sequence[torch.Tensor], wanted: Sequence[np.ndarray[Any, Any]], name: str, route: str
) -> Model:
    """The model in the bytes. Raises UnsupportedModel where it does not answer as the module."""
    proto = parse(data, name)
    model = from_proto(proto, name)
    feeds = {s.name: x.detach().cpu().numpy() for s, x in zip(model.inputs, given, strict=True)}
    found = run_once(model.data, feeds)
    if len(found) != len(wanted):
        raise UnsupportedModel("another number of outputs", got=f"{len(found)}, the module has {len(wanted)}")
    worst = 0.0
    for (output, got), want in zip(found.items(), wanted, strict=True):
        if got.shape != want.shape:
            raise UnsupportedModel(
                f"output {output!r} has another shape", got=f"{got.shape}, not {want.shape}"
            )
        scale = max(float(np.abs(want).max(initial=0.0)), 1e-6)
        apart = np.abs(got.astype(np.float64) - want.astype(np.float64)).max(initial=0.0) / scale
        worst = max(worst, float(apart))
    if not worst <= AGREES:
        raise UnsupportedModel(
            "the file does not answer as the module", got=f"apart by {worst:.3g} of the range"
        )
    add_note(proto, f"exported by {route}; apart from the module by {worst:.1e} of an output's range")
    return replace(from_proto(proto, name), card=None)
