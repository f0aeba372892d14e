"""The table of steps: kind -> the frozen setting and its function. One line for each algorithm."""

from __future__ import annotations

from paredown.compress.pack import int4
from paredown.compress.quantize import bias, dynamic, rounding, static, stock, weight_only
from paredown.compress.recipe import Apply, Step

STEPS: dict[str, tuple[type[Step], Apply]] = {
    "w8a8": (static.Static, static.apply),
    "w4a8": (static.Static4, static.apply),
    "w2a8": (static.Static2, static.apply),
    "gptq": (rounding.SecondOrder, rounding.apply),
    "bc": (bias.BiasCorrection, bias.apply),
    "pack": (int4.Pack, int4.apply),
    "w8": (weight_only.WeightOnly, weight_only.apply),
    "dynamic": (dynamic.Dynamic, dynamic.apply),
    "ort-static": (stock.StockStatic, stock.apply_static),
    "ort-dynamic": (stock.StockDynamic, stock.apply_dynamic),
}
