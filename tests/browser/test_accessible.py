"""Every page can be used with a keyboard and a screen reader, light and dark, large and
small: axe-core finds nothing against it."""

import pytest
import sqlalchemy as sa
from playwright.sync_api import expect

from app.domain.errors import GiveUp
from app.domain.instants import now
from app.pipeline.repairing import running
from app.pipeline.spreadsheets import letting, sheets
from app.store.engine import writing
from app.store.people import invitations, people, views
from app.store.publishing import deliveries, publications, runs, tallies
from app.store.tables import publications as table, users
from tests.browser.axe import ALL, LOOK, violations
from tests.builders import JACKET, order, returned

ENDLESS = "N" * 200
"""What somebody may call a product, a file or a program: nothing in it can be broken."""
PATHS = (
    "/",
    "/incidents",
    "/incidents/1",
    "/incidents/2",
    "/incidents?state=over",
    "/deliveries",
    "/deliveries?state=any&open=1",
    "/deliveries/1",
    "/deliveries?state=failed&error=GiveUp",
    "/deliveries/plan?state=failed",
    "/deliveries/plan?action=discard&ids=1",
    "/deliveries/plan?ids=",
    "/deliveries/runs/1",
    "/deliveries/tail",
    "/stock",
    "/stock?q=nothing+like+it",
    f"/stock/{JACKET}",
    f"/stock/{ENDLESS}",
    f"/stock/{JACKET}?at=2026-11-01T10:00",
    f"/change/adjust?sku={JACKET}",
    "/change/count",
    f"/change/transfer?sku={JACKET}",
    f"/change/transfer?sku={ENDLESS}",
    "/change/receive",
    "/change/hold",
    "/inspections",
    "/inspections?code=GHOST",
    f"/inspections?code={JACKET}",
    "/counting",
    "/counting?location=downtown",
    "/sheets",
    "/sheets/1",
    "/sheets/2",
    "/channels",
    "/channels/market",
    "/channels/market/policy",
    "/connect",
    "/connect/square",
    "/listings/1/policy",
    "/people",
    "/account",
    "/account/factor",
    "/audit",
    "/inbox?state=parked",
    "/inbox?state=buried",
    "/nowhere",
)


OPEN_ALL = "document.querySelectorAll('details').forEach(one => { one.open = true })"
STICKING_OUT = """[...document.querySelectorAll('.card')]
    .filter(card => card.scrollWidth > card.clientWidth).map(card => card.outerHTML)"""

OUTLINES = """() => [...document.querySelectorAll("main :is(a, .btn, input, select)")]
  .filter((one) => one.checkVisibility())
  .map((one) => { one.focus(); return [one.className, getComputedStyle(one).outline]; })
"""
"""All at once: a page that brings itself up to date takes what is looked at away."""
RING = {
    "light": "rgb(38, 90, 158) solid 3px",
    "dark": "rgb(139, 183, 240) solid 3px",
}


@pytest.fixture
def troubled(shop, endpoint):
    """A shop with one of everything that can go wrong."""
    shop.locations("downtown", "harbour")
    shop.channel("till", mapped={"downtown": "1"}, publish=None)
    shop.channel("market", publish={}, settings={"push_url": endpoint.url})
    shop.sku(JACKET, "GLOVES-9-RED", ENDLESS)
    shop.listing("market", JACKET, "jacket")
    shop.count(JACKET, "downtown", 3)
    shop.count(ENDLESS, "downtown", 1)
    at = now()
    shop.tell("market", order("1001", "jacket", 4, at=at, version=7))
    shop.tell("market", order("1001", "jacket", 5, at=at, version=7))
    shop.tell("market", order("1002", ENDLESS, 1, at=at))
    shop.tell("till", returned("9", JACKET, 1, at=at, location="1", to="inspect"))
    shop.tell("market", b"{nonsense")
    bring_sheets(shop, at)
    with writing(shop.engine) as connection:
        connection.execute(users.update().values(role="admin"))
        people.create_token(connection, ENDLESS[:200], "viewer")
        connection.execute(table.update().values(accepted=9, accepted_at=at))
        [row_id] = connection.execute(sa.select(table.c.id)).scalars()
        publications.fail(connection, row_id, GiveUp("no such item", status=422), at)
        tallies.add(connection, 2, {tallies.TAKEN: 5, "attempt:unavailable": 1}, at)
        views.keep(connection, 1, "refused", {"state": "failed", "error": "GiveUp"})
    chosen = deliveries.matching(deliveries.Filter(), at)
    running.begin(shop.engine, runs.RETRY, "anna", {"sku": JACKET}, chosen, at)


def bring_sheets(shop, at):
    """One to be looked at, and one that was let in but for a line."""
    for name, units in (("looked at.csv", 1), ("let in.csv", 2)):
        text = f"sku,location,quantity\n{JACKET},downtown,{units}\nGHOST,downtown,1\n"
        file = sheets.File(name, text.encode())
        sheets.bring(shop.engine, "counts", file, actor="anna", now=at)
    letting.let_in(shop.engine, 2, actor="anna", now=at, wakes=shop.bell)


@pytest.mark.parametrize(
    ("look", "rules"),
    [
        ({"width": 1280}, ALL),
        (
            {
                "width": 360,
                "is_mobile": True,
                "has_touch": True,
                "color_scheme": "dark",
            },
            LOOK,
        ),
    ],
    ids=["large-light", "small-dark"],
)
def test_no_page_is_hard_to_use_for_some(
    hub, shop, troubled, desk, look, rules, request
):
    window = desk(**look)
    wrong = {}
    for path in ("/login", invited(shop), "/invitation/of-nobody"):
        if found := violations(window.open(path), rules):
            wrong[path] = found
    window.log_in()

    for path in PATHS:
        page = window.open(path)
        page.evaluate(OPEN_ALL)
        window.keep(f"{request.node.callspec.id} {path}")
        if found := violations(page, rules):
            wrong[path] = found
        too_wide = page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert too_wide <= 0, path
        assert page.evaluate(STICKING_OUT) == [], path

    page = window.open("/")
    page.evaluate(OPEN_ALL)
    page.get_by_role("button", name="Log out").click()
    ask_for_a_code(shop)
    page = window.log_in()
    expect(page.get_by_label("Code")).to_be_focused()
    assert violations(page, rules) == []
    assert wrong == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_whoever_uses_the_keyboard_sees_where_it_is(hub, troubled, desk, scheme):
    window = desk(color_scheme=scheme)
    window.log_in()
    seen = {}
    for path in ("/deliveries?state=failed", "/deliveries/plan?action=discard&ids=1"):
        page = window.open(path)
        page.locator("main").press("Tab")
        seen |= dict(page.evaluate(OUTLINES))
    assert {"btn btn-sm btn-quiet", "btn btn-danger", "form-check-input"} <= set(seen)
    assert set(seen.values()) == {RING[scheme]}


def invited(shop) -> str:
    """The path of a link for somebody new."""
    with writing(shop.engine) as connection:
        token = invitations.invite(connection, "otto@x.example", "viewer", "ada", now())
    return f"/invitation/{token[1]}"


def ask_for_a_code(shop) -> None:
    """From now on the password alone lets nobody in."""
    with writing(shop.engine) as connection:
        connection.execute(users.update().values(totp_since=now()))
