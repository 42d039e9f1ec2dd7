"""What a worker process holds: made once, used by every job it runs."""

import gc
import os
from dataclasses import dataclass
from functools import cache

from sqlalchemy.engine import Engine

from app.pipeline.fetching import Fetcher
from app.pipeline.inbound import Inbound
from app.pipeline.publish import Publisher
from app.pipeline.watching.comparing import Comparer
from app.pipeline.watching.polling import Poller
from app.pipeline.watching.subscribing import Watchdog
from app.queues import Wakes
from app.store.engine import open_engine
from app.store.vault import Vault
from config.settings import Settings

_COLLECT_AFTER = 50_000
"""Objects made and kept before the garbage collector looks at the new ones: some ten
batches' worth, a few megabytes."""


@dataclass(frozen=True, slots=True)
class Hands:
    """Everything a drain works with."""

    settings: Settings
    engine: Engine
    wakes: Wakes
    inbound: Inbound
    publisher: Publisher
    fetcher: Fetcher
    comparer: Comparer
    poller: Poller
    watchdog: Watchdog


def make(settings: Settings) -> Hands:
    """Build them from settings; nothing connects yet."""
    engine = open_engine(settings.database_url, pool_size=2)
    vault = Vault(settings.secret_keys)
    publisher = Publisher(engine, vault, settings)
    fetcher = Fetcher(engine, vault, settings)
    return Hands(
        settings,
        engine,
        Wakes(settings.redis_url),
        Inbound(engine, vault, settings.apply_batch),
        publisher,
        fetcher,
        Comparer(engine, publisher, settings),
        Poller(engine, vault, settings, fetcher.lease),
        Watchdog(engine, vault, settings),
    )


@cache
def hands() -> Hands:
    """This process's own; made at the first job, after any fork."""
    made = make(Settings.from_env(os.environ))
    keep_out_of_collections()
    return made


def keep_out_of_collections() -> None:
    """Let the garbage collector pass over all that lives as long as the process.

    Every batch makes thousands of small objects, and nearly all are gone by its end:
    looking at all modules each time they are collected costs a tenth of applying, and
    looking at the batch itself ten times while it is worked on another twentieth.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER)
