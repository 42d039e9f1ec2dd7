"""Views: filters of the list of deliveries that a person has given a name."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from app.store.tables import views

MOST: Final = 50
"""How many a person may keep."""
LONGEST_NAME: Final = 60


@dataclass(frozen=True, slots=True)
class View:
    """One kept filter."""

    id: int
    name: str
    filters: Mapping[str, str]


def of_user(connection: Connection, user_id: int) -> Sequence[View]:
    """A person's views, by name."""
    query = sa.select(views).where(views.c.user_id == user_id).order_by(views.c.name)
    found = connection.execute(query)
    return [View(row.id, row.name, json.loads(row.filters)) for row in found]


def keep(
    connection: Connection, user_id: int, name: str, filters: Mapping[str, str]
) -> bool:
    """Keep a filter by a name; the same name means the newer filter. False: enough."""
    told = json.dumps(dict(filters))
    known = connection.execute(
        views.update()
        .where(views.c.user_id == user_id, views.c.name == name)
        .values(filters=told)
    )
    if known.rowcount:
        return True
    if len(of_user(connection, user_id)) >= MOST:
        return False
    row = {"user_id": user_id, "name": name, "filters": told}
    connection.execute(views.insert().values(**row))
    return True


def drop(connection: Connection, user_id: int, view_id: int) -> bool:
    """Forget one; False when this person has none such."""
    gone = connection.execute(
        views.delete().where(views.c.user_id == user_id, views.c.id == view_id)
    )
    return bool(gone.rowcount)
