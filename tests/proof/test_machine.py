"""Any story of the trade, step by step, through the API and signed webhooks.

Channels write webhooks that arrive late, twice, in any order, one by one or together;
people count, adjust, receive, inspect, transfer and reverse; programs hold units. After
every step the laws hold and a small pure model knows what is there. A story that fails
is shortened and told in sentences.
"""

from typing import Any

from hypothesis import HealthCheck, note, settings, strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from app.domain.instants import now
from tests.proof import laws
from tests.proof.model import Fact
from tests.proof.told import Post
from tests.proof.trade import PLACES, SKUS, Letter, Trade

skus = st.sampled_from(SKUS)
places = st.sampled_from(PLACES)
some = st.integers(0, 4)
few = st.integers(1, 3)
orders = st.sampled_from(["W-1", "W-2"])
tickets = st.sampled_from(["T-1", "T-2"])
papers = st.sampled_from(["A", "B"])
dispositions = st.sampled_from(["sellable", "inspect", "damaged"])
anywhere = st.none() | places
scopes = st.none() | st.just("sellable")


class Story(RuleBasedStateMachine):
    """What may happen, in any order."""

    trade: Trade
    letters = Bundle("letters")
    holds = Bundle("holds")
    transfers = Bundle("transfers")

    def __init__(self) -> None:
        super().__init__()
        self.post = Post()
        self.sent = 0
        self.trade.begin()

    @initialize(units=st.lists(st.integers(0, 6), min_size=4, max_size=4))
    def opening(self, units: list[int]) -> None:
        spots = [(sku, place) for sku in SKUS for place in PLACES]
        for (sku, place), found in zip(spots, units, strict=True):
            self.count_by_hand(sku, place, found, None)

    # -- channels write --------------------------------------------------------

    @rule(target=letters, number=orders, jackets=some, scarves=some, place=anywhere)
    def order(
        self, number: str, jackets: int, scarves: int, place: str | None
    ) -> Letter:
        units = dict(zip(SKUS, (jackets, scarves), strict=True))
        return self._written(self.post.order(self._now(), number, units, place))

    @rule(target=letters, number=orders, sku=skus, units=some)
    def cancellation(self, number: str, sku: str, units: int) -> Letter:
        return self._written(self.post.cancellation(self._now(), number, sku, units))

    @rule(
        target=letters,
        number=orders,
        parcel=papers,
        sku=skus,
        units=some,
        place=places,
    )
    def shipment(
        self, number: str, parcel: str, sku: str, units: int, place: str
    ) -> Letter:
        return self._written(
            self.post.shipment(self._now(), number, parcel, sku, units, place)
        )

    @rule(
        target=letters,
        number=orders,
        sku=skus,
        units=some,
        place=places,
        to=dispositions,
    )
    def comes_back(
        self, number: str, sku: str, units: int, place: str, to: str
    ) -> Letter:
        return self._written(
            self.post.comes_back(self._now(), number, sku, units, place, to)
        )

    @rule(target=letters, ticket=tickets, sku=skus, units=some)
    def sale(self, ticket: str, sku: str, units: int) -> Letter:
        return self._written(self.post.sale(self._now(), ticket, sku, units))

    @rule(target=letters, ticket=tickets, sku=skus, units=some)
    def taken_back(self, ticket: str, sku: str, units: int) -> Letter:
        return self._written(self.post.taken_back(self._now(), ticket, sku, units))

    @rule(target=letters, number=papers, sku=skus, units=some, place=places)
    def delivery(self, number: str, sku: str, units: int, place: str) -> Letter:
        number = f"{number}-{place}"
        return self._written(self.post.receipt(self._now(), number, sku, units, place))

    @rule(target=letters, number=papers, sku=skus, change=st.integers(-3, 3))
    def correction(self, number: str, sku: str, change: int) -> Letter:
        return self._written(self.post.correction(self._now(), number, sku, change))

    @rule(
        target=letters,
        number=papers,
        sku=skus,
        units=st.integers(0, 9),
        place=places,
        scope=scopes,
    )
    def count(
        self, number: str, sku: str, units: int, place: str, scope: str | None
    ) -> Letter:
        number = f"{number}-{scope or 'all'}"
        return self._written(
            self.post.count(self._now(), number, sku, units, place, scope)
        )

    @rule(target=letters, number=papers, sku=skus, units=some)
    def lorry(self, number: str, sku: str, units: int) -> Letter:
        return self._written(self.post.transfer(self._now(), number, sku, units))

    # -- and the webhooks arrive -----------------------------------------------

    @rule(letter=letters)
    def arrives(self, letter: Letter) -> None:
        self._arrive(letter)
        self._apply()

    @rule(one=letters, other=letters)
    def arrive_together(self, one: Letter, other: Letter) -> None:
        self._arrive(one)
        self._arrive(other)
        self._apply()

    @rule(letter=letters)
    def is_sent_twice(self, letter: Letter) -> None:
        name = self._arrive(letter)
        assert self.trade.deliver(letter, name) == "duplicate"
        self._apply()

    @rule()
    def replay_everything(self) -> None:
        self._now()
        note("everything in the inbox is replayed")
        answer = self.trade.call("POST", "/inbox/replay", {"filter": {}})
        assert answer.status_code == 202, answer.text
        self._apply()

    # -- people write down -----------------------------------------------------

    @rule(
        sku=skus,
        place=places,
        change=st.integers(-3, 3).filter(bool),
        to=st.sampled_from([None, "damaged", "scrap"]),
    )
    def adjust(self, sku: str, place: str, change: int, to: str | None) -> None:
        at = self._now()
        body = {"sku": sku, "location": place, "change": change, "reason": "seen"}
        body |= {"to": to} if to else {}
        damaged = self._there(sku, place).get("damaged", 0)
        note(f"somebody adjusts {sku} at {place} by {change:+} {to or ''}")
        if to == "damaged" and change > damaged:
            answer = self.trade.call("POST", "/adjustments", body)
            assert answer.status_code == 422, answer.text
            return
        fact = Fact("adjusted", "", at, at, sku, place, change, more=to)
        self.trade.tell("/adjustments", body, fact)

    @rule(sku=skus, place=places, units=st.integers(0, 9), scope=scopes)
    def count_by_hand(
        self, sku: str, place: str, units: int, scope: str | None
    ) -> None:
        at = self._now()
        note(f"somebody counts {units} {sku} at {place} {scope or ''}")
        body: dict[str, Any] = {"location": place, "lines": [_line(sku, units)]}
        body |= {"scope": scope} if scope else {}
        fact = Fact("counted", "", at, at, sku, place, units, more=scope)
        self.trade.tell("/counts", body, fact)

    @rule(sku=skus, place=places, units=few, to=dispositions)
    def receive(self, sku: str, place: str, units: int, to: str) -> None:
        at = self._now()
        note(f"somebody receives {units} {sku} at {place}, {to}")
        body = {"location": place, "lines": [_line(sku, units, disposition=to)]}
        fact = Fact("received", "", at, at, sku, place, units, more=to)
        self.trade.tell("/receipts", body, fact)

    @rule(sku=skus, place=places, units=few, to=dispositions)
    def find_returned(self, sku: str, place: str, units: int, to: str) -> None:
        at = self._now()
        note(f"somebody takes back {units} {sku} of no order at {place}, {to}")
        body = {"location": place, "lines": [_line(sku, units, disposition=to)]}
        fact = Fact("returned", "", at, at, sku, place, units, more=to)
        self.trade.tell("/returns", body, fact)

    @rule(
        sku=skus,
        place=places,
        units=few,
        to=st.sampled_from(["sellable", "damaged", "scrap"]),
    )
    def inspect(self, sku: str, place: str, units: int, to: str) -> None:
        at = self._now()
        waiting = self._there(sku, place).get("inspection", 0)
        note(f"somebody judges {units} of {waiting} {sku} at {place} to be {to}")
        body = {"location": place, "lines": [_line(sku, units, disposition=to)]}
        if units > waiting:
            answer = self.trade.call("POST", "/inspections", body)
            assert answer.status_code == 409, answer.text
            return
        fact = Fact("inspected", "", at, at, sku, place, units, more=to)
        self.trade.tell("/inspections", body, fact)

    @rule(sku=skus, which=st.integers(0, 5))
    def reverse(self, sku: str, which: int) -> None:
        at = self._now()
        entries = self.trade.get(f"/stock/{sku}/ledger")["items"]
        if which >= len(entries):
            return
        entry, book = entries[which], self.trade.book
        path = f"/ledger/{entry['id']}/reverse"
        answer = self.trade.call("POST", path, {"reason": "by mistake"})
        fact = book.facts.get(entry["event"])
        note(f"somebody reverses {entry['kind']} {entry['event']}: {answer.status}")
        if answer.status_code == 201:
            assert fact is not None, entry
            book.mistaken[fact.key] = at
        else:
            assert answer.status_code in (200, 409), answer.text

    @rule(sku=skus, buffer=st.integers(0, 2), cap=st.none() | st.integers(0, 5))
    def show_less(self, sku: str, buffer: int, cap: int | None) -> None:
        self._now()
        note(f"web keeps {buffer} {sku} back and shows {cap} at most")
        policy = {"buffer": buffer, "cap": cap}
        body = {"channel": "web", "sku": sku, "external_id": sku, "policy": policy}
        answer = self.trade.call("POST", "/listings", body)
        assert answer.status_code == 201, answer.text
        self.trade.caps[sku] = (buffer, cap)

    # -- programs claim --------------------------------------------------------

    @rule(
        target=holds,
        units=st.fixed_dictionaries(dict.fromkeys(SKUS, st.integers(0, 3))),
        place=anywhere,
        seconds=st.sampled_from([20, 600]),
        reference=st.none() | orders,
    )
    def hold(
        self,
        units: dict[str, int],
        place: str | None,
        seconds: int,
        reference: str | None,
    ) -> Any:
        at = self._now()
        where = {"location": place} if place else {}
        lines = [_line(sku, n) | where for sku, n in units.items() if n]
        if not lines:
            return multiple()
        among = [place] if place else list(PLACES)
        free = {sku: self.trade.book.free(sku, among, at) for sku in units}
        more = {"reference": reference} if reference else {}
        held = self.trade.hold(lines, expires_in=seconds, **more)
        answer = "refused" if held is None else "held"
        note(f"a program wants {units} at {place or 'any place'}: {answer}")
        enough = all(n <= free[sku] for sku, n in units.items())
        assert (held is not None) == enough, f"{free} are free"
        return multiple() if held is None else held.id

    @rule(hold=holds, order=st.none() | orders)
    def commit(self, hold: str, order: str | None) -> None:
        at = self._now()
        held = self.trade.book.holds[hold]
        body = {"channel": "web", "order": order} if order else {}
        answer = self.trade.call("POST", f"/holds/{hold}/commit", body)
        note(f"the hold of {held.units} is committed to {order}: {answer.status}")
        if held.state == "committed":
            assert answer.status_code == 200, answer.text
        elif held.is_live(at):
            assert answer.status_code == 200, answer.text
            held.state = "committed"
            self._promise(held.units, ("web", order) if order else (None, hold), at)
        else:
            assert answer.status_code == 409, answer.text

    def _promise(
        self, units: dict[tuple[str, str], int], order: tuple[str | None, str], at: int
    ) -> None:
        """What a hold promises an order counts until the order's own channel speaks."""
        for sku in SKUS:
            split = tuple((p, n) for (one, p), n in units.items() if one == sku)
            if split:
                total = sum(n for _, n in split)
                key = f"web placed {order[1]} {sku}"
                place = split[0][0]
                self.trade.book.promise(
                    Fact("placed", key, -99, at, sku, place, total, order, None, split)
                )

    @rule(hold=holds)
    def release(self, hold: str) -> None:
        at = self._now()
        held = self.trade.book.holds[hold]
        answer = self.trade.call("DELETE", f"/holds/{hold}")
        note(f"the hold of {held.units} is released: {answer.status}")
        assert answer.status_code == (409 if held.state == "committed" else 200)
        if held.is_live(at):
            held.state = "released"

    @rule(target=transfers, sku=skus, units=few, origin=places)
    def send(self, sku: str, units: int, origin: str) -> Any:
        at = self._now()
        [goal] = [place for place in PLACES if place != origin]
        free = self.trade.book.free(sku, [origin], at)
        note(f"somebody sends {units} of {free} {sku} from {origin} to {goal}")
        body = {"from": origin, "to": goal, "lines": [_line(sku, units)]}
        answer = self.trade.call("POST", "/transfers", body)
        assert answer.status_code == (201 if units <= free else 409), answer.text
        if units > free:
            return multiple()
        name = answer.json["id"]
        self.trade.book.learn(
            Fact("transferred", name, at, at, sku, origin, units, more=goal)
        )
        return name

    @rule(transfer=transfers, units=few)
    def arrive_at_last(self, transfer: str, units: int) -> None:
        at = self._now()
        facts = self.trade.book.facts
        sent = facts[transfer]
        left = sent.units - sum(
            fact.units for key, fact in facts.items() if key.startswith(f"{transfer}/")
        )
        note(f"{units} of {left} {sent.sku} arrive at {sent.more}")
        body = {"lines": [_line(sent.sku, units)]}
        answer = self.trade.call("POST", f"/transfers/{transfer}/receive", body)
        assert answer.status_code == (200 if units <= left else 409), answer.text
        if units <= left:
            key = f"{transfer}/{at}"
            self.trade.book.learn(
                Fact("arrived", key, at, at, sent.sku, sent.more, units)
            )

    @rule()
    def half_a_minute_passes(self) -> None:
        self.trade.tick(30)
        note("half a minute passes")

    @precondition(lambda self: self.trade.book.holds)
    @rule()
    def sweep_up(self) -> None:
        self._now()
        self.trade.sweep()

    # -- and it is right -------------------------------------------------------

    @invariant()
    def the_count_is_right(self) -> None:
        laws.hold_in_the_database(self.trade)
        laws.hold_for_everybody_who_asks(self.trade)
        laws.hold_on_every_channel(self.trade)

    def teardown(self) -> None:
        laws.hold_in_the_end(self.trade, seed=len(self.trade.entries))

    # -- hands -----------------------------------------------------------------

    def _now(self) -> int:
        return self.trade.tick()

    def _there(self, sku: str, place: str) -> dict[str, int]:
        return self.trade.book.levels(now()).get((sku, place), {})

    def _written(self, letter: Letter) -> Letter:
        note(f"written, not sent: {letter.words}")
        return letter

    def _arrive(self, letter: Letter) -> str:
        self._now()
        self.sent += 1
        note(f"arrives: {letter.words}")
        name = f"msg_{self.sent}"
        assert self.trade.deliver(letter, name) == "accepted"
        return name

    def _apply(self) -> None:
        for words in self.trade.apply():
            note(f"buried: {words}")


def _line(sku: str, units: int, **more: str) -> dict[str, Any]:
    return {"sku": sku, "quantity": units, **more}


def test_the_count_is_right_whatever_happens(trade: Trade, times: int) -> None:
    class This(Story):
        pass

    This.trade = trade
    run_state_machine_as_test(
        This,
        settings=settings(
            max_examples=15 * times,
            stateful_step_count=25,
            derandomize=times == 1,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
