"""The steps `encoder` and `decoder`: what stands behind one is done to that part of a promptable model alone.

`encoder+int8+decoder+int8-weights`. The encoder is calibrated on the images; the decoder on what the float
encoder answers to them, and their prompts. A part that no step is for stays float.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, get_args

from paredown._compress.draft import Draft
from paredown._compress.kept import Kept
from paredown._compress.recipe import Compressed, Context, Recipe, Stage, Step
from paredown.errors import UsageError
from paredown.graph.join import DECODER, ENCODER
from paredown.graph.load import to_proto
from paredown.graph.rejoin import rejoined
from paredown.graph.run import open_session
from paredown.graph.split import split
from paredown.measurement import StepRecord
from paredown.model import Model
from paredown.preprocessing.others import image_name
from paredown.preprocessing.prompts import takes_prompts
from paredown.protocols import Feeds, FeedSource, Judge

Compress = Callable[[Recipe, Context], Compressed]


@dataclass(frozen=True)
class Part(Step):
    """Base of both. The part's own recipe begins behind it, with a float model."""

    requires: ClassVar[frozenset[Stage]] = frozenset(get_args(Stage))

    def provides(self, stage: Stage) -> Stage:
        return "float"


@dataclass(frozen=True)
class OnEncoder(Part):
    """encoder: of what stands behind it, the image encoder alone."""

    kind: ClassVar[str] = ENCODER
    summary: ClassVar[str] = "what stands behind it is for the image encoder of a promptable model alone"


@dataclass(frozen=True)
class OnDecoder(Part):
    """decoder: of what stands behind it, the prompt decoder alone."""

    kind: ClassVar[str] = DECODER
    summary: ClassVar[str] = "what stands behind it is for the prompt decoder of a promptable model alone"


def apply(step: Part, draft: Draft, context: Context) -> tuple[StepRecord, ...]:
    """Nothing: where steps stand behind it `compress_parts` has done them."""
    return (StepRecord(step.name, "", "skipped", "no step stands behind it"),)


def sections(recipe: Recipe) -> dict[str, Recipe]:
    """The recipe of each part that it names; none where it names none or nothing is to be done.

    Raises: UsageError where steps stand in front of the first part, or a part is named twice.
    """
    places = [i for i, step in enumerate(recipe.steps) if isinstance(step, Part)]
    found = {}
    for start, end in zip(places, [*places[1:], len(recipe.steps)], strict=False):
        name = recipe.steps[start].kind
        if places[0] != 0 or name in found:
            raise UsageError(
                "a recipe for parts begins with one, and names each once",
                got=recipe.name,
                expected=f"{ENCODER}+<steps>+{DECODER}+<steps>",
            )
        found[name] = Recipe(recipe.steps[start + 1 : end])
    return found if any(part.steps for part in found.values()) else {}


def compress_parts(recipe: Recipe, context: Context, compress: Compress) -> Compressed:
    """The promptable model with each part after its own recipe. compress: what does one recipe.

    Raises: UsageError where the model takes no prompts; what the steps raise.
    """
    started, source = time.perf_counter(), context.source
    if source.card is None or not takes_prompts(source.card):
        raise UsageError(
            "only a promptable model has an encoder and a decoder",
            got=recipe.name,
            hint="name the steps alone; docs/promptable.md says what is one",
        )
    image = image_name(source.card.preprocess, source.inputs)
    encoder, decoder = split(source, image)
    made, log, wanted = {ENCODER: encoder, DECODER: decoder}, [], sections(recipe)
    for name, part in wanted.items():
        own = _context(name, encoder, decoder, image, context)
        done = compress(part, own)
        made[name] = done.model
        log += [StepRecord(name, "", "note", f"by itself: {part.name}"), *done.log]
    whole = rejoined(made[ENCODER], made[DECODER], source)
    return Compressed(whole, source.sha256, recipe, tuple(log), time.perf_counter() - started)


def _context(name: str, encoder: Model, decoder: Model, image: str, context: Context) -> Context:
    """The context of one part: its model, what it is fed, what judges it with the other part float."""
    source = encoder if name == ENCODER else decoder
    feeds = _image_alone(image) if name == ENCODER else _embedded(encoder, decoder, image, context.threads)

    def judged(judge: Judge) -> Judge:
        if name == ENCODER:
            return lambda candidate: judge(rejoined(candidate, decoder, context.source))
        return lambda candidate: judge(rejoined(encoder, candidate, context.source))

    def fed(given: FeedSource | None) -> FeedSource | None:
        return None if given is None else lambda: feeds(given())

    names = {node.name for node in to_proto(source).graph.node}
    return replace(
        context,
        source=source,
        images=lambda: feeds(context.images()),
        keep_float=tuple(n for n in context.keep_float if n in names),
        judge=None if context.judge is None else judged(context.judge),
        unlabelled=fed(context.unlabelled),
        learn_from=fed(context.learn_from),
        folder=None if context.folder is None else context.folder / name,
        kept=Kept(),
    )


Refed = Callable[[Iterable[Feeds]], Iterator[Feeds]]
"""What the whole model is fed -> what a part is fed."""


def _image_alone(image: str) -> Refed:
    return lambda given: ({image: feeds[image]} for feeds in given)


def _embedded(encoder: Model, decoder: Model, image: str, threads: int) -> Refed:
    """What the float encoder answers, and the prompts."""
    reads = {spec.name for spec in decoder.inputs}
    names = [spec.name for spec in encoder.outputs]

    def refed(given: Iterable[Feeds]) -> Iterator[Feeds]:
        session = open_session(encoder.data, threads)
        for feeds in given:
            answers = session.run(names, {image: feeds[image]})
            asked = {name: value for name, value in feeds.items() if name in reads}
            yield {**asked, **dict(zip(names, answers, strict=True))}

    return refed
