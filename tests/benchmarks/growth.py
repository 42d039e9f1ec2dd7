"""What applying costs on one hot SKU, and in a house a hundred times as large.

A ledger is only ever added to: if a batch became dearer with its length, the shop that
uses us longest would be the slowest.
"""

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import sqlalchemy as sa

from app.store.vault import Vault
from tests.benchmarks import house as homes, servers
from tests.benchmarks.applying import BATCH, Applier
from tests.benchmarks.counting import Counter
from tests.benchmarks.measure import Target, interleaved, median, median_ratio
from workers.hands import keep_out_of_collections

BATCHES = 10
LARGE = 1_000_000
HOT = homes.sku_name(1)

_NUMBERS = f"""
WITH RECURSIVE numbers(n) AS (
  SELECT {homes.SKUS} UNION ALL SELECT n + 1 FROM numbers WHERE n < {LARGE - 1})
"""
_ENLARGE = (
    f"INSERT INTO skus (sku) {_NUMBERS} SELECT 'SKU-' || n FROM numbers",
    (
        "INSERT INTO stock_levels (sku_id, location_id, available, supplier) "
        f"SELECT s.id, p.id, {homes.IN_STOCK}, -{homes.IN_STOCK} FROM skus s, "
        "locations p WHERE p.code = 'downtown' AND NOT EXISTS "
        "(SELECT 1 FROM stock_levels l WHERE l.sku_id = s.id)"
    ),
    (
        "INSERT INTO ledger (sku_id, kind, quantity, from_state, from_location_id, "
        "to_state, to_location_id, occurred_at, recorded_at, event_id) "
        f"SELECT l.sku_id, 'received', {homes.IN_STOCK}, 'supplier', l.location_id, "
        "'available', l.location_id, 1764000000000000, 1764000000000000, 0 "
        "FROM stock_levels l WHERE NOT EXISTS "
        "(SELECT 1 FROM ledger e WHERE e.sku_id = l.sku_id)"
    ),
)


def run(kind: str, rounds: int) -> list[Target]:
    """Compare on one kind of database."""
    vault = Vault([homes.SECRET_KEY])
    with ExitStack() as stack:
        small = stack.enter_context(_furnished(kind, vault))
        large = stack.enter_context(_furnished(kind, vault))
        enlarge(large)
        homes.stock_up(small, HOT)
        dice = random.Random(7)
        spread = Applier(small, vault, BATCHES)
        hot = Applier(small, vault, BATCHES, lambda: HOT)
        among = Applier(
            large, vault, BATCHES, lambda: f"SKU-{dice.randrange(homes.SKUS, LARGE)}"
        )
        for one in (spread, hot, among):
            one.apply()
        keep_out_of_collections()
        # A tenth of a second each: often, or the noise is larger than what differs.
        figures = interleaved(rounds * 3, spread.apply, hot.apply, among.apply)
        few, lots = Counter(small, range(homes.SKUS)), Counter(large, range(LARGE))
        few.run(), lots.run()
        short, long = interleaved(rounds * 3, few.run, lots.run)
    return _targets(servers.TITLES[kind], figures, short, long)


def _targets(
    title: str, figures: list[list[float]], short: list[float], long: list[float]
) -> list[Target]:
    usual, one, many = figures
    return [
        Target(
            f"One hot SKU / sales spread over {homes.SKUS:,}, {title}",
            0.9,
            median_ratio(one, usual),
            f"{median(one):,.0f} and {median(usual):,.0f} events/s in batches "
            f"of {BATCH}",
        ),
        Target(
            f"{LARGE:,} SKUs and ledger entries / {homes.SKUS:,}, {title}",
            0.7,
            median_ratio(many, usual),
            f"{median(many):,.0f} and {median(usual):,.0f} events/s",
        ),
        Target(
            f"Counts and late sales, {LARGE:,} ledger entries / {homes.SKUS:,}, "
            f"{title}",
            0.7,
            median_ratio(long, short),
            f"{median(long):,.0f} and {median(short):,.0f} counts and sales/s",
        ),
    ]


@contextmanager
def _furnished(kind: str, vault: Vault) -> Iterator[sa.Engine]:
    with servers.database(kind) as engine:
        homes.Build(engine, vault).furnish()
        yield engine


def enlarge(engine: sa.Engine) -> None:
    """Put a million SKUs in, each with a level and a ledger entry."""
    with engine.begin() as connection:
        for statement in _ENLARGE:
            connection.exec_driver_sql(statement)
    if engine.dialect.name == "postgresql":
        with engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            connection.exec_driver_sql("VACUUM ANALYZE")
