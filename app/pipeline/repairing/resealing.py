"""Resealing: what a former secret key sealed, sealed with the one that seals now."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Engine

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


def reseal(engine: Engine, vault: Vault) -> dict[str, int]:
    """Seal everything with the newest key; how much there was of each.

    Others may work meanwhile: what one of them changes has the newest key by that.
    Raises BadConfiguration when something cannot be opened; the rest can be done again.
    """
    return {what: _column(engine, vault, column) for what, column in SEALED.items()}


def _column(engine: Engine, vault: Vault, column: sa.Column[str | bytes]) -> int:
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
        fresh = [(id_, sealed, vault.reseal(sealed)) for id_, sealed in rows]
        with writing(engine) as connection:
            for id_, sealed, anew in fresh:
                same = column.table.update().where(key == id_, column == sealed)
                count += connection.execute(same.values({column: anew})).rowcount
        after = rows[-1][0]
