"""`onecount alerts test`."""

import pytest

from tests.hearing import hearing


@pytest.fixture
def listener():
    with hearing() as listener:
        yield listener


def test_everybody_who_is_told_is_tried(onecount, monkeypatch, listener) -> None:
    monkeypatch.setenv("ONECOUNT_ALERTS", f"{listener.url}, pigeon://loft?key=coo")

    said = onecount("alerts", "test")

    assert said.exit_code == 1
    assert "address 1 (json): told" in said.output
    assert "address 2 (pigeon): could not be told" in said.output
    assert "coo" not in said.output
    assert listener.heard == [("Onecount", "This is a test: all is well.")]


def test_nothing_starts_with_an_address_that_nobody_could_be_told_at(onecount) -> None:
    said = onecount("up", ONECOUNT_ALERTS="json://here, pigeon://loft?key=coo")

    assert said.exit_code == 2
    assert "ONECOUNT_ALERTS: address 2 is none that apprise knows" in said.output
    assert "coo" not in said.output


def test_it_is_said_when_all_heard_and_when_there_is_nobody(
    onecount, monkeypatch, listener
) -> None:
    monkeypatch.setenv("ONECOUNT_ALERTS", listener.url)
    assert onecount("alerts", "test").exit_code == 0

    monkeypatch.delenv("ONECOUNT_ALERTS")
    nobody = onecount("alerts", "test")
    assert nobody.exit_code == 1
    assert "ONECOUNT_ALERTS is empty" in nobody.output
