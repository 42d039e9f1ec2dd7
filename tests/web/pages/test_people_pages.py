"""People, their passwords and sessions, programs' tokens, and who did what."""

import csv
import re
import time

import pyotp
import pytest
import sqlalchemy as sa
import time_machine

from app.domain.instants import now, parse
from app.store.engine import writing
from app.store.people import deeds, people
from app.store.tables import api_tokens, users
from tests.web.pages.conftest import PASSWORD, Person, text_of

pytestmark = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
NEW = "a much longer password"


@pytest.fixture
def ada(person) -> Person:
    return person("admin")


def id_of(engine, email: str) -> int:
    query = sa.select(users.c.id).where(users.c.email == email)
    with engine.connect() as connection:
        return connection.execute(query).scalar_one()


def shown(page: str) -> str:
    found = re.search(r'id="shown-once" readonly value="([^"]+)"', page)
    assert found
    return found[1]


# -- one's own account -----------------------------------------------------------


def second_browser(person: Person) -> Person:
    other = Person(person.client.application, person.email)
    assert other.log_in().status_code == 303
    return other


def test_a_new_password_ends_every_other_session(anna):
    other = second_browser(anna)
    form = {"old": PASSWORD, "new": NEW, "again": NEW}

    answer = anna.press("/account/password", form)

    assert "Your password is changed" in answer.text
    assert anna.get("/").status_code == 200, "this one goes on"
    assert other.get("/").status_code == 302
    assert other.log_in().status_code == 401
    assert other.log_in(NEW).status_code == 303


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"old": "wrong"}, "That is not your present password."),
        ({"again": "something else"}, "not typed the same twice"),
        ({"new": "short", "again": "short"}, "at least 10 characters"),
    ],
)
def test_a_password_that_cannot_be_is_refused(anna, form, said):
    whole = {"old": PASSWORD, "new": NEW, "again": NEW}

    assert said in anna.press("/account/password", {**whole, **form}).text
    assert second_browser(anna).get("/").status_code == 200


def test_guessing_the_old_password_is_slowed_down(anna):
    form = {"old": "wrong", "new": NEW, "again": NEW}
    codes = [anna.press("/account/password", form).status_code for _ in range(11)]

    assert codes == [401] * 10 + [429]


def test_sessions_are_listed_and_ended_one_by_one(anna):
    other = second_browser(anna)
    page = anna.read("/account")
    ended = re.findall(r"/account/sessions/(\d+)/end", page)
    assert len(ended) == 1, "not the one in use"

    anna.press(f"/account/sessions/{ended[0]}/end")

    assert other.get("/").status_code == 302
    assert anna.get("/").status_code == 200


def test_all_other_sessions_end_at_once(anna):
    others = [second_browser(anna), second_browser(anna)]

    anna.press("/account/sessions/end")

    assert [one.get("/").status_code for one in others] == [302, 302]
    assert anna.get("/").status_code == 200


def test_nobody_ends_the_sessions_of_others(anna, person):
    otto = person("viewer")
    second_browser(otto)
    theirs = re.findall(r"/account/sessions/(\d+)/end", otto.read("/account"))

    answer = anna.press(f"/account/sessions/{theirs[0]}/end")

    assert answer.status_code == 404
    assert otto.read("/account").count("/end") == 2


def test_a_session_that_was_left_opens_nothing_any_more(anna):
    with anna.client.session_transaction() as session:
        kept = dict(session)
    anna.press("/logout")
    with anna.client.session_transaction() as session:
        session.update(kept)

    assert anna.get("/").status_code == 302, "a copied cookie is no way in"


# -- administrators --------------------------------------------------------------


def invited(ada, email="otto@shop.example", role="viewer") -> str:
    """The path of the link that is shown once."""
    link = shown(ada.press("/people", {"email": email, "role": role}).text)
    assert link.startswith("http://127.0.0.1:8000/invitation/")
    return link.removeprefix("http://127.0.0.1:8000")


def choose(somebody: Person, link: str, password: str = NEW, again: str = NEW):
    return somebody.press(link, {"password": password, "again": again}, on="/login")


def test_somebody_is_invited_by_a_link_that_is_good_once(ada, engine):
    link = invited(ada, "Otto@Shop.example")
    otto = Person(ada.client.application, "otto@shop.example")

    assert "admin@blue-jacket.example invites you, as viewer" in otto.words(link)
    assert otto.get("/").status_code == 302, "looking opens nothing"
    assert "not typed the same twice" in choose(otto, link, again="another").text
    assert "at least 10 characters" in choose(otto, link, "short", "short").text
    choose(otto, link)

    assert otto.get("/stock").status_code == 200
    assert otto.get("/people").status_code == 403
    assert Person(otto.client.application, otto.email).log_in(NEW).status_code == 303
    late = Person(ada.client.application, otto.email)
    assert choose(late, link, "0123456789", "0123456789").status_code == 404
    assert late.log_in("0123456789").status_code == 401
    assert "accept invitation otto@shop.example" in ada.words("/audit")


