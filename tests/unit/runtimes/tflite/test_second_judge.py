"""TensorFlow Lite for Microcontrollers as a second judge of what is written: an interpreter of its own, with
plain kernels, that refuses what the format does not allow.

    pip install tflite-micro
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import nets
from paredown.graph.prepare import prepare
from paredown.graph.run import run_once
from paredown.model import Model
from paredown.runtimes.tflite import write

micro = pytest.importorskip(
    "tflite_micro.python.tflite_micro.runtime", reason="tflite-micro is not installed"
)
ARENA_BYTES = 1 << 20
NEAR = {"float": 1e-5}
ROUNDED = 0.025  # of an output's spread: as for LiteRT's own kernels


def micro_run(file: bytes, image: np.ndarray) -> list[np.ndarray]:
    """The outputs in order."""
    runner: Any = micro.Interpreter.from_bytes(file, arena_size=ARENA_BYTES)
    runner.set_input(np.ascontiguousarray(image.transpose(0, 2, 3, 1)), 0)
    runner.invoke()
    return [runner.get_output(0)]


def made(name: str, recipe: str) -> Model:
    source = prepare(nets.NETS[name]())
    return source if recipe == "float" else nets.compressed(source, recipe, threads=1).model


@pytest.mark.parametrize("name", ["residual", "classifier"])
@pytest.mark.parametrize("recipe", ["float", "int8", "w4a8-pc-mse-even+pack"])
def test_it_takes_the_file_and_answers_as_the_model_does(name: str, recipe: str) -> None:
    model = made(name, recipe)
    for image in nets.images(2, seed=5):
        (want,) = run_once(model.data, {model.inputs[0].name: image}).values()
        (got,) = micro_run(write(model), image)
        assert got.shape == want.shape
        assert nets.agreement(want, got) < NEAR.get(recipe, ROUNDED)
