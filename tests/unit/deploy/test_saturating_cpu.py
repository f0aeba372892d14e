"""A bundle asks for kernels that do not saturate on a CPU whose usual ones do, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

import nets
from paredown.card import Card, Preprocess
from paredown.deploy import detect_main
from paredown.families.yolov8 import decode


@pytest.mark.parametrize("saturates", [False, True])
def test_the_session_option_follows_the_cpu(
    saturates: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(detect_main, "saturates", lambda: saturates)
    file = tmp_path / "model.onnx"
    file.write_bytes(nets.detector().data)
    card = Card("yolov8", "detect", Preprocess((16, 16)), ("disc", "box"))
    options = detect_main.Model(file, card, decode, 1).session.get_session_options()
    if saturates:
        assert options.get_session_config_entry("session.x64quantprecision") == "1"
    else:
        with pytest.raises(RuntimeError, match="x64quantprecision"):
            options.get_session_config_entry("session.x64quantprecision")
