"""Trying a channel's webhooks: a signed one that means nothing is sent to our own public
address, the way a provider's would come. No stock is moved by it."""

import time
from dataclasses import dataclass
from typing import Final

from sqlalchemy.engine import Engine, RowMapping

from adapters.http import Http
from app.domain.errors import BadConfiguration, ChannelError
from app.domain.instants import now
from app.pipeline.publishing.reaching import reach
from app.pipeline.publishing.tuning import Tuning
from app.pipeline.watching.subscribing import address
from app.store.engine import reading
from app.store.vault import Vault

DEADLINE_SECONDS: Final = 10.0
"""Providers wait no longer than that."""
ANY_STATUS: Final = tuple(range(300, 600))


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of it."""

    status: int | None
    """The HTTP status; None: nothing answered."""
    words: str
    """What was answered, or why nothing was."""
    milliseconds: int


def try_webhook(
    engine: Engine, vault: Vault, row: RowMapping, settings: Tuning
) -> Tried:
    """Send a channel's test webhook to our public address.

    Raises BadConfiguration where only the provider can sign one.
    """
    with reading(engine) as connection:
        adapter = reach(connection, vault, row, settings)
    made = adapter.trial(now())
    if made is None:
        raise BadConfiguration(
            f"Without a secret of ours only {adapter.title} can sign a webhook: send a "
            "test from there"
        )
    url = address(row["key"], settings)
    url = f"{url}/{made.token}" if made.token else url
    http = Http("Onecount", row["key"], deadline=DEADLINE_SECONDS)
    http.hide(filter(None, [made.token]))
    began = time.monotonic()
    try:
        answer = http.post(
            url,
            data=made.body,
            headers=dict(made.headers),
            passes=ANY_STATUS,
            repeatable=False,
        )
    except ChannelError as error:
        return Tried(None, f"{error}.", _since(began))
    finally:
        http.session.close()
    words = http.quote(answer.body.decode("utf-8", "replace"))
    return Tried(answer.status, words, _since(began))


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
