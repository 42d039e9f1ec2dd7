"""Rounds: what changed at a channel since the last one, read in turns and stored.

What is read goes the way of every webhook (inbox, normalise, apply), so reading a thing
twice changes nothing; but it costs calls, so what is in the inbox as it is now is not
read again. Each portion is stored with how far that is: whoever comes after one that
was cut off goes on from there.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine, RowMapping

from adapters.base import Adapter, Change
from app.domain.errors import CredentialsRefused, RetryLater
from app.domain.instants import HOUR, SECOND, Instant, now as clock
from app.store.engine import reading, writing
from app.store.receiving import inbox
from app.store.tables import channels

FIRST: Final[Instant] = HOUR
"""How far back a channel is read that never was."""
TURN_SECONDS: Final = 5.0
"""How long a round may keep others of its lane waiting at a time."""
PORTION: Final = 50
"""Changes stored in one transaction, at most."""
PORTION_SECONDS: Final = 2.0
"""How long what was read may be unstored, and the lease not renewed, between calls."""
SETTLED: Final[Instant] = 10 * SECOND
"""What is read so long after it changed says all of its change: channels tell times in
whole seconds, and some read from copies that come a little later."""


class _Found(NamedTuple):
    """A change, and its document; None where that is known, or gone."""

    change: Change
    document: Any = None
    is_settled: bool = False
    is_after_refusal: bool = False
    """One before it could not be read: the next round has to begin there."""


class Round:
    """One reading of a channel's changes, kept between its turns."""

    def __init__(
        self, engine: Engine, adapter: Adapter, row: RowMapping, overlap: Instant
    ) -> None:
        """`overlap` before the last round is looked at again: clocks differ, and lists
        come late."""
        self._engine = engine
        self.adapter = adapter
        self.stored = 0
        self.asked_from: Instant | None = row["poll_from"]
        self._changed_at: Instant = row["changed_at"]
        self._position: Instant | None = row["poll_position"]
        # Whatever changes while it is cut off is the next round's. By the channel's
        # clock, as its changes are.
        self.began: Instant = row["poll_began_at"] or adapter.http.theirs(clock())
        since = self._position
        if since is None:
            since = (row["orders_read_at"] or self.began - FIRST) - overlap
            since = min(since, self.asked_from or since)
        self._found = self._documents(adapter.changes(since))

    def goes_on(self, row: RowMapping) -> bool:
        """Whether nobody else went on with it, began another or changed the channel."""
        mine = (self._position, self.asked_from, self._changed_at)
        return mine == (row["poll_position"], row["poll_from"], row["changed_at"])

    def turn(self, lease: Callable[[], bool]) -> bool:
        """Read and store for a while; whether that was all, and may be finished.

        `lease` renews the right to do so; where it is lost, others go on. Raises what
        the adapter raises; what was read before that is stored.
        """
        ends, began_at = time.monotonic() + TURN_SECONDS, self._position
        portion: list[_Found] = []
        at, stored_at = clock(), time.monotonic()
        try:
            for found in self._found:
                portion.append(found)
                moment = time.monotonic()
                if len(portion) < PORTION and moment - stored_at < PORTION_SECONDS:
                    continue
                self._store(portion, at)
                portion, at, stored_at = [], clock(), time.monotonic()
                # Another worker may go on with it: it must not stay where it was.
                is_enough = moment > ends and self._position != began_at
                if is_enough or not lease():
                    return False
        except sa.exc.SQLAlchemyError:
            raise
        except Exception:
            if portion:
                self._store(portion, at)
            raise
        if portion:
            self._store(portion, at)
        return True

    def finish(self, connection: Connection, **values: Any) -> None:
        """Note that all which changed before it began is stored, and these values."""
        read_at = channels.c.orders_read_at
        newest = sa.case((read_at > self.began, read_at), else_=self.began)
        self.write(
            connection,
            orders_read_at=newest,
            poll_began_at=None,
            poll_position=None,
            **values,
        )

    def write(self, connection: Connection, **values: Any) -> None:
        """Change the channel's row, unless somebody asked for another round meanwhile."""
        connection.execute(
            channels.update()
            .where(
                channels.c.id == self.adapter.channel.id,
                channels.c.poll_from.is_not_distinct_from(self.asked_from),
            )
            .values(**values)
        )

    def _store(self, portion: list[_Found], at: Instant) -> None:
        """Put what was read into the inbox, and note how far that is.

        `at` is before the first of them was read: it knows everything up to then.
        """
        times = [one.change.listed_at for one in portion if not one.is_after_refusal]
        known = [listed_at for listed_at in times if listed_at is not None]
        position = max([*known, self._position or 0]) or None
        documents = [
            (one.change.topic, one.document, _name(one.change, one.is_settled))
            for one in portion
            if one.document is not None
        ]
        with writing(self._engine) as connection:
            inbox.store_read(connection, self.adapter.channel.id, documents, at)
            self.write(connection, poll_began_at=self.began, poll_position=position)
        self._position = position
        self.stored += len(documents)

    # -- reading -------------------------------------------------------------------

    def _documents(self, changes: Iterator[Change]) -> Iterator[_Found]:
        """What changed, with the documents of those that are not known yet.

        One that cannot be read is told of when all the others were.
        """
        refused: Exception | None = None
        for listed in _portions(changes):
            known = self._known(listed)
            for change in listed:
                found = _Found(change)
                try:
                    if _name(change, is_settled=True) not in known:
                        found = self._opened(change)
                except (RetryLater, CredentialsRefused):
                    raise
                except Exception as error:  # noqa: BLE001 - raised below
                    refused = refused or error
                yield found._replace(is_after_refusal=refused is not None)
        if refused is not None:
            raise refused

    def _opened(self, change: Change) -> _Found:
        read_at = self.adapter.http.theirs(clock())
        document = self.adapter.opened(change)
        is_settled = read_at - (change.listed_at or read_at) >= SETTLED
        return _Found(change, document, is_settled)

    def _known(self, listed: list[Change]) -> set[str]:
        names = {_name(one, is_settled=True) for one in listed if one.id}
        if not names:
            return names
        with reading(self._engine) as connection:
            return inbox.known(connection, self.adapter.channel.id, names)


def _portions(changes: Iterator[Change]) -> Iterator[list[Change]]:
    """Changes in lists; what was listed before an error comes before it, too."""
    portion: list[Change] = []
    try:
        for change in changes:
            portion.append(change)
            if len(portion) == PORTION:
                yield portion
                portion = []
    except Exception:
        yield portion
        raise
    yield portion


def _name(change: Change, is_settled: bool) -> str:
    """The delivery id of a document that was read: by it, it is found again."""
    if not is_settled or not change.id:
        return inbox.READ
    return f"{inbox.READ} {change.id} {change.listed_at}"
