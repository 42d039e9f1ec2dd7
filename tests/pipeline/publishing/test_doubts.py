"""A number that nobody can explain waits for the sale behind it, but not for ever."""

import threading
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from app.domain import events as kinds
from app.domain.events import StockEvent
from app.domain.instants import MINUTE, SECOND, Instant, iso, now
from app.pipeline.apply import apply
from app.pipeline.applying.told import Told
from app.pipeline.house import read_house
from app.pipeline.publish import Publisher
from app.store.engine import applying, writing
from app.store.publishing import publications as store
from app.store.tables import channels, publications
from tests.builders import JACKET, Shop, cancellation, order, sale


def observation(available: int, at: Instant, item: str = JACKET) -> dict:
    line = {"id": "1", "sku": item, "quantity": available}
    return {"type": "observation", "occurred_at": iso(at), "lines": [line]}


def due_at(shop) -> Instant:
    query = sa.select(publications.c.next_attempt_at).where(publications.c.place == "")
    with shop.engine.connect() as connection:
        return max(connection.execute(query).scalars())


def test_more_unexplained_numbers_do_not_put_a_push_off_again(shop) -> None:
    with writing(shop.engine) as connection:
        connection.execute(
            publications.update().values(
                accepted=10, believed=10, believed_at=now() - 60 * SECOND
            )
        )
    shop.tell("web", observation(9, now() - 3 * SECOND))
    first = due_at(shop)
    shop.tell("web", observation(8, now() - 2 * SECOND))
    shop.tell("web", observation(7, now() - 1 * SECOND))

    assert first > now()
    assert due_at(shop) == first


@pytest.fixture
def publisher(web, settings) -> Publisher:
    quick = replace(settings, secret_key="a secret key for tests")
    return Publisher(web.engine, web.vault, quick)


def doubted(shop: Shop) -> bool:
    with shop.engine.connect() as connection:
        at = connection.execute(sa.select(publications.c.doubt_at)).scalar_one()
    return at is not None


@pytest.mark.parametrize(
    ("told", "is_doubtful"), [(3, True), (4, False)], ids=["another", "an echo"]
)
def test_a_number_told_while_ours_is_taken_is_not_forgotten(
    web, channel, publisher, eventually, told, is_doubtful
) -> None:
    """Whoever set it may have done so after us: nothing more is sent until that is
    known. Our own number told back at once is none of that."""
    while publisher.push_due("web"):
        pass
    web.tell("till", sale("T-1", JACKET, 1, at=now()))
    channel.delay, calls = 0.5, len(channel.ids)
    push = threading.Thread(target=publisher.push_due, args=("web",))
    push.start()
    eventually(lambda: len(channel.ids) > calls)
    web.tell("web", observation(told, now(), "jacket-1"))
    push.join(20)
    channel.delay = 0.0
    publisher.push_due("web")

    assert [row["available"] for row in channel.rows] == [5, 4]
    assert doubted(web) == is_doubtful


@pytest.mark.parametrize("backend", ["postgres"], indirect=True)
def test_a_number_told_between_the_look_and_the_settling_stays(
    web, channel, publisher, monkeypatch
) -> None:
    while publisher.push_due("web"):
        pass
    web.tell("web", observation(5, now(), "jacket-1"))
    at = now()
    web.tell("till", order("T-1", JACKET, 1, at=at))
    web.tell("till", cancellation("T-1", JACKET, 1, at=at + SECOND))
    names = store.names

    def late(*asked: Any) -> Any:
        monkeypatch.setattr(store, "names", names)
        web.tell("web", observation(3, now(), "jacket-1"))
        return names(*asked)

    monkeypatch.setattr(store, "names", late)
    publisher.push_due("web")

    assert [row["available"] for row in channel.rows] == [5]
    assert doubted(web)


def seen(shop: Shop, key: str) -> dict[str, int | None]:
    """What a channel is known to show, by its own places."""
    with shop.engine.connect() as connection:
        rows = connection.execute(
            sa.select(publications.c.place, publications.c.observed)
            .join(channels, channels.c.id == publications.c.channel_id)
            .where(channels.c.key == key)
        )
        return {row.place: row.observed for row in rows}


@pytest.fixture
def tills(empty_shop):
    """One till at one place, another at two, a store that maps none."""
    shop = empty_shop
    shop.locations("downtown", "harbour")
    shop.channel("one", mapped={"downtown": "D"}, publish={})
    shop.channel("two", mapped={"downtown": "D", "harbour": "H"}, publish={})
    shop.channel("web", publish={"from": ["downtown"]})
    shop.sku(JACKET)
    for key in ("one", "two", "web"):
        shop.listing(key, JACKET, JACKET)
    return shop


def test_what_the_only_place_shows_need_not_name_it(tills):
    tills.tell("one", observation(3, now()))
    assert seen(tills, "one") == {"D": 3}


def test_a_channel_without_places_of_its_own_shows_one_number(tills):
    tills.tell("web", {**observation(3, now()), "location": "downtown"})
    assert seen(tills, "web") == {"": 3}


@pytest.mark.parametrize(
    ("key", "place", "waits_for"),
    [
        ("two", None, "unknown location (none named)"),
        ("two", "NOWHERE", "unknown location NOWHERE"),
        ("web", "harbour", "unknown location harbour"),
    ],
)
def test_an_observation_of_nobody_knows_where_is_parked(tills, key, place, waits_for):
    named = {"location": place} if place else {}
    tills.tell(key, {**observation(3, now()), **named})

    assert tills.messages() == [("parked", waits_for)]
    assert set(seen(tills, key).values()) == {None}


def test_what_a_provider_shows_where_nobody_mapped_it_waits_for_nobody(tills):
    at = now()
    annex = StockEvent(kinds.OBSERVED, 3, at, at, external_id=JACKET, place="ANNEX")
    with applying(tills.engine) as connection:
        house = read_house(connection)
        told = Told(house.by_key["one"], [annex], at)
        [[verdict]] = apply(connection, house, [told], at).verdicts

    assert (verdict.verdict, verdict.note) == ("observed", None)
    assert seen(tills, "one") == {"D": None}


def test_an_observation_of_an_unknown_sku_waits_for_it(tills):
    told = observation(3, now())
    told["lines"][0]["sku"] = "scarf-1"
    tills.tell("one", told)
    assert tills.messages() == [("parked", "unknown sku scarf-1")]


def test_an_observation_is_as_old_as_it_says_whatever_its_version(tills):
    tills.tell("one", {**observation(3, now()), "version": 7})
    tills.tell("one", {**observation(4, now() - MINUTE), "version": 8})
    assert seen(tills, "one") == {"D": 3}
