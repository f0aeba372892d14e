"""The Stories of a study of several models, read from its directory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from paredown._report.several.stories import Stories
from paredown.report_data.story import read_story
from paredown.study.index import read_index


def read_stories(
    directory: Path, *, fps: float | None = None, weights: Mapping[str, float] | None = None
) -> Stories:
    """The story of every part that has begun. Raises UsageError where there is no index, StorageError."""
    index = read_index(directory)
    parts = {
        e.label: read_story(directory / e.folder, fps=fps)
        for e in index.entries
        if (directory / e.folder / "facts.json").is_file()
    }
    asked = next((s.fps for s in parts.values() if s.fps is not None), None)
    return Stories(index, parts, asked if fps is None else fps, weights or {})
