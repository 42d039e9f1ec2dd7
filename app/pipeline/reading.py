"""Looking before writing again: what the channel shows, and the orders we missed.

A number that we cannot explain is most likely a sale whose webhook is on its way. So
the channel's own orders are read and applied before ours is published over it.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Engine, RowMapping

from adapters.base import Adapter
from app.domain.channels import Wish
from app.domain.instants import HOUR, MINUTE, Instant, now as clock
from app.pipeline.inbound import Inbound
from app.store import publications as store
from app.store.engine import writing
from app.store.inbox import store_read
from app.store.tables import channels, publications
from app.store.vault import Vault

OVERLAP: Instant = 2 * MINUTE
FIRST: Instant = HOUR


class Readings:
    """Reads a channel on behalf of its drain."""

    def __init__(self, engine: Engine, vault: Vault) -> None:
        self._engine = engine
        self.inbound = Inbound(engine, vault)

    def look(
        self, adapter: Adapter, rows: Sequence[RowMapping], channel: RowMapping
    ) -> Sequence[RowMapping]:
        """Read what these rows show (and, in doubt, recent orders); return them anew.

        Raises RetryLater, GiveUp or CredentialsRefused.
        """
        unclear = [
            row
            for row in rows
            if row["unsure"] or row["doubt_at"] is not None or row["believed"] is None
        ]
        started = clock()
        with self._engine.connect() as connection:
            names = store.names(connection, [row["id"] for row in unclear])
        wishes = [_question(row, names[row["id"]]) for row in unclear]
        readings = adapter.read(wishes)
        if any(row["doubt_at"] is not None for row in unclear):
            self._catch_up(adapter, channel, started)
        by_id = {row["id"]: row for row in unclear}
        with writing(self._engine) as connection:
            for reading in readings:
                row = by_id[reading.publication_id]
                if reading.available is None:
                    words = f"{adapter.title} does not keep stock of this item there"
                    store.fail(connection, row["id"], "GiveUp", words, started)
                else:
                    store.read(connection, row["id"], reading.available, started)
        return self._again(rows)

    def _again(self, rows: Sequence[RowMapping]) -> Sequence[RowMapping]:
        query = sa.select(publications).where(
            publications.c.id.in_([row["id"] for row in rows]),
            publications.c.failed_at.is_(None),
        )
        with self._engine.connect() as connection:
            return connection.execute(query).mappings().all()

    def _catch_up(
        self, adapter: Adapter, channel: RowMapping, started: Instant
    ) -> None:
        """Take in the orders changed since the last look, and apply them."""
        since = (channel["orders_read_at"] or started - FIRST) - OVERLAP
        found = list(adapter.recent(since))
        with writing(self._engine) as connection:
            store_read(connection, channel["id"], found, started)
            connection.execute(
                channels.update()
                .where(channels.c.id == channel["id"])
                .values(orders_read_at=started)
            )
        while self.inbound.run(clock()):
            pass


def _question(row: RowMapping, names: store.Names) -> Wish:
    return Wish(
        publication_id=row["id"],
        sku=names.sku,
        external_id=names.external_id,
        external_parent_id=names.external_parent_id,
        place=row["place"] or None,
        available=0,
        version=row["wanted_version"],
    )
