"""Marking: which publications are wanted, read off the ledger. Before step 5.

The ledger is the feed of changes: entries get their ids one applier at a time, so a
channel only remembers up to which entry its rows are marked. Applying costs the same
for two channels and for twenty; a mark cannot get lost, because it is the entry itself;
and ten sales that come while a channel is busy are one mark.
"""

from sqlalchemy.engine import Engine, RowMapping

from app.domain.instants import Instant
from app.store.configuration import channels
from app.store.engine import reading, writing
from app.store.publishing import marks

PORTION = 500
"""Entries per transaction: others write in between."""


def mark_all(engine: Engine, now: Instant) -> set[str]:
    """Mark the rows of every channel that publishes; return the lanes to wake."""
    with reading(engine) as connection:
        rows = channels.rows(connection)
    return {
        f"outbound:{channel['key']}"
        for channel in rows
        if channel["publish"] is not None and mark(engine, channel, now)
    }


def mark(engine: Engine, channel: RowMapping, now: Instant) -> bool:
    """Mark a channel's rows wanted for every entry since it was last marked.

    False when there was nothing new. Two who do it at once mark a row twice, which says nothing new; one of them moves
    the channel's mark.
    """
    after = channel["marked_to"]
    with reading(engine) as connection:
        last = marks.last_entry(connection)
    while after < last:
        upto = min(last, after + PORTION)
        with writing(engine, durable=False) as connection:
            marks.mark_changed(connection, channel["id"], after, upto, now)
            if not marks.move_mark(connection, channel["id"], after, upto):
                break
        after = upto
    return bool(after > channel["marked_to"])
