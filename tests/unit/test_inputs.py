"""A path where a noun is taken: what a runtime made of a model is pointed back to that model."""

from __future__ import annotations

import pytest

from paredown.errors import ModelError
from paredown.inputs import BUILT, read_model


@pytest.mark.parametrize(("end", "name"), BUILT.items())
def test_a_runtime_s_own_file_names_the_onnx_file_to_give(tmp_path, end, name):
    with pytest.raises(ModelError, match=rf"model.onnx --runtime {name}"):
        read_model(tmp_path / f"model{end}")