def test_a_link_that_is_old_withdrawn_or_replaced_opens_nothing(ada):
    nobody = Person(ada.client.application, "otto@shop.example")
    first = invited(ada)
    second = invited(ada)
    assert link_in(ada, first) == "", "shown once, and kept as a hash"

    assert nobody.get(first).status_code == 404
    with time_machine.travel(time.time() + 3 * 24 * 3600 + 1):
        assert "not good any more" in choose(nobody, second).text
        assert "was not used in time" in ada.words("/people")
    ada.log_in()
    [number] = re.findall(r"/invitations/(\d+)/withdraw", ada.read("/people"))
    ada.press(f"/invitations/{number}/withdraw")

    assert choose(nobody, second).status_code == 404
    assert nobody.log_in(NEW).status_code == 401


def link_in(ada: Person, link: str) -> str:
    """The token of the link, if a page of the administrators shows it."""
    token = link.rpartition("/")[2]
    return token if token in ada.read("/people") + ada.read("/audit") else ""


def test_an_address_twice_and_a_role_that_is_none_are_refused(ada, anna):
    twice = ada.press("/people", {"email": anna.email, "role": "viewer"})
    none = ada.press("/people", {"email": "x@shop.example", "role": "king"})

    assert "there is a login for" in twice.text
    assert "is no role" in none.text


def test_another_role_holds_at_once(ada, anna, engine):
    ada.press(f"/people/{id_of(engine, anna.email)}/role", {"role": "viewer"})

    assert anna.get("/counting").status_code == 403


def test_who_is_kept_out_is_out_at_once_and_may_be_let_in(ada, anna, engine):
    number = id_of(engine, anna.email)

    ada.press(f"/people/{number}/out")
    out = anna.get("/").status_code, anna.log_in().status_code
    ada.press(f"/people/{number}/in")

    assert out == (302, 401)
    assert anna.log_in().status_code == 303


def test_somebody_must_stay_an_administrator(ada, engine):
    number = id_of(engine, ada.email)

    role = ada.press(f"/people/{number}/role", {"role": "viewer"})
    out = ada.press(f"/people/{number}/out")

    assert "somebody must stay an administrator" in role.text
    assert "somebody must stay an administrator" in out.text
    assert ada.get("/people").status_code == 200


def test_a_lost_password_is_replaced_by_a_link_and_sessions_end(ada, anna, engine):
    answer = ada.press(f"/people/{id_of(engine, anna.email)}/password")
    link = shown(answer.text).removeprefix("http://127.0.0.1:8000")
    assert anna.get("/").status_code == 200, "nothing has changed yet"
    other = Person(anna.client.application, anna.email)

    choose(other, link)

    assert other.get("/").status_code == 200
    assert anna.get("/").status_code == 302
    assert anna.log_in().status_code == 401
    assert anna.log_in(NEW).status_code == 303


def test_a_link_asks_for_the_second_factor_and_nothing_from_who_is_kept_out(
    ada, anna, engine
):
    totp, _ = set_up(anna)
    anna.press("/account/factor/confirm", {"code": totp.now()})
    number = id_of(engine, anna.email)
    first = shown(ada.press(f"/people/{number}/password").text)
    second = Person(anna.client.application, anna.email)

    page = choose(second, first.removeprefix("http://127.0.0.1:8000"))

    assert "Now the code of your phone" in text_of(page.text)
    assert second.get("/").status_code == 302
    link = shown(ada.press(f"/people/{number}/password").text)
    ada.press(f"/people/{number}/out")
    late = choose(second, link.removeprefix("http://127.0.0.1:8000"))
    assert late.status_code == 404


def test_their_sessions_are_ended(ada, anna, engine):
    ada.press(f"/people/{id_of(engine, anna.email)}/sessions/end")

    assert anna.get("/").status_code == 302


def test_a_token_is_shown_once_opens_the_api_and_is_revoked(ada, client, engine):
    answer = ada.press("/tokens", {"name": "till", "role": "viewer"})
    headers = {"Authorization": f"Bearer {shown(answer.text)}"}
    before = client.get("/api/v1/stock", headers=headers).status_code
    with engine.connect() as connection:
        number = connection.execute(sa.select(api_tokens.c.id)).scalar_one()

    ada.press(f"/tokens/{number}/revoke")

    assert before == 200
    assert client.get("/api/v1/stock", headers=headers).status_code == 401
    assert "oc_" not in ada.read("/people")


