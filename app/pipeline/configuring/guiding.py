"""Connecting at the dashboard: a person asks, looks and agrees; what takes long is done in
the background and told in its row, so that nobody's request waits for it.

`begin` checks what was asked; `Guide.advance` looks; `choose` is the person's word; and
`Guide.advance` takes the channel over. The steps are those of `takeover`.
"""

import json
import os
import socket
import time
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, Protocol

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Engine, RowMapping

from app.domain.connecting import Subscribed, TheirItem, TheirPlace
from app.domain.errors import BadConfiguration, HubError
from app.domain.instants import Instant
from app.pipeline.acts.facts import Waker
from app.pipeline.configuring import connecting
from app.pipeline.configuring.connecting import Asked, Proposal
from app.pipeline.configuring.matching import Matching
from app.pipeline.configuring.switching import Would
from app.pipeline.configuring.takeover import Count, Takeover, as_file
from app.pipeline.configuring.wanted import Surroundings
from app.pipeline.publishing.tuning import Tuning
from app.pipeline.watching import subscribing
from app.store import leases
from app.store.configuration import connectings as store
from app.store.engine import reading, writing
from app.store.vault import Vault

log = structlog.get_logger()

NAMED: Final = 100
"""How many of a list are kept to be shown."""
LEASE_SECONDS: Final = 120.0
"""After so long without a word, the process that was at it is taken for dead."""
TOLD_SECONDS: Final = 1.0
"""How often it is told how many items were read."""

Fields = dict[str, list[str]]
"""Field → what is wrong with it, in sentences; "" is none in particular."""


class Guidance(Tuning, Protocol):
    """The settings that matter here."""

    @property
    def private_addresses(self) -> bool:
        """Whether the dashboard may name an address inside the own network."""


class Unfit(HubError):
    """What was asked cannot be connected; `fields` says why."""

    def __init__(self, fields: Fields) -> None:
        super().__init__("; ".join(one for found in fields.values() for one in found))
        self.fields = fields


class Guide:
    """Leads through connecting. One per process that takes part in it."""

    def __init__(
        self, engine: Engine, vault: Vault, settings: Guidance, wakes: Waker
    ) -> None:
        self._engine = engine
        self._vault = vault
        self._settings = settings
        self._wakes = wakes
        self._holder = f"{socket.gethostname()}:{os.getpid()}"

    # -- what a person does ----------------------------------------------------

    def begin(self, asked: Asked, actor: str, now: Instant) -> int:
        """Try the credentials, and keep what was asked; return its id.

        Raises Unfit; then nothing is kept.
        """
        if wrong := _references(asked):
            raise Unfit(wrong)
        try:
            adapter = self._takeover(asked).reach()
        except BadConfiguration as error:
            raise Unfit(_by_field(error)) from error
        if wrong := connecting.refusals(adapter):
            raise Unfit(wrong)
        sealed = self._vault.seal_json(asdict(asked))
        with writing(self._engine) as connection:
            return store.put(connection, asked.key, asked.provider, sealed, actor, now)

    def choose(
        self, row: RowMapping, places: Iterable[tuple[str, str]], *, opening: bool
    ) -> dict[str, str]:
        """Connect it like that: `places` are its locations' ids, each with a code of
        ours or of a location to be made. Return our codes → its ids.

        Raises BadConfiguration.
        """
        given: dict[str, str] = {}
        for theirs, code in places:
            if given.setdefault(code, theirs) != theirs:
                raise BadConfiguration(f"{code} was chosen for two of its locations")
        known = [
            TheirPlace(one["id"], one["name"])
            for one in json_of(row, "found")["places"]
        ]
        if known and not given:
            raise BadConfiguration("Choose at least one location")
        with reading(self._engine) as connection:
            proposed = connecting.propose(connection, known, given)
        self._takeover(self._asked(row)).check(proposed)
        with writing(self._engine) as connection:
            chosen = {"places": given, "opening": opening}
            store.move(
                connection, row["id"], (store.FOUND, store.TAKING), chosen=chosen
            )
        return given

    # -- what is done in the background ------------------------------------------

    def advance(self) -> None:
        """Do what is to be done for every one that is under way."""
        with reading(self._engine) as connection:
            rows = store.at_work(connection)
        for row in rows:
            name = _lease(row["id"])
            with writing(self._engine) as connection:
                mine = leases.acquire(connection, name, self._holder, LEASE_SECONDS)
            if mine:
                self._work(row)
                with writing(self._engine) as connection:
                    leases.release(connection, name, self._holder)

    def _work(self, row: RowMapping) -> None:
        try:
            if row["state"] == store.LOOKING:
                self._look(row)
            else:
                self._take(row)
        except HubError as error:
            self._say(row, wrong=f"{error}.")
        except sa.exc.SQLAlchemyError:
            raise
        except Exception as error:
            log.exception("connecting failed", channel=row["key"])
            words = f"Our side failed ({type(error).__name__}); it is in the log."
            self._say(row, wrong=words)

    def _look(self, row: RowMapping) -> None:
        self._say(row, doing="Its items are read.")
        asked = self._asked(row)
        proposed, matching = self._takeover(asked).look({}, self._counting(row))
        found = {"places": list(map(_place, proposed)), "items": _items(matching)}
        with writing(self._engine) as connection:
            store.move(connection, row["id"], (store.LOOKING, store.FOUND), found=found)

    def _take(self, row: RowMapping) -> None:
        asked, chosen = self._asked(row), json_of(row, "chosen")
        takeover, opening = self._takeover(asked), chosen["opening"]
        self._say(row, doing="Its items are read again.")
        proposed, matching = takeover.look(chosen["places"], self._counting(row))
        self._say(row, doing="It is set up, and its items are listed.")
        takeover.load(proposed)
        fitted = takeover.fit(matching, opening=opening)
        done: dict[str, Any] = {"file": as_file(asked.with_references(), proposed)}
        done["fitted"] = [
            (what, one.loaded, [problem.words for problem in one.problems][:NAMED])
            for what, one in fitted
        ]
        self._say(row, doing="Its webhooks are registered.")
        heard = takeover.subscribe()
        done["address"] = subscribing.address(asked.key, self._settings)
        done["webhooks"] = None if heard is None else _without_secret(heard)
        if opening:
            self._say(row, doing="Its open orders and numbers are taken over.")
            done["opened"] = asdict(takeover.open(matching.pairs(with_new=True)))
        self._say(row, doing="What it shows is compared with what it would be shown.")
        done |= _compared(takeover.compare())
        with writing(self._engine) as connection:
            store.move(connection, row["id"], (store.TAKING, store.DONE), done=done)

    def _say(self, row: RowMapping, **words: str) -> None:
        with writing(self._engine, durable=False) as connection:
            leases.acquire(connection, _lease(row["id"]), self._holder, LEASE_SECONDS)
            store.say(connection, row["id"], **words)

    def _counting(self, row: RowMapping) -> Count:
        told = time.monotonic()

        def count(items: int) -> None:
            nonlocal told
            if time.monotonic() - told > TOLD_SECONDS:
                told = time.monotonic()
                self._say(row, doing=f"Its items are read: {items:,} so far.")

        return count

    def _asked(self, row: RowMapping) -> Asked:
        return Asked(**self._vault.open_json(row["asked"]))

    def _takeover(self, asked: Asked) -> Takeover:
        around = Surroundings({}, Path(), self._settings.private_addresses)
        return Takeover(
            self._engine, self._vault, self._settings, self._wakes, asked, around
        )


