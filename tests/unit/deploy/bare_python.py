"""Running a bundle's detect.py where only the standard library, numpy, OpenCV and ONNX Runtime exist."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
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


def bare_site(folder: Path) -> Path:
    """A folder with links to the three packages and the libraries that wheels put beside them."""
    site = folder / "site"
    site.mkdir()
    for name in ("numpy", "cv2", "onnxruntime"):
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        package = Path(spec.origin).parent
        (site / name).symlink_to(package)
        for libraries in package.parent.glob("*.libs"):
            link = site / libraries.name
            if not link.exists():
                link.symlink_to(libraries)
    return site


def run_bare(site: Path, bundle: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The finished process of detect.py with these arguments: no site packages, no environment."""
    command = [sys.executable, "-I", "-S", "-c", BARE, str(site), str(bundle / "detect.py"), *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False, cwd=bundle.parent
    )