AGAIN = "This was made already; what was shown once is not shown again."


def this_once(page: str) -> dict[str, object]:
    """What the page's forms carry to be told apart from those of another showing."""
    return {
        name: re.findall(rf'name="{name}" value="(\w+)"', page)[0]
        for name in ("once", "at")
    }


def test_a_token_is_made_once_however_often_its_form_is_sent(ada, engine):
    form = {"name": "till", "role": "viewer", **this_once(ada.read("/people"))}
    first = ada.press("/tokens", form)

    again = ada.press("/tokens", form)

    assert AGAIN in again.text
    assert again.status_code == 409
    assert shown(first.text) not in again.text
    assert 'id="shown-once"' not in again.text
    with engine.connect() as connection:
        assert len(connection.execute(sa.select(api_tokens)).all()) == 1
    assert ada.words("/audit").count("make token till") == 2, "and a label for it"
    ada.press("/tokens", {**form, **this_once(again.text)})
    ada.press("/tokens", {**form, "name": "another"})
    with engine.connect() as connection:
        names = connection.execute(sa.select(api_tokens.c.name)).scalars().all()
    assert sorted(names) == ["another", "till", "till"], "asked for anew"
    with time_machine.travel(time.time() + 2 * 24 * 3600):
        assert AGAIN in ada.press("/tokens", form).text


@pytest.mark.parametrize("is_new", [True, False])
def test_a_link_that_was_sent_stays_good_when_its_page_is_loaded_again(
    ada, anna, engine, is_new
):
    path = "/people" if is_new else f"/people/{id_of(engine, anna.email)}/password"
    form = this_once(ada.read("/people"))
    if is_new:
        form |= {"email": "otto@shop.example", "role": "viewer"}
    link = shown(ada.press(path, form).text)

    again = ada.press(path, form)

    assert AGAIN in again.text
    nobody = Person(ada.client.application, "otto@shop.example")
    assert nobody.get(link.removeprefix("http://127.0.0.1:8000")).status_code == 200


def test_what_was_refused_may_be_sent_again(ada, anna):
    form = {"email": "x@shop.example", "role": "king", **this_once(ada.read("/people"))}

    refused = [ada.press("/people", form) for _ in range(2)]

    assert all("is no role" in one.text for one in refused)
    assert AGAIN not in refused[1].text


def test_who_is_not_there_is_404(ada):
    for path in ("role", "out", "in", "password", "sessions/end"):
        answer = ada.press(f"/people/999/{path}", {"role": "viewer"})
        assert answer.status_code == 404, path
    assert ada.press("/tokens/999/revoke").status_code == 404


# -- the audit log ------------------------------------------------------------------


def test_what_was_done_is_found_by_who_and_what(ada, anna, shop):
    anna.press("/channels/web/pause", {"reason": "stock-taking"})
    ada.press("/tokens", {"name": "till", "role": "viewer"})

    everything = anna.words("/audit")
    by_ada = text_of(ada.read(f"/audit?actor={ada.email}").partition("Found")[2])
    pauses = text_of(ada.read("/audit?q=pause").partition("Found")[2])

    assert "pause web operator@blue-jacket.example" in everything
    assert "make token till admin@blue-jacket.example" in by_ada
    assert "pause web" not in by_ada
    assert "make token" not in pauses
    assert "Nothing is found" in ada.words("/audit?q=never+done")


def test_passwords_and_tokens_are_not_in_it(ada, anna, engine):
    word = shown(ada.press("/tokens", {"name": "till", "role": "viewer"}).text)
    number = id_of(engine, anna.email)
    link = shown(ada.press(f"/people/{number}/password").text)

    assert word not in ada.read("/audit")
    assert link_in(ada, link) == ""


def test_the_log_is_read_page_by_page(ada, engine):
    from app.domain.instants import now
    from app.store.people import deeds

    with writing(engine) as connection:
        for number in range(150):
            deeds.note(connection, "x", "press", f"button-{number:03}", now())

    first = ada.read("/audit?q=button")
    cursor = re.search(r"cursor=([\w-]+)", first)
    assert cursor
    second = ada.read(f"/audit?q=button&cursor={cursor[1]}")

    assert "button-149" in first
    assert "button-049" not in first
    assert "button-049" in second


