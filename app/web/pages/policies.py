"""Policies: how much of what may be sold a channel shows, and one listing there; both
with a preview of the numbers that would change."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from flask import abort, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from marshmallow import ValidationError
from sqlalchemy.engine import Connection, RowMapping

import adapters
from app.domain import drift, instants
from app.domain.errors import HubError
from app.domain.instants import Instant
from app.pipeline.acts.facts import wake_all
from app.pipeline.acts.foreseeing import Shown, foresee
from app.pipeline.configuring import revising, switching
from app.store.configuration import channels, listed
from app.store.engine import applying
from app.store.people.people import ADMIN, OPERATOR
from app.store.publishing import deliveries
from app.store.watching import overview
from app.web import login
from app.web.api.listings import ChannelPolicy, ListingPolicy
from app.web.hub import hub
from app.web.pages import acts, complaints
from app.web.pages.frame import back, kept, note, pages
from app.web.texts import gettext, lazy

WEIGHED: Final = 5_000
"""How many numbers of a channel a preview works out."""
READ: Final = 250
"""How many numbers of a channel that only listens are read there for it."""
NAMED: Final = 50
NUMBERS: Final = ("buffer", "cap", "share", "stop_at", "preorder")

DRIFTS: Final = {
    drift.OVERRIDE: lazy("ours is published again"),
    drift.ADOPT: lazy("theirs is taken into the stock"),
    drift.ASK: lazy("a person is asked"),
}
"""What is done about a number edited on a channel, in words."""

Change = Callable[[Connection, Instant], set[str]]


@pages.get("/channels/<key>/policy")
def channel_policy(key: str) -> ResponseReturnValue:
    """Show a channel's policy, and the listings with one of their own."""
    row = _channel(key)
    return _page(row, json.loads(row["publish"] or "{}"))


@pages.post("/channels/<key>/policy")
@login.needs(ADMIN)
@kept
def set_channel_policy(key: str) -> ResponseReturnValue:
    """Show what another policy would change, or take it over (`sure`)."""
    row = _channel(key)
    told, wrong = _read(ChannelPolicy)
    if wrong:
        return _page(row, told, wrong=wrong)

    actor = current_user.email

    def page(**said: Any) -> ResponseReturnValue:
        # Somebody may have changed it meanwhile.
        return _page(_channel(key), told, **said)

    if row["publish"] is None:
        return _start(key, told, page)

    def change(connection: Connection, now: Instant) -> set[str]:
        return revising.republish_in(connection, key, told, now=now, actor=actor)

    def rows(connection: Connection) -> list[RowMapping]:
        wanted = deliveries.Filter(channel=key)
        now = instants.now()
        return list(deliveries.page(connection, wanted, now=now, limit=WEIGHED))

    def look(now: Instant) -> Sequence[Shown]:
        return foresee(hub().engine, lambda one: change(one, now), rows, (), now).shown

    return _decide(change, look, page, key, told)


def _start(
    key: str, told: Mapping[str, Any], page: Callable[..., ResponseReturnValue]
) -> ResponseReturnValue:
    """The same for a channel that only listens: what it shows is read there."""
    actor = current_user.email

    def change(connection: Connection, now: Instant) -> set[str]:
        published = channels.locked(connection, key)["publish"]
        if published is not None and json.loads(published) == told:
            return set()  # the button was pressed twice
        return switching.switch_in(connection, key, told, now=now, actor=actor)

    def look(now: Instant) -> Sequence[Shown]:
        mine = hub()
        found = switching.preview(
            mine.engine, mine.vault, mine.settings, key, told, now, limit=READ
        )
        return [Shown(key, one.sku, one.place, one.theirs, one.ours) for one in found]

    return _decide(change, look, page, key, told)


