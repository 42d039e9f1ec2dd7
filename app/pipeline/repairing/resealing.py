"""Resealing: what a former secret key sealed, sealed with the one that seals now.

Where the former key is lost, what it alone opens is forgotten instead.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from app.domain.errors import KeyMissing
from app.domain.instants import Instant
from app.store.configuration.channels import touch
from app.store.engine import reading, writing
from app.store.tables import channels, connectings, inbox, users
from app.store.vault import Vault

SEALED: Final = {
    "channels": channels.c.secrets,
    "second factors": users.c.totp_secret,
    "connections begun": connectings.c.asked,
    "webhooks": inbox.c.body,
}
"""All columns that a secret key seals; what is blank there holds nothing."""
PORTION: Final = 200

Anew = Callable[[Any], Mapping[str, Any] | None]
"""What to put in place of something sealed; None: it stays."""


def reseal(engine: Engine, vault: Vault) -> dict[str, int]:
    """Seal everything with the newest key; how much there was of each.

    Others may work meanwhile: what one of them changes has the newest key by that.
    Raises KeyMissing when something cannot be opened; the rest can be done again.
    """

    def sealed_by(name: str) -> Anew:
        return lambda sealed: {name: vault.reseal(sealed)}

    return {
        what: _column(engine, column, sealed_by(column.name))
        for what, column in SEALED.items()
    }


def forget(engine: Engine, vault: Vault, now: Instant) -> dict[str, int]:
    """Let go of the secrets that no key opens; how many there were of each.

    Their channels wait for new ones, as for those that a provider refused, and people
    log in with their password alone. All else that was sealed is let go of in time.
    """
    paused = {"paused_at": now, "paused_reason": "credentials refused"}
    blanks: Mapping[str, Mapping[str, Any]] = {
        "channels": {"secrets": "", **paused},
        "second factors": {"totp_secret": None, "totp_since": None, "recovery": "[]"},
    }

    def unless_open(blank: Mapping[str, Any]) -> Anew:
        return lambda sealed: None if _opens(vault, sealed) else blank

    found = {
        what: _column(engine, SEALED[what], unless_open(blank))
        for what, blank in blanks.items()
    }
    with writing(engine) as connection:
        touch(connection, now)
    return found


def _opens(vault: Vault, sealed: str) -> bool:
    try:
        vault.reseal(sealed)
    except KeyMissing:
        return False
    return True


def _column(engine: Engine, column: sa.Column[str | bytes], anew: Anew) -> int:
    """Replace what is sealed there; how often that was done."""
    key, count, after = column.table.c.id, 0, 0
    query = sa.select(key, column).where(
        column.is_not(None), sa.func.length(column) > 0
    )
    while True:
        with reading(engine) as connection:
            portion = query.where(key > after).order_by(key).limit(PORTION)
            rows = connection.execute(portion).all()
        if not rows:
            return count
        # Nobody waits for the gate while this is worked out.
        fresh = [(id_, sealed, anew(sealed)) for id_, sealed in rows]
        with writing(engine) as connection:
            for id_, sealed, values in fresh:
                if values is not None:
                    same = column.table.update().where(key == id_, column == sealed)
                    count += connection.execute(same.values(**values)).rowcount
        after = rows[-1][0]
