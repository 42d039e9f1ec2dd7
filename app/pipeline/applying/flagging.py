"""Flagging: what the reports alone do not settle is put before a person.

Cases are judged by all that is known of them whenever they change, so an incident
follows its case: any order of arrival leaves the same ones open. What a person resolved
opens again only when it gets worse.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, Protocol

from sqlalchemy.engine import Connection

from app.domain import events as kinds
from app.domain.case import assumed_shipments, doubtful_returns, surplus_shipments
from app.domain.events import StockEvent
from app.domain.instants import Instant
from app.domain.targets import Targets
from app.pipeline.applying.casebook import Casebook
from app.pipeline.applying.folding import Folded, reported
from app.pipeline.applying.told import QUARANTINED, Verdict
from app.pipeline.house import API, House
from app.store import bulk
from app.store.stock.cases import Case
from app.store.watching import incidents

CONTRADICTION: Final = "contradiction"
COUNTED_KIT: Final = "counted_kit"
UNLINKED_RETURN: Final = "unlinked_return"
SURPLUS_RETURN: Final = "surplus_return"
ASSUMED_LOCATION: Final = "assumed_location"
SURPLUS_SHIPMENT: Final = "surplus_shipment"
KIT_SURPLUS: Final = "kit_surplus"

SETTLED: Final = "a higher version of the same fact was told since: that one counts"

_FACTS: Final = {
    kinds.PLACED: "Order",
    kinds.RELEASED: "Cancellation",
    kinds.SHIPPED: "Shipment",
    kinds.RETURNED: "Return",
    kinds.RECEIVED: "Receipt",
    kinds.COUNTED: "Count",
    kinds.HELD: "Hold",
}
_WORDS: Final = {
    UNLINKED_RETURN: (
        "{came} with no order named (return {name} from {who}). That counts as stock "
        "already. Find the order: if its channel tells of this return too, it counts "
        "twice; then take it off again with an adjustment."
    ),
    SURPLUS_RETURN: (
        "{came} for order {name}{of}, more than was shipped on it. Nothing is put "
        "into stock for that until the shipment is told; then it moves by itself. If "
        "none will be, check the order's number. Goods that were sold before this count "
        "began have no shipment here: add the units with an adjustment if they may be "
        "sold again, and resolve this with a note; it then stays closed."
    ),
    ASSUMED_LOCATION: (
        "{units} of {sku} left {places} for order {name}{of}, or so it is assumed: "
        "neither the shipment nor the order named a location. If another was meant, "
        "let the shipment be told again with it; else resolve this with a note."
    ),
    SURPLUS_SHIPMENT: (
        "{units} of {sku} left {places} for order {name}{of} above what it takes. They "
        "are off the stock, for that is what was reported. If they were of another order "
        "in the same parcel, and its shipment is told too, they count twice: add them "
        "again with an adjustment. If fewer left, let the shipment be told again; else "
        "resolve this with a note."
    ),
    KIT_SURPLUS: (
        "{units} of {sku} left {places} for order {name}{of} above what its kits and "
        "lines take. They are off the stock, for that is what was reported. If fewer "
        "left, let the shipment be told again; else resolve this with a note."
    ),
}
_NAMES: Final = {
    UNLINKED_RETURN: "return",
    SURPLUS_RETURN: "order",
    ASSUMED_LOCATION: "order",
    SURPLUS_SHIPMENT: "order",
    KIT_SURPLUS: "order",
}
"""What the case of such an incident is named after."""


class Heard(Protocol):
    """An event, and what becomes of it."""

    @property
    def event(self) -> StockEvent:
        """What was told."""

    @property
    def verdict(self) -> Verdict:
        """What became of it."""


def contradiction(
    connection: Connection,
    heard: Heard,
    told: tuple[int, int],
    channel_id: int | None,
    now: Instant,
    skus: tuple[int, ...] = (),
) -> None:
    """One key said two things in one version, of two SKUs perhaps: what it said first
    stays."""
    event, verdict = heard.event, heard.verdict
    codes = _codes(connection, skus)
    before, said = (
        f"{units} of {codes[sku]}" if skus else f"{units}"
        for units, sku in zip(told, skus or told, strict=True)
    )
    place = f"at {event.place}" if event.place else "otherwise"
    state = event.disposition or event.to_place or event.of or place
    verdict.apart = said if skus else f"{said} {state}"
    if told[0] == told[1]:
        said = verdict.apart
    verdict.verdict = QUARANTINED
    verdict.note = f"said {before} before and {said} now, with the same version"
    incidents.open_incident(
        connection,
        CONTRADICTION,
        verdict.key,
        f"{_name(event)}: whoever told it {verdict.note}; a person must decide "
        "which is true",
        channel_id=channel_id,
        now=now,
    )


def _name(event: StockEvent) -> str:
    """`Shipment 77 of order 1001, line 1 (BLUE-JACKET-M)`."""
    name = _FACTS.get(event.kind, event.kind.replace("_", " ").capitalize())
    if event.fact:
        name += f" {event.fact}"
    if order := event.order_number or event.order:
        name += f" {order}" if event.kind == kinds.PLACED else f" of order {order}"
    if event.line:
        name += f", line {event.line}"
    if item := event.sku or event.external_id or event.external_parent_id:
        name += f" ({item})"
    return f"{name} at {event.place}" if event.place else name


def settle(connection: Connection, keys: Iterable[str], now: Instant) -> None:
    """Close the contradictions of facts of which a higher version was told since."""
    asked = sorted(set(keys))
    if asked:
        for subject in incidents.open_among(connection, CONTRADICTION, asked):
            incidents.close_incidents(connection, CONTRADICTION, subject, now, SETTLED)


def counted_kit(
    connection: Connection, verdict: Verdict, channel_id: int | None, now: Instant
) -> None:
    """A kit has no stock of its own: nobody can say which parts a count of it saw."""
    verdict.verdict = QUARANTINED
    verdict.note = "counts a kit, which has no stock of its own; count its components"
    incidents.open_incident(
        connection,
        COUNTED_KIT,
        verdict.key,
        f"{verdict.key} {verdict.note}",
        channel_id=channel_id,
        now=now,
    )


def flag_cases(
    connection: Connection,
    house: House,
    book: Casebook,
    folded: Mapping[int, Folded],
    now: Instant,
) -> None:
    """Open, change and close the incidents of cases that hold or held what is doubtful:
    returns, shipments that name no location or more than was ordered, parts of kits."""
    cases = [*book.doubted(), *reported(house, book, folded)]
    if not cases:
        return
    skus = _skus(connection, cases)
    subjects = {f"{case.case_key}/{case.line}": case for case in cases}
    doubts = {
        subject: _doubts(house, case, folded.get(id(case)))
        for subject, case in subjects.items()
    }
    for kind in _NAMES:
        known = incidents.followed(connection, kind, subjects)
        for subject, case in subjects.items():
            units = doubts[subject][kind]
            if not units:
                if subject in known:
                    incidents.end(connection, known[subject], now)
                continue
            places = {house.names[place]: n for place, n in sorted(units.items())}
            words, details = _said(kind, case, skus[case.sku_id or 0], places)
            told = incidents.Measure(sum(units.values()), words, details)
            incidents.follow(
                connection,
                kind,
                subject,
                told,
                known.get(subject),
                now,
                channel_id=case.channel_id,
            )


def _doubts(
    house: House, case: Case, folded: Folded | None
) -> dict[str, Mapping[int, int]]:
    channel_id: int | None = case.channel_id
    targets: Targets = case.targets
    if folded is not None and folded.judged is not None:
        channel_id, targets = folded.channel_id, folded.judged.targets
    rules = house.rules_of(channel_id)
    returns = doubtful_returns(targets, rules)
    channel = house.channels.get(channel_id or 0)
    # Of one location there is nothing to assume.
    can_differ = channel is not None and len(channel.mapped or house.physical) > 1
    return {
        UNLINKED_RETURN: returns.unlinked,
        SURPLUS_RETURN: returns.surplus,
        ASSUMED_LOCATION: (assumed_shipments(targets, rules) if can_differ else {}),
        SURPLUS_SHIPMENT: (
            surplus_shipments(targets, rules, f"{channel_id}") if folded is None else {}
        ),
        KIT_SURPLUS: folded.surplus(rules) if folded is not None else {},
    }


def _skus(connection: Connection, cases: Sequence[Case]) -> dict[int, str]:
    return _codes(connection, {c.sku_id for c in cases if c.sku_id is not None})


def _codes(connection: Connection, skus: Collection[int]) -> dict[int, str]:
    query = "SELECT id, sku FROM skus WHERE id {among}"
    return dict(bulk.select(connection, query, sorted(skus), "bigint"))


def _said(
    kind: str, case: Case, sku: str, places: Mapping[str, int]
) -> tuple[str, dict[str, object]]:
    """The incident in words, and in fields for programs."""
    owner, _, rest = case.case_key.partition("/")
    name = case.order_number or rest.partition("/")[2]
    came = " and ".join(
        f"{_units(number)} of {sku} came back to {place}"
        for place, number in places.items()
    )
    who, of = (owner, f" of {owner}") if owner != API else ("the API", "")
    words = _WORDS[kind].format(
        came=came,
        name=name,
        who=who,
        of=of,
        sku=sku,
        places=", ".join(places),
        units=_units(sum(places.values())),
    )
    return words, {"sku": sku, "locations": dict(places), _NAMES[kind]: name}


def _units(number: int) -> str:
    return f"{number} {'unit' if number == 1 else 'units'}"
