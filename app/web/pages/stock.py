"""`/stock`: search; `/stock/<sku>`: how much there is, who shows what, what happened."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from flask import abort, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy.engine import Connection, RowMapping

from app.domain import instants
from app.domain.instants import DAY, Instant
from app.pipeline.acts import transferring
from app.pipeline.acts.reversing import REVERSIBLE
from app.pipeline.proving import assembling
from app.pipeline.proving.course import course
from app.pipeline.proving.explaining import explain
from app.store import timekeeper
from app.store.configuration import listed
from app.store.stock import aliases, balances, history, holds
from app.store.stock.balances import When
from app.store.stock.history import Period
from app.store.watching import overview as store
from app.web.hub import hub
from app.web.pages import charts, entries, risks, rows
from app.web.pages.frame import pages, position
from app.web.pages.look import moment, written

PAGE = 50
CHART_DAYS = 30
HOLDS = 100


@pages.get("/stock")
def search() -> ResponseReturnValue:
    """Find a SKU by a part of its code, its name or its barcode."""
    text = request.args.get("q", "").strip()
    when = When(instants.now())
    with hub().engine.connect() as connection:
        page = balances.page(
            connection, when, limit=PAGE, after=position(), search=text or None
        )
        found = page.of(assembling.with_kits(connection, page, when))
    return render_template("stock_search.html", found=found, q=text)


@pages.get("/stock/<path:sku>")
def stock(sku: str) -> ResponseReturnValue:
    """Show one SKU: its levels, the number on each channel and why, its ledger; of a
    kit, its components' ledger.

    `at` asks for levels and numbers of a moment of the past.
    """
    now = instants.now()
    asked = moment(request.args.get("at", ""))
    at = asked if asked is not None and asked < now else None
    when = When(now, at)
    with hub().engine.connect() as connection:
        balance = assembling.stock_of(connection, sku, when)
        sku_id = aliases.sku_id(connection, sku)
        if balance is None or sku_id is None:
            abort(404)
        code = balance["sku"]
        shown = rows.read(connection, store.of_sku(connection, code, now), now)
        why = _why(connection, code, shown, at, now)
        period = None if at is None else Period(at=at)
        held = assembling.with_stock(connection, sku_id, when)
        found = history.page_of_all(
            connection, held, limit=PAGE, after=position(), period=period
        )
        told = found.of(_entries(connection, found))
        chart = _chart(connection, sku_id, when, is_kit="components" in balance)
        standing = {} if at is not None else _standing(connection, sku_id, balance, now)
    return render_template(
        "stock.html",
        now=now,
        at=at,
        asked=asked,
        at_field=written(asked) if asked is not None else "",
        balance=balance,
        deliveries=shown,
        why=why,
        excess=rows.excess(risks.exposed(shown, now)) if at is None else 0,
        entries=told,
        chart=chart,
        **standing,
    )


def _standing(
    connection: Connection, sku_id: int, balance: Mapping[str, Any], now: Instant
) -> dict[str, Any]:
    """What is held now, and what is on the way by what; a kit has no units of its own.
    And which channels would show it."""
    units = 0 if "components" in balance else balance["incoming"]
    now = timekeeper.theirs(connection, now)
    held = holds.standing(connection, sku_id, now, HOLDS)
    return {
        "holds": [one for one in held if one["expires_at"] > now],
        "listeners": listed.listeners(connection, sku_id),
        "ways": transferring.on_the_way(connection, balance["sku"], units),
    }


def _chart(
    connection: Connection, sku_id: int, when: When, *, is_kit: bool
) -> charts.Lines:
    """Available and, of what is no kit, on hand over the last weeks."""
    last = (when.now if when.at is None else when.at) // DAY * DAY
    days = [last - ago * DAY for ago in range(CHART_DAYS - 1, -1, -1)]
    levels = course(connection, sku_id, days, when)
    available, on_hand = zip(*levels, strict=True)
    return charts.Lines(days, available, () if is_kit else on_hand)


def _why(
    connection: Connection,
    sku: str,
    shown: Sequence[rows.Delivery],
    at: Instant | None,
    now: Instant,
) -> list[Mapping[str, Any]]:
    """Per channel that shows it: the explanation that the API gives."""
    keys = sorted({one.channel for one in shown})
    found = [explain(connection, sku, key, at=at, now=now) for key in keys]
    return [one for one in found if one is not None]


def _entries(
    connection: Connection, found: Sequence[RowMapping]
) -> list[Mapping[str, Any]]:
    details = store.event_details(connection, {row["event_id"] for row in found})
    undone = {row["reverses"] for row in found}
    return [
        {
            "row": row,
            "says": entries.says(row, json.loads(details.get(row["event_id"], "{}"))),
            "is_again": is_again,
            "effect": entries.effect(row, is_again=is_again),
            "can_undo": row["kind"] in REVERSIBLE and row["id"] not in undone,
        }
        for row, is_again in entries.told(found)
    ]
