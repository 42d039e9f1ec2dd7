"""A disk that is full, a database that only reads: said in words, and nothing lost."""

import contextlib
import json
import shutil
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from adapters.signatures import StandardWebhooks
from app.domain.instants import SECOND, now
from app.store.engine import PATIENCE, is_sqlite, open_engine, writing
from app.store.trouble import AWAY, DAMAGED, FULL, READ_ONLY, trouble
from tests.builders import JACKET, SECRET, sale
from tests.hearing import hearing
from tests.hubs import within
from workers.watching import Watch

COUNT = {"location": "downtown", "lines": [{"sku": JACKET, "quantity": 5}]}
Spoil = Callable[[], contextlib.AbstractContextManager[None]]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own; the database of these tests lies on it."""
    place = tmp_path / "disk"
    place.mkdir()
    with mounted(place, "12m"):
        yield place


@contextlib.contextmanager
def mounted(place: Path, size: str) -> Iterator[None]:
    """Let a folder be a small disk that everybody may write to."""
    options = ("-t", "tmpfs", "-o", f"size={size},mode=777", "tmpfs", str(place))
    made = subprocess.run(["mount", *options], capture_output=True, check=False)
    if made.returncode:
        pytest.skip(f"no disk can be mounted here: {made.stderr.decode().strip()}")
    yield
    subprocess.run(["umount", "--lazy", str(place)], check=True)


@contextlib.contextmanager
def filled(disk: Path) -> Iterator[None]:
    """Not a byte is free."""
    filler = disk / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while file.write(bytes(1 << 20)):
            pass
    with contextlib.suppress(OSError), filler.open("ab", buffering=0) as file:
        while file.write(b"0"):
            pass
    yield
    filler.unlink()


@contextlib.contextmanager
def only_read(url: str) -> Iterator[None]:
    """What a PostgreSQL becomes that was made a standby."""
    _administer(url, "SET default_transaction_read_only = on")
    yield
    _administer(url, "RESET default_transaction_read_only")


def _administer(url: str, setting: str) -> None:
    """Change the database's setting, for everybody at once."""
    engine = open_engine(url)
    with engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.exec_driver_sql("SET default_transaction_read_only = off")
        name = engine.url.database
        connection.exec_driver_sql(f'ALTER DATABASE "{name}" {setting}')
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    engine.dispose()


class TestOnASmallDisk:
    """SQLite, where the file's own disk is the trouble."""

    @pytest.fixture(params=["sqlite"])
    def backend(self, request: pytest.FixtureRequest) -> str:
        return request.param

    @pytest.fixture
    def database_url(self, request: pytest.FixtureRequest, disk: Path) -> str:
        place = disk / "onecount.db"
        shutil.copy(request.getfixturevalue("_sqlite_template"), place)
        return f"sqlite:///{place}"

    def test_a_full_disk_is_named_and_costs_nothing_but_time(
        self, client, api, shop, disk
    ) -> None:
        is_waited_for(client, api, shop, lambda: filled(disk), FULL)


