"""What the targets of a line call for: examples of the trade, then laws for any story."""

import random
from collections import defaultdict

import pytest
from hypothesis import given, strategies as st

from app.domain import events as kinds, states
from app.domain.case import difference, doubtful_returns, movements
from app.domain.targets import UNLINKED, Rules, Target

SKU = 1
NORTH, SOUTH, WEB = 11, 12, 99
"""Two shops, and the online store's virtual place."""
STORE, PARCELS, TILL = "1", "2", "3"
RULES = Rules(unassigned=WEB, ships_from=NORTH, preferred=(PARCELS, STORE))


def target(quantity, at=10, place=NORTH, extra=None, version=1):
    return Target(quantity, version, place, at, extra)


def placed(quantity, at=10, place=NORTH):
    return {kinds.PLACED: target(quantity, at, place)}


def shipped(quantity, at=20, place=NORTH, by=STORE, fact="s"):
    return {f"shipped:{by}:{fact}": target(quantity, at, place)}


def returned(quantity, at=30, place=NORTH, by=STORE, fact="r", to=None):
    return {f"returned:{by}:{fact}": target(quantity, at, place, to)}


def released(quantity, at=15):
    return {kinds.RELEASED: target(quantity, at, None)}


def routed(quantity, place, fact="f", at=12):
    return {f"routed:{fact}": target(quantity, at, place)}


def levels(moves, until=None):
    """What movements leave behind: (state, place) → units, zero ones left out."""
    sums = defaultdict(int)
    for move, quantity in moves.items():
        if until is None or move.occurred_at <= until:
            sums[move.from_state, move.from_location] -= quantity
            sums[move.to_state, move.to_location] += quantity
    return {spot: units for spot, units in sums.items() if units}


def after(*told, rules=RULES):
    targets = {}
    for facts in told:
        targets |= facts
    return levels(movements(SKU, targets, rules))


def inside(found):
    return {spot: n for spot, n in found.items() if spot[0] in states.ON_HAND}


# -- examples -----------------------------------------------------------------


def test_an_order_promises_and_a_shipment_hands_over():
    assert after(placed(3)) == {("available", NORTH): -3, ("committed", NORTH): 3}
    assert after(placed(3), shipped(2)) == {
        ("available", NORTH): -3,
        ("committed", NORTH): 1,
        ("customer", NORTH): 2,
    }


def test_a_sale_over_the_counter_is_a_shipment_without_a_promise():
    assert after(shipped(1, by=TILL)) == {
        ("available", NORTH): -1,
        ("customer", NORTH): 1,
    }


def test_a_cancelled_unit_is_for_sale_again():
    assert after(placed(3), released(2)) == {
        ("available", NORTH): -1,
        ("committed", NORTH): 1,
    }
    assert after(placed(3), released(7)) == {}


def test_what_comes_back_goes_where_it_was_put():
    sold = (placed(3), shipped(3))
    assert after(*sold, returned(1))["available", NORTH] == -2
    assert after(*sold, returned(1, to=kinds.INSPECT))["inspection", NORTH] == 1
    assert after(*sold, returned(1, to=kinds.DAMAGED, place=SOUTH)) == {
        ("available", NORTH): -3,
        ("customer", NORTH): 3,
        ("customer", SOUTH): -1,
        ("damaged", SOUTH): 1,
    }


def test_a_return_of_what_never_went_out_is_a_release():
    assert after(placed(3), shipped(1), returned(2)) == {
        ("available", NORTH): -1,
        ("committed", NORTH): 1,
    }


def test_a_return_that_names_no_order_is_not_limited_by_shipments():
    assert after(returned(2, to=kinds.SELLABLE + UNLINKED)) == {
        ("available", NORTH): 2,
        ("customer", NORTH): -2,
    }


