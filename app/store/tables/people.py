"""People: users, their sessions, invitations, tokens, idempotency keys and the audit
log."""

import sqlalchemy as sa
from sqlalchemy import Column, Index, UniqueConstraint

from app.store.tables.columns import Big, Text, count, id_, metadata, ref, text

users = sa.Table(
    "users",
    metadata,
    id_(),
    Column("email", Text, nullable=False, unique=True),
    Column("password_hash", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("created_at", Big, nullable=False),
    Column("disabled_at", Big),
    Column("totp_secret", Text),  # sealed
    Column("totp_since", Big),  # the second factor is asked for; NULL: it is not
    count("totp_step"),  # the last code that was taken: it is not good twice
    text("recovery", "[]"),  # JSON: hashes of the recovery codes that are left
)

sessions = sa.Table(
    "sessions",
    metadata,
    id_(),
    ref("user_id", "users"),
    Column("token_hash", Text, nullable=False, unique=True),
    Column("created_at", Big, nullable=False),
    Column("seen_at", Big, nullable=False),
    text("agent"),  # what the browser calls itself
    text("address"),
    Column("ended_at", Big),
    Index(None, "user_id"),
)

invitations = sa.Table(  # links that were not used yet
    "invitations",
    metadata,
    id_(),
    Column("email", Text, nullable=False, unique=True),
    Column("role", Text, nullable=False),
    ref("user_id", "users", nullable=True),  # who lost the password; NULL: who is new
    Column("token_hash", Text, nullable=False, unique=True),
    Column("invited_by", Text, nullable=False),
    Column("created_at", Big, nullable=False),
    Column("expires_at", Big, nullable=False),
)

api_tokens = sa.Table(
    "api_tokens",
    metadata,
    id_(),
    Column("name", Text, nullable=False),
    Column("token_hash", Text, nullable=False, unique=True),
    Column("role", Text, nullable=False),
    Column("created_at", Big, nullable=False),
    Column("revoked_at", Big),
)

idempotency_keys = sa.Table(
    "idempotency_keys",
    metadata,
    id_(),
    ref("token_id", "api_tokens"),
    Column("path", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("body_hash", Text, nullable=False),
    Column("status", Big, nullable=False),
    Column("answer", Text, nullable=False),
    Column("created_at", Big, nullable=False),
    UniqueConstraint("token_id", "path", "key"),
)

views = sa.Table(  # filters of the list of deliveries that a person has kept
    "views",
    metadata,
    id_(),
    ref("user_id", "users"),
    Column("name", Text, nullable=False),
    text("filters", "{}"),
    UniqueConstraint("user_id", "name"),
)

audit_log = sa.Table(
    "audit_log",
    metadata,
    id_(),
    Column("at", Big, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    text("details", "{}"),
    Index(None, "at", "id"),
    Index(None, "actor", "at", "id"),
)
