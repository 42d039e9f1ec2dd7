"""Opened: a claimed message on its way through a batch, and what becomes of it."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa

from app.domain.events import Normalised
from app.domain.instants import Instant
from app.pipeline.applying.copies import A_COPY
from app.pipeline.applying.told import NOT_STOCK, PARKED, QUARANTINED, Told, Verdict
from app.store.receiving.waiting import Stored


@dataclass(slots=True)
class Opened:
    """A message with what it says, once that is understood, and the verdicts on that."""

    row: Stored
    topic: str = ""
    document: Any = None
    said: Normalised | None = None
    error: str | None = None
    verdicts: Sequence[Verdict] = ()


def told_of(one: Opened) -> Told:
    """What it says, as it is applied."""
    said = one.said or Normalised()
    return Told(
        one.row.channel_id,
        said.events,
        one.row.received_at,
        said.orders,
        inbox_id=one.row.id,
    )


def waits_for_fetch(one: Opened) -> bool:
    """Whether its channel must be asked before it says everything."""
    return (
        one.said is not None and one.said.read is not None and one.row.fetched is None
    )


def settled(one: Opened, now: Instant) -> tuple[Any, ...]:
    """What is written back of it: a row for `waiting.settle`."""
    state, note = _state(one)
    wants = None
    lane = "apply"
    if waits_for_fetch(one) and one.said is not None and one.said.read is not None:
        wants, lane, state = json.dumps(asdict(one.said.read)), "fetch", "waiting"
    # A body that could not be read stays sealed until it expires, to be replayed.
    body = one.row.body if one.document is None else None
    document = None if one.document is None else json.dumps(one.document)
    settled_at = None if state == "waiting" else now
    return (
        state,
        lane,
        one.topic,
        document,
        wants,
        note,
        settled_at,
        body,
        one.row.id,
    )


def _state(one: Opened) -> tuple[str, str | None]:
    if one.said is None:
        return "buried", one.error
    if one.said.bad:
        return "buried", f"{'; '.join(one.said.bad)}; the other lines are taken"
    parked = [v.note or "" for v in one.verdicts if v.verdict == PARKED]
    if parked:
        return "parked", "; ".join(sorted(set(parked)))
    disputed = [v for v in one.verdicts if v.verdict == QUARANTINED]
    if disputed:
        return "applied", "; ".join(f"{v.key}: {v.note}" for v in disputed)
    unstocked = {v.note or "" for v in one.verdicts if v.verdict == NOT_STOCK}
    reasons = "; ".join((*one.said.ignored, *sorted(unstocked)))
    if any(verdict.note == A_COPY for verdict in one.verdicts):
        return "ignored", reasons or A_COPY
    tells = any(verdict.verdict != NOT_STOCK for verdict in one.verdicts)
    if tells or one.said.orders or one.said.listings:
        return "applied", reasons or None
    if one.said.disconnected is not None:
        return "applied", one.said.disconnected
    return "ignored", reasons or "says nothing about stock"


def words_of(error: Exception) -> str:
    """Why it cannot be applied, for people."""
    if isinstance(error, sa.exc.DBAPIError):
        text = str(error.orig).splitlines()[0] if error.orig else "refused"
        if "ck_stock_levels" in text:
            state = text.partition("ck_stock_levels_")[2].split('"')[0].strip()
            return f"{state} would fall below zero"
        return f"the database refused it: {text}"
    return f"{type(error).__name__}: {error}"
