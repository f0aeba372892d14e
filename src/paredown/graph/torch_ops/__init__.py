"""ONNX operators in PyTorch. Importing anything from here needs torch; nothing outside training does."""

from paredown.errors import MissingDependency

try:
    import torch as torch
except ImportError as error:
    raise MissingDependency("torch", "train", "training") from error
