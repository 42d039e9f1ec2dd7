"""Publications: what each listing should show, what was accepted, what was observed.

Only `wanted_version` is raised; the number itself is worked out when it is read or
sent, so no stored number can be skewed by two writers.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.domain.channels import Wish
from app.domain.errors import GiveUp, RetryLater
from app.domain.instants import Instant
from app.domain.retry import class_of
from app.store import bulk
from app.store.engine import is_sqlite
from app.store.tables import ledger, publications

FIRST_LANE: Final = 0
"""`next_attempt_at` of what was never tried."""
BULK_LANE: Final = 1
"""`next_attempt_at` of what a person set off together with many others."""
MANY: Final = 500
"""So many rows at once are bulk work: what is sold meanwhile does not queue behind."""

SOLD: Final = -1
"""`exposure` of a row whose stock moved since it was worked out: it is ranked first."""
UNRANKED: Final = -2
"""`exposure` of a row whose number may have changed for another reason."""

MARK = """
UPDATE publications SET
  wanted_version = wanted_version + 1,
  wanted_at = CASE WHEN wanted_version = accepted_version THEN {given} ELSE wanted_at END,
  attempts = CASE WHEN failed_at IS NOT NULL AND error_class = 'RetryLater'
    THEN 0 ELSE attempts END,
  next_attempt_at = CASE WHEN failed_at IS NOT NULL AND error_class = 'RetryLater'
    THEN 0 WHEN next_attempt_at <= 1 THEN {lane} ELSE next_attempt_at END,
  exposure = {exposure},
  failed_at = CASE WHEN error_class = 'RetryLater' THEN NULL ELSE failed_at END,
  discarded_at = NULL
WHERE {these}
"""
MARK_SOLD = MARK.replace("{lane}", "0").replace("{exposure}", str(SOLD))
_MARK_ROWS = (
    MARK.replace("{these}", "id {among} RETURNING channel_id")
    .replace("{lane}", "next_attempt_at")
    .replace("{exposure}", str(UNRANKED))
)
_MARK_MANY = (
    MARK.replace("{these}", "id {among} RETURNING channel_id")
    .replace(
        "{lane}",
        "CASE WHEN wanted_version > accepted_version THEN next_attempt_at ELSE 1 END",
    )
    .replace("{exposure}", str(UNRANKED))
)


def mark_rows(connection: Connection, ids: Sequence[int], now: Instant) -> set[int]:
    """Say that these rows' numbers may have changed; return the channels to wake.

    A row that failed with RetryLater is tried again; one the channel refused for good
    waits for a person or for a change of its listing.
    """
    lock(connection, ids)
    statement = _MARK_ROWS if len(ids) < MANY else _MARK_MANY
    marked = bulk.select(connection, statement, ids, "bigint", (now,))
    return {row[0] for row in marked}


def doubt(
    connection: Connection, publication_id: int, at: Instant, until: Instant
) -> None:
    """Say that a row shows an unexplained number; nothing is sent before `until`."""
    connection.execute(
        publications.update()
        .where(publications.c.id == publication_id)
        .values(
            doubt_at=at,
            next_attempt_at=sa.case(
                (
                    publications.c.next_attempt_at > until,
                    publications.c.next_attempt_at,
                ),
                else_=until,
            ),
        )
    )


@dataclass(frozen=True, slots=True)
class Names:
    """How a publication's item is called, here and there."""

    sku: str
    external_id: str
    external_parent_id: str | None


def names(connection: Connection, ids: Collection[int]) -> dict[int, Names]:
    """Publication id → names."""
    found = bulk.select(
        connection,
        "SELECT p.id, s.sku, l.external_id, l.external_parent_id FROM publications p "
        "JOIN listings l ON l.id = p.listing_id JOIN skus s ON s.id = p.sku_id "
        "WHERE p.id {among}",
        sorted(ids),
        "bigint",
    )
    return {row[0]: Names(row[1], row[2], row[3]) for row in found}


def rows(connection: Connection, ids: Collection[int]) -> Sequence[sa.RowMapping]:
    """These rows, in the order of their ids; each with `known_to`, the newest entry of
    the ledger that is in its numbers."""
    newest = sa.select(sa.func.coalesce(sa.func.max(ledger.c.id), 0)).scalar_subquery()
    query = (
        sa.select(publications, newest.label("known_to"))
        .where(publications.c.id.in_(sorted(ids)))
        .order_by(publications.c.id)
    )
    return connection.execute(query).mappings().all()


def change(connection: Connection, publication_id: int, **values: object) -> None:
    connection.execute(
        publications.update()
        .where(publications.c.id == publication_id)
        .values(**values)
    )


