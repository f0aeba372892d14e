"""Markup from values: `tag` escapes every string that is not markup already. No template language."""

from __future__ import annotations

import html
from collections.abc import Iterable

from paredown.printable import printable

VOID = {"img", "meta", "br"}


class Html(str):
    """Text that is markup already and must not be escaped again."""

    __slots__ = ()


Child = str | None | Iterable["Child"]


def text(value: str) -> Html:
    """The value as markup; control characters of foreign names are spelled out, as on a terminal."""
    if isinstance(value, Html):
        return value
    return Html(html.escape(printable(value, keep_lines=True), quote=True))


def join(children: Iterable[Child]) -> Html:
    """All children, escaped where they are plain strings, one behind the other. None is nothing."""
    parts = []
    for child in children:
        if child is None:
            continue
        parts.append(text(child) if isinstance(child, str) else join(child))
    return Html("".join(parts))


def tag(name: str, /, *children: Child, **attributes: str | bool | None) -> Html:
    """<name attributes>children</name>. `class_` is class, `data_x` data-x; None and False are left out."""
    spelled = ""
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        key = key.rstrip("_").replace("_", "-")
        spelled += f" {key}" if value is True else f' {key}="{text(str(value))}"'
    if name in VOID:
        return Html(f"<{name}{spelled}>")
    return Html(f"<{name}{spelled}>{join(children)}</{name}>")


def bullets(items: Iterable[Child]) -> Html:
    return tag("ul", [tag("li", item) for item in items])


def facts(pairs: Iterable[tuple[str, Child]]) -> Html:
    """A list of name and value, as <dl>."""
    return tag("dl", [tag("div", tag("dt", name), tag("dd", value)) for name, value in pairs], class_="facts")


def section(anchor: str, title: str, *children: Child, lead: str | None = None) -> Html:
    head = tag("h2", tag("a", title, href=f"#{anchor}"))
    return tag("section", head, tag("p", lead, class_="lead") if lead else None, *children, id=anchor)


def nothing(words: str) -> Html:
    """The empty state, in words."""
    return tag("p", words, class_="nothing")
