"""The inbox: webhooks stored as they came, what was refused, and what gets old."""

import hashlib
import json
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Sequence
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from app.domain.instants import Instant
from app.store import bulk
from app.store.engine import PATIENCE, gate, gate_path, is_sqlite, prepare_sqlite
from app.store.tables import inbox, refused, refused_samples
from app.store.together import Together, Waiting

_COLUMNS = (
    "channel_id",
    "delivery_id",
    "body_hash",
    "headers",
    "body",
    "received_at",
    "lane",
)


AWAY_SECONDS = 2.0
"""So long a server that could not be reached is not looked for again."""

UNWRITABLE = (sqlite3.Error, psycopg.Error, OSError)
"""What `InboxWriter.put` raises when the database does not take a webhook."""


def body_hash(body: bytes) -> str:
    """What makes a second copy of a body recognisable."""
    return hashlib.sha256(body).hexdigest()


Row = tuple[Any, ...]
"""A webhook in the order of `_COLUMNS`."""
Put = tuple[int, bool]
"""Its id, and whether it is new."""


class InboxWriter:
    """Puts webhooks into the inbox, durably, on one raw connection per thread.

    The request does this and nothing else with the database; going through an engine
    and its transaction would cost a third of the throughput. Where only one may write
    at a time, those who wait for the gate share a transaction. Raises one of
    UNWRITABLE when it cannot be stored.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._gate = gate_path(engine)
        self._together = Together[Row, Put]()
        self._mine = threading.local()
        self._opened: list[Any] = []
        self._closing = threading.Lock()
        self._is_closed = False
        self._away_until = 0.0
        marks = ", ".join(["?" if is_sqlite(engine) else "%s"] * len(_COLUMNS))
        self._insert = (
            f"INSERT INTO inbox ({', '.join(_COLUMNS)}) VALUES ({marks}) "
            "ON CONFLICT (channel_id, delivery_id, body_hash) DO NOTHING RETURNING id"
        )
        mark = "?" if is_sqlite(engine) else "%s"
        self._known = (
            f"SELECT id FROM inbox WHERE channel_id = {mark} "
            f"AND delivery_id = {mark} AND body_hash = {mark}"
        )

    def put(
        self,
        channel_id: int,
        delivery_id: str,
        digest: str,
        headers: str,
        sealed: bytes,
        received_at: Instant,
    ) -> Put:
        """Store one webhook."""
        row = (channel_id, delivery_id, digest, headers, sealed, received_at, "apply")
        if is_sqlite(self._engine):
            return self._together.served(row, self._put_all)
        try:
            return self._put(row)
        except psycopg.errors.DiskFull:
            # It was reached: a new connection might not even be let in.
            raise
        except (psycopg.OperationalError, psycopg.errors.ReadOnlySqlTransaction):
            # The server may have been restarted since this thread last wrote, or
            # another one been made the first.
            self._drop()
        return self._put(row)

    def _put_all(self, come: Callable[[], list[Waiting[Row, Put]]]) -> None:
        waiting: list[Waiting[Row, Put]] = []
        try:
            connection = self._connection()
            with gate(self._gate):
                waiting = come()
                connection.execute("BEGIN IMMEDIATE").close()
                with connection:
                    answers = [self._put(row) for row, _ in waiting]
        except Exception as error:  # noqa: BLE001 - each hears of it from their own call
            for _, answer in waiting or come():
                answer.set_exception(error)
            return
        for (_, answer), put in zip(waiting, answers, strict=True):
            answer.set_result(put)

    def _put(self, row: Row) -> Put:
        connection = self._connection()
        made = connection.execute(self._insert, row).fetchone()
        if made is not None:
            return int(made[0]), True
        known = connection.execute(self._known, row[:3]).fetchone()
        return int(known[0]), False

    def _connection(self) -> Any:
        connection = getattr(self._mine, "connection", None)
        if connection is None:
            with self._closing:
                if self._is_closed:
                    raise OSError("the inbox is closed: this process is stopping")
                connection = self._open()
                self._opened.append(connection)
            self._mine.connection = connection
        return connection

    def _open(self) -> Any:
        given = self._engine.dialect.create_connect_args(self._engine.url)
        arguments: list[Any] = list(given[0])
        keywords: dict[str, Any] = dict(given[1])
        if is_sqlite(self._engine):
            keywords |= {
                "isolation_level": None,
                "timeout": PATIENCE,
                "check_same_thread": False,
            }
            connection = sqlite3.connect(*arguments, **keywords)
            prepare_sqlite(connection)
            return connection
        dbapi: Any = self._engine.dialect.dbapi
        if time.monotonic() < self._away_until:
            raise OSError("the database could not be reached a moment ago")
        try:
            return dbapi.connect(*arguments, **keywords, autocommit=True)
        except psycopg.Error:
            # Else every thread would wait for it, and none be left to say so.
            self._away_until = time.monotonic() + AWAY_SECONDS
            raise

    def _drop(self) -> None:
        connection = getattr(self._mine, "connection", None)
        self._mine.connection = None
        if connection is None:
            return
        with self._closing:
            # Unless `close` took it away just now.
            if connection in self._opened:
                self._opened.remove(connection)
        connection.close()

    def close(self) -> None:
        """Close every thread's connection; a thread that comes late is refused."""
        with self._closing:
            self._is_closed = True
            while self._opened:
                self._opened.pop().close()


