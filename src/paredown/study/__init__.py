"""Many measurements: the study directory, the verdict over its trials, and the loop that fills it."""

from paredown.study.best import Verdict, choose_best
from paredown.study.limits import Limits
from paredown.study.store import Store, read_study, read_trials

__all__ = ["Limits", "Store", "Verdict", "choose_best", "read_study", "read_trials"]
