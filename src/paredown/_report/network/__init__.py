"""A drawing of one model's graph with precision as colour: `drawing(rows)` gives an SVG."""

from paredown._report.network.draw import drawing
from paredown._report.network.groups import Group, groups_of

__all__ = ["Group", "drawing", "groups_of"]
