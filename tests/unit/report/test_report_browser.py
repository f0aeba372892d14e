"""The report in a real browser: a quiet console, every plot drawn, no sideways scrolling on a phone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from browser import look as look_at
from browser import needs_browser
from made_up_story import classifier, story, with_layers

from paredown._report import Story, write_report

pytestmark = needs_browser
THEMES = """
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
  setTimeout(() => say([before, seen()]), 1500);
"""
FITS = """
  // An element may only be wider than the page inside of something that scrolls by itself.
  const scrolls = e => { for (; e && e !== page.body; e = e.parentElement)
    if (["auto", "scroll", "hidden"].includes(getComputedStyle(e).overflowX)) return true; return false; };
  say({
    wide: [...page.querySelectorAll("main *")].filter(e => e.getBoundingClientRect().width > 0 &&
      (e.getBoundingClientRect().right > root.clientWidth + 1 || e.getBoundingClientRect().left < -1) &&
      !scrolls(e.parentElement) && !scrolls(e)).map(e => e.outerHTML.slice(0, 120)),
    asked: [...page.defaultView.performance.getEntriesByType("resource")].map(r => r.name.slice(0, 60))
      .filter(name => !name.startsWith("data:")),
  });
"""
SORTS = """
  const table = page.querySelector(".layers table.sortable");
  const head = name => [...table.tHead.rows[0].cells].find(c => c.textContent.startsWith(name));
  const column = name => [...table.tBodies[0].rows].map(r => r.cells[head(name).cellIndex].dataset.v);
  const shown = () => [...table.tBodies[0].rows].filter(r => !r.hidden).length;
  const first = shown();
  page.querySelector('button[data-show="all"]').click();
  head("ms here").querySelector("button").click();
  const down = column("ms here"), sorted = head("ms here").getAttribute("aria-sort");
  head("ms here").querySelector("button").click();
  const up = column("ms here");
  const box = page.querySelector(".network .box");
  box.dispatchEvent(new MouseEvent("click", { bubbles: true }));
  const chosen = [...table.querySelectorAll("tr.chosen")].map(r => r.dataset.place).join(" ");
  const pan = page.querySelector(".pan");
  say({ first, all: shown(), down, up, sorted, chosen, box: box.dataset.layers,
        scrolls: pan.scrollHeight > pan.clientHeight });
"""
LINKS = """
  const links = [...page.querySelectorAll("a[download]")];
  say({
    pictures: links.filter(a => "picture" in a.dataset).map(a => a.href.slice(0, 22)),
    others: links.filter(a => !("picture" in a.dataset)).map(a => a.getAttribute("href").slice(0, 60)),
  });
"""


ENLARGES = """
  const buttons = [...page.querySelectorAll("button.enlarge")];
  buttons[2].click();
  const dialog = page.querySelector("dialog.pictures");
  const seen = () => ({ open: dialog.open, words: dialog.querySelector("p").textContent,
    shown: [...dialog.querySelectorAll("img")].map(i => i.naturalWidth) });
  const first = seen();
  dialog.dispatchEvent(new page.defaultView.KeyboardEvent("keydown", { key: "ArrowLeft", bubbles: true }));
  const before = seen();
  dialog.querySelector("button.close").click();
  say({ buttons: buttons.length, first, before, closed: !dialog.open });
"""


def look(folder: Path, width: int, told: Story | None = None, script: str = THEMES) -> Any:
    """What the script says of the report. Fails on any word on the console."""
    write_report(story() if told is None else told, folder / "report.html")
    return look_at(folder, width, script)


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


@pytest.mark.parametrize(("width", "told"), [(390, with_layers), (390, classifier), (1300, with_layers)])
def test_nothing_is_wider_than_the_page_and_nothing_is_fetched(
    tmp_path: Path, width: int, told: Callable[[], Story]
) -> None:
    seen = look(tmp_path, width, told(), FITS)
    assert seen == {"wide": [], "asked": []}


def test_the_table_of_layers_sorts_filters_and_follows_the_drawing(tmp_path: Path) -> None:
    seen = look(tmp_path, 1300, with_layers(), SORTS)
    assert (seen["first"], seen["all"]) == (14, 77)  # what is float is what it shows first
    times = [float(v) for v in seen["down"] if v is not None]
    assert seen["sorted"] == "descending"
    assert times == sorted(times, reverse=True)
    assert [float(v) for v in seen["up"] if v is not None] == times[::-1]
    assert seen["up"][len(times) :] == [None] * (77 - len(times))  # what has no value stays below
    assert sorted(seen["chosen"].split()) == sorted(seen["box"].split())
    assert seen["scrolls"]


def test_every_download_leads_to_its_bytes(tmp_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    (models / "int8.onnx").write_bytes(b"int8")
    told = replace(story(), directory=tmp_path)
    seen = look(tmp_path, 1300, told, LINKS)
    assert seen["pictures"] == ["data:image/jpeg;base64"] * 4
    assert seen["others"][0].startswith("data:text/csv")
    assert seen["others"][1:] == ["models/int8.onnx"]
    assert (tmp_path / "models/int8.onnx").is_file()


def test_a_pair_of_pictures_opens_large_and_the_keys_lead_to_the_next(tmp_path: Path) -> None:
    seen = look(tmp_path, 1300, story(), ENLARGES)
    assert seen["buttons"] == 4
    assert seen["first"]["open"]
    assert seen["first"]["words"].startswith("000000000285.jpg")
    assert seen["first"]["shown"] == [640, 640]
    assert seen["before"]["words"].startswith("000000000139.jpg")
    assert seen["closed"]
