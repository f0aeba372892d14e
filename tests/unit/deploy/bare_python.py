"""Running a bundle's detect.py where nothing but numpy, OpenCV and one runtime's package is installed."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

BARE = """
import sys
sys.path.append(sys.argv.pop(1))
try:
    import paredown
except ModuleNotFoundError:
    pass
else:
    raise SystemExit("paredown is within reach: this is no clean environment")
import runpy
sys.argv.pop(0)
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def with_its_needs(package: str) -> set[str]:
    """The package and those that it requires, extras left out, and what is not installed."""
    found, left = set[str](), [package]
    while left:
        name = re.split(r"[\s<>=!~;\[]", left.pop())[0]
        if name in found:
            continue
        try:
            needs = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        found.add(name)
        left += [need for need in needs if "extra ==" not in need]
    return found


def bare_site(folder: Path, package: str = "onnxruntime") -> Path:
    """A folder with links to numpy, OpenCV, that package and what pip would install with it."""
    site = folder / "site"
    site.mkdir()
    for name in ("numpy", "opencv-python-headless", *with_its_needs(package)):
        for top in {file.parts[0] for file in metadata.files(name) or ()}:
            if top not in ("..", "__pycache__") and not top.endswith((".dist-info", ".pth")):
                link, there = site / top, Path(str(metadata.distribution(name).locate_file(top)))
                if not link.exists():
                    link.symlink_to(there)
    return site


def run_bare(
    site: Path, bundle: Path, *arguments: str, script: str = "detect.py"
) -> subprocess.CompletedProcess[str]:
    """The finished process of the bundle's script with these arguments: no site packages, no environment."""
    command = [sys.executable, "-I", "-S", "-c", BARE, str(site), str(bundle / script), *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False, cwd=bundle.parent
    )
