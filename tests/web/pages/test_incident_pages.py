"""What does not add up: by kind and channel, with the ways out."""

import html
import re

import sqlalchemy as sa

from app.domain.drift import MAPPING
from app.domain.errors import GiveUp
from app.domain.instants import DAY, HOUR, now
from app.store.engine import writing
from app.store.tables import audit_log, incidents
from app.store.watching import watchlist
from app.store.watching.incidents import open_incident
from tests.builders import JACKET, order, returned
from tests.web.pages.conftest import text_of

WEB_SKU = "jacket-on-the-web"


def oversell(shop, units: int = 12, number: str = "1001") -> None:
    shop.tell("web", order(number, WEB_SKU, units, at=now()))


def the_id(shop, kind: str) -> int:
    query = sa.select(incidents.c.id).where(incidents.c.kind == kind)
    with shop.engine.connect() as connection:
        return connection.execute(query).scalar_one()


def test_a_quiet_hub_says_that_nothing_needs_you(anna, shop):
    assert "Nothing needs you" in anna.words("/incidents")


def test_an_oversell_says_how_many_and_the_ways_out(anna, shop):
    shop.count(JACKET, "harbour", 1)
    oversell(shop, 13)
    words = anna.words("/incidents")

    told = anna.words(f"/incidents/{the_id(shop, 'oversell')}")

    assert "More was sold than there is 1 case, 1 SKU, 2 units" in words
    assert "Cancel 2 units of order 1001 on web" in told
    assert "1001 web 13 promised" in told


def test_resolving_keeps_the_note_with_the_name(anna, shop):
    oversell(shop)
    number = the_id(shop, "oversell")

    anna.press(f"/incidents/{number}/resolve", {"note": "Called the buyer"})

    assert "Nothing needs you" in anna.words("/incidents")
    assert "Note: Called the buyer" in anna.words("/incidents?state=over")
    told = anna.words(f"/incidents/{number}")
    assert "Dealt with by operator@blue-jacket.example" in told
    with shop.engine.connect() as connection:
        pressed = sa.select(audit_log).where(audit_log.c.action != "log in")
        deed = connection.execute(pressed).one()
    assert (deed.actor, deed.action) == (anna.email, "resolve")


def test_the_second_to_resolve_it_is_told_whose_note_is_kept(anna, shop, person):
    oversell(shop)
    path = f"/incidents/{the_id(shop, 'oversell')}/resolve"
    ada = person("admin")

    mine = [anna.press(path, {"note": "Called the buyer"}).text for _ in range(2)]
    theirs = text_of(ada.press(path, {"note": "Sent another"}).text)

    assert all("It is dealt with; your note is kept." in one for one in mine)
    assert f"{anna.email} has dealt with it already. Your note was not kept." in theirs
    assert "your note is kept" not in theirs
    assert "Note: Called the buyer" in anna.words("/incidents?state=over")
    query = sa.select(audit_log.c.actor).where(audit_log.c.action == "resolve")
    with shop.engine.connect() as connection:
        assert connection.execute(query).scalars().all() == [anna.email]


def test_it_opens_again_by_itself_when_it_gets_worse(anna, shop):
    oversell(shop)
    number = the_id(shop, "oversell")
    anna.press(f"/incidents/{number}/resolve", {"note": "Called the buyer"})

    oversell(shop, 1, "1002")

    assert "3 more promised or sold than there is" in anna.words("/incidents")
    assert "It got worse since" in anna.words(f"/incidents/{number}")


def test_without_a_note_nothing_is_closed(anna, shop):
    oversell(shop)
    number = the_id(shop, "oversell")

    answer = anna.press(f"/incidents/{number}/resolve", {"note": "  "})

    assert "Say what you did about it" in answer.text
    assert "12" not in anna.words("/incidents?state=over")


def test_what_is_put_off_comes_back(anna, shop):
    oversell(shop)
    number = the_id(shop, "oversell")

    anna.press(f"/incidents/{number}/snooze", {"for": "day"})
    quiet = anna.words("/incidents")
    put_off = anna.words("/incidents?state=put_off")

    assert "Nothing needs you" in quiet
    assert "Open incidents 0" in anna.words("/")
    assert "2 more promised or sold" in put_off
    with shop.engine.connect() as connection:
        later = watchlist.listed(connection, "open", now() + DAY + HOUR, limit=9)
    assert [row["id"] for row in later] == [number]


