"""Which function writes which operator of ONNX."""

from __future__ import annotations

from paredown.runtimes.tflite.integers import dequantize, quantize
from paredown.runtimes.tflite.operators import convolution, elementwise, indexing, moving, pooling
from paredown.runtimes.tflite.operators.elementwise import Written, binary, unary
from paredown.runtimes.tflite.operators.resize import resize
from paredown.runtimes.tflite.operators.transposed import conv_transpose

OPERATORS: dict[str, Written] = {
    "Add": binary("ADD", "AddOptions"),
    "AveragePool": pooling.average_pool,
    "Cast": elementwise.cast,
    "Clip": elementwise.clip,
    "Concat": moving.concat,
    "Conv": convolution.conv,
    "ConvTranspose": conv_transpose,
    "DequantizeLinear": dequantize,
    "Div": binary("DIV", "DivOptions", integers=False),
    "Dropout": elementwise.identity,
    "Exp": unary("EXP", "ExpOptions"),
    "Expand": moving.expand,
    "Flatten": moving.reshape,
    "Gather": indexing.gather,
    "GatherElements": indexing.gather_elements,
    "Gemm": convolution.gemm,
    "GlobalAveragePool": pooling.global_average_pool,
    "HardSigmoid": elementwise.hard_sigmoid,
    "HardSwish": unary("HARD_SWISH", "HardSwishOptions", integers=True),
    "Identity": elementwise.identity,
    "LeakyRelu": elementwise.leaky_relu,
    "Log": unary("LOG"),
    "MatMul": convolution.matmul,
    "Max": binary("MAXIMUM", "MaximumMinimumOptions", integers=False, activation=False),
    "MaxPool": pooling.max_pool,
    "Min": binary("MINIMUM", "MaximumMinimumOptions", integers=False, activation=False),
    "Mod": binary("FLOOR_MOD", "FloorModOptions", integers=False, activation=False),
    "Mul": binary("MUL", "MulOptions"),
    "Neg": unary("NEG", "NegOptions"),
    "PRelu": elementwise.prelu,
    "Pad": moving.pad,
    "Pow": elementwise.power,
    "QuantizeLinear": quantize,
    "ReduceMax": pooling.reduction("REDUCE_MAX", integers=False),
    "ReduceMean": pooling.reduction("MEAN", integers=True),
    "ReduceSum": pooling.reduction("SUM", integers=False),
    "Relu": unary("RELU", integers=True),
    "Reshape": moving.reshape,
    "Resize": resize,
    "Sigmoid": elementwise.sigmoid,
    "Slice": moving.slice_,
    "Softmax": indexing.softmax,
    "Softplus": elementwise.softplus,
    "Split": moving.split,
    "Sqrt": unary("SQRT"),
    "Squeeze": moving.reshape,
    "Sub": binary("SUB", "SubOptions"),
    "Tanh": unary("TANH"),
    "Tile": moving.tile,
    "TopK": indexing.top_k,
    "Transpose": moving.transpose,
    "Unsqueeze": moving.reshape,
}
