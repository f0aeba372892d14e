"""A card as a file for people: every key with a comment, and what is not certain marked as such."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

from paredown.card import Card, Preprocess
from paredown.families.candidates import WORDS
from paredown.preprocessing.values import FED, describe, name_of
from paredown.toml import toml_lines, toml_value

_HEAD = """\
# How Paredown feeds {name} and reads its answer. Every key is explained in docs/card.md.
# A key that is left out, or stands behind a #, is recognised as if there were no file. What stands here goes
# before what is recognised; options on the command line (--family, --scale, --colour, --fit) go before it.
"""
_COMMENTS = {
    "family": "The kind of model, which says how its outputs are read: a name of `paredown list families`.",
    "task": "detect or classify; the family settles it.",
    "classes": "Class names in the model's order, or a text file beside this one with a name on each line.",
    "conf": "Detections below this confidence are not shown on the device (accuracy is measured at 0.001).",
    "iou": "Of two boxes of a class that overlap by more, the less certain one is dropped (NMS).",
    "max_detections": "At most so many detections for an image.",
}
_INPUT_COMMENTS = {
    "size": "Height and width in pixels; the model settles them where it has a fixed size.",
    "fit": "How an image fills that: letterbox (keep the ratio, centred), letterbox-corner (top left), "
    "stretch (ignore the ratio), crop (scale the short side, cut the centre).",
    "pad": "The border of a letterbox, as a pixel value 0..255.",
    "colour": "Order of the channels: rgb, bgr, or grey for one channel.",
    "scale": "x = (pixel * scale - mean) / std, pixels 0..255. A word says all three: 0..1, 0..255, -1..1, "
    "imagenet, caffe, LOW..HIGH.",
    "mean": "One value for each channel, in the order of `colour`.",
    "std": "The same.",
    "layout": "nchw or nhwc; the model settles it.",
    "dtype": "Type of the input tensor; the model settles it.",
    "image": "Of several inputs the one that takes the image.",
}
_DECODE_COMMENTS = {
    "columns": f"What stands in the columns of a row, in order: {' '.join(WORDS)}. word*n is n columns.",
    "units": "Boxes in pixels of the input, or in fractions of it.",
    "activation": "What is left to do to the scores: none, sigmoid, softmax.",
    "background": "Which score stands for no object: none, first, last.",
    "first_class": "The number of the first class, where a column holds class numbers.",
    "transposed": "false: (1, columns, rows); true: (1, rows, columns).",
    "boxes": "Which output holds the boxes, counted from 0.",
    "scores": "Which output holds the scores, counted from 0.",
    "classes": "Which output holds the class numbers, counted from 0.",
    "point": "Numbers of each key point: 3 are x, y and how sure, 2 only the first.",
    "heat": "Which output holds the heat maps of centres, counted from 0.",
    "extent": "Which output holds the sizes of boxes, or the distances to their sides.",
    "offset": "Which output says where in its place a centre is; -1 for none.",
    "priors": "The rule of the prior boxes: tensorflow, torchvision, pytorch-ssd, ssd300, ssd300-coco, "
    "retinaface, retinanet, retinanet-torchvision, efficientdet.",
    "variances": "What changes of a prior's centre and of its size are multiplied by.",
    "anchors": "Width and height of each anchor in pixels, one output after the other.",
    "activated": "Whether the graph itself has put a sigmoid on what it gives.",
    "per_cell": "Rows of each cell of the grids, in the order of strides.",
    "bins": "Numbers to each side of a box: 16 in YOLOv8, 17 in PP-YOLOE.",
    "centre": "How a centre lies in its cell: sigmoid, 2*sigmoid-0.5, tanh, none.",
    "powers": "The powers of objectness and class score that are multiplied.",
    "rows": "Which output holds the rows, counted from 0.",
    "prototypes": "Which output holds the prototypes of masks, counted from 0.",
    "count": "Which output says how many detections there are; -1 for none.",
}
_CHOSEN = ("fit", "pad", "colour", "scale", "mean", "std")
_WIDTH = 108


def commented_card(card: Card, name: str, open_cards: Sequence[Card] = (), doubt: str = "") -> str:
    """The text of a card.toml that reads back as `card`.

    open_cards: where nothing decided how the model is fed, the ways it could be; their keys stand behind a #,
    so that whoever reads the file is still asked. doubt: why the preprocessing is not certain.
    """
    parts = [_HEAD.format(name=_one_line(name))]
    for key, comment in _COMMENTS.items():
        line = f"{key} = {toml_value(getattr(card, key))}\n"
        hidden = (
            "# " if key == "classes" and _unnamed(card) else ""
        )  # numbers that nobody chose decide nothing
        parts.append(f"\n{_comment(comment)}{_from(card, key)}{hidden}{line}")
    parts += _input(card, open_cards, doubt)
    if card.decode:
        parts.append(
            "\n# How the outputs are read; the family recognises it, and their values must agree.\n[decode]\n"
        )
        for key, value in card.decode.items():
            comment = _comment(_DECODE_COMMENTS[key]) if key in _DECODE_COMMENTS else ""
            parts.append(f"{comment}{key} = {toml_value(value)}\n")
    return "".join(parts)


def uncertain_keys(open_cards: Sequence[Card]) -> list[str]:
    """The keys of [input] in which the ways differ, and those that go with them."""
    hows = [card.preprocess for card in open_cards]
    differing = [key for key in _CHOSEN if len({repr(getattr(how, key)) for how in hows}) > 1]
    values = {"scale", "mean", "std"}
    return [key for key in _CHOSEN if key in differing or (key in values and values & set(differing))]


def _input(card: Card, open_cards: Sequence[Card], doubt: str) -> list[str]:
    left_open = uncertain_keys(open_cards)
    parts = ["\n[input]\n"]
    if not left_open:
        parts.append(_comment(f"From: {card.origin.get(FED, 'the model')}"))
        if doubt:
            parts.append(
                _comment("Not certain. What stands here is not tried on images: take out what you doubt.")
            )
    for field in fields(Preprocess):
        if field.name in ("image", "others") and not card.preprocess.image:
            continue  # one input
        if field.name not in left_open and field.name != "others":
            value = toml_value(getattr(card.preprocess, field.name))
            parts.append(f"{_comment(_INPUT_COMMENTS[field.name])}{field.name} = {value}\n")
    if left_open:
        parts.append("\n# NOT KNOWN. Take the # from the lines of one way, and leave the others.\n")
        parts += [_comment(_INPUT_COMMENTS[key]) for key in left_open if key not in ("mean", "std")]
    for number, way in enumerate(open_cards if left_open else (), start=1):
        parts.append(f"#\n# way {number}: {describe(way.preprocess)}\n")
        parts += [f"# {line}\n" for line in _lines_of(way.preprocess, left_open)]
    return [*parts, *_others(card.preprocess)]


def _others(how: Preprocess) -> list[str]:
    """The table of what the inputs beside the image are fed."""
    if not how.image:
        return []
    said = 'What the other inputs are fed: one number for all values, as many as there are, or "image".'
    return [f"\n{_comment(said)}[input.others]\n", toml_lines(dict(how.others))]


def _lines_of(how: Preprocess, keys: Sequence[str]) -> list[str]:
    """The lines that say one way; a word for the values where there is one."""
    word = name_of(how)
    lines = []
    for key in keys:
        if key == "scale" and word is not None:
            lines.append(f'scale = "{word}"')
        elif word is None or key not in ("scale", "mean", "std"):
            lines.append(f"{key} = {toml_value(getattr(how, key))}")
    return lines


def _from(card: Card, key: str) -> str:
    if key == "classes" and _unnamed(card):
        return _comment(f"NOT KNOWN: {card.origin[key]}; these names only number them.")
    return _comment(f"From: {card.origin[key]}") if key in card.origin else ""


def _unnamed(card: Card) -> bool:
    return card.origin.get("classes", "").startswith("unnamed")


def _comment(text: str) -> str:
    """The text as comment lines; whatever it holds, it cannot end the comment."""
    lines, line = [], "#"
    for word in _one_line(text).split():
        if len(line) + len(word) >= _WIDTH and line != "#":
            lines.append(line)
            line = "#"
        line += f" {word}"
    return "".join(f"{part}\n" for part in [*lines, line])


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)
