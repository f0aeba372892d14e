"""Cards as TOML files. A `card.toml` beside a model overrides every guess, in whole or in part.

    family = "yolov8"
    task = "detect"
    conf = 0.25                     # thresholds of deployment
    iou = 0.7
    max_detections = 300
    classes = ["person", "car"]     # or a text file beside this one, a class per line: "coco.txt"

    [input]                         # x = (pixel * scale - mean) / std
    size = [640, 640]               # height, width
    fit = "letterbox"               # letterbox, letterbox-corner, stretch, crop
    pad = 114.0
    colour = "rgb"                  # rgb, bgr, grey
    scale = 0.00392156862745098     # or a word, which says mean and std as well: "0..1", "imagenet"
    mean = [0.0, 0.0, 0.0]          # per channel, in the tensor's own channel order
    std = [1.0, 1.0, 1.0]
    layout = "nchw"
    dtype = "float32"
    image = "pixels"                # of several inputs the one that takes the image

    [input.others]                  # what the other inputs are fed: one number for all values, or each
    scales = [1.0, 1.0]
    right = "image"                 # the image again

    [decode]                        # how the answer is read, see candidates.py and docs/card.md
    columns = "cx cy w h scores"    # what stands in the columns of a row
    file = "my_head.py"             # or: a Python file beside this one reads it, see docs/unknown_model.md
    [parts]                         # a promptable model in two files, see docs/promptable.md
    encoder = "encoder.onnx"
    decoder = "decoder.onnx"
    [origin]                        # where each part was learned, in words

What a file leaves out is recognised as if there were no file; what it says is checked against the model. Of
scale, mean and std those that are left out are 1/255, 0 and 1 where one of them is said. docs/card.md.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from paredown.card import Card
from paredown.errors import CardError, UnknownName
from paredown.families.candidates import CHOICES, WORDS, check_columns
from paredown.families.card_input import VALUES, checked, read_input
from paredown.families.family import Match
from paredown.families.recognition import Recognition, recognise
from paredown.graph.notes import FROM_TFLITE, JOINED, NOTES
from paredown.model import Model
from paredown.preprocessing.values import FED, same_values
from paredown.reading import read_plain
from paredown.toml import read_toml

NAMES_BYTES = 10_000_000
DECODE_BYTES = 1_000_000
OWN = "own"  # the family that a decode file reads
AS_BOXES = dict.fromkeys(("pose", "oriented", "instances"), ("detect",))  # judged by their boxes alone
_OF_A_FILE = {"input": ("layout", "dtype"), "decode": ("channels",)}  # TFLite's are its own
_KEYS = {f.name for f in fields(Card)} - {"preprocess"} | {"input", "parts"}
_TYPES = {"conf": float, "iou": float, "max_detections": int, "task": str, "family": str}


def card_beside(model_path: Path) -> Path | None:
    """The card file that belongs to a model file: `<model>.card.toml`, else `card.toml` beside it.

    A card that names the model's parts is its own.
    """
    if model_path.suffix.lower() == ".toml":
        return model_path
    own = model_path.with_name(f"{model_path.stem}.card.toml")
    return next((p for p in (own, model_path.with_name("card.toml")) if p.is_file()), None)


def read_card(path: Path, model: Model) -> Card:
    """The card of the model as the file says, the rest by recognition, untried."""
    return recognise_with_card(path, model).resolve()


def recognise_with_card(
    path: Path, model: Model, family: str | None = None, decode: Mapping[str, str] | None = None
) -> Recognition:
    """The recognition of the model with what the file says put into every candidate card.

    `family` and `decode`, of `read_decode`, go before the file's. Raises CardError on what does not parse or
    contradicts the model.
    """
    values = _without_settled(_read(path), model)
    for key in values:
        if key not in _KEYS:
            raise UnknownName("key", key, _KEYS, hint=None)
    if "parts" in values:
        _check_whole(path, model)
    size = values.get("input", {}).get("size") if isinstance(values.get("input"), dict) else None
    given = checked(path, "input.size", size, tuple[int, int]) if size is not None else None
    said = dict(_table(path, values, "decode")) if "decode" in values else {}
    _check_columns(path, said)
    if decode or "file" in said:
        said = dict(decode) if decode else _with_source(path, said)
        values["decode"], family = said, family or OWN
    found = recognise(model, family or _family(path, values), given, said, _image(path, values, model))
    return replace(found, matches=tuple(_override(match, values, path) for match in found.matches))


def read_decode(path: Path) -> dict[str, str]:
    """A decode file as the [decode] of a card: its name and its text. Raises CardError."""
    try:
        text = read_plain(path, DECODE_BYTES, what="the decode file", error=CardError).decode()
        compile(text, path.name, "exec")
    except (UnicodeDecodeError, SyntaxError, ValueError) as e:
        raise CardError(f"the decode file {path} is no Python", got=e) from e
    return {"file": path.name, "source": text}


def _with_source(path: Path, said: Mapping[str, Any]) -> dict[str, str]:
    """The [decode] that names a file, with its text, which a card of ours holds already."""
    for key in said:
        if key not in ("file", "source"):
            raise UnknownName("key of [decode] beside `file`", key, ("file", "source"))
    name = checked(path, "decode.file", said["file"], str)
    if "source" in said:
        return {"file": name, "source": checked(path, "decode.source", said["source"], str)}
    return read_decode(_beside(path, name, "decode.file", "put the decode file beside the card"))


def _read(path: Path) -> dict[str, Any]:
    return read_toml(path, what="the card", error=CardError)


def _without_settled(values: dict[str, Any], model: Model) -> dict[str, Any]:
    """The values without the input's layout and type, and without where outputs have their channels, for a
    file of TFLite: they are its own, and a card beside it is often that of the ONNX file it was made from."""
    if FROM_TFLITE not in model.metadata.get(NOTES, ""):
        return values
    own = {name: values[name] for name in _OF_A_FILE if isinstance(values.get(name), dict)}
    return {**values, **{n: {k: v for k, v in t.items() if k not in _OF_A_FILE[n]} for n, t in own.items()}}


def _check_whole(path: Path, model: Model) -> None:
    """Raises CardError where the model is one of the parts that the card names, and not all of them."""
    if JOINED not in model.metadata.get(NOTES, ""):
        raise CardError(
            f"{path} names the parts of a model, and {model.name} is a file by itself",
            expected="the card in the place of the model",
            hint=f"paredown run {path}; or remove [parts], or the card, for this file alone",
        )


def _family(path: Path, values: Mapping[str, Any]) -> str | None:
    return None if "family" not in values else checked(path, "family", values["family"], str)


def _image(path: Path, values: Mapping[str, Any], model: Model) -> str:
    """The input that the file says takes the image, "" where it does not. Raises UnknownName."""
    table = _table(path, values, "input") if "input" in values else {}
    names = [spec.name for spec in model.inputs]
    image = checked(path, "input.image", table.get("image", ""), str)
    others = table.get("others", {})
    for name in (*([image] if image else []), *(others if isinstance(others, dict) else ())):
        if name not in names:
            raise UnknownName("input", name, names)
    return str(image)


def _override(match: Match, values: Mapping[str, Any], path: Path) -> Match:
    """The match with the file's values in each card, of the ways of reading that have as many classes."""
    classes = _classes(path, values["classes"]) if "classes" in values else None
    ways = [replace(match, others=()), *match.others]
    counts = [len(way.cards[0].classes) for way in ways]
    if classes is not None and not match.open_classes:
        ways = [way for way, count in zip(ways, counts, strict=True) if count == len(classes)]
        if not ways:
            raise CardError(
                f"{path}: the number of classes does not fit the model",
                got=len(classes),
                expected=" or ".join(map(str, sorted(set(counts)))),
            )
    changed = [_override_way(way, values, classes, path) for way in ways]
    return replace(changed[0], others=tuple(changed[1:]))


