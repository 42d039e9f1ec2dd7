"""A channel's page: its secrets rotated with overlap, how it was, a test webhook."""

from dataclasses import replace

import pytest
import sqlalchemy as sa

from adapters.sandbox.shopify import ShopifySandbox
from adapters.signatures import StandardWebhooks
from app.domain.errors import InvalidSignature
from app.domain.instants import DAY, HOUR, MINUTE, SECOND, now
from app.pipeline.configuring import rotating
from app.pipeline.receive import Receiver
from app.pipeline.watching import histories
from app.store.configuration import channels as store, secret_facts
from app.store.engine import reading, writing
from app.store.tables import channels
from app.store.vault import Vault
from tests.adapters.sandboxes import serving
from tests.builders import SECRET, Limits
from tests.web.pages.conftest import Person, text_of

pytestmark = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)

NEW = "whsec_bmV3IHNlY3JldCBvZiB0aGUgd2ViIHN0b3Jl"
OLD_MARK, NEW_MARK = map(secret_facts.fingerprint, (SECRET, NEW))
PAGE = "/channels/web"


@pytest.fixture
def settings(settings):
    return replace(settings, public_url="http://127.0.0.1:1")


@pytest.fixture
def ada(person) -> Person:
    return person("admin")


@pytest.fixture
def send(engine, shop):
    """Send a webhook signed with a secret to a process that knows nothing yet."""
    receivers = []

    def sent(secret: str) -> None:
        receivers.append(Receiver(engine, shop.vault, shop.bell, Limits()))
        at = now()
        headers = StandardWebhooks().sign(b"{}", secret, at, f"msg_{len(receivers)}")
        receivers[-1].receive("web", headers, b"{}", None, at)

    yield sent
    for one in receivers:
        one.close()


def secrets(engine, shop) -> list[str]:
    with reading(engine) as connection:
        found = store.find(connection, shop.vault, "web")
    return list(found.secrets["webhook"])


def test_a_secret_is_rotated_and_no_webhook_refused(ada, anna, shop, engine, send):
    send(SECRET)
    form = {"name": "webhook", "secret": NEW, "overlap": "open"}
    added = ada.press(f"{PAGE}/secrets", form, on=PAGE)
    send(NEW)
    send(SECRET)
    both = ada.words(PAGE)
    ended = ada.press(f"{PAGE}/secrets/webhook/{OLD_MARK}/end", on=PAGE)
    last = ada.press(f"{PAGE}/secrets/webhook/{NEW_MARK}/end", on=PAGE)

    assert "The new webhook of web is in use" in added.text
    assert f"webhook {NEW_MARK} newest added" in both
    assert (
        f"webhook {OLD_MARK} there from the start, or from a file, last proved a webhook"
        in both
    )
    assert "has proved no webhook yet" not in both
    assert "Accepted until you end it." in both
    assert f"{OLD_MARK} is accepted no longer" in ended.text
    assert "is the only one" in last.text
    assert secrets(engine, shop) == [NEW]
    with pytest.raises(InvalidSignature):
        send(SECRET)
    assert NEW not in added.text + ada.read(PAGE) + ada.read("/audit")
    assert NEW_MARK not in anna.read(PAGE)


def test_an_old_secret_ends_by_itself_and_never_the_last(ada, shop, engine):
    form = {"name": "webhook", "secret": NEW, "overlap": "day"}
    ada.press(f"{PAGE}/secrets", form, on=PAGE)

    rotating.end_due(engine, shop.vault, now() + DAY - HOUR)
    # Whoever was started with a wrong key ends nothing, and forgets no end.
    rotating.end_due(engine, Vault(["not the one it was"]), now() + DAY + MINUTE)
    before = secrets(engine, shop)
    rotating.end_due(engine, shop.vault, now() + DAY + MINUTE)
    after = secrets(engine, shop)
    with writing(engine) as connection:
        told = {"ends_at": now()}
        channel_id = store.row(connection, "web")["id"]
        secret_facts.learn(connection, channel_id, "webhook", NEW_MARK, told)
    rotating.end_due(engine, shop.vault, now())

    assert before == [NEW, SECRET]
    assert after == secrets(engine, shop) == [NEW]


