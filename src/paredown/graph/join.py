"""An image encoder and a prompt decoder, two files, as one graph. `graph/split.py` parts it again.

What is joined is told by shapes: an output of the encoder goes to the one float input of the decoder that has
its shape. An input (2,) is the size of the image: it is held at that of the encoder's own input, so masks and
points are in input pixels (in the official export of SAM it only scales the masks up). Open places for points
become two, a box.
Source: facebookresearch/segment-anything, `scripts/export_onnx_model.py`, `segment_anything/utils/onnx.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from onnx import compose, helper, numpy_helper

from paredown.errors import CardError, UnknownName, UnsupportedModel
from paredown.graph.cut import leave_out_tail, nodes_before
from paredown.graph.image_input import image_axes, likeliest_image
from paredown.graph.load import from_proto, to_proto
from paredown.graph.notes import JOINED, add_note
from paredown.graph.prepare import MIN_OPSET, convert_opset, opset_of
from paredown.model import Model, TensorSpec

ENCODER, DECODER = "encoder", "decoder"
PLACES = 2  # for points, where the file leaves their number open: the corners of a box


def joined(encoder: Model, decoder: Model, name: str, said: Mapping[str, str]) -> Model:
    """The two as one model: an image and prompts go in, masks come out.

    said: output of the encoder -> input of the decoder, where shapes do not tell. Names of nodes and tensors
    begin with "encoder/" and "decoder/".

    Raises: CardError where they do not fit together, UnknownName; UnsupportedModel where the image's size is
    open, or they cannot be brought to one opset.
    """
    height, width = _image_size(encoder)
    pairs = _pairs(encoder.outputs, decoder.inputs, said)
    opset = max(MIN_OPSET, *(opset_of(to_proto(m)) for m in (encoder, decoder)))
    first, second = (convert_opset(to_proto(m), opset) for m in (encoder, decoder))
    notes = [*_hold_size(second.graph, height, width), *_fix_places(second.graph)]
    for part in (first, second):
        _forget_shapes(part.graph)
        _name_nodes(part.graph)
    first, second = compose.add_prefix(first, f"{ENCODER}/"), compose.add_prefix(second, f"{DECODER}/")
    first.ir_version = second.ir_version = max(first.ir_version, second.ir_version)
    try:
        merged = compose.merge_models(
            first, second, [(f"{ENCODER}/{a}", f"{DECODER}/{b}") for a, b in pairs.items()]
        )
    except ValueError as error:
        raise UnsupportedModel("encoder and decoder cannot be joined", got=str(error)[:200]) from error
    merged = onnx.shape_inference.infer_shapes(merged, data_prop=True)
    notes += _keep_coarse(merged.graph)
    leave_out_tail(merged.graph)
    add_note(merged, "; ".join((JOINED, *notes)))
    return from_proto(merged, name)


def _image_size(encoder: Model) -> tuple[int, int]:
    """Height and width of the encoder's input. Raises CardError, UnsupportedModel."""
    spec = likeliest_image(encoder.inputs)
    if spec is None or len(encoder.inputs) != 1:
        raise CardError(
            "the encoder has one input, an image", got=", ".join(map(str, encoder.inputs)) or "none"
        )
    axes = image_axes(spec.shape)
    sides = [] if axes is None else [spec.shape[a] for a in axes]
    if len(sides) != 2 or None in sides:
        raise UnsupportedModel(
            "the encoder leaves the size of its image open",
            got=str(spec),
            expected="1x3x1024x1024, or the like",
            hint="--input 1x3x1024x1024 says it, at the size that it was trained for",
        )
    return int(sides[0] or 0), int(sides[1] or 0)


