"""Published figures beside measured ones of the same quantity, and in words where the set-up differs."""

from __future__ import annotations

from paredown._report.evidence import Row
from paredown._report.format import DASH, bare, look
from paredown._report.html import Child, Html, bullets, section, tag
from paredown._report.several.stories import Stories
from paredown.analyze.against_float import FLOAT, baseline_of
from paredown.measurement import Quantity, Trial, machine_name
from paredown.metrics import kind_of, title_of
from paredown.study.published import Figures, Published


def published(stories: Stories) -> Html | None:
    """The section; None where nothing was published."""
    if not stories.index.published:
        return None
    lead = (
        "Figures of others beside ours, where the same quantity exists. They are not ranked: the set-up "
        "differs, as said below each table, and a ratio of two rows of one source says more than a figure."
    )
    parts = [part for source in stories.index.published for part in _source(stories, source)]
    return section("published", "Published beside measured", *parts, lead=lead)


def _source(stories: Stories, source: Published) -> list[Child]:
    names = list(dict.fromkeys(name for row in source.figures for name in row.values))
    heads = [tag("th", title_of(name), tag("small", _unit(name)), class_="n", colspan="2") for name in names]
    second = [tag("th", words, class_="n") for _ in names for words in ("published", "here")]
    body = [tag("tr", _line(stories, row, names)) for row in source.figures]
    table = tag(
        "table",
        tag("thead", tag("tr", tag("th", "as the source calls it"), heads), tag("tr", tag("th"), second)),
        tag("tbody", body),
        class_="cards published",
    )
    return [
        tag("h3", source.source),
        tag("div", table, class_="scroll wide") if source.figures else None,
        bullets(_differences(stories, source)),
    ]


def _unit(name: str) -> str:
    return look(Quantity(name, 0.0, kind_of(name).unit, kind_of(name).better)).shown


def _line(stories: Stories, row: Figures, names: list[str]) -> list[Html]:
    trial, baseline = _ours(stories, row)
    first = [tag("div", row.of, class_="name")]
    beside = f"beside {row.model} {row.recipe}".strip() if row.model else "nothing here is like it"
    missing = row.model and trial is None
    first.append(tag("small", f"{beside}{', which was not tried here' if missing else ''}"))
    notes = [text for text in (row.note, "" if row.how == "measured" else row.how) if text]
    first += [tag("small", "; ".join(notes))] if notes else []
    cells = [tag("td", first, class_="recipe")]
    for name in names:
        value = row.values.get(name)
        kind = kind_of(name)
        theirs = DASH if value is None else bare(Quantity(name, value, kind.unit, kind.better))
        ours = None if trial is None else Row(trial, "plain", "", baseline).get(name)
        label = ", ".join(filter(None, [kind.title, _unit(name)]))
        style = "n" if value is not None else "n none"  # on a phone what was not published takes no line
        cells.append(tag("td", theirs, class_=style, data_label=f"{label}, published"))
        mine = DASH if ours is None or value is None else bare(ours)
        cells.append(tag("td", tag("b", mine), class_=style, data_label=f"{label}, here"))
    return cells


def _ours(stories: Stories, row: Figures) -> tuple[Trial | None, Trial | None]:
    """The trial that a published row stands beside, and its float model: of the first place and seed."""
    entry = next((e for e in stories.index.entries if e.model == row.model), None)
    story = None if entry is None else stories.parts.get(entry.label)
    if story is None:
        return None, None
    wanted = row.recipe or FLOAT
    trial = next((t for t in story.trials if wanted in (t.label, t.recipe, t.key)), None)
    return (None if trial is None or trial.measurement is None else trial), baseline_of(story.trials)


def _differences(stories: Stories, source: Published) -> list[str]:
    """What is not the same there and here, a sentence each."""
    here = _here(stories, source)
    pairs = (
        ("models", source.models, ""),
        ("images", source.data, here["images"]),
        ("board", source.board, here["machine"]),
        ("runtime", source.runtime, here["runtime"]),
        ("protocol", source.protocol, ""),
    )
    said = [
        f"{what}: {there} there{f', {ours} here' if ours else ''}." for what, there, ours in pairs if there
    ]
    return [*said, *source.differs]


def _here(stories: Stories, source: Published) -> dict[str, str]:
    """Our set-up in words: that of the first model which figures stand beside."""
    beside = {row.model for row in source.figures if row.model}
    labels = [e.label for e in stories.index.entries if e.model in beside]
    story = next((stories.parts[name] for name in (*labels, *stories.parts) if name in stories.parts), None)
    if story is None:
        return {"images": "", "machine": "", "runtime": ""}
    measured = next((t.measurement for t in story.trials if t.measurement is not None), None)
    data = story.dataset
    calibrated = f" (and {data.calibration_images} that calibrate)" if data.calibration_images else ""
    return {
        "images": f"{data.images} images of {data.name}{calibrated}",
        "machine": "" if measured is None else machine_name(measured),
        "runtime": ", ".join(dict.fromkeys(t.runtime for t in stories.trials)),
    }
