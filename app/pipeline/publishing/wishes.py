"""Wishes: the number a publication should show, and the time to write at.

Step 5 of the journey, first half: `publish` asks here what to send.
"""

from sqlalchemy.engine import RowMapping

from adapters.base import Adapter
from app.domain.channels import Wish
from app.domain.instants import HOUR, Instant
from app.store.publishing import publications as store

_TICK: Instant = 1_000
"""A millisecond: by how much one time stamp comes after another."""


def is_held(channel: RowMapping, now: Instant) -> bool:
    """Whether nothing is sent to a channel now: its wishes are kept."""
    return (
        channel["paused_at"] is not None
        or channel["disconnected_at"] is not None
        or (channel["held_until"] or 0) > now
        # After a restore: first what happened there meanwhile.
        or channel["poll_from"] is not None
    )


def is_troubled(channel: RowMapping) -> bool:
    """Whether its last call failed: an answer now is news."""
    return bool(channel["failures"] or channel["last_error"])


def shows_already(row: RowMapping, number: int) -> bool:
    """Whether a reading newer than our last write already shows this number.

    Where the channel's own sales came after that reading, as far as anybody can tell
    within a second, it is not the newest word.
    """
    is_newest = row["doubt_at"] is not None or row["believed"] == number
    return (
        row["observed"] == number
        and is_newest
        and not row["unsure"]
        and row["observed_at"] is not None
        and row["observed_at"] >= (row["accepted_at"] or 0)
    )


def wish_of(
    adapter: Adapter, row: RowMapping, names: store.Names, number: int, now: Instant
) -> Wish:
    return Wish(
        publication_id=row["id"],
        sku=names.sku,
        external_id=names.external_id,
        external_parent_id=names.external_parent_id,
        place=row["place"] or None,
        available=number,
        version=row["wanted_version"],
        expected=_expected(row) if adapter.compares else None,
        stamp=stamp_of(row, adapter.http.theirs(now)) if adapter.stamps else None,
    )


def _expected(row: RowMapping) -> int | None:
    """The number a write is to replace: what was read, where nothing explains it."""
    found: int | None = row["believed" if row["doubt_at"] is None else "observed"]
    return found


def is_too_high(adapter: Adapter, row: RowMapping, number: int) -> bool:
    """Whether a number would offer more than a channel shows that nobody explained."""
    if not adapter.compares or row["doubt_at"] is None or row["observed"] is None:
        return False
    return bool(number > row["observed"])


def stamp_of(row: RowMapping, now: Instant) -> Instant:
    """The time to write at, for channels that apply writes by their time stamp.

    Just after the newest event of the channel that we have applied, and above our
    previous stamp: a later one would swallow a till sale that has not been told yet.
    Providers refuse what is over a day old, so an old stamp moves up, by whole hours:
    `now` is by their clock.
    """
    oldest = (now - 23 * HOUR) // HOUR * HOUR
    return int(max(row["effect_at"] + _TICK, row["stamp"] + _TICK, oldest))
