"""The inbox: stored once, known again, durable before it is acknowledged."""

import secrets
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest
import sqlalchemy as sa

from app.store.engine import writing
from app.store.gate import gate, gate_path
from app.store.receiving import inbox as store, writer as writers
from app.store.receiving.inbox import body_hash
from app.store.receiving.writer import Row, inbox_writer
from app.store.tables import inbox, refused, refused_samples


@pytest.fixture
def writer(engine):
    writer = inbox_writer(engine)
    yield writer
    writer.close()


def put(writer, body=b"{}", delivery="d-1", channel=1):
    return writer.put(Row(channel, delivery, body_hash(body), "{}", body, 5))


def stored(engine):
    with engine.connect() as connection:
        return connection.execute(sa.select(inbox).order_by(inbox.c.id)).all()


def test_a_repeat_of_a_delivery_is_known_again(writer, engine):
    first, is_new = put(writer)
    again, is_new_again = put(writer)

    assert (is_new, is_new_again) == (True, False)
    assert first == again
    assert len(stored(engine)) == 1


@pytest.mark.parametrize(
    "another", [{"body": b"[]"}, {"delivery": "d-2"}, {"channel": 2}]
)
def test_another_body_id_or_channel_is_another_message(writer, engine, another):
    put(writer)
    assert put(writer, **another)[1]
    assert len(stored(engine)) == 2


def test_a_stored_webhook_waits_to_be_applied(writer, engine):
    put(writer, b"\x00 sealed \xff")
    (row,) = stored(engine)
    assert (row.state, row.lane, bytes(row.body)) == (
        "waiting",
        "apply",
        b"\x00 sealed \xff",
    )


def test_many_threads_store_one_delivery_once(writer, engine):
    together, answers = threading.Barrier(6, timeout=20), []

    def store_it() -> None:
        together.wait()
        answers.append(put(writer))

    threads = [threading.Thread(target=store_it) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(new for _, new in answers) == [False] * 5 + [True]
    assert len({id_ for id_, _ in answers}) == 1
    assert len(stored(engine)) == 1


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_those_who_wait_for_the_gate_are_stored_together(
    writer, engine, monkeypatch, eventually
):
    passed = []

    @contextmanager
    def counted(path):
        with gate(path):
            passed.append(path)
            yield

    monkeypatch.setattr(writers, "gate", counted)
    with ThreadPoolExecutor(6) as pool:
        with gate(gate_path(engine)):
            puts = [pool.submit(put, writer, delivery=f"d-{n}") for n in range(6)]
            eventually(lambda: len(writer._together._waiting) == len(puts))
            assert not any(one.done() for one in puts)
        ids = {one.result()[0] for one in puts}

    assert ids == {row.id for row in stored(engine)}
    assert len(ids) == 6
    assert len(passed) == 1


def is_writing(writer):
    """Whether a thread has its turn, and took along all who had come."""
    return writer._turn.locked() and not writer._together._waiting


@pytest.mark.parametrize("backend", ["postgres"], indirect=True)
def test_those_who_come_while_others_are_stored_are_stored_together(
    writer, engine, eventually
):
    """Repeats among them are known again, each by its first."""
    put(writer, delivery="d-9")
    with ThreadPoolExecutor(8) as pool:
        with writing(engine) as connection:
            connection.execute(sa.text("LOCK TABLE inbox IN SHARE MODE"))
            first = pool.submit(put, writer, delivery="d-0")
            eventually(lambda: is_writing(writer))
            rest = [pool.submit(put, writer, delivery=f"d-{n // 2}") for n in range(7)]
            eventually(lambda: len(writer._together._waiting) == len(rest))
            assert not any(one.done() for one in (first, *rest))
        answers = [one.result() for one in (first, *rest)]

    made = [row.id for row in stored(engine)][1:]
    assert sorted({id_ for id_, _ in answers}) == made
    assert [is_new for _, is_new in answers].count(True) == len(made) == 4
    with engine.connect() as connection:
        transactions = sa.text("SELECT count(DISTINCT xmin::text) FROM inbox")
        assert connection.execute(transactions).scalar() == 3


@pytest.mark.parametrize("backend", ["postgres"], indirect=True)
def test_a_server_that_was_restarted_is_connected_to_again(writer, engine):
    put(writer)
    with engine.connect() as connection:
        connection.execute(
            sa.text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    assert put(writer, delivery="d-2")[1]


@pytest.mark.parametrize("backend", ["postgres"], indirect=True)
def test_a_word_is_never_cut_off_at_a_nul(writer, engine):
    with pytest.raises(writers.UNWRITABLE):
        put(writer, delivery="d-1\0x")
    assert put(writer)[1]


@pytest.mark.parametrize("backend", ["postgres"], indirect=True)
def test_what_is_too_long_for_an_index_is_its_own_senders_fault(
    writer, engine, eventually
):
    put(writer, delivery="d-9")
    too_long = secrets.token_hex(4000)
    with ThreadPoolExecutor(3) as pool:
        with writing(engine) as connection:
            connection.execute(sa.text("LOCK TABLE inbox IN SHARE MODE"))
            first = pool.submit(put, writer, delivery="d-0")
            eventually(lambda: is_writing(writer))
            bad = pool.submit(put, writer, delivery=too_long)
            good = pool.submit(put, writer, delivery="d-1")
            eventually(lambda: len(writer._together._waiting) == 2)
        assert isinstance(bad.exception(), psycopg.errors.ProgramLimitExceeded)
        assert (first.result()[1], good.result()[1]) == (True, True)


def test_what_comes_late_is_refused(writer):
    put(writer)
    writer.close()
    with pytest.raises(writers.UNWRITABLE, match="stopping"):
        put(writer, delivery="d-2")


def test_a_database_without_an_inbox_is_an_error_that_is_known(writer, engine):
    with writing(engine) as connection:
        connection.execute(sa.text("DROP TABLE inbox"))
    with pytest.raises(writers.UNWRITABLE):
        put(writer)


def test_what_is_read_twice_from_a_channel_is_one_message(engine):
    found = [("orders/updated", {"id": one}, store.READ) for one in (1, 2)]
    for at in (5, 6):
        with writing(engine) as connection:
            store.store_read(connection, 1, found, at)
    with writing(engine) as connection:
        changed = [("orders/updated", {"id": 1, "cancelled": True}, store.READ)]
        store.store_read(connection, 1, changed, 7)

    assert [row.received_at for row in stored(engine)] == [5, 5, 7]


def test_refusals_are_counted_and_the_newest_samples_kept(engine):
    sample = {"channel": "web", "cause": "signature", "received_at": 5}
    for number in range(5):
        with writing(engine) as connection:
            store.count_refusal(connection, "web", "signature", number)
            told = sample | {"message": f"{number}"}
            store.keep_sample(connection, told, 3)

    with engine.connect() as connection:
        counted = connection.execute(sa.select(refused)).one()
        kept = connection.execute(sa.select(refused_samples.c.message)).scalars().all()
    assert (counted.times, counted.last_at) == (5, 4)
    assert sorted(kept) == ["2", "3", "4"]