class TestOnASmallTablespace:
    """PostgreSQL, which has room in its pages for a while after its disk is full."""

    @pytest.fixture(params=["postgres"])
    def backend(self, request: pytest.FixtureRequest) -> str:
        return request.param

    @pytest.fixture
    def disk(self) -> Iterator[Path]:
        # Not pytest's own folder: as root the server runs as another user.
        with tempfile.TemporaryDirectory(prefix="onecount-disk-") as folder:
            Path(folder).chmod(0o755)
            with mounted(Path(folder), "64m"):
                yield Path(folder)

    @pytest.fixture
    def database_url(self, database_url: str, disk: Path) -> Iterator[str]:
        """The database moves to a tablespace on the small disk, and back."""
        if sa.make_url(database_url).host:
            pytest.skip("the server may be on another machine")
        name = sa.make_url(database_url).database
        engine = open_engine(sa.make_url(database_url).set(database="postgres"))
        with engine.connect() as plain:
            server = plain.execution_options(isolation_level="AUTOCOMMIT")
            data = server.exec_driver_sql("SHOW data_directory").scalar_one()
            shutil.chown(disk, Path(data).owner())
            server.exec_driver_sql(f"CREATE TABLESPACE small LOCATION '{disk}'")
            server.exec_driver_sql(f'ALTER DATABASE "{name}" SET TABLESPACE small')
            yield database_url
            server.exec_driver_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                f"WHERE datname = '{name}'"
            )
            server.exec_driver_sql(f'ALTER DATABASE "{name}" SET TABLESPACE pg_default')
            server.exec_driver_sql("DROP TABLESPACE small")
        engine.dispose()

    def test_a_full_disk_is_named_and_costs_nothing_but_time(
        self, client, shop, disk
    ) -> None:
        shop.receive("till", sale("T-1", JACKET, 1, at=now()))
        told = signed({**sale("T-2", JACKET, 2, at=now()), "note": "x" * 200_000})

        with filled(disk):
            refused = client.post("/webhooks/till", **told)
            ready = client.get("/readyz")

        assert (refused.status_code, ready.status_code) == (503, 503)
        assert FULL in refused.json["detail"]
        assert ready.json["why"] == FULL
        assert within(5, lambda: client.get("/readyz").status_code == 200)
        assert client.post("/webhooks/till", **told).status_code == 200
        shop.apply()
        assert shop.messages() == [("applied", None)] * 2
        assert shop.level(JACKET) == {"available": 7}


def test_a_file_that_only_reads_is_told_from_one_that_does_not_answer(tmp_path) -> None:
    place = tmp_path / "old.db"
    with contextlib.closing(sqlite3.connect(place)) as made:
        made.execute("CREATE TABLE inbox (id)")
    only = sqlite3.connect(f"file:{place}?mode=ro", uri=True)
    with contextlib.closing(only), pytest.raises(sqlite3.OperationalError) as caught:
        only.execute("INSERT INTO inbox VALUES (1)")

    assert trouble(caught.value) == READ_ONLY
    assert trouble(ValueError("a message's own fault")) is None


@contextlib.contextmanager
def damaged(url: str, table: str) -> Iterator[None]:
    """The first page of a table in a SQLite file is nonsense."""
    path = Path(sa.make_url(url).database or "")
    with contextlib.closing(sqlite3.connect(path)) as looked:
        looked.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (size,) = looked.execute("PRAGMA page_size").fetchone()
        find = "SELECT rootpage FROM sqlite_master WHERE name = ?"
        (page,) = looked.execute(find, (table,)).fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        kept = file.read(size)
        file.seek((page - 1) * size)
        file.write(b"?" * size)
        file.flush()
        yield
        file.seek((page - 1) * size)
        file.write(kept)


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_damaged_file_is_no_message_s_fault(shop, database_url) -> None:
    shop.receive("till", sale("T-1", JACKET, 1, at=now()))
    shop.engine.dispose()

    with damaged(database_url, "stock_events"):
        with pytest.raises(sa.exc.DatabaseError) as caught:
            shop.apply()
        shop.engine.dispose()
    assert trouble(caught.value) == DAMAGED

    shop.apply()
    assert shop.messages() == [("applied", None)]


@pytest.mark.parametrize("backend", ["postgres"], indirect=True)
def test_a_postgresql_that_only_reads_is_named_and_costs_nothing_but_time(
    client, api, shop, database_url
) -> None:
    is_waited_for(client, api, shop, lambda: only_read(database_url), READ_ONLY)


