"""`onecount replay`: which messages are read again, and that it changes nothing."""

import pytest

from app.domain.instants import HOUR, MINUTE, iso, now
from app.pipeline.inbound import Inbound
from tests.builders import JACKET, cancellation, order, returned, sale, shipment

SCARF = "RED-SCARF"


@pytest.fixture
def busy(hub):
    """Seven messages: six tell of stock, the last one is nonsense."""
    hub.locations("downtown")
    hub.channel("web", publish={})
    hub.channel("till")
    hub.sku(JACKET)
    hub.count(JACKET, "downtown", 9, at=now() - HOUR)
    at = now() - MINUTE
    hub.tell(
        "web",
        order("1001", JACKET, 3, at=at),
        cancellation("1001", JACKET, 1, at=at),
        shipment("1001", JACKET, 1, at=at, location="downtown"),
        returned("1001", JACKET, 1, at=at, location="downtown"),
    )
    hub.tell("till", sale("T-1", JACKET, 2, at=at))
    hub.tell("till", sale("T-2", SCARF, 1, at=at))
    hub.tell("till", b'{"type": "sale", "lines": 7}')
    return hub


def waiting(ask) -> list[int]:
    return [row[0] for row in ask("SELECT id FROM inbox WHERE state = 'waiting'")]


def test_replaying_everything_changes_nothing(onecount, busy, ask) -> None:
    everything = "SELECT * FROM ledger ORDER BY id", "SELECT * FROM stock_levels"
    told = "SELECT id, state, error FROM inbox ORDER BY id"
    events = "SELECT id, verdict, target, version FROM stock_events ORDER BY id"
    before = [ask(one) for one in (*everything, told, events)]

    done = onecount("replay")

    assert done.exit_code == 0, done.output
    assert "7 messages will be read again." in done.output
    assert waiting(ask) == [1, 2, 3, 4, 5, 6, 7]
    busy.apply()
    assert [ask(one) for one in (*everything, told, events)] == before
    assert onecount("audit").exit_code == 0


@pytest.mark.parametrize(
    ("options", "ids"),
    [
        (["--channel", "till"], [5, 6, 7]),
        (["--state", "buried"], [7]),
        (["--state", "parked"], [6]),
        (["--order", "1001"], [1, 2, 3, 4]),
        (["--order", "100"], []),
        (["--sku", JACKET], [1, 2, 3, 4, 5]),
        (["--sku", SCARF], [6]),
        (["--sku", JACKET, "--channel", "till"], [5]),
        (["--since", iso(now() + HOUR)], []),
        (["--until", iso(now() - HOUR)], []),
        (["--since", iso(now() - HOUR), "--until", iso(now() + HOUR)], [*range(1, 8)]),
    ],
)
def test_only_what_all_options_fit(onecount, busy, ask, options, ids) -> None:
    done = onecount("replay", *options)

    assert waiting(ask) == ids
    assert f"{len(ids)} message" in done.output


def test_what_was_buried_is_applied_once_it_can_be(onecount, busy, ask) -> None:
    busy.sku(SCARF)
    onecount("replay", "--state", "parked")
    busy.apply()

    assert ask("SELECT state FROM inbox WHERE id = 6") == [("applied",)]
    assert ask("SELECT action FROM audit_log") == [("replay",)]


def test_what_comes_meanwhile_does_not_wait_for_all_that_is_read_again(
    onecount, busy, ask
) -> None:
    onecount("replay")
    busy.receive("till", sale("T-9", JACKET, 1, at=now()))
    inbound = Inbound(busy.engine, busy.vault, batch=2)
    inbound.run(now())

    # What was buried is read for the first time, too.
    done = "SELECT id FROM inbox WHERE state != 'waiting' ORDER BY id"
    assert ask(done) == [(7,), (8,)]
    while inbound.run(now()):
        pass
    assert waiting(ask) == []


def test_a_body_that_is_gone_is_not_read_again(onecount, busy, ask) -> None:
    with busy.engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE inbox SET body = NULL, document = NULL WHERE id = 7"
        )

    assert "0 messages" in onecount("replay", "--state", "buried").output


def test_a_channel_that_is_not_there_is_named(onecount) -> None:
    done = onecount("replay", "--channel", "nowhere")

    assert done.exit_code == 1
    assert "there is no channel 'nowhere'" in done.output
