"""Metrics: pure functions of a model's answers. `METRICS` is the table; one file and one line add to it."""

from paredown.metrics.kinds import headline, headlines, kind_of, title_of, uses_truth
from paredown.metrics.table import METRICS

__all__ = ["METRICS", "headline", "headlines", "kind_of", "title_of", "uses_truth"]
