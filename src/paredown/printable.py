"""Foreign text made harmless where it is shown: names from models, cards, data sets and runtimes.

A terminal obeys control characters: a tensor named "ESC[2J" clears the screen, a bidirectional override
shows a name backwards, a line feed inside a name forges a line of ours. Standard library only: the bundle's
`detect.py` carries this file.
"""

from __future__ import annotations

import re

_HARMFUL = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # C0, DEL, C1
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # what turns the direction of writing
    "\u2028\u2029\ufeff\ufff9-\ufffb"  # separators of lines and paragraphs, and other invisible marks
    "\ud800-\udfff]"  # halves of a character: bytes of a file name that are no UTF-8
)


def printable(text: str, *, keep_lines: bool = False) -> str:
    """The text with every character that a terminal obeys, or cannot write, spelled out: "\\x1b[2J".

    keep_lines: line feeds stay, for text of ours of several lines.
    """
    return _HARMFUL.sub(lambda m: m[0] if keep_lines and m[0] == "\n" else ascii(m[0])[1:-1], text)


def quoted(text: str) -> str:
    """The same for a whole JSON or TOML text: what stands in its strings, as both spell it, "\\u009b"."""
    return _HARMFUL.sub(lambda m: m[0] if m[0] in "\n\t\r" else f"\\u{ord(m[0]):04x}", text)
