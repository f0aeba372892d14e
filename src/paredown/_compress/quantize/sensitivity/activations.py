"""How much each grid damages the model's answer, measured one grid at a time.

The float graph gets a switch at every tensor, x or snap(x), as an input of its own says. One session then
answers for every grid alone (its switch on, all others off) and for any set of them, without building a model
for each. The damage (noise.py) is read at the heads, the last tensors in front of the decode tail, because
there classes and boxes still have their own channels and no decode arithmetic scales one over the other.
Noise of different grids is close to independent, so damages add up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from itertools import islice

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from paredown._compress.quantize.placement.plan import Plan
from paredown._compress.quantize.sensitivity.noise import Answer, answers
from paredown._compress.recipe import Context
from paredown.graph.cut import cut, leave_out_tail
from paredown.graph.load import to_proto
from paredown.graph.run import open_session
from paredown.graph.subgraphs import rename_reads
from paredown.model import Model
from paredown.numerics.quant_params import QuantParams
from paredown.protocols import Feeds


class Switched:
    """The float model with a switch on every grid. Grids are fed: trying others takes no new session."""

    def __init__(
        self,
        model: Model,
        plan: Plan,
        grids: Mapping[str, QuantParams],
        heads: Sequence[str],
        threads: int,
        groups: Sequence[str] | None = None,
    ) -> None:
        """groups: that get switches, all of the plan's if not said; every one costs time at every answer."""
        self.model, self.plan, self.threads = model, plan, threads
        self.groups = list(plan.members() if groups is None else groups)
        self.index = {group: i for i, group in enumerate(self.groups)}
        self.heads = list(heads)
        self._first = grids
        self._float: dict[int, tuple[Feeds, list[Answer]]] = {}

    @cached_property
    def session(self) -> ort.InferenceSession:
        """Opened when it is first asked: much is only asked of parts, see `Behind`."""
        return self._opened(to_proto(self.model), self._first)

    def close(self) -> None:
        """Gives up the session, which is opened again when it is asked."""
        self.__dict__.pop("session", None)

    def _opened(self, proto: onnx.ModelProto, grids: Mapping[str, QuantParams]) -> ort.InferenceSession:
        _add_switches(proto, self.plan, grids, self.index, self.heads)
        return open_session(proto.SerializeToString(), self.threads, frugal=True, arena=False)

    def answers(
        self, image: Feeds, on: Sequence[str], grids: Mapping[str, QuantParams]
    ) -> list[NDArray[np.float32]]:
        """The heads with the groups in `on` quantized and all others float."""
        switches = np.zeros(len(self.groups), np.bool_)
        switches[[self.index[g] for g in on]] = True
        feeds = {**self._inputs(image), "/switches": switches}
        for group, i in self.index.items():
            feeds[f"/scale{i}"] = np.asarray(grids[group].scale, np.float32)
            feeds[f"/zero{i}"] = np.asarray(grids[group].zero_point).astype(grids[group].dtype)
        return list(self.session.run([f"{h}/head" for h in self.heads], feeds))

    def damage(
        self, images: Sequence[Feeds], on: Sequence[str], grids: Mapping[str, QuantParams]
    ) -> NDArray[np.float64]:
        """(images,) the mean over the heads."""
        return np.array([self._damage(image, on, grids) for image in images])

    def _damage(self, image: Feeds, on: Sequence[str], grids: Mapping[str, QuantParams]) -> float:
        pairs = zip(self._clean(image, grids), self.answers(image, on, grids), strict=True)
        return float(np.mean([clean.damage(other) for clean, other in pairs]))

    def found(self, image: Feeds, grids: Mapping[str, QuantParams]) -> float:
        """About how many positions of the heads tell of an object in this image."""
        return sum(answer.found for answer in answers(self.answers(image, (), grids)))

    def _inputs(self, image: Feeds) -> Feeds:
        return image

    def _clean(self, image: Feeds, grids: Mapping[str, QuantParams]) -> list[Answer]:
        """The float answers, once for every image; the image is kept so that its id stays its own."""
        if id(image) not in self._float:
            self._float[id(image)] = (image, answers(self.answers(image, (), grids)))
        return self._float[id(image)][1]


class Behind(Switched):
    """Some groups' switches, with the part of the model behind their tensors alone: what lies in front of
    them is run once for each of a few images, and only these can be asked for."""

    def __init__(
        self,
        whole: Switched,
        groups: Sequence[str],
        images: Sequence[Feeds],
        grids: Mapping[str, QuantParams],
    ) -> None:
        self.model, self.plan, self.threads, self.heads = whole.model, whole.plan, whole.threads, whole.heads
        self.groups, self.index = list(groups), {group: i for i, group in enumerate(groups)}
        self._float = whole._float
        members = self.plan.members()
        front, part = cut(to_proto(self.model), [t for g in groups for t in members[g]], self.heads)
        session = open_session(front.SerializeToString(), self.threads, arena=False)
        names = [o.name for o in session.get_outputs()]
        self._states = {
            id(x): dict(zip(names, session.run(names, whole._inputs(x)), strict=True)) for x in images
        }
        del front, session
        self.session = self._opened(part, grids)

    def _inputs(self, image: Feeds) -> Feeds:
        return self._states[id(image)]


PARTS = 6  # of the groups, in order: each is asked for with what lies behind it alone
STRAY = 0.1  # of the damage of a set: how far the sum of its halves may be off
LOOKED_AT = 12  # images among which those are found that show most objects


