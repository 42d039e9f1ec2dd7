"""The subscription watchdog: every channel's webhooks come to us, all of them.

Providers drop subscriptions that failed for a while, and people delete them. Once an
hour each channel that can be asked is: what lacks is registered again, and what only a
person can do becomes an incident. Topics that a provider refuses are polled for.
"""

from typing import Any, Final

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection, Engine, RowMapping

import adapters
from adapters.base import Adapter
from app.domain.connecting import Subscribed
from app.domain.errors import CredentialsRefused, HubError, RetryLater
from app.domain.instants import HOUR, MINUTE, Instant, now as clock
from app.pipeline.publishing.reaching import reach
from app.pipeline.publishing.tuning import Tuning
from app.store.configuration import channels as channel_store
from app.store.engine import reading, writing
from app.store.vault import Vault
from app.store.watching import incidents

log = structlog.get_logger()

UNHEARD: Final = "webhooks"
"""The kind of incident that says a channel's webhooks are not as they should be."""
EVERY: Final[Instant] = HOUR
LATER: Final[Instant] = 10 * MINUTE
"""When a channel that did not answer is asked again."""


def address(channel_key: str, settings: Tuning) -> str:
    """Where a channel's webhooks are to be sent."""
    return f"{settings.public_url.rstrip('/')}/webhooks/{channel_key}"


def hears(row: Any, settings: Tuning) -> bool:
    """Whether the provider could reach us: they all want https (a stand-in does not)."""
    return settings.public_url.startswith("https://") or row["base_url"] is not None


def due(connection: Connection, settings: Tuning, now: Instant) -> list[RowMapping]:
    """Rows of the channels whose webhooks are to be looked at now."""
    rows = channel_store.rows(connection)
    return [row for row in rows if is_due(row, settings, now)]


def is_due(row: RowMapping, settings: Tuning, now: Instant) -> bool:
    """Whether a channel's webhooks are ours to look after, and it is time to."""
    return bool(
        row["webhooks_due_at"] <= now
        and settings.public_url.startswith("https://")
        and row["provider"] in adapters.names()
        and adapters.get(row["provider"]).subscribes
        and row["disconnected_at"] is None
        and (row["reads_held_until"] or 0) <= now
        and row["paused_reason"] != "credentials refused"
    )


class Watchdog:
    """Looks after channels' webhooks. One per worker process."""

    def __init__(self, engine: Engine, vault: Vault, settings: Tuning) -> None:
        self._engine = engine
        self._vault = vault
        self._settings = settings

    def look(self, key: str) -> None:
        """Look after one channel's webhooks, if it is time to."""
        with reading(self._engine) as connection:
            row = channel_store.row(connection, key)
        if not is_due(row, self._settings, clock()):
            return
        wait, wrong = EVERY, list[str]()
        try:
            found = subscribe(self._engine, self._vault, row, self._settings)
            wrong = list(found.problems)
            _note(key, found)
        except RetryLater as error:
            log.info("webhooks not looked at", channel=key, error=str(error))
            wait, wrong = LATER, []
        except CredentialsRefused as error:
            wrong = [f"Put in credentials that may look after its webhooks. {error}"]
        except HubError as error:
            wrong = [f"Run `onecount channels check {key}`. {error}"]
        except sa.exc.SQLAlchemyError:
            raise
        except Exception as error:
            # Whatever it is, the channel's orders must go on being read.
            log.exception("watchdog failed", channel=key)
            wrong = [f"Our adapter failed ({type(error).__name__})."]
        self._settle(row, wait, wrong)

    def _settle(self, row: RowMapping, wait: Instant, wrong: list[str]) -> None:
        key, now = row["key"], clock()
        with writing(self._engine) as connection:
            channel_store.webhooks_due(connection, row["id"], now + wait)
            if wrong:
                words = f"Webhooks of {key} may not reach us. {' '.join(wrong)}"
                kind, channel_id = UNHEARD, row["id"]
                incidents.open_incident(
                    connection, kind, key, words, now=now, channel_id=channel_id
                )
            elif wait == EVERY:
                incidents.close_incidents(connection, UNHEARD, key, now)


def _note(key: str, found: Subscribed) -> None:
    if found.mended:
        log.warning("webhooks registered", channel=key, topics=list(found.mended))
    for words in found.refused:
        log.warning("webhooks refused, polled for instead", channel=key, why=words)


def subscribe(
    engine: Engine, vault: Vault, row: RowMapping, settings: Tuning
) -> Subscribed:
    """Register what lacks of a channel's webhooks; keep the key they are signed with.

    Raises RetryLater, GiveUp or CredentialsRefused.
    """
    key = row["key"]
    with reading(engine) as connection:
        adapter = reach(connection, vault, row, settings)
    found = adapter.subscribe(_heard_at(adapter, settings), mend=True)
    if found.secret is not None:
        with writing(engine) as connection:
            channel_store.add_secret(
                connection, vault, key, "webhook", found.secret, clock()
            )
    return found


def look_only(adapter: Adapter, row: RowMapping, settings: Tuning) -> list[str]:
    """What is wrong with a channel's webhooks, each one sentence with what to do.

    Raises RetryLater, GiveUp or CredentialsRefused.
    """
    if not adapter.subscribes or not settings.public_url.startswith("https://"):
        return []
    found = adapter.subscribe(_heard_at(adapter, settings), mend=False)
    if not found.missing:
        return list(found.problems)
    words = (
        f"It does not send us {', '.join(found.missing)}: the watchdog registers what "
        "it may within the hour, and polls for the rest"
    )
    return [*found.problems, words]


def _heard_at(adapter: Adapter, settings: Tuning) -> str:
    """The address as the adapter checks signatures with, where that matters."""
    told = adapter.channel.settings.get("notification_url")
    return str(told or address(adapter.channel.key, settings))
