"""A study as one self-contained HTML file: `write_report(story, path)`; with
summary.md and trials.csv beside it: `write_pages(story, directory)`."""

from paredown._report.story import DatasetFacts, Elsewhere, ModelFacts, Picture, Story
from paredown._report.write import write_pages, write_report

__all__ = ["DatasetFacts", "Elsewhere", "ModelFacts", "Picture", "Story", "write_pages", "write_report"]