@pytest.mark.parametrize("backend", ["postgres"], indirect=True)
def test_people_are_told_what_the_database_cannot_note(
    shop, settings, database_url, eventually, monkeypatch
) -> None:
    monkeypatch.setattr("app.pipeline.watching.alerting.SETTLED", SECOND // 5)
    monkeypatch.setattr("workers.watching.LOOK_SECONDS", 0.05)
    with hearing() as listener:
        told = replace(settings, alerts=(listener.url,))
        watch = Watch(shop.engine, told, "scheduler")
        watch.start()
        try:
            with only_read(database_url):
                eventually(lambda: listener.heard)
            eventually(lambda: len(listener.heard) > 1)
        finally:
            watch.stop()
    [began, ended] = listener.heard
    assert began[0] == "Onecount needs you"
    assert began[1].startswith(f"The scheduler says: {READ_ONLY}. Until it is well")
    assert ended == (
        "Onecount: recovered",
        f"The scheduler says: {READ_ONLY}: no more.",
    )


@pytest.mark.parametrize("backend", ["postgres"], indirect=True)
def test_a_sender_does_not_wait_for_what_another_program_has_locked(
    client, shop, engine
) -> None:
    told = signed(sale("T-1", JACKET, 1, at=now()))
    client.post("/webhooks/till", **signed(sale("T-0", JACKET, 1, at=now())))
    with writing(engine) as connection:
        connection.execute(sa.text("LOCK TABLE inbox"))
        began = time.monotonic()
        refused, ready = client.post("/webhooks/till", **told), client.get("/readyz")
        took = time.monotonic() - began

    assert took < 2 * PATIENCE + 3
    assert refused.status_code == ready.status_code == 503
    assert AWAY in refused.json["detail"]
    assert ready.json["why"] == AWAY
    assert client.post("/webhooks/till", **told).json["status"] == "accepted"


@pytest.mark.parametrize("backend", ["sqlite", "postgres"], indirect=True)
def test_people_are_told_that_the_database_never_answers(
    shop, settings, database_url, eventually, monkeypatch
) -> None:
    monkeypatch.setattr("app.pipeline.watching.alerting.SETTLED", SECOND // 5)
    monkeypatch.setattr("workers.watching.LOOK_SECONDS", 0.05)
    monkeypatch.setattr("workers.watching.SILENT_SECONDS", 0.5)
    with hearing() as listener:
        told = replace(settings, alerts=(listener.url,))
        watch = Watch(shop.engine, told, "scheduler")
        with writing(shop.engine) as connection:
            if not is_sqlite(connection):  # whose writers wait for each other anyway
                connection.execute(sa.text("LOCK TABLE leases"))
            watch.start()
            eventually(lambda: listener.heard)
        try:
            eventually(lambda: len(listener.heard) > 1)
        finally:
            watch.stop()
    assert [title for title, _ in listener.heard] == [
        "Onecount needs you",
        "Onecount: recovered",
    ]
    assert listener.heard[0][1].startswith(f"The scheduler says: {AWAY}. Until")


def signed(body: Mapping[str, Any]) -> dict[str, Any]:
    """A webhook of the till, to be sent again as it is."""
    raw = json.dumps(body).encode()
    return {
        "data": raw,
        "headers": StandardWebhooks().sign(raw, SECRET, now(), "msg_trouble"),
    }


def is_waited_for(client, api, shop, spoil: Spoil, why: str) -> None:
    """One sale waits to be applied, another is refused; both are there in the end."""
    shop.receive("till", sale("T-1", JACKET, 1, at=now()))
    told = signed(sale("T-2", JACKET, 2, at=now()))

    with spoil():
        refused = client.post("/webhooks/till", **told)
        unsigned = client.post("/webhooks/till", data=b"{}")
        counted = api.call("POST", "/counts", COUNT)
        ready = client.get("/readyz")
        with pytest.raises((sa.exc.SQLAlchemyError, OSError)):
            shop.apply()

    for answer in (refused, counted):
        assert answer.status_code == 503
        assert why in answer.json["detail"]
        assert int(answer.headers["Retry-After"]) > 0
    assert unsigned.status_code == 400
    assert ready.status_code == 503
    assert ready.json["why"] == why
    assert within(5, lambda: client.get("/readyz").status_code == 200)
    assert client.post("/webhooks/till", **told).status_code == 200
    shop.apply()
    assert shop.messages() == [("applied", None)] * 2
    assert shop.level(JACKET) == {"available": 7}
