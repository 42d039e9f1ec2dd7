"""Stock is changed by hand: foreseen, done once, undone with a reason."""

import html
import re
from datetime import timedelta

import pytest
import sqlalchemy as sa
import time_machine

from app.domain.channels import Wish
from app.domain.instants import DAY, HOUR, MINUTE, iso, now
from app.store.engine import writing
from app.store.publishing import attempts
from app.store.tables import holds, ledger, stock_events
from app.web.pages import stock, words
from app.web.pages.look import written
from tests.builders import JACKET, returned, sale
from tests.web.pages.conftest import text_of

ADJUST = {"sku": JACKET, "location": "downtown", "change": "-3", "reason": "broken"}


def hidden(page: str) -> dict[str, str]:
    """What the preview's form carries."""
    form = page.partition('action="/change/')[2].partition("</form>")[0]
    return dict(re.findall(r'name="([^"]+)" value="([^"]*)"', form))


def entries(shop) -> int:
    with shop.engine.connect() as connection:
        return connection.execute(
            sa.select(sa.func.count()).select_from(ledger)
        ).scalar_one()


@pytest.mark.parametrize("kind", ["adjust", "receive", "hold"])
def test_a_hub_without_a_location_says_where_one_comes_from(anna, kind):
    page = anna.read(f"/change/{kind}")

    assert "Locations come with a channel that is connected" in text_of(page)
    assert 'name="sku"' not in page


def test_a_change_is_foreseen_and_writes_nothing(anna, shop, deliveries):
    before = entries(shop)

    page = text_of(anna.press("/change/adjust/preview", ADJUST).text)

    assert "downtown from 10 → to 7" in page
    assert "web downtown from 10 → to 7" in page
    assert "web harbour 0 stays" in page
    assert entries(shop) == before
    assert shop.level(JACKET) == {"available": 10}


def test_what_was_foreseen_is_done_once_with_the_name_and_the_reason(
    anna, shop, deliveries, woken
):
    form = hidden(anna.press("/change/adjust/preview", ADJUST).text)

    done = anna.press("/change/adjust", form)
    anna.press("/change/adjust", form)

    assert "Every channel is told its new number" in done.text
    assert shop.level(JACKET) == {"available": 7}
    woken("outbound:web")
    query = sa.select(stock_events.c.actor).where(stock_events.c.kind == "adjusted")
    with shop.engine.connect() as connection:
        assert connection.execute(query).scalars().all() == [anna.email]
    assert "3 taken off broken" in anna.words(f"/stock/{JACKET}")


@pytest.mark.parametrize(
    ("kind", "form", "left"),
    [
        ("count", {"location": "downtown", "quantity": 4}, {"available": 4}),
        ("receive", {"location": "harbour", "quantity": 2}, {"available": 12}),
        (
            "receive",
            {"location": "harbour", "quantity": 2, "disposition": "inspect"},
            {"available": 10, "inspection": 2},
        ),
        (
            "transfer",
            {"location": "downtown", "to": "harbour", "quantity": 4},
            {"available": 6, "incoming": 4},
        ),
        ("hold", {"quantity": 3, "minutes": 30}, {"available": 7, "reserved": 3}),
        (
            "adjust",
            {
                "location": "downtown",
                "change": "\N{MINUS SIGN}1",
                "reason": "torn",
                "to": "damaged",
            },
            {"available": 9, "damaged": 1},
        ),
    ],
)
def test_each_way_to_change_stock(anna, shop, kind, form, left):
    asked = anna.press(f"/change/{kind}/preview", {"sku": JACKET, **form})
    assert asked.status_code == 200, text_of(asked.text)

    anna.press(f"/change/{kind}", hidden(asked.text))

    assert shop.level(JACKET) == left


def choices(page: str, name: str) -> list[str]:
    """What can be chosen, by value."""
    field = page.partition(f'name="{name}"')[2].partition("</select>")[0]
    return re.findall(r'<option value="([^"]*)"', field)


