"""The storm: everything goes wrong at once, and afterwards every number is right.

Channels answer late, with errors, or not at all, and confirm what they do not do;
webhooks come twice, out of order, while nobody listens, or never; people edit numbers by
hand; the hub's processes, its Valkey and, where it may be, its database are killed one after the other. What the channels
themselves sold, shipped, cancelled and took back is known here from their own answers:
that is what the ledger must say, and what every channel must show once it is calm again.
"""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import Protocol

from redis import RedisError

from app.demo.equipment import GOODS, PLACE, item
from app.demo.field import Field
from app.demo.sandboxes import SoldOut
from app.demo.watch import within

STOCKED = 40
CALM_WITHIN = 120.0
"""Seconds, and as long again as it blew: what was being sent when a worker died waits
for its lease to end, and what no channel would tell meanwhile is read afterwards."""
CALLS_PER_HAPPENING = 5
"""More calls to the channels than this for each thing that happened would be a flood."""
ROUND_SECONDS = 60.0
"""In each round everybody who may die dies once. Starting again takes a process seconds:
more often, and the hub would be down for most of the storm, and learn nothing from it."""

ASKED = ("till", "web")
"""The channels that can be asked what they show and what happened there."""
VICTIMS = {
    "the web server": r"app\.factory|onecount-web",
    "the inbound worker": r"workers\.run inbound|rq:worker.*\binbound",
    "the outbound workers": r"workers\.run outbound|rq:worker.*\b(outbound|slow)",
    "the scheduler": r"workers\.run scheduler",
    "Valkey": "valkey-server",
}
"""How each is found; where `setproctitle` is installed they carry other titles."""

Tell = Callable[[str], None]


class Mortal(Protocol):
    """A database that may die."""

    def crash(self) -> None:
        """Die on the spot."""

    def start(self) -> None:
        """Come back; returns before it has."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What must be true when it is calm again, and what was seen instead."""

    words: str
    is_true: bool
    seen: str


