"""Any order and any duplication of one set of webhooks leaves the same stock.

Stories are made up, told once in the order they happened and once mixed and repeated
to another shop in the same database server; then the two shops are compared.
"""

import json
from collections import defaultdict

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, settings, strategies as st

from app.domain.instants import DAY, MINUTE, iso, now
from app.domain.states import ON_HAND, STATES
from app.pipeline.configuring.listings import map_listing
from app.pipeline.proving.audit import differences
from app.pipeline.repairing.replaying import replay
from app.store.engine import writing
from app.store.tables import inbox, incidents, metadata, skus, stock_levels
from tests.builders import Shop

SKUS = ("BLUE-JACKET-M", "RED-SCARF")
PLACES = ("north", "south")
BEGIN = now() // DAY * DAY - 2 * DAY
KEPT = {
    "locations",
    "channels",
    "channel_locations",
    "skus",
    "listings",
    "publications",
}

bounded = settings(
    phases=[Phase.explicit, Phase.generate],
    max_examples=50,
    suppress_health_check=list(HealthCheck),
)


def at(minute):
    return iso(BEGIN + minute * MINUTE)


# -- stories -------------------------------------------------------------------

minutes = st.integers(1, 30)
units = st.integers(0, 4)
orders = st.sampled_from(["1001", "1002"])
places = st.sampled_from(PLACES)
anywhere = st.none() | places


LINES = (("1", SKUS[0]), ("2", SKUS[1]), ("3", SKUS[0]))
"""A line id always means the same SKU, as it does in any one order."""
TRADE = (
    "order",
    "order",
    "cancellation",
    "shipment",
    "foreign shipment",
    "foreign shipment",
    "return",
    "sale",
    "receipt",
    "expected",
    "transfer",
    "adjustment",
    "count",
)
COUNTING = ("count", "count", "shipment", "return", "adjustment", "sale")
ON_THE_WAY = ("expected", "transfer", "receipt", "receipt")
SHIPPING = ("order", "cancellation", "shipment", "foreign shipment", "foreign shipment")
DISPOSITIONS = st.sampled_from(["sellable", "inspect", "damaged"])
MORE_IN_A_LINE = {
    "return": {"disposition": DISPOSITIONS},
    "adjustment": {"reason": st.just("found")},
}
MORE = {
    "order": {"order": orders, "location": anywhere},
    "cancellation": {"order": orders},
    "shipment": {"order": orders, "location": anywhere},
    "foreign shipment": {
        "type": st.just("shipment"),
        "order": orders,
        "channel": st.just("web"),
        "location": anywhere,
    },
    "return": {"order": st.none() | orders, "location": places},
    "sale": {"location": places},
    "receipt": {"location": places, "of": st.none() | st.sampled_from("ab")},
    "expected": {"location": places},
    "transfer": {"location": st.just("north"), "to": st.just("south")},
    "adjustment": {"location": places},
    "count": {"location": places, "scope": st.none() | st.just("sellable")},
}
SENDERS = {"foreign shipment": "wms", "sale": "till"}


@st.composite
def messages(draw, kinds, lines):
    """One webhook: (channel, body). Versions are made distinct afterwards."""
    kind = draw(st.sampled_from(kinds))
    body = {
        "type": kind,
        "id": draw(st.sampled_from("ab")),
        "occurred_at": at(draw(minutes)),
    }
    body |= {name: draw(value) for name, value in MORE[kind].items()}
    chosen = draw(st.sets(st.sampled_from(lines), min_size=1).map(sorted))
    if kind == "count":
        # Two numbers for one SKU in one count would be two answers.
        chosen = [(line, sku) for sku, line in {s: n for n, s in chosen}.items()]
    more = MORE_IN_A_LINE.get(kind, {})
    body["lines"] = [
        {"id": line, "sku": sku, "quantity": draw(units)}
        | {name: draw(value) for name, value in more.items()}
        for line, sku in chosen
    ]
    told = {name: value for name, value in body.items() if value is not None}
    return SENDERS.get(kind, "web"), told


