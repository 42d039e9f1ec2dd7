"""Connections: how the Shopify sandbox hands out long lists, page by page."""

from collections.abc import Callable, Sequence
from typing import Any

Page = Callable[..., dict[str, Any]]


def connection(rows: Sequence[Any]) -> Page:
    """A field that hands out rows page by page."""

    def field(
        info: Any, first: int = 50, after: str | None = None, **_: Any
    ) -> dict[str, Any]:
        start = int(after) if after else 0
        found = rows[start : start + first]
        cursors = [str(start + at + 1) for at in range(len(found))]
        return page(found, cursors, (start > 0, start + len(found) < len(rows)))

    return field


def page(
    nodes: Sequence[Any], cursors: Sequence[str], more: tuple[bool, bool]
) -> dict[str, Any]:
    """A page of a connection; `more` says whether there are rows before and after."""
    return {
        "nodes": nodes,
        "edges": [
            {"cursor": cursor, "node": node}
            for cursor, node in zip(cursors, nodes, strict=True)
        ],
        "pageInfo": {
            "hasNextPage": more[1],
            "hasPreviousPage": more[0],
            "startCursor": cursors[0] if cursors else None,
            "endCursor": cursors[-1] if cursors else None,
        },
    }
