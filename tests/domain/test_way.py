"""What is on the way, dealt out to what arrived and what is lost."""

from hypothesis import given, strategies as st

from app.domain import events as kinds
from app.domain.case import movements
from app.domain.targets import BEGAN, Rules, Target
from app.domain.way import Balance, balances, deal, way_of

NORTH, SOUTH = 11, 12


def sent(units, to=NORTH, at=10):
    return {kinds.TRANSFERRED: Target(units, at, SOUTH, at, to)}


def expected(units, place=NORTH, at=10):
    return {kinds.EXPECTED: Target(units, at, place, at)}


def received(units, place=NORTH, at=20, extra="|W"):
    return {kinds.RECEIVED: Target(units, at, place, at, extra)}


def lost(units, at=30, extra="|W"):
    return {kinds.LOST: Target(units, at, None, at, extra)}


def undone(line):
    return line | {kinds.REVERSED: Target(1, 99, None, 10)}


def plain(lines):
    return [(7, line) for line in lines]


def no_kit(sku, targets):
    return {}


def balance(lines):
    return balances(plain(lines), no_kit).get(7, Balance(0, 0, 0, 0))


def after(*lines):
    """Units by state and place, once these lines are dealt and posted."""
    deal(plain(lines), no_kit)
    found = {}
    for line in lines:
        for one, units in movements(7, line, Rules()).items():
            for spot, sign in (
                ((one.from_state, one.from_location), -1),
                ((one.to_state, one.to_location), 1),
            ):
                found[spot] = found.get(spot, 0) + sign * units
    return {spot: units for spot, units in found.items() if units}


def test_what_arrives_and_what_is_lost_is_taken_off_the_way():
    assert after(sent(5), received(2), lost(1)) == {
        ("available", SOUTH): -5,
        ("incoming", NORTH): 2,
        ("available", NORTH): 2,
        ("variance", NORTH): 1,
    }


def test_what_two_say_of_one_way_is_added_up():
    lines = [sent(1), sent(4), lost(1), lost(2, at=31), received(2)]

    assert ("incoming", NORTH) not in after(*lines)
    assert balance(lines) == Balance(5, 2, 3, 0)


def test_beyond_a_transfer_units_come_from_variance_else_from_the_supplier():
    assert after(sent(1), received(3))["variance", NORTH] == -2
    assert after(expected(1), received(3))["supplier", NORTH] == -3
    assert after(received(3)) == {("supplier", NORTH): -3, ("available", NORTH): 3}


def test_units_move_when_they_were_sent_and_when_they_arrived():
    lines = [sent(2), lost(1, at=30), received(2, at=20), received(3, at=25)]
    deal(plain(lines), no_kit)

    times = [
        {move.occurred_at for move in movements(7, line, Rules())} for line in lines
    ]
    assert times == [{10}, set(), {20}, {25}]


def test_the_oldest_arrival_is_of_what_was_on_the_way():
    lines = [sent(2), received(2, at=21), received(2, at=20)]
    deal(plain(lines), no_kit)

    assert [
        one.from_state for line in lines for one in movements(7, line, Rules())
    ] == [
        "available",
        "variance",
        "incoming",
    ]


def test_an_arrival_goes_where_it_is_put_whatever_the_id_of_its_way():
    assert after(expected(1), received(1, extra="inspect|PO|1")) == {
        ("supplier", NORTH): -1,
        ("inspection", NORTH): 1,
    }


def test_an_arrival_comes_before_a_loss_that_was_told_of_the_same_units():
    lines = [sent(4), lost(4, at=15), received(3, at=50)]

    assert after(*lines)["variance", NORTH] == 1
    assert balance(lines)[:4] == (4, 3, 1, 0)


def test_what_never_came_of_a_supplier_is_no_loss_of_ours():
    assert after(expected(4), lost(4)) == {}
    assert after(sent(4), lost(4, extra="scrap|W"))["scrap", NORTH] == 4


def test_units_that_arrive_somewhere_else_come_off_where_they_were_going():
    assert after(sent(4), received(4, place=SOUTH)) == {}


def test_units_that_were_going_where_they_arrive_come_off_first():
    found = after(sent(1), sent(1, to=13), received(1, place=13))

    assert (found["incoming", NORTH], found["available", 13]) == (1, 1)
    assert ("incoming", 13) not in found


def test_what_was_reversed_is_as_if_never_told():
    assert after(sent(4), undone(received(4))) == after(sent(4))
    assert after(undone(sent(4))) == {}
    assert after(sent(4), undone(lost(4))) == after(sent(4))
    assert after(undone(sent(4, at=99))) == {}, "said in the version of its reversal"
    assert after(undone(sent(4, at=100))) == after(sent(4)), "said anew since then"
    assert after(sent(4), undone(received(4, at=99))) == after(sent(4))


def test_which_way_a_case_is_about():
    assert way_of("wms/expected/PO/1", {}) == "PO/1"
    assert way_of("wms/received/R", received(1, extra="inspect|PO|1")) == "PO|1"
    assert way_of("wms/received/R", received(1, extra="inspect")) is None
    assert way_of("wms/lost/R", lost(1)) == "W"
    assert way_of("wms/adjusted/W", {}) is None


LINES = st.one_of(
    st.builds(sent, st.integers(0, 5), st.sampled_from([NORTH, 13])),
    st.builds(expected, st.integers(0, 5), st.sampled_from([NORTH, SOUTH])),
    st.builds(
        received, st.integers(0, 5), st.sampled_from([NORTH, SOUTH]), st.integers(1, 40)
    ),
    st.builds(lost, st.integers(0, 5), st.integers(1, 40)),
)


@given(st.lists(LINES | LINES.map(undone), max_size=8))
def test_no_more_is_taken_than_was_sent_and_nothing_is_left_uncounted(lines):
    found = after(*lines)

    assert sum(found.values()) == 0
    assert all(units >= 0 for (state, _), units in found.items() if state == "incoming")
    on_the_way = sum(
        units for (state, _), units in found.items() if state == "incoming"
    )
    assert balance(lines).left == on_the_way
    assert deal(plain(lines), no_kit) == []


def test_a_way_remembers_for_each_sku_when_the_first_of_it_was_sent():
    late, early, arrival, other = sent(2, at=15), sent(2), received(1), sent(2, at=5)

    deal([(7, late), (7, early), (7, sent(2, at=12)), (7, arrival), (8, other)], no_kit)
    began = [line[BEGAN].occurred_at for line in (late, early, arrival, other)]
    assert began == [10, 10, 10, 5]

    arrival[kinds.RECEIVED] = received(1, extra="")[kinds.RECEIVED]
    assert deal([(7, arrival)], no_kit) == [0]
    assert arrival.keys() == {kinds.RECEIVED}, "it fulfils nothing any more"


def test_what_was_sent_as_packs_arrives_as_units_and_the_other_way_round():
    def packs(sku, targets):
        """They had six units while the first was sent."""
        return {7: 6 if targets[BEGAN].occurred_at == 10 else 4} if sku == 8 else {}

    lines = [(8, sent(2)), (7, received(7)), (8, received(1)), (7, lost(9))]
    deal(lines, packs)

    assert balances(lines, packs) == {7: Balance(12, 13, 0, 1)}
    found = [movements(sku, line, Rules(), packs(sku, line)) for sku, line in lines]
    moves = [
        (m.sku_id, m.from_state, m.to_state, n) for f in found for m, n in f.items()
    ]
    assert moves == [
        (7, "available", "incoming", 12),
        (7, "incoming", "available", 7),
        (7, "incoming", "available", 5),
        (7, "variance", "available", 1),
    ]
