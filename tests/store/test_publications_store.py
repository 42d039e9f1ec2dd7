"""Publications: wishes counted up, outcomes written down."""

import pytest
import sqlalchemy as sa

from app.domain.channels import Wish
from app.domain.errors import GiveUp, RetryLater
from app.store.engine import writing
from app.store.publishing import publications as store, retries
from app.store.publishing.retries import Again
from app.store.tables import publications


@pytest.fixture
def row(engine, listed):
    """Reads the one publication again."""

    def read():
        with engine.connect() as connection:
            return connection.execute(sa.select(publications)).one()

    return read


def do(engine, what, *arguments, **named):
    with writing(engine) as connection:
        return what(connection, *arguments, **named)


def accept(engine, id_, version, number, at):
    wish = Wish(id_, "A", "ext-A", None, None, number, version)
    do(engine, store.accept, [(wish, at)], at)


def refuse(engine, id_):
    do(engine, store.fail, id_, GiveUp("no such item", status=422), 50)


def test_each_change_of_stock_is_a_newer_wish(engine, listed, row):
    before = row()
    woken = do(engine, store.mark_rows, [listed], 100)
    do(engine, store.mark_rows, [listed], 200)

    assert woken == {before.channel_id}
    assert row().wanted_version == before.wanted_version + 2
    # Since when it is not delivered, not when it last changed.
    assert row().wanted_at == before.wanted_at


def test_the_first_wish_after_a_delivery_starts_the_clock(engine, listed, row):
    accept(engine, listed, row().wanted_version, 5, 90)
    do(engine, store.mark_rows, [listed], 100)
    assert row().wanted_at == 100


def test_what_is_wanted_while_a_number_is_sent_is_wanted_since_then(
    engine, listed, row
):
    """Else what sells all the time would be late for ever."""
    sent = row().wanted_version
    do(engine, store.mark_rows, [listed], 70)
    accept(engine, listed, sent, 5, 60)

    assert row().wanted_version > row().accepted_version
    assert row().wanted_at == 60


def test_no_row_is_no_wish(engine, listed, row):
    before = row()
    assert do(engine, store.mark_rows, [], 100) == set()
    assert row() == before


def test_a_new_wish_tries_a_dead_letter_again(engine, listed, row):
    do(
        engine,
        retries.retry_later,
        [Again(listed, 12, 10**15, "12th failure", is_dead=True)],
        RetryLater("down", unknown=True),
        50,
    )
    do(engine, store.mark_rows, [listed], 100)

    again = row()
    assert (again.failed_at, again.attempts, again.next_attempt_at) == (None, 0, 0)
    assert again.unsure, "only a reading or an answer makes it sure"


def test_a_new_wish_does_not_ask_again_what_was_refused_for_good(engine, listed, row):
    refuse(engine, listed)
    do(engine, store.mark_rows, [listed], 100)
    assert row().failed_at == 50


def test_a_person_can_have_anything_tried_again(engine, listed, row):
    accept(engine, listed, row().wanted_version, 5, 40)
    refuse(engine, listed)

    assert do(engine, retries.arm, [listed]) == {"web"}
    again = row()
    assert again.failed_at is None
    assert again.wanted_version == again.accepted_version + 1


def test_an_accepted_number_is_believed_and_clears_what_went_wrong(engine, listed, row):
    refuse(engine, listed)
    accept(engine, listed, 1, 7, 60)

    now = row()
    assert (now.accepted, now.accepted_version, now.accepted_at) == (7, 1, 60)
    assert (now.believed, now.believed_at) == (7, 60)
    assert (now.failed_at, now.last_error, now.attempts, now.unsure) == (
        None,
        None,
        0,
        False,
    )
    assert now.observed is None, "only a reading says what the channel shows"


def test_a_reading_makes_it_sure(engine, listed, row):
    do(engine, store.change, listed, unsure=True)
    do(engine, store.read, listed, 3, 70)
    assert (row().observed, row().believed, row().unsure) == (3, 3, False)


def test_discarding_touches_only_what_is_not_delivered(engine, listed, row):
    assert do(engine, retries.discard, [listed], 80) == 1
    assert row().discarded_at == 80

    do(engine, store.mark_rows, [listed], 100)
    assert row().discarded_at is None

    accept(engine, listed, row().wanted_version, 5, 90)
    assert do(engine, retries.discard, [listed], 110) == 0
