"""`paredown run` on several machines at once: a study of one model with a place for each (`plan.py`).

The engine times on all of them at the same time, and one thing at a time on each (`engines/gate.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path

from paredown.errors import UsageError
from paredown.study.options import Asked, Options
from paredown.study.plan import ONE_MODEL, SAID_ELSEWHERE, Matrix, Place, Plan, PlannedModel, folder_name


def on_hosts(asked: Asked, hosts: Sequence[str]) -> Plan:
    """The plan that tries what is asked on each host, every one a machine that stands for the target.

    Raises UsageError for what looks for the best of one place: several are compared.
    """
    options, usual = asked.options, Options()
    for name in ONE_MODEL:
        if getattr(options, name) != getattr(usual, name):
            raise UsageError(
                "a search is for one machine; on several hosts everything that is named is tried",
                got=f"{len(hosts)} hosts and {_SPELLED[name]}",
                hint="search on one of them, then name what it found with --recipes and --sizes on all",
            )
    stem = Path(asked.model).stem
    matrix = Matrix(
        data=asked.data,
        calib=asked.calib,
        learn_from=options.learn_from,
        title=f"{stem} on {len(hosts)} machines",
        recipes=options.recipes,
        runtimes=options.runtimes,
        sizes=options.sizes,
        target=options.target,
        seed=options.seed,
    )
    model = PlannedModel(
        asked.model,
        folder_name(stem),
        family=options.family,
        card=options.card,
        scale=options.scale,
        colour=options.colour,
        fit=options.fit,
        decode=options.decode,
    )
    shared = {f.name: getattr(options, f.name) for f in fields(Options) if f.name not in SAID_ELSEWHERE}
    places = tuple(Place(folder_name(host), options.target, host) for host in hosts)
    return Plan(matrix, (model,), places, asked.limits, replace(usual, **shared))


_SPELLED = {"search": "--search", "auto_size": "--sizes auto"}
