"""Times as microseconds: exact both ways, and never without a zone."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, strategies as st

from app.domain import instants

_ANY_TIME = st.datetimes(
    min_value=datetime(1, 1, 2),  # noqa: DTZ001
    max_value=datetime(9999, 12, 30),  # noqa: DTZ001
    timezones=st.timezones() | st.just(UTC),
)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:00.000001Z", 1),
        ("1969-12-31T23:59:59.999999Z", -1),
        ("1970-01-01T01:00:00+01:00", 0),
        ("2026-11-23T10:00:00Z", 1_795_428_000_000_000),
        ("2026-11-23T05:00:00-05:00", 1_795_428_000_000_000),
        ("2026-11-23 10:00:00.5+00:00", 1_795_428_000_500_000),
        # More digits than we keep are cut, not rounded into the future.
        ("2026-11-23T10:00:00.999999999Z", 1_795_428_000_999_999),
    ],
)
def test_a_time_is_read_to_the_microsecond(text: str, instant: int):
    assert instants.parse(text) == instant


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "yesterday",
            "2026-11-23T25:00:00Z",
            "2026-02-30T10:00:00Z",
            "1795428000",
        ),
        *("2026-11-23T10:00:00", "2026-11-23", "2026-11-23T23:59:60Z", "10:00:00Z"),
    ],
)
def test_what_is_no_time_with_a_zone_is_refused_in_words(text: str):
    with pytest.raises(ValueError, match=r"is not a time like|names no time zone"):
        instants.parse(text)


@pytest.mark.parametrize("given", [None, 5, 5.0, True, [], {}, b"2026-11-23T10:00:00Z"])
def test_what_is_no_text_is_refused_the_same_way(given: object):
    with pytest.raises(ValueError, match="is not a time like"):
        instants.parse(given)  # type: ignore[arg-type]


def test_a_naive_datetime_is_refused():
    with pytest.raises(ValueError, match="names no time zone"):
        instants.from_datetime(datetime(2026, 11, 23, 10))  # noqa: DTZ001


@given(_ANY_TIME)
def test_there_and_back_is_the_same_moment(moment: datetime):
    found = instants.to_datetime(instants.from_datetime(moment))

    assert found == moment.astimezone(UTC)


@given(st.integers(-62_135_500_000_000_000, 253_402_200_000_000_000))
def test_written_and_read_again_is_the_same_instant(instant: int):
    text = instants.iso(instant)

    assert text.endswith("Z")
    assert instants.parse(text) == instant


@given(_ANY_TIME, _ANY_TIME)
def test_instants_order_as_the_moments_do(one: datetime, other: datetime):
    # As UTC: two datetimes of one zone compare by the wall clock, also while the
    # clocks go back.
    earlier = one.astimezone(UTC) < other.astimezone(UTC)

    assert (instants.from_datetime(one) < instants.from_datetime(other)) == earlier


def test_whole_seconds_are_written_without_a_fraction():
    assert instants.iso(1_795_428_000_000_000) == "2026-11-23T10:00:00Z"
    assert instants.iso(1_795_428_000_000_001) == "2026-11-23T10:00:00.000001Z"


def test_the_units_are_microseconds():
    east = timezone(timedelta(hours=2))
    start = datetime(2026, 11, 23, tzinfo=east)

    for unit, length in (
        (instants.SECOND, timedelta(seconds=1)),
        (instants.MINUTE, timedelta(minutes=1)),
        (instants.HOUR, timedelta(hours=1)),
        (instants.DAY, timedelta(days=1)),
    ):
        later = instants.from_datetime(start + length)
        assert later - instants.from_datetime(start) == unit


def test_now_is_the_clock():
    before = datetime.now(UTC)
    found = instants.to_datetime(instants.now())

    assert before <= found <= datetime.now(UTC)
