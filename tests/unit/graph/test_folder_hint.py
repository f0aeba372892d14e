"""A folder given as a model: the hint names the models in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from paredown.errors import ModelError
from paredown.graph.load import refuse_no_file


def test_the_model_files_of_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"the path of an \.onnx file"):
        refuse_no_file(tmp_path)
    (tmp_path / "model.onnx").write_bytes(b"x")
    with pytest.raises(ModelError, match=r"did you mean .*model\.onnx\?"):
        refuse_no_file(tmp_path)
