"""What every runtime must do: `CHECKS`; and `ANSWERS`, of those that compute (`null` does not).

@pytest.mark.parametrize("check", [*runtimes.CHECKS, *runtimes.ANSWERS])
def test_my_runtime(check):
    check(my_runtime)
"""

from __future__ import annotations

import pickle
import tempfile
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from paredown._compress.compress import compress
from paredown._compress.presets import parse_recipe
from paredown._compress.recipe import Context
from paredown.device import Device
from paredown.errors import ModelError, TargetError, UnknownName, UnsupportedModel
from paredown.graph.prepare import prepare
from paredown.protocols import Array, Runtime, Session
from paredown.runtimes import runtime as find_runtime
from paredown.testing import networks

DEVICE = Device("any-board", "what every device can do, whatever cuts its sums off", saturates=True)
SHAPE = (1, 3, 8, 8)
TRUTH = find_runtime("reference")
INNER = ("c1", "a1")  # tensors inside `small_network`


@dataclass(frozen=True)
class Tolerance:
    """How far answers may lie from the reference's, in parts of the range of an output."""

    most: float
    mean: float


STEP = 1 / 255  # of an 8-bit output
TOLERANCES: Mapping[str, Tolerance] = {
    "float32": Tolerance(2e-6, 5e-7),  # other orders of summing
    "float16": Tolerance(4e-3, 1e-3),  # 11 bits, summed in float16 or in float32
    "int8": Tolerance(4 * STEP, STEP),  # a rounding that falls the other way moves what is behind it
    "int4": Tolerance(4 * STEP, STEP),  # weights of 4 bits, arithmetic of 8
}
"""What computes -> how near it must come to the definition. Weights and activations: `arithmetic`."""

_RECIPES = {"int8": "w8a8", "int4": "w4a8+pack"}


