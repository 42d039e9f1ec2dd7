"""`onecount recover --since T`."""

from app.domain.instants import HOUR, iso, now
from tests.builders import JACKET


def furnish(hub) -> None:
    hub.locations("downtown")
    hub.channel(
        "web",
        provider="shopify",
        settings={"shop": "blue-jacket.myshopify.com"},
        mapped={"downtown": "1"},
        publish={},
    )
    hub.channel("till", publish={})
    hub.sku(JACKET)
    hub.listing("web", JACKET, "1")
    hub.listing("till", JACKET, JACKET)
    with hub.engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE publications SET accepted = 3, accepted_version = wanted_version"
        )


def test_it_says_how_many_numbers_and_which_channels(onecount, hub, ask) -> None:
    furnish(hub)
    since = iso(now() - HOUR)

    done = onecount("recover", "--since", since)

    assert done.exit_code == 0, done.output
    said = " ".join(done.output.split())
    assert "2 numbers that channels took: read back, or sent again." in said
    assert f"Asked for all that changed since {since}: web." in said
    assert "Cannot be asked: till." in said
    assert ask(
        "SELECT count(*) FROM publications WHERE unsure AND wanted_version > "
        "accepted_version"
    ) == [(2,)]
    assert ask("SELECT action FROM audit_log") == [("recover",)]
    assert "recovering: reads what changed" in onecount("channels", "list").output


def test_a_later_time_does_not_narrow_what_is_asked_for_already(
    onecount, hub, ask
) -> None:
    furnish(hub)
    early, late = now() // 10**6 * 10**6 - 2 * HOUR, now() - HOUR

    for since in (early, late):
        assert onecount("recover", "--since", iso(since)).exit_code == 0

    assert ask("SELECT poll_from FROM channels WHERE key = 'web'") == [(early,)]


def test_a_channel_of_an_absent_provider_keeps_no_other_from_it(onecount, hub) -> None:
    """A backup may be restored beside a release that does not have its adapter."""
    furnish(hub)
    with hub.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE channels SET provider = 'x' WHERE id = 2")

    done = onecount("recover", "--since", iso(now() - HOUR))

    assert done.exit_code == 0, done.output
    said = " ".join(done.output.split())
    assert "since" in said
    assert "web. They publish" in said
    assert "Cannot be asked: till." in said


def test_a_time_needs_its_zone_and_must_be_over(onecount, hub) -> None:
    naive = onecount("recover", "--since", "2026-11-23T10:00:00")
    assert naive.exit_code == 2
    assert "names no time zone" in naive.output
    later = onecount("recover", "--since", iso(now() + HOUR))
    assert later.exit_code == 2
    assert "not over yet" in later.output
    assert onecount("recover").exit_code == 2
