"""What must be true after every step of every story, whatever came in."""

from typing import Any

import sqlalchemy as sa

from app.domain.instants import now
from app.pipeline.proving.audit import differences
from app.pipeline.proving.rehearsal import rehearse
from app.store.tables import holds, ledger, stock_levels
from tests.proof.model import UNASSIGNED
from tests.proof.trade import PLACES, SKUS, Trade

STATES = ("available", "reserved", "committed", "inspection", "damaged", "incoming")
NEVER_NEGATIVE = ("reserved", "committed", "inspection", "damaged")


def hold_in_the_database(trade: Trade) -> None:
    """Level = Σ entries, Σ over states = 0, entries stay, a hold ends once."""
    with trade.engine.connect() as connection:
        assert differences(connection) == []
        for row in connection.execute(sa.select(stock_levels)).mappings():
            for state in NEVER_NEGATIVE:
                assert row[state] >= 0, f"{state} fell below zero"
        entries = [tuple(row) for row in connection.execute(_in_order(ledger))]
        assert entries[: len(trade.entries)] == trade.entries, "an entry was changed"
        trade.entries = entries
        for row in connection.execute(sa.select(holds)):
            was = trade.ended.get(row.hold_id)
            assert was in (None, (row.state, row.ended_at)), "a hold ended twice"
            if row.state != "active":
                trade.ended[row.hold_id] = (row.state, row.ended_at)


def _in_order(table: sa.Table) -> sa.Select[Any]:
    return sa.select(table).order_by(table.c.id)


def hold_for_everybody_who_asks(trade: Trade) -> None:
    """Totals are Σ locations + unassigned, and what the model says is there is there."""
    expected = trade.book.levels(now())
    for sku in SKUS:
        stock = trade.stock(sku)
        totals_add_up(stock)
        there = {one["location"]: one for one in stock["locations"]}
        for place in PLACES:
            told = {state: there.get(place, {}).get(state, 0) for state in STATES}
            wanted = expected.get((sku, place)) or dict.fromkeys(STATES, 0)
            assert told == wanted, f"{sku} at {place}: {told}, not {wanted}"
        promised = expected.get((sku, UNASSIGNED), {}).get("committed", 0)
        assert stock["unassigned"] == promised, f"{sku} unassigned"


def totals_add_up(stock: Any) -> None:
    promised = stock["unassigned"]
    beside = {"committed": promised, "available": -promised}
    for state in ("on_hand", *STATES):
        parts = sum(one[state] for one in stock["locations"])
        assert stock[state] == parts + beside.get(state, 0), f"the total of {state}"


def hold_on_every_channel(trade: Trade) -> None:
    """0 ≤ shown ≤ cap, and shown is what may be sold without another's promise."""
    for row in trade.get("/publications")["items"]:
        sku, desired = row["sku"], row["desired"]
        buffer, cap = trade.caps.get(sku, (0, None))
        places = list(PLACES)
        if row["channel"] == "till":
            buffer, cap, places = 0, None, ["north"]
        wanted = max(0, trade.book.free(sku, places, now()) - buffer)
        wanted = wanted if cap is None else min(wanted, cap)
        assert desired >= 0
        assert desired == wanted, f"{row['channel']} shows {desired} {sku}"


def hold_in_the_end(trade: Trade, seed: int) -> None:
    """Every count holds at its time, and all events told again lead to the same."""
    for fact in trade.book.counted():
        if fact.kind == "counted":
            there = {
                one["location"]: one
                for one in trade.stock(fact.sku, fact.at)["locations"]
            }
            here = there.get(fact.place, dict.fromkeys(("on_hand", *STATES), 0))
            found = here["on_hand"]
            if fact.more == "sellable":
                found -= here["damaged"] + here["inspection"]
            assert found == fact.units, f"{fact} is {found} now"
    with trade.engine.connect() as connection:
        assert list(rehearse(connection, now(), seed)) == []