@pytest.mark.parametrize(
    ("told", "unlinked", "surplus"),
    [
        ((placed(3), shipped(3), returned(3)), {}, {}),
        ((placed(3), shipped(1), returned(3)), {}, {NORTH: 2}),
        ((returned(2, to=kinds.SELLABLE + UNLINKED),), {NORTH: 2}, {}),
        ((returned(0, to=kinds.SELLABLE + UNLINKED),), {}, {}),
        ((shipped(2), returned(2, place=None), returned(1, fact="b")), {}, {}),
        (
            # Two systems tell of the same unit: it is one unit too many, not two.
            (shipped(1), returned(2, by=STORE), returned(2, by=TILL, fact="b")),
            {},
            {NORTH: 1},
        ),
        (
            # The oldest count: what came back last is what was not known to be out.
            (shipped(1), returned(1, at=30), returned(1, at=40, place=SOUTH, fact="b")),
            {},
            {SOUTH: 1},
        ),
    ],
)
def test_what_a_line_does_not_explain_is_told_by_place(told, unlinked, surplus):
    targets = {}
    for facts in told:
        targets |= facts
    found = doubtful_returns(targets, RULES)

    assert (found.unlinked, found.surplus) == (unlinked, surplus)


def test_a_promise_moves_to_where_it_is_routed():
    assert after(
        placed(5, place=WEB), routed(2, NORTH, "a"), routed(1, SOUTH, "b")
    ) == {
        ("available", WEB): -2,
        ("committed", WEB): 2,
        ("available", NORTH): -2,
        ("committed", NORTH): 2,
        ("available", SOUTH): -1,
        ("committed", SOUTH): 1,
    }


def test_no_more_is_routed_than_was_ordered():
    assert after(
        placed(1, place=WEB), routed(2, NORTH, "a"), routed(2, SOUTH, "b")
    ) == {
        ("available", NORTH): -1,
        ("committed", NORTH): 1,
    }


def test_a_shipment_that_names_no_place_leaves_from_where_the_promise_sits():
    assert after(placed(1, place=SOUTH), shipped(1, place=None)) == {
        ("available", SOUTH): -1,
        ("customer", SOUTH): 1,
    }
    assert after(placed(1, place=WEB), routed(1, SOUTH), shipped(1, place=None)) == {
        ("available", SOUTH): -1,
        ("customer", SOUTH): 1,
    }


def test_a_shipment_of_an_unassigned_promise_leaves_from_the_usual_place():
    assert after(placed(1, place=WEB), shipped(1, place=None)) == {
        ("available", NORTH): -1,
        ("customer", NORTH): 1,
    }


def test_a_shipment_takes_the_promise_at_its_own_place_first():
    assert after(
        placed(2, place=WEB), routed(1, NORTH, "a"), routed(1, SOUTH, "b"), shipped(1)
    ) == {
        ("available", NORTH): -1,
        ("customer", NORTH): 1,
        ("available", SOUTH): -1,
        ("committed", SOUTH): 1,
    }


def test_units_taken_off_a_line_and_not_restocked_wait_for_a_look():
    withdrawn = {kinds.WITHDRAWN: target(1, 15)}
    assert after(placed(2), released(1), withdrawn) == {
        ("available", NORTH): -2,
        ("committed", NORTH): 1,
        ("inspection", NORTH): 1,
    }


def test_the_source_that_reports_the_most_shipments_is_believed():
    both = after(
        placed(5),
        shipped(1, by=PARCELS, fact="a"),
        shipped(3, by=STORE, fact="b", place=SOUTH),
    )
    assert both["customer", SOUTH] == 3
    assert ("customer", NORTH) not in both


def test_among_equal_reports_the_authority_is_believed():
    for rules, place in (
        (RULES, SOUTH),
        (Rules(preferred=(STORE, PARCELS)), NORTH),
        (Rules(), NORTH),
    ):
        both = after(
            placed(2),
            shipped(2, by=STORE),
            shipped(1, by=PARCELS, fact="a", place=SOUTH),
            shipped(1, by=PARCELS, fact="b", place=SOUTH),
            rules=rules,
        )
        assert both["customer", place] == 2
        assert sum(n for (state, _), n in both.items() if state == "customer") == 2


def test_one_unit_back_at_one_place_told_by_three_systems_is_one_unit():
    sold = (placed(2), shipped(2))
    told = (
        returned(1, by=STORE, fact="refund", place=None),
        returned(1, by=TILL, fact="receipt"),
        returned(1, by=PARCELS, fact="carrier", place=NORTH),
    )
    assert after(*sold, *told)["customer", NORTH] == 1


def test_a_refund_that_names_no_place_puts_nothing_back():
    assert after(placed(2), shipped(2), returned(2, place=None)) == after(
        placed(2), shipped(2)
    )


