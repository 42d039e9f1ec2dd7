"""Publishing: publications, attempts, leases and incidents."""

import sqlalchemy as sa
from sqlalchemy import Column, Index, UniqueConstraint

from app.store.tables.columns import Big, Text, count, id_, link, metadata, ref, text

publications = sa.Table(
    "publications",
    metadata,
    id_(),
    ref("channel_id", "channels"),
    ref("listing_id", "listings"),
    ref("sku_id", "skus"),
    text("place"),  # the channel's own location id; '' where it has none
    count("wanted_version", 1),
    count("wanted_at"),
    count("accepted_version"),
    Column("accepted", Big),
    Column("accepted_at", Big),
    Column("observed", Big),
    Column("observed_at", Big),
    Column("believed", Big),
    Column("believed_at", Big),
    Column("unsure", sa.Boolean, nullable=False, server_default=sa.false()),
    Column("doubt_at", Big),  # it showed a number that we cannot explain yet
    # Units by which its own number differs from ours, which a person is asked about;
    # and when that was read.
    Column("disputed", Big),
    Column("disputed_at", Big),
    count("adopted_until"),  # the newest of `adoptions`; 0: none
    count("misses"),  # compare-and-set misses in a row
    count("stamp"),  # the time our newest write was stamped with
    count("effect_at"),  # the newest event of this channel applied here
    # Units shown there beyond those it may show; below 0: not worked out yet.
    count("exposure", -2),
    count("attempts"),
    count("next_attempt_at"),  # 0: never tried; 1: a person set it off with many others
    Column("delay_reason", Text),  # why it is tried again then
    Column("failed_at", Big),
    Column("error_class", Text),
    Column("error_kind", Text),  # one of `app.domain.retry.CLASSES`
    Column("error_status", Big),  # the HTTP status it was answered with, if it was
    Column("last_error", Text),
    Column("discarded_at", Big),
    UniqueConstraint("listing_id", "place"),
    Index(None, "sku_id"),
)
_IS_WANTED = publications.c.wanted_version > publications.c.accepted_version
IS_DUE = sa.and_(
    _IS_WANTED,
    publications.c.failed_at.is_(None),
    publications.c.discarded_at.is_(None),
)
"""What can be sent, now or later."""
Index(
    "ix_publications_due",
    publications.c.channel_id,
    publications.c.next_attempt_at,
    publications.c.exposure.desc(),
    publications.c.wanted_at,
    sqlite_where=IS_DUE,
    postgresql_where=IS_DUE,
)
Index(
    "ix_publications_unranked",
    publications.c.channel_id,
    sqlite_where=sa.and_(_IS_WANTED, publications.c.exposure < 0),
    postgresql_where=sa.and_(_IS_WANTED, publications.c.exposure < 0),
)

IS_STOPPED = sa.or_(
    publications.c.failed_at.is_not(None),
    publications.c.discarded_at.is_not(None),
    sa.and_(
        publications.c.unsure,
        publications.c.wanted_version <= publications.c.accepted_version,
    ),
)
"""What is not due and not settled either: few rows, found without reading the others."""
Index(
    "ix_publications_stopped",
    publications.c.channel_id,
    publications.c.failed_at,
    sqlite_where=IS_STOPPED,
    postgresql_where=IS_STOPPED,
)

drifts = sa.Table(  # differences found between a channel's numbers and ours
    "drifts",
    metadata,
    id_(),
    ref("channel_id", "channels"),
    link("publication_id"),
    Column("theirs", Big),
    Column("ours", Big, nullable=False),
    Column("believed", Big),
    Column("cause", Text, nullable=False),
    Column("done", Text, nullable=False),  # publish · take · wait · nothing
    Column("found_at", Big, nullable=False),
    Index(None, "channel_id", "id"),
    Index(None, "publication_id"),
)

adoptions = sa.Table(  # numbers of a channel that were taken into the stock
    "adoptions",
    metadata,
    id_(),
    link("publication_id"),
    Column("until", Big, nullable=False),  # what it did up to then is in the number
    Column("key", Text, nullable=False),  # the adjustment's stock event
    Index(None, "publication_id", "until"),
)

HAS_NOT_ENDED_WELL = "result IN ('sending', 'retry', 'unknown')"
"""Attempts that hold their key: the same numbers go out under it again."""
push_attempts = sa.Table(
    "push_attempts",
    metadata,
    id_(),
    ref("channel_id", "channels"),
    Column("key", Text, nullable=False),
    Column("variables_hash", Text, nullable=False),
    Column("started_at", Big, nullable=False),
    Column("finished_at", Big),
    # sending · accepted · partly · refused · retry · unknown
    Column("result", Text, nullable=False),
    Column("error", Text),
    Column("error_class", Text),
    Column("delay_reason", Text),
    Index(None, "channel_id", "id"),
    Index(
        "ix_push_attempts_keys",
        "channel_id",
        "variables_hash",
        sqlite_where=sa.text(HAS_NOT_ENDED_WELL),
        postgresql_where=sa.text(HAS_NOT_ENDED_WELL),
    ),
)

push_attempt_items = sa.Table(
    "push_attempt_items",
    metadata,
    id_(),
    link("attempt_id"),
    link("publication_id"),
    Column("number", Big, nullable=False),
    Column("expected", Big),
    Column("version", Big, nullable=False),
    Column("verdict", Text),
    Column("reason", Text),
    Index(None, "publication_id", "id"),
    Index(None, "attempt_id"),
)

push_tallies = sa.Table(  # counted for ever, whatever becomes of the attempts
    "push_tallies",
    metadata,
    Column("channel_id", Big, primary_key=True, autoincrement=False),
    Column("what", Text, primary_key=True),
    Column("times", Big, nullable=False),
)

push_hours = sa.Table(  # numbers told by the hour, for some days
    "push_hours",
    metadata,
    Column("channel_id", Big, primary_key=True, autoincrement=False),
    Column("hour", Big, primary_key=True, autoincrement=False),  # it began at
    count("delivered"),
    count("failed"),
)

leases = sa.Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("until", Big, nullable=False),
)

incidents = sa.Table(
    "incidents",
    metadata,
    id_(),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    ref("channel_id", "channels", nullable=True),
    text("message"),
    text("details", "{}"),
    count("times", 1),
    Column("opened_at", Big, nullable=False),
    Column("seen_at", Big, nullable=False),
    Column("closed_at", Big),
    Column("units", Big),  # how bad it is, where that is followed; 0 once it is over
    Column("resolved_at", Big),
    Column("resolved_by", Text),
    Column("resolution", Text),
    Column("snoozed_until", Big),  # a person will look again then
    Index(None, "kind", "subject"),
)
