"""PyTorch in and out: modules become models that agree, compressed models are trained and written back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import nets
from paredown.errors import MissingDependency, ModelError, UnsupportedModel, UsageError
from paredown.families.hints import Hints
from paredown.graph.prepare import prepare
from paredown.inputs import read_model

torch = pytest.importorskip("torch", reason="pip install 'paredown[train]'")

from paredown.torch_export import from_torch  # noqa: E402
from paredown.torch_train import to_torch, write_back  # noqa: E402

SOURCE = """
import torch

def make():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3, 2, 1), torch.nn.SiLU(), torch.nn.Conv2d(8, 4, 1))

def number():
    return 3
"""


class Head(torch.nn.Module):  # type: ignore[misc, name-defined]
    """Two inputs, a dictionary of outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.drop = torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.Dropout(0.5)

    def forward(self, image: torch.Tensor, gain: torch.Tensor) -> dict[str, torch.Tensor]:  # type: ignore[name-defined]
        y = self.drop(self.conv(image)) * gain
        return {"map": y, "mean": y.mean((2, 3))}


def test_a_module_becomes_a_model_that_answers_alike() -> None:
    head = Head().train()
    model = from_torch(head, (torch.rand(1, 3, 16, 16), torch.rand(1, 1, 1, 1)), name="head")
    assert head.training  # as it was
    assert [s.shape for s in model.outputs] == [(1, 4, 16, 16), (1, 4)]
    image, gain = (
        np.random.default_rng(1).random((1, 3, 16, 16), np.float32),
        np.full((1, 1, 1, 1), 2, np.float32),
    )
    want = head.eval()(torch.from_numpy(image), torch.from_numpy(gain))
    got = nets.run(model, {s.name: x for s, x in zip(model.inputs, (image, gain), strict=True)})
    np.testing.assert_allclose(got[0], want["map"].detach().numpy(), atol=1e-5)
    assert nets.compressed(
        prepare(model),
        "w8a8-pc-minmax",
        given=lambda: [dict(zip([s.name for s in model.inputs], (image, gain), strict=True))],
    )


def test_a_module_that_no_exporter_takes_says_why() -> None:
    class Stubborn(torch.nn.Module):  # type: ignore[misc, name-defined]
        def forward(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[name-defined]
            return torch.linalg.eigvals(x).real

    with pytest.raises(UnsupportedModel) as caught:
        from_torch(Stubborn(), (1, 4, 4))
    assert "dynamo=False" in str(caught.value.got)
    assert "dynamo=True" in str(caught.value.got)
    with pytest.raises(UsageError, match="no input of a module"):
        from_torch(Stubborn(), "1x3")


def test_a_python_file_and_what_is_wrong_with_it(tmp_path: Path) -> None:
    file = tmp_path / "my_module.py"
    file.write_text(SOURCE)
    model = read_model(f"{file}:make", Hints(input=("1x3x16x16",)))
    assert (model.name, model.inputs[0].shape, model.outputs[0].shape) == (
        "my_module",
        (1, 3, 16, 16),
        (1, 4, 8, 8),
    )
    with pytest.raises(UsageError, match="nothing says the input"):
        read_model(f"{file}:make")
    with pytest.raises(ModelError, match="cannot be exported") as caught:
        read_model(f"{file}:number", Hints(input=("1x3x16x16",)))
    assert "gives no torch.nn.Module" in str(caught.value.got)
    with pytest.raises(ModelError, match="no model file"):
        read_model(f"{tmp_path / 'absent.py'}:make")


def test_weights_of_ultralytics_are_never_unpickled_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "best.pt"
    file.write_bytes(b"\x80\x02no pickle")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingDependency) as caught:
        read_model(file)
    assert "pip install ultralytics" in str(caught.value.hint)


def test_a_compressed_model_is_trained_with_a_loss_of_ones_own() -> None:
    made = nets.compressed(prepare(nets.classifier()), "w8a8-pc-minmax")
    module = to_torch(made)
    image = torch.from_numpy(nets.images(1)[0])
    (before,) = nets.run(made.model, nets.images(1)[0])
    np.testing.assert_allclose(module(image).detach().numpy(), before, atol=0.02 * np.ptp(before))
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-2)
    label = torch.tensor([2])
    losses = []
    for _ in range(12):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(module(image), label)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]
    learned = write_back(module)
    (after,) = nets.run(learned, nets.images(1)[0])
    assert after[0, 2] - after.mean() > before[0, 2] - before.mean()
    assert learned.size_bytes == pytest.approx(made.model.size_bytes, rel=0.02)
    with pytest.raises(UsageError, match="one tensor for each input"):
        module(image, image)
