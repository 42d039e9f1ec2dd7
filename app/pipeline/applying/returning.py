"""Returning: how far each return is, kept beside its case so that it can be listed."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy.engine import Connection

from app.domain.instants import Instant
from app.domain.returning import Return, progress
from app.pipeline.house import House
from app.store import bulk
from app.store.stock import returns
from app.store.stock.cases import Case
from app.store.tables import return_cases

_KNOWN_BY: Final = ("case_key", "line")
_TOLD: Final = ("channel_id", "order_number", "sku_id", *Return._fields, "changed_at")


def keep(
    connection: Connection, house: House, cases: Sequence[Case], now: Instant
) -> None:
    """Write down how far the returns of these cases are; forget those that are none."""
    if not cases:
        return
    known = returns.ids(connection, [case.case_key for case in cases])
    new, changed, gone = [], [], []
    for case in cases:
        told = progress(case.targets, house.rules_of(case.channel_id))
        row_id = known.get((case.case_key, case.line))
        if told is None:
            gone += [row_id] if row_id is not None else []
            continue
        row = (case.channel_id, case.order_number, case.sku_id, *told, now)
        if row_id is None:
            new.append((case.case_key, case.line, *row))
        else:
            changed.append((*row, row_id))
    bulk.insert(connection, return_cases, (*_KNOWN_BY, *_TOLD), new)
    bulk.change(connection, return_cases, _TOLD, changed)
    returns.forget(connection, gone)