def test_what_was_sent_is_received_from_where_it_was_sent(anna, shop):
    """Else what came would be there twice: as new, and still on the way."""
    sent = {"sku": JACKET, "location": "downtown", "to": "harbour", "quantity": 4}
    anna.press(
        "/change/transfer", hidden(anna.press("/change/transfer/preview", sent).text)
    )
    assert shop.level(JACKET) == {"available": 6, "incoming": 4}

    page = anna.read(f"/change/receive?sku={JACKET}")
    nothing, transfer, supplier = choices(page, "of")
    came = {"sku": JACKET, "location": "harbour", "quantity": 3, "of": transfer}
    preview = anna.press("/change/receive/preview", came)
    anna.press("/change/receive", hidden(preview.text))

    assert (nothing, supplier) == ("", "supplier")
    assert "downtown: 4 on the way to harbour" in text_of(page)
    assert shop.level(JACKET) == {"available": 9, "incoming": 1}
    assert "downtown: 1 on the way to harbour" in anna.words(
        f"/change/receive?sku={JACKET}"
    )


def test_what_a_supplier_is_to_send_is_shown_and_received_in_parts(anna, shop):
    line = {"id": "1", "sku": "jacket-on-the-web", "quantity": 5}
    told = {"type": "expected", "id": "PO-1", "location": "h", "lines": [line]}
    shop.tell("web", {**told, "occurred_at": iso(now() - MINUTE)})
    assert shop.level(JACKET) == {"available": 10, "incoming": 5}

    page = anna.read(f"/stock/{JACKET}")
    assert "5 from a supplier to harbour: PO-1" in text_of(page)
    assert f"{JACKET} 5 to harbour" in anna.words("/change/receive")
    (way,) = re.findall(r'href="(/change/receive\?[^"]*of=PO-1[^"]*)"', page)
    page = anna.read(html.unescape(way))
    assert choices(page, "of") == ["", "PO-1", "supplier"]
    came = {"sku": JACKET, "location": "harbour", "quantity": 3, "of": "PO-1"}
    preview = anna.press("/change/receive/preview", came)
    anna.press("/change/receive", hidden(preview.text))

    assert "selected>PO-1, from a supplier: 5 on the way to harbour, told" in page
    assert shop.level(JACKET) == {"available": 13, "incoming": 2}
    assert "2 from a supplier to harbour: PO-1" in anna.words(f"/stock/{JACKET}")
    unsaid = anna.press("/change/receive/preview", {**came, "of": ""})
    assert unsaid.status_code == 422
    assert "Some units are on the way. Say where these come from." in unsaid.text
    assert choices(unsaid.text, "of") == ["", "PO-1", "supplier"]


def test_what_will_never_come_is_written_off_with_the_reason(anna, shop, api):
    shop.sku("RED-SCARF")
    lines = [{"sku": one, "quantity": 4} for one in (JACKET, "RED-SCARF")]
    shop.count("RED-SCARF", "downtown", 9)
    sent = api.post("/transfers", {"from": "downtown", "to": "harbour", "lines": lines})
    came = {"sku": JACKET, "location": "harbour", "quantity": 3, "of": sent["id"]}
    gone = {**came, "rest": "lost", "reason": "the van burned"}
    path = "/change/receive/preview"

    assert (
        "Why: it is needed to write off" in anna.press(path, gone | {"reason": ""}).text
    )
    of_none = anna.press(path, gone | {"of": "supplier"})
    assert "They come from: it is needed to write off" in of_none.text
    preview = anna.press(path, gone)
    for _ in range(2):
        anna.press("/change/receive", hidden(preview.text))

    assert re.search(r"harbour from 0 → to 3 .* from 4 → to 0", text_of(preview.text))
    assert shop.level(JACKET) == {"available": 9}
    assert shop.level("RED-SCARF") == {"available": 5, "incoming": 4}
    assert "the van burned" in anna.words(f"/stock/{JACKET}")


def test_nothing_may_have_come_of_what_is_written_off(anna, shop):
    line = {"id": "1", "sku": "jacket-on-the-web", "quantity": 5}
    told = {"type": "expected", "id": "PO-1", "location": "h", "lines": [line]}
    shop.tell("web", {**told, "occurred_at": iso(now() - MINUTE)})
    gone = {"sku": JACKET, "location": "harbour", "quantity": "", "of": "PO-1"}

    nothing = anna.press("/change/receive/preview", gone)
    gone |= {"rest": "lost", "reason": "they closed"}
    preview = anna.press("/change/receive/preview", gone)
    anna.press("/change/receive", hidden(preview.text))

    assert nothing.status_code == 422
    assert shop.level(JACKET) == {"available": 10}


