"""What was changed in a model on its way in, kept in its metadata so that whoever compresses it is told."""

from __future__ import annotations

import onnx

NOTES = "paredown_notes"
"""Key of the model's metadata under which they stand, joined by "; "."""
FROM_TFLITE = "read from a TFLite file"
JOINED = "encoder and decoder are joined"


def add_note(proto: onnx.ModelProto, text: str) -> None:
    """Adds what was done to the notes that the model carries."""
    for prop in proto.metadata_props:
        if prop.key == NOTES:
            if text not in prop.value:
                prop.value += f"; {text}"
            return
    proto.metadata_props.add(key=NOTES, value=text)
