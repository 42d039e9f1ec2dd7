"""How far a return is, as notices, arrivals and shipments tell of it."""

from app.domain import events as kinds
from app.domain.returning import Return, progress
from app.domain.targets import UNLINKED, Rules, Target

NORTH, SOUTH = 1, 2
STORE, PARCELS, DESK = "1", "2", "3"


def target(quantity, at, place=NORTH, extra=None):
    return Target(quantity, 1, place, at, extra)


def shipped(quantity):
    return {"shipped:1:s": target(quantity, 20)}


def advised(quantity, at=30, by=STORE, fact="a", by_word=None):
    return {f"advised:{by}:{fact}": target(quantity, at, None, by_word)}


def returned(quantity, at=40, place=NORTH, by=STORE, fact="r", to=None):
    return {f"returned:{by}:{fact}": target(quantity, at, place, to)}


def after(*told, rules=None):
    targets = {}
    for facts in told:
        targets |= facts
    return progress(targets, rules or Rules())


def none_but(**fields):
    """A return with these fields; nothing else is known of it."""
    numbers = dict.fromkeys(Return._fields, 0) | {"judged_at": None, "began_at": 30}
    return Return(**numbers | fields)


def test_a_line_that_nobody_sends_back_is_no_return():
    assert after(shipped(3)) is None
    assert after(shipped(3), advised(0), returned(0)) is None


def test_nothing_is_a_return_of_an_order_that_is_another_systems_copy():
    copy = {kinds.IGNORED: target(1, 10)}
    assert after(copy, shipped(3), returned(1)) is None


def test_a_refund_advises_units_that_are_still_away():
    assert after(shipped(3), advised(2)) == none_but(advised=2)


def test_notices_of_one_kind_add_up_and_those_of_several_speak_of_the_same_units():
    refunds = advised(1, 31, fact="a:1"), advised(1, 30, fact="b:2")
    label = advised(1, 29, fact="c:3", by_word="label")
    rma = advised(1, 33, fact="d:4", by_word="rma")
    scan = advised(1, 32, by=PARCELS, fact="e:5")

    assert after(shipped(3), *refunds, label, rma, scan) == none_but(
        advised=2, began_at=29
    )


def test_units_are_received_where_they_were_put():
    found = after(
        shipped(9),
        returned(1, 40, fact="a"),
        returned(2, 41, fact="b", to=kinds.DAMAGED),
        returned(3, 42, SOUTH, fact="c", to=kinds.INSPECT),
    )

    assert found == none_but(
        received=6, sellable=1, damaged=2, to_judge=3, judged_at=SOUTH, began_at=40
    )


def test_what_is_scrapped_is_received_all_the_same():
    scrapped = returned(2, to=kinds.SCRAP)
    assert after(shipped(2), scrapped) == none_but(received=2, began_at=40)


def test_more_than_was_shipped_waits_for_the_shipment():
    none, some, more = returned(0, 39, fact="a"), returned(2, fact="b"), returned(1, 41)
    assert after(shipped(1), none, some, more) == none_but(
        received=3, surplus=2, sellable=1, began_at=40
    )


def test_units_without_an_order_are_told_apart():
    stray = returned(2, fact="x", to=kinds.SELLABLE + UNLINKED)
    assert after(shipped(1), returned(1, 41), stray) == none_but(
        received=3, unlinked=2, sellable=3, began_at=40
    )


def test_where_a_custodian_receives_the_words_of_others_are_notices():
    rules = Rules(custodians={NORTH: DESK})
    refunds = returned(1, 30, fact="a:1") | returned(1, 31, fact="b:2")
    assert after(shipped(3), refunds, rules=rules) == none_but(advised=2)

    at_the_desk = returned(1, 50, by=DESK)
    assert after(shipped(3), refunds, at_the_desk, rules=rules) == none_but(
        advised=2, received=1, sellable=1
    )


def test_a_report_that_names_no_place_has_no_custodian():
    nowhere = {"returned:1:r": target(2, 40, None)}
    assert after(shipped(3), nowhere, rules=Rules(custodians={NORTH: DESK})) is None
