"""A graph as a PyTorch module: to be trained with a loss and labels of the user's own, then written back.

The module runs the ONNX graph itself, node by node (`Executor`): weights, biases and scales are its
parameters, Q and DQ round in the forward pass and hand gradients on. Needs torch.
"""

from __future__ import annotations

from collections.abc import Collection

from paredown.errors import UsageError
from paredown.graph.executor import Executor
from paredown.graph.torch_ops import Tensor, torch
from paredown.model import Model


class GraphModule(torch.nn.Module):
    """forward(*inputs), in the model's order, gives its outputs: one tensor, or a tuple of several.

    outputs: names of other tensors to give. device: where it runs; `.to(...)` does not move it. Batch
    normalisation is folded into weights, and dropout is off, whatever the mode: train() and eval() are alike.
    """

    def __init__(self, model: Model, *, outputs: Collection[str] | None = None, device: str = "cpu") -> None:
        super().__init__()
        self.executor = Executor(model, outputs, device=device)
        self.names = tuple(self.executor.parameters)  # a name with a dot in it cannot be registered
        self.weights = torch.nn.ParameterList(self.executor.parameters.values())

    def forward(self, *inputs: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Raises UsageError where there are not as many tensors as the model has inputs."""
        specs = self.executor.model.inputs
        if len(inputs) != len(specs):
            raise UsageError(
                "the module takes one tensor for each input of the model",
                got=f"{len(inputs)}",
                expected=", ".join(map(str, specs)),
            )
        answers = self.executor.run({s.name: x for s, x in zip(specs, inputs, strict=True)})
        found = tuple(answers[name] for name in self.executor.outputs)
        return found[0] if len(found) == 1 else found

    def write_back(self) -> Model:
        """The model with the parameters as they are now: an ordinary ONNX file of the same graph."""
        made = self.executor.write_back()
        card = self.executor.model.card
        return made if card is None else made.with_card(card)
