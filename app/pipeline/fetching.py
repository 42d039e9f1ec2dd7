"""Fetching: webhooks that only point at something are read in their channel's lane.

A provider that hangs stops nobody else's sales: apply does no HTTP. What was fetched
is stored with the message, which then goes back to the applier.
"""

import json
import random
from collections import defaultdict
from collections.abc import Sequence
from itertools import islice
from typing import Any, Final
from uuid import uuid4

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Engine, RowMapping

from adapters.base import Adapter
from app.domain.errors import CredentialsRefused, HubError, RetryLater
from app.domain.events import Message, Read
from app.domain.instants import MINUTE, Instant, now as clock
from app.domain.retry import delay
from app.pipeline.publishing import circuit
from app.pipeline.publishing.reaching import fault, reach
from app.pipeline.publishing.tuning import Tuning, policy_of
from app.store import leases
from app.store.configuration import channels as channel_store
from app.store.engine import writing
from app.store.tables import inbox
from app.store.vault import Vault

log = structlog.get_logger()


ALIKE: Final = 5
"""So many messages are looked at for each read: some may want the same, as an order is
often told of by several webhooks at once."""


class Fetcher:
    """Reads what one channel's messages point at. One per worker process."""

    def __init__(self, engine: Engine, vault: Vault, settings: Tuning) -> None:
        self._engine = engine
        self._vault = vault
        self._settings = settings
        self._policy = policy_of(settings)
        self.holder = str(uuid4())

    def fetch_due(self, key: str, limit: int = 20) -> int:
        """Fetch for the oldest due messages; return how many went on to be applied.

        It makes up to `limit` reads. One serves all messages that want the same and were
        there before it.
        """
        now = clock()
        with self._engine.connect() as connection:
            told = channel_store.row(connection, key)
            if (told["reads_held_until"] or 0) > now:
                return 0
            waiting = connection.execute(
                sa.select(inbox)
                .where(
                    inbox.c.channel_id == told["id"],
                    inbox.c.state == "waiting",
                    inbox.c.lane == "fetch",
                    inbox.c.next_attempt_at <= now,
                )
                .order_by(inbox.c.id)
                .limit(limit * ALIKE)
            )
            wanting: dict[str, list[RowMapping]] = defaultdict(list)
            for row in waiting.mappings():
                wanting[row["wants"]].append(row)
            if not wanting:
                return 0
            adapter = reach(connection, self._vault, told, self._settings)
        done = 0
        for rows in islice(wanting.values(), limit):
            if not self.lease(key) or not self._fetch(adapter, rows):
                break
            if not done and _was_troubled(told):
                with writing(self._engine) as connection:
                    circuit.read_again(connection, adapter, now)
            done += len(rows)
        return done

    def lease(self, key: str) -> bool:
        """Take or renew the lease on the channel's fetches."""
        seconds = self._settings.lease_seconds
        with writing(self._engine) as connection:
            return leases.acquire(connection, f"fetch:{key}", self.holder, seconds)

    def release(self, key: str) -> None:
        """Give the lane back."""
        with writing(self._engine) as connection:
            leases.release(connection, f"fetch:{key}", self.holder)

    def _fetch(self, adapter: Adapter, rows: Sequence[RowMapping]) -> bool:
        """Fetch what some messages want; False when the channel itself is in trouble."""
        now, first = clock(), rows[0]
        message = Message(
            first["topic"],
            json.loads(first["document"]),
            first["received_at"],
            json.loads(first["headers"]),
        )
        try:
            fetched = adapter.fetch(message, Read(**json.loads(first["wants"])))
        except RetryLater as error:
            self._later(adapter, rows, error, now)
            return False
        except CredentialsRefused as error:
            if self._credentials(adapter, error, now):
                self._write(rows, error=str(error), next_attempt_at=now + 5 * MINUTE)
            return False
        except Exception as error:  # noqa: BLE001 - one message's fault, whatever it is
            known = isinstance(error, HubError)
            words = str(error if known else fault(adapter.channel.key, error))
            self._write(rows, state="buried", error=words, settled_at=now)
            return True
        kept = json.dumps(fetched)
        # The time before the call: what is read knows everything up to then.
        self._write(rows, fetched=kept, fetched_at=now, lane="apply", attempts=0)
        return True

    def _later(
        self,
        adapter: Adapter,
        rows: Sequence[RowMapping],
        error: RetryLater,
        now: Instant,
    ) -> None:
        with writing(self._engine) as connection:
            until = circuit.unread(connection, adapter, error, self._policy, now)
        if until is not None:
            # The channel is in trouble: no attempt is spent, and another message is
            # tried next, in case it was this one after all.
            self._write(rows, error=str(error), next_attempt_at=2 * until - now)
            return
        tries = max(row["attempts"] for row in rows) + 1
        values: dict[str, Any] = {"attempts": tries, "error": str(error)}
        if tries >= self._policy.limit:
            values |= {"state": "buried", "settled_at": now}
        else:
            chosen = delay(tries, error, self._policy, random.random)
            values["next_attempt_at"] = chosen.after(now)
        self._write(rows, **values)

    def _credentials(
        self, adapter: Adapter, error: CredentialsRefused, now: Instant
    ) -> bool:
        """Pause the channel and tell somebody; False where it has got others since."""
        refusal = self._vault, adapter, error, now
        with writing(self._engine) as connection:
            return circuit.credentials_refused(connection, *refusal)

    def _write(self, rows: Sequence[RowMapping], **values: Any) -> None:
        ids = [row["id"] for row in rows]
        with writing(self._engine) as connection:
            connection.execute(
                inbox.update()
                .where(inbox.c.id.in_(ids), inbox.c.state == "waiting")
                .values(**values)
            )


def _was_troubled(channel: RowMapping) -> bool:
    """Whether it is news that a read worked."""
    only_listens = channel["publish"] is None
    return bool(channel["reads_failed"] or (only_listens and channel["last_error"]))
