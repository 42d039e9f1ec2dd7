"""Answers already given to writes with an Idempotency-Key, kept with the key.

A key is reserved before the write and its answer is stored after it. A repeat after a
crash in between finds the reservation, and with it the time of the first try, so that
it can say exactly the same facts again.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from app.domain.instants import Instant
from app.store.gate import gate, gate_path
from app.store.tables import idempotency_keys

_LOCKS = 7204
"""Our part of PostgreSQL's two-number advisory locks."""


class Use(NamedTuple):
    """Which key, by whom, for what."""

    token_id: int
    path: str
    key: str

    def digest(self) -> str:
        """A name for this use that cannot be guessed from another one's."""
        told = f"{self.token_id}\n{self.path}\n{self.key}"
        return hashlib.sha256(told.encode()).hexdigest()


class Kept(NamedTuple):
    """What is known about a key. `status` is 0 until the answer is stored."""

    body_hash: str
    status: int
    answer: str
    created_at: Instant


@contextmanager
def alone(engine: Engine, use: Use) -> Iterator[None]:
    """Let the twins of one request in one after the other.

    The database or the system lets go of the lock when its holder dies.
    """
    path = gate_path(engine)
    if path is not None:
        # One lock for all keys: SQLite writes one after the other anyway.
        with gate(f"{path}.keys"):
            yield
        return
    with engine.connect() as connection, connection.begin():
        if connection.dialect.name == "postgresql":
            number = int(use.digest()[:8], 16) - 2**31
            connection.execute(
                sa.text("SELECT pg_advisory_xact_lock(:ours, :number)"),
                {"ours": _LOCKS, "number": number},
            )
        yield


def reserve(connection: Connection, use: Use, body_hash: str, now: Instant) -> Kept:
    """Return what is known about the key; note that it is in use if nothing is."""
    known = _known(connection, use)
    if known is not None:
        return known
    connection.execute(
        idempotency_keys.insert().values(
            **use._asdict(), body_hash=body_hash, status=0, answer="", created_at=now
        )
    )
    return Kept(body_hash, 0, "", now)


def finish(connection: Connection, use: Use, status: int, answer: str) -> None:
    """Store the answer every later use of the key gets."""
    connection.execute(
        idempotency_keys.update()
        .where(*_where(use))
        .values(status=status, answer=answer)
    )


def let_go(connection: Connection, use: Use) -> None:
    """Forget the key: the request was refused and has changed nothing."""
    connection.execute(
        idempotency_keys.delete().where(*_where(use), idempotency_keys.c.status == 0)
    )


def _known(connection: Connection, use: Use) -> Kept | None:
    columns = [idempotency_keys.c[name] for name in Kept._fields]
    row = connection.execute(sa.select(*columns).where(*_where(use))).first()
    return None if row is None else Kept(*row)


def _where(use: Use) -> list[sa.ColumnElement[bool]]:
    return [
        idempotency_keys.c.token_id == use.token_id,
        idempotency_keys.c.path == use.path,
        idempotency_keys.c.key == use.key,
    ]
