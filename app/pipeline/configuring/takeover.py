"""Taking a store or till over, step by step: `onecount connect` and the dashboard's page
do the same. Nothing is written before `load`, and nothing is ever published.

Each step may be done again: it changes only what is not so yet.
"""

from collections.abc import Callable, Mapping, Sequence

from sqlalchemy.engine import Connection, Engine, RowMapping

import adapters
from adapters.base import Adapter
from app.domain.connecting import Subscribed, TheirItem
from app.domain.errors import BadConfiguration, HubError
from app.domain.instants import now
from app.pipeline.acts.facts import Waker
from app.pipeline.configuring import connecting, loading, switching
from app.pipeline.configuring.configuration import read
from app.pipeline.configuring.connecting import Asked, Proposal
from app.pipeline.configuring.matching import Matching, match
from app.pipeline.configuring.opening import Opened, Opening
from app.pipeline.configuring.switching import Would
from app.pipeline.configuring.wanted import Surroundings
from app.pipeline.publishing.reaching import reach
from app.pipeline.publishing.tuning import Tuning
from app.pipeline.spreadsheets import importing
from app.pipeline.spreadsheets.importing import Imported, Work
from app.pipeline.watching import subscribing
from app.store.configuration import channels
from app.store.engine import reading
from app.store.vault import Vault

Count = Callable[[int], None]
"""Hears how many items were read so far."""


class Takeover:
    """One connecting, from what was asked to the comparison.

    Every step may raise RetryLater, GiveUp or CredentialsRefused.
    """

    def __init__(
        self,
        engine: Engine,
        vault: Vault,
        settings: Tuning,
        wakes: Waker,
        asked: Asked,
        around: Surroundings,
    ) -> None:
        self.asked = asked
        self._engine = engine
        self._vault = vault
        self._settings = settings
        self._wakes = wakes
        self._around = around

    def reach(self) -> Adapter:
        """The adapter of what was asked; nothing is called yet.

        Raises BadConfiguration with everything that is wrong with it.
        """
        with reading(self._engine) as connection:
            known = loading.known(connection)
            self._refuse_taken(connection)
        return connecting.reach_asked(self.asked, self._around, known, self._settings)

    def _refuse_taken(self, connection: Connection) -> None:
        rows = {row["key"]: row for row in channels.rows(connection)}
        row = rows.get(self.asked.key)
        if row is None:
            return
        if row["publish"] is not None:
            raise BadConfiguration(
                f"{row['key']} is published to already; change it in its file, or give "
                "this one another key",
                "key",
            )
        if row["provider"] != self.asked.provider:
            raise BadConfiguration(
                f"{row['key']} is a channel of {row['provider']}; give this one another "
                "key",
                "key",
            )
        before, asked = channels.settings_of(row), self.asked.settings
        for name in adapters.get(row["provider"]).required_settings:
            if str(before.get(name)).lower() != str(asked.get(name)).lower():
                raise BadConfiguration(
                    f"{row['key']} is {before.get(name)} already; give this one another "
                    "key, or remove that one first",
                    "key",
                )

    def look(
        self, given: Mapping[str, str], count: Count = lambda _: None
    ) -> tuple[list[Proposal], Matching]:
        """Its locations, as `given` (ours → theirs) or proposed, and how its items fit.

        Raises BadConfiguration for a location that it does not have.
        """
        adapter = self.reach()
        items = []
        for item in adapter.items():
            items.append(item)
            count(len(items))
        places = adapter.places()
        with reading(self._engine) as connection:
            proposed = connecting.propose(connection, places, given)
            return proposed, match(connection, items, self.asked.key)

    def check(self, proposed: Sequence[Proposal]) -> None:
        """Raise BadConfiguration if it could not be loaded like that."""
        with reading(self._engine) as connection:
            known = loading.known(connection)
        read(as_file(self.asked, proposed).encode(), self._around, known)

    def load(self, proposed: Sequence[Proposal]) -> None:
        """Make the channel; it listens only."""
        with reading(self._engine) as connection:
            self._refuse_taken(connection)
        text = as_file(self.asked, proposed).encode()
        loaded = loading.load(self._engine, self._vault, text, self._around, now())
        for lane in sorted(loaded.lanes):
            self._wakes.wake(lane)

    def fit(self, matching: Matching, *, opening: bool) -> list[tuple[str, Imported]]:
        """Say which of its items are which SKU; `opening` adds those nobody knows."""
        work = Work(self._engine, self._wakes, now())
        done = []
        if opening:
            done.append(("new SKUs", importing.import_skus(work, matching.new_skus())))
        sheet = matching.listings(self.asked.key, with_new=opening)
        return [*done, ("listings", importing.import_listings(work, sheet))]

    def subscribe(self) -> Subscribed | None:
        """Register its webhooks; None where the provider could not reach us."""
        row = self._row()
        if not subscribing.hears(row, self._settings):
            return None
        try:
            return subscribing.subscribe(self._engine, self._vault, row, self._settings)
        except HubError as error:
            return Subscribed(problems=(f"They cannot be looked after now. {error}",))

    def open(self, pairs: Sequence[tuple[str, TheirItem]]) -> Opened:
        """Take its open orders and its numbers over."""
        row = self._row()
        with reading(self._engine) as connection:
            adapter = reach(connection, self._vault, row, self._settings)
        return Opening(self._engine, self._vault, adapter, self._wakes).take(pairs)

    def compare(self) -> list[Would]:
        """What publishing to it would change, number by number; nothing is sent."""
        return switching.preview(
            self._engine, self._vault, self._settings, self.asked.key, {}, now()
        )

    def _row(self) -> RowMapping:
        with reading(self._engine) as connection:
            return channels.row(connection, self.asked.key)


def as_file(asked: Asked, proposed: Sequence[Proposal]) -> str:
    """The file that describes the channel and what is new of its locations."""
    mapped = {one.code: one.theirs.id for one in proposed}
    return connecting.as_toml(asked, [one for one in proposed if one.is_new], mapped)
