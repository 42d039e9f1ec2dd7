"""Alerting: people hear once that something is wrong, and once that it is over.

What is wrong is read from the database, so whoever restarts knows what was told. A blip
that is over before anybody was told is no news. Told at least once: who dies between
telling and noting it tells again.
"""

from collections.abc import Callable, Mapping, Sequence

from sqlalchemy.engine import Engine, RowMapping

from app.domain.instants import SECOND, Instant
from app.store.engine import reading, writing
from app.store.watching import alerts

SETTLED: Instant = 15 * SECOND
"""How long something must be wrong, or right again, before people are told."""
_LINES = 20
"""Sentences in one message at most."""

Tell = Callable[[str, str], bool]
"""Sends a title and a text to people; False when that did not work."""


_BEGAN, _ENDED = "Onecount needs you", "Onecount: recovered"


class Outages:
    """Tells people that the database itself is in trouble, and when it is well again.

    Nothing can be noted there meanwhile, so whoever looks keeps in mind what it told,
    and says who it is: others that look tell the same.
    """

    def __init__(self, who: str) -> None:
        self._who = who
        self._told: str | None = None
        self._seen: str | None = None
        self._since: Instant = 0

    def heed(self, wrong: str | None, tell: Tell, now: Instant) -> None:
        """Hear what is wrong with the database now, if anything is; tell it in time."""
        if wrong != self._seen:
            self._seen, self._since = wrong, now
        # A clock that was set back meanwhile delays nothing.
        if wrong == self._told or 0 <= now - self._since < SETTLED:
            return
        title, words = _ENDED, f"{self._told}: no more"
        if wrong is not None:
            title = _BEGAN
            words = (
                f"{wrong}. Until it is well nothing is received, counted or sent; "
                "webhooks are answered 503, so that they come again"
            )
        if tell(title, f"The {self._who} says: {words}."):
            self._told = wrong


def watch(engine: Engine, tell: Tell, now: Instant, patience: Instant) -> None:
    """Look what is wrong; tell what began and what is over since the last time.

    `patience`: how late a delivery may be. What could not be told is told the next time.
    """
    with reading(engine) as connection:
        found = alerts.trouble(connection, now, patience)
        rows = alerts.known(connection)
    if _differ(found, rows):
        with writing(engine) as connection:
            alerts.note(connection, found, now)
            rows = alerts.known(connection)
    began = [r for r in rows if r["told_at"] is None and r["began_at"] <= now - SETTLED]
    ended = [r for r in rows if r["ended_at"] and r["ended_at"] <= now - SETTLED]
    for title, news in ((_BEGAN, began), (_ENDED, ended)):
        if news and tell(_title(title, news), _text(news)):
            with writing(engine) as connection:
                alerts.told(connection, news, now)


def _differ(found: Mapping[str, str], rows: Sequence[RowMapping]) -> bool:
    open_ = {row["name"] for row in rows if row["ended_at"] is None}
    return open_ != found.keys()


def _title(title: str, news: Sequence[RowMapping]) -> str:
    return title if len(news) == 1 else f"{title} ({len(news)} things)"


def _text(news: Sequence[RowMapping]) -> str:
    lines = [row["words"] for row in news[:_LINES]]
    more = len(news) - len(lines)
    return "\n".join([*lines, *([f"… and {more} more"] if more else [])])
