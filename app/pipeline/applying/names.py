"""What a source calls a SKU or a place, looked up for a whole batch at once."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy.engine import Connection

from app.domain.events import StockEvent
from app.pipeline.applying.hearing import Said
from app.pipeline.house import House, Place
from app.store import bulk
from app.store.stock import aliases


@dataclass(slots=True)
class Names:
    """Answers for one batch; `waits_for` names what nobody has told us of yet."""

    house: House
    listed: dict[tuple[int, str], int] = field(default_factory=dict)
    parents: dict[tuple[int, str], int] = field(default_factory=dict)
    skus: dict[str, int] = field(default_factory=dict)

    def sku_id(self, channel: Place | None, event: StockEvent) -> int | None:
        """Our SKU: by the listing's ids, else by the SKU as the source wrote it."""
        if channel is not None:
            if event.external_id is not None:
                return self.listed.get((channel.id, event.external_id))
            if event.external_parent_id is not None:
                return self.parents.get((channel.id, event.external_parent_id))
            listed = self.listed.get((channel.id, event.sku or ""))
            if listed is not None or event.sku in channel.not_stock:
                return listed
        return self.skus.get(event.sku or "")

    def listing(self, channel: Place, event: StockEvent) -> str | None:
        """The external id of the listing that is meant; None where it is our SKU."""
        word = event.external_id or event.sku or ""
        return word if (channel.id, word) in self.listed else None

    def location_id(self, channel: Place | None, place: str) -> int | None:
        """Our location: the channel's own name if it maps any, else our code."""
        if channel is not None and channel.by_external:
            return channel.by_external.get(place)
        return self.house.codes.get(place)


def missing_sku(channel: Place | None, event: StockEvent) -> str:
    """What an event with an unknown SKU waits for."""
    return sku_of(channel.key if channel else "", event.item or "")


def sku_of(channel_key: str, item: str) -> str:
    """The SKU of a channel's item, as something to wait for."""
    return f"sku:{channel_key}:{item}"


def missing_location(channel: Place | None, place: str | None) -> str:
    """What an event with an unknown place waits for."""
    return f"location:{channel.key if channel else ''}:{place or ''}"


def look_up(connection: Connection, house: House, heard: Sequence[Said]) -> Names:
    """Find every SKU that these events may mean and do not say, in at most three queries.

    A fourth asks for aliases, only when a text is neither listed nor a SKU's code.
    """
    names = Names(house)
    senders: set[int] = set()
    external: set[str] = set()
    parents: set[str] = set()
    words: set[str] = set()
    for said in heard:
        event = said.event
        if said.verdict.meant.sku_id is not None:
            continue
        if said.channel is not None:
            senders.add(said.channel.id)
        if event.external_id is not None:
            external.add(event.external_id)
            continue
        if event.external_parent_id is not None:
            parents.add(event.external_parent_id)
        if event.sku:
            words.add(event.sku)
    names.listed = _listed(connection, senders, "external_id", external | words)
    names.parents = _listed(connection, senders, "external_parent_id", parents)
    names.skus = aliases.codes(connection, words)
    unknown = words - names.skus.keys() - {word for _, word in names.listed}
    names.skus |= aliases.of_aliases(connection, unknown)
    return names


def _listed(
    connection: Connection, senders: set[int], column: str, values: set[str]
) -> dict[tuple[int, str], int]:
    """(channel, external id) → SKU, by the index on these two.

    What was sold of an item that is gone since is told late: it still is that SKU.
    """
    if not senders or not values:
        return {}
    found = bulk.select(
        connection,
        f"SELECT channel_id, {column}, sku_id FROM listings "
        f"WHERE channel_id IN ({', '.join(map(str, sorted(senders)))}) "
        f"AND {column} {{among}} ORDER BY gone_at IS NULL, id DESC",
        sorted(values),
    )
    return {(channel, name): sku for channel, name, sku in found}
