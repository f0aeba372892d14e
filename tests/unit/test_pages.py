"""The pages name files and pages that are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    *sorted(f"docs/{file.name}" for file in (ROOT / "docs").glob("*.md")),
)
OTHERS = re.compile(r"## House style.*?(?=^## )", re.DOTALL | re.MULTILINE)  # examples in other code bases
SOURCES = tuple(file.as_posix() for file in (ROOT / "src").rglob("*.py"))


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files(page: str) -> None:
    found = re.findall(r"\]\((?!https?:)([^)#\s]+)", (ROOT / page).read_text(encoding="utf-8"))
    assert [link for link in found if not (ROOT / page).parent.joinpath(link).exists()] == []


@pytest.mark.parametrize("page", PAGES)
def test_files_that_are_named_are_there(page: str) -> None:
    text = OTHERS.sub("", (ROOT / page).read_text(encoding="utf-8"))
    named = re.findall(r"`([\w.-]+(?:/[\w.-]+)+\.(?:py|md|toml))`", text)
    missing = [name for name in named if not (ROOT / name).exists()]
    assert [name for name in missing if not any(source.endswith(f"/{name}") for source in SOURCES)] == []
