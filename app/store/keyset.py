"""Reading a list on from where its last page ended: a keyset, never an offset, so that
every page costs the same and rows that come or go meanwhile move nothing."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from app.domain.errors import NoSuchPage

Position = tuple[int | str, ...]
"""What a list is ordered by, of one row."""

Row = TypeVar("Row")
Other = TypeVar("Other")


class Page(list[Row]):
    """Some rows of a list, in its order."""

    next: Position | None = None
    """Where this page ends, if there is another after it."""

    def of(self, rows: Iterable[Other]) -> "Page[Other]":
        """The same page, its rows told in another way."""
        page = Page(rows)
        page.next = self.next
        return page


def read(
    connection: Connection,
    query: sa.Select[Any],
    keys: Sequence[sa.ColumnElement[Any]],
    *,
    limit: int,
    after: Position | None = None,
    newest_first: bool = False,
) -> Page[RowMapping]:
    """Up to `limit` rows behind a position, ordered by columns that the query selects
    and that no two rows share. Raises NoSuchPage."""
    if after is not None:
        ended = checked(after, *(key.type.python_type for key in keys))
        pairs = zip(keys, ended, strict=True)
        here = sa.tuple_(*keys)
        there = sa.tuple_(*(sa.literal(value, key.type) for key, value in pairs))
        query = query.where(here < there if newest_first else here > there)
    order = [key.desc() if newest_first else key for key in keys]
    found = connection.execute(query.order_by(*order).limit(limit + 1))
    rows = found.mappings().all()
    return cut(rows, limit, lambda row: tuple(row[key] for key in keys))


def cut(
    rows: Sequence[Row], limit: int, position: Callable[[Row], Position]
) -> Page[Row]:
    """The first `limit` rows as a page; a row beyond them says that there is another."""
    page = Page(rows[:limit])
    if len(rows) > limit:
        page.next = position(page[-1])
    return page


def checked(after: Position, *kinds: type) -> tuple[Any, ...]:
    """The position, made of these. Raises NoSuchPage when it is another list's."""
    if [type(value) for value in after] != list(kinds):
        raise NoSuchPage
    return after


def every(read_page: Callable[..., Page[Row]]) -> Iterator[Row]:
    """Every row of a list that is read by pages, called with `after`."""
    after = None
    while True:
        page = read_page(after=after)
        yield from page
        if page.next is None:
            return
        after = page.next
