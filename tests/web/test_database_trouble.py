"""A disk that is full, a database that only reads: said in words, and nothing lost."""

import contextlib
import json
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from adapters.signatures import StandardWebhooks
from app.domain.instants import now
from app.store.engine import open_engine
from app.store.trouble import FULL, READ_ONLY, trouble
from tests.builders import JACKET, SECRET, sale
from tests.hubs import within

COUNT = {"location": "downtown", "lines": [{"sku": JACKET, "quantity": 5}]}
Spoil = Callable[[], contextlib.AbstractContextManager[None]]
SIZE = "12m"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own; the database of these tests lies on it."""
    place = tmp_path / "disk"
    place.mkdir()
    options = ("-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(place))
    made = subprocess.run(["mount", *options], capture_output=True, check=False)
    if made.returncode:
        pytest.skip(f"no disk can be mounted here: {made.stderr.decode().strip()}")
    yield place
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


def test_a_file_that_only_reads_is_told_from_one_that_does_not_answer(tmp_path) -> None:
    place = tmp_path / "old.db"
    with contextlib.closing(sqlite3.connect(place)) as made:
        made.execute("CREATE TABLE inbox (id)")
    only = sqlite3.connect(f"file:{place}?mode=ro", uri=True)
    with contextlib.closing(only), pytest.raises(sqlite3.OperationalError) as caught:
        only.execute("INSERT INTO inbox VALUES (1)")

    assert trouble(caught.value) == READ_ONLY
    assert trouble(ValueError("a message's own fault")) is None


@pytest.mark.parametrize("backend", ["postgres"], indirect=True)
def test_a_postgresql_that_only_reads_is_named_and_costs_nothing_but_time(
    client, api, shop, database_url
) -> None:
    is_waited_for(client, api, shop, lambda: only_read(database_url), READ_ONLY)


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
