"""The story of the blue jacket, played once to its end, every claim of it checked."""

import threading
import time
from collections.abc import Callable
from typing import Any

from rich.console import Console

from app.demo import watch
from app.demo.sandboxes import Sandbox, SoldOut
from app.demo.shop import (
    DOWNTOWN,
    GOODS,
    JACKET,
    MUG,
    TILL_PLACE,
    WEB_PLACES,
    Shop,
    import_listings,
)

STORE = WEB_PLACES[DOWNTOWN]


class Teller:
    """Tells the story in plain words and remembers whether all of it was true."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.failed: list[str] = []

    def scene(self, title: str) -> None:
        """A new part of the story."""
        self._console.print(f"\n[bold]{title}[/bold]")

    def say(self, words: str) -> None:
        """What somebody does."""
        self._console.print(f"  · {words}")

    def check(self, words: str, is_true: object, why: str = "") -> None:
        """What must be true now."""
        if is_true:
            self._console.print(f"  [green]✓[/green] {words}")
        else:
            self.failed.append(words)
            because = f": {why}" if why else ""
            self._console.print(f"  [red]✗ not true: {words}{because}[/red]")

    def soon(
        self,
        words: str,
        question: Callable[[], object],
        within: float = watch.PATIENCE,
    ) -> None:
        """What must become true without anybody doing anything more."""
        began = time.monotonic()
        is_so = watch.within(within, question)
        seconds = time.monotonic() - began
        took = f" [dim]({seconds:.1f} s)[/dim]" if is_so and seconds >= 0.05 else ""
        self.check(words + took, is_so, f"still not so after {within:g} s")


def play(shop: Shop, teller: Teller) -> None:
    """Play it all."""
    open_shop(shop, teller)
    order = last_one(shop, teller)
    parcel(shop, teller, order)
    comes_back(shop, teller, order)
    sold_again(shop, teller)
    goes_down(shop, teller)
    by_hand(shop, teller)
    same_moment(shop, teller)
    unknown(shop, teller)
    the_end(shop, teller)


def _shows(shop: Shop, web: int, till: int) -> bool:
    return (
        shop.web.shows(JACKET.web, STORE) == web
        and shop.till.shows(JACKET.till, TILL_PLACE) == till
    )


def open_shop(shop: Shop, teller: Teller) -> None:
    """One jacket, shown everywhere."""
    teller.scene("The shop opens")
    teller.say("One blue jacket is left, downtown. The depot has none.")
    teller.soon(
        "the online store and the till both show 1",
        lambda: _shows(shop, 1, 1) and watch.is_quiet(shop),
    )


def last_one(shop: Shop, teller: Teller) -> dict[str, str]:
    """Two people, one jacket."""
    teller.scene("Two people go for the last one")
    order = shop.web.sell(JACKET.web, number=_number(shop))
    teller.say(f"A shopper buys it online: order {order['number']}.")
    teller.say("Downtown, somebody carries a blue jacket to the till.")
    teller.soon("the till shows 0", lambda: _shows(shop, 0, 0), within=15)
    teller.check(
        "the till itself refuses to sell it: sold out",
        _is_refused(shop.till, JACKET.till, place=TILL_PLACE, shipped=True),
    )
    teller.check("so does the online store", _is_refused(shop.web, JACKET.web))
    teller.soon(
        "the ledger has it here, promised to the order, and none to sell",
        lambda: (
            watch.units(shop, JACKET) == 1
            and watch.units(shop, JACKET, "available") == 0
            and watch.units(shop, JACKET, "committed") == 1
        ),
    )
    return {"order": str(order["order"]), "number": str(order["number"])}


def parcel(shop: Shop, teller: Teller, order: dict[str, str]) -> None:
    """The shipping provider hands it over."""
    teller.scene("The parcel leaves")
    lines = [{"sku": JACKET.sku, "quantity": 1}]
    shop.parcels.do("ship", number=order["number"], lines=lines)
    shop.web.do("ship", order=order["order"], place=STORE)
    teller.say("ShipStation prints the label, and Shopify hears of it too.")
    teller.soon(
        "it left once, though two systems told of it",
        lambda: (
            watch.units(shop, JACKET) == 0
            and watch.units(shop, JACKET, "customer") == 1
            and watch.is_quiet(shop)
        ),
    )


def comes_back(shop: Shop, teller: Teller, order: dict[str, str]) -> None:
    """A return puts it back on the rail."""
    teller.scene("It comes back")
    shop.web.do("refund", order=order["order"], quantity=1, place=STORE)
    teller.say("It does not fit. The shopper brings it back to the store downtown.")
    teller.soon("both channels show 1 again", lambda: _shows(shop, 1, 1))


def sold_again(shop: Shop, teller: Teller) -> None:
    """The till sells it."""
    teller.scene("It is sold again")
    shop.till.sell(JACKET.till, place=TILL_PLACE, shipped=True)
    teller.say("The till sells it to somebody whom it fits.")
    teller.soon("the online store shows 0", lambda: _shows(shop, 0, 0), within=15)
    teller.check(
        "a shopper who wants it is refused online",
        _is_refused(shop.web, JACKET.web),
    )


def goes_down(shop: Shop, teller: Teller) -> None:
    """A channel does not answer for a while."""
    teller.scene("A channel goes down")
    shop.till.do("weather", status=503)
    teller.say("Square answers 503 to everything. Five new jackets arrive downtown.")
    line = {"id": "1", "sku": JACKET.sku, "quantity": 5}
    shop.wms.do("tell", type="receipt", location=DOWNTOWN, lines=[line])
    teller.soon("the online store shows 5 all the same", lambda: _shows(shop, 5, 0))
    teller.soon(
        "the hub keeps the till's number and says that it is retrying",
        lambda: watch.delivery_state(shop, "till", JACKET) in ("retrying", "held"),
    )
    shop.till.do("weather")
    teller.say("Square answers again.")
    teller.soon("the till shows 5, and nobody had to do anything", _all(shop, 5))


def by_hand(shop: Shop, teller: Teller) -> None:
    """Somebody edits a number."""
    teller.scene("Somebody edits a number by hand")
    shop.web.do("edit", item=JACKET.web, place=STORE, quantity=40)
    teller.say("In the online store's admin, 5 becomes 40.")
    teller.soon("the true 5 is back", _all(shop, 5))


def same_moment(shop: Shop, teller: Teller) -> None:
    """Two sales at once, with enough for both."""
    teller.scene("Two sales in the same moment")
    both = (
        lambda: shop.web.sell(JACKET.web, number=_number(shop)),
        lambda: shop.till.sell(JACKET.till, place=TILL_PLACE, shipped=True),
    )
    threads = [threading.Thread(target=one) for one in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    teller.say("One online, one downtown; there are enough.")
    teller.soon("both channels show 3", _all(shop, 3))


def unknown(shop: Shop, teller: Teller) -> None:
    """A sale of something nobody has told the hub of."""
    teller.scene("Something nobody has told the hub of")
    shop.till.sell(MUG.till, place=TILL_PLACE, shipped=True)
    teller.say("The till sells a tea mug that has no listing.")
    teller.soon(
        "that sale waits, and nothing else does",
        lambda: watch.inbox_states(shop, "parked") > 0 and watch.is_quiet(shop),
    )
    import_listings(shop, [("till", MUG.sku, MUG.till, "")])
    teller.say("Somebody says which SKU it is.")
    teller.soon(
        "it applies by itself: 11 of 12 mugs are left",
        lambda: (
            watch.units(shop, MUG) == 11 and watch.inbox_states(shop, "parked") == 0
        ),
    )


def the_end(shop: Shop, teller: Teller) -> None:
    """Everything is added up."""
    teller.scene("The day is over")
    teller.soon("nothing waits any more", lambda: watch.is_quiet(shop))
    wrong = watch.differences(shop)
    teller.check(
        f"every channel shows the true number of all {len(GOODS) + 1} goods",
        not wrong,
        "; ".join(wrong),
    )
    uneven = watch.audit_differences(shop)
    teller.check(
        "every stock level is the sum of its ledger", not uneven, "; ".join(uneven)
    )
    sold = sum(
        line["quantity"]
        for channel, item in ((shop.web, JACKET.web), (shop.till, JACKET.till))
        for order in channel.orders()
        for line in order["lines"]
        if line["item"] == item
    )
    left = watch.units(shop, JACKET, "available")
    teller.check(
        f"6 jackets there were, {sold} were sold, 1 came back, {left} are left to "
        "sell: none was sold twice",
        sold == 4 and left == 3 and watch.units(shop, JACKET, "customer") == 2,
    )


def _all(shop: Shop, number: int) -> Callable[[], bool]:
    return lambda: _shows(shop, number, number) and watch.is_quiet(shop)


def _is_refused(channel: Sandbox, item: str, **more: Any) -> bool:
    try:
        channel.sell(item, **more)
    except SoldOut:
        return True
    return False


_numbers = iter(range(1001, 10**9))


def _number(shop: Shop) -> str:
    return f"{next(_numbers)}"
