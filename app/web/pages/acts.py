"""What a person may do to stock by hand: the forms' words, and the pipeline's functions.

Forms are checked by the API's own schemas, and act by the functions that the API calls.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from marshmallow import (
    Schema,
    ValidationError,
    fields,
    post_load,
    validate,
    validates_schema,
)
from sqlalchemy.engine import Connection

from app.domain.events import DAMAGED, INSPECT, SCRAP, SELLABLE
from app.domain.instants import Instant
from app.pipeline.acts import facts, telling
from app.pipeline.acts.granting import Ask
from app.pipeline.acts.holding import hold_in
from app.pipeline.acts.inspecting import inspect_in
from app.pipeline.acts.transferring import close_in, transfer_in
from app.store import timekeeper
from app.web.api import claims, counts, facts as bodies, inspections, transfers
from app.web.api.fields import Word
from app.web.pages.complaints import sentences
from app.web.texts import gettext, lazy

SUPPLIER: Final = "supplier"
"""Where units come from that nobody sent from another location."""

Form = Mapping[str, str]
Lanes = set[str]


@dataclass(frozen=True, slots=True)
class Once:
    """One telling: pressed twice, it is the same fact."""

    id: str
    now: Instant


@dataclass(frozen=True, slots=True)
class Deed:
    """One way to change stock."""

    title: str
    button: str
    meaning: str
    body: type[Schema]
    read: Callable[[Form], dict[str, Any]]
    """The form as the API's body."""
    act: Callable[[Connection, dict[str, Any], Once, str], Lanes]


def check(deed: Deed, form: Form) -> tuple[dict[str, Any], list[str]]:
    """The form read by the API's schema, and what is wrong with it in sentences."""
    try:
        loaded: dict[str, Any] = deed.body().load(deed.read(form))
    except ValidationError as error:
        return {}, sentences(error.messages)
    return loaded, []


def number(text: str | None) -> int | str | None:
    """A whole number as a form has it; what is none is left to the schema to refuse."""
    word = (text or "").strip().replace("\N{MINUS SIGN}", "-")
    try:
        return int(word) if word.isascii() else word
    except ValueError:
        return word or None


def _given(**fields: Any) -> dict[str, Any]:
    return {name.rstrip("_"): one for name, one in fields.items() if one}


def _line(form: Form, *more: str) -> dict[str, Any]:
    line = {"sku": form.get("sku", ""), "quantity": number(form.get("quantity"))}
    return line | {name: form[name] for name in more if form.get(name)}


def _place(form: Form) -> str:
    return form.get("location", "")


class AdjustmentForm(bodies.Adjustment):
    """The form asks where lost units went only; at the API found ones come from there."""

    @validates_schema
    def loses_what_is_lost(self, told: dict[str, Any], **_: Any) -> None:
        """What is found is not damaged on the way in."""
        if told.get("to") and told["change"] > 0:
            said = gettext("what is lost goes with a change below zero.")
            raise ValidationError(said, gettext("Lost units are"))


def _adjustment(form: Form) -> dict[str, Any]:
    return {
        "sku": form.get("sku", ""),
        "location": _place(form),
        "change": number(form.get("change")),
        "reason": form.get("reason", ""),
        **_given(to=form.get("to"), note=form.get("note")),
    }


def _count(form: Form) -> dict[str, Any]:
    scope = _given(scope=form.get("scope"))
    return {"location": _place(form), "lines": [_line(form)], **scope}


def _transfer(form: Form) -> dict[str, Any]:
    ends = {"from": _place(form), "to": form.get("to", "")}
    return {**ends, "lines": [_line(form)]}


class ReceiptForm(bodies.Receipt):
    """What came of one SKU; nothing may have, where the rest of it is written off."""

    sku = Word(required=True)


def _receipt(form: Form) -> dict[str, Any]:
    of = "" if form.get("of") == SUPPLIER else form.get("of")
    closes = form.get("rest") == "lost"
    came = not closes or form.get("quantity", "") not in ("", "0")
    return {
        "sku": form.get("sku", ""),
        "location": _place(form),
        **_given(of=of, reference=form.get("reference"), reason=form.get("reason")),
        **_given(lines=[_line(form, "disposition")] if came else [], closes=closes),
    }


