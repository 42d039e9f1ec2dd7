"""What is kept of what providers send: the fields a shape names, as JSON that is JSON."""

import json
from collections.abc import Mapping
from typing import Any

from app.domain.errors import MalformedPayload

Shape = Mapping[str, Any]
"""Which fields of a JSON document are kept: name → True, or the shape inside it.

A shape under a name applies to the object there, or to each object of a list.
`"*"` stands for every name (for objects keyed by id).
"""


def parse(body: bytes) -> Any:
    """Read JSON; raise MalformedPayload otherwise (NaN is no JSON either)."""
    try:
        return json.loads(body.decode("utf-8-sig"), parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise MalformedPayload(f"body: not JSON ({error})") from error


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number")


def keep(document: Any, shape: Shape) -> Any:
    """Copy only the fields a shape names; other fields are never stored."""
    if isinstance(document, list):
        return [keep(item, shape) for item in document]
    if not isinstance(document, dict):
        return None
    if "*" in shape:
        inner = shape["*"]
        return {storable(name): _kept(document[name], inner) for name in document}
    return {
        name: _kept(document[name], inner)
        for name, inner in shape.items()
        if name in document
    }


def _kept(value: Any, inner: Any) -> Any:
    if inner is True:
        return storable(value)
    if isinstance(value, list):
        # A list of plain values where objects are expected is the sender's mistake;
        # None keeps the place so that the error can name it.
        return [keep(item, inner) if isinstance(item, dict) else None for item in value]
    if isinstance(value, dict):
        return keep(value, inner)
    # Text here may be anything, a name too; that it was text is enough for the error.
    return "(text)" if isinstance(value, str) else value


def storable(value: Any, levels: int = 20) -> Any:
    """The same JSON without what no database takes: NUL, halves of surrogate pairs."""
    if isinstance(value, str):
        if value.isascii() and "\0" not in value:
            return value
        return value.encode("utf-8", "replace").decode().replace("\0", "?")
    if not isinstance(value, dict | list):
        return value
    if not levels:
        return None
    if isinstance(value, list):
        return [storable(item, levels - 1) for item in value]
    return {storable(key): storable(value[key], levels - 1) for key in value}
