"""BatchNorm and constants folded, by onnxslim."""

from __future__ import annotations

import warnings

import onnx
import onnxslim

from paredown.errors import UnsupportedModel


def fold(proto: onnx.ModelProto) -> onnx.ModelProto:
    """The same function, constants folded, each BatchNorm in the convolution before it, shapes inferred.

    Raises UnsupportedModel where the simplifier fails.
    """
    metadata = list(proto.metadata_props)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the simplifier's own remarks are not the user's business
            slim = onnxslim.slim(proto)
        slim = onnx.shape_inference.infer_shapes(slim, data_prop=True)
    except Exception as error:  # the simplifier raises whatever its folding met
        raise UnsupportedModel(
            "the graph cannot be simplified", got=f"{type(error).__name__}: {error}"
        ) from error
    del slim.metadata_props[:]
    slim.metadata_props.extend(metadata)
    return slim