@pages.get("/listings/<int(max=9223372036854775807):listing_id>/policy")
def listing_policy(listing_id: int) -> ResponseReturnValue:
    """Show what one listing says instead of its channel."""
    one = _listing(listing_id)
    return _page(_channel(one["channel"]), json.loads(one["policy"] or "{}"), one)


@pages.post("/listings/<int(max=9223372036854775807):listing_id>/policy")
@login.needs(OPERATOR)
@kept
def set_listing_policy(listing_id: int) -> ResponseReturnValue:
    """Show what another policy of a listing would change, or take it over (`sure`)."""
    one = _listing(listing_id)
    row = _channel(one["channel"])
    policy, wrong = _read(ListingPolicy)
    if wrong:
        return _page(row, policy, one, wrong=wrong)
    told = {name: one[name] for name in ("channel", "sku", "external_id")}
    told = {**told, "policy": policy or None}

    def change(connection: Connection, now: Instant) -> set[str]:
        return revising.relist_in(connection, told, now=now, actor=current_user.email)[
            1
        ]

    def rows(connection: Connection) -> list[RowMapping]:
        return list(overview.of_sku(connection, one["sku"], instants.now()))

    def look(now: Instant) -> Sequence[Shown]:
        return foresee(hub().engine, lambda one: change(one, now), rows, (), now).shown

    subject = f"listing {listing_id}"
    return _decide(change, look, partial(_page, row, policy, one), subject, policy)


def _decide(
    change: Change,
    look: Callable[[Instant], Sequence[Shown]],
    page: Callable[..., ResponseReturnValue],
    subject: str,
    told: Mapping[str, Any],
) -> ResponseReturnValue:
    """Foresee, or do it when the person has seen that."""
    now = instants.now()
    try:
        if not request.form.get("sure"):
            return page(changed=[one for one in look(now) if one.changes])
        with applying(hub().engine) as connection:
            lanes = change(connection, now)
    except HubError as error:
        return page(wrong=[f"{error}."])
    wake_all(hub().bell, lanes)
    note("policy", subject, told)
    said = gettext("The policy is in force; numbers are sent.")
    return back(url_for("pages.channels"), said)


def _read(schema: type[ChannelPolicy]) -> tuple[dict[str, Any], list[str]]:
    """The form as the API's policy; what is left empty is left out."""
    given: dict[str, Any] = {
        name: acts.number(request.form[name])
        for name in NUMBERS
        if request.form.get(name, "").strip()
    }
    if places := request.form.getlist("from"):
        given["from"] = places
    if word := request.form.get("drift"):
        given["drift"] = word
    try:
        loaded: dict[str, Any] = schema().load(given)
    except ValidationError as error:
        return given, complaints.sentences(error.messages)
    return loaded, []


def _channel(key: str) -> RowMapping:
    with hub().engine.connect() as connection:
        row = next(
            (one for one in channels.rows(connection) if one["key"] == key), None
        )
    if row is None or not adapters.get(row["provider"]).publishes:
        abort(404)
    return row


def _listing(listing_id: int) -> RowMapping:
    with hub().engine.connect() as connection:
        found = listed.listing(connection, listing_id)
    return found or abort(404)


def _page(
    row: RowMapping,
    policy: Mapping[str, Any],
    one: RowMapping | None = None,
    *,
    wrong: list[str] | None = None,
    changed: list[Any] | None = None,
) -> ResponseReturnValue:
    with hub().engine.connect() as connection:
        places = listed.places_of(connection, row["id"])
        own = listed.with_policy(connection, row["id"], limit=NAMED)
    page = render_template(
        "policy.html",
        row=row,
        one=one,
        policy={**policy, "from": policy.get("from") or policy.get("from_") or []},
        usual=json.loads(row["publish"] or "{}") if one is not None else {},
        drifts=DRIFTS,
        places=places,
        own=own,
        wrong=wrong or [],
        changed=None if changed is None else changed[:NAMED],
        more=max(0, len(changed or ()) - NAMED),
    )
    return page, 422 if wrong else 200
