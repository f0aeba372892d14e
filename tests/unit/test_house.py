"""The picture in docs/design.md shows the house as it stands."""

from __future__ import annotations

import importlib.util
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_picture_is_up_to_date():
    spec = importlib.util.spec_from_file_location("draw_house", ROOT / "tools" / "draw_house.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    kept = (ROOT / "docs" / "house.svg").read_text(encoding="utf-8")
    assert kept == module.draw(), "draw it again: python tools/draw_house.py"
