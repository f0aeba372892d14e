"""What a model is fed for one image: a value for each of its inputs, by name."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from paredown.card import Preprocess
from paredown.model import TensorSpec
from paredown.preprocessing.letterbox import Frame
from paredown.preprocessing.others import fill
from paredown.preprocessing.tensor import preprocess
from paredown.protocols import Feeds


def feed(image: NDArray[np.uint8], how: Preprocess, inputs: Sequence[TensorSpec]) -> tuple[Feeds, Frame]:
    """The feeds for an image (H, W, 3) uint8 RGB, and where in the input the image lies.

    Raises: CardError where nothing says what an input beside the image is fed.
    """
    tensor, frame = preprocess(image, how)
    return fill(tensor, how, inputs), frame
