"""Travelling: what of a transfer or an expected receipt has arrived, is lost or is left.

Facts about it are never refused; claims on it (`transferring`) and the writing off of
what never came look here first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.engine import Connection

from app.domain import events as kinds
from app.domain.errors import ShortOfUnits, UnknownName
from app.domain.events import StockEvent
from app.domain.instants import Instant
from app.domain.kits import Asked, Short, take
from app.domain.targets import BEGAN
from app.domain.way import balances, effective, state_of
from app.pipeline.acts.claims import Lines
from app.pipeline.applying.hearing import way_number
from app.pipeline.applying.ways import lines_of
from app.pipeline.house import API, current
from app.store import bulk
from app.store.stock import cases
from app.store.stock.aliases import sku_ids

_NOT_SAID: Final = "never arrived"


@dataclass(frozen=True, slots=True)
class Arrival:
    """What is said to have come of a way: lines of "sku" and "quantity"."""

    lines: Lines = ()
    lost: Lines = ()
    """Units that will never come; with a "disposition" and a "reason" of their own."""
    closes: bool = False
    """Nothing more will come: what is left is lost."""
    reason: str | None = None


class Way:
    """One transfer or expected receipt as it is now."""

    def __init__(self, connection: Connection, id_: str) -> None:
        self.id = id_
        self._house = current(connection)
        self._cases = cases.load_numbers(connection, [way_number(id_) or ""])
        self.is_sent = False
        self.to: int | None = None
        self._began: dict[int, Instant] = {}
        for case in self._cases:
            sent = case.targets.get(kinds.TRANSFERRED)
            if sent is not None and isinstance(sent.extra, int):
                self.is_sent = True
                self.to = sent.extra
            if BEGAN in case.targets:
                self._began[case.sku_id or 0] = case.targets[BEGAN].occurred_at
        found = balances(lines_of(self._cases), self._house.parts_of)
        self._left = {sku_id: one.left for sku_id, one in found.items()}
        self._names = _names(connection, list(found))
        self.balances = {self._names[sku_id]: one for sku_id, one in found.items()}

    @property
    def left(self) -> dict[str, int]:
        """SKU with stock → units still on the way."""
        return {self._names[sku_id]: units for sku_id, units in self._left.items()}

    @property
    def state(self) -> str:
        """How far it is, in a word."""
        return state_of(self.balances.values())

    def described(self, names: Mapping[int, str]) -> dict[str, Any]:
        """What to tell of it; `names` of locations by id. What a supplier sends comes
        from none of them."""
        kind = kinds.TRANSFERRED if self.is_sent else kinds.EXPECTED
        sent = [case.targets[kind] for case in self._cases if kind in case.targets]
        from_, to = sent[0].location, self.to
        if not self.is_sent:
            from_, to = None, from_
        return {
            "state": self.state,
            "from": names.get(from_ or 0),
            "to": names.get(to or 0),
            "sent_at": min(target.occurred_at for target in sent),
            "lines": [
                {
                    "sku": sku,
                    "sent": one.sent,
                    "received": one.received,
                    "lost": one.lost,
                    "on_the_way": one.left,
                }
                for sku, one in sorted(self.balances.items())
            ],
        }

    @property
    def is_known(self) -> bool:
        """Whether anybody said what is on the way, and has not taken it back."""
        return any(
            effective(case.targets, kind) is not None
            for case in self._cases
            for kind in (kinds.EXPECTED, kinds.TRANSFERRED)
        )

    def keys_of(self, fact: str) -> list[str]:
        """The keys of what this arrival told before, if it is known already."""
        return [
            f"{API}:{kind}:{self.id}:{case.line}"
            for case in self._cases
            for kind in (kinds.RECEIVED, kinds.LOST)
            if kind in case.targets and case.line.startswith(f"{fact}/")
        ]

    def take(self, connection: Connection, lines: Lines, now: Instant) -> None:
        """Take lines that are told now off what is left.

        Raises ShortOfUnits, UnknownName.
        """
        known = sku_ids(connection, [str(line["sku"]) for line in lines])
        asked = []
        for number, line in enumerate(lines):
            word = str(line["sku"])
            if word not in known:
                raise UnknownName(f"there is no SKU {word!r}", f"lines[{number}].sku")
            asked.append(self._asked(word, known[word], int(line["quantity"]), now))
        short = take(asked, self._left)
        if short:
            raise ShortOfUnits(
                [
                    {
                        "sku": one.sku,
                        "requested": one.requested,
                        "available": one.available,
                    }
                    for one in short
                ]
            )

    def missing(self, sku: str, sku_id: int, units: int) -> Short | None:
        """How many of so many that were sent are left, if some are on the way no more."""
        short = take([self._asked(sku, sku_id, units, 0)], dict(self._left))
        return short[0] if short else None

    def _asked(self, sku: str, sku_id: int, units: int, now: Instant) -> Asked:
        began = self._began.get(sku_id, now)
        return Asked(sku, sku_id, units, self._house.recipes.units(sku_id, began))


def losses(
    arrival: Arrival,
    left: Mapping[str, int],
    of: str,
    fact: str,
    now: Instant,
) -> list[StockEvent]:
    """What an arrival says will never come; `left` is what is on the way after it."""
    told: list[Mapping[str, Any]] = list(arrival.lost)
    if arrival.closes:
        told += [
            {"sku": sku, "quantity": units} for sku, units in left.items() if units > 0
        ]
    return [
        StockEvent(
            kinds.LOST,
            int(line["quantity"]),
            now,
            now,
            sku=str(line["sku"]),
            fact=of,
            of=of,
            line=f"{fact}/lost/{number}",
            disposition=line.get("disposition"),
            reason=line.get("reason") or arrival.reason or _NOT_SAID,
        )
        for number, line in enumerate(told, 1)
    ]


def _names(connection: Connection, ids: Sequence[int]) -> dict[int, str]:
    query = "SELECT id, sku FROM skus WHERE id {among}"
    return dict(bulk.select(connection, query, sorted(set(ids)), "bigint"))
