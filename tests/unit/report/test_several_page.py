"""The page over several models: verdicts, ranking, published figures, pairs; in words and as markup."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from made_up_stories import stories
from made_up_story import story

from paredown._report.in_words import in_short, several_md, summary_md
from paredown._report.plots import elided
from paredown._report.several.page import render_index, write_index_pages
from paredown._report.several.pairs import pairs
from paredown._report.several.stories import candidates_of, kept_of, priorities_over
from paredown.analyze.kept import apart

MB = 1_000_000


def test_every_part_has_its_verdict_and_a_link_and_what_was_skipped_its_reason():
    page = render_index(stories())
    for name in ("ssd-mobilenet", "ssdlite", "yolov5s"):
        assert f'href="models/{name}/report.html"' in page
    assert "its model is not there" in page
    assert page.count("<h1") == 1


def test_candidates_of_all_models_are_ranked_together_and_named_by_model():
    told = stories()
    given = candidates_of(told)
    found = priorities_over(told, given)
    assert len(given) == 18
    assert found.reference == next(a.candidate.name for a in found.advice if a.priority == "balanced")
    assert {name.split()[0] for name in found.beside} == {"ssd-mobilenet", "ssdlite", "yolov5s"}
    assert "least energy" in {a.priority for a in found.advice}


def test_other_seeds_are_no_candidates_of_their_own_but_have_their_table():
    told = stories(seeds=3)
    assert len(candidates_of(told)) == 18
    page = render_index(told)
    assert 'id="seeds"' in page
    assert 'id="seeds"' not in render_index(stories())


def test_several_trials_are_told_by_the_labels_of_the_study_and_not_by_files():
    told = stories(3, 2, seeds=2)
    parts = {  # both of one file, as a study with two ways to feed it
        name: replace(s, trials=tuple(replace(t, model="net.onnx") for t in s.trials))
        for name, s in told.parts.items()
    }
    page = render_index(replace(told, parts=parts))
    table = page[page.index('id="seeds"') :]
    names = re.findall(r'<td class="recipe">([^<]*)', table[: table.index("</table>")])
    assert names == [
        f"{m} {r}" for m in ("ssd-mobilenet", "ssdlite") for r in ("float", "recipe-1", "recipe-2")
    ]


def test_published_figures_stand_beside_the_same_quantity_and_differences_in_words():
    page = render_index(stories())
    section = page[page.index('id="published"') : page.index('id="doubts"')]
    assert "SSD-MobileNetV2, PTQ" in section
    assert "board: Jetson Nano there, local (Cortex-A76, 4 cores) here." in section
    assert (
        "images: COCO val2017, 5,000 images there, 197 images of coco_eval (and 100 that calibrate) here."
        in section
    )
    assert "nothing here is like it" in section
    assert "simulated" in section
    row = section[section.index("SSD-MobileNetV2, FP32") :]
    cells = re.findall(r'<td class="n"[^>]*>(?:<b>)?([^<]*)', row[: row.index("</tr>")])
    assert cells == ["0.401", "0.332", "38.0", "38.0"]


def test_the_sentences_of_pairs_are_those_of_the_paired_bootstrap():
    told = stories(3, 2)
    page = render_index(told)
    data = json.loads(re.search(r'id="pair-data">(.*?)</script>', page)[1])
    names = [c["name"] for c in data["candidates"]]
    kept = kept_of(told, candidates_of(told))
    difference = apart(kept[names[0]], kept[names[1]])
    assert f"{abs(100 * difference.value):.2f}" in data["apart"]["0,1"]
    assert len(data["apart"]) == 15  # every pair of six


@pytest.mark.parametrize(
    ("metric", "said"),
    [
        ("map50_95", "points lost against its float model"),
        ("fidelity_map50_95", "less agreement with the float model, %"),
    ],
)
def test_without_truth_the_picker_says_no_points(metric: str, said: str):
    told = stories(3, 2)
    found = priorities_over(told, candidates_of(told))
    page = pairs(found, {}, metric)
    figures = json.loads(re.search(r'id="pair-data">(.*?)</script>', page)[1])["candidates"][0]["figures"]
    assert said in figures
    assert sum("points" in name or "less" in name for name in figures) == 1


def test_one_of_anything_is_not_said_as_many():
    one = stories(1, 1)
    entries = tuple(e for e in one.index.entries if e.state != "skipped")
    page = render_index(replace(one, index=replace(one.index, entries=entries)))
    assert "1 model, 1 of 1 part finished, 1 candidate<" in page


def test_a_study_that_was_killed_says_what_is_finished_and_what_is_not():
    told = stories()
    states = {"ssd-mobilenet": "finished", "ssdlite": "running", "yolov5s": "waiting"}
    entries = tuple(replace(e, state=states.get(e.model, e.state)) for e in told.index.entries)
    begun = replace(told.parts["ssdlite"], finished=False, to_come=("int4", "mixed"))
    parts = {"ssd-mobilenet": told.parts["ssd-mobilenet"], "ssdlite": begun}
    killed = replace(told, parts=parts, index=replace(told.index, entries=entries, finished=False))
    said = (
        "Unfinished study: 1 of 4 parts finished. What this page says may change.",
        "ssdlite: 5 of 7 recipes finished; still to come: int4, mixed.",
        "Not begun: yolov5s.",
    )
    page, text = re.sub("<[^>]*>", "", render_index(killed)), several_md(killed)
    assert all(line in page for line in said)
    assert all(f"- {line}\n" in text for line in said)
    assert "| ssdlite | so far: " in text
    assert text.count("so far: ") == 1
    assert "Unfinished" not in render_index(told) + several_md(told)


def test_parts_of_another_metric_are_named_and_not_ranked():
    told = stories()
    odd = replace(told.parts["ssdlite"], metric="fidelity_map50_95")
    page = render_index(replace(told, parts={**told.parts, "ssdlite": odd}))
    assert "not ranked with the others: ssdlite" in page


def test_parts_judged_on_other_images_are_named_and_not_ranked_but_have_their_verdicts():
    told = stories()
    odd = told.parts["ssdlite"]
    odd = replace(odd, dataset=replace(odd.dataset, digest="of other images, of the same name and number"))
    apart = replace(told, parts={**told.parts, "ssdlite": odd})
    page, text = render_index(apart), several_md(apart)
    said = "Judged on other images, and not ranked with the others: ssdlite."
    assert page.count(said) == 2  # where the verdicts are, and among the doubts
    assert said in text
    assert {c.name.split()[0] for c in candidates_of(apart)} == {"ssd-mobilenet", "yolov5s"}
    assert 'href="models/ssdlite/report.html"' in page
    alone = replace(apart, parts={k: s for k, s in apart.parts.items() if k != "yolov5s"})
    assert {c.name.split()[0] for c in candidates_of(alone)} == {"ssd-mobilenet"}  # told whose they are
    matrix = page[page.index('id="matrix"') :]
    assert 'data-label="ssdlite"' in matrix[: matrix.index("</table>")]


@pytest.mark.parametrize("told", [replace(stories(1, 1), fps=None), replace(stories(), parts={})])
def test_a_study_of_next_to_nothing_still_has_a_page(told):
    page = render_index(told)
    assert "</html>" in page
    assert "nothing" in page
    assert not re.search(r"\b1 (models|parts|candidates)\b", page)


def test_two_hundred_trials_of_five_models_stay_below_six_megabytes(tmp_path: Path):
    page = write_index_pages(stories(40, 5), tmp_path)
    assert page.stat().st_size < 6 * MB
    assert (tmp_path / "summary.md").read_text().count("\n| ") > 150
    assert (tmp_path / "trials.csv").read_text().count("\n") == 201


def test_the_summary_in_words():
    text = several_md(stories())
    assert "| missing | skipped: its model is not there |" in text
    assert "| balanced | " in text
    told = story()
    text = summary_md(told)
    assert text.startswith(f"# {told.title}\n")
    assert "| int8 | 0.410 | 0.40 | 30.4" in text.replace("\u202f", " ")
    assert "&lt;no kernel>" in text


def test_long_names_are_shortened_in_plots_and_stay_apart():
    long = "cle+gates+w8a8-pc-mse-guard-timed+gptq+qat-steps20"
    assert elided(["int8", long]) == ["int8", f"{long[:17]}\u2026{long[-17:]}"]
    twins = [long, long[:20] + "x" + long[20:]]
    assert elided(twins) == twins


def test_in_short_for_a_terminal():
    told = stories()
    found = priorities_over(told, candidates_of(told))
    lines = in_short(found, told.metric)
    assert lines[0].startswith("fastest: ssdlite ")
    assert re.search(r"^balanced: .* \(score 0\.\d\d\)$", "\n".join(lines), re.MULTILINE)
    assert re.search(r"^most accurate: .* \(mAP50-95 0\.\d+\)$", "\n".join(lines), re.MULTILINE)
    assert any(line.startswith(f"at 30 frames per second, {found.reference}: keeps up: ") for line in lines)
    assert sum(f" against {found.reference}: " in line for line in lines) == 3


def test_what_a_stranger_named_is_no_markup():
    told = stories(2, 1)
    label = "<script>alert(1)</script>"
    part = next(iter(told.parts.values()))
    trials = (part.trials[0], replace(part.trials[1], label=label))
    page = render_index(replace(told, parts={"ssd-mobilenet": replace(part, trials=trials)}))
    assert label not in page
