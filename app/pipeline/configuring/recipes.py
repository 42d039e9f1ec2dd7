"""Recipes: what a kit is made of, and every listing for which that is another number.

A recipe is in force from a time on, and what was ordered before keeps the one before.
So a recipe cannot begin before something that was told of the kit already.
"""

from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from app.domain.errors import BadConfiguration, UnknownName
from app.domain.instants import Instant, iso
from app.domain.kits import Recipe, Recipes
from app.domain.states import INCOMING, ON_HAND
from app.pipeline.applying.told import POSTED, SUPERSEDED
from app.pipeline.configuring.listings import add_sku, lanes
from app.pipeline.configuring.parked import unpark
from app.pipeline.configuring.revising import wish_again
from app.pipeline.house import read_house
from app.store.engine import applying
from app.store.stock import aliases, recipes as store
from app.store.tables import publications, stock_events, stock_levels

ALWAYS: Instant = 0
"""When the first recipe of a SKU begins that was never anything but a kit."""


def set_recipe(
    engine: Engine,
    sku: str,
    components: Mapping[str, int],
    *,
    now: Instant,
    since: Instant | None = None,
    actor: str | None = None,
) -> set[str]:
    """Say what a SKU is made of; return the lanes to wake.

    The kit is made when nobody knew it: what waits for it then applies as a kit. No
    components: it is no kit any more. Raises UnknownName and BadConfiguration.
    """
    with applying(engine) as connection:
        wanted = save_recipe(
            connection, sku, components, now=now, since=since, actor=actor
        )
        return publish(connection, wanted, now)


def publish(connection: Connection, kits: Collection[int], now: Instant) -> set[str]:
    """Want the numbers of these kits anew, and try what waited; the lanes to wake."""
    house = read_house(connection)
    found = connection.execute(
        sa.select(publications.c.id).where(publications.c.sku_id.in_(kits))
    )
    woken = wish_again(connection, found.scalars().all(), now)
    return lanes(house, woken | unpark(connection, house, now))


def save_recipe(
    connection: Connection,
    sku: str,
    components: Mapping[str, int],
    *,
    now: Instant,
    since: Instant | None = None,
    actor: str | None = None,
) -> set[int]:
    """Add a version; return the kits that are now made of something else."""
    known = aliases.sku_ids(connection, components)
    for word in components:
        if word not in known:
            raise UnknownName(
                f"there is no SKU {word!r}; import it first", "components"
            )
    told: dict[int, int] = {}
    for word, units in components.items():
        told[known[word]] = told.get(known[word], 0) + units
    if not told and aliases.sku_id(connection, sku) is None:
        raise UnknownName(f"there is no SKU {sku!r}", "sku")
    sku_id = add_sku(connection, sku)
    since = None if since is None else min(since, now)
    before = store.all_of_them(connection)
    if since is None and before.components(sku_id, now) == told:
        return set()
    recipe = Recipe(_since(connection, before, sku, sku_id, since, now), told)
    after = before.adding(sku_id, recipe)
    _refuse_cycle(connection, after, sku_id, recipe.valid_from)
    if told:
        refuse_own_stock(connection, sku, sku_id)
    store.add(connection, sku_id, recipe, now, actor)
    changed = {sku_id, *after.holding(sku_id)}
    store.note_parts(connection, {kit: after.parts(kit, now) for kit in changed})
    return changed


def _since(
    connection: Connection,
    before: Recipes,
    sku: str,
    sku_id: int,
    since: Instant | None,
    now: Instant,
) -> Instant:
    """From when on the recipe holds. Raises BadConfiguration for too early a time."""
    is_new = sku_id not in before and not store.has_moved(connection, sku_id)
    if since is None:
        return ALWAYS if is_new else now
    newest = before.versions.get(sku_id)
    if newest and newest[-1].valid_from >= since:
        begun = iso(newest[-1].valid_from)
        raise BadConfiguration(f"{sku} has a recipe that began at {begun}", "from")
    if not is_new and since < now:
        _refuse_earlier(connection, sku, {sku_id, *before.holding(sku_id)}, since)
    return since


def _refuse_earlier(
    connection: Connection, sku: str, kits: Collection[int], since: Instant
) -> None:
    """What was told keeps the recipe it was told under. Reads all stock events: only
    a recipe that begins in the past of a known SKU asks for that."""
    told = connection.execute(
        sa.select(sa.func.max(stock_events.c.occurred_at)).where(
            stock_events.c.sku_id.in_(kits),
            stock_events.c.occurred_at >= since,
            stock_events.c.verdict.in_((POSTED, SUPERSEDED)),
        )
    ).scalar_one()
    if told is not None:
        raise BadConfiguration(
            f"{sku} was ordered or moved until {iso(told)}, and what was told keeps "
            "the recipe of its time; begin after that",
            "from",
        )


def _refuse_cycle(
    connection: Connection, after: Recipes, sku_id: int, since: Instant
) -> None:
    found = after.cycle(sku_id, since)
    if found is not None:
        names = store.names_of(connection, set(found))
        way = ", which is made of ".join(names[one] for one in found[1:])
        raise BadConfiguration(
            f"a kit cannot hold itself: {names[sku_id]} is made of {way}", "components"
        )


def refuse_own_stock(connection: Connection, sku: str, sku_id: int) -> None:
    """Raise BadConfiguration for what cannot be a kit, as it has units of its own."""
    states = [stock_levels.c[state] for state in (*ON_HAND, INCOMING)]
    own = connection.execute(
        sa.select(stock_levels.c.id)
        .where(
            stock_levels.c.sku_id == sku_id, sa.or_(*(state != 0 for state in states))
        )
        .limit(1)
    ).first()
    if own is not None:
        raise BadConfiguration(
            f"{sku} has units of its own, or promises of them, and a kit has none: "
            "count it to 0 and let its orders end first, or make a new SKU the kit",
            "sku",
        )


def described(connection: Connection, sku: str, now: Instant) -> dict[str, Any] | None:
    """A SKU with its names, its recipe and the history of both; None if unknown."""
    sku_id = aliases.sku_id(connection, sku)
    if sku_id is None:
        return None
    found = store.all_of_them(connection)
    here, parts = found.components(sku_id, now), found.parts(sku_id, now)
    names = store.names_of(connection, {sku_id, *here, *parts})
    aliases_ = aliases.history(connection, sku_id)
    return {
        **aliases.described(connection, sku_id),
        "aliases": [row["alias"] for row in aliases_ if row["ended_at"] is None],
        "alias_history": aliases_,
        "recipe": store.named(here, names) if here else None,
        "parts": store.named(parts, names),
        "recipe_history": store.history(connection, sku_id),
    }
