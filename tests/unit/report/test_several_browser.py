"""The page over several models in a browser: it sorts, two candidates are picked, nothing is too wide."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser import look, needs_browser
from made_up_stories import stories
from test_report_browser import FITS

from paredown._report.several.page import write_index_pages

pytestmark = needs_browser
CLICKS = """
  const table = page.querySelector("#ranking");
  const heads = [...table.tHead.rows[0].cells];
  const latency = heads.findIndex(c => c.textContent.startsWith("latency"));
  const column = () => [...table.tBodies[0].rows].map(r => Number(r.cells[latency].dataset.v));
  heads[latency].querySelector("button").click();
  heads[latency].querySelector("button").click();
  const up = column(), sorted = heads[latency].getAttribute("aria-sort");
  const change = (side, i) => {
    const pick = page.querySelector("#pick-" + side);
    pick.value = String(i);
    pick.dispatchEvent(new page.defaultView.Event("change"));
  };
  change("a", 3); change("b", 3);
  const same = page.querySelector("#pair-said").textContent;
  change("b", 0);
  say({
    up, sorted, same, said: page.querySelector("#pair-said").textContent,
    heads: [...page.querySelector("#pair").tHead.rows[0].cells].map(c => c.textContent),
    picked: ["a", "b"].map(s => page.querySelector("#pick-" + s).selectedOptions[0].textContent),
    lines: page.querySelector("#pair").tBodies[0].rows.length,
    plots: page.querySelectorAll(".plot").length,
    drawn: [...page.querySelectorAll(".plot")].filter(p => p.querySelector(".main-svg")).length,
    unnamed: [...page.querySelectorAll(".plot")].filter(p => !p.getAttribute("aria-label")).length,
  });
"""


def test_sorting_and_picking_two_candidates(tmp_path: Path) -> None:
    write_index_pages(stories(), tmp_path)
    seen = look(tmp_path, 1300, CLICKS)
    assert (seen["sorted"], seen["up"]) == ("ascending", sorted(seen["up"]))
    assert len(seen["up"]) == 18
    assert seen["same"] == "These two are the same."
    assert seen["heads"] == ["", *seen["picked"]]
    assert seen["said"].startswith(f"{seen['picked'][0]} beside {seen['picked'][1]}: ")
    assert "points lost of mAP50-95" in seen["said"]
    assert seen["lines"] >= 8
    assert seen["drawn"] == seen["plots"] >= 10
    assert seen["unnamed"] == 0


NARROW = """
  const words = e => e.getClientRects().length;
  const marks = page.querySelectorAll("#plot-front .legend .legendsymbols .scatterpts");
  const plot = page.querySelector("#plot-latency-s").getBoundingClientRect();
  say({
    broken: [...page.querySelectorAll("#verdicts td a, #matrix td small")].filter(e => words(e) > 1).length,
    labels: [...page.querySelectorAll("#ranking tbody tr:first-child td")].map(c => c.dataset.label || ""),
    colours: [...marks].map(m => m.style.fill),
    nameless: [...page.querySelectorAll(".legendtext")].filter(t => /^trace/.test(t.textContent)).length,
    cut: [...page.querySelectorAll("#plot-latency-s text")]
      .filter(t => t.getBoundingClientRect().right > plot.right + 1).map(t => t.textContent),
  });
"""


def test_on_a_phone_cells_are_lines_and_plots_keep_their_words(tmp_path: Path) -> None:
    write_index_pages(stories(), tmp_path)
    seen = look(tmp_path, 390, NARROW)
    assert seen["broken"] == 0
    assert {"latency, ms", "file size, MB", "energy, mJ"} <= set(seen["labels"])
    assert len(seen["colours"]) == len(set(seen["colours"])) == 3  # of each model one of its own
    assert (seen["nameless"], seen["cut"]) == (0, [])


@pytest.mark.parametrize("width", [390, 1300])
def test_nothing_is_wider_than_the_page_and_nothing_is_fetched(tmp_path: Path, width: int) -> None:
    write_index_pages(stories(5, 2, seeds=2), tmp_path)
    assert look(tmp_path, width, FITS) == {"wide": [], "asked": []}
