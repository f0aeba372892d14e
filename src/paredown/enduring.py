"""The end of `run --sustained`: the best model and the float model run for minutes, for the report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from paredown._compress.presets import parse_recipe
from paredown._measure.energy.power import PowerFrom
from paredown.endure import Asked, endure
from paredown.errors import ParedownError, StorageError
from paredown.files import write_whole
from paredown.measurement import Trial
from paredown.study.best import Verdict
from paredown.study.private import hidden
from paredown.study.records import json_text, plain, read_json
from paredown.study.store import file_stem, model_of
from paredown.study.work import Work


def endure_winner(directory: Path, work: Work, verdict: Verdict) -> tuple[str, ...]:
    """Writes endurance-LABEL.json of both into the study directory; returns what could not be, in words.

    What ran for as long before is kept. Raises StorageError.
    """
    seconds = work.options.sustained_s
    place = work.bench.target
    if not seconds:
        return ()
    if not place.can_time:
        return (f"nothing ran for minutes: {place.name} cannot be timed on {place.host.name}",)
    said = []
    for trial in {t.key: t for t in (verdict.baseline, verdict.best)}.values():
        file = directory / f"endurance-{file_stem(trial.label)}.json"
        try:
            _endure(file, directory, work, trial, seconds)
        except StorageError:
            raise
        except ParedownError as e:  # the trials and the verdict stand without it
            said.append(f"{trial.label} did not run for minutes: {str(e).splitlines()[0]}")
    return tuple(said)


def _endure(file: Path, directory: Path, work: Work, trial: Trial, seconds: float) -> None:
    model, options = model_of(directory, trial), work.options
    if _kept(file, model.sha256, seconds):
        work.say(f"{trial.label}: ran for {seconds:g} s before, kept")
        return
    work.say(f"{trial.label}: without a pause for {seconds:g} s")
    bench = work.sized_for(parse_recipe(trial.recipe)).bench
    found = endure(
        model.with_card(bench.card),
        bench.judged,
        Asked(seconds),
        target=options.target,
        runtime=trial.runtime,
        host=options.host,
        threads=options.threads,
        power=PowerFrom(options.power_log, sensor=options.sensor),
        progress=work.progress,
    )
    if found.sustained is not None:
        work.say(f"    {found.sustained.throttled.words}")
    values = {"subject": model.sha256, "endurance": plain(replace(found, model=trial.label))}
    write_whole(file, (json_text(hidden(values, work.hide)) + "\n").encode())


def _kept(file: Path, subject: str, seconds: float) -> bool:
    """Whether the file tells of this model over this time. One that does not is written anew."""
    try:
        told = read_json(file.read_text(encoding="utf-8"))
        return bool(told["subject"] == subject and told["endurance"]["sustained"]["seconds"] == seconds)
    except (OSError, ValueError, KeyError, TypeError):
        return False
