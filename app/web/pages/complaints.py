"""Complaints: what a schema has against a form, in the words that the form uses."""

import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Final

from app.web.texts import lazy, number

LABELS: Final[Mapping[str, str]] = {
    "change": lazy("how many"),
    "quantity": lazy("how many"),
    "reason": lazy("why"),
    "sku": lazy("SKU"),
    "of": lazy("they come from"),
    "minutes": lazy("for how many minutes"),
    "share": lazy("percent of it"),
    "buffer": lazy("units kept back"),
    "cap": lazy("never show more than"),
    "stop_at": lazy("show 0 when no more than this"),
    "preorder": lazy("units beyond what is there"),
}
"""A field's name at the API → its label, where that is another word."""

_PLAIN: Final = (
    (r"Field may not be null\.|Missing data for required field\.", lazy("it is needed.")),
    (r"Length must be between 1 and (\d+)\.", lazy(r"it is needed, up to \1 characters.")),
    (r"Must be greater than or equal to (\S+) and less than or equal to (\S+)\.",
     lazy(r"it has to be from \1 to \2.")),
    (r"needed with `closes`", lazy("it is needed to write off what is left.")),
    (r"Not a valid integer\.", lazy("it has to be a whole number.")),
)  # fmt: skip
"""What marshmallow says → the same as people say it."""


def sentences(told: Any) -> list[str]:
    """A schema's complaints, one sentence each."""
    return sorted(set(_sentences(told, "")))


def _sentences(told: Any, name: str) -> Iterator[str]:
    if isinstance(told, Mapping):
        for key, below in told.items():
            is_named = isinstance(key, str) and key != "lines" and key[:1] != "_"
            yield from _sentences(below, str(key) if is_named else name)
        return
    for one in [told] if isinstance(told, str) else told:
        label = str(LABELS.get(name, name))
        yield f"{label[:1].upper()}{label[1:]}: {_plainly(one)}"


def _plainly(said: str) -> str:
    for pattern, words in _PLAIN:
        said = re.sub(pattern, partial(_filled, str(words)), said)
    return said


def _filled(words: str, found: re.Match[str]) -> str:
    """The words with the numbers that were found, as people read them."""
    return re.sub(r"\\(\d)", lambda slot: _read(found[int(slot[1])]), words)


def _read(word: str) -> str:
    return number(int(word)) if word.removeprefix("-").isdecimal() else word
