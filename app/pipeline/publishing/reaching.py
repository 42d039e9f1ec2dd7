"""Reaching a channel: its adapter, as the settings allow it to call."""

import structlog
from sqlalchemy.engine import Connection, RowMapping

import adapters
from adapters.base import Adapter
from adapters.http import Http
from app.domain.errors import RetryLater
from app.pipeline.publishing.tuning import Tuning
from app.pipeline.receive import with_address
from app.store.configuration import channels
from app.store.vault import Vault

log = structlog.get_logger()


def reach(
    connection: Connection, vault: Vault, row: RowMapping, settings: Tuning
) -> Adapter:
    """The adapter of a channel whose row was read; nothing is called yet."""
    told = channels.by_id(connection, vault, row["id"])
    told = with_address(told, settings.public_url)
    kind = adapters.get(told.provider)
    http = Http(
        kind.title,
        told.key,
        deadline=settings.push_deadline_seconds,
        private=row["private_addresses"],
    )
    return kind(told, http)


def fault(key: str, error: Exception) -> RetryLater:
    """What our own adapter of this channel failed on, as a call that failed: it is tried
    again ever later, and seen by people, instead of stopping the channel's lane."""
    log.exception("adapter failed", channel=key)
    return RetryLater(f"our adapter failed ({type(error).__name__})", unknown=True)
