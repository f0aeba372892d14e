"""The report in a real browser: a quiet console, every plot drawn, no sideways scrolling on a phone."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from made_up_story import story

from paredown._report import write_report

BROWSER = next(
    (p for name in ("chromium", "chromium-browser", "google-chrome") if (p := shutil.which(name))), None
)
pytestmark = pytest.mark.skipif(
    BROWSER is None, reason="no Chromium found to open the report with (hint: apt install chromium)"
)
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-sync", "--enable-logging=stderr", "--virtual-time-budget=8000",
    "--allow-file-access-from-files",
)  # fmt: skip

# The report in a frame of the given width; what it looks like there goes into the outer page's <pre>.
HARNESS = """<!doctype html><body><iframe src="report.html" width="WIDTH" height="900"></iframe><pre></pre>
<script>
addEventListener("load", () => setTimeout(() => {
  const page = document.querySelector("iframe").contentDocument, root = page.documentElement;
  const seen = () => ({
    theme: root.dataset.theme, background: getComputedStyle(page.body).backgroundColor,
    plots: page.querySelectorAll(".plot").length,
    drawn: [...page.querySelectorAll(".plot")].filter(p => p.querySelector(".main-svg")).length,
    ink: page.querySelector(".main-svg text").style.fill,
    wide: root.scrollWidth, room: root.clientWidth,
    broken: [...page.images].filter(i => i.complete && !i.naturalWidth).length,
  });
  const before = seen();
  page.querySelector("button.theme").click();
  setTimeout(() => {
    document.querySelector("pre").textContent = "SEEN" + JSON.stringify([before, seen()]) + "END";
  }, 1500);
}, 1500));
</script>"""


def look(folder: Path, width: int) -> list[dict[str, object]]:
    """What stands in the frame before and after the theme was switched. Fails on any word on the console."""
    write_report(story(), folder / "report.html")
    (folder / "harness.html").write_text(HARNESS.replace("WIDTH", str(width)), encoding="utf-8")
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
    found = re.search(r"SEEN(.*?)END", done.stdout)
    assert found is not None, done.stderr[-2000:]
    return json.loads(found[1])


@pytest.mark.parametrize("width", [390, 1280])
def test_the_report_in_chromium(tmp_path: Path, width: int) -> None:
    before, after = look(tmp_path, width)
    for seen in (before, after):
        assert seen["drawn"] == seen["plots"] >= 9
        assert seen["wide"] <= seen["room"]
        assert seen["broken"] == 0
    assert {before["theme"], after["theme"]} == {"light", "dark"}
    assert before["background"] != after["background"]
    assert before["ink"] != after["ink"]