def test_a_hold_is_shown_and_let_go_of(anna, shop):
    asked = {"sku": JACKET, "location": "downtown", "quantity": 2, "minutes": 90}
    preview = anna.press("/change/hold/preview", {**asked, "reference": "Mrs Smith"})
    anna.press("/change/hold", hidden(preview.text))
    page = anna.read(f"/stock/{JACKET}")
    (way,) = re.findall(r'action="(/holds/[^"]+/release)"', page)
    assert "2 at downtown for Mrs Smith until" in text_of(page)

    done = anna.press(way)
    again = anna.press(way)

    assert "They can be sold again" in done.text
    assert again.status_code == 200, "twice is once"
    assert shop.level(JACKET) == {"available": 10}
    assert (
        "Mrs Smith" not in anna.words(f"/stock/{JACKET}").partition("What happened")[0]
    )


@pytest.mark.parametrize("backend", ["postgres"], indirect=True)
def test_a_hold_stands_by_the_database_s_clock(anna, shop):
    anna.press("/change/hold", {"sku": JACKET, "quantity": 2, "minutes": "15"})

    with time_machine.travel(timedelta(minutes=30)):
        page = anna.read(f"/stock/{JACKET}")
        (way,) = re.findall(r'action="(/holds/[^"]+/release)"', page)
        anna.press(way)

    with shop.engine.connect() as connection:
        assert connection.execute(sa.select(holds.c.state)).scalar_one() == "released"


def test_what_is_no_hold_cannot_be_let_go_of(anna, shop, person):
    assert anna.press("/holds/nothing/release").status_code == 404
    assert person("viewer").press("/holds/nothing/release").status_code == 403


def test_what_a_supplier_sent_is_not_what_is_on_the_way(anna, shop):
    came = {"sku": JACKET, "location": "harbour", "quantity": 3, "of": "supplier"}

    preview = anna.press("/change/receive/preview", came)
    anna.press("/change/receive", hidden(preview.text))

    assert shop.level(JACKET) == {"available": 13}
    assert 'name="of"' not in anna.read(f"/change/receive?sku={JACKET}")


def test_who_changes_their_mind_finds_what_was_filled_in(anna, shop):
    asked = anna.press("/change/adjust/preview", {**ADJUST, "kind": "count"})

    again = re.search(r'href="(/change/adjust\?[^"]+)"', asked.text)
    assert again is not None
    page = anna.read(html.unescape(again[1]))
    assert 'value="-3"' in page
    assert 'value="broken"' in page


def test_a_claim_of_more_than_there_is_is_refused(anna, shop):
    form = {"sku": JACKET, "location": "harbour", "to": "downtown", "quantity": 1}

    answer = anna.press("/change/transfer/preview", form)

    assert answer.status_code == 422
    assert "Not enough units of BLUE-JACKET-M" in answer.text
    assert 'value="1"' in answer.text, "what was filled in is kept"


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"change": "0"}, "How many: 0 changes nothing"),
        ({"change": "three"}, "How many: it has to be a whole number."),
        ({"change": "²"}, "How many: it has to be a whole number."),
        (
            {"change": "9" * 30},
            "How many: it has to be from −1,000,000,000 to 1,000,000,000.",
        ),
        ({"reason": ""}, "Why: it is needed, up to 200 characters."),
        ({"location": "moon"}, "There is no location &#39;moon&#39;"),
        ({"sku": "NOTHING"}, "There is no SKU &#39;NOTHING&#39;"),
        (
            {"change": "3", "to": "damaged"},
            "Lost units are: what is lost goes with a change below zero.",
        ),
        ({"change": "three", "to": "scrap"}, "How many: it has to be a whole number."),
        ({"sku": "a\0b"}, "SKU: holds characters that cannot be stored"),
    ],
)
def test_a_form_that_makes_no_sense_says_what_is_wrong(anna, shop, form, said):
    answer = anna.press("/change/adjust/preview", {**ADJUST, **form})

    assert answer.status_code == 422
    assert said in answer.text
    assert shop.level(JACKET) == {"available": 10}


@pytest.mark.parametrize(
    ("minutes", "said"),
    [
        ("0", "For how many minutes: it has to be from 1 to 129,600."),
        ("129601", "For how many minutes: it has to be from 1 to 129,600."),
        ("an hour", "For how many minutes: it has to be a whole number."),
        ("", "For how many minutes: it is needed."),
    ],
)
def test_a_hold_for_too_long_is_refused_in_minutes(anna, shop, minutes, said):
    form = {"sku": JACKET, "quantity": 1, "minutes": minutes}

    answer = anna.press("/change/hold/preview", form)

    assert answer.status_code == 422
    assert said in answer.text


