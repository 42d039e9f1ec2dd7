"""Coming in: only who may, only as often as is decent, and to no other host."""

import pytest
import sqlalchemy as sa
from werkzeug.security import generate_password_hash

from app.store.engine import writing
from app.store.people import people
from app.store.tables import users
from tests.web.pages.conftest import PASSWORD

pytestmark = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


@pytest.mark.parametrize(
    "path", ["/", "/stock", "/stock/A", "/channels", "/inbox", "/deliveries/1"]
)
def test_a_page_asks_who_it_is_and_leads_back_afterwards(person, path):
    anna = person(logged_in=False)

    asked = anna.get(path)
    answer = anna.log_in(next=path)

    assert asked.status_code == 302
    assert asked.location.startswith("/login")
    assert answer.location == path


def test_the_filter_of_a_page_survives_the_login(person):
    anna = person(logged_in=False)

    asked = anna.get("/?state=failed&channel=web")

    assert asked.location == "/login?next=/?state%3Dfailed%26channel%3Dweb"


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example/",
        "\\\\evil.example",
        "/\t/evil.example",
        "javascript:alert(1)",
        "stock",
    ],
)
def test_nobody_is_led_to_another_host(person, target):
    assert person(logged_in=False).log_in(next=target).location == "/"


def test_a_wrong_password_is_refused_without_saying_what_was_wrong(person):
    anna = person(logged_in=False)

    wrong = anna.log_in("something else")
    anna.email = "nobody@blue-jacket.example"
    unknown = anna.log_in("something else")

    assert wrong.status_code == unknown.status_code == 401
    assert "do not belong together" in wrong.text
    assert anna.get("/").status_code == 302


def test_guessing_is_slowed_down_for_that_account_only(person):
    anna, otto = person(logged_in=False), person("viewer", logged_in=False)

    tries = [anna.log_in("wrong password").status_code for _ in range(11)]

    assert tries == [401] * 10 + [429]
    assert anna.log_in().status_code == 429
    assert otto.log_in().status_code == 303


def test_a_person_who_mistypes_and_then_succeeds_starts_from_nothing_again(person):
    anna = person(logged_in=False)
    for _ in range(30):
        assert anna.log_in().status_code == 303
        anna.press("/logout")


def test_logging_out_ends_the_session(anna):
    anna.press("/logout")

    assert anna.get("/").status_code == 302


def test_a_new_password_ends_every_older_session(anna, engine):
    with writing(engine) as connection:
        fresh = generate_password_hash("another password", method="scrypt:1024:8:1")
        connection.execute(users.update().values(password_hash=fresh))

    assert anna.get("/").status_code == 302


def test_whoever_was_shut_out_is_out_at_once(anna, engine):
    with writing(engine) as connection:
        connection.execute(users.update().values(disabled_at=1))

    assert anna.get("/").status_code == 302


def test_a_forged_session_is_nobody(app, person):
    anna = person(logged_in=False)
    with anna.client.session_transaction() as session:
        session["_user_id"] = "1"

    assert anna.get("/").status_code == 302


def test_before_the_first_login_the_page_says_how_to_make_one(client):
    assert "onecount user create" in client.get("/login").text


def test_a_form_without_its_token_is_refused_and_says_what_to_do(anna, engine):
    answer = anna.client.post("/logout")

    assert answer.status_code == 400
    assert "Open the page again" in answer.text
    assert anna.get("/").status_code == 200


def test_the_token_of_somebody_else_is_refused(anna, person):
    stolen = person("viewer").token("/")

    answer = anna.client.post("/logout", data={"csrf_token": stolen})

    assert answer.status_code == 400


def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(person):
    cookie = person(logged_in=False).log_in().headers["Set-Cookie"]

    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


def test_no_page_is_kept_by_a_browser_or_proxy(anna):
    assert anna.get("/").headers["Cache-Control"] == "no-store"


def test_what_a_form_is_answered_with_is_kept_for_back_until_the_log_out(person):
    admin = person("admin")

    preview = admin.press("/change/adjust/preview", {"sku": "GHOST"})
    secret = admin.press("/tokens", {"name": "till", "role": "viewer"}, on="/people")
    form = {"csrf_token": admin.token("/")}
    out = admin.client.post("/logout", data=form)

    assert preview.headers["Cache-Control"] == "private, no-cache"
    assert "Cookie" not in preview.vary, "another one with every answer"
    assert secret.headers["Cache-Control"] == "no-store"
    assert out.headers["Clear-Site-Data"] == '"cache"'


def test_passwords_are_stored_as_hashes(engine):
    with writing(engine) as connection:
        people.create_user(connection, "anna@blue-jacket.example", "a" * 12, "admin")

    with engine.connect() as connection:
        stored = connection.execute(sa.select(users.c.password_hash)).scalar_one()

    assert stored.startswith("scrypt:")


@pytest.mark.parametrize(("proxies", "others"), [(0, 429), (1, 303)])
def test_behind_a_proxy_only_who_guesses_is_slowed_down(person, under, proxies, others):
    """Whoever asks may write the header, so it counts only where a proxy is named."""
    under(proxies=proxies)
    anna = person(logged_in=False)

    def tries(address: str, password: str) -> int:
        anna.client.environ_base["HTTP_X_FORWARDED_FOR"] = f"198.51.100.7, {address}"
        return anna.log_in(password).status_code

    for _ in range(10):
        assert tries("203.0.113.5", "wrong password") == 401

    assert tries("203.0.113.5", PASSWORD) == 429
    assert tries("203.0.113.6", PASSWORD) == others


@pytest.mark.parametrize("is_passed_on", [False, True])
def test_a_proxy_that_hides_the_host_is_named(person, under, is_passed_on):
    under(proxies=1)
    anna = person(logged_in=False)
    heard = {"HTTP_X_FORWARDED_PROTO": "https"}
    if is_passed_on:
        heard["HTTP_X_FORWARDED_HOST"] = "hub.example"
    anna.client.environ_base |= heard
    anna.client.environ_base["HTTP_REFERER"] = "https://hub.example/login"

    answer = anna.log_in()

    assert answer.status_code == (303 if is_passed_on else 400)
    if not is_passed_on:
        assert "sent from hub.example and arrived as one for localhost" in answer.text
