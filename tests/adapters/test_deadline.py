"""A deadline cuts off what takes too long, and nothing else; one thread watches."""

import time
from threading import Thread

import pytest

from adapters import deadline as module
from adapters.deadline import Deadline


class Work:
    """Something under way that can be cut off."""

    def __init__(self) -> None:
        self.cuts = 0
        self.deadline = Deadline(self._cut)

    def _cut(self) -> None:
        self.cuts += 1


@pytest.fixture
def work() -> Work:
    return Work()


def test_what_takes_too_long_is_cut_off(work, eventually):
    with work.deadline.within(0.05):
        eventually(lambda: work.cuts == 1)
        assert work.deadline.is_over


def test_what_is_done_in_time_is_not(work):
    with work.deadline.within(0.5):
        pass
    time.sleep(0.7)
    assert (work.cuts, work.deadline.is_over) == (0, False)


def test_it_is_cut_off_once(work, eventually):
    with work.deadline.within(0.05):
        eventually(lambda: work.cuts)
        time.sleep(0.2)
    assert work.cuts == 1


def test_the_next_one_has_its_own_time(work):
    with work.deadline.within(0.5):
        pass
    with work.deadline.within(30):
        time.sleep(0.7)
        assert work.cuts == 0


def test_the_next_one_may_have_less(work, eventually):
    with work.deadline.within(30):
        pass
    with work.deadline.within(0.05):
        eventually(lambda: work.cuts == 1)


def test_what_follows_a_cut_one_can_be_cut_off_too(work, eventually):
    for times in (1, 2):
        with work.deadline.within(0.05):
            eventually(lambda times=times: work.cuts == times)


def test_one_thread_watches_many_and_goes_when_there_are_none(
    work, monkeypatch, eventually
):
    started: list[Thread] = []

    def thread(*given: object, **named: object) -> Thread:
        started.append(Thread(*given, **named))
        return started[-1]

    monkeypatch.setattr(module, "Thread", thread)
    for _ in range(100):
        with work.deadline.within(30):
            pass
    assert len(started) == 1
    for times in (1, 2):
        with work.deadline.within(0.05):
            eventually(lambda times=times: work.cuts == times)
        started[-1].join(5)
        assert [each.is_alive() for each in started] == [False] * times


def test_an_error_inside_ends_it(work):
    with pytest.raises(ValueError, match="broken"), work.deadline.within(0.5):
        raise ValueError("broken")
    time.sleep(0.7)
    assert work.cuts == 0
