"""Checking channels: can each be reached, and may we do there what we have to do?"""

from dataclasses import dataclass

from sqlalchemy.engine import Engine, RowMapping

from adapters.base import Adapter
from app.domain.errors import (
    BadConfiguration,
    CredentialsRefused,
    HubError,
    RetryLater,
)
from app.pipeline.publishing.reaching import reach
from app.pipeline.publishing.tuning import Tuning
from app.pipeline.watching.subscribing import address, look_only
from app.store.engine import reading
from app.store.vault import Vault


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found at one channel."""

    key: str
    title: str
    problems: list[str]
    """Each one sentence that says what to do."""
    is_polled: bool
    """Whether a webhook that gets lost is made up for."""
    by_hand: str | None
    """Where a person must let its webhooks be sent; None where we see to that."""


def check(engine: Engine, vault: Vault, row: RowMapping, settings: Tuning) -> Checked:
    """Ask a channel something cheap with its own credentials."""
    try:
        with reading(engine) as connection:
            adapter = reach(connection, vault, row, settings)
    except BadConfiguration as error:
        said = f"It cannot be asked. {error}"
        return Checked(row["key"], row["provider"], [said], True, None)
    problems = problems_of(adapter) or _unheard(adapter, row, settings)
    by_hand = None if adapter.subscribes else address(row["key"], settings)
    return Checked(row["key"], adapter.title, problems, adapter.polls, by_hand)


def _unheard(adapter: Adapter, row: RowMapping, settings: Tuning) -> list[str]:
    try:
        return look_only(adapter, row, settings)
    except HubError as error:
        return [f"Its webhooks cannot be looked at. {error}"]


def problems_of(adapter: Adapter) -> list[str]:
    """What is wrong with a channel's settings and credentials, in sentences."""
    key = adapter.channel.key
    try:
        adapter.check(adapter.channel)
        return adapter.check_access()
    except CredentialsRefused as error:
        advice = f"put valid ones into the file, load it, then `onecount channels resume {key}`"
        return [f"It refuses our credentials: {advice}. {error}"]
    except RetryLater as error:
        return [
            f"It does not answer as it should; nothing to do if it does soon. {error}"
        ]
    except HubError as error:
        return [f"It cannot be asked: correct its settings in the file. {error}"]
