"""Whole channels against their sandboxes: sales there, pushes from here, echoes back.

The sandbox's webhooks go straight into the receiver, as the web process would put them.
"""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import sqlalchemy as sa

import adapters
from adapters.sandbox.shopify import ShopifySandbox
from adapters.sandbox.square import SquareSandbox
from app.domain.errors import HubError
from app.domain.instants import SECOND, now
from app.pipeline.fetching import Fetcher
from app.pipeline.proving.audit import differences
from app.pipeline.publish import Publisher
from app.store.configuration.channels import touch
from app.store.engine import writing
from app.store.tables import channels, drifts, incidents, publications, push_attempts
from tests.adapters.sandboxes import control, serving
from tests.builders import JACKET, Shop, sale

ITEM = "808950810"
PLACE = "655441491"


@contextmanager
def door(shop: Shop) -> Iterator[str]:
    """An address whose POSTs end in the shop's inbox, unless `shop.deaf` is set."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status = 200
            try:
                if not getattr(shop, "deaf", False):
                    key = self.path.split("/")[2]
                    shop.receiver.receive(key, headers, body, None, now())
            except HubError:
                status = 401
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    # Closing waits for who is still at the database: it is disposed of next.
    server.daemon_threads = False
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class Trade:
    """A shop with one channel in its sandbox."""

    def __init__(self, shop: Shop, provider: str, url: str, publisher, fetcher) -> None:
        self.shop, self.provider, self.url = shop, provider, url
        self.key = "web"
        self.publisher, self.fetcher = publisher, fetcher

    def work(self) -> None:
        """Apply, fetch and push until nothing is due."""
        busy = True
        while busy:
            self.shop.apply()
            busy = self.fetcher.fetch_due(self.key) > 0
            busy = self.publisher.push_due(self.key) or busy

    def settle(self, eventually, number: int) -> None:
        """Work until the channel itself shows this number (and so do we)."""

        def right() -> bool:
            with writing(self.shop.engine) as connection:
                # Nobody waits out a grace or a backoff in a test.
                connection.execute(publications.update().values(next_attempt_at=0))
                connection.execute(channels.update().values(held_until=0))
            self.work()
            row = self.row()
            quiet = row["wanted_version"] == row["accepted_version"]
            return self.shows() == number and quiet

        eventually(right)

    def row(self) -> sa.RowMapping:
        with self.shop.engine.connect() as connection:
            return connection.execute(sa.select(publications)).mappings().one()

    def shows(self) -> int:
        import requests

        state = requests.get(f"{self.url}/_sandbox/state", timeout=5).json()
        return state["stock"][ITEM][PLACE]

    def attempts(self) -> int:
        with self.shop.engine.connect() as connection:
            count = sa.select(sa.func.count(push_attempts.c.id))
            return connection.execute(count).scalar_one()


def open_shop(shop: Shop, provider: str, url: str, **values) -> None:
    shop.locations("downtown")
    shop.channel(
        "web",
        provider=provider,
        base_url=url,
        mapped={"downtown": PLACE},
        publish={"from": ["downtown"]},
        **values,
    )
    shop.channel("till")
    shop.sku(JACKET)
    with writing(shop.engine) as connection:
        from app.pipeline.configuring.listings import save_listing

        save_listing(connection, "web", JACKET, ITEM, "variant-1")
    shop.listing("web", JACKET, ITEM)
    with writing(shop.engine) as connection:
        save_listing(connection, "web", JACKET, ITEM, "49148385")
    shop.count(JACKET, "downtown", 5)


CONFIG = {
    "secret": "hush",
    "token": "shpat_sandbox",
    "items": [{"id": ITEM, "parent": "49148385", "sku": JACKET, "name": "Jacket"}],
    "locations": [{"id": PLACE, "name": "Downtown"}],
    "stock": {ITEM: {PLACE: 5}},
    "retry_seconds": [0.1, 0.2, 0.4],
    "retry_scale": 0.001,
}


@pytest.fixture(params=["shopify", "square"])
def trade(request, empty_shop, settings):
    shop, provider = empty_shop, request.param
    with ExitStack() as stack:
        address = stack.enter_context(door(shop)) + "/webhooks/web"
        config = CONFIG | {"webhook_url": address}
        if provider == "shopify":
            sandbox = ShopifySandbox(config | {"shop": "blue-jacket.myshopify.com"})
            setup = {"settings": {"shop": "blue-jacket.myshopify.com"}}
        else:
            sandbox = SquareSandbox(config | {"notification_url": address})
            setup = {"settings": {"notification_url": address}}
        url = stack.enter_context(serving(sandbox))
        secrets = {"webhook": ["hush"], "access_token": ["shpat_sandbox"]}
        open_shop(shop, provider, url, secrets=secrets, **setup)
        quick = replace(settings, retry_base_seconds=0.01, retry_cap_seconds=0.05)
        publisher = Publisher(shop.engine, shop.vault, quick)
        fetcher = Fetcher(shop.engine, shop.vault, quick)
        made = Trade(shop, provider, url, publisher, fetcher)
        made.sandbox = sandbox
        yield made


def sell(trade: Trade, quantity: int = 1, **values) -> dict:
    lines = [{"item": ITEM, "quantity": quantity}]
    return control(trade.url, "sell", lines=lines, **values)


def is_right(trade: Trade) -> bool:
    with trade.shop.engine.connect() as connection:
        return differences(connection) == []


def test_a_sale_elsewhere_lowers_the_number_there(trade, eventually):
    trade.settle(eventually, 5)
    trade.shop.tell("till", sale("T-1", JACKET, 2, at=now()))

    trade.settle(eventually, 3)

    assert is_right(trade)


def test_its_own_sale_is_counted_once_and_nothing_is_pushed_back(trade, eventually):
    trade.settle(eventually, 5)
    sell(trade, shipped=True, place=PLACE)
    eventually(lambda: trade.work() or trade.shop.level(JACKET).get("available") == 4)

    trade.settle(eventually, 4)

    assert trade.shop.level(JACKET) == {"available": 4}
    assert is_right(trade)


def test_an_order_is_held_until_it_is_paid(trade, eventually):
    trade.settle(eventually, 5)
    with writing(trade.shop.engine) as connection:
        held = channels.update().where(channels.c.key == "web")
        connection.execute(held.values(orders='{"until_paid": 3600}'))
        touch(connection, now())

    def has_come_to(**level) -> bool:
        trade.work()
        return trade.shop.level(JACKET) == level

    order = sell(trade, 2, place=PLACE, unpaid=True)
    eventually(lambda: has_come_to(available=3, reserved=2))
    control(trade.url, "pay", order=order["order"])
    eventually(lambda: has_come_to(available=3, committed=2))

    trade.settle(eventually, 3)
    assert is_right(trade)


def test_an_echo_makes_no_entry_and_no_push(trade, eventually):
    trade.shop.tell("till", sale("T-1", JACKET, 1, at=now()))
    trade.settle(eventually, 4)
    sent = trade.attempts()

    eventually(lambda: any("level" in str(s) or s for s in trade.shop.messages()))
    trade.settle(eventually, 4)
    trade.work()

    assert trade.attempts() == sent
    assert trade.shop.level(JACKET) == {"available": 4}


def test_a_sale_whose_webhook_is_late_is_not_put_back_on_sale(trade, eventually):
    trade.settle(eventually, 5)
    trade.shop.deaf = True
    sell(trade, 2, shipped=True, place=PLACE)
    trade.shop.tell("till", sale("T-1", JACKET, 1, at=now()))

    if adapters.get(trade.provider).compares:
        trade.settle(eventually, 2)
        assert trade.shop.level(JACKET) == {"available": 2}
    else:
        # A later sale than our stamp is kept by the channel itself.
        eventually(lambda: trade.work() or trade.shows() <= 4)
        assert trade.shows() == 2
    assert is_right(trade)


def test_a_number_edited_by_hand_is_put_right(trade, eventually):
    trade.settle(eventually, 5)
    control(trade.url, "edit", item=ITEM, place=PLACE, quantity=50)
    eventually(lambda: trade.work() or trade.row()["doubt_at"] or trade.shows() == 5)

    trade.settle(eventually, 5)

    assert trade.shop.level(JACKET) == {"available": 5}


@pytest.mark.parametrize("trade", ["square"], indirect=True)
def test_what_was_never_counted_there_takes_its_first_number_after_a_failure(
    trade, eventually
):
    trade.sandbox.histories.clear()
    control(trade.url, "weather", status=503)
    trade.work()
    assert trade.row()["unsure"]

    control(trade.url, "weather")
    trade.settle(eventually, 5)

    assert trade.row()["accepted"] == 5


def test_a_push_whose_answer_got_lost_is_read_before_it_is_repeated(trade, eventually):
    trade.settle(eventually, 5)
    trade.shop.tell("till", sale("T-1", JACKET, 1, at=now()))
    with writing(trade.shop.engine) as connection:
        connection.execute(publications.update().values(unsure=True))

    trade.settle(eventually, 4)

    assert not trade.row()["unsure"]


def test_a_channel_in_bad_weather_gets_the_number_in_the_end(trade, eventually):
    trade.settle(eventually, 5)
    control(trade.url, "weather", status=500)
    trade.shop.tell("till", sale("T-1", JACKET, 1, at=now()))
    trade.work()
    assert trade.row()["attempts"] >= 1

    control(trade.url, "weather")
    trade.settle(eventually, 4)


def test_a_channel_whose_answers_got_lost_is_held_no_longer_once_it_is_read(
    trade, eventually
):
    trade.settle(eventually, 5)
    control(trade.url, "weather", hang_up=1.0)
    trade.shop.tell("till", sale("T-1", JACKET, 1, at=now()))

    def is_held() -> bool:
        change(trade, next_attempt_at=0)
        trade.work()
        return trouble(trade)[0] is not None

    eventually(is_held)
    assert len(trouble(trade)[2]) == 1

    control(trade.url, "weather")
    trade.settle(eventually, 4)

    assert trouble(trade) == (None, 0, [])


def trouble(trade: Trade) -> tuple[int | None, int, list[str]]:
    """Since when the channel is held, its failures in a row, and what says so."""
    open_ = sa.select(incidents.c.message).where(incidents.c.closed_at.is_(None))
    held = sa.select(channels.c.tripped_at, channels.c.failures)
    with trade.shop.engine.connect() as connection:
        row = connection.execute(held.where(channels.c.key == "web")).one()
        return row[0], row[1], list(connection.scalars(open_))


def test_two_changes_in_one_second_are_told_apart_by_a_read(trade, eventually):
    trade.settle(eventually, 5)
    while now() % SECOND > 100_000:
        pass
    sold = sell(trade, 2, place=PLACE)
    control(trade.url, "cancel", order=sold["order"], restock=True)

    trade.settle(eventually, 5)
    eventually(lambda: trade.work() or trade.shop.level(JACKET) == {"available": 5})

    with trade.shop.engine.connect() as connection:
        assert connection.execute(sa.select(incidents)).all() == []
    assert is_right(trade)


# -- a compare-and-set that missed ---------------------------------------------------

compared = pytest.mark.parametrize("trade", ["shopify"], indirect=True)


def change(trade: Trade, **values) -> None:
    with writing(trade.shop.engine) as connection:
        connection.execute(publications.update().values(**values))


def look_again(trade: Trade) -> None:
    """The next round, without waiting for it."""
    change(trade, next_attempt_at=0)
    trade.work()


def edit(trade: Trade, quantity: int) -> None:
    control(trade.url, "edit", item=ITEM, place=PLACE, quantity=quantity)


def drift(trade: Trade) -> sa.Row:
    with trade.shop.engine.connect() as connection:
        return connection.execute(sa.select(incidents)).one()


@compared
def test_until_it_is_explained_at_most_the_smaller_number_is_published(
    trade, eventually
):
    trade.settle(eventually, 5)
    trade.shop.deaf = True
    edit(trade, 2)  # most likely a sale that nobody has told us of
    trade.shop.tell("till", sale("T-1", JACKET, 1, at=now()))
    for _ in range(3):
        look_again(trade)
        assert trade.shows() == 2, "4 might sell a unit twice"

    change(trade, doubt_at=now() - 11 * SECOND)
    look_again(trade)

    assert trade.shows() == 4, "its orders were read long past it: it was edited"
    with trade.shop.engine.connect() as connection:
        [found] = connection.execute(sa.select(drifts))
    assert (found.theirs, found.believed, found.ours) == (2, 5, 4)
    assert (found.cause, found.done) == ("edited", "publish")


@compared
def test_the_smaller_of_two_numbers_is_published_at_once(trade, eventually):
    trade.settle(eventually, 5)
    trade.shop.deaf = True
    edit(trade, 50)
    trade.shop.tell("till", sale("T-1", JACKET, 1, at=now()))

    trade.work()

    assert trade.shows() == 4


@compared
def test_a_number_that_keeps_moving_is_put_before_a_person(trade, eventually):
    trade.settle(eventually, 5)
    trade.shop.deaf = True
    trade.shop.tell("till", sale("T-1", JACKET, 1, at=now()))
    for number in (3, 2, 3, 2, 3, 2):
        edit(trade, number)
        look_again(trade)

    assert trade.shows() == 2, "never overwritten"
    told = drift(trade)
    assert told.closed_at is None
    assert "shows 3" in told.message
    assert "ours is 4" in told.message

    trade.shop.deaf = False
    edit(trade, 4)
    eventually(lambda: look_again(trade) or drift(trade).closed_at)
    assert trade.shows() == 4, "no person was needed after all"


@pytest.mark.parametrize("trade", ["square"], indirect=True)
def test_one_read_serves_all_webhooks_that_point_at_an_order(
    trade, eventually, monkeypatch
):
    kind = adapters.get(trade.provider)
    read, reads = kind.fetch, []
    monkeypatch.setattr(kind, "fetch", lambda *a: reads.append(a) or read(*a))
    sell(trade, 2)
    pointing = ("waiting", "says nothing about stock")
    eventually(lambda: trade.shop.apply() or trade.shop.messages().count(pointing) == 2)

    assert trade.fetcher.fetch_due(trade.key) == 2
    trade.shop.apply()

    assert len(reads) == 1
    assert {state for state, _ in trade.shop.messages()} == {"applied"}


@compared
def test_a_number_told_in_the_second_of_a_sale_is_not_the_newest(trade, eventually):
    trade.settle(eventually, 5)
    # One was sold and came back at once: of the two numbers, this one came last.
    change(trade, observed=4, observed_at=now())
    trade.shop.tell("till", sale("T-1", JACKET, 1, at=now()))

    trade.work()

    assert trade.shows() == 4


@compared
def test_a_sale_in_the_second_of_a_write_came_after_it(trade, eventually):
    trade.settle(eventually, 5)
    sell(trade, place=PLACE)
    [order] = trade.sandbox.orders.values()
    second = int(order.at.timestamp()) * SECOND
    change(trade, believed_at=second + 9, accepted_at=second + 9)

    eventually(lambda: trade.shop.apply() or trade.shop.level(JACKET)["available"] == 4)

    assert trade.row()["believed"] == 4 == trade.shows()


@compared
def test_a_sale_told_while_a_number_is_sent_came_after_it(
    trade, eventually, monkeypatch
):
    trade.settle(eventually, 5)
    change(trade, believed_at=publications.c.believed_at - 2 * SECOND)
    kind = adapters.get(trade.provider)
    send = kind.send

    def sends(self, *given):
        outcomes = send(self, *given)
        sell(trade, place=PLACE)
        left = {"available": 3, "committed": 1}
        eventually(lambda: trade.shop.apply() or trade.shop.level(JACKET) == left)
        return outcomes

    monkeypatch.setattr(kind, "send", sends)
    trade.shop.tell("till", sale("T-1", JACKET, 1, at=now()))
    trade.shop.apply()
    trade.publisher.push_due(trade.key)

    assert trade.row()["believed"] == 3 == trade.shows()


@compared
def test_an_edit_of_what_goes_on_selling_is_put_right(trade, eventually):
    trade.settle(eventually, 5)
    # Its orders tell whole seconds: what it sold in the one of a reading may be in it.
    change(trade, believed_at=publications.c.believed_at - SECOND)
    trade.shop.deaf = True
    edit(trade, 3)
    trade.shop.tell("till", sale("T-1", JACKET, 1, at=now()))
    look_again(trade)
    for _ in range(2):
        sell(trade, shipped=True, place=PLACE)
        change(trade, doubt_at=publications.c.doubt_at - 6 * SECOND)
        look_again(trade)

    assert trade.shows() == 2, "its sales explain what they changed, and no more"
    assert trade.shop.level(JACKET) == {"available": 2}
    with trade.shop.engine.connect() as connection:
        assert connection.execute(sa.select(incidents)).all() == []


@compared
def test_a_sale_after_a_lost_answer_is_not_put_back_on_sale(trade, eventually):
    trade.settle(eventually, 5)
    trade.shop.tell("till", sale("T-1", JACKET, 1, at=now()))
    control(trade.url, "weather", hang_up=1)
    trade.publisher.push_due("web")
    control(trade.url, "weather")
    assert trade.row()["unsure"]
    trade.shop.deaf = True
    edit(trade, 3)  # our 4 arrived, and then one was sold

    look_again(trade)

    assert trade.shows() == 3


@compared
@pytest.mark.parametrize("arrived", [True, False])
def test_a_lost_answer_by_itself_is_no_riddle(trade, eventually, arrived):
    trade.settle(eventually, 5)
    trade.shop.tell("till", sale("T-1", JACKET, 1, at=now()))
    control(trade.url, "weather", **({"hang_up": 1} if arrived else {"status": 500}))
    trade.publisher.push_due("web")
    control(trade.url, "weather")
    assert trade.row()["unsure"]

    trade.settle(eventually, 4)

    assert trade.row()["misses"] == 0
    assert not trade.row()["unsure"]
