"""`onecount channels` and `onecount audit`."""

from tests.builders import JACKET


def test_channels_are_listed_with_how_they_do(onecount, hub) -> None:
    assert "no channels yet" in onecount("channels", "list").output
    hub.channel("till", publish={})
    hub.channel("wms")
    onecount("channels", "pause", "till", "--reason", "counting day")

    said = onecount("channels", "list").output
    assert "paused: counting day" in said
    assert "it listens only" in said
    assert "running" in said


def test_a_paused_channel_is_resumed_by_name_or_all_at_once(onecount, hub, ask) -> None:
    hub.channel("till")
    hub.channel("wms")
    paused = "SELECT key FROM channels WHERE paused_at IS NOT NULL ORDER BY key"

    onecount("channels", "pause", "--all")
    assert ask(paused) == [("till",), ("wms",)]
    again = onecount("channels", "pause", "--all", "--reason", "again")
    assert "Paused: nothing" in again.output
    assert ask("SELECT DISTINCT paused_reason FROM channels") == [("by hand",)]
    onecount("channels", "resume", "till")
    assert ask(paused) == [("wms",)]
    onecount("channels", "resume", "--all")
    assert ask(paused) == []
    assert ask("SELECT action, subject FROM audit_log WHERE id = 3") == [
        ("resume", "till")
    ]


def test_a_held_channel_says_why_and_resuming_closes_its_circuit(
    onecount, hub, ask
) -> None:
    hub.channel("till", publish={})
    with hub.engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE channels SET tripped_at = 1, held_until = 1790000000000000, "
            "held_reason = '5 calls in a row failed', failures = 5"
        )

    said = onecount("channels", "list").output
    assert "held until 2026-09-21" in said
    assert "5 calls in a row failed" in " ".join(said.split())
    onecount("channels", "resume", "till")
    assert ask("SELECT tripped_at, held_until, failures FROM channels") == [
        (None, None, 0)
    ]


def test_pausing_needs_one_name_that_is_known(onecount) -> None:
    assert onecount("channels", "pause").exit_code == 2
    assert onecount("channels", "pause", "till", "--all").exit_code == 2
    unknown = onecount("channels", "pause", "till")
    assert unknown.exit_code == 1
    assert "there is no channel 'till'; known: none yet" in unknown.output


def test_an_audit_says_that_the_count_is_right(onecount, hub) -> None:
    hub.locations("downtown")
    hub.sku(JACKET)
    hub.count(JACKET, "downtown", 3)

    answer = onecount("audit")

    assert answer.exit_code == 0
    assert "1 SKUs at 1 locations: right." in answer.output


def test_an_audit_tells_what_differs_in_words(onecount, hub) -> None:
    hub.locations("downtown")
    hub.sku(JACKET)
    hub.count(JACKET, "downtown", 3)
    with hub.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE stock_levels SET available = 4")

    answer = onecount("audit")

    assert answer.exit_code == 1
    assert f"{JACKET} at downtown: available is 4" in answer.output


def test_a_channel_made_by_mistake_is_removed(onecount, hub, ask) -> None:
    hub.channel("till")
    hub.channel("tlil")
    names = "SELECT key FROM channels ORDER BY key"

    assert onecount("channels", "remove", "tlil", input="n\n").exit_code == 1
    assert ask(names) == [("till",), ("tlil",)]
    said = onecount("channels", "remove", "tlil", "--yes")
    assert "tlil is removed" in said.output
    assert ask(names) == [("till",)]
    again = onecount("channels", "remove", "tlil", "--yes")
    assert again.exit_code == 1
    assert "there is no channel 'tlil'; known: till" in again.output
