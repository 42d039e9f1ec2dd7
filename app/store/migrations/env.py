"""Alembic's entry: run the missing revisions on a connection or the settings' URL."""

import os

import sqlalchemy as sa
from alembic import context
from sqlalchemy.engine import Connection

from app.store.engine import is_sqlite, open_engine
from app.store.tables import metadata
from config.settings import Settings

_MIGRATION_LOCK = 7_204_631_906
"""The number of PostgreSQL's advisory lock for one migration at a time."""


def run(connection: Connection) -> None:
    """Run the missing revisions in one transaction."""
    writer = connection.execution_options(writes=True)
    context.configure(
        connection=writer,
        target_metadata=metadata,
        render_as_batch=is_sqlite(connection),
        compare_type=True,
    )
    with writer.begin():
        if not is_sqlite(writer):
            writer.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
        with context.begin_transaction():
            context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    # The `alembic` command itself, used to write a new revision.
    with open_engine(Settings.from_env(os.environ).database_url).connect() as opened:
        run(opened)
