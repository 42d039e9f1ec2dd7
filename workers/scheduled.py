"""The scheduler's rounds: what is due is found in the database and its lane woken.

Redis may lose everything it holds: a round later all of it is known again.
"""

import sqlalchemy as sa
import structlog

from app.domain.instants import DAY, HOUR, SECOND, Instant, now
from app.pipeline.acts import claims
from app.pipeline.applying import oversells
from app.pipeline.configuring import parked, rotating
from app.pipeline.publishing import circuit
from app.pipeline.publishing.exposing import expose
from app.pipeline.publishing.marking import mark_all
from app.pipeline.repairing import running
from app.pipeline.spreadsheets import letting
from app.pipeline.watching import histories, polling, subscribing
from app.pipeline.watching.comparing import is_due
from app.store import timekeeper
from app.store.configuration import channels as channel_store, conditions, connectings
from app.store.engine import writing
from app.store.people import sheets
from app.store.publishing import tallies, waits
from app.store.receiving import inbox as inbox_store
from app.store.receiving.waiting import LANES
from app.store.tables import channels, inbox, publications
from app.store.vault import Vault
from app.store.watching import clock
from workers.hands import Hands

log = structlog.get_logger()

PORTION = 500
"""Messages forgotten in one transaction."""
HOURS_KEPT: Instant = 7 * DAY
"""How long it is known what a channel took in each hour."""
PATIENCE: Instant = 2 * SECOND
"""How long work may wait for its ordinary wake-up before it is woken by force."""


def sweep(mine: Hands) -> None:
    """Mark what was not marked, wake every lane with work, end what is over."""
    moment = now()
    if step := waits.follow_clock(mine.engine, moment):
        log.warning("the clock was set back", seconds=step // SECOND)
    clock.heed(mine.engine, moment)
    for lane in mark_all(mine.engine, moment):
        mine.wakes.wake(lane)
    circuit.rest(mine.engine, moment)
    for lane in running.advance(mine.engine, moment):
        mine.wakes.wake(lane)
    for lane, slow in due_lanes(mine, moment):
        mine.wakes.wake(lane, slow=slow, force=True)
    parked.drop_outdated(mine.engine, moment)
    for lane in claims.expire_holds(mine.engine, timekeeper.now(mine.engine)):
        mine.wakes.wake(lane)
    oversells.review(mine.engine, moment)
    histories.keep(mine.engine, moment)
    rotating.end_due(mine.engine, Vault(mine.settings.secret_keys), moment)
    # What nobody could send yet shows how many units it offers too many.
    expose(mine.engine, moment - PATIENCE, moment)
    letting.advance(mine.engine, moment, mine.wakes)


def due_lanes(mine: Hands, moment: Instant) -> list[tuple[str, bool]]:
    """Lanes with work that is due and was not started in time, and which are slow."""
    late = moment - PATIENCE
    with mine.engine.connect() as connection:
        lanes = [
            (f"outbound:{row.key}", (row.slow_until or 0) > moment)
            for row in connection.execute(_pushes(moment, late))
        ]
        reads = {
            row.key: (row.slow_until or 0) > moment
            for row in (
                *connection.execute(_fetches(moment)),
                *polling.due(connection, moment),
                *subscribing.due(connection, mine.settings, moment),
            )
        }
        lanes += [(f"fetch:{key}", is_slow) for key, is_slow in reads.items()]
        interval = int(mine.settings.compare_hours * HOUR)
        lanes += [
            (f"compare:{row['key']}", (row["slow_until"] or 0) > moment)
            for row in channel_store.rows(connection)
            if is_due(connection, row, interval, moment)
        ]
        waiting = connection.execute(
            sa.select(inbox.c.id)
            .where(
                inbox.c.state == "waiting",
                inbox.c.lane.in_(LANES),
                ~inbox.c.received_at.between(late, moment),
            )
            .limit(1)
        ).first()
    return lanes + ([("inbound", False)] if waiting is not None else [])


def _pushes(moment: Instant, late: Instant) -> sa.Select[tuple[str, int | None]]:
    due = (
        sa.select(publications.c.id)
        .where(
            publications.c.channel_id == channels.c.id,
            publications.c.wanted_version > publications.c.accepted_version,
            publications.c.next_attempt_at <= moment,
            sa.or_(
                ~publications.c.wanted_at.between(late, moment),
                publications.c.next_attempt_at > 0,
            ),
            publications.c.failed_at.is_(None),
            publications.c.discarded_at.is_(None),
        )
        .exists()
    )
    return sa.select(channels.c.key, channels.c.slow_until).where(
        due,
        channels.c.paused_at.is_(None),
        channels.c.disconnected_at.is_(None),
        channels.c.poll_from.is_(None),
        sa.func.coalesce(channels.c.held_until, 0) <= moment,
    )


def _fetches(moment: Instant) -> sa.Select[tuple[str, int | None]]:
    due = (
        sa.select(inbox.c.id)
        .where(
            inbox.c.channel_id == channels.c.id,
            inbox.c.state == "waiting",
            inbox.c.lane == "fetch",
            inbox.c.next_attempt_at <= moment,
        )
        .exists()
    )
    return sa.select(channels.c.key, channels.c.slow_until).where(
        due, sa.func.coalesce(channels.c.reads_held_until, 0) <= moment
    )


def prune(mine: Hands) -> None:
    """Let go of sealed bodies that could not be read in time, of old messages and of
    spreadsheets as old; and of what was to be connected and was not.

    Stock events stay for ever, and so do messages that wait for a person.
    """
    _forget_messages(mine, now() - mine.settings.inbox_days * DAY)
    with writing(mine.engine, durable=False) as connection:
        sheets.prune(connection, now() - mine.settings.inbox_days * DAY)
        connectings.prune(connection, now() - DAY)
        conditions.prune(connection, now() - mine.settings.inbox_days * DAY)
    old = now() - mine.settings.inbox_body_days * DAY
    with writing(mine.engine) as connection:
        connection.execute(
            inbox.update()
            .where(inbox.c.body.is_not(None), inbox.c.received_at < old)
            .where(inbox.c.state != "waiting")
            .values(body=None)
        )
        tallies.forget_hours(connection, now() - HOURS_KEPT)


def _forget_messages(mine: Hands, before: Instant) -> None:
    gone = PORTION
    while gone == PORTION:
        with writing(mine.engine, durable=False) as connection:
            gone = inbox_store.prune(connection, before, PORTION)
