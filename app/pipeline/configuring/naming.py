"""Naming: other texts for a SKU, and another code for it.

Units, orders and listings hang on the SKU, not on its code: a new one changes none of
them, and what was told under the old one still finds it.
"""

from sqlalchemy.engine import Connection, Engine

from app.domain.errors import BadConfiguration, UnknownName
from app.domain.instants import Instant
from app.pipeline.applying import oversells
from app.pipeline.configuring.listings import lanes
from app.pipeline.configuring.parked import unpark
from app.pipeline.house import read_house
from app.store.engine import applying
from app.store.stock import aliases
from app.store.tables import skus
from app.store.watching import incidents


def add_alias(
    engine: Engine, sku: str, alias: str, *, now: Instant, actor: str | None = None
) -> set[str]:
    """Let another text name a SKU; what waited for it applies. Returns the lanes to wake.

    Twice is once. Raises UnknownName, and BadConfiguration for a text that names
    something already.
    """
    with applying(engine) as connection:
        sku_id = _known(connection, sku)
        taken = aliases.sku_id(connection, alias)
        if taken == sku_id and alias not in aliases.codes(connection, [alias]):
            return set()
        if taken is not None:
            raise BadConfiguration(_taken(connection, alias, taken), "alias")
        aliases.add(connection, alias, sku_id, aliases.ALIAS, now, actor)
        return _told_now(connection, now)


def rename(
    engine: Engine, sku: str, to: str, *, now: Instant, actor: str | None = None
) -> set[str]:
    """Give a SKU another code; the old one becomes an alias. Returns the lanes to wake.

    Raises UnknownName, and BadConfiguration for a code that is another SKU's.
    """
    with applying(engine) as connection:
        sku_id = _known(connection, sku)
        old = aliases.words_of(connection, sku_id)[0]
        if old == to:
            return set()
        taken = aliases.sku_id(connection, to)
        if taken not in (None, sku_id):
            raise BadConfiguration(_taken(connection, to, taken), "to")
        aliases.end(connection, to, now)
        same = skus.c.id == sku_id
        connection.execute(skus.update().where(same).values(sku=to))
        aliases.add(connection, old, sku_id, aliases.RENAMED, now, actor)
        _carry_over(connection, sku_id, old, now)
        return _told_now(connection, now)


def _known(connection: Connection, sku: str) -> int:
    found = aliases.sku_id(connection, sku)
    if found is None:
        raise UnknownName(f"there is no SKU {sku!r}; import it first", "sku")
    return found


def _taken(connection: Connection, word: str, sku_id: int | None) -> str:
    code = aliases.words_of(connection, sku_id or 0)[0]
    if code == word:
        return f"{word!r} is a SKU's code already"
    return f"{word!r} is an alias of {code} already"


def _carry_over(connection: Connection, sku_id: int, old: str, now: Instant) -> None:
    """A case of an oversell is called by the SKU's code: it goes on under the new one."""
    for known in incidents.followed(connection, oversells.KIND, [old]).values():
        incidents.end(connection, known, now)
    oversells.judge(connection, read_house(connection), [sku_id], now)


def _told_now(connection: Connection, now: Instant) -> set[str]:
    house = read_house(connection)
    return lanes(house, unpark(connection, house, now))
