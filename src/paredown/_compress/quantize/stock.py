"""The quantizers of ONNX Runtime itself, called as its documentation does: the baseline of every report.

Source: onnxruntime.quantization, `quantize_static` and `quantize_dynamic`.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

import onnx
import onnx_ir as ir
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)

from paredown._compress.draft import Draft
from paredown._compress.quantize.kernels import require_kernels
from paredown._compress.quantize.placement.body import body_of
from paredown._compress.recipe import Context, Stage, Step
from paredown.errors import CalibrationError
from paredown.measurement import StepRecord
from paredown.protocols import Feeds


@dataclass(frozen=True)
class StockStatic(Step):
    """quantize_static in QDQ format. Without words: its defaults. `tail`: the decode tail excluded (by our
    reading of the graph, where users exclude nodes by hand); `rr`: reduce_range, as in the YOLOv8n /
    Raspberry Pi thesis (QInt8 weights, QUInt8 activations, per tensor)."""

    kind: ClassVar[str] = "ort-static"
    summary: ClassVar[str] = "stock baseline: onnxruntime.quantization.quantize_static"

    weights: Literal["pt", "pc"] = "pt"
    ranges: Literal["minmax", "entropy", "percentile"] = "minmax"
    tail: Literal["", "tail"] = ""
    reduce: Literal["", "rr"] = ""

    def provides(self, stage: Stage) -> Stage:
        return "foreign"


@dataclass(frozen=True)
class StockDynamic(Step):
    """quantize_dynamic with QUInt8 weights, its setting for convolutions."""

    kind: ClassVar[str] = "ort-dynamic"
    summary: ClassVar[str] = "stock baseline: onnxruntime.quantization.quantize_dynamic"

    def provides(self, stage: Stage) -> Stage:
        return "foreign"


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, images: Iterator[Feeds]) -> None:
        self.images = images

    def get_next(self) -> Feeds | None:
        return next(self.images, None)


def apply_static(step: StockStatic, draft: Draft, context: Context) -> tuple[StepRecord, ...]:
    """Takes the graph that quantize_static writes."""
    require_kernels(context, step.name, per_channel=step.weights == "pc")
    graph = draft.graph
    body = body_of(graph)
    excluded = [str(n.name) for n in graph if n not in body] if step.tail else []
    excluded += list(context.keep_float)
    images = iter(context.progress(context.images(), "calibrating (ONNX Runtime)"))
    methods = {
        "minmax": CalibrationMethod.MinMax,
        "entropy": CalibrationMethod.Entropy,
        "percentile": CalibrationMethod.Percentile,
    }
    with _files(draft.model) as (before, after), _quiet():
        try:
            quantize_static(
                before,
                after,
                _Reader(images),
                quant_format=QuantFormat.QDQ,
                per_channel=step.weights == "pc",
                reduce_range=bool(step.reduce),
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                nodes_to_exclude=excluded,
                calibrate_method=methods[step.ranges],
            )
        except (ValueError, RuntimeError, AssertionError, IndexError) as error:
            raise CalibrationError("quantize_static gave up on this model", got=error) from error
        draft.model = ir.from_proto(onnx.load(after))
    why = (
        "left to onnxruntime.quantization, its defaults" if not step.tail else "decode tail excluded by name"
    )
    return (StepRecord(step.name, "", "changed", why, {"excluded": excluded}),)


def apply_dynamic(step: StockDynamic, draft: Draft, context: Context) -> tuple[StepRecord, ...]:
    """Takes the graph that quantize_dynamic writes."""
    with _files(draft.model) as (before, after), _quiet():
        quantize_dynamic(
            before, after, weight_type=QuantType.QUInt8, nodes_to_exclude=list(context.keep_float)
        )
        draft.model = ir.from_proto(onnx.load(after))
    return (StepRecord(step.name, "", "changed", "left to onnxruntime.quantization"),)


@contextmanager
def _files(model: ir.Model) -> Iterator[tuple[str, str]]:
    """Paths of the model on disk and of the file to write: the stock functions work on files."""
    with tempfile.TemporaryDirectory(prefix="paredown-") as folder:
        before = Path(folder) / "float.onnx"
        proto = ir.to_proto(model)
        del proto.graph.value_info[
            :
        ]  # weights' shapes too, which quantize_dynamic keeps when it turns a weight
        onnx.save(proto, before)
        yield str(before), str(Path(folder) / "int8.onnx")


@contextmanager
def _quiet() -> Iterator[None]:
    """The stock quantizer warns through the root logger that models want preprocessing; ours are prepared."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
