"""The sections that choose among candidates: guideline, ranking, radar, frame rate, repeated trials.

All of it is drawn from `analyze.priorities.Priorities`, for the trials of one model and for those of several.
"""
