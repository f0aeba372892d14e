"""A page in headless Chromium, in a frame of a given width: what a script sees of it."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

BROWSER = next(
    (p for name in ("chromium", "chromium-browser", "google-chrome") if (p := shutil.which(name))), None
)
needs_browser = pytest.mark.skipif(
    BROWSER is None, reason="no Chromium found to open the report with (hint: apt install chromium)"
)
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-sync", "--enable-logging=stderr", "--virtual-time-budget=8000",
    "--allow-file-access-from-files",
)  # fmt: skip

# The report in a frame of the given width; what LOOK gives goes into the outer page's <pre>.
HARNESS = """<!doctype html><body><iframe src="report.html" width="WIDTH" height="900"></iframe><pre></pre>
<script>
addEventListener("load", () => setTimeout(() => {
  const page = document.querySelector("iframe").contentDocument, root = page.documentElement;
  const say = value => {
    document.querySelector("pre").textContent = "SEEN" + JSON.stringify(value) + "END";
  };
  LOOK
}, 1500));
</script>"""


def look(folder: Path, width: int, script: str) -> Any:
    """What the script says of report.html in the folder. Fails on any word on the console."""
    page = HARNESS.replace("WIDTH", str(width)).replace("LOOK", script)
    (folder / "harness.html").write_text(page, encoding="utf-8")
    command = [str(BROWSER), *FLAGS, f"--user-data-dir={folder / 'profile'}", "--dump-dom"]
    done = subprocess.run(
        [*command, (folder / "harness.html").as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    said = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    assert said == []
    found = re.search(r"SEEN(.*?)END", done.stdout, re.S)
    assert found is not None, done.stderr[-2000:]
    return json.loads(html.unescape(found[1]))