def _override_way(
    match: Match, values: Mapping[str, Any], classes: tuple[str, ...] | None, path: Path
) -> Match:
    """One way of reading with the file's values in each card; cards that become equal are one."""
    changed = [_override_card(card, values, classes, path) for card in match.cards]
    if VALUES & set(values.get("input", {})):  # a range of values brings the channel order it usually has
        pairs = list(zip(match.cards, changed, strict=True))
        usual = [new for old, new in pairs if same_values(old.preprocess, new.preprocess)]
        changed = usual or changed[:1]
    cards = tuple(c for i, c in enumerate(changed) if c not in changed[:i])
    return replace(match, cards=cards, open_classes=match.open_classes and classes is None)


def _override_card(
    card: Card, values: Mapping[str, Any], classes: tuple[str, ...] | None, path: Path
) -> Card:
    plain = {key: checked(path, key, values[key], kind) for key, kind in _TYPES.items() if key in values}
    plain.pop("family", None)
    if plain.get("task", card.task) not in (card.task, *AS_BOXES.get(card.task, ())):
        raise CardError(f"{path}: task does not fit the family {card.family!r}", got=plain["task"])
    for key in ("conf", "iou"):
        if not 0 <= plain.get(key, 0.5) <= 1:
            raise CardError(f"{path}: {key} is out of range", got=plain[key], expected="0..1")
    if plain.get("max_detections", 1) < 1:
        raise CardError(f"{path}: max_detections must be at least 1", got=plain["max_detections"])
    origin = dict(card.origin)
    if classes is not None:
        plain["classes"], origin["classes"] = classes, path.name
    if "input" in values:
        plain["preprocess"] = read_input(card.preprocess, _table(path, values, "input"), path)
        said = f"{path.name}: {', '.join(values['input'])}"
        whole = {"fit", "colour", "scale"} <= set(values["input"])
        origin[FED] = said if whole or FED not in origin else f"{said}; the rest: {origin[FED]}"
    if "decode" in values:
        plain["decode"] = _decode(card.decode, _table(path, values, "decode"), path)
    if "origin" in values:
        given = _table(path, values, "origin")
        origin = {key: checked(path, f"origin.{key}", given[key], str) for key in given}
    return replace(card, **plain, origin=origin)


