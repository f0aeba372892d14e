"""Layers that the user wants left float (`--keep-float NAME`): which they are, what the log says of them."""

from __future__ import annotations

from collections.abc import Collection

from paredown._compress.recipe import Context
from paredown.errors import UnknownName

KEPT = "kept float as asked"


def is_kept(name: str | None, context: Context) -> bool:
    """Whether the user named this node."""
    return str(name) in context.keep_float


def require_nodes(names: Collection[str | None], keep_float: Collection[str]) -> None:
    """Nothing, or UnknownName with a did-you-mean where a name asked for is that of no node."""
    for name in keep_float:
        if name not in names:
            raise UnknownName("node", name, [str(n) for n in names])
