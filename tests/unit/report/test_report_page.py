"""The page as text: structure, escaping, links, empty states, writing."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from made_up_story import story, verdict, with_quantities, without_truth

from paredown._report import write_report
from paredown._report.evidence import rows
from paredown._report.left_float import by_reason, tally
from paredown._report.trade_off import figure
from paredown._report.write import render
from paredown.errors import StorageError
from paredown.measurement import Quantity, StepRecord

VOID = {"meta", "img", "br", "link"}


class Page(HTMLParser):
    """Collects ids, links and text; complains about tags that do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.sources: list[str] = []
        self.open: list[str] = []
        self.words = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.ids += [given["id"]] if "id" in given else []
        if tag == "a":
            self.links.append(given["href"])
        self.sources += [given[k] for k in ("src", "href") if k in given and tag != "a"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("script", "style"):
            self.words += data


@pytest.fixture(scope="module")
def page() -> Page:
    return Page(render(story()))


def test_ids_are_unique_and_every_internal_link_has_its_place(page: Page) -> None:
    assert len(page.ids) == len(set(page.ids))
    assert page.links
    inner = {link for link in page.links if not link.startswith("data:")}
    assert all(link.startswith("#") for link in inner)  # the made-up models lie nowhere
    assert {link.removeprefix("#") for link in inner} <= set(page.ids)


def test_nothing_is_loaded_from_elsewhere(page: Page) -> None:
    assert page.sources
    assert all(s.startswith("data:") for s in page.sources)


def test_it_says_what_to_use_and_with_which_figures(page: Page) -> None:
    assert re.search(r"Use int8: 2\.0. faster, 3\.7. smaller, 0\.40.points lost", page.words)
    assert "Fastest of the models that lose at most 0.50 points." in page.words
    assert "limit: at most" in page.words


@pytest.mark.parametrize(
    ("int8", "float_itself", "said"),
    [
        ((0.85, 0.77, 1.10), (1.0, 0.99, 1.01), "speed not told apart from float"),
        ((0.91, 0.89, 0.93), (1.0, 0.88, 1.12), "speed not told apart from float"),
        ((0.80, 0.77, 0.83), (1.0, 0.88, 1.12), "1.2"),
    ],
)
def test_the_headline_claims_no_speed_that_the_intervals_do_not_bear_out(
    int8: tuple[float, ...], float_itself: tuple[float, ...], said: str
) -> None:
    trials = []
    for trial in story().trials:
        if trial.label in ("int8", "float"):
            value, low, high = int8 if trial.label == "int8" else float_itself
            ratio = Quantity("latency_ratio", value, "ratio", "lower", low=low, high=high)
            others = [q for q in trial.measurement.quantities if q.name != ratio.name]
            trial = replace(trial, measurement=replace(trial.measurement, quantities=(*others, ratio)))
        trials.append(trial)
    assert f"Use int8: {said}" in Page(render(story(trials=tuple(trials)))).words


def test_words_of_others_are_escaped() -> None:
    text = render(story(title="<script>alert(1)</script>", classes=("</script><b>",) * 10))
    assert "<script>alert" not in text
    assert "</script><b>" not in text
    assert "failed: ORT refused the model: &lt;no kernel&gt; for int4 &amp; up" in text


def test_every_plot_is_json_and_has_its_place(page: Page) -> None:
    text = render(story())
    found = re.findall(r'<script type="application/json" data-for="([^"]+)">(.*?)</script>', text, re.S)
    assert len(found) >= 9
    for anchor, values in found:
        assert anchor in page.ids
        assert json.loads(values)["data"]


def test_without_any_trial_it_says_so() -> None:
    words = Page(render(story(trials=(), pictures=(), verdict=None))).words
    for said in (
        "No trial has been run yet",
        "Nothing to recommend yet",
        "No pictures were drawn",
        "no trade-off",
    ):
        assert said in words


def test_a_study_whose_float_model_is_best_says_keep_it() -> None:
    kept = verdict(story().trials, "float", ("Nothing was faster.",), gate_met=False)
    words = Page(render(story(verdict=kept))).words
    assert "Keep the float model" in words
    assert "The limits were not met" in words


def test_without_truth_the_page_speaks_of_agreement_and_of_no_points_lost() -> None:
    words = Page(render(without_truth())).words
    assert "not accuracy but agreement with the float model's own answers" in words
    assert "% agreement with the float model" in words
    assert "limit: at least 88 % agreement with the float model" in words
    assert "points lost" not in words
    assert "fidelity" not in words


def test_the_page_has_one_number_of_points_lost() -> None:
    told = with_quantities(
        story(), "int8", Quantity("map50_95_drop", 0.4449, "points", "lower", low=0, high=1)
    )
    words = Page(render(told)).words
    assert set(re.findall(r"(\d+\.\d\d).points (?:lost|gained)", words)) == {"0.44"}


def test_no_quotient_is_called_measured() -> None:
    text = render(story())
    ratios = re.findall(r'title="([^"]*)"[^>]*>0\.49<', text)
    assert ratios
    assert all(words.startswith("derived") for words in ratios)
    assert "Latency divided by the float model&#x27;s, derived" in text


def test_latencies_are_shown_on_one_float_and_as_they_were_timed() -> None:
    told = with_quantities(  # a slow phase: float took 387 ms beside it
        story(),
        "int8",
        Quantity("latency_s", 0.348, "s", "lower"),
        Quantity("float_latency_s", 0.387, "s", "lower"),
        Quantity("latency_ratio", 0.9, "ratio", "lower", "derived", low=0.88, high=0.92),
    )
    words = Page(render(told)).words
    assert "Use int8: 1.1\u00d7 faster" in words
    plot = figure(rows(told), "map50_95")
    at = {trace["name"]: trace["x"][0] for trace in plot.data if trace.get("mode") == "markers+text"}
    assert at["int8"] < at["float"]
    assert at["int8"] == pytest.approx(0.9 * at["float"])
    assert "ratio \u00d7 float's" in plot.layout["xaxis"]["title"]["text"]
    assert re.search(r"as timed 348\.0.ms beside float's 387\.0.ms", words)
    for column in ("as timed", "float beside it"):
        assert column in words


def test_float_is_once_as_slow_as_float_and_its_noise_is_on_hover() -> None:
    noise = Quantity("latency_ratio", 1.12, "ratio", "lower", "derived", low=0.96, high=1.39)
    told = with_quantities(story(), "float", noise)
    float_model = rows(told)[0]
    assert float_model.get("latency_ratio").value == 1
    told = with_quantities(told, "float", Quantity("float_latency_s", 0.2719, "s", "lower"))
    assert "271.9" not in Page(render(told)).words  # beside "1.00 of float" it would contradict
    assert "beside itself 1.12" in render(told)


def test_an_older_study_that_kept_no_float_latency_says_so() -> None:
    told = story()
    trials = []
    for trial in told.trials:
        measured = trial.measurement
        if measured is not None:
            kept = tuple(q for q in measured.quantities if q.name != "float_latency_s")
            trial = replace(trial, measurement=replace(measured, quantities=kept))
        trials.append(trial)
    words = Page(render(replace(told, trials=tuple(trials)))).words
    assert "float beside it not kept" in words
    assert "was not kept by the version that made this study" in words


def test_numbers_that_are_not_finite_do_not_break_the_page() -> None:
    told = story()
    first = told.trials[1]
    curves = {
        **first.measurement.curves,
        "ap_per_class": (float("nan"),) * 10,
        "memory_bytes": (float("nan"),) * 60,
    }
    broken = replace(first, measurement=replace(first.measurement, curves=curves))
    Page(render(replace(told, trials=(told.trials[0], broken))))


def test_rendering_is_pure() -> None:
    assert render(story()) == render(story())


def test_it_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    out = write_report(story(), tmp_path / "deep" / "report.html")
    assert out.read_text(encoding="utf-8").endswith("</html>")
    assert [p.name for p in out.parent.iterdir()] == ["report.html"]
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write"):
        write_report(story(), tmp_path / "file" / "report.html")


def test_reasons_are_grouped_the_largest_first() -> None:
    log = (
        StepRecord("q", "a", "float", "rare"),
        StepRecord("q", "b", "float", "often"),
        StepRecord("q", "c", "float", "often"),
        StepRecord("q", "d", "quantized", "fuses"),
        StepRecord("q", "", "skipped", "whole"),
    )
    assert [(r.why, r.places) for r in by_reason(log)] == [
        ("often", ("b", "c")),
        ("rare", ("a",)),
        ("whole", ()),
    ]
    assert tally(log) == {"float": 3, "quantized": 1}


def test_a_collapsed_model_does_not_set_the_scale() -> None:
    plot = figure(rows(story()), "map50_95")
    assert plot is not None
    low, high = plot.layout["yaxis"]["range"]
    assert 0.3 < low < 0.37
    assert 0.414 < high < 0.45
    fallen = [d for d in plot.data if d["name"].startswith("ort-static")]
    assert fallen[0]["marker"]["symbol"] == "triangle-down"
    assert "(0.000)" in fallen[0]["name"]


def test_the_bars_of_the_trade_off_end_within_the_plot() -> None:
    wide = Quantity("map50_95_drop", 0.44, "points", "lower", "derived", low=-6.0, high=9.0)
    slow = Quantity("latency_s", 0.2, "s", "lower", low=0.19, high=0.6)
    plot = figure(rows(with_quantities(with_quantities(story(), "int8", wide), "float", slow)), "map50_95")
    low, high = plot.layout["yaxis"]["range"]
    bars = next(trace for trace in plot.data if trace["name"] == "int8")
    (y,), (above,), (below,) = bars["y"], bars["error_y"]["array"], bars["error_y"]["arrayminus"]
    assert (above, below) == pytest.approx((0.0644, 0.0856))
    assert low < y - below < y + above < high
    far = max(t["x"][0] + t["error_x"]["array"][0] for t in plot.data if "error_x" in t)
    assert far < plot.layout["xaxis"]["range"][1]


def test_a_figure_that_was_not_measured_says_so_beside_it() -> None:
    told = story()
    first = told.trials[1]
    guessed = tuple(
        replace(q, how="estimated") if q.name == "latency_s" else q for q in first.measurement.quantities
    )
    changed = replace(first, measurement=replace(first.measurement, quantities=guessed))
    text = render(replace(told, trials=(told.trials[0], changed)))
    assert "<small>estimated</small>" in text
    assert "Every figure is estimated, measured or derived from that on target local" in text


def test_what_the_search_tried_is_marked_and_drawn_only_where_it_leads() -> None:
    named = story()
    slow = next(t for t in named.trials if t.label == "int8-dynamic")  # others beat it in both
    fast = next(t for t in named.trials if t.recipe == named.best)
    beaten = replace(slow, recipe="beaten", label="beaten", origin="search")
    leading = replace(fast, recipe="leads", label="leads", origin="search")  # as good as the best
    told = replace(named, trials=(*named.trials, beaten, leading))
    drawn = figure(rows(told), told.metric)
    names = {
        trace["customdata"][0]: trace["text"][0].strip() for trace in drawn.data if "customdata" in trace
    }
    assert names["beaten"] == ""
    assert names["leads"] == "leads"
    assert names["int8-dynamic"] == "int8-dynamic"
    assert "tried by the search" in drawn.caption
    text = render(told)
    assert text.count('<span class="mark search">search</span>') == 2
    plots = "".join(re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', text, re.DOTALL))
    assert plots.count('"beaten"') < plots.count('"leads"')
    assert '<span class="mark search">search</span>' not in render(named)