def test_only_its_custodian_puts_units_back_at_a_place():
    rules = Rules(ships_from=NORTH, custodians={NORTH: PARCELS})
    sold = (placed(2), shipped(2))
    assert after(*sold, returned(1, by=STORE), rules=rules)["customer", NORTH] == 2
    assert after(*sold, returned(1, by=PARCELS), rules=rules)["customer", NORTH] == 1
    elsewhere = after(*sold, returned(1, by=STORE, place=SOUTH), rules=rules)
    assert elsewhere["available", SOUTH] == 1


def test_places_together_never_take_back_more_than_was_shipped():
    found = after(
        placed(2),
        shipped(2),
        returned(2, at=30, place=NORTH, fact="a"),
        returned(2, at=31, place=SOUTH, by=TILL, fact="b"),
    )
    assert sum(n for (state, _), n in found.items() if state == "customer") == 0
    assert found.get(("available", SOUTH), 0) == 0


def test_an_order_handed_over_at_once_makes_no_promise():
    moves = movements(SKU, placed(2, at=10) | shipped(2, at=10), RULES)
    assert {move.to_state for move in moves} == {states.CUSTOMER}


@pytest.mark.parametrize(
    ("kind", "quantity", "extra", "left"),
    [
        (kinds.RECEIVED, 4, None, {"supplier": -4, "available": 4}),
        (kinds.RECEIVED, 4, "inspect", {"supplier": -4, "inspection": 4}),
        (kinds.EXPECTED, 4, None, {"supplier": -4, "incoming": 4}),
        (kinds.ADJUSTED, -4, None, {"available": -4, "variance": 4}),
        (kinds.ADJUSTED, 4, None, {"variance": -4, "available": 4}),
        (kinds.ADJUSTED, -4, kinds.DAMAGED, {"available": -4, "damaged": 4}),
        (kinds.ADJUSTED, -4, kinds.SCRAP, {"available": -4, "scrap": 4}),
        (kinds.INSPECTED, 4, None, {"inspection": -4, "available": 4}),
        (kinds.INSPECTED, 4, kinds.SCRAP, {"inspection": -4, "scrap": 4}),
        (kinds.HELD, 4, None, {"available": -4, "reserved": 4}),
        (kinds.HELD, 0, None, {}),
        (kinds.LET_GO, 4, None, {}),
    ],
)
def test_every_other_fact_moves_units_between_two_states(kind, quantity, extra, left):
    found = after({kind: target(quantity, extra=extra)})
    assert found == {(state, NORTH): units for state, units in left.items()}


def test_a_transfer_is_on_its_way_at_the_place_it_goes_to():
    assert after({kinds.TRANSFERRED: target(3, extra=SOUTH)}) == {
        ("available", NORTH): -3,
        ("incoming", SOUTH): 3,
    }


# -- laws ---------------------------------------------------------------------

units = st.integers(0, 6)
times = st.integers(1, 8)
_NOTHING = st.none()
shops = st.sampled_from([NORTH, SOUTH])
dispositions = st.sampled_from([None, kinds.SELLABLE, kinds.INSPECT, kinds.DAMAGED])


def _facts(kind, places, extras=_NOTHING):
    names = st.builds(
        lambda source, fact: f"{kind}:{source}:{fact}",
        st.sampled_from([STORE, PARCELS, TILL]),
        st.sampled_from("ab"),
    )
    told = st.builds(Target, units, st.just(1), places, times, extras)
    return st.dictionaries(names, told, max_size=4)


@st.composite
def stories(draw):
    """Everything that can be told about one order line, in any combination."""
    told = {}
    if draw(st.booleans()):
        place = draw(st.sampled_from([NORTH, SOUTH, WEB]))
        told[kinds.PLACED] = Target(draw(units), 1, place, draw(times))
    if draw(st.booleans()):
        told[kinds.RELEASED] = Target(draw(units), 1, None, draw(times))
    told |= draw(_facts(kinds.SHIPPED, st.one_of(shops, st.none())))
    told |= draw(_facts(kinds.RETURNED, st.one_of(shops, st.none()), dispositions))
    for fact in draw(st.sets(st.sampled_from("ab"))):
        told[f"routed:{fact}"] = Target(draw(units), 1, draw(shops), draw(times))
    return told


rules = st.builds(
    Rules,
    unassigned=st.just(WEB),
    ships_from=shops,
    preferred=st.permutations([STORE, PARCELS, TILL]).map(tuple),
    custodians=st.dictionaries(shops, st.sampled_from([STORE, PARCELS])),
)