def _check_columns(path: Path, said: Mapping[str, Any]) -> None:
    """Raises CardError where the words for the columns make no sense, whatever the model."""
    if "columns" not in said:
        return
    columns = checked(path, "decode.columns", said["columns"], str)
    try:
        check_columns(columns)
    except ValueError as error:
        raise CardError(
            f"{path}: decode.columns has a wrong value",
            got=repr(columns),
            expected=f"words of {' '.join(WORDS)}",
            hint=str(error),
        ) from error


def _decode(base: Mapping[str, object], table: Mapping[str, Any], path: Path) -> dict[str, object]:
    for key in table:
        if key not in base:
            raise UnknownName("key of [decode]", key, base)
        if key in CHOICES and table[key] not in CHOICES[key]:
            expected = ", ".join(CHOICES[key])
            raise CardError(
                f"{path}: decode.{key} has a wrong value", got=repr(table[key]), expected=expected
            )
    kinds = {key: _kind(base[key]) for key in table}
    return {**base, **{key: checked(path, f"decode.{key}", table[key], kinds[key]) for key in table}}


def _kind(value: object) -> Any:
    """The type that a value of [decode] must have to take the place of that one."""
    if not isinstance(value, tuple):
        return type(value)
    return tuple[float, ...] if any(isinstance(v, float) for v in value) else tuple[int, ...]


def _table(path: Path, values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    if not isinstance(values[name], dict):
        raise CardError(f"{path}: {name} is a table", got=values[name], expected=f"[{name}]")
    return values[name]  # type: ignore[no-any-return]


def _classes(path: Path, value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        hint = "put the list of names beside the card, or write the names themselves"
        file = _beside(path, value, "classes", hint)
        try:
            text = read_plain(file, NAMES_BYTES, what="the class names", error=CardError).decode()
        except UnicodeDecodeError as error:
            raise CardError(f"{path}: cannot read the class names in {file}", got=error) from error
        value = [line.strip() for line in text.splitlines() if line.strip()]
    names: tuple[str, ...] = checked(path, "classes", value, tuple[str, ...])
    if not names:
        raise CardError(f"{path}: classes is empty")
    return names


def _beside(path: Path, name: str, key: str, hint: str) -> Path:
    """The file of that name. Raises CardError where it is no plain file in the card's own folder."""
    file = path.parent / name
    inside = Path(os.path.realpath(path.parent)) in Path(os.path.realpath(file)).parents
    if file.exists() and not (inside and file.is_file()):
        what = f"{path}: {key} must name a plain file in the card's own folder"
        raise CardError(what, got=repr(name[:80]), hint=hint)
    return file