def _inspection(form: Form) -> dict[str, Any]:
    return {"location": _place(form), "lines": [_line(form, "disposition")]}


class HoldForm(claims.Hold):
    """A hold by minutes, as people say how long."""

    expires_in = fields.Integer(
        strict=True,
        required=True,
        data_key="minutes",
        validate=validate.Range(min=1, max=claims.LONGEST_HOLD // 60),
    )

    @post_load
    def in_seconds(self, told: dict[str, Any], **_: Any) -> dict[str, Any]:
        """As the API has it."""
        return {**told, "expires_in": told["expires_in"] * 60}


def _hold(form: Form) -> dict[str, Any]:
    reference = _given(reference=form.get("reference"))
    lines, minutes = [_line(form, "location")], number(form.get("minutes"))
    return {"lines": lines, "minutes": minutes, **reference}


def _tells(
    said: Callable[[dict[str, Any], Once], Any],
) -> Callable[[Connection, dict[str, Any], Once, str], Lanes]:
    def act(
        connection: Connection, told: dict[str, Any], one: Once, actor: str
    ) -> Lanes:
        events = said(told, one)
        _, woken = facts.record_in(connection, events, actor=actor, now=one.now)
        return woken

    return act


def _transfers(
    connection: Connection, told: dict[str, Any], one: Once, actor: str
) -> Lanes:
    return transfer_in(
        connection,
        told["from_"],
        told["to"],
        told["lines"],
        actor=actor,
        now=one.now,
        transfer_id=one.id,
        over_by=timekeeper.now(connection),
    )[1]


def _receives(
    connection: Connection, told: dict[str, Any], one: Once, actor: str
) -> Lanes:
    if not told["closes"]:
        return _tells(telling.received)(connection, told, one, actor)
    return close_in(
        connection,
        told["of"],
        telling.received(told, one),
        told["reason"],
        actor=actor,
        now=one.now,
        fact_id=one.id,
        sku=told["sku"],
    )[1]


def _inspects(
    connection: Connection, told: dict[str, Any], one: Once, actor: str
) -> Lanes:
    return inspect_in(
        connection,
        told["location"],
        told["lines"],
        actor=actor,
        now=one.now,
        occurred_at=one.now,
        fact_id=one.id,
    )[1]


def _holds(
    connection: Connection, told: dict[str, Any], one: Once, actor: str
) -> Lanes:
    lines, span, order = told["lines"], told["expires_in"], told.get("reference")
    # It lasts from now, however long the form was looked at.
    now = timekeeper.now(connection)
    return hold_in(connection, Ask(lines, span, order, actor, now, one.id))[1]


DISPOSITIONS: Final[Mapping[str, str]] = {
    SELLABLE: lazy("sellable"),
    INSPECT: lazy("to be inspected"),
    DAMAGED: lazy("damaged"),
    SCRAP: lazy("thrown away"),
}

DEEDS: Final[Mapping[str, Deed]] = {
    "adjust": Deed(
        lazy("Adjust"),
        lazy("Adjust"),
        lazy("Add units or take them off, and say why."),
        AdjustmentForm,
        _adjustment,
        _tells(telling.adjusted),
    ),
    "count": Deed(
        lazy("Count"),
        lazy("Keep this count"),
        lazy("Say how many are there now, all of them; the difference is posted."),
        counts.Count,
        _count,
        _tells(telling.counted),
    ),
    "transfer": Deed(
        lazy("Transfer"),
        lazy("Send them"),
        lazy(
            "Send units to another location. They are on the way until they are received."
        ),
        transfers.Transfer,
        _transfer,
        _transfers,
    ),
    "receive": Deed(
        lazy("Receive"),
        lazy("Receive"),
        lazy(
            "Put units into stock that came in, from a supplier or another location; "
            "or write off what never will."
        ),
        ReceiptForm,
        _receipt,
        _receives,
    ),
    "inspect": Deed(
        lazy("Inspect"),
        lazy("Keep this verdict"),
        lazy("Say what became of units that wait for inspection."),
        inspections.Inspection,
        _inspection,
        _inspects,
    ),
    "hold": Deed(
        lazy("Hold"),
        lazy("Hold them"),
        lazy(
            "Keep units for somebody; they are given back by themselves when time is up."
        ),
        HoldForm,
        _hold,
        _holds,
    ),
}
