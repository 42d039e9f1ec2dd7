"""A number that nobody can explain waits for the sale behind it, but not for ever."""

import sqlalchemy as sa

from app.domain.instants import SECOND, Instant, iso, now
from app.store.engine import writing
from app.store.tables import publications
from tests.builders import JACKET


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
