"""Flagging: what the reports alone do not settle is put before a person.

Returns are judged by all that is known of a case whenever it changes, so an incident
follows its case: any order of arrival leaves the same ones open.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy.engine import Connection

from app.domain.case import doubtful_returns
from app.domain.instants import Instant
from app.pipeline.house import API, House
from app.pipeline.told import QUARANTINED, Verdict
from app.store import bulk, incidents
from app.store.cases import Case

CONTRADICTION: Final = "contradiction"
UNLINKED_RETURN: Final = "unlinked_return"
SURPLUS_RETURN: Final = "surplus_return"

_WORDS: Final = {
    UNLINKED_RETURN: (
        "{came} with no order named (return {name} from {who}). That counts as stock "
        "already. Find the order: if its channel tells of this return too, it counts "
        "twice; then take it off again with an adjustment."
    ),
    SURPLUS_RETURN: (
        "{came} for order {name}{of}, more than was shipped on it. Nothing is put "
        "into stock for that until the shipment is told; then it moves by itself. If "
        "none will be, check the order's number, or add the units with an adjustment."
    ),
}
_NAMES: Final = {UNLINKED_RETURN: "return", SURPLUS_RETURN: "order"}
"""What the case of such an incident is named after."""


def contradiction(
    connection: Connection,
    verdict: Verdict,
    told: tuple[int, int],
    channel_id: int | None,
    now: Instant,
) -> None:
    """One key said two things in one version: what it said first stays."""
    verdict.verdict = QUARANTINED
    verdict.note = f"said {told[0]} before and {told[1]} now, with the same version"
    incidents.open_incident(
        connection,
        CONTRADICTION,
        verdict.key,
        f"{verdict.key} {verdict.note}: a person must decide",
        channel_id=channel_id,
        now=now,
    )


def flag_returns(
    connection: Connection, house: House, cases: Sequence[Case], now: Instant
) -> None:
    """Open, change and close the incidents of cases that hold or held returns."""
    skus = _skus(connection, cases)
    for case in cases:
        doubtful = doubtful_returns(case.targets, house.rules_of(case.channel_id))
        subject = f"{case.case_key}/{case.line}"
        for kind, units in (
            (UNLINKED_RETURN, doubtful.unlinked),
            (SURPLUS_RETURN, doubtful.surplus),
        ):
            if not units:
                incidents.close_incidents(connection, kind, subject, now)
                continue
            places = {house.names[place]: n for place, n in sorted(units.items())}
            words, details = _said(kind, case, skus[case.sku_id or 0], places)
            incidents.open_incident(
                connection,
                kind,
                subject,
                words,
                now=now,
                channel_id=case.channel_id,
                details=details,
            )


def _skus(connection: Connection, cases: Sequence[Case]) -> dict[int, str]:
    ids = sorted({case.sku_id for case in cases if case.sku_id is not None})
    query = "SELECT id, sku FROM skus WHERE id {among}"
    return dict(bulk.select(connection, query, ids, "bigint"))


def _said(
    kind: str, case: Case, sku: str, places: Mapping[str, int]
) -> tuple[str, dict[str, object]]:
    """The incident in words, and in fields for programs."""
    owner, _, rest = case.case_key.partition("/")
    name = case.order_number or rest.partition("/")[2]
    came = " and ".join(
        f"{number} {'unit' if number == 1 else 'units'} of {sku} came back to {place}"
        for place, number in places.items()
    )
    who, of = (owner, f" of {owner}") if owner != API else ("the API", "")
    words = _WORDS[kind].format(came=came, name=name, who=who, of=of)
    return words, {"sku": sku, "locations": dict(places), _NAMES[kind]: name}
