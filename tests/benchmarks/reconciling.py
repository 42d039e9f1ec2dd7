"""What it costs to read every number of a shop back and hold it against ours.

A sandbox in a process of its own answers by HTTP; its call budget is so large that it
never waits: what is measured is ours, not a provider's patience.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from app.demo.sandboxes import Sandbox
from app.domain.instants import now
from app.pipeline.publish import Publisher
from app.pipeline.watching.comparing import Comparer
from app.store.configuration import layout
from app.store.engine import writing
from app.store.vault import Vault
from config.settings import Settings
from tests.benchmarks import house as homes, servers
from tests.benchmarks.measure import Target, median, stopwatch

SHOP, PLACE, TOKEN = "shop", "1", "shpat_bench"
DOMAIN = "bench.myshopify.com"
MUST = 1.5
"""How many times dearer a listing may be among ten times as many."""

_FILL = (
    (
        "INSERT INTO skus (sku) WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL "
        "SELECT n + 1 FROM numbers WHERE n < {many}) SELECT 'SKU-' || n FROM numbers"
    ),
    (
        "INSERT INTO stock_levels (sku_id, location_id, available, supplier) "
        f"SELECT s.id, p.id, {homes.IN_STOCK}, -{homes.IN_STOCK} FROM skus s, "
        "locations p WHERE p.code = 'downtown'"
    ),
    (
        "INSERT INTO listings (channel_id, sku_id, external_id) "
        "SELECT c.id, s.id, CAST(s.id AS text) FROM skus s, channels c"
    ),
    (
        "INSERT INTO publications (channel_id, listing_id, sku_id, place, wanted_at, "
        "accepted_version, accepted, accepted_at) SELECT channel_id, id, sku_id, "
        f"'{PLACE}', 1, 1, {homes.IN_STOCK}, 1 FROM listings"
    ),
)


class Shop:
    """A channel with so many listings, and whoever compares it."""

    def __init__(self, comparer: Comparer, publisher: Publisher, listings: int) -> None:
        self._comparer = comparer
        self._publisher = publisher
        self._listings = listings

    def compare(self) -> float:
        """Seconds that comparing all of it takes; nothing may differ."""
        compared, after = 0, 0
        with stopwatch() as seconds:
            while after is not None:
                self._publisher.lease(SHOP)
                page = self._comparer.page(SHOP, after)
                if page.found:
                    raise RuntimeError(f"{page.found[0]} differs")
                compared, after = compared + page.compared, page.last
            self._publisher.release(SHOP)
        if compared != self._listings:
            raise RuntimeError(f"{compared} of {self._listings} were compared")
        return seconds()


def run(kind: str, many: int) -> list[Target]:
    """Compare a tenth of so many listings, all, and a tenth again."""
    few = many // 10
    with ExitStack() as stack:
        folder = stack.enter_context(servers.folder())
        sandbox = stack.enter_context(_sandbox(folder, many))
        small = stack.enter_context(_shop(kind, sandbox.url, folder, few))
        large = stack.enter_context(_shop(kind, sandbox.url, folder, many))
        first = small.compare()
        before = sandbox.state()["calls"]
        long = large.compare()
        calls = sandbox.state()["calls"] - before
        short = median([first, small.compare()])
    return [
        Target(
            f"A listing compared among {many:,} / among {few:,}, "
            f"{servers.TITLES[kind]}",
            MUST,
            (long / many) / (short / few),
            f"{long:.1f} s in {calls:,} calls for {many:,}, {short:.1f} s for {few:,}; "
            f"{long / many * 1e6:.0f} and {short / few * 1e6:.0f} µs each",
            at_most=True,
        )
    ]


@contextmanager
def _sandbox(folder: Path, many: int) -> Iterator[Sandbox]:
    """A Shopify with so many products, each shown as we have it."""
    ids = [str(number) for number in range(1, many + 1)]
    config = {
        "key": SHOP,
        "shop": DOMAIN,
        "token": TOKEN,
        "secret": homes.SECRET,
        "items": [{"id": one, "parent": one, "sku": f"SKU-{one}"} for one in ids],
        "locations": [{"id": PLACE}],
        "stock": {one: {PLACE: homes.IN_STOCK} for one in ids},
        "bucket": 1e9,
        "restore_rate": 1e9,
    }
    sandbox = Sandbox("shopify", config, folder).start()
    try:
        yield sandbox.wait()
    finally:
        sandbox.stop()


@contextmanager
def _shop(kind: str, url: str, folder: Path, listings: int) -> Iterator[Shop]:
    """A house of its own with so many listings, all of them settled."""
    vault = Vault([homes.SECRET_KEY])
    with servers.database(kind) as engine:
        with writing(engine) as connection:
            layout.save_location(connection, "downtown", "Downtown", None)
            layout.save(
                connection,
                vault,
                SHOP,
                "shopify",
                base_url=url,
                settings={"shop": DOMAIN},
                secrets={"webhook": [homes.SECRET], "access_token": [TOKEN]},
                mapped={"downtown": PLACE},
                publish={},
                authority={},
                ships_from=None,
                now=now(),
            )
            for statement in _FILL:
                connection.exec_driver_sql(statement.format(many=listings))
        homes.analyze(engine)
        settings = Settings(
            database_url=engine.url.render_as_string(hide_password=False),
            redis_url="redis://127.0.0.1:1/0",  # nobody is woken here
            data_dir=folder,
            secret_key=homes.SECRET_KEY,
        )
        publisher = Publisher(engine, vault, settings)
        yield Shop(Comparer(engine, publisher, settings), publisher, listings)
