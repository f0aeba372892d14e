"""The ONNX project's own node tests, run by the executor: right or refused with the reason, never wrong."""

from __future__ import annotations

import warnings
from collections import Counter
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import pytest

from paredown.errors import ParedownError
from paredown.graph.load import from_proto

torch = pytest.importorskip("torch", reason="pip install 'paredown[train]'")

from paredown.graph.executor import Executor  # noqa: E402
from paredown.graph.torch_ops.table import OPS  # noqa: E402
from paredown.graph.torch_ops.tensors import tensor_of  # noqa: E402

pytestmark = pytest.mark.slow

LEAST_RIGHT = 1000  # 1060 with the tests of onnx 1.23


def node_tests() -> list[Any]:
    """Tests whose operators all stand in the table."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the tests divide by zero while they are made
        from onnx.backend.test.loader import load_model_tests

        tests = load_model_tests(kind="node")
    return [t for t in tests if all(n.op_type in OPS and not n.domain for n in t.model.graph.node)]


def array(value: Any) -> np.ndarray:
    return onnx.numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else np.asarray(value)


def rounding(dtype: str, values: np.ndarray) -> float:
    """Sums of half-precision numbers depend on their order: two steps of the type, at the largest value."""
    if dtype not in ("float16", "bfloat16"):
        return 0.0
    return 2 * float(ml_dtypes.finfo(dtype).eps) * float(np.abs(values[np.isfinite(values)]).max(initial=0))


def fault(test: Any, inputs: list[Any], outputs: list[Any]) -> str:
    """ "" where the executor answers as the test wants, else what differs. Raises ParedownError: refused."""
    model = from_proto(test.model, test.name)
    executor = Executor(model)
    feeds = {s.name: tensor_of(array(x), s.name) for s, x in zip(model.inputs, inputs, strict=True)}
    with torch.no_grad():
        answers = executor.run(feeds)
    grid = any(n.op_type in ("QuantizeLinear", "DequantizeLinear") for n in test.model.graph.node)
    for spec, wanted in zip(model.outputs, outputs, strict=True):
        answer, want = answers[spec.name], array(wanted)
        if answer.shape != want.shape:
            return f"{spec.name}: shape {list(answer.shape)} instead of {list(want.shape)}"
        if str(answer.dtype) != f"torch.{spec.dtype}" and not grid:  # integers on grids are floats here
            return f"{spec.name}: {answer.dtype} instead of {spec.dtype}"
        got, wide = answer.double().numpy(), want.astype(np.float64)
        close = np.isclose(
            got, wide, rtol=test.rtol, atol=test.atol + rounding(spec.dtype, wide), equal_nan=True
        )
        if not close.all():
            return f"{spec.name}: {got[~close][:3]} instead of {wide[~close][:3]}"
    return ""


def test_no_operator_of_the_table_answers_wrongly() -> None:
    counts: Counter[str] = Counter()
    wrong: dict[str, str] = {}
    unexplained: list[str] = []
    for test in node_tests():
        for inputs, outputs in test.data_sets:
            try:
                difference = fault(test, inputs, outputs)
            except ParedownError as error:
                counts["refused"] += 1
                unexplained += [] if error.got else [test.name]
                continue
            counts["wrong" if difference else "right"] += 1
            if difference:
                wrong[test.name] = difference
    print(dict(counts))
    assert not wrong, wrong
    assert not unexplained, unexplained
    assert counts["right"] >= LEAST_RIGHT, counts