@st.composite
def stories(draw, kinds=TRADE, lines=LINES, longest=8):
    """Webhooks whose versions never tie, and another order to tell them in."""
    told = draw(st.lists(messages(kinds, lines), min_size=2, max_size=longest))
    for number, (_, body) in enumerate(told):
        body["version"] = number + 1
    again = draw(st.lists(st.sampled_from(told), max_size=4))
    return told, draw(st.permutations(told + again))


of_counts = stories(kinds=COUNTING, lines=LINES[:1], longest=6)
of_ways = stories(kinds=ON_THE_WAY, lines=LINES[:1])
of_parcels = stories(kinds=SHIPPING, lines=(LINES[0], LINES[2]))
any_story = st.one_of(stories(), of_counts, of_parcels, of_ways)


# -- a shop to tell them to ------------------------------------------------------


def hasty(shop):
    """These stories need not survive a power cut."""
    if shop.engine.dialect.name == "sqlite":
        shop.engine.dispose()

        @sa.event.listens_for(shop.engine, "connect")
        def prepare(connection, _):
            connection.execute("PRAGMA synchronous=OFF").close()

    return shop


def furnish(shop, known=SKUS):
    shop.locations(*PLACES)
    shop.channel("web", publish={}, ships_from="south")
    shop.channel("till", publish={})
    shop.channel("wms")
    shop.sku(*known)
    for sku in known:
        shop.listing("web", sku, sku)
        shop.listing("till", sku, sku)
    return shop


def tell_anew(shop, story):
    """Forget everything that was told, and put a story into the inbox."""
    ids = {"web": 1, "till": 2, "wms": 3}
    with writing(shop.engine) as connection:
        for table in reversed(metadata.sorted_tables):
            if table.name not in KEPT:
                connection.execute(table.delete())
        for number, (channel, body) in enumerate(story):
            connection.execute(
                inbox.insert().values(
                    channel_id=ids[channel],
                    delivery_id=f"msg_{number}",
                    body_hash="",
                    document=json.dumps(body),
                    topic=body["type"],
                    received_at=now(),
                )
            )


def told_in(shop, story, batch=100):
    """Tell a story to an emptied shop; say what there is, now and at every time."""
    tell_anew(shop, story)
    shop.inbound._batch = batch
    shop.apply()
    return picture(shop)


WITHOUT_CAUSE = (
    "SELECT l.* FROM ledger l LEFT JOIN stock_events e ON e.id = l.event_id "
    "WHERE e.id IS NULL OR e.verdict NOT IN ('posted', 'superseded')"
)


def picture(shop):
    with shop.engine.connect() as connection:
        assert differences(connection) == []
        assert connection.execute(sa.text(WITHOUT_CAUSE)).all() == []
        names = {row.id: row.sku for row in connection.execute(sa.select(skus))}
        levels = {
            (names[row.sku_id], row.location_id, state): getattr(row, state)
            for row in connection.execute(sa.select(stock_levels))
            for state in STATES
            if getattr(row, state)
        }
        assert all(levels.get((*spot, "incoming"), 0) >= 0 for *spot, _ in levels)
        return levels, on_hand(connection, names), flagged(connection)


def flagged(connection):
    """What a person is asked to look at.

    But for what follows the moment: what was short, or sold twice, when it was told.
    """
    still_open = sa.select(incidents).where(
        incidents.c.closed_at.is_(None), incidents.c.kind.not_in(("oversell", "twin"))
    )
    return {
        (row.kind, row.subject, row.message, row.details)
        for row in connection.execute(still_open)
    }


def on_hand(connection, names):
    """(SKU, place) → [(time, on_hand from then on)], by the ledger alone."""
    changes = defaultdict(lambda: defaultdict(int))
    for row in connection.execute(sa.text("SELECT * FROM ledger")).mappings():
        for way, sign in (("from", -1), ("to", 1)):
            if row[f"{way}_state"] in ON_HAND:
                spot = (names[row["sku_id"]], row[f"{way}_location_id"])
                changes[spot][row["occurred_at"]] += sign * row["quantity"]
    found = {}
    for spot, by_time in changes.items():
        total, steps = 0, []
        for time in sorted(by_time):
            if by_time[time]:
                total += by_time[time]
                steps.append((time, total))
        if steps:
            found[spot] = steps
    return found


