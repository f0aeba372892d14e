"""ONNX operators in PyTorch. Importing anything from here needs torch; nothing outside training does."""

from paredown.errors import MissingDependency

__all__ = ["F", "Tensor", "torch"]

try:
    import torch
    import torch.nn.functional as F
    from torch import Tensor
except ImportError as error:
    raise MissingDependency("torch", "train", "training") from error
