"""Every benchmark, one after the other, then the tables. It takes hours.

    python benchmarks/run.py --material MATERIAL

What was measured before is not measured again by those that can resume. Every argument is handed on to
each.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
SCRIPTS = ("calibration.py", "latency_ratio.py", "results.py", "ptq_peers.py", "avx2.py", "mixed.py")


def main() -> int:
    """Exit code: the highest of all. One that fails does not stop the others."""
    codes = [subprocess.call([sys.executable, str(HERE / s), *sys.argv[1:]]) for s in SCRIPTS]
    return max([*codes, subprocess.call([sys.executable, str(HERE / "render.py")])])


if __name__ == "__main__":
    sys.exit(main())
