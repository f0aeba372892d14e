"""A study as one self-contained HTML file: `write_report(story, path)`."""

from paredown._report.story import DatasetFacts, Elsewhere, ModelFacts, Picture, Story
from paredown._report.write import write_report

__all__ = ["DatasetFacts", "Elsewhere", "ModelFacts", "Picture", "Story", "write_report"]
