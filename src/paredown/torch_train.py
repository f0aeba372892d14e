"""A model as a PyTorch module that the user trains, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paredown._compress.recipe import Compressed
from paredown.graph.prepare import prepare
from paredown.inputs import ModelLike, as_model
from paredown.model import Model

if TYPE_CHECKING:
    from paredown.graph.torch_module import GraphModule


def to_torch(model: Compressed | ModelLike, *, device: str = "cpu") -> GraphModule:
    """A torch.nn.Module that answers as the model does, integers included, and can be trained: with any loss
    and labels. `write_back(module)` gives the model again.

    Raises MissingDependency without torch, UnsupportedModel for operators that cannot be learned through.
    """
    from paredown.graph.torch_module import GraphModule

    if isinstance(model, Compressed):
        return GraphModule(model.model, device=device)
    found = as_model(model)
    size = None if found.card is None else found.card.preprocess.size
    return GraphModule(prepare(found, size), device=device)


def write_back(module: GraphModule) -> Model:
    """The model of a module that `to_torch` gave, with its parameters as they are now."""
    made: Model = module.write_back()
    return made