def test_a_hold_lasts_as_many_minutes_as_are_said(anna, shop):
    form = {"sku": JACKET, "quantity": 1, "minutes": "129600"}
    before = now()

    anna.press("/change/hold", form)

    with shop.engine.connect() as connection:
        ends = connection.execute(sa.select(holds.c.expires_at)).scalar_one()
    assert 0 <= ends - before - 90 * DAY < MINUTE


def test_a_hold_lasts_from_when_it_is_made(anna, shop):
    form = {"sku": JACKET, "quantity": 1, "minutes": "15"}
    page = anna.press("/change/hold/preview", form).text
    hour_ago = {"at": str(int(hidden(page)["at"]) - HOUR)}

    for _ in range(2):
        anna.press("/change/hold", {**form, **hidden(page), **hour_ago})

    with shop.engine.connect() as connection:
        [ends] = connection.execute(sa.select(holds.c.expires_at)).scalars()
    assert 14 * MINUTE < ends - now() <= 15 * MINUTE


def test_a_barcode_is_as_good_as_a_sku(anna, shop, engine):
    from app.pipeline.configuring.listings import add_sku
    from app.store.engine import writing

    with writing(engine) as connection:
        add_sku(connection, JACKET, "Blue jacket", "4006381333931")

    asked = anna.press("/change/adjust/preview", {**ADJUST, "sku": "4006381333931"})

    assert hidden(asked.text)["sku"] == JACKET
    assert JACKET in anna.words("/change/adjust?sku=4006381333931")


def test_an_entry_is_undone_with_a_reason(anna, shop):
    anna.press("/change/adjust", ADJUST)
    page = anna.read(f"/stock/{JACKET}")
    entry = re.findall(r"/ledger/(\d+)/reverse", page)
    assert len(entry) == 1, "a count cannot be undone, an adjustment can"

    mute = anna.press(f"/ledger/{entry[0]}/reverse", {"reason": " "})
    done = anna.press(f"/ledger/{entry[0]}/reverse", {"reason": "it was found"})
    again = anna.press(f"/ledger/{entry[0]}/reverse", {"reason": "it was found"})

    assert "Say why it is undone" in mute.text
    assert "It is undone." in done.text
    assert "It was undone before." in again.text
    assert shop.level(JACKET) == {"available": 10}
    words = anna.words(f"/stock/{JACKET}")
    assert "it was found reverses entry" in words
    assert "/reverse" not in anna.read(f"/stock/{JACKET}")


def test_what_cannot_be_undone_says_the_way(anna, shop):
    shop.tell("till", sale("T-1", JACKET, 1, at=now(), location="1"))

    answer = anna.press("/ledger/2/reverse", {"reason": "x"})

    assert "its channel corrects it" in answer.text
    assert "There is no ledger entry 999" in (
        anna.press("/ledger/999/reverse", {"reason": "x"}).text
    )


def test_a_viewer_changes_nothing(person, shop):
    otto = person("viewer")

    assert otto.get("/change/adjust").status_code == 403
    assert otto.press("/change/adjust/preview", ADJUST).status_code == 403
    assert otto.press("/change/adjust", ADJUST).status_code == 403
    assert otto.press("/ledger/1/reverse", {"reason": "x"}).status_code == 403
    assert "/change/" not in otto.read(f"/stock/{JACKET}")
    assert shop.level(JACKET) == {"available": 10}


def test_another_way_to_change_stock_is_not_there(anna, shop):
    assert anna.get("/change/magic").status_code == 404
    assert anna.press("/change/magic", ADJUST).status_code == 404


# -- why, and the past ---------------------------------------------------------


def test_a_number_says_why_it_is_what_it_is(anna, shop, api, deliveries):
    told = {"channel": "web", "sku": JACKET, "external_id": "jacket-on-the-web"}
    api.post("/listings", {**told, "policy": {"buffer": 2}})

    page = anna.words(f"/stock/{JACKET}")

    assert "Why web is to show 8" in page
    assert "Buffer 2" in page


def test_why_tells_its_times_as_every_page_does(anna, shop, deliveries, engine):
    row = deliveries.row(deliveries.id(JACKET, place="d"))
    with writing(engine) as connection:
        wish = Wish(row["id"], "", "", None, None, 9, row["wanted_version"])
        attempt, _ = attempts.begin(connection, row["channel_id"], "", [wish], now())
        taken = {row["id"]: (attempts.ACCEPTED, None)}
        attempts.finish(connection, attempt, attempts.ACCEPTED, now(), verdicts=taken)

    why = anna.read(f"/stock/{JACKET}").partition("Why web")[2].partition("</p>")[0]

    when = r'it took was 9, at <time datetime="[^"]+Z" data-time="clock">[^T<]+ UTC</'
    assert re.search(when, why)


