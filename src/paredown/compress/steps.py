"""The table of steps: kind -> the frozen setting and where its function is."""

from __future__ import annotations

from paredown.compress.quantize import static
from paredown.compress.recipe import Apply, Step

STEPS: dict[str, tuple[type[Step], Apply]] = {
    static.Static.kind: (static.Static, static.apply),
}
