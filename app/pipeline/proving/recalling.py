"""Recalling: what every case says here, and what it says when all is told again.

What a case says decides what its next event posts. What depends on the order of arrival
is left out: rows that others took everything over from, under which number a case is
found, and facts of no units: by which version a line has none that its order lost since
depends on which came first.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Final, NamedTuple, TypeAlias

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.domain.events import IGNORED, REVERSED
from app.domain.states import Movement
from app.domain.targets import Movements, Target, Targets
from app.pipeline.applying.hearing import BY_SKU
from app.store.stock import cases
from app.store.stock.cases import Case
from app.store.tables import locations, skus

MOST: Final = 20
"""How many sentences are told at most."""
_MARKS: Final = (IGNORED, REVERSED)
"""Facts that count whatever their number."""
_MAKE: Final = "all its stock events told again make it"

_Names: TypeAlias = dict[int, str]


class _Words(NamedTuple):
    skus: _Names
    places: _Names


def forgotten(here: Connection, there: Connection) -> list[str]:
    """Where cases here are not what they are there, in sentences."""
    words = _Words(
        {row.id: row.sku for row in here.execute(sa.select(skus.c.id, skus.c.sku))},
        {row.id: row.code for row in here.execute(sa.select(locations))},
    )
    told = _told(here, there, words)
    found = list(islice(told, MOST))
    more = sum(1 for _ in told)
    return [*found, f"and {more} more of such cases"] if more else found


def _told(here: Connection, there: Connection, words: _Words) -> Iterator[str]:
    for case, again in _paired(_saying(here), _saying(there)):
        name = _name(case or again)
        if again is None:
            yield f"{name}: it is known here, but no stock event tells of it"
        elif case is None:
            yield f"{name}: it is not known here, its stock events tell of it"
        else:
            for said in _differing(case, again, words):
                yield f"{name}: {said}"


def _saying(connection: Connection) -> Iterator[Case]:
    """The cases that say something, by their key and line."""
    for case in cases.in_order(connection):
        case.targets = {
            fact: target
            for fact, target in case.targets.items()
            if target.quantity or fact in _MARKS
        }
        if case.posted or case.targets.keys() - {IGNORED}:
            yield case


def _paired(
    here: Iterator[Case], there: Iterator[Case]
) -> Iterator[tuple[Case | None, Case | None]]:
    """Both sides' cases side by side, of which each has some."""
    case, again = next(here, None), next(there, None)
    while case is not None or again is not None:
        mine, other = _place(case), _place(again)
        yield (case if mine <= other else None), (again if other <= mine else None)
        if mine <= other:
            case = next(here, None)
        if other <= mine:
            again = next(there, None)


def _place(case: Case | None) -> tuple[bool, str, str]:
    return (True, "", "") if case is None else (False, case.case_key, case.line)


def _differing(case: Case, again: Case, words: _Words) -> Iterator[str]:
    """What the same case says otherwise there."""
    if case.sku_id != again.sku_id:
        was, is_ = (words.skus.get(one.sku_id or 0) for one in (case, again))
        yield f"it is about {was}, {_MAKE} about {is_}"
    yield from _facts(case.targets, again.targets, words)
    yield from _moved(case.posted, again.posted, words)


def _facts(here: Targets, there: Targets, words: _Words) -> Iterator[str]:
    for fact in sorted(here.keys() | there.keys()):
        was, is_ = here.get(fact), there.get(fact)
        if was != is_:
            told = _target(was, is_, words), _target(is_, was, words)
            yield f"{_fact(fact)} is {told[0]}, {_MAKE} {told[1]}"


def _target(target: Target | None, other: Target | None, words: _Words) -> str:
    """Its number; and what else differs, if that is the same."""
    if target is None:
        return "not known"
    if other is None or other.quantity != target.quantity:
        return f"{target.quantity}"
    place = words.places.get(target.location or 0, "no location")
    return (
        f"{target.quantity} (version {target.version}, {place}, "
        f"{target.occurred_at}, {target.extra})"
    )


def _moved(here: Movements, there: Movements, words: _Words) -> Iterator[str]:
    for movement in sorted(here.keys() | there.keys()):
        was, is_ = here.get(movement, 0), there.get(movement, 0)
        if was != is_:
            yield f"{_units(movement, words)} are {was}, {_MAKE} {is_}"


def _units(movement: Movement, words: _Words) -> str:
    sku, state, place, to_state, to_place, _ = movement
    at, to = words.places.get(place), words.places.get(to_place)
    return (
        f"the units of {words.skus.get(sku)} posted from {state} at {at} to "
        f"{to_state} at {to}"
    )


def _name(case: Case | None) -> str:
    """`order 1 of web, line 2`."""
    if case is None:
        return ""
    owner, kind, of = case.case_key.split("/", 2)
    line = f", line {case.line}" if case.line else ""
    return f"{kind} {of} of {owner}{line}"


def _fact(name: str) -> str:
    """`shipped p, line 1`."""
    kind, _, rest = name.partition(":")
    of, _, line = rest.rpartition(":")[2].partition(BY_SKU)
    return f"{kind} {of}".rstrip() + (f", line {line}" if line else "")
