"""Echoes and real changes: what a channel tells of its own number, in any order."""

from dataclasses import dataclass, replace

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings as examples, strategies as st

from app.domain.channels import Wish
from app.domain.instants import HOUR, MINUTE, SECOND, Instant, iso, now
from app.pipeline.house import read_house
from app.pipeline.publish import Publisher
from app.pipeline.watching.observing import CLOSE, Observation, observe
from app.store.engine import writing
from app.store.publishing import publications as store
from app.store.tables import ledger, publications
from tests.builders import JACKET, Shop, sale

START: Instant = 1_790_000_000 * SECOND
sqlite = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
quick = examples(
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@dataclass(frozen=True)
class Push:
    """A number that a channel took, and when its echo is dated."""

    number: int
    at: Instant
    echoed_at: Instant


@st.composite
def pushes(draw) -> list[Push]:
    """Pushes one after another; each echo is dated before the next push."""
    found, at = [], START
    for _ in range(draw(st.integers(1, 6))):
        lasts = draw(st.integers(0, 3_000_000))
        number = draw(st.integers(0, 12))
        found.append(Push(number, at, at + lasts))
        at += lasts + draw(st.integers(1, 60_000_000))
    return found


@pytest.fixture(params=["standard", "shopify"])
def listener(request, empty_shop) -> Shop:
    """A channel that cannot be read, and one that can."""
    shop, provider = empty_shop, request.param
    shop.locations("downtown")
    settings = {"shop": "blue-jacket.myshopify.com"} if provider == "shopify" else {}
    shop.channel(
        "web",
        provider=provider,
        publish={},
        mapped={"downtown": "1"},
        settings=settings,
        secrets={"webhook": ["s"], "access_token": ["t"]},
    )
    shop.sku(JACKET)
    shop.listing("web", JACKET, "item-1")
    return shop


class Told:
    """One run: pushes and observations in a transaction that is rolled back."""

    def __init__(self, shop: Shop, connection: sa.Connection) -> None:
        self.connection = connection
        self.house = read_house(connection)
        self.id = self.row().id
        self.can_read = self.house.channels[1].reads

    def row(self) -> sa.Row:
        return self.connection.execute(sa.select(publications)).one()

    def push(self, told: Push) -> None:
        version = self.row().wanted_version
        wish = Wish(self.id, JACKET, "item-1", None, "1", told.number, version)
        store.accept(self.connection, [(wish, told.at)], told.at)

    def sees(self, number: int, at: Instant) -> bool:
        """Take an observation in; whether anything is to be done about it."""
        seen = Observation(1, "item-1", self.row().sku_id, "1", number, at)
        return bool(observe(self.connection, self.house, [seen], at + SECOND))

    def entries(self) -> int:
        count = sa.select(sa.func.count()).select_from(ledger)
        return self.connection.execute(count).scalar_one()


@pytest.fixture
def run(listener):
    def once(check) -> None:
        with listener.engine.connect() as connection:
            check(Told(listener, connection))
            connection.rollback()

    return once


def echoes_of(all_pushes: list[Push], told: Told, order: list[int]) -> list[Push]:
    """Echoes in this order, with repeats. Where a channel can be read, times too close
    to its last write are decided by a read, and not here."""
    last = all_pushes[-1]
    chosen = [all_pushes[one % len(all_pushes)] for one in order]
    return [
        one
        for one in chosen
        if one is last or not told.can_read or last.at - one.echoed_at > CLOSE
    ]


@sqlite
@quick
@given(all_pushes=pushes(), order=st.lists(st.integers(0, 99), max_size=12))
def test_an_echo_at_any_delay_makes_no_entry_and_no_push(run, all_pushes, order):
    def check(told: Told) -> None:
        entries = told.entries()
        for one in all_pushes:
            told.push(one)
        for echo in echoes_of(all_pushes, told, order):
            assert not told.sees(echo.number, echo.echoed_at)

        row = told.row()
        assert row.believed == all_pushes[-1].number
        assert row.wanted_version == row.accepted_version
        assert row.doubt_at is None
        assert told.entries() == entries

    run(check)


@sqlite
@quick
@given(
    all_pushes=pushes(),
    order=st.lists(st.integers(0, 99), max_size=6),
    number=st.integers(-3, 12),
    after=st.integers(1, 60_000_000),
)
def test_a_real_change_is_never_taken_for_an_echo(
    run, all_pushes, order, number, after
):
    last = all_pushes[-1]

    def check(told: Told) -> None:
        for one in all_pushes:
            told.push(one)
        for echo in echoes_of(all_pushes, told, order):
            told.sees(echo.number, echo.echoed_at)

        is_seen = told.sees(number, last.echoed_at + after)

        assert is_seen == (number != last.number)
        assert told.row().observed == number
        assert (told.row().wanted_version > told.row().accepted_version) == is_seen

    run(check)


@sqlite
@quick
@given(number=st.integers(0, 12), later=st.integers(0, 60_000_000))
def test_a_number_that_nothing_explains_does_not_explain_itself(run, number, later):
    """Seen twice, it is as unexplained as before, until it was answered."""

    def check(told: Told) -> None:
        told.push(Push(20, START, START))
        assert told.sees(number, START + HOUR)
        assert told.sees(number, START + HOUR + later)
        assert told.row().believed == 20

    run(check)


@pytest.mark.parametrize(("minutes", "left"), [(40, 10), (25, 9)])
def test_a_sale_told_after_a_count_is_the_channel_s_own_all_the_same(
    shop, minutes, left
):
    """Our number stays, for the count had it inside; the channel's fell when it sold,
    unless what it took from us since had it inside, too."""
    at = now()
    with writing(shop.engine) as connection:
        taken = {"accepted": 10, "accepted_at": at - 30 * MINUTE}
        known = {"believed": 10, "believed_at": at - 30 * MINUTE}
        connection.execute(publications.update().values(**taken, **known))
    shop.count(JACKET, "downtown", 9, at - 20 * MINUTE)

    shop.tell("till", sale("T-1", JACKET, 1, at=at - minutes * MINUTE))

    assert shop.level(JACKET) == {"available": 9}
    with shop.engine.connect() as connection:
        till = read_house(connection).by_key["till"]
        query = sa.select(publications.c.believed).filter_by(channel_id=till)
        assert connection.execute(query).scalar_one() == left


# -- through the door, over real HTTP ------------------------------------------------


@pytest.fixture
def publisher(web, settings) -> Publisher:
    return Publisher(web.engine, web.vault, replace(settings, retry_base_seconds=0.01))


def work(publisher: Publisher) -> None:
    while publisher.push_due("web"):
        pass


def observation(number: int, at: Instant) -> dict:
    line = {"id": "1", "sku": "jacket-1", "quantity": number}
    return {"type": "observation", "occurred_at": iso(at), "lines": [line]}


def end_the_grace(web: Shop) -> None:
    with writing(web.engine) as connection:
        connection.execute(publications.update().values(next_attempt_at=0))


def test_push_five_push_three_a_late_echo_of_five_is_nothing(web, publisher, channel):
    work(publisher)
    first = now()
    web.tell("till", sale("T", JACKET, 2, at=now()))
    work(publisher)
    assert [row["available"] for row in channel.rows] == [5, 3]

    web.tell("web", observation(5, first))
    end_the_grace(web)
    work(publisher)

    assert len(channel.rows) == 2
    assert web.level(JACKET) == {"available": 3}


def test_push_five_push_three_a_real_edit_to_five_is_seen(web, publisher, channel):
    work(publisher)
    web.tell("till", sale("T", JACKET, 2, at=now()))
    work(publisher)

    web.tell("web", observation(5, now()))
    end_the_grace(web)
    work(publisher)

    assert [row["available"] for row in channel.rows] == [5, 3, 3]
    assert web.level(JACKET) == {"available": 3}, "moved nothing by itself"
