"""A folder given as a model: the hint names the models in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from paredown.errors import ModelError
from paredown.graph.load import refuse_no_file


def test_the_model_files_of_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"got: a folder\n +expected: an \.onnx or \.tflite file"):
        refuse_no_file(tmp_path)
    (tmp_path / "model.onnx").write_bytes(b"x")
    with pytest.raises(ModelError, match=r"did you mean .*model\.onnx\?"):
        refuse_no_file(tmp_path)


def test_a_name_that_no_file_has_is_put_right(tmp_path: Path) -> None:
    (tmp_path / "yolov8n.onnx").write_bytes(b"x")
    (tmp_path / "notes.txt").write_bytes(b"x")
    with pytest.raises(ModelError, match=r"got: nothing there[\s\S]*did you mean \S*yolov8n\.onnx"):
        refuse_no_file(tmp_path / "yolo8n.onnx")
    for name in ("quite-another.onnx", "nowhere/yolov8n.onnx"):
        with pytest.raises(ModelError, match="hint: check the path"):
            refuse_no_file(tmp_path / name)
