"""The schema's history: forwards from nothing, back to nothing, and only once."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command

from app.procfile import ROOT
from app.store.engine import open_engine
from app.store.migrations import alembic_config, upgrade
from app.store.tables import metadata

MIGRATE = """
import sys
from app.store.engine import open_engine
from app.store.migrations import upgrade
upgrade(open_engine(sys.argv[1]))
"""


@pytest.fixture
def empty(empty_database_url: str) -> Iterator[sa.Engine]:
    engine = open_engine(empty_database_url)
    yield engine
    engine.dispose()


def tables_of(engine: sa.Engine) -> set[str]:
    return set(sa.inspect(engine).get_table_names()) - {"alembic_version"}


def test_processes_that_migrate_at_once_do_it_once(
    empty: sa.Engine, empty_database_url: str
) -> None:
    together = [
        subprocess.Popen(
            [sys.executable, "-c", MIGRATE, empty_database_url],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]

    for process in together:
        _, complaint = process.communicate(timeout=60)
        assert process.returncode == 0, complaint
    assert tables_of(empty) == set(metadata.tables)


def test_the_history_leads_back_to_nothing(empty: sa.Engine) -> None:
    upgrade(empty)

    config = alembic_config()
    with empty.connect() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")

    assert tables_of(empty) == set()


def test_a_migration_that_fails_leaves_nothing_behind(empty: sa.Engine) -> None:
    empty_folder(empty)
    with empty.execution_options(writes=True).begin() as connection:
        connection.execute(sa.text("CREATE TABLE users (id INTEGER)"))

    with pytest.raises(sa.exc.DBAPIError):
        upgrade(empty)

    assert tables_of(empty) == {"users"}


def empty_folder(engine: sa.Engine) -> None:
    if engine.dialect.name == "sqlite":
        Path(str(engine.url.database)).parent.mkdir()