def test_what_is_found_in_the_log_is_a_file_and_an_answer(
    person, client, token, engine
):
    anna = person("operator")
    anna.press("/account/password", {"old": "=wrong"})
    with writing(engine) as connection:
        deeds.note(connection, "x", "press", "=HYPERLINK(1)", now(), {"n": 1})

    file = anna.get("/audit.csv?q=press")
    rows = list(csv.reader(file.text.splitlines()))
    answer = client.get(
        "/api/v1/audit?q=press",
        headers={"Authorization": "Bearer " + token("operator")},
    ).json

    assert rows[0] == ["id", "at", "actor", "action", "subject", "details"]
    assert [row[2:] for row in rows[1:]] == [
        ["x", "press", "'=HYPERLINK(1)", '{"n": 1}']
    ]
    assert file.headers["Content-Disposition"].startswith("attachment; filename=audit-")
    assert [(one["subject"], one["details"]) for one in answer["items"]] == [
        ("=HYPERLINK(1)", {"n": 1})
    ]


def test_what_was_done_is_found_by_when(anna, client, token, engine):
    with writing(engine) as connection:
        for hour in (9, 10, 11):
            at = parse(f"2026-11-01T{hour:02}:00:00Z")
            deeds.note(connection, "x", "press", f"button-{hour}", at)
    headers = {"Authorization": "Bearer " + token("operator")}

    page = anna.words("/audit?since=2026-11-01T09:30&until=2026-11-01T10:00")
    file = anna.get("/audit.csv?since=2026-11-01T09:30&until=nonsense&q=press").text
    query = "since=2026-11-01T11:00:00%2B01:00&until=2026-11-01T10:30:00Z"
    answer = client.get(f"/api/v1/audit?{query}", headers=headers).json

    assert re.findall(r"button-\d+", page) == ["button-10"]
    assert re.findall(r"button-\d+", file) == ["button-11", "button-10"]
    assert [one["subject"] for one in answer["items"]] == ["button-10"]
    wrong = client.get("/api/v1/audit?since=yesterday", headers=headers)
    assert wrong.status_code == 422


# -- a second factor ------------------------------------------------------------------


def set_up(somebody: Person) -> tuple[pyotp.TOTP, str]:
    page = somebody.press("/account/factor").text
    found = re.search(r'id="secret" readonly value="(\w+)"', page)
    assert found
    assert f"secret={found[1]}" in page, "the address an authenticator opens"
    return pyotp.TOTP(found[1]), page


def test_a_code_of_the_phone_is_asked_for_and_is_good_once(anna):
    totp, _ = set_up(anna)
    second_browser(anna)
    assert (
        "not the code of now"
        in anna.press("/account/factor/confirm", {"code": "000000x"}).text
    )
    with time_machine.travel(1_800_000_000, tick=False) as clock:
        other = Person(anna.client.application, anna.email)
        anna.log_in()
        page = anna.press(
            "/account/factor/confirm", {"code": totp.at(int(time.time()))}
        )
        codes = re.findall(r"[0-9a-f]{8}-[0-9a-f]{8}", page.text)
        assert len(codes) == 8

        clock.shift(60)
        assert "Now the code of your phone" in text_of(other.log_in().text)
        assert other.get("/").status_code == 302, "the password alone opens nothing"
        told = {"code": totp.at(int(time.time()))}
        assert other.press("/login/code", told, on="/login").status_code == 200
        assert other.get("/").status_code == 200

        late = Person(anna.client.application, anna.email)
        late.log_in()
        again = late.press("/login/code", told, on="/login")
        assert "used before" in text_of(again.text)
        late.press("/login/code", {"code": codes[0].upper()}, on="/login")
        assert late.get("/").status_code == 200
        assert "7 recovery codes left" in late.words("/account/factor")

        refused = late.press("/account/factor/off", {"password": "wrong"})
        assert refused.status_code == 401
        late.press("/account/factor/off", {"password": PASSWORD})
        assert Person(anna.client.application, anna.email).log_in().status_code == 303


def test_a_half_login_ends_and_codes_are_not_guessed(anna, ada, engine):
    totp, _ = set_up(anna)
    anna.press("/account/factor/confirm", {"code": totp.now()})
    other = Person(anna.client.application, anna.email)
    assert (
        "took too long" in other.press("/login/code", {"code": "1"}, on="/login").text
    )
    other.log_in()
    for _ in range(10):
        assert other.press("/login/code", {"code": "1"}, on="/login").status_code == 401
    assert other.press("/login/code", {"code": "1"}, on="/login").status_code == 429

    with time_machine.travel(time.time() + 301):
        late = other.press("/login/code", {"code": "1"}, on="/login")
        assert late.status_code in (401, 429)

    ada.press(f"/people/{id_of(engine, anna.email)}/factor/off")
    assert Person(anna.client.application, anna.email).log_in().status_code == 303


def test_the_hash_of_a_password_is_what_is_kept(ada, engine):
    ada.press("/people", {"email": "otto@shop.example", "role": "viewer"})
    with engine.connect() as connection:
        found = people.listed(connection)

    assert {"password_hash"} & set(found[0].keys()) == set()
