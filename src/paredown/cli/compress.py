"""`paredown compress`: one recipe applied, nothing measured."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from paredown.cli import parser as shared
from paredown.cli import place

if TYPE_CHECKING:
    from paredown._compress.recipe import Compressed, Recipe
    from paredown.cli.console import Voice
    from paredown.model import Model
    from paredown.protocols import Artifact
    from paredown.study.limits import Limits

EXAMPLE = "paredown compress yolov8n.onnx --recipe int8 --calib coco_calib/ --out y8-int8"


def arguments(parser: argparse.ArgumentParser) -> None:
    shared.add_model(parser)
    parser.add_argument(
        "--recipe", metavar="R", required=True, help="a preset, a spelled recipe or a TOML file"
    )
    shared.add_calib(parser, required=True)
    shared.add_learn_from(parser)
    shared.add_reading(parser)
    place.add_target(parser)
    place.add_runtime(parser)
    shared.add_card(parser)
    by_it = "in recipes that choose by it"
    shared.add_limits(parser, f"0.5, {by_it}", f"{shared.agreements(0.5)}, {by_it}")
    shared.add_making(parser)
    parser.add_argument(
        "--out",
        metavar="DIR",
        type=Path,
        required=True,
        help="gets model.onnx, what the runtime makes of it, recipe.toml, log.json, card.toml",
    )
    shared.add_force(parser)
    shared.add_output(parser)


def main(args: argparse.Namespace) -> int:
    from paredown import api, saving
    from paredown._compress.presets import parse_recipe
    from paredown._compress.recipe import require_packages, require_possible
    from paredown.cli import closing, console
    from paredown.files import check_directory

    voice = console.Voice(args.quiet)
    check_directory(args.out, saving.COMPRESSED, force=args.force)
    recipe = parse_recipe(args.recipe)  # a typo is found before any work
    where = api.target(args.target, args.runtime)
    where.version()  # raises where its package is missing
    require_packages(recipe)
    require_possible(recipe, where.policy)
    limits = closing.limits_of(args)
    _check_taken(limits, recipe)
    model, made = (
        _on_images(args, recipe, limits, voice)
        if not args.calib.endswith(".npz")
        else _on_tensors(args, recipe, voice)
    )
    saving.save(made, args.out, force=True)  # looked at above
    built = where.build(args.out / "model.onnx", args.out)
    for note in (*(record.why for record in made.log if record.step in ("prepare", "check")), built.note):
        if note:
            voice.say(note)
    _show(made, built, model, where.runtime, args)
    return 0


def _on_images(
    args: argparse.Namespace, recipe: Recipe, limits: Limits, voice: Voice
) -> tuple[Model, Compressed]:
    """The model and what the recipe made of it, calibrated on images."""
    from paredown import api, data
    from paredown.cli import loading
    from paredown.data.calibration_split import share
    from paredown.study.images import read_images, unlabelled_images

    given = read_images(args.calib, allow_outside=args.allow_outside)
    for note in given.notes:
        voice.say(note)
    sampled = data.sample(given, api.CALIBRATION_IMAGES, args.seed)
    voice.say(f"calibrated on {share(sampled, given)} of --calib")
    images = data.verify(sampled, args.max_bad, voice.progress)
    more = None
    if args.learn_from is not None:
        more = read_images(args.learn_from, allow_outside=args.allow_outside)
        more = unlabelled_images(more, args.max_bad, voice.progress)
    model = loading.load(args.model, images, args, voice, judged=False)
    made = api.compress(
        model,
        recipe,
        images,
        target=args.target,
        runtime=args.runtime,
        threads=args.threads,
        keep_float=args.keep_float,
        seed=args.seed,
        limits=limits,
        choose_on=given,
        learn_from=more,
        folder=args.out,
        progress=voice.progress,
    )
    return model, made


def _on_tensors(args: argparse.Namespace, recipe: Recipe, voice: Voice) -> tuple[Model, Compressed]:
    """The same, calibrated on the arrays of an .npz file."""
    from paredown.cli import loading
    from paredown.fed import compress_fed
    from paredown.inputs import read_model

    model = read_model(args.model, loading.hints_of(args))
    made = compress_fed(
        model,
        recipe,
        Path(args.calib),
        target=args.target,
        runtime=args.runtime,
        threads=args.threads,
        keep_float=args.keep_float,
        seed=args.seed,
        progress=voice.progress,
    )
    return model, made


def _check_taken(limits: Limits, recipe: Recipe) -> None:
    """Raises UsageError for limits that no step of the recipe would choose by."""
    from paredown.errors import UsageError

    if limits != type(limits)() and not limits.taken_by(recipe):
        raise UsageError(
            "no step of this recipe chooses by limits",
            got=recipe.name,
            expected="a recipe with a step `mix`, and without limits of its own",
            hint="--recipe mixed",
        )


def _show(made: Compressed, built: Artifact, model: Model, runtime: str, args: argparse.Namespace) -> None:
    """What was made, as JSON or in two lines and the names of the files."""
    from paredown.cli import console, loading

    counts = dict(Counter(record.action for record in made.log))
    written = args.out / "model.onnx"
    if args.json:
        console.show_json(
            {
                "model": str(written),
                "runtime": runtime,
                "files": [str(file) for file in built.files],
                "left_to_do": built.note,
                "recipe": made.recipe.name,
                "size_bytes": made.model.size_bytes,
                "source_size_bytes": model.size_bytes,
                "seconds": made.seconds,
                "preprocessing": loading.feeding_of(model),
                "log": counts,
            }
        )
        return
    out = console.stdout()
    sizes = f"{model.size_bytes / 1e6:.2f} MB -> {made.model.size_bytes / 1e6:.2f} MB"
    done = ", ".join(f"{n} {action}" for action, n in counts.items())
    out.print(f"{made.recipe.name}: {sizes} in {made.seconds:.1f} s; {done}", markup=False)
    for file in dict.fromkeys((written, *built.files)):
        out.print(str(file), markup=False, soft_wrap=True)
