"""The generated API reference holds every public name with what it says of itself."""

import subprocess
import sys
from pathlib import Path

import paredown

TOOL = Path(__file__).parents[2] / "tools" / "api_reference.py"


def test_every_public_name_has_a_place_and_a_docstring(tmp_path):
    subprocess.run([sys.executable, str(TOOL), str(tmp_path)], check=True, capture_output=True)
    page = (tmp_path / "paredown.html").read_text(encoding="utf-8")
    for name in paredown.__all__:
        assert f'id="{name}"' in page
        assert getattr(paredown, name).__doc__
