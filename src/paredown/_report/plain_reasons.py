"""Why a layer stayed float, as a sentence for somebody who did not write the recipe."""

from __future__ import annotations

import re

_SENTENCES = (  # what a record says, as a pattern -> the sentence
    (
        r"decode tail: no convolution depends on it",
        "Decoding behind the last convolution: it costs little, and 8 bits would round box positions.",
    ),
    (
        r"decode tail: a product of the answer itself; its weights may be stored in 8 bits",
        "It reads boxes and scores, not features: 8 bits would round the answer.",
    ),
    (r"it tells places, not features", "It tells where to look; 8 bits would round the places."),
    (
        r"decode tail: no learned weights",
        "Decoding: its weights are fixed numbers, not learned ones.",
    ),
    (r"(.+) has no integer kernel for (\w+)", r"\1 has no integer kernel for \2."),
    (r"ONNX has no integer form of (\w+)", r"ONNX has no operator for \1 in integers."),
    (
        r"(\w+) of two computed tensors",
        r"Both inputs of this \1 are computed: it has no weight.",
    ),
    (
        r"(\w+) whose bias is computed",
        r"The bias of this \1 is computed, so it has no fixed grid.",
    ),
    (r"its bias is computed", "Its bias is computed, so it has no fixed grid."),
    (
        r"Gemm with alpha or beta other than 1",
        "It scales its result, which integer kernels cannot.",
    ),
    (
        r"input normalisation in front of the first convolution",
        "It normalises the input image, in front of the first convolution.",
    ),
    (
        r"interpolating Resize computes new values",
        "It interpolates, which the runtime does in float.",
    ),
    (r"Pad with other values than zero", "It pads with values other than zero."),
    (
        r"(\w+) whose limits do not contain zero",
        r"The limits of this \1 leave out zero, which a grid must hold.",
    ),
    (
        r"what it reads is computed in float",
        "What it reads is computed in float: in integers it would only add conversions.",
    ),
    (r"kept float as asked", "Kept float because you asked for it (--keep-float)."),
    (
        r"left float: its grids put noise of (\S+) of the signal on the heads(.*)",
        r"In 8 bits it would change the model's outputs by \1 of their signal\2.",
    ),
)


def plain(why: str) -> str:
    """The sentence for a record's reason; one that is none of the known ones becomes a sentence as it is."""
    for pattern, sentence in _SENTENCES:
        if re.fullmatch(pattern, why):
            return re.sub(f"^(?:{pattern})$", sentence, why)
    text = why.strip()
    if not text:
        return "The recipe gives no reason."
    return text[0].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")