def json_of(row: RowMapping, name: str) -> Any:
    """What a row keeps under that name."""
    return json.loads(row[name])


def _lease(connecting_id: int) -> str:
    return f"connecting:{connecting_id}"


def _references(asked: Asked) -> Fields:
    """A page is no shell: nobody reads this machine's files and variables with it."""
    words = "Paste the secret itself: env: and file: are for files that are loaded."
    return {
        f"secrets.{name}": [words]
        for name, values in asked.secrets.items()
        if any(one.startswith(("env:", "file:")) for one in values)
    }


def _by_field(error: BadConfiguration) -> Fields:
    found: Fields = {}
    for place, words in error.problems:
        # A place is written `channel[1] "web": settings.shop`; a plain one is a field.
        _, colon, name = place.rpartition(": ")
        found.setdefault(name if colon or "[" not in place else "", []).append(words)
    return found


def _place(one: Proposal) -> dict[str, Any]:
    theirs = asdict(one.theirs)
    return {**theirs, "code": one.code, "is_new": one.is_new}


def _items(matching: Matching) -> dict[str, Any]:
    """How many fit, and of what does not: how many, and the first of their names."""
    lists: dict[str, list[Any]] = {
        "new": [one.sku for one in matching.new],
        "nameless": [one.name or one.external_id for one in matching.nameless],
        "twins": [(sku, _ids(some)) for sku, some in matching.twins.items()],
        "absent": matching.absent,
    }
    return {
        "by_sku": len(matching.by_sku),
        "by_barcode": len(matching.by_barcode),
        "listed": len(matching.listed),
        **{name: (len(all_), all_[:NAMED]) for name, all_ in lists.items()},
    }


def _ids(items: list[TheirItem]) -> list[str]:
    return [one.external_id for one in items][:NAMED]


def _without_secret(heard: Subscribed) -> dict[str, Any]:
    told = asdict(heard)
    del told["secret"]
    return told


def _compared(found: list[Would]) -> dict[str, Any]:
    changed = [one for one in found if one.changes]
    return {
        "numbers": len(found),
        "changes": len(changed),
        "changed": [asdict(one) for one in changed[:NAMED]],
    }