def test_credentials_are_tried_before_they_replace_the_old_ones(ada, shop, engine):
    sandbox = ShopifySandbox({"token": "right", "shop": "a-shop.myshopify.com"})
    with serving(sandbox) as url:
        shop.channel(
            "store",
            provider="shopify",
            base_url=url,
            settings={"shop": "a-shop.myshopify.com"},
            secrets={"webhook": ["hush"], "access_token": ["old"]},
        )
        page = "/channels/store"
        form = {"name": "access_token", "secret": "wrong", "overlap": "day"}
        wrong = ada.press(f"{page}/secrets", form, on=page)
        right = ada.press(f"{page}/secrets", {**form, "secret": "right"}, on=page)
    with reading(engine) as connection:
        found = store.find(connection, shop.vault, "store")

    assert "It refuses these credentials" in wrong.text
    assert "The new access token of store is in use" in right.text
    assert found.secrets == {"webhook": ["hush"], "access_token": ["right"]}


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"secret": ""}, "Type the new secret."),
        ({"secret": SECRET}, "That is one of its secrets already."),
        ({"secret": "whsec_no base64!"}, "is no base64"),
        ({"name": "ghost", "secret": NEW}, "has no secret ghost"),
    ],
)
def test_what_cannot_be_a_secret_is_refused(ada, shop, engine, form, said):
    told = {"name": "webhook", "overlap": "day", **form}

    answer = ada.press(f"{PAGE}/secrets", told, on=PAGE)

    assert said in text_of(answer.text)
    assert secrets(engine, shop) == [SECRET]


def test_how_a_channel_was_is_kept(ada, shop, engine):
    def becomes(at, **values) -> None:
        same = channels.c.key == "web"
        with writing(engine) as connection:
            connection.execute(channels.update().where(same).values(**values))
        histories.keep(engine, at)

    start = now()
    becomes(start, failures=0)
    becomes(start + 1, failures=2, last_error="answered 503")
    becomes(start + 2, held_until=start + 3 * SECOND, held_reason="it asked us to wait")
    held = "5 calls in a row failed; answered 503"
    becomes(start + 3, tripped_at=start, held_until=start + HOUR, held_reason=held)
    becomes(start + 4, held_until=start + 2 * HOUR)
    with writing(engine) as connection:
        store.resume(connection, "web", now())
    becomes(start + 5, failures=0)
    becomes(start + 6, paused_at=start, paused_reason="credentials refused")

    words = ada.words(PAGE).partition("How it was")[2]
    at = [words.index(one) for one in ("Credentials refused", "Healthy", "Held", held)]
    assert at == sorted(at)
    assert words.count("Held") == 1
    assert "asked us to wait" not in words
    assert "Not answering" not in words


def test_a_test_webhook_tells_that_nothing_answers(anna, shop, engine):
    shop.channel("parcels", provider="shipstation", secrets={"api_key": ["v2"]})

    nobody = anna.press(f"{PAGE}/test", on=PAGE)
    theirs = anna.press("/channels/parcels/test", on=PAGE)

    assert "could not be reached" in nobody.text
    assert "Look at ONECOUNT_PUBLIC_URL" in nobody.text
    assert "only ShipStation can sign a webhook" in theirs.text
    assert anna.get("/channels/ghost").status_code == 404
    query = sa.text("SELECT subject FROM audit_log WHERE action = 'test webhook'")
    with engine.connect() as connection:
        found = connection.execute(query).all()
    assert [row.subject for row in found] == ["web"]


def test_a_channel_is_removed_until_something_has_happened_on_it(ada, shop):
    shop.channel("tlil", publish={})

    said = text_of(ada.press("/channels/tlil/remove", on="/channels/tlil").text)

    assert "tlil is removed. If it is in a file, take it out of there" in said
    assert ada.get("/channels/tlil").status_code == 404
    shop.receive("till", {"type": "none"})
    said = text_of(ada.press("/channels/till/remove", on="/channels/till").text)
    assert "till cannot be removed any more: its webhooks that came" in said
    assert ada.get("/channels/till").status_code == 200
