"""The page of minutes: every figure and finding is on it, drawn by a real browser too."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from made_up_story import story

from paredown._report.endurance_page import render, write_endurance
from paredown._report.write import render as report_page
from paredown.endurance import Endurance, Footprint, Interference, Sustained, ThreadsCurve, Throttled, Variant
from paredown.errors import StorageError, UsageError
from paredown.measurement import Doubt, Quantity
from paredown.report_data.endurance import read_endurance
from paredown.study.records import json_text, read_json
from paredown.typed import build

BROWSER = next((p for name in ("chromium", "google-chrome") if (p := shutil.which(name))), None)


def q(name: str, value: float) -> Quantity:
    return Quantity.listed(name, value, low=0.9 * value, high=1.1 * value)


def endurance() -> Endurance:
    """Ten minutes of a board that throttles, beside one neighbour."""
    times = tuple(float(t) for t in range(0, 600, 5))
    hot = tuple(0.05 if t < 200 else 0.08 for t in times)
    sustained = Sustained(
        600.0, times, hot, tuple(1.2 * s for s in hot), tuple(1 / s for s in hot),
        Throttled(200.0, "throttling seen: the board says throttled", ("latency", "clock rate"), ("power",)),
        (q("latency_cold_s", 0.05), q("latency_hot_s", 0.08), q("hot_ratio", 1.6), q("held_rate", 12.4)),
        times, tuple(2400.0 if t < 200 else 1500.0 for t in times), tuple(60 + t / 30 for t in times),
        tuple(8e7 for _ in times), times, tuple(7.5 for _ in times), "the <rails> (pmic)",
        (Doubt("governor", "the governor is ondemand"),),
    )  # fmt: skip
    latency = (q("latency_s", 0.05), q("latency_s", 0.09), q("latency_p95_s", 0.06), q("latency_p95_s", 0.15))
    helps = Quantity.listed("beside_ratio", 0.7, low=0.6, high=0.8)
    beside = Interference(
        "cpu",
        "another program computes: 9 products a second",
        (
            Variant("as it is", *latency),
            Variant("one core fewer", *latency, helps, helps),
            Variant("real-time", refused="not permitted: EPERM"),
        ),
    )
    threads = ThreadsCurve(
        (1, 2, 4), (q("latency_s", 0.2), q("latency_s", 0.11), q("latency_s", 0.09)), (0.2, 0.22, 0.33), 2
    )
    needs = Footprint((q("load_s", 0.1), q("load_cold_s", 0.4)), "the system was asked to forget the files")
    return Endurance("toy", "a board", "2026-01-01", sustained, (beside,), threads, needs)


def test_every_finding_is_on_the_page() -> None:
    text = render(endurance())
    for words in (
        "throttling seen: the board says throttled, from 3:20 on",
        "Without a pause for 10 minutes",
        "the &lt;rails&gt; (pmic)",
        "the governor is ondemand",
        "What helped: one core fewer (median 0.70\u00d7, 95th percentile 0.70\u00d7).",
        "not tried: not permitted: EPERM",
        "2, efficient",
        "the system was asked to forget the files",
    ):
        assert words in text, words
    anchors = re.findall(r'data-for="([^"]+)"', text)
    assert len(anchors) == len(set(anchors)) == 7
    assert "no throttling" not in text


def test_what_was_not_looked_at_has_no_section() -> None:
    text = render(Endurance("toy", "a board", threads=endurance().threads))
    assert "plot-threads" in text
    assert "plot-sustained" not in text
    assert "Beside a neighbour" not in text


def test_it_is_kept_as_json_and_read_back() -> None:
    found = endurance()
    assert build(Endurance, read_json(json_text(found))) == found


def test_a_page_is_not_written_over(tmp_path: Path) -> None:
    out = write_endurance(endurance(), tmp_path / "page.html")
    with pytest.raises(UsageError):
        write_endurance(endurance(), out)
    assert write_endurance(endurance(), out, force=True) == out


@pytest.mark.skipif(BROWSER is None, reason="no Chromium found (hint: apt install chromium)")
def test_a_browser_draws_every_plot(tmp_path: Path) -> None:
    page = write_endurance(endurance(), tmp_path / "page.html")
    count = """<script>addEventListener("load", () => setTimeout(() => {
      const drawn = [...document.querySelectorAll(".plot")].map(p => !!p.querySelector(".main-svg"));
      const wide = document.documentElement.scrollWidth;
      document.title = "SEEN" + JSON.stringify([drawn, wide, innerWidth]) + "END";
    }, 1500));</script></body>"""
    page.write_text(page.read_text().replace("</body>", count))
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=8000", "--dump-dom"]
    done = subprocess.run([BROWSER, *flags, page.as_uri()], capture_output=True, text=True, timeout=120)
    seen = re.search(r"SEEN(.*?)END", done.stdout)
    assert seen is not None, done.stderr[-500:]
    drawn, wide, room = json.loads(seen[1])
    assert drawn == [True] * 7
    assert wide <= room


def test_a_study_shows_what_lies_in_its_directory(tmp_path: Path) -> None:
    (tmp_path / "endurance-int8.json").write_text(json_text({"endurance": endurance()}))
    found = read_endurance(tmp_path)
    assert found == {"int8": endurance()}
    text = report_page(story(endurance=found))
    assert "Minutes: int8" in text
    assert "throttling seen: the board says throttled, from 3:20 on" in text
    (tmp_path / "endurance-bad.json").write_text('{"quantities": []}')
    with pytest.raises(StorageError, match=r"endurance-bad\.json"):
        read_endurance(tmp_path)