@pytest.fixture
def trade(empty_shop) -> Shop:
    return furnish(hasty(empty_shop))


def states_of(shop):
    return {state for state, _ in shop.messages()}


# -- laws ------------------------------------------------------------------------


def test_any_order_and_any_repetition_leaves_the_same_stock(trade):
    @bounded
    @given(any_story, st.sampled_from([1, 1, 3, 100]))
    def law(story, batch):
        told, mixed = story
        once = told_in(trade, told)
        assert states_of(trade) == {"applied"}
        assert told_in(trade, mixed, batch) == once

    law()


def test_replaying_everything_leaves_the_same_stock(trade):
    @bounded
    @given(any_story)
    def law(story):
        _, mixed = story
        before = told_in(trade, mixed)
        replay(trade.engine, filter={})
        trade.apply()
        assert picture(trade) == before

    law()


def test_a_late_listing_leaves_the_same_stock_as_an_early_one(empty_shop):
    shop = furnish(hasty(empty_shop), known=SKUS[1:])

    @bounded
    @given(any_story)
    def law(story):
        told, mixed = story
        with writing(shop.engine) as connection:
            for table in ("publications", "listings"):
                connection.execute(sa.text(f"DELETE FROM {table}"))
            connection.execute(sa.text("DELETE FROM stock_levels"))
            connection.execute(sa.text("DELETE FROM skus WHERE sku != 'RED-SCARF'"))
        late = told_in(shop, mixed)
        shop.sku(SKUS[0])
        map_listing(shop.engine, "web", SKUS[0], SKUS[0], now=now())
        shop.apply()
        late = picture(shop)
        assert states_of(shop) <= {"applied"}
        assert told_in(shop, told) == late

    law()


def test_every_count_holds_until_it_is_counted_again(trade):
    @bounded
    @given(of_counts)
    def law(story):
        _, mixed = story
        told_in(trade, mixed, batch=1)
        with trade.engine.connect() as connection:
            for row in connection.execute(sa.text("SELECT * FROM checkpoints")).all():
                there = counted(connection, row)
                assert there == row.counted, row

    law()


def test_a_return_told_after_two_counts_of_different_things(trade):
    """The first count was of everything, the second of what may be sold."""

    def told(kind, minute, **more):
        quantity, line = more.pop("quantity"), more.pop("line", {})
        lines = [{"id": "1", "sku": SKUS[0], "quantity": quantity} | line]
        body = {"type": kind, "id": f"{kind}{minute}", "occurred_at": at(minute)}
        return "web", body | {"location": "north", "lines": lines} | more

    shipped = told("shipment", 1, quantity=2, order="1001")
    back = told("return", 2, quantity=1, order="1001", line={"disposition": "damaged"})
    everything = told("count", 5, quantity=10)
    sellable = told("count", 8, quantity=7, scope="sellable")
    early = told_in(trade, [shipped, back, everything, sellable], batch=1)
    assert told_in(trade, [shipped, everything, sellable, back], batch=1) == early
    assert told_in(trade, [sellable, everything, back, shipped], batch=1) == early

    sellable = told("count", 5, quantity=7, scope="sellable")
    everything = told("count", 8, quantity=10)
    early = told_in(trade, [shipped, back, sellable, everything], batch=1)
    assert told_in(trade, [shipped, sellable, everything, back], batch=1) == early
    assert told_in(trade, [everything, sellable, back, shipped], batch=1) == early


def counted(connection, checkpoint):
    """What a count of that scope would find there at that time, by the ledger."""
    states = set(ON_HAND)
    if checkpoint.scope == "sellable":
        states -= {"damaged", "inspection"}
    total = 0
    for row in connection.execute(sa.text("SELECT * FROM ledger")).mappings():
        if row["sku_id"] != checkpoint.sku_id:
            continue
        if row["occurred_at"] > checkpoint.occurred_at:
            continue
        for way, sign in (("from", -1), ("to", 1)):
            if row[f"{way}_location_id"] == checkpoint.location_id:
                total += sign * row["quantity"] * (row[f"{way}_state"] in states)
    return total
