"""People come in by a link, prove themselves twice, and are shown the door."""

import pyotp
from playwright.sync_api import expect

from app.store.engine import writing
from app.store.tables import users

BERTA = "berta@blue-jacket.example"
SECRET = "a long enough password"


def test_a_person_is_invited_proves_two_factors_and_is_kept_out(hub, shop, desk):
    with writing(shop.engine) as connection:
        connection.execute(users.update().values(role="admin"))
    anna, berta = desk(), desk()
    anna.log_in()
    page = anna.open("/people")
    page.get_by_label("Invite").fill(BERTA)
    page.get_by_role("combobox", name="Role", exact=True).select_option("viewer")
    page.get_by_role("button", name="Make a link, and show it once").click()
    link = page.get_by_label(f"Link of {BERTA}").input_value()

    theirs = berta.open(link.removeprefix(hub))
    expect(theirs.get_by_text("invites you, as viewer")).to_be_visible()
    theirs.get_by_label("Password, ").fill(SECRET)
    theirs.get_by_label("The same again").fill(SECRET)
    theirs.get_by_role("button", name="Keep it, and log in").click()
    expect(theirs.get_by_role("link", name="Overview")).to_be_visible()
    berta.open("/account/factor")
    theirs.get_by_role("button", name="Set it up").click()
    key = pyotp.TOTP(theirs.get_by_label("Key").input_value())
    theirs.get_by_label("The code it shows now").fill(key.now())
    theirs.get_by_role("button", name="Ask for it from now on").click()
    expect(theirs.get_by_text("It is asked for from now on.")).to_be_visible()

    page = anna.open("/people")
    page.get_by_label(f"Role of {BERTA}").select_option("operator")
    page.get_by_role("button", name=f"Save the role of {BERTA}").click()
    page.get_by_role("button", name=f"End sessions of {BERTA}").click()
    berta.open("/")
    expect(theirs.get_by_role("button", name="Log in")).to_be_visible()
    her = page.get_by_role("listitem").filter(has_text=BERTA)
    her.get_by_role("button", name="Keep out").click()
    theirs.get_by_label("E-mail").fill(BERTA)
    theirs.get_by_label("Password").fill(SECRET)
    theirs.get_by_role("button", name="Log in").click()
    expect(theirs.get_by_role("alert")).to_be_visible()

    page = anna.open(f"/audit?q={BERTA}")
    for deed in ("invite", "role", "keep out"):
        expect(page.get_by_role("main")).to_contain_text(deed)


def test_a_program_gets_a_token_that_opens_the_api_until_it_is_revoked(hub, shop, desk):
    with writing(shop.engine) as connection:
        connection.execute(users.update().values(role="admin"))
    window = desk()
    window.log_in()
    page = window.open("/people")
    page.get_by_label("A token for").fill("the till")
    page.get_by_role("button", name="Make it, and show it once").click()
    token = page.get_by_label("Token of the till").input_value()
    headers = {"Authorization": f"Bearer {token}"}

    assert page.request.get(f"{hub}/api/v1/channels", headers=headers).status == 200
    page.get_by_role("button", name="Revoke the till").click()

    expect(page.get_by_text("Revoked", exact=True)).to_be_visible()
    assert page.request.get(f"{hub}/api/v1/channels", headers=headers).status == 401
