"""Switching a channel that only listens to publishing, after a look at what it changes.

The preview makes the change, works out every number, takes all of it back, and then
reads what the channel shows; a person decides.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, Final

from sqlalchemy.engine import Connection, Engine, RowMapping

import adapters
from app.domain.channels import Wish
from app.domain.errors import BadConfiguration
from app.domain.instants import Instant
from app.pipeline.acts.foreseeing import foresee
from app.pipeline.configuring.listings import lanes, publish_listings
from app.pipeline.configuring.revising import ruled_anew, wish_again
from app.pipeline.house import read_house
from app.pipeline.publishing import desired
from app.pipeline.publishing.reaching import reach
from app.pipeline.publishing.reading import question
from app.pipeline.publishing.ruling import check_own
from app.pipeline.publishing.tuning import Tuning
from app.pipeline.spreadsheets.importing import portions
from app.store.configuration import channels
from app.store.engine import reading
from app.store.keyset import every
from app.store.publishing import deliveries, publications
from app.store.vault import Vault

PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class Would:
    """What a listing would show at one of the channel's places."""

    sku: str
    place: str | None
    theirs: int | None
    """None: it shows no number, or cannot be asked."""
    ours: int

    @property
    def changes(self) -> bool:
        """Whether the channel would be told another number."""
        return self.theirs != self.ours


def switch_in(
    connection: Connection,
    key: str,
    publish: Mapping[str, Any],
    *,
    now: Instant,
    actor: str,
) -> set[str]:
    """Publish to a channel from now on, inside a caller's `applying` transaction.

    Returns the lanes to wake. Raises UnknownName, and BadConfiguration for a channel
    that publishes already or cannot.
    """
    before = read_house(connection)
    channel = before.known(key)
    if channel.publish is not None:
        raise BadConfiguration(f"{key} is published to already")
    _check(connection, key)
    check_own(before, channel, publish)
    mapped = {before.names[ours]: external for ours, external in channel.links}
    channels.republish(connection, channel.id, publish, mapped, now, actor)
    channels.mark_from_here(connection, channel.id)
    after = read_house(connection)
    again = ruled_anew(connection, before, after)
    woken = publish_listings(connection, after, now)
    woken |= wish_again(connection, again, now)
    return lanes(after, woken)


def _check(connection: Connection, key: str) -> None:
    row = channels.row(connection, key)
    kind = adapters.get(row["provider"])
    if not kind.publishes:
        raise BadConfiguration(
            f"{kind.title} shows no stock, so it cannot be published to"
        )
    given = channels.settings_of(row)
    for name in kind.publishing_needs:
        if not given.get(name):
            raise BadConfiguration(
                f"{key} cannot be published to without the setting {name}: "
                f"{kind.settings[name]}"
            )


def preview(
    engine: Engine,
    vault: Vault,
    settings: Tuning,
    key: str,
    publish: Mapping[str, Any],
    now: Instant,
    *,
    limit: int | None = None,
) -> list[Would]:
    """What publishing to a channel would change, listing by listing; nothing is done.

    At most `limit` numbers are looked at. Raises like `switch_in`, and RetryLater,
    GiveUp or CredentialsRefused where the channel's numbers cannot be read.
    """
    found: list[tuple[RowMapping, int]] = []

    def act(connection: Connection) -> None:
        switch_in(connection, key, publish, now=now, actor="preview")

    def rows(connection: Connection) -> Sequence[RowMapping]:
        page = partial(
            deliveries.page,
            connection,
            deliveries.Filter(channel=key),
            now=now,
            limit=PAGE,
        )
        listed = list(islice(every(page), limit))
        numbers = desired.numbers(connection, listed, now=now)
        found[:] = [(row, numbers[row["id"]]) for row in listed]
        return listed

    foresee(engine, act, rows, (), now)
    return _beside_theirs(engine, vault, settings, key, found)


def _beside_theirs(
    engine: Engine,
    vault: Vault,
    settings: Tuning,
    key: str,
    found: Sequence[tuple[RowMapping, int]],
) -> list[Would]:
    with reading(engine) as connection:
        adapter = reach(connection, vault, channels.row(connection, key), settings)
        codes = deliveries.places(connection)
    theirs: dict[int, int | None] = {}
    if adapter.reads:
        for some in portions([_wish(row) for row, _ in found], adapter.batch_limit):
            theirs |= {one.publication_id: one.available for one in adapter.read(some)}
    return [
        Would(
            row["sku"],
            codes.get((row["channel_id"], row["place"])),
            theirs.get(row["id"]),
            ours,
        )
        for row, ours in found
    ]


def _wish(row: RowMapping) -> Wish:
    names = publications.Names(
        row["sku"], row["external_id"], row["external_parent_id"]
    )
    return question(row, names)
