"""The schema's history: forwards from nothing, back to nothing, and only once."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command

from app.domain.errors import BadConfiguration
from app.procfile import ROOT
from app.store.engine import open_engine
from app.store.migrations import alembic_config, upgrade
from app.store.tables import channels, inbox, metadata, stock_events
from app.store.trouble import OUTDATED, trouble

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


def downgrade(engine: sa.Engine, revision: str) -> None:
    config = alembic_config()
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, revision)


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


def test_what_a_newer_release_made_is_left_alone(empty: sa.Engine) -> None:
    upgrade(empty)
    with empty.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(BadConfiguration, match="revision 9999 by a newer release"):
        upgrade(empty)


@pytest.mark.parametrize(
    ("broken", "table"),
    [
        ("DROP TABLE inbox", inbox),
        ("ALTER TABLE channels DROP COLUMN clock_ahead", channels),
    ],
)
def test_a_schema_that_is_behind_is_called_so(
    engine: sa.Engine, broken: str, table: sa.Table
) -> None:
    """Nobody's message and nobody's request: waited for, and said what to do."""
    with engine.begin() as connection:
        connection.exec_driver_sql(broken)

    with pytest.raises(sa.exc.DBAPIError) as raised, engine.connect() as connection:
        connection.execute(sa.select(table))

    assert trouble(raised.value) == OUTDATED
    assert "onecount migrate" in OUTDATED


def test_the_history_leads_back_to_nothing(empty: sa.Engine) -> None:
    upgrade(empty)
    downgrade(empty, "base")
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


def test_what_channels_do_is_taken_for_what_they_have_always_done(
    empty: sa.Engine,
) -> None:
    upgrade(empty, "0001")
    with empty.execution_options(writes=True).begin() as connection:
        for statement in (
            "INSERT INTO locations (code) VALUES ('downtown')",
            (
                "INSERT INTO channels (key, provider, publish) "
                """VALUES ('web', 'standard', '{"buffer": 1}')"""
            ),
            "INSERT INTO channels (key, provider) VALUES ('till', 'standard')",
            (
                "INSERT INTO channel_locations (channel_id, location_id, external_id) "
                "SELECT c.id, l.id, 'd' FROM channels c, locations l WHERE c.key = 'web'"
            ),
        ):
            connection.execute(sa.text(statement.replace(":", r"\:")))

    upgrade(empty)

    with empty.connect() as connection:
        found = connection.execute(
            sa.text(
                "SELECT c.key, version, policy, locations, p.changed_at "
                "FROM policies p JOIN channels c ON c.id = p.channel_id ORDER BY c.key"
            )
        ).all()
    assert found == [
        ("till", 1, None, "{}", 0),
        ("web", 1, '{"buffer": 1}', '{"downtown": "d"}', 0),
    ]


def test_a_kept_filter_means_what_it_meant(empty: sa.Engine) -> None:
    upgrade(empty, "0021")
    with empty.execution_options(writes=True).begin() as connection:
        for statement in (
            (
                "INSERT INTO users (email, password_hash, role, created_at) "
                "VALUES ('ada', 'x', 'admin', 0)"
            ),
            (
                "INSERT INTO views (user_id, name, filters) SELECT id, 'blue', "
                """'{"state": "failed", "sku": "BLUE"}' FROM users"""
            ),
        ):
            connection.execute(sa.text(statement.replace(":", r"\:")))

    upgrade(empty)

    with empty.connect() as connection:
        kept = connection.execute(sa.text("SELECT filters FROM views")).scalar_one()
    assert json.loads(kept) == {"state": "failed", "product": "BLUE"}


def test_whole_orders_of_before_can_be_told_again(empty: sa.Engine) -> None:
    upgrade(empty, "0004")
    whole = {
        "key": "web/order/gid://1",
        "targets": json.dumps({"whole": [2, 7, None, 5, "a\nb"]}),
    }
    with empty.execution_options(writes=True).begin() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO lines (case_key, line, channel_id, order_number, targets) "
                "VALUES (:key, '', 3, '1001', :targets)"
            ),
            whole,
        )
        connection.execute(
            sa.text(
                "INSERT INTO ledger_seals (first_id, last_id, entries, hash, sealed_at) "
                "VALUES (1, 2, 2, 'one', 0), (3, 4, 2, 'two', 0)"
            )
        )

    upgrade(empty)

    with empty.connect() as connection:
        (row,) = connection.execute(
            sa.text("SELECT key, target, version, details FROM stock_events")
        ).all()
        seals = connection.execute(sa.text("SELECT hash, previous FROM ledger_seals"))
        assert seals.all() == [("one", ""), ("two", "one")]
    assert row[:3] == ("web:whole:gid%3A//1:", 2, 7)
    assert json.loads(row.details) == {
        "order": "gid://1",
        "lines": ["a", "b"],
        "order_number": "1001",
    }


def test_what_waited_leaves_the_room_of_what_can_be_posted(empty: sa.Engine) -> None:
    def say(verdict, **more):
        said = {"key": "k", "version": 1, "target": 2, "verdict": verdict} | more
        rest = {"kind": "placed", "occurred_at": 0, "recorded_at": 0}
        with empty.execution_options(writes=True).begin() as connection:
            connection.execute(stock_events.insert(), said | rest)

    def told():
        query = sa.text("SELECT key, verdict FROM stock_events ORDER BY id")
        with empty.connect() as connection:
            return connection.execute(query).all()

    upgrade(empty)
    say("posted")
    with pytest.raises(sa.exc.IntegrityError):
        say("superseded")
    say("parked", apart="sku:web:scarf", waits_for="sku:web:scarf")

    downgrade(empty, "0026")
    assert told() == [("k", "posted"), ("k (sku:web:scarf)", "parked")]

    upgrade(empty)
    say("posted", key="k (sku:web:scarf)")
    assert [verdict for _, verdict in told()] == ["posted", "parked", "posted"]


def test_an_order_is_found_whose_number_was_told_with_its_sign(
    empty: sa.Engine,
) -> None:
    upgrade(empty, "0031")
    known = ["web/order/#1", "web/order/1", "web/order/#2", "web/x/#3"]
    with empty.execution_options(writes=True).begin() as connection:
        for key in known:
            row = {"key": key}
            for statement in (
                (
                    "INSERT INTO lines (case_key, line, order_number) "
                    "VALUES (:key, '1', substr(:key, 11))"
                ),
                (
                    "INSERT INTO incidents (kind, subject, message, opened_at, seen_at) "
                    "VALUES ('surplus_return', :key || '/1', '', 0, 0)"
                ),
            ):
                connection.execute(sa.text(statement), row)

    upgrade(empty)

    now = ["web/order/#1", "web/order/1", "web/order/2", "web/x/#3"]
    with empty.connect() as connection:
        query = sa.text("SELECT case_key, order_number FROM lines ORDER BY id")
        lines = connection.execute(query).all()
        query = sa.text("SELECT subject FROM incidents ORDER BY id")
        told = connection.execute(query).scalars().all()
    assert [line.case_key for line in lines] == now
    assert [line.order_number for line in lines[:3]] == ["1", "1", "2"]
    assert told == [f"{key}/1" for key in now]
