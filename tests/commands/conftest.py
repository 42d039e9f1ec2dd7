"""`onecount` as a person runs it, on a database of its own."""

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from app.cli import main
from app.store.engine import open_engine
from app.store.people import deeds
from tests.builders import Shop

Onecount = Callable[..., Result]


@pytest.fixture
def environ(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    shutil.copy(request.getfixturevalue("_sqlite_template"), tmp_path / "onecount.db")
    return {
        "ONECOUNT_DATA_DIR": str(tmp_path),
        "ONECOUNT_SECRET_KEY": "a secret key for tests",
        "ONECOUNT_REDIS_URL": "redis://127.0.0.1:1/0",
    }


@pytest.fixture
def onecount(environ: Mapping[str, str]) -> Onecount:
    def run(*arguments: str, **more: str) -> Result:
        return CliRunner(env={**environ, **more}).invoke(main, list(arguments))

    return run


@pytest.fixture
def hub(environ: Mapping[str, str], tmp_path: Path) -> Shop:
    """The same database, to look into."""
    shop = Shop(open_engine(f"sqlite:///{tmp_path / 'onecount.db'}"))
    yield shop
    shop.receiver.close()
    shop.engine.dispose()


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str | bytes], str]:
    """Write a file; return its path."""

    def put(name: str, text: str | bytes) -> str:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    return put


@pytest.fixture
def ask(hub: Shop) -> Callable[[str], list[tuple]]:
    """Rows of a query."""

    def rows(statement: str) -> list[tuple]:
        with hub.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(sa.text(statement))]

    return rows


@pytest.fixture
def noted(hub: Shop) -> Callable[[], list[tuple[str, str, str, dict]]]:
    """The audit log, newest first: who did what to what, and how."""

    def rows() -> list[tuple[str, str, str, dict]]:
        with hub.engine.connect() as connection:
            found = deeds.page(connection, deeds.Search(), limit=9)
        names = ("actor", "action", "subject")
        return [
            (*(row[name] for name in names), json.loads(row["details"]))
            for row in found
        ]

    return rows