@given(stories(), rules, st.randoms())
def test_the_order_of_arrival_does_not_matter(story, judged_by, chance: random.Random):
    told = list(story.items())
    chance.shuffle(told)
    assert movements(SKU, dict(told), judged_by) == movements(SKU, story, judged_by)


@given(stories(), stories(), rules)
def test_the_difference_leads_from_what_was_posted_to_what_is_called_for(
    before, now, judged_by
):
    posted = movements(SKU, before, judged_by)
    wanted = movements(SKU, now, judged_by)
    change = difference(wanted, posted)

    assert all(quantity > 0 for quantity in change.values())
    for at in range(10):
        together = defaultdict(int, levels(posted, at))
        for spot, moved in levels(change, at).items():
            together[spot] += moved
        assert {s: n for s, n in together.items() if n} == levels(wanted, at)
    assert difference(wanted, wanted) == {}


@given(stories(), rules)
def test_units_are_neither_made_nor_lost(story, judged_by):
    moves = movements(SKU, story, judged_by)
    assert all(quantity > 0 for quantity in moves.values())
    for at in range(10):
        assert sum(levels(moves, at).values()) == 0


@given(stories(), rules)
def test_nothing_but_what_may_be_sold_falls_below_zero(story, judged_by):
    for (state, _), left in inside(after(story, rules=judged_by)).items():
        assert state == states.AVAILABLE or left > 0


@given(stories(), rules)
def test_a_promise_is_never_negative_and_moves_nothing_at_any_time(story, judged_by):
    moves = movements(SKU, story, judged_by)
    promises = {m: n for m, n in moves.items() if states.COMMITTED in m}
    for at in range(10):
        here = levels(promises, at)
        assert all(n >= 0 for (state, _), n in here.items() if state == "committed")
        for place in (NORTH, SOUTH, WEB):
            assert sum(n for (_, spot), n in here.items() if spot == place) == 0


@given(stories(), rules)
def test_nothing_physical_ever_happens_in_the_virtual_place(story, judged_by):
    found = after(story, rules=judged_by)
    assert sum(n for (_, place), n in found.items() if place == WEB) == 0
    assert {state for state, place in found if place == WEB} <= {
        states.AVAILABLE,
        states.COMMITTED,
    }


@given(stories(), rules)
def test_what_is_promised_is_what_was_ordered_less_what_ended(story, judged_by):
    found = after(story, rules=judged_by)
    out = -sum(
        n
        for move, n in movements(SKU, story, judged_by).items()
        if move.from_state == states.CUSTOMER
    )
    gone = sum(
        n
        for move, n in movements(SKU, story, judged_by).items()
        if move.to_state == states.CUSTOMER
    )
    ordered = story[kinds.PLACED].quantity if kinds.PLACED in story else 0
    cancelled = story[kinds.RELEASED].quantity if kinds.RELEASED in story else 0
    never_left = _counted_returns(story, judged_by) + out
    promised = sum(n for (state, _), n in found.items() if state == states.COMMITTED)
    assert promised == max(0, ordered - cancelled - never_left - gone)


def _counted_returns(story, judged_by):
    """The largest report per place, told again in the simplest way."""
    totals = defaultdict(lambda: defaultdict(int))
    for name, told in story.items():
        kind, _, rest = name.partition(":")
        source = rest.partition(":")[0]
        if kind != kinds.RETURNED or told.location is None:
            continue
        if judged_by.custodians.get(told.location, source) == source:
            totals[told.location][source] += told.quantity
    return sum(max(by_source.values()) for by_source in totals.values())


@given(stories(), rules)
def test_no_more_comes_back_than_went_out(story, judged_by):
    found = after(story, rules=judged_by)
    assert sum(n for (state, _), n in found.items() if state == states.CUSTOMER) >= 0


@given(stories(), rules)
def test_as_many_go_out_as_the_largest_report_says(story, judged_by):
    totals = defaultdict(int)
    for name, told in story.items():
        if name.startswith("shipped:"):
            totals[name.split(":")[1]] += told.quantity
    gone = sum(
        n
        for move, n in movements(SKU, story, judged_by).items()
        if move.to_state == states.CUSTOMER
    )
    assert gone == max(totals.values(), default=0)