def test_what_is_put_off_comes_back_before_that_when_it_gets_worse(anna, shop):
    oversell(shop)
    anna.press(f"/incidents/{the_id(shop, 'oversell')}/snooze", {"for": "week"})

    oversell(shop, 1, "1002")

    assert "3 more promised or sold than there is" in anna.words("/incidents")


def test_two_reports_that_contradict_stand_side_by_side(anna, shop):
    at = now()
    body = order("1001", WEB_SKU, 2, at=at, version=7)
    shop.tell("web", body)
    shop.tell("web", order("1001", WEB_SKU, 3, at=at, version=7))

    told = anna.read(f"/incidents/{the_id(shop, 'contradiction')}")

    assert told.count('<article class="side') == 2
    assert "In the stock" in told
    assert "Set aside" in told
    assert told.count("&#34;quantity&#34;: 2") == 1
    assert told.count("&#34;quantity&#34;: 3") == 1


def test_a_return_of_too_much_says_where_it_waits(anna, shop):
    shop.tell("web", order("1001", WEB_SKU, 1, at=now()))
    shop.tell("web", returned("1001", WEB_SKU, 2, at=now(), location="d"))

    words = anna.words("/incidents")

    assert "More came back than was shipped" in words


def test_an_item_nobody_named_is_proposed_by_its_text_and_mapped(anna, shop):
    shop.sku("GLOVES-9-RED", "SCARF")
    shop.tell("web", order("1001", "gloves-9", 2, at=now()))
    page = anna.read("/incidents")

    form = {"channel": "web", "external_id": "gloves-9", "candidate": "GLOVES-9-RED"}
    answer = anna.press("/inbox/name", form)

    assert "gloves-9" in page
    assert 'name="candidate" value="GLOVES-9-RED"' in page
    assert 'value="SCARF"' not in page
    assert "gloves-9 on web is GLOVES-9-RED from now on" in answer.text
    assert shop.level("GLOVES-9-RED") == {"available": -2, "committed": 2}
    assert "Items that nobody has named" not in anna.words("/incidents")


def test_a_barcode_proposes_its_sku_first(anna, shop, engine):
    from app.pipeline.configuring.listings import add_sku

    with writing(engine) as connection:
        add_sku(connection, "WINTER-HAT", "A hat", "4006381333931")
    shop.tell("web", order("1001", "4006381333931", 1, at=now()))

    page = anna.read("/incidents")

    assert 'name="candidate" value="WINTER-HAT"' in page


def test_numbers_that_failed_are_grouped_by_what_to_do(anna, shop, deliveries):
    deliveries.fail(deliveries.id(JACKET, place="d"), "no such item", GiveUp)

    page = anna.read("/incidents")
    words = text_of(page)

    assert "web: The channel refused this number 1 number, BLUE-JACKET-M" in words
    assert "Correct the listing there or here, then retry." in words
    [plan] = re.findall(r'href="(/deliveries/plan\?[^"]+)"[^>]*>Retry 1 …', page)
    assert "Send 1 number again?" in anna.read(html.unescape(plan))


def test_where_no_stock_is_kept_nothing_is_to_be_taken(anna, shop):
    with writing(shop.engine) as connection:
        subject, why = f"web:{JACKET}", {"cause": MAPPING}
        open_incident(connection, "drift", subject, "!", now=now(), details=why)

    told = anna.words(f"/incidents/{the_id(shop, 'drift')}")

    assert "It keeps no stock of this item where we publish a number of it." in told
    assert "take one of the two" not in told


def test_a_viewer_reads_and_cannot_close(person, shop):
    oversell(shop)
    otto = person("viewer")
    number = the_id(shop, "oversell")

    page = otto.read(f"/incidents/{number}")
    answer = otto.press(f"/incidents/{number}/resolve", {"note": "mine"})

    assert "What did you do about it" not in page
    assert answer.status_code == 403
    assert otto.press(f"/incidents/{number}/snooze", {"for": "day"}).status_code == 403


def test_an_incident_that_is_not_there_is_404(anna, shop):
    assert anna.get("/incidents/999").status_code == 404
    assert anna.press("/incidents/999/resolve", {"note": "x"}).status_code == 404