READ = "read"
"""The delivery id of what we read ourselves; more may follow, after a blank."""


def store_read(
    connection: Connection,
    channel_id: int,
    found: Sequence[tuple[str, Any, str]],
    now: Instant,
) -> None:
    """Put documents that we read from a channel into its inbox; known ones stay.

    Each is a topic, a document and a delivery id.
    """
    rows = []
    for topic, document, delivery_id in found:
        text = json.dumps(document, sort_keys=True)
        digest = body_hash(f"{topic}\n{text}".encode())
        rows.append((channel_id, delivery_id, digest, topic, text, now))
    bulk.insert(
        connection,
        inbox,
        ("channel_id", "delivery_id", "body_hash", "topic", "document", "received_at"),
        rows,
        or_ignore=True,
    )


def known(
    connection: Connection, channel_id: int, delivery_ids: Collection[str]
) -> set[str]:
    """Those of the delivery ids that are in a channel's inbox."""
    query = sa.select(inbox.c.delivery_id).where(
        inbox.c.channel_id == channel_id, inbox.c.delivery_id.in_(delivery_ids)
    )
    return set(connection.execute(query).scalars())


def prune(connection: Connection, before: Instant, limit: int) -> int:
    """Delete some messages that were applied or ignored before then; how many."""
    old = (
        sa.select(inbox.c.id)
        .where(
            inbox.c.state.in_(("applied", "ignored")),
            inbox.c.settled_at < before,
            inbox.c.received_at < before,
        )
        .order_by(inbox.c.id)
        .limit(limit)
    )
    ids = connection.execute(old).scalars().all()
    connection.execute(inbox.delete().where(inbox.c.id.in_(ids)))
    return len(ids)


def count_refusal(
    connection: Connection, channel: str, cause: str, now: Instant
) -> None:
    """Count a request that was not stored."""
    changed = connection.execute(
        refused.update()
        .where(refused.c.channel == channel, refused.c.cause == cause)
        .values(times=refused.c.times + 1, last_at=now)
    )
    if changed.rowcount == 0:
        connection.execute(
            refused.insert().values(channel=channel, cause=cause, times=1, last_at=now)
        )


def keep_sample(connection: Connection, values: dict[str, Any], limit: int) -> None:
    """Keep a refused request for people to look at; the oldest go."""
    connection.execute(refused_samples.insert().values(**values))
    oldest = (
        sa.select(refused_samples.c.id)
        .order_by(refused_samples.c.id.desc())
        .offset(limit)
        .limit(1)
        .scalar_subquery()
    )
    connection.execute(refused_samples.delete().where(refused_samples.c.id <= oldest))
