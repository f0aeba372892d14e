"""The table of steps: kind -> the frozen setting and its function. One line for each algorithm."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from paredown._compress import half, parts, size
from paredown._compress.finetune import settings
from paredown._compress.mixed import mix
from paredown._compress.pack import cluster, pack
from paredown._compress.prune import prune, sparse
from paredown._compress.prune import settings as pruning
from paredown._compress.quantize import cle, dynamic, gates, static, stock, weight_only, xnor
from paredown._compress.quantize.rounding import bias_correction, gptq
from paredown._compress.quantize.rounding import settings as rounding
from paredown._compress.recipe import Apply, Step


def _lazily(module: str) -> Apply:
    """The module's `apply`, the module (and torch with it) imported when it is first called."""

    def apply(step: Any, draft: Any, context: Any) -> Any:
        return import_module(module).apply(step, draft, context)

    return apply


STEPS: dict[str, tuple[type[Step], Apply]] = {
    "size": (size.Size, size.apply),
    "encoder": (parts.OnEncoder, parts.apply),
    "decoder": (parts.OnDecoder, parts.apply),
    "fp16": (half.Fp16, half.apply),
    "bf16": (half.Bf16, half.apply),
    "cle": (cle.Equalize, cle.apply),
    "gates": (gates.Gates, gates.apply),
    "prune": (pruning.Prune, prune.apply),
    "distill": (settings.Distill, _lazily("paredown._compress.finetune.distill")),
    "sparse": (pruning.Sparse, sparse.apply),
    "w8a8": (static.Static, static.apply),
    "w4a8": (static.Static4, static.apply),
    "w2a8": (static.Static2, static.apply),
    "w1a8": (static.Static1, static.apply),
    "w4a4": (static.Static4x4, static.apply),
    "w1a4": (static.Static1x4, static.apply),
    "mix": (mix.Mixed, mix.apply),
    "xnor": (xnor.Xnor, xnor.apply),
    "gptq": (gptq.SecondOrder, gptq.apply),
    "bc": (bias_correction.BiasCorrection, bias_correction.apply),
    "adaround": (rounding.AdaRound, _lazily("paredown._compress.quantize.rounding.adaround")),
    "qat": (settings.Qat, _lazily("paredown._compress.finetune.qat")),
    "cluster": (cluster.Cluster, cluster.apply),
    "pack": (pack.Pack, pack.apply),
    "w8": (weight_only.WeightOnly, weight_only.apply),
    "dynamic": (dynamic.Dynamic, dynamic.apply),
    "ort-static": (stock.StockStatic, stock.apply_static),
    "ort-dynamic": (stock.StockDynamic, stock.apply_dynamic),
}