def told_of(error: RetryLater | GiveUp) -> dict[str, object]:
    """What is kept with a row of the last thing that went wrong with it."""
    return {
        "error_class": "RetryLater" if isinstance(error, RetryLater) else "GiveUp",
        "error_kind": class_of(error),
        "error_status": error.status,
        "last_error": str(error),
    }


_TAKEN = ("accepted", "accepted_version", "believed", "accepted_at", "believed_at")
_FINE: dict[str, object] = {
    "unsure": False,
    "attempts": 0,
    "next_attempt_at": FIRST_LANE,
    "delay_reason": None,
    "misses": 0,
    "doubt_at": None,
    "failed_at": None,
    "error_class": None,
    "error_kind": None,
    "error_status": None,
    "last_error": None,
}


class Meanwhile(NamedTuple):
    """What a channel told of a row while it was being asked to show a number."""

    did: int = 0
    """Units that it did itself. They came after: its number was the expected one."""
    doubt_at: Instant | None = None
    """When it told a number that nothing explains yet."""
    next_attempt_at: Instant = FIRST_LANE


def accept(
    connection: Connection,
    taken: Iterable[tuple[Wish, Instant]],
    began_at: Instant,
    meanwhile: Mapping[int, Meanwhile] | None = None,
) -> None:
    """The channel took the numbers of these wishes, sent at a time by its clock.

    It began by ours at `began_at`: what is wanted beyond them is wanted since then.
    `meanwhile`: what we heard of while it was being asked, by publication id.
    """
    heard = meanwhile or {}
    rows = []
    for wish, sent_at in taken:
        told = heard.get(wish.publication_id, Meanwhile())._asdict()
        believed = wish.available + told.pop("did")
        rows.append(
            (wish.available, wish.version, believed, sent_at, sent_at, began_at)
            + (*(_FINE | told).values(), wish.publication_id)
        )
    columns = (*_TAKEN, "wanted_at", *_FINE)
    bulk.change(connection, publications, columns, rows)


class Found(NamedTuple):
    """What a row says, once nobody else changes it."""

    believed: int | None
    observed: int | None
    doubt_at: Instant | None
    next_attempt_at: Instant


def lock(connection: Connection, ids: Collection[int]) -> dict[int, Found]:
    """Lock rows in the order of their ids, as everybody does; what each says."""
    names = ", ".join(Found._fields)
    query = f"SELECT id, {names} FROM publications WHERE id {{among}} ORDER BY id"
    if not is_sqlite(connection):
        query += " FOR UPDATE"
    found = bulk.select(connection, query, sorted(ids), "bigint")
    return {id_: Found(*row) for id_, *row in found}


def settle(
    connection: Connection, publication_id: int, version: int, number: int
) -> None:
    """The channel already shows the number: nothing needs to be sent."""
    change(
        connection, publication_id, accepted=number, accepted_version=version, **_FINE
    )


def rest(connection: Connection, publication_id: int, version: int) -> None:
    """Nothing is sent until the number changes again, or a person decides."""
    change(connection, publication_id, accepted_version=version, **_FINE)


def read(
    connection: Connection, publication_id: int, number: int, read_at: Instant
) -> None:
    """We read the channel's own number: now we know what it shows."""
    change(
        connection,
        publication_id,
        observed=number,
        observed_at=read_at,
        believed=number,
        believed_at=read_at,
        unsure=False,
        doubt_at=None,
    )


def sure(connection: Connection, publication_id: int) -> None:
    """The attempt certainly had no effect."""
    change(connection, publication_id, unsure=False)


def miss(
    connection: Connection, publication_id: int, misses: int, now: Instant
) -> None:
    """The channel shows another number than we believed: look before writing.

    What was believed stays: together with the orders we missed it explains the number.
    """
    change(connection, publication_id, misses=misses, unsure=False, doubt_at=now)


def wonder(
    connection: Connection,
    publication_id: int,
    number: int,
    at: Instant,
    since: Instant,
) -> None:
    """We read a number that nothing explains yet; since when it is so."""
    change(
        connection,
        publication_id,
        observed=number,
        observed_at=at,
        unsure=False,
        doubt_at=since,
    )


def put_off(
    connection: Connection, publication_id: int, misses: int, until: Instant
) -> None:
    """Look again later; nothing is sent before."""
    change(connection, publication_id, misses=misses, next_attempt_at=until)


def fail(
    connection: Connection,
    publication_id: int,
    error: RetryLater | GiveUp,
    now: Instant,
) -> None:
    """It waits for a person or for a change of its listing."""
    change(
        connection,
        publication_id,
        unsure=False,
        failed_at=now,
        **told_of(error),
        attempts=publications.c.attempts + 1,
    )