def small_network(floats: type[np.floating] = np.float32) -> bytes:
    """Conv, Sigmoid, Mul, MaxPool and a 1x1 Conv: the operators of a detector, one of each."""
    rng = np.random.default_rng(3)
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(floats))
    weights = [
        numpy_helper.from_array(rng.normal(0, 0.3, shape).astype(floats), name)
        for name, shape in [("w1", (4, 3, 3, 3)), ("b1", (4,)), ("w2", (2, 4, 1, 1))]
    ]
    nodes = [
        helper.make_node("Conv", ["image", "w1", "b1"], ["c1"], pads=[1, 1, 1, 1]),
        helper.make_node("Sigmoid", ["c1"], ["s1"]),
        helper.make_node("Mul", ["c1", "s1"], ["a1"]),
        helper.make_node("MaxPool", ["a1"], ["p1"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Conv", ["p1", "w2"], ["answer"]),
    ]
    given = helper.make_tensor_value_info("image", kind, SHAPE)
    answer = helper.make_tensor_value_info("answer", kind, [1, 2, 4, 4])
    graph = helper.make_graph(nodes, "small", [given], [answer], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def image() -> NDArray[np.float32]:
    return np.random.default_rng(4).random(SHAPE, dtype=np.float32)


def opened(runtime: Runtime, model: bytes | Path, taps: Sequence[str] = ()) -> Session:
    """A session on one thread of what the runtime builds; `taps`: inner tensors that it answers with too."""
    folder = tempfile.TemporaryDirectory()
    try:
        session = runtime.open(runtime.build(model, DEVICE, Path(folder.name)), threads=1, taps=taps)
    except BaseException:  # a model that is refused
        folder.cleanup()
        raise
    weakref.finalize(session, folder.cleanup)
    return session


def names_and_shapes_are_those_of_the_model(runtime: Runtime) -> None:
    """What a session says of inputs and outputs is what it takes and gives."""
    session = opened(runtime, small_network())
    (given,), (answered,) = session.inputs, session.outputs
    assert (given.name, given.shape, given.dtype) == ("image", SHAPE, "float32"), given
    assert (answered.name, answered.shape) == ("answer", (1, 2, 4, 4)), answered
    (answer,) = session.run({"image": image()}).values()
    assert answer.shape == answered.shape, (answer.shape, answered.shape)
    assert answer.dtype == np.dtype(answered.dtype), (answer.dtype, answered.dtype)


def the_same_question_gets_the_same_answer(runtime: Runtime) -> None:
    """From bytes and from a file, again and again; nothing that was given is changed."""
    data, feed = small_network(), image()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "small.onnx"
        path.write_bytes(data)
        session = opened(runtime, data)
        answers = [session.run({"image": feed})["answer"].copy() for _ in range(2)]
        answers.append(opened(runtime, path).run({"image": feed})["answer"])
        assert path.read_bytes() == small_network(), "the file was changed"
    for other in answers[1:]:
        np.testing.assert_array_equal(other, answers[0])
    np.testing.assert_array_equal(feed, image(), "the feed was changed")


def an_artifact_knows_its_files(runtime: Runtime) -> None:
    """Bytes and sha256 of all that `open` needs; a file that is not there and a precision that nobody has are
    refused; an artifact travels between processes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "small.onnx"
        path.write_bytes(small_network())
        found = runtime.build(path, DEVICE, path.parent)
        content = b"".join(file.read_bytes() for file in found.files)
        assert found.files, "nothing to send to a device"
        assert (found.size_bytes, found.sha256) == (len(content), sha256(content).hexdigest()), found
        assert pickle.loads(pickle.dumps(found)) == found
        for model, precision, error in (
            (path.with_name("none.onnx"), "", ModelError),
            (path, "?", TargetError),
        ):
            try:
                runtime.build(model, DEVICE, path.parent, precision)
            except error:
                continue
            raise AssertionError(f"taken without a word: {model.name}, precision {precision!r}")
    assert runtime.version(), "without a version"


def a_wrong_feed_is_refused(runtime: Runtime) -> None:
    """A missing, a foreign and a misshapen feed raise TargetError or UnknownName before anything runs."""
    session = opened(runtime, small_network())
    for feeds in ({}, {"picture": image()}, {"image": image()[:, :2]}, {"image": image().astype(np.uint8)}):
        try:
            session.run(feeds)
        except (TargetError, UnknownName):
            continue
        raise AssertionError(f"taken without a word: {[(n, a.shape, a.dtype) for n, a in feeds.items()]}")


def the_policy_is_one_that_recipes_can_read(runtime: Runtime) -> None:
    """Known without the runtime's packages; op types that it computes, each in one of the three ways."""
    policy = runtime.policy(DEVICE)
    ways = (policy.kernel, policy.same, policy.absorbed)
    assert policy.name, "without a name"
    assert sum(map(len, ways)) == len(frozenset().union(*ways)), "an op type in two of the three ways"
    assert policy.weight_bits in (7, 8), policy.weight_bits
    unknown = [op for way in ways for op in way if not onnx.defs.has(op)]
    assert not unknown, f"no operators of ONNX: {unknown}"


def inner_tensors_come_with_the_answer(runtime: Runtime) -> None:
    """Those asked for, behind the model's own outputs, in float32 as near as `TOLERANCES` says."""
    found = opened(runtime, small_network(), INNER).run({"image": image()})
    truth = opened(TRUTH, small_network(), INNER).run({"image": image()})
    assert list(found) == ["answer", *INNER], list(found)
    _check_near(found, truth, "float32")


def float32_is_as_the_reference(runtime: Runtime) -> None:
    _check_answers(runtime, "float32")


def float16_is_as_the_reference(runtime: Runtime) -> None:
    _check_answers(runtime, "float16")


def int8_is_as_the_reference(runtime: Runtime) -> None:
    _check_answers(runtime, "int8")


def int4_is_as_the_reference(runtime: Runtime) -> None:
    _check_answers(runtime, "int4")


CHECKS: tuple[Callable[[Runtime], None], ...] = (
    names_and_shapes_are_those_of_the_model,
    the_same_question_gets_the_same_answer,
    an_artifact_knows_its_files,
    a_wrong_feed_is_refused,
    the_policy_is_one_that_recipes_can_read,
)
ANSWERS: tuple[Callable[[Runtime], None], ...] = (
    inner_tensors_come_with_the_answer,
    float32_is_as_the_reference,
    float16_is_as_the_reference,
    int8_is_as_the_reference,
    int4_is_as_the_reference,
)


def refused_types(runtime: Runtime) -> list[str]:
    """The keys of `TOLERANCES` whose models the runtime refuses: then it passes their checks by refusing."""
    refused = [] if runtime.policy(DEVICE).kernel else list(_RECIPES)
    for kind in TOLERANCES.keys() - refused:
        try:
            for data in _models(runtime, kind):
                opened(runtime, data)
        except UnsupportedModel:
            refused.append(kind)
    return refused


def _check_answers(runtime: Runtime, kind: str) -> None:
    if kind != "float32" and kind in refused_types(runtime):
        return
    for data in _models(runtime, kind):
        session, truth = opened(runtime, data), opened(TRUTH, data)
        (given,) = session.inputs
        shape = [1 if d is None else d for d in given.shape]
        for seed in (4, 5):
            feed = np.random.default_rng(seed).random(shape, dtype=np.float32).astype(given.dtype)
            _check_near(session.run({given.name: feed}), truth.run({given.name: feed}), kind)


def _models(runtime: Runtime, kind: str) -> Iterator[bytes]:
    """The models that a kind is checked on, made as the runtime's own policy says."""
    if kind == "float32":
        yield small_network()
        yield from (make().data for make in networks.NETS.values())
    elif kind == "float16":
        yield small_network(np.float16)
    else:
        for make in (networks.residual, networks.depthwise):
            recipe, model = parse_recipe(_RECIPES[kind]), prepare(make(opset=21))
            made = compress(recipe, Context(model, networks.feeds, DEVICE, runtime.policy(DEVICE)))
            yield made.model.data


def _check_near(found: Mapping[str, Array], truth: Mapping[str, Array], kind: str) -> None:
    allowed = TOLERANCES[kind]
    for name, want in truth.items():
        got, exact = found[name].astype(np.float64), want.astype(np.float64)
        apart = np.abs(got - exact) / max(float(np.ptp(exact)), 1e-9)
        assert apart.max() <= allowed.most, f"{kind}, {name}: {apart.max():.2g} of its range; {allowed}"
        assert apart.mean() <= allowed.mean, f"{kind}, {name}: {apart.mean():.2g} on average; {allowed}"
