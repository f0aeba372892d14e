"""A study as one self-contained HTML file: `write_report(story, path)`."""

from paredown._report.story import Advice, DatasetFacts, Elsewhere, Limits, ModelFacts, Picture, Story
from paredown._report.write import write_report

__all__ = ["Advice", "DatasetFacts", "Elsewhere", "Limits", "ModelFacts", "Picture", "Story", "write_report"]
