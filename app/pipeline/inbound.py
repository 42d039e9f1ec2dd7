"""Inbound: claim messages, keep only our fields, normalise, apply. Step 3.

Before: `receive`. Next: `apply`, in the same transaction; then `publish`.
A message that cannot be applied is buried alone; its neighbours go on.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection, Engine

import adapters
from adapters.base import Adapter
from adapters.http import Http
from app.domain.errors import HubError, KeyMissing, MalformedPayload
from app.domain.events import Message
from app.domain.ignoring import without_copies
from app.domain.instants import Instant
from app.pipeline.apply import apply
from app.pipeline.applying.paying import with_payment
from app.pipeline.configuring import listings, parked
from app.pipeline.house import House, HouseKeeper
from app.pipeline.opened import Opened, settled, told_of, waits_for_fetch, words_of
from app.store.configuration import channels as channel_store
from app.store.engine import applying, reading
from app.store.receiving import waiting as store
from app.store.receiving.waiting import Stored
from app.store.tables import channels
from app.store.trouble import REFUSED, trouble
from app.store.vault import Vault
from app.store.watching import incidents

log = structlog.get_logger()


class Inbound:
    """Applies what waits in the inbox. One per process."""

    def __init__(self, engine: Engine, vault: Vault, batch: int = 100) -> None:
        self._engine = engine
        self._vault = vault
        self._batch = batch
        self._keeper = HouseKeeper()
        self._adapters: dict[int, Adapter] = {}
        self._mark: channel_store.Mark | None = None
        self.woken: set[str] = set()
        """Lanes that have work since these were last taken out."""

    def run(self, now: Instant) -> int:
        """Apply one batch of what waits; return how many messages were claimed."""
        with reading(self._engine) as connection:
            ids = store.longest(connection, self._batch)
        if ids:
            self._apply(ids, now)
        return len(ids)

    def _apply(self, ids: Sequence[int], now: Instant) -> None:
        try:
            with applying(self._engine) as connection:
                self._batch_of(connection, ids, now)
        except Exception as error:
            if trouble(error) is not None or isinstance(error, KeyMissing):
                # It is the database itself, or our secret key: nothing is wrong with
                # the messages.
                raise
            if len(ids) == 1:
                self._bury(ids[0], error, now)
                return
            half = len(ids) // 2
            self._apply(ids[:half], now)
            self._apply(ids[half:], now)

    def _batch_of(
        self, connection: Connection, ids: Sequence[int], now: Instant
    ) -> None:
        house = self._keeper.house(connection)
        if self._mark != house.mark:
            self._adapters, self._mark = {}, house.mark
        rows = store.claim(connection, ids)
        # Its channel was removed while it came: nothing had happened there before.
        lost = [row.id for row in rows if row.channel_id not in house.channels]
        store.let_go(connection, lost)
        opened = [self._open(connection, row) for row in rows if row.id not in lost]
        good = [one for one in opened if one.said is not None]
        told = [with_payment(house, told_of(one)) for one in good]
        applied, has_named = apply(connection, house, told, now), False
        for one, verdicts in zip(good, applied.verdicts, strict=True):
            one.verdicts = verdicts
            self._read_again(connection, one, now)
            has_named = self._keep_up(connection, house, one, now) or has_named
        store.settle(connection, [settled(one, now) for one in opened])
        if has_named:
            applied.wake |= parked.unpark(connection, house, now)
        self._wake(house, opened, applied.wake)

    def _wake(self, house: House, opened: Sequence[Opened], ids: set[int]) -> None:
        for one in opened:
            if waits_for_fetch(one):
                key = house.channels[one.row.channel_id].key
                self.woken.add(f"fetch:{key}")
        self.woken |= {f"outbound:{house.channels[one].key}" for one in ids}

    def _open(self, connection: Connection, row: Stored) -> Opened:
        one = Opened(row)
        try:
            adapter = self._adapter(connection, row.channel_id)
            one.document = self._document(adapter, row)
            headers = json.loads(row.headers)
            one.topic = row.topic or adapter.topic(headers, one.document)
            message = Message(
                one.topic,
                one.document,
                row.received_at,
                headers,
                json.loads(row.fetched) if row.fetched else None,
                row.fetched_at,
            )
            one.said = without_copies(
                adapter.normalise(message), adapter.channel.ignore, row.received_at
            )
        except (sa.exc.SQLAlchemyError, KeyMissing):
            # Reading the channel failed, not the message.
            raise
        except HubError as error:
            one.error = str(error)
        except Exception as error:
            log.exception("normalise failed", inbox_id=row.id, topic=one.topic)
            one.error = f"our adapter failed on this message ({type(error).__name__})"
        return one

    def _document(self, adapter: Adapter, row: Stored) -> Any:
        if row.document is not None:
            return json.loads(row.document)
        if row.body is None:
            raise MalformedPayload("its body is not kept any more; have it sent again")
        try:
            return adapter.document(self._vault.open(row.body))
        except KeyMissing as error:
            # The channel's secrets are open: the key of this one is forgotten.
            raise MalformedPayload(f"{error}, or have it sent again") from error

    def _read_again(self, connection: Connection, one: Opened, now: Instant) -> None:
        """Let an order be read whose webhooks tie; else let a person decide."""
        tie = next((verdict for verdict in one.verdicts if verdict.reread), None)
        if tie is None or one.said is None or one.row.fetched is not None:
            return
        adapter = self._adapter(connection, one.row.channel_id)
        read = adapter.reread(str(tie.reread))
        if read is not None:
            one.said = replace(one.said, read=read)
            return
        incidents.open_incident(
            connection,
            "contradiction",
            tie.key,
            f"{tie.key} was told twice in one second, with different numbers, and the "
            f"order cannot be read: a person must decide",
            channel_id=one.row.channel_id,
            now=now,
        )

    def _adapter(self, connection: Connection, channel_id: int) -> Adapter:
        known = self._adapters.get(channel_id)
        if known is None:
            channel = channel_store.by_id(connection, self._vault, channel_id)
            kind = adapters.get(channel.provider)
            known = kind(channel, Http(kind.title, channel.key))
            self._adapters[channel_id] = known
        return known

    def _keep_up(
        self, connection: Connection, house: House, one: Opened, now: Instant
    ) -> bool:
        """Follow what a message says of its channel; return whether what waits for a
        name may be known by it now."""
        if one.said is None:
            return False
        channel = house.channels[one.row.channel_id]
        is_old = one.row.is_read_again
        named = [
            listings.keep_up(connection, channel.id, seen, now, is_old=is_old)
            for seen in one.said.listings
        ]
        # Who said good-bye long ago may have come back since.
        if one.said.disconnected is not None and not is_old:
            connection.execute(
                channels.update()
                .where(channels.c.id == channel.id)
                .values(disconnected_at=now, last_error=one.said.disconnected)
            )
        return any(named)

    def _bury(self, inbox_id: int, error: Exception, now: Instant) -> None:
        log.error("buried", inbox_id=inbox_id, exc_info=error)
        with applying(self._engine) as connection:
            one = self._open(connection, store.message(connection, inbox_id))
            if one.said is not None and isinstance(error, REFUSED):
                self._take_line_by_line(connection, one, words_of(error), now)
            else:
                one.said = None
                one.error = one.error or f"cannot be applied: {words_of(error)}"
            store.settle(connection, [settled(one, now)])

    def _take_line_by_line(
        self, connection: Connection, one: Opened, why: str, now: Instant
    ) -> None:
        """Apply what the database lets pass of a message that it refused."""
        house = self._keeper.house(connection)
        told = with_payment(house, told_of(one))
        known = one.said.bad if one.said is not None else ()
        bad, verdicts = [], []
        for event in told.events:
            line = replace(told, events=[event], orders=())
            try:
                with connection.begin_nested():
                    applied = apply(connection, house, [line], now)
            except REFUSED as error:
                name = event.line or event.item
                bad.append(f"line {name} cannot be applied: {words_of(error)}")
            else:
                verdicts += applied.verdicts[0]
                self._wake(house, (), applied.wake)
        all_bad = (*known, *(bad or [f"it cannot be applied whole: {why}"]))
        if one.said is not None and verdicts:
            one.said, one.verdicts = replace(one.said, bad=all_bad), verdicts
        else:
            one.said, one.error = None, "; ".join(all_bad)