def _pairs(
    made: Sequence[TensorSpec], wanted: Sequence[TensorSpec], said: Mapping[str, str]
) -> dict[str, str]:
    """Output of the encoder -> input of the decoder. Raises CardError where shapes leave several or none."""
    for name in said:
        if name not in {s.name for s in made}:
            raise UnknownName("output of the encoder", name, [s.name for s in made])
        if said[name] not in {s.name for s in wanted}:
            raise UnknownName("input of the decoder", said[name], [s.name for s in wanted])
    pairs = dict(said)
    for spec in (s for s in made if s.name not in pairs):
        fitting = [w for w in wanted if w.name not in said.values() and _fits(spec, w)]
        rivals = [m for m in made if m.name not in said and any(_fits(m, w) for w in fitting)]
        if len(fitting) > 1 or (fitting and len(rivals) > 1):
            raise CardError(
                "shapes do not tell which input of the decoder takes what the encoder answers",
                got=f"{spec}, and the inputs {', '.join(map(str, fitting))}",
                hint=f'write [parts.embeddings] in the card, "{spec.name}" = "{fitting[0].name}" or another',
            )
        if fitting:
            pairs[spec.name] = fitting[0].name
    if not pairs:
        raise CardError(
            "no input of the decoder takes what the encoder answers",
            got=f"outputs {', '.join(map(str, made))}; inputs {', '.join(map(str, wanted))}",
            hint="are they parts of one model, exported at one image size? [parts.embeddings] in the card "
            "says which output goes where",
        )
    return pairs


def _fits(made: TensorSpec, wanted: TensorSpec) -> bool:
    """Whether an embedding goes in there: of its type, of three axes or more, and of its shape."""
    if made.dtype != wanted.dtype or len(made.shape) != len(wanted.shape) or len(made.shape) < 3:
        return False
    pairs = list(zip(made.shape, wanted.shape, strict=True))
    known = sum(None not in pair for pair in pairs)
    return known >= 2 and all(a == b or None in (a, b) for a, b in pairs)


def _hold_size(graph: onnx.GraphProto, height: int, width: int) -> list[str]:
    """The input (2,) becomes a constant; what was done, in words."""
    for value in list(graph.input):
        dims = value.type.tensor_type.shape.dim
        if len(dims) == 1 and dims[0].dim_value == 2:
            kind = helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
            graph.initializer.append(numpy_helper.from_array(np.array([height, width], kind), value.name))
            graph.input.remove(value)
            return [f"the size of the image is held at {width} x {height}, that of the input"]
    return []


def _fix_places(graph: onnx.GraphProto) -> list[str]:
    """Open batches of the decoder's inputs become one, open places for points two; what was done."""
    changed = False
    for value in graph.input:
        dims = value.type.tensor_type.shape.dim
        points = len(dims) in (3, 4) and dims[-1].dim_value == 2
        places = len(dims) - (2 if points else 1)  # the axis, of points (..., N, 2) or of labels (..., N)
        if not points and len(dims) not in (2, 3):
            places = 0
        for axis in (*range(max(1, places)), *([places] if places else [])):
            if dims and not dims[axis].dim_value > 0:
                dims[axis].dim_value = PLACES if axis == places and places else 1
                changed = changed or (axis == places and places > 0)
    return [f"open places for points are {PLACES}"] if changed else []


def _keep_coarse(graph: onnx.GraphProto) -> list[str]:
    """Leaves out outputs that are another output's masks brought to a finer size; what was done, in words."""
    maps = [v for v in graph.output if len(v.type.tensor_type.shape.dim) in (4, 5)]
    finer = [v for v in maps if any(_makes(graph, w.name, v.name) for w in maps if w is not v)]
    for value in finer:
        graph.output.remove(value)
    names = ", ".join(repr(v.name) for v in finer)
    return [f"the output {names} is left out: the same masks, scaled up"] if finer else []


def _makes(graph: onnx.GraphProto, source: str, tensor: str) -> bool:
    """Whether a tensor is made with another one."""
    return any(source in node.input for node in nodes_before(graph, [tensor]))


def _name_nodes(graph: onnx.GraphProto) -> None:
    for index, node in enumerate(graph.node):
        node.name = node.name or f"{node.op_type}_{index}"


def _forget_shapes(graph: onnx.GraphProto) -> None:
    """They are inferred anew from the inputs, which were fixed."""
    del graph.value_info[:]
    for value in graph.output:
        rank = len(value.type.tensor_type.shape.dim)
        value.type.tensor_type.ClearField("shape")
        for _ in range(rank):
            value.type.tensor_type.shape.dim.add()
