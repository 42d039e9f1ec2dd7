"""A number that nobody can explain waits for the sale behind it, but not for ever."""

import pytest
import sqlalchemy as sa

from app.domain.instants import MINUTE, SECOND, Instant, iso, now
from app.store.engine import writing
from app.store.tables import channels, publications
from tests.builders import JACKET, Shop


def observation(available: int, at: Instant) -> dict:
    line = {"id": "1", "sku": JACKET, "quantity": available}
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


def test_an_observation_of_an_unknown_sku_waits_for_it(tills):
    told = observation(3, now())
    told["lines"][0]["sku"] = "scarf-1"
    tills.tell("one", told)
    assert tills.messages() == [("parked", "unknown sku scarf-1")]


def test_an_observation_is_as_old_as_it_says_whatever_its_version(tills):
    tills.tell("one", {**observation(3, now()), "version": 7})
    tills.tell("one", {**observation(4, now() - MINUTE), "version": 8})
    assert seen(tills, "one") == {"D": 3}
