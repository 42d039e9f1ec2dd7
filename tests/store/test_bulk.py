"""Many rows in one statement, whatever is in them."""

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings as hypothesis_settings, strategies

from app.store import bulk
from app.store.engine import writing
from app.store.tables import inbox, skus

ODD = [
    '"',
    "\\",
    '\\"',
    "{}",
    "{a,b}",
    "NULL",
    "null",
    "",
    " ",
    "a,b",
    "\n\t\r\x01",
    "ü☃",
]
WORDS = strategies.text(
    strategies.characters(exclude_categories=["Cs"], exclude_characters="\0")
)


def test_odd_words_come_back_as_they_went_in(engine):
    with writing(engine) as connection:
        bulk.insert(connection, skus, ("sku", "barcode"), [(w, w) for w in ODD])

    with engine.connect() as connection:
        rows = connection.execute(sa.select(skus.c.sku, skus.c.barcode))
        assert [tuple(row) for row in rows] == [(word, word) for word in ODD]


def test_odd_words_are_found_by_what_they_are(engine):
    with writing(engine) as connection:
        bulk.insert(connection, skus, ("sku",), [(word,) for word in ODD])

        found = bulk.select(connection, "SELECT sku FROM skus WHERE sku {among}", ODD)

    assert sorted(row[0] for row in found) == sorted(ODD)


def test_nothing_and_raw_bytes_come_back_as_they_went_in(engine):
    sealed = [b"", b"\\x00", bytes(range(256)), None]
    columns = ("channel_id", "delivery_id", "body_hash", "received_at", "body", "error")
    rows = [(1, f"{n}", f"{n}", n, body, None) for n, body in enumerate(sealed)]

    with writing(engine) as connection:
        bulk.insert(connection, inbox, columns, rows)

    with engine.connect() as connection:
        found = connection.execute(sa.select(inbox.c.body, inbox.c.error)).all()
    assert [row.body and bytes(row.body) for row in found[1:]] == sealed[1:]
    assert bytes(found[0].body) == b""
    assert {row.error for row in found} == {None}


@pytest.mark.parametrize("backend", ["postgres"], indirect=True)
@hypothesis_settings(
    max_examples=50,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(strategies.lists(strategies.none() | WORDS, min_size=1))
def test_an_array_means_the_same_to_postgresql_as_a_list(engine, words):
    query = "SELECT * FROM unnest(%s::text[])"

    with engine.connect() as connection:
        found = connection.exec_driver_sql(query, (bulk.array(words),))

        assert [row[0] for row in found] == words
