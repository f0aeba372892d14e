"""The engine `ray`: units are tasks of a Ray cluster, which RAY_ADDRESS names; else of one started here.

A machine times one model at a time: the task that does takes all its CPUs, so that other users of the cluster
stay away too, and one that times a board takes the resource "host:<name>" of it, of which there is one.
Every machine of the cluster must find models and images under the same paths.
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from paredown.errors import MissingDependency, TargetError, UsageError, first_line
from paredown.study.engines.engine import HERE
from paredown.study.engines.gate import Placed
from paredown.study.engines.local import usual_jobs
from paredown.study.engines.queued import Call, Lost, Queued

try:
    import ray
    from ray import exceptions
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
except ImportError as e:
    raise MissingDependency("ray", "ray", "the engine `ray`") from e

_LOST = (
    exceptions.WorkerCrashedError,
    exceptions.NodeDiedError,
    exceptions.ObjectLostError,
    exceptions.TaskUnschedulableError,
    exceptions.LocalRayletDiedError,
)
_TRIES = 8  # Ray does not tell a crash from a worker or a node that was ended from outside


@dataclass(frozen=True)
class _Node:
    id: str
    place: str
    cpus: int


class RayEngine(Queued):
    """boards: hosts other than this machine that something is timed on."""

    name = "ray"

    def __init__(self, jobs: int, boards: Sequence[str]) -> None:
        super().__init__()
        self._ours = not ray.is_initialized()
        if self._ours:
            _connect(jobs or usual_jobs(), boards)
        self._jobs, self._sent = jobs, dict[int, tuple[Any, Any]]()
        self._call = ray.remote(max_retries=0)(_call)
        lacking = [b for b in boards if _resource(b) not in ray.cluster_resources()]
        if lacking:
            raise UsageError(
                "the Ray cluster knows nothing of a board, so two timings could meet on it",
                got=", ".join(lacking),
                hint="\n".join(f"ray start ... --resources='{{\"{_resource(b)}\": 1}}'" for b in lacking),
            )

    def slots(self) -> Mapping[str, int]:
        found: Counter[str] = Counter()
        for node in _nodes():
            found[node.place] += node.cpus
        if not found:
            raise TargetError(
                "the Ray cluster has no machine left", hint="the same command with --resume goes on"
            )
        return {place: min(n, self._jobs or n) for place, n in found.items()}

    def begin(self, placed: Placed) -> Any:
        unit, here = placed.unit, ray.get_runtime_context().get_node_id()
        nodes = {node.id: node for node in _nodes() if node.place == placed.place}
        load = Counter(call.handle[1] for call in self.calls)
        id = here if unit.alone else min(nodes, key=lambda n: load[n] / nodes[n].cpus)
        needs: dict[str, Any] = {"num_cpus": 1}
        if unit.alone:
            board = unit.host != HERE
            needs = {"num_cpus": 0, "resources": {_resource(unit.host): 1}} if board else {
                "num_cpus": nodes[here].cpus
            }  # fmt: skip
        where = NodeAffinitySchedulingStrategy(id, soft=False)
        given = (*(self._share(value) for value in unit.shared), *unit.given)
        return self._call.options(scheduling_strategy=where, **needs).remote(
            os.getcwd(), unit.function, *given
        ), id

    def wait(self, timeout_s: float) -> Sequence[Call]:
        by_ref = {call.handle[0]: call for call in self.calls}
        ready, _ = ray.wait(list(by_ref), num_returns=1, timeout=timeout_s)
        return [by_ref[ref] for ref in ready]

    def answer(self, call: Call) -> Any:
        try:
            return ray.get(call.handle[0])
        except exceptions.OutOfMemoryError as e:
            raise Lost("by Ray's memory monitor", starved=True) from e
        except _LOST as e:
            raise Lost(f"in Ray: {type(e).__name__}", tries=_TRIES) from e
        except exceptions.RayTaskError as e:
            raise e.cause from None

    def close(self) -> None:
        for call in self.calls:
            ray.cancel(call.handle[0], force=True)
        self.calls = []
        if self._ours:
            ray.shutdown()

    def _share(self, value: Any) -> Any:
        """A reference to what many units are given: it is sent once."""
        if id(value) not in self._sent:
            self._sent[id(value)] = value, ray.put(value)
        return self._sent[id(value)][1]


def _call(folder: str, function: Callable[..., Any], *given: Any) -> Any:
    if os.path.isdir(folder):
        os.chdir(folder)  # paths are as seen from where the study was started
    return function(*given)


def _connect(jobs: int, boards: Sequence[str]) -> None:
    """To the cluster of RAY_ADDRESS, or to one of this machine alone. Raises TargetError."""
    address = os.environ.get("RAY_ADDRESS")
    own = {"num_cpus": jobs, "resources": {_resource(board): 1 for board in boards}}
    how: dict[str, Any] = {} if address else {**own, "include_dashboard": False}
    try:
        ray.init(address=address or "local", log_to_driver=False, logging_level=logging.WARNING, **how)
    except Exception as e:  # Ray raises what it comes by: a time that ran out, a refused connection
        raise TargetError(
            f"Ray {f'at {address} cannot be reached' if address else 'did not start'}", got=first_line(e)
        ) from e


def _nodes() -> list[_Node]:
    """The machines that live; several nodes may be of one machine, which is known by its address."""
    try:
        alive = [node for node in ray.nodes() if node["Alive"]]
    except exceptions.RayError as e:
        raise TargetError("the Ray cluster is gone", got=first_line(e)) from e
    here = ray.get_runtime_context().get_node_id()
    address = next((node["NodeManagerAddress"] for node in alive if node["NodeID"] == here), "")
    return [
        _Node(
            node["NodeID"],
            HERE if node["NodeManagerAddress"] == address else node["NodeManagerAddress"],
            int(node["Resources"].get("CPU", 0)),
        )
        for node in alive
        if node["Resources"].get("CPU", 0) >= 1
    ]


def _resource(host: str) -> str:
    return f"host:{host}"


def open_ray(jobs: int, boards: Sequence[str]) -> RayEngine:
    """The engine on the cluster. Raises UsageError where that lacks what is timed on."""
    return RayEngine(jobs, boards)
