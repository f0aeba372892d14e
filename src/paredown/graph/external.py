"""Weights that a model keeps in files beside it, pulled in. Nothing outside the model's folder is read."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx.external_data_helper import load_external_data_for_tensor, uses_external_data

from paredown.errors import ModelError, UnsupportedModel
from paredown.graph.subgraphs import all_tensors

MOST_BYTES = 2**31 - 1  # of all of it: one protobuf message takes no more


def load_external(proto: onnx.ModelProto, where: str, folder: Path | None) -> None:
    """Every tensor's data in the proto itself: of initializers, Constant nodes, subgraphs and functions.

    Raises ModelError: data missing, cut short, or outside `folder` (by `..`, a link or an absolute path).
    """
    external = [t for t in all_tensors(proto) if uses_external_data(t)]
    if not external:
        return
    if folder is None:
        raise ModelError(f"{where} keeps its weights in another file", hint="load it from its path")
    root = folder.resolve()
    ends = _ends(external, where)
    for tensor in external:
        _check(tensor, where, root, ends)
    _refuse_too_much(external, where, root)
    try:
        for tensor in external:
            load_external_data_for_tensor(tensor, str(root))
            tensor.data_location = onnx.TensorProto.DEFAULT
            del tensor.external_data[:]
    except (onnx.checker.ValidationError, ValueError, OSError) as error:
        line = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ModelError(f"{where}: external data cannot be read", got=line[:300]) from error


def _refuse_too_much(tensors: list[onnx.TensorProto], where: str, root: Path) -> None:
    """Raises UnsupportedModel where the tensors take more than one file may hold; they may share bytes."""
    total = 0
    for tensor in tensors:
        info = {e.key: e.value for e in tensor.external_data}
        rest = (root / info["location"]).stat().st_size - int(info.get("offset", "0"))
        total += int(info.get("length", "0")) or rest
    if total > MOST_BYTES:
        raise UnsupportedModel(f"{where}: its external data is over 2 GiB", got=f"{total / 2**30:,.1f} GiB")


def _ends(tensors: list[onnx.TensorProto], where: str) -> dict[str, int]:
    """File -> how many bytes of it the tensors speak of."""
    ends: dict[str, int] = {}
    for tensor in tensors:
        info = {e.key: e.value for e in tensor.external_data}
        offset, length = info.get("offset", "0"), info.get("length", "0")
        if not (offset.isdecimal() and length.isdecimal()):
            raise ModelError(
                f"{where}: external data of {tensor.name!r} is at no place",
                got=f"offset {offset}, length {length}",
            )
        location = info.get("location", "")
        ends[location] = max(ends.get(location, 0), int(offset) + int(length))
    return ends


def _check(tensor: onnx.TensorProto, where: str, root: Path, ends: dict[str, int]) -> None:
    location = next((e.value for e in tensor.external_data if e.key == "location"), "")
    named = bool(location) and "\0" not in location
    target = (root / location).resolve() if named else root
    if not named or not target.is_relative_to(root):
        raise ModelError(
            f"{where}: external data of {tensor.name!r} points outside the model's folder",
            got=location,
            hint="only files beside the model are read",
        )
    if not target.is_file():
        raise ModelError(
            f"{where}: external data file is missing",
            got=location,
            expected="a file beside the model",
            hint="both files belong together: copy or fetch the second one too",
        )
    if (size := target.stat().st_size) < ends[location]:
        raise ModelError(
            f"{where}: external data file {location!r} is cut short",
            got=f"{size} bytes",
            expected=f"at least {ends[location]}",
            hint="fetch it again",
        )
