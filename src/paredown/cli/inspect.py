"""`paredown inspect`: what a model is."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from paredown.cli import parser as shared

if TYPE_CHECKING:
    from paredown.card import Card
    from paredown.graph.inspect import Inspection
    from paredown.model import Model

EXAMPLE = "paredown inspect yolov8n.onnx"
LAYERS = 5  # the heaviest, shown


def arguments(parser: argparse.ArgumentParser) -> None:
    shared.add_model(parser)
    shared.add_card(parser)
    shared.add_output(parser)


def main(args: argparse.Namespace) -> int:
    from dataclasses import replace

    from paredown import api
    from paredown.cli import console
    from paredown.errors import CardError

    model = api.load(args.model)
    try:
        card, unknown = api.guess_card(model, args.model, family=args.family, card=args.card), ""
    except CardError as e:  # a model of no known family can still be looked into
        if args.family is not None or args.card is not None:
            raise
        card, unknown = None, str(e)
    found = api.inspect(model if card is None else replace(model, card=card))
    if args.json:
        console.show_json(_values(model, card, found))
    else:
        _show(model, card, unknown, found)
    return 0


def _show(model: Model, card: Card | None, unknown: str, found: Inspection) -> None:
    from paredown.cli import console
    from paredown.telling import spell

    out = console.stdout()
    facts = [
        ("file", f"{model.name}, {model.size_bytes / 1e6:.2f} MB, sha256 {model.sha256[:16]}"),
        ("opset", str(found.opset)),
        *(("input", spell(spec)) for spec in model.inputs),
        *(("output", spell(spec)) for spec in model.outputs),
    ]
    if card is None:
        facts.append(("family", unknown))
    else:
        how = card.preprocess
        names = ", ".join(card.classes[:6]) + (", ..." if len(card.classes) > 6 else "")
        facts += [
            ("family", f"{card.family} ({card.task}): {card.origin.get('family', '')}"),
            (
                "preprocessing",
                f"{how.fit} to {how.size[1]}x{how.size[0]}, {how.colour}, untried without images",
            ),
            ("classes", f"{len(card.classes)}: {names}"),
        ]
    facts += [
        ("weights", f"{found.weights:,} values, {found.weight_bytes / 1e6:.2f} MB"),
        ("MACs", f"{found.macs / 1e9:.3f} G for one image"),
        ("peak activations", f"{found.peak_activation_bytes / 1e6:.2f} MB, at {found.peak_node}"),
        ("operations", ", ".join(f"{op} {n}" for op, n in found.ops.items())),
    ]
    out.print(console.table(("what", "found"), facts))
    heavy = sorted(found.layers, key=lambda layer: -layer.macs)[:LAYERS]
    rows = [(h.name, h.op, f"{h.macs / 1e6:,.1f}", f"{h.weights:,}") for h in heavy]
    out.print()
    out.print(
        console.table(("heaviest layers", "op", "M MACs", "weights"), rows, numbers=("M MACs", "weights"))
    )
    for risk in found.risks:
        out.print(f"\nRisk: {risk}", markup=False)


def _values(model: Model, card: Card | None, found: Inspection) -> dict[str, object]:
    return {
        "name": model.name,
        "sha256": model.sha256,
        "size_bytes": model.size_bytes,
        "inputs": model.inputs,
        "outputs": model.outputs,
        "card": card,
        "macs": found.macs,
        "inspection": found,
    }
