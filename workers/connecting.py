"""Connecting: a thread beside the scheduler's rounds that takes over the stores and tills
that people connect at the dashboard.

It may take minutes, which no round and no channel's lane should wait for.
"""

import threading
import time

import structlog

from app.pipeline.configuring.guiding import Guide
from app.store.vault import Vault
from workers.hands import Hands

LOOK_SECONDS = 1.0

log = structlog.get_logger()


def start(mine: Hands) -> None:
    """Begin to look for what is to be connected, until the process ends."""
    vault = Vault(mine.settings.secret_keys)
    guide = Guide(mine.engine, vault, mine.settings, mine.wakes)
    threading.Thread(target=_run, args=(guide,), daemon=True).start()


def _run(guide: Guide) -> None:
    while True:
        time.sleep(LOOK_SECONDS)
        try:
            guide.advance()
        except Exception:
            # The database may be away; the next look tries again.
            log.exception("connecting failed")
