"""A graph run in PyTorch, node by node, so that it can be learned: the same ONNX graph goes in and comes out.

Weights, biases and scales are parameters (graph/learnable.py); Q and DQ pass gradients
(torch_ops/rounding.py). Any batch size runs, also where the export wrote batch 1 into its shapes: a shape
that begins with the export's batch is begun with the batch at hand. Before the first such run a batch of
unlike images is compared with its images one by one; a graph in which they differ is refused.

Shapes: N images in a batch.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from paredown.errors import UnknownName, UnsupportedModel
from paredown.graph.batches import batch_fault
from paredown.graph.learnable import (
    Learnable,
    learnables,
    limits_behind,
    stored_behind,
    type_limits,
)
from paredown.graph.learned_integers import on_grid, on_table, start_of
from paredown.graph.torch_ops import torch
from paredown.graph.torch_ops.call import Batch, Call, Function
from paredown.graph.torch_ops.rounding import fake_quantize
from paredown.graph.torch_ops.table import OPS
from paredown.graph.torch_ops.tensors import is_known, tensor_of, untyped
from paredown.graph.walk import clip_behind, readers_of_integers, to_ir, to_model, upstream
from paredown.graph.write_back import write_into
from paredown.model import Model

Tensors = Mapping[str, torch.Tensor]


@dataclass(frozen=True)
class _Step:
    """One node, ready to run. dead: names that nothing reads behind it."""

    call: Call
    function: Function
    inputs: tuple[str | None, ...]
    outputs: tuple[str, ...]
    dead: tuple[str, ...]


class Executor:
    """Runs a model's graph with gradients.

    outputs: names of the tensors wanted, inner ones too; only what they depend on is run. unrounded: weights
    from before they were rounded, in steps of their grid, by the name of their DequantizeLinear: learning
    starts there, within half a step of the integers stored; weights from before they took the values of a
    codebook, by the name of its Gather. masks: by weight name, False where the weight
    counts as zero; `self.masks` may be changed between runs, and the weight behind a zero goes on learning.
    given: names of tensors that are fed instead of computed; only what lies behind them is run.

    Raises:
        UnsupportedModel: an op that is not in `OPS`, or a type that torch has not, stands before the outputs.
        UnknownName: an output that no node makes.
    """

    def __init__(
        self,
        model: Model,
        outputs: Collection[str] | None = None,
        *,
        device: str = "cpu",
        unrounded: Mapping[str, NDArray[np.float32]] | None = None,
        masks: Mapping[str, NDArray[np.bool_]] | None = None,
        given: Collection[str] = (),
    ) -> None:
        self.model, self.device = model, torch.device(device)
        self._graph = to_ir(model).graph
        self.outputs = tuple(outputs or (s.name for s in model.outputs))
        for spec in model.inputs:
            if not is_known(spec.dtype):
                raise untyped(spec.name, spec.dtype)
        first = model.inputs[0].shape[:1] if model.inputs else ()
        self._batch = Batch(own=(first[0] or 1) if first else 1, now=1)
        self._fault: str | None = None  # why batches cannot be run; "" once they are known to be right
        nodes = self._needed(frozenset(given))
        self.learnables = _within(learnables(self._graph), nodes)
        self.parameters: dict[str, torch.nn.Parameter] = {}
        for name, item in self.learnables.items():
            start = start_of(item, unrounded or {})
            self.parameters[name] = torch.nn.Parameter(torch.from_numpy(start).to(self.device))
        self.masks = {
            name: torch.from_numpy(mask.astype(np.float32)).to(self.device)
            for name, mask in (masks or {}).items()
            if name in self.parameters
        }
        self._constants = self._read_constants(nodes)
        self._steps = self._plan(nodes)

    def run(self, feeds: Tensors) -> dict[str, torch.Tensor]:
        """The wanted tensors by name, for inputs of any batch size.

        Raises: UnsupportedModel where a batch of another size than the export's mixes its images.
        """
        size = next((len(x) for x in feeds.values() if x.ndim), self._batch.own)
        if size != self._batch.own and self.batch_fault():
            raise UnsupportedModel(
                "the graph cannot run several images at once",
                got=self.batch_fault(),
                hint="run them one by one, or export the model with a dynamic batch",
            )
        return self._run(feeds, size)

    def batch_fault(self) -> str:
        """Why images cannot share a batch; "" where they can."""
        if self._fault is None:
            self._fault = batch_fault(self._run, self.model.inputs, self._batch.own)
        return self._fault

    def write_back(self) -> Model:
        """The model with what was learned, an ordinary ONNX file of the same graph."""
        made = to_ir(self.model)
        write_into(made.graph, self.learned())
        return to_model(made, self.model)

    def learned(self) -> dict[str, NDArray[np.float32]]:
        """The parameters as real numbers, by initializer name: what `write_into` takes."""
        arrays = {name: p.detach().cpu().numpy().copy() for name, p in self.parameters.items()}
        for name, mask in self.masks.items():
            arrays[name] *= mask.cpu().numpy()
        for name, item in self.learnables.items():
            if item.kind == "scale":
                arrays[name] = np.exp(arrays[name])
        return arrays

    def feeds(self, arrays: Mapping[str, NDArray[np.generic]]) -> dict[str, torch.Tensor]:
        """The feeds as tensors, where the graph runs."""
        return {name: torch.from_numpy(x).to(self.device) for name, x in arrays.items()}

    def _needed(self, given: frozenset[str]) -> list[ir.Node]:
        makers = {str(v.name): node for node in self._graph for v in node.outputs}
        loose = {str(v.name) for v in self._graph.inputs} | set(self._graph.initializers)
        for name in self.outputs:
            if name not in makers and name not in loose:
                raise UnknownName("tensor", name, makers)
        fed = {makers[name] for name in given if name in makers}
        needed = upstream((makers[n] for n in self.outputs if n in makers), fed.__contains__) - fed
        nodes = [node for node in self._graph if node in needed]
        unknown = sorted(
            {n.op_type for n in nodes if n.domain not in ("", "ai.onnx") or n.op_type not in OPS}
        )
        if unknown:
            raise UnsupportedModel("the graph holds operators that cannot be learned through", got=unknown)
        return nodes

    def _read_constants(self, nodes: list[ir.Node]) -> dict[str, torch.Tensor]:
        """Floats on the device; integers on the CPU, where shapes and indices are read as Python numbers."""
        read = {str(v.name) for n in nodes for v in n.inputs if v is not None} | set(self.outputs)
        constants = {}
        for name, value in self._graph.initializers.items():
            if name in read and name not in self.parameters and value.const_value is not None:
                tensor = tensor_of(value.const_value.numpy(), name)
                constants[name] = tensor.to(self.device) if tensor.is_floating_point() else tensor
        return constants

    def _plan(self, nodes: list[ir.Node]) -> list[_Step]:
        plain: list[tuple[Call, Function, tuple[str | None, ...], tuple[str, ...]]] = []
        opset = int(self._graph.opset_imports.get("", 13))
        done: set[ir.Node] = set()
        for node in nodes:
            if node in done:
                continue
            call = Call(
                str(node.name), node.op_type, _attributes(node), opset, len(node.outputs), self._batch
            )
            function = OPS[node.op_type]
            inputs = [None if v is None else str(v.name) for v in node.inputs]
            made = tuple(str(v.name) for v in node.outputs)
            if (item := self._learned_integers(node)) is not None:
                if node.op_type == "Cast":
                    continue  # the parameter is read past it
                place = 0 if item.shared is None else 1
                inputs[place], function = item.name, on_grid(item) if item.shared is None else on_table
            elif (pair := self._pair(node)) is not None:
                done |= {pair, *([clip] if (clip := clip_behind(node)) is not None else [])}
                call = replace(call, attributes={**call.attributes, **_limits(node)})
                function, made = fake_quantize, (str(pair.outputs[0].name),)
            plain.append((call, function, tuple(inputs), made))
        return _with_ends(plain, {*self.outputs, *self._constants, *self.parameters})

    def _learned_integers(self, node: ir.Node) -> Learnable | None:
        """The parameter behind a DequantizeLinear or Gather (or the Cast before it) of stored integers."""
        if node.op_type in ("DequantizeLinear", "Gather"):
            value = stored_behind(node, int(node.op_type == "Gather"))
        else:
            value = node.inputs[0] if node.op_type == "Cast" else None
        item = self.learnables.get(str(value.name)) if value is not None else None
        return item if item is not None and (item.stored or item.shared) is not None else None

    def _pair(self, node: ir.Node) -> ir.Node | None:
        """The DQ behind a Q on the same grid: the two run as one."""
        if node.op_type != "QuantizeLinear" or str(node.outputs[0].name) in self.outputs:
            return None
        readers = readers_of_integers(node)
        same = len(readers) == 1 and readers[0].op_type == "DequantizeLinear"
        return readers[0] if same and list(readers[0].inputs[1:]) == list(node.inputs[1:]) else None

    def _run(self, feeds: Tensors, size: int) -> dict[str, torch.Tensor]:
        self._batch.now = size
        alive = dict(self._constants)
        for name, parameter in self.parameters.items():
            alive[name] = torch.exp(parameter) if self.learnables[name].kind == "scale" else parameter
        for name, mask in self.masks.items():
            alive[name] = masked(self.parameters[name], mask)
        alive |= {name: x.to(self.device) for name, x in feeds.items()}
        for step in self._steps:
            try:
                made = step.function(step.call, *(None if n is None else alive[n] for n in step.inputs))
            except (RuntimeError, IndexError, ValueError, TypeError, KeyError) as error:
                raise step.call.refuse(f"{_first_line(error)}, batch {size}") from error
            answers = made if isinstance(made, tuple) else (made,)
            if any(name and name not in step.dead for name in step.outputs[len(answers) :]):
                raise step.call.refuse(f"output {len(answers) + 1} of {len(step.outputs)}")
            alive.update(zip(step.outputs, answers, strict=False))
            for name in step.dead:
                alive.pop(name, None)
        return {name: alive[name] for name in self.outputs}


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def masked(weight: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The weight times its mask; gradients pass as if there were none (Guo 2016, arXiv 1608.04493, eq. 3)."""
    return weight + (weight * (mask - 1)).detach()