def with_most_objects(model: Model, heads: Sequence[str], context: Context, number: int) -> list[Feeds]:
    """The images in which the float model finds most: the others hardly tell what is lost.

    Steps before this one may have changed the weights, not the function: the source's sha256 tells whether
    their order is known.
    """
    images = enumerate(islice(iter(context.images()), LOOKED_AT))
    order, source = context.kept.by_objects, context.source.sha256
    if source in order:
        chosen = set(order[source][:number])
        return [image for i, image in images if i in chosen]
    plain = Switched(model, Plan(), {}, heads, context.threads, ())
    found: list[float] = []
    best: dict[int, Feeds] = {}  # no more than are asked for are held
    for i, image in images:
        found.append(plain.found(image, {}))
        best[i] = image
        if len(best) > number:
            del best[min(best, key=lambda j: (found[j], j))]
    order[source] = np.argsort(found, kind="stable")[::-1].tolist()
    return list(best.values())


def damage_alone(
    switched: Switched, image: Feeds, grids: Mapping[str, QuantParams], floor: float
) -> dict[str, float]:
    """Group -> about its damage alone on one image; groups that stay below `floor` together share theirs."""
    found: dict[str, float] = {}
    groups = switched.groups
    step = max(-(-len(groups) // PARTS), 1)
    for start in range(0, len(groups), step):
        behind = Behind(switched, groups[start : start + step], [image], grids)
        found |= by_halves(behind.groups, _on_one(behind, image, grids), floor)
    return found


def _on_one(
    switched: Switched, image: Feeds, grids: Mapping[str, QuantParams]
) -> Callable[[Sequence[str]], float]:
    return lambda on: float(switched.damage([image], on, grids)[0])


def by_halves(
    items: Sequence[str], damage: Callable[[Sequence[str]], float], enough: float
) -> dict[str, float]:
    """Every item's own damage. A set whose damage is at most `enough` shares it equally.

    Damages add up and most halves do next to none, so few sets are taken apart; and the second half of one is
    not measured where the first does all that its sum can tell.
    """
    found: dict[str, float] = {}
    if items:
        _split(items, damage(items), damage, enough, found)
    return found


def _split(
    part: Sequence[str],
    together: float,
    damage: Callable[[Sequence[str]], float],
    enough: float,
    found: dict[str, float],
) -> None:
    """Not a function within `by_halves`: one that calls itself there is a circle of references, and held the
    session that `damage` asks until the collector came by."""
    if len(part) == 1 or together <= enough:
        found.update(dict.fromkeys(part, together / len(part)))
        return
    first, second = part[: len(part) // 2], part[len(part) // 2 :]
    before = damage(first)
    _split(first, before, damage, enough, found)
    rest = max(together - before, 0.0)
    _split(second, rest if rest + STRAY * together <= enough else damage(second), damage, enough, found)


def _add_switches(
    proto: onnx.ModelProto,
    plan: Plan,
    grids: Mapping[str, QuantParams],
    index: dict[str, int],
    heads: Sequence[str],
) -> None:
    graph = proto.graph
    graph.input.append(helper.make_tensor_value_info("/switches", TensorProto.BOOL, [len(index)]))
    made: list[onnx.NodeProto] = []
    for group, i in index.items():
        shape = list(np.shape(grids[group].scale))
        graph.input.append(helper.make_tensor_value_info(f"/scale{i}", TensorProto.FLOAT, shape))
        kind = helper.np_dtype_to_tensor_dtype(grids[group].dtype)
        graph.input.append(helper.make_tensor_value_info(f"/zero{i}", kind, shape))
        graph.initializer.append(numpy_helper.from_array(np.array(i, np.int64), f"/switch{i}/index"))
        made.append(helper.make_node("Gather", ["/switches", f"/switch{i}/index"], [f"/switch{i}"]))
    switched = {tensor: group for tensor, group in plan.group.items() if group in index}
    mixed = {tensor: f"{tensor}/mixed" for tensor in switched}

    def behind(tensors: Iterable[str]) -> None:
        """The switches of these tensors, where all that they read exists."""
        for tensor in (t for t in tensors if t in switched):
            made.append(_switch(tensor, grids[switched[tensor]].axis, index[switched[tensor]]))

    behind(v.name for v in graph.input)
    for node in graph.node:
        rename_reads(node, mixed)
        made.append(node)
        behind(node.output)
    del graph.output[:]
    for head in heads:
        made.append(helper.make_node("Identity", [mixed.get(head, head)], [f"{head}/head"]))
        graph.output.append(helper.make_tensor_value_info(f"{head}/head", TensorProto.FLOAT, None))
    del graph.node[:]
    graph.node.extend(made)
    leave_out_tail(graph)


def _switch(tensor: str, channels: int | None, i: int) -> onnx.NodeProto:
    axis = 1 if channels is None else channels  # without meaning where the scale is a scalar
    parameters = [f"/scale{i}", f"/zero{i}"]
    snapped = [
        helper.make_node("QuantizeLinear", [tensor, *parameters], [f"{tensor}/q"], axis=axis),
        helper.make_node("DequantizeLinear", [f"{tensor}/q", *parameters], [f"{tensor}/snapped"], axis=axis),
    ]
    branches = {
        "then_branch": _branch(snapped),
        "else_branch": _branch([helper.make_node("Identity", [tensor], [f"{tensor}/plain"])]),
    }
    return helper.make_node("If", [f"/switch{i}"], [f"{tensor}/mixed"], **branches)


def _branch(nodes: list[onnx.NodeProto]) -> onnx.GraphProto:
    made = helper.make_tensor_value_info(nodes[-1].output[0], TensorProto.FLOAT, None)
    return helper.make_graph(nodes, "branch", [], [made])
