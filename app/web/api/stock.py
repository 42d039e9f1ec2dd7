"""GET /api/v1/stock…: how much there is, was, and why."""

from typing import Any

from flask import Response, jsonify
from marshmallow import Schema, fields

from app.domain import instants
from app.pipeline.proving import assembling
from app.store.stock import aliases, balances, history
from app.store.stock.balances import When
from app.store.stock.history import Period
from app.web.api.fields import Moment, Word, number, storable
from app.web.api.paging import PageQuery, answer, paged
from app.web.api.resource import Resource
from app.web.auth import VIEWER, needs
from app.web.hub import hub
from app.web.problems import Problem

blueprint = Resource("stock", "Stock and its ledger.")


class Quantities(Schema):
    """Units by state."""

    on_hand = number(
        metadata={
            "description": "Physically here: "
            "available + reserved + committed + inspection + damaged."
        }
    )
    available = number(
        metadata={"description": "May be sold now; below 0 after an oversell."}
    )
    reserved = number(metadata={"description": "Held; expired holds left out."})
    committed = number(metadata={"description": "Promised to orders."})
    inspection = number(metadata={"description": "Here, not judged yet."})
    damaged = number(metadata={"description": "Here, not sellable."})
    incoming = number(metadata={"description": "On the way here."})


class AtLocation(Quantities):
    """One SKU at one location."""

    location = fields.String()


class Component(Schema):
    """What a kit is made of."""

    sku = fields.String()
    quantity = number(metadata={"description": "How many of it one kit takes."})


class Balance(Quantities):
    """One SKU: totals are the locations together with what is unassigned.

    A kit has no stock of its own: `available` is how many can be put together at each
    location of the components that are available there, and the other states are 0. In
    total it is as many as all promises leave, those too that name no location yet.
    """

    sku = fields.String()
    name = fields.String()
    unassigned = number(
        metadata={"description": "Promised to orders that name no location yet."}
    )
    locations = fields.List(fields.Nested(AtLocation))
    components = fields.List(
        fields.Nested(Component),
        metadata={"description": "Of a kit only, nested kits taken apart."},
    )


class Side(Schema):
    """Where units came from or went to."""

    state = fields.String()
    location = fields.String(allow_none=True)


class Entry(Schema):
    """One ledger entry: units that moved from one state and place to another."""

    id = number()
    sku = fields.String()
    kind = fields.String()
    quantity = number()
    from_ = fields.Nested(Side, data_key="from")
    to = fields.Nested(Side)
    event = fields.String(
        allow_none=True, metadata={"description": "The stock event that caused it."}
    )
    occurred_at = Moment()
    recorded_at = Moment()
    channel = fields.String(allow_none=True)
    actor = fields.String(allow_none=True)
    reason = fields.String(allow_none=True)
    reverses = number(allow_none=True)


class MomentQuery(PageQuery):
    """A page of what was so at a time."""

    at = Moment(metadata={"description": "By what had happened then (occurred_at)."})
    known_at = Moment(
        metadata={"description": "By what had been written down then (recorded_at)."}
    )


class BalanceQuery(Schema):
    """Stock at a time."""

    at = MomentQuery().fields["at"]
    known_at = MomentQuery().fields["known_at"]


class StockQuery(MomentQuery):
    """Which SKUs."""

    search = Word(
        shortest=0, metadata={"description": "Part of a SKU or name, or a barcode."}
    )


BalancePage = paged("BalancePage", Balance)
EntryPage = paged("EntryPage", Entry)


def entry(row: Any) -> dict[str, Any]:
    """A ledger row as the API tells it."""
    return {
        **row,
        "from_": {"state": row["from_state"], "location": row["from_location"]},
        "to": {"state": row["to_state"], "location": row["to_location"]},
    }


@blueprint.get("/stock")
@needs(VIEWER)
@blueprint.query(StockQuery)
@blueprint.answers(200, BalancePage)
def list_stock(query: dict[str, Any]) -> dict[str, Any]:
    """List the stock of every SKU."""
    when = _when(query)
    with hub().engine.connect() as connection:
        page = balances.page(connection, when, **query)
        return answer(page, assembling.with_kits(connection, page, when))


@blueprint.get("/stock/<sku:sku>")
@needs(VIEWER)
@blueprint.query(BalanceQuery)
@blueprint.answers(200, Balance)
def show_stock(query: dict[str, Any], sku: str) -> dict[str, Any]:
    """Show the stock of one SKU."""
    found = balance_of(sku, _when(query))
    if found is None:
        raise no_sku(sku)
    return found


@blueprint.get("/stock/<sku:sku>/ledger")
@needs(VIEWER)
@blueprint.query(MomentQuery)
@blueprint.answers(200, EntryPage)
def list_ledger(query: dict[str, Any], sku: str) -> Any:
    """List what happened to a SKU, newest first; of a kit, to its components."""
    when = _when(query)
    with hub().engine.connect() as connection:
        sku_id = aliases.sku_id(connection, sku) if storable(sku) else None
        if sku_id is None:
            return _named_ledger(sku, when)
        parts = assembling.with_stock(connection, sku_id, when)
        period = Period(when.at, when.known_at)
        page = history.page_of_all(connection, parts, period=period, **query)
    return answer(page, [entry(row) for row in page])


def _named_ledger(sku: str, when: When) -> Response:
    """A SKU's own name may end in /ledger: then this is its stock."""
    found = balance_of(f"{sku}/ledger", when)
    if found is None:
        raise no_sku(sku)
    return jsonify(Balance().dump(found))


def balance_of(sku: str, when: When) -> dict[str, Any] | None:
    """One SKU's stock at the time that is asked for, or None."""
    if not storable(sku):
        return None
    with hub().engine.connect() as connection:
        return assembling.stock_of(connection, sku, when)


def _when(query: dict[str, Any]) -> When:
    """The moment, taken out of what is asked."""
    return When(instants.now(), query.pop("at", None), query.pop("known_at", None))


def no_sku(sku: str) -> Problem:
    """The answer for a SKU that is not there."""
    return Problem(
        404,
        f"there is no SKU {sku!r}; `onecount import skus` or a mapped listing adds it",
    )