@contextmanager
def threads(count: int) -> Iterator[None]:
    """torch with that many CPU threads (0: as it is), and as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _with_ends(
    plain: Iterable[tuple[Call, Function, tuple[str | None, ...], tuple[str, ...]]], kept: set[str]
) -> list[_Step]:
    """The steps, each with the names that die behind it."""
    steps: list[_Step] = []
    seen = set(kept)
    for call, function, inputs, outputs in reversed(list(plain)):
        names = dict.fromkeys([*(n for n in inputs if n is not None), *outputs])
        dead = tuple(n for n in names if n not in seen)
        seen.update(dead)
        steps.append(_Step(call, function, inputs, outputs, dead))
    return steps[::-1]


def _limits(quantize: ir.Node) -> dict[str, int]:
    low, high = limits_behind(quantize)
    return {"low": low, "high": high}


def _attributes(node: ir.Node) -> dict[str, Any]:
    """Plain values; for Q and DQ the limits of their integers too."""
    found = {name: a.value for name, a in node.attributes.items()}
    if any(isinstance(v, ir.Graph) for v in found.values()):
        raise UnsupportedModel("control flow cannot be learned through", got=node.op_type)
    if node.op_type == "CastLike" and (like := node.inputs[1]) is not None and like.dtype is not None:
        found["to"] = int(like.dtype)  # torch holds the numbers of four bits in eight
    if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
        zero = node.inputs[2] if len(node.inputs) > 2 else None
        dtype = (
            zero.dtype if zero is not None else ir.DataType(found.get("output_dtype") or ir.DataType.UINT8)
        )
        found["low"], found["high"] = type_limits(dtype)
        found["axis"] = found.get("axis", 1)
    return {name: list(v) if isinstance(v, tuple) else v for name, v in found.items()}


def _within(items: dict[str, Learnable], nodes: list[ir.Node]) -> dict[str, Learnable]:
    """Those that the nodes read."""
    read = {str(v.name) for n in nodes for v in n.inputs if v is not None}
    return {name: item for name, item in items.items() if name in read}