def test_what_only_looks_like_a_time_is_left_as_it_is():
    assert words.timed("<b> 2026-13-32T10:00:00Z") == "&lt;b&gt; 2026-13-32T10:00:00Z"


def test_the_past_is_shown_with_its_numbers(anna, shop, deliveries):
    shop.tell("till", sale("T-1", JACKET, 4, at=now(), location="1"))
    then = written(now() - 5 * MINUTE)

    page = text_of(anna.read(f"/stock/{JACKET}?at={then}"))

    assert "downtown 10 10 0 0 0 0 0" in page
    assert "T-1" not in page
    assert "This is how it was at" in page
    assert "downtown 6 6 0 0 0 0 0" in anna.words(f"/stock/{JACKET}?at=nonsense")


def test_older_entries_of_the_past_are_of_the_past_too(anna, shop, monkeypatch):
    monkeypatch.setattr(stock, "PAGE", 1)
    shop.tell("till", sale("T-1", JACKET, 4, at=now() - 2 * MINUTE, location="1"))
    shop.tell("till", sale("T-2", JACKET, 1, at=now() - MINUTE, location="1"))
    page = anna.read(f"/stock/{JACKET}?at={written(now())}")
    (older,) = re.findall(r'href="([^"]+)" rel="next"', page)

    assert "This is how it was at" in anna.words(html.unescape(older))


def test_what_is_still_to_come_is_not_shown_and_that_is_said(anna, shop):
    tomorrow = written(now() + DAY)

    page = anna.read(f"/stock/{JACKET}?at={tomorrow}")

    assert "is still to come. This is how it is now." in text_of(page)
    assert f'value="{tomorrow}"' in page, "the field holds what was asked for"
    assert "still to come" not in anna.words(f"/stock/{JACKET}")


# -- the inspection queue -----------------------------------------------------------


def send_back(shop, units: int = 2) -> None:
    shop.tell("till", sale("T-9", JACKET, 3, at=now() - MINUTE, location="1"))
    shop.tell(
        "till", returned("T-9", JACKET, units, at=now(), location="1", to="inspect")
    )


def judgement(page: str) -> dict[str, str]:
    form = page.partition('class="judge"')[2].partition("</form>")[0]
    return dict(re.findall(r'name="([^"]+)" value="([^"]*)"', form))


def test_what_came_back_waits_and_is_judged_with_one_press(anna, shop):
    send_back(shop)
    page = anna.read("/inspections?code=" + JACKET)
    form = {**judgement(page), "quantity": 1, "disposition": "sellable"}

    answer = anna.press("/inspections", form)
    anna.press("/inspections", form)

    assert "2 units at downtown" in text_of(page)
    assert "1 unit of BLUE-JACKET-M is sellable." in answer.text
    assert shop.level(JACKET) == {"available": 8, "inspection": 1}, "pressed twice"


def test_nobody_judges_more_than_waits(anna, shop):
    send_back(shop)
    form = {"sku": JACKET, "location": "downtown", "quantity": 5}

    answer = anna.press("/inspections", {**form, "disposition": "scrap"})

    assert "not enough units of BLUE-JACKET-M" in answer.text
    assert shop.level(JACKET) == {"available": 7, "inspection": 2}


def test_a_code_nobody_knows_and_a_sku_that_does_not_wait_say_so(anna, shop):
    assert "Nothing is known as GHOST" in anna.words("/inspections?code=GHOST")
    words = anna.words(f"/inspections?code={JACKET}")
    assert "No unit of BLUE-JACKET-M waits for inspection" in words
    assert "Nothing waits for inspection" in anna.words("/inspections")


def test_a_viewer_sees_the_queue_and_judges_nothing(person, shop):
    send_back(shop)
    otto = person("viewer")
    form = {"sku": JACKET, "location": "downtown", "quantity": 1}

    assert JACKET in otto.words("/inspections")
    assert 'class="judge"' not in otto.read("/inspections")
    answer = otto.press("/inspections", {**form, "disposition": "scrap"})
    assert answer.status_code == 403
    assert shop.level(JACKET) == {"available": 7, "inspection": 2}
