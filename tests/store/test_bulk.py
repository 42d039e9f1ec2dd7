"""Many rows in one statement say exactly what single rows would."""

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings, strategies as st

from app.store import bulk, numbering
from app.store.engine import snapshot, writing
from app.store.tables import inbox, publications, skus, stock_levels

COLUMNS = ("sku", "name", "barcode")
bounded = settings(max_examples=60, suppress_health_check=list(HealthCheck))
texts = st.text(
    st.characters(blacklist_characters="\x00", blacklist_categories=["Cs"]), max_size=8
)


def rows(connection):
    found = connection.execute(sa.select(skus).order_by(skus.c.id))
    return [(row.sku, row.name, row.barcode) for row in found]


@pytest.mark.parametrize(
    "text",
    ['"', "\\", "{}", "NULL", "null", "", " ", ",", "a,b", "{a}", "'", "%s", "?", "\n"]
    + ["\\x00", "Größe 42", "🧥", '\\"', "--", "NULL,NULL", "\n\t\r\x01"],
)
def test_every_text_comes_back_as_it_went_in(engine, text):
    with writing(engine) as connection:
        bulk.insert(connection, skus, COLUMNS, [(text, text, None)])
        assert rows(connection) == [(text, text, None)]
        found = bulk.select(
            connection, "SELECT sku FROM skus WHERE sku {among}", [text, "another"]
        )
        assert [row[0] for row in found] == [text]


def test_any_rows_come_back_as_they_went_in(engine):
    @bounded
    @given(
        st.lists(
            st.tuples(texts, texts, st.none() | texts),
            max_size=5,
            unique_by=lambda row: row[0],
        )
    )
    def law(told):
        with writing(engine) as connection:
            connection.execute(skus.delete())
            bulk.insert(connection, skus, COLUMNS, told)
            assert rows(connection) == told
            names = [row[0] for row in told]
            found = bulk.select(
                connection, "SELECT sku FROM skus WHERE sku {among}", names
            )
            assert sorted(row[0] for row in found) == sorted(names)

    law()


def test_known_rows_stay_and_only_new_ones_go_in(engine):
    with writing(engine) as connection:
        bulk.insert(connection, skus, COLUMNS, [("A", "first", None)])
        told = [("A", "second", None), ("B", "", "4006381333931")]
        bulk.insert(connection, skus, COLUMNS, told, or_ignore=True)
        assert rows(connection) == [("A", "first", None), ("B", "", "4006381333931")]


def test_a_known_row_is_an_error_unless_it_may_stay(engine):
    told = [("A", "", None), ("A", "", None)]
    with pytest.raises(sa.exc.IntegrityError), writing(engine) as connection:
        bulk.insert(connection, skus, COLUMNS, told)
    with engine.connect() as connection:
        assert rows(connection) == []


def test_what_fails_says_so_as_everywhere_and_keeps_the_values_to_itself(engine):
    query = "SELECT id FROM nowhere WHERE name {among}"
    with pytest.raises(sa.exc.DBAPIError) as failed, writing(engine) as connection:
        bulk.select(connection, query, ["somebody's name"])
    assert "nowhere" in str(failed.value)
    assert "somebody's name" not in str(failed.value)


def test_reads_of_many_see_the_moment_of_their_snapshot(engine):
    query = "SELECT sku FROM skus WHERE sku {among}"
    with snapshot(engine) as connection:
        assert bulk.select(connection, query, ["A"]) == []
        with writing(engine) as other:
            bulk.insert(other, skus, COLUMNS, [("A", "", None)])
        assert bulk.select(connection, query, ["A"]) == []


def test_nothing_to_do_asks_the_database_nothing(engine):
    asked = []
    sa.event.listen(engine, "before_cursor_execute", lambda *_: asked.append(1))
    with engine.connect() as connection:
        bulk.insert(connection, skus, COLUMNS, [])
        bulk.change(connection, skus, ("name",), [])
        assert bulk.select(connection, "SELECT id FROM skus WHERE id {among}", []) == []
        assert list(numbering.next_ids(connection, skus, 0)) == []
    assert asked == []


def test_changes_set_or_add_by_id(engine, shelf):
    first, second = shelf
    with writing(engine) as connection:
        bulk.change(
            connection,
            stock_levels,
            ("available", "committed"),
            [(10, 1, first), (20, 2, second)],
        )
        bulk.change(
            connection,
            stock_levels,
            ("available",),
            [(-15, first), (5, second)],
            add=True,
        )
        found = connection.execute(sa.select(stock_levels).order_by(stock_levels.c.id))
        levels = [(row.available, row.committed) for row in found]
    assert levels == [(-5, 1), (25, 2)]


def test_truth_nothing_and_bytes_survive_too(engine, listed):
    with writing(engine) as connection:
        columns = ("channel_id", "delivery_id", "body_hash", "body", "received_at")
        body = b"\x00\\x'\xff"
        bulk.insert(
            connection,
            inbox,
            columns,
            [(1, "a", "h", body, 2**40), (1, "b", "h", None, 0)],
        )
        found = connection.execute(sa.select(inbox).order_by(inbox.c.id)).all()
        assert [row.body and bytes(row.body) for row in found] == [body, None]
        assert found[0].received_at == 2**40

        columns = ("unsure", "last_error", "believed")
        bulk.change(connection, publications, columns, [(True, None, None, listed)])
        row = connection.execute(sa.select(publications)).one()
        assert row.unsure is True
        assert (row.last_error, row.believed) == (None, None)
        bulk.change(connection, publications, ("unsure",), [(False, listed)])
        assert connection.execute(sa.select(publications)).one().unsure is False


def test_ids_are_known_before_their_rows_are_written(engine):
    with writing(engine) as connection:
        bulk.insert_one(connection, skus, sku="before", name="", barcode=None)
        ids = list(numbering.next_ids(connection, skus, 3))
        assert len(set(ids)) == 3
        told = [(id_, f"SKU-{id_}") for id_ in ids]
        bulk.insert(connection, skus, ("id", "sku"), told)
        after = bulk.insert_one(connection, skus, sku="after", name="", barcode=None)
    assert after not in ids


def test_given_values_are_bound_before_the_list(engine):
    with writing(engine) as connection:
        told = [("A", "", None), ("B", "", None), ("C", "", None)]
        bulk.insert(connection, skus, COLUMNS, told)
        found = bulk.select(
            connection,
            "UPDATE skus SET name = {given} WHERE sku {among} RETURNING sku",
            ["A", "C"],
            given=("new",),
        )
        assert sorted(row[0] for row in found) == ["A", "C"]
        assert [row[1] for row in rows(connection)] == ["new", "", "new"]


@pytest.mark.parametrize("backend", ["postgres"], indirect=True)
def test_an_array_means_the_same_to_postgresql_as_a_list(engine):
    with engine.connect() as connection:

        @bounded
        @given(st.lists(st.none() | texts, min_size=1))
        def law(words):
            query = "SELECT * FROM unnest(%s::text[])"
            found = connection.exec_driver_sql(query, (bulk.array(words),))
            assert [row[0] for row in found] == words

        law()