class Storm:
    """Things that happen, and what they must have done to stock."""

    def __init__(
        self,
        field: Field,
        seed: int,
        tell: Tell = lambda words: None,
        database: Mortal | None = None,
    ) -> None:
        """`tell` hears, as it happens, what goes wrong; `database` is killed, too."""
        self._field = field
        self._random = random.Random(seed)
        self._tell = tell
        self._database = database
        self._is_down = False
        self.true = Counter({field.stock(STOCKED): STOCKED for _ in range(GOODS)})
        self._open: list[tuple[str, str, int]] = []
        self._shipped: list[tuple[str, str]] = []
        self.happened: Counter[str] = Counter()
        self._calls = 0
        self._blown = 0.0
        self._calm_after = -1.0
        self._doomed: list[tuple[float, str, Callable[[], None]]] = []
        self._happenings: list[tuple[int, Callable[[], None]]] = [
            (40, self.sale),
            (12, self.parcel),
            (5, self.cancellation),
            (5, self.return_),
            (5, self.weather),
            (2, self.edit),
        ]

    def is_furnished(self) -> bool:
        """Whether every channel shows the first counts."""
        return all(self._field.all_show(sku, STOCKED) for sku in self.true)

    # -- while it blows ---------------------------------------------------------

    def blow(self, seconds: float) -> None:
        """Let things happen, about twenty a second, and then fair weather again.

        However short it is, each of the hub's processes is killed once, and so is the
        database that may be.
        """
        self._calls = self._called()
        self._blown += seconds
        began = time.monotonic()
        self._doom(began, seconds)
        weights, happenings = zip(*self._happenings, strict=True)
        while (now := time.monotonic()) < began + seconds:
            self._strike(now)
            [happens] = self._random.choices(happenings, weights)
            try:
                happens()
                self.happened[happens.__name__.rstrip("_")] += 1
            except SoldOut:
                self.happened["sold out"] += 1
            time.sleep(self._random.expovariate(20))
        self._strike(inf)
        for channel in self._field.channels.values():
            channel.do("weather")

    def _doom(self, began: float, seconds: float) -> None:
        """Decide who is struck when."""
        strikes: list[tuple[str, Callable[[], None]]] = [
            *(("kill", partial(self._kill, one)) for one in VICTIMS),
            ("flush", self.flush),
        ]
        if self._database is not None:
            strikes.append(("crash", self.crash))
        rounds = max(1, round(seconds / ROUND_SECONDS))
        self._doomed = [
            (began + (turn + self._random.random()) * seconds / rounds, *strike)
            for turn in range(rounds)
            for strike in strikes
        ]

    def _strike(self, until: float) -> None:
        """Let everything come that was to come until then."""
        while due := [one for one in self._doomed if one[0] <= until]:
            self._doomed.remove(due[0])
            _, word, strike = due[0]
            strike()
            self.happened[word] += 1

    def _called(self) -> int:
        return sum(one.state()["calls"] for one in self._field.channels.values())

    def _sku(self) -> str:
        return self._random.choice(sorted(self.true))

    def sale(self) -> None:
        """Somebody buys one unit, or three, in any channel."""
        key, sku, units = self._random.choice(sorted(PLACE)), self._sku(), 1
        if self._random.random() < 0.2:
            units = 3
        sold = self._field.sell(key, sku, units)
        self.true[sku] -= units
        if key == "web":
            self._open.append((sold["order"], sku, units))

    def parcel(self) -> None:
        """An online order is shipped."""
        if self._open:
            order, sku, _ = self._open.pop(self._random.randrange(len(self._open)))
            self._field.channels["web"].do("ship", order=order)
            self._shipped.append((order, sku))

    def cancellation(self) -> None:
        """An online order is cancelled."""
        if self._open:
            order, sku, units = self._open.pop(self._random.randrange(len(self._open)))
            self._field.channels["web"].do("cancel", order=order, restock=True)
            self.true[sku] += units

    def return_(self) -> None:
        """A unit of a shipped order comes back."""
        if self._shipped:
            order, sku = self._shipped.pop(self._random.randrange(len(self._shipped)))
            self._field.channels["web"].do("refund", order=order, quantity=1)
            self.true[sku] += 1

    def weather(self) -> None:
        """A channel's API gets worse, or better."""
        kinds: list[tuple[dict[str, float], str]] = [
            ({"status": 503}, "answers 503 to everything"),
            ({"status": 429, "retry_after": 1}, "wants fewer calls: 429"),
            ({"delay": self._random.uniform(0.1, 1.5)}, "takes its time"),
            ({"hang_up": 0.3}, "hangs up on a third of all calls"),
            ({"errors": 0.5}, "says 200 to half of all calls, and that it failed"),
            ({"lie": True}, "confirms numbers and does not take them"),
            ({}, "is well"),
        ]
        key = self._random.choice(sorted(PLACE))
        can_be_asked = key in ASKED
        if not can_be_asked:
            # Nobody could ever find out.
            kinds = [one for one in kinds if "lie" not in one[0]]
        bad, words = self._random.choice(kinds)
        more = {
            "duplicate": 0.3,
            "reorder": self._random.random() < 0.5,
            "drop": 0.05 if can_be_asked else 0.0,
        }
        self._field.channels[key].do("weather", **bad, **more)
        self._tell(f"{key} {words}")

    def edit(self) -> None:
        """Somebody sets a channel's number by hand."""
        key, sku = self._random.choice(ASKED), self._sku()
        number = self._random.randrange(60)
        where = {"item": item(key, sku), "place": PLACE[key]}
        self._field.channels[key].do("edit", **where, quantity=number)
        self._tell(f"somebody sets {sku} to {number} in {key}, by hand")

    def _kill(self, name: str) -> None:
        """A process dies on the spot."""
        killed = self._field.kill(VICTIMS[name])
        self._tell(f"kill -9: {name} ({killed} processes)")

    def crash(self) -> None:
        """The database dies, and is started again a little later."""
        if self._database is None or self._is_down:
            return
        self._is_down = True
        self._database.crash()
        self._tell("the database dies")
        back = time.monotonic() + self._random.uniform(0.2, 3)
        self._doomed.append((back, "recovery", partial(self._start, self._database)))

    def _start(self, database: Mortal) -> None:
        database.start()
        self._is_down = False

    def flush(self) -> None:
        """Valkey forgets everything."""
        try:
            self._field.flush()
        except RedisError:
            return  # it is being started again
        self._tell("Valkey forgets everything it held")

    # -- afterwards -------------------------------------------------------------

    def wait_for_calm(self) -> float:
        """Wait until nothing is on its way; how long it took, or -1."""
        began = time.monotonic()
        calm = within(CALM_WITHIN + self._blown, self._is_calm)
        self._calm_after = time.monotonic() - began if calm else -1.0
        return self._calm_after

    def _is_calm(self) -> bool:
        self._field.take_ours()
        return self._field.is_settled() and not self._wrong()

    def _wrong(self) -> list[str]:
        """Where a channel shows another number than the true one."""
        shown = {key: one.state()["stock"] for key, one in self._field.channels.items()}
        return [
            f"{key} shows {number} of {sku}, not {max(0, true)}"
            for sku, true in sorted(self.true.items())
            for key, place in PLACE.items()
            if (number := shown[key].get(item(key, sku), {}).get(place, 0))
            != max(0, true)
        ]

    def claims(self) -> Iterator[Claim]:
        """What must be true now: ask after it became calm, or did not."""
        levels = {sku: self._field.level(sku)["available"] for sku in self.true}
        lost = [
            f"{sku}: {levels[sku]}, not {true}"
            for sku, true in self.true.items()
            if levels[sku] != true
        ]
        yield _claim("the ledger is the sum of all that really happened", lost)
        yield _claim("every channel shows the true number", self._wrong())
        waits = [] if self._field.is_settled() else [str(self._field.waiting())]
        yield _claim("nothing waits any more", waits)
        quiet = f"after {self._calm_after:.0f} s"
        is_calm = self._calm_after >= 0
        yield Claim("it became calm by itself", is_calm, quiet if is_calm else "no")
        calls = self._called() - self._calls
        most = CALLS_PER_HAPPENING * self.happened.total()
        seen = f"{calls} calls for {self.happened.total()} happenings"
        yield Claim("the channels were not flooded with calls", calls <= most, seen)
        audit = self._field.onecount("audit").strip()
        yield Claim("every level is the sum of its entries", "right" in audit, audit)


def _claim(words: str, faults: list[str]) -> Claim:
    return Claim(words, not faults, "; ".join(faults) or "so it is")
