"""The images where two models differ most, side by side."""

from __future__ import annotations

import base64

from paredown._report.html import Html, nothing, section, tag
from paredown._report.story import Picture, Story
from paredown.tasks import TASKS

TITLE = "Where the two models differ most"


def pictures(story: Story) -> Html:
    """Float against compressed on the images where they differ most, each picture with its download."""
    if not story.pictures:
        later = "" if story.finished else " They come at its end."
        return section("pictures", TITLE, nothing(f"No pictures were drawn for this study.{later}"))
    pairs = [_pair(p, i, story.pictures_of) for i, p in enumerate(story.pictures)]
    shown = tag("div", pairs, class_=f"gallery {story.model.task}")
    return section("pictures", TITLE, _key(story), shown, lead=_lead(story))


def _lead(story: Story) -> str:
    other = story.pictures_of or "the compressed model"
    what = TASKS[story.model.task].WORDS.shown
    worst = "These are the worst images of the set, not typical ones."
    return f"Left the float model, right {other}; {what}. {worst}"


def _key(story: Story) -> Html:
    """What the marks in the pictures mean."""
    words, other = TASKS[story.model.task].WORDS, story.pictures_of or "the other"
    marks = words.legend if any(p.truth for p in story.pictures) else words.legend_unknown
    items = [
        tag("li", tag("span", class_=f"stroke s-{mark}"), meaning.replace("{other}", other))
        for mark, meaning in marks
    ]
    return tag("ul", items, class_="legend")


def _pair(picture: Picture, index: int, other: str) -> Html:
    sides = [("float", "float", picture.float_jpeg), ("other", other or "compressed", picture.other_jpeg)]
    images = [
        tag(
            "div",
            tag(
                "button",
                tag("img", src=data_uri("image/jpeg", jpeg), alt=f"{picture.name}, {label}", loading="lazy"),
                type="button",
                class_="enlarge",
                aria_label=f"Enlarge {picture.name}, {label}",
            ),
            tag("span", label, " ", _download(f"picture-{index}-{side}.jpg")),
        )
        for side, label, jpeg in sides
    ]
    caption = tag("figcaption", f"{picture.name}: {picture.why}")
    return tag("figure", tag("div", images, class_="pair"), caption)


def _download(name: str) -> Html:
    """A link that the page's script gives the picture above it: its bytes stand in the page once only."""
    return tag("a", "download", href="#pictures", download=name, data_picture=True)


def data_uri(kind: str, data: bytes) -> str:
    return f"data:{kind};base64," + base64.b64encode(data).decode("ascii")
