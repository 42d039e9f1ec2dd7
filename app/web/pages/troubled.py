"""Channels that do not take our numbers: one thing to do about each."""

from collections.abc import Sequence

from flask import url_for
from sqlalchemy.engine import RowMapping

from app.web.pages import words
from app.web.pages.rows import Delivery, excess
from app.web.pages.todo import NAMED, Action, Issue, Seen, stays
from app.web.texts import gettext, ngettext


def of_channel(row: RowMapping, seen: Seen) -> Issue | None:
    """What there is to do about a channel; None when it needs nobody."""
    key = row["key"]
    word = words.channel(row, seen.now)
    failed = [one for one in seen.failures if one["channel"] == key]
    late = [one for one in seen.urgent if one.channel == key and stays(one, seen.now)]
    if word.tone in ("ok", "quiet") and not failed and not excess(late):
        return None
    if word.tone == "warn" and not late and not row["paused_at"]:
        return None
    too_many = sorted((one for one in late if one.excess), key=lambda one: -one.excess)
    return Issue(
        "bad" if failed or too_many or word.tone == "bad" else "warn",
        _title(key, word, failed, late),
        _meaning(late, too_many),
        _advice(word, failed),
        _words_of_the_provider(row, failed),
        too_many[:NAMED],
        max(0, len(too_many) - NAMED),
        _actions(row, failed, late),
        units=excess(too_many),
    )


def _title(
    key: str,
    word: words.Word,
    failed: Sequence[RowMapping],
    late: Sequence[Delivery],
) -> str:
    if word.tone in ("bad", "warn"):
        return f"{key}: {word.word.lower()}"
    if failed:
        rows = sum(one["rows"] for one in failed)
        failed_ = ngettext("%(num)s number failed", "%(num)s numbers failed", rows)
        return f"{key}: {failed_}"
    late_ = ngettext("%(num)s number is late", "%(num)s numbers are late", len(late))
    return f"{key}: {late_}"


def _meaning(late: Sequence[Delivery], too_many: Sequence[Delivery]) -> str:
    if too_many:
        return ngettext(
            "It offers %(num)s unit that should not be sold:",
            "It offers %(num)s units that should not be sold:",
            excess(too_many),
        )
    if late:
        return ngettext(
            "%(num)s number has not arrived; none of them offers too much.",
            "%(num)s numbers have not arrived; none of them offers too much.",
            len(late),
        )
    return gettext("Nothing waits for it now.")


def _advice(word: words.Word, failed: Sequence[RowMapping]) -> str:
    if word.tone in ("bad", "warn"):
        return word.meaning
    if failed:
        return words.ADVICE.get(failed[0]["error_class"], gettext("Retry."))
    return gettext("Tried again by itself.")


def _words_of_the_provider(row: RowMapping, failed: Sequence[RowMapping]) -> str:
    if failed:
        return failed[0]["example"] or ""
    return row["last_error"] or ""


def _actions(
    row: RowMapping,
    failed: Sequence[RowMapping],
    late: Sequence[Delivery],
) -> tuple[Action, ...]:
    key = row["key"]
    look = Action(gettext("Show them"), url_for("pages.deliveries", channel=key))
    go_on = url_for("pages.resume", key=key)
    first: tuple[Action, ...] = ()
    if row["paused_at"] or row["disconnected_at"]:
        resume = Action(gettext("Resume"), go_on, post={})
        return (resume, look) if late or failed else (resume,)
    if row["tripped_at"]:
        first = (Action(gettext("Try now"), go_on, post={}),)
    if failed:
        rows = sum(one["rows"] for one in failed)
        plan = url_for("pages.plan", state="failed", channel=key)
        retry = gettext("Retry %(rows)s …", rows=rows)
        return (*first, Action(retry, plan, is_deed=True), look)
    return (*first, look) if late else first
