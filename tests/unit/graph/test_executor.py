"""The executor: answers, batches, gradients, and what is written back, on the tiny networks."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import nets
from paredown.errors import UnknownName, UnsupportedModel
from paredown.graph.load import from_proto, to_proto
from paredown.graph.prepare import prepare
from paredown.graph.walk import to_ir
from paredown.model import Model

torch = pytest.importorskip("torch", reason="pip install 'paredown[train]'")

from paredown.graph.executor import Executor, threads  # noqa: E402

NAMES = list(nets.NETS)


@pytest.fixture(autouse=True)
def _one_thread():
    with threads(1):
        yield


def float_net(name: str) -> Model:
    return prepare(nets.NETS[name]())


def quantized_net(name: str, **device: object) -> Model:
    return nets.compressed(float_net(name), "w8a8", **device).model


def answers(model: Model, images: np.ndarray) -> list[np.ndarray]:
    executor = Executor(model)
    with torch.no_grad():
        return [x.numpy() for x in executor.run(executor.feeds({"image": images})).values()]


def steps_apart(want: list[np.ndarray], got: list[np.ndarray]) -> float:
    """The largest difference, in 255ths of the output's range."""
    return max(float(np.abs(w - g).max() / (np.ptp(w) / 255)) for w, g in zip(want, got, strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_float_answers_are_those_of_the_runtime(name: str) -> None:
    model = float_net(name)
    for image in nets.images(2):
        assert steps_apart(nets.run(model, image), answers(model, image)) < 1e-2


@pytest.mark.parametrize("name", NAMES)
def test_quantized_answers_are_those_of_the_runtime(name: str) -> None:
    model = quantized_net(name)
    for image in nets.images(2):
        assert steps_apart(nets.run(model, image), answers(model, image)) <= 4


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_answers_as_its_images_do(name: str) -> None:
    model, images = float_net(name), nets.images(3)
    together = answers(model, np.concatenate(images))
    apart = [np.concatenate(x) for x in zip(*(answers(model, i) for i in images), strict=True)]
    for want, got in zip(apart, together, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


def test_a_graph_that_mixes_a_batch_is_refused_with_the_reason() -> None:
    net = nets.Net()
    x = net.reshape(net.conv("image", 3, 8), 8, -1)  # the batch is dropped
    model = prepare(net.model(net.node("Softmax", x, axis=1)))
    image = nets.images(1)[0]
    assert answers(model, image)
    with pytest.raises(UnsupportedModel, match="several images at once") as caught:
        answers(model, np.concatenate([image, image]))
    assert "two images" in str(caught.value)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_those_of_finite_differences(name: str) -> None:
    """Of a smooth function of the outputs, along one random direction for every parameter."""
    executor = Executor(float_net(name))
    image = executor.feeds(nets.feeds(1)[0])
    rng = torch.Generator().manual_seed(0)

    def value() -> torch.Tensor:
        return sum((x.double() ** 2).mean() for x in executor.run(image).values())

    value().backward()
    for key, p in executor.parameters.items():
        direction = torch.randn(p.shape, generator=rng)
        direction *= 5e-4 * p.detach().norm() / direction.norm()
        assert p.grad is not None, key
        with torch.no_grad():
            p += direction
            up = value()
            p -= 2 * direction
            down = value()
            p += direction
        slope = float((p.grad.double() * direction.double()).sum())
        assert float(up - down) / 2 == pytest.approx(slope, rel=0.05, abs=1e-7 + 2e-6 * abs(float(up)))


def test_the_gradient_of_a_scale_is_that_of_the_source() -> None:
    """Esser 2020, eq. 3, on a grid of integers 0..255 with zero point 10 and scale 0.1."""
    net = nets.Net()
    q = net.node("QuantizeLinear", "image", net.constant(np.float32(0.1)), net.constant(np.uint8(10)))
    dq = net.node("DequantizeLinear", q, net.constant(np.float32(0.1)), net.constant(np.uint8(10)))
    proto = net.proto(dq, inputs={"image": [1, 3]})
    proto.graph.node[1].input[1:] = proto.graph.node[0].input[1:]
    executor = Executor(from_proto(proto, "grid"))
    (name,) = executor.parameters
    x = torch.tensor([[0.234, -5.0, 90.0]], requires_grad=True)
    made = executor.run({"image": x})
    torch.stack(list(made.values())).sum().backward()
    assert next(iter(made.values())).tolist()[0] == pytest.approx([0.2, -1.0, 24.5])
    assert x.grad is not None
    assert x.grad.tolist() == [[1.0, 0.0, 0.0]]
    wanted = ((2 - 2.34) + (0 - 10) + (255 - 10)) / np.sqrt(3 * 245)
    p = executor.parameters[name]
    assert p.grad is not None
    assert float(p.grad) == pytest.approx(0.1 * wanted, rel=1e-4)  # of log(scale)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_learned_is_nothing_changed(name: str) -> None:
    for model in (float_net(name), quantized_net(name)):
        again = Executor(model).write_back()
        before, after = (to_ir(m).graph.initializers for m in (model, again))
        assert set(before) == set(after)
        for key, value in before.items():
            was, now = value.const_value.numpy(), after[key].const_value.numpy()
            assert was.dtype == now.dtype
            np.testing.assert_allclose(was.astype(float), now.astype(float), rtol=1e-6, err_msg=key)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("quantized", [False, True])
def test_what_is_learned_is_written_back(name: str, quantized: bool) -> None:
    """After every parameter has moved, the file answers in the runtime as the executor does."""
    model = quantized_net(name) if quantized else float_net(name)
    executor = Executor(model)
    rng = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for p in executor.parameters.values():
            spread = 0.1 * p.square().mean().sqrt() if not quantized else 0.02
            p += spread * torch.randn(p.shape, generator=rng)
    image = nets.images(1)[0]
    with torch.no_grad():
        want = [x.numpy() for x in executor.run(executor.feeds({"image": image})).values()]
    made = executor.write_back()
    assert steps_apart(want, nets.run(made, image)) <= (5 if quantized else 0.1)
    assert steps_apart(nets.run(model, image), want) > (0 if quantized else 0.1)
    assert [n.op_type for n in to_proto(made).graph.node] == [n.op_type for n in to_proto(model).graph.node]


def test_seven_bit_weights_stay_seven_bits() -> None:
    device = nets.Device("narrow", "sums in 16 bits", saturates=True)
    executor = Executor(quantized_net("residual", device=device))
    with torch.no_grad():
        for key, p in executor.parameters.items():
            if executor.learnables[key].kind == "weight":
                p *= 3
    made = to_ir(executor.write_back()).graph.initializers
    stored = [v.const_value.numpy() for v in made.values() if v.const_value.numpy().dtype == np.int8]
    assert max(np.abs(w.astype(int)).max() for w in stored if w.ndim == 4) == 63


def test_learning_starts_from_the_unrounded_weights_and_rounds_to_those_stored() -> None:
    model = quantized_net("residual")
    plain = Executor(model)
    steps = {
        str(item.stored.dequantize.name): np.full(item.start.shape, 500.0, np.float32)
        for item in plain.learnables.values()
        if item.stored is not None and item.kind == "weight"
    }
    executor = Executor(model, unrounded=steps)
    moved = [not torch.equal(p, plain.parameters[k]) for k, p in executor.parameters.items() if p.ndim == 4]
    assert moved
    assert all(moved)
    image = nets.images(1)[0]
    for want, got in zip(
        answers(model, image), executor.run(executor.feeds({"image": image})).values(), strict=True
    ):
        np.testing.assert_allclose(got.detach().numpy(), want, rtol=1e-5, atol=1e-6)


def test_inner_tensors_can_be_asked_for_and_only_what_they_need_is_run() -> None:
    model = float_net("classifier")
    name = to_proto(model).graph.node[0].output[0]
    executor = Executor(model, [name])
    assert list(executor.run(executor.feeds(nets.feeds(1)[0]))) == [name]
    assert len(executor.parameters) == 2
    with pytest.raises(UnknownName):
        Executor(model, ["no such tensor"])


def test_every_tensor_dies_behind_its_last_reader() -> None:
    executor = Executor(float_net("detector"))
    dead = [name for step in executor._steps for name in step.dead]
    made = [name for step in executor._steps for name in step.outputs]
    assert len(dead) == len(set(dead))
    assert set(made) - set(dead) == set(executor.outputs)


def test_an_operator_that_is_not_in_the_table_is_named() -> None:
    net = nets.Net()
    model = net.model(net.node("Hardmax", net.conv("image", 3, 4)))
    with pytest.raises(UnsupportedModel, match="Hardmax"):
        Executor(model)


def test_without_torch_the_extra_is_named() -> None:
    code = "import sys; sys.modules['torch'] = None\n"
    code += "from paredown.errors import MissingDependency\n"
    code += "try:\n    import paredown.graph.executor\n"
    code += "except MissingDependency as e:\n    assert 'paredown[train]' in str(e)\nelse:\n    assert False"
    subprocess.run([sys.executable, "-c", code], check=True)
