"""A study as one self-contained HTML file: `write_report(story, path)`."""

from paredown.report.story import Advice, DatasetFacts, Limits, ModelFacts, Picture, Story
from paredown.report.write import write_report

__all__ = ["Advice", "DatasetFacts", "Limits", "ModelFacts", "Picture", "Story", "write_report"]
