"""What every page of ours has around its sections: head, theme, plotly, footer."""

from __future__ import annotations

import gzip
from base64 import b64encode
from functools import cache
from importlib import resources

from paredown._report.html import Html, join, tag
from paredown.errors import MissingDependency

# Before the page is painted, so that a dark screen does not flash; theme.js does the rest.
EARLY = (
    "document.documentElement.dataset.theme ="
    " matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';"
)


def whole(title: str, body: Html) -> Html:
    """The document around a body."""
    return Html("<!doctype html>\n" + tag("html", _head(title), body, lang="en"))


def top(title: str) -> Html:
    """The bar with the brand, what the page is of, and the switch of the theme."""
    brand = tag("div", "Paredown ", tag("span", title), class_="brand")
    return tag("header", brand, tag("button", "Dark", type="button", class_="theme"), class_="top")


def closing() -> Html:
    """Footer, plotly and what draws the plots: the last of a body."""
    return join(
        (
            tag("footer", "Written by Paredown. This file needs no network and sends nothing."),
            tag("script", _plotly(), type="application/gzip", id="plotly"),
            tag("script", packaged("theme.js")),
        )
    )


def packaged(name: str) -> Html:
    """A file of this package as it lies there."""
    return Html((resources.files("paredown._report") / name).read_text(encoding="utf-8"))


def _head(title: str) -> Html:
    icon = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
    icon += "%3Cpath d='M2 2v12h12' fill='none' stroke='%230072b2' stroke-width='2'/%3E"
    icon += "%3Cpath d='M4 11c2-6 4-7 9-7' fill='none' stroke='%23009e73' stroke-width='2'/%3E%3C/svg%3E"
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", f"Paredown: {title}"),
        Html(f'<link rel="icon" href="{icon}">'),
        tag("style", packaged("style.css")),
        tag("script", Html(EARLY)),
    )


@cache
def _plotly() -> str:
    """plotly.js as it lies in the plotly package, read without importing the package's Python.

    Packed (gzip, base64), for it would be most of the page; theme.js unpacks it.
    """
    try:
        script = (resources.files("plotly") / "package_data" / "plotly.min.js").read_bytes()
    except (ModuleNotFoundError, FileNotFoundError) as error:
        raise MissingDependency("plotly", None, "the report") from error
    return b64encode(gzip.compress(script, mtime=0)).decode("ascii")
