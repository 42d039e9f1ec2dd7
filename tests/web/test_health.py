"""Health, metrics, headers and the answers to what nobody foresaw."""

from dataclasses import replace

import pytest

from app.domain.instants import now
from app.factory import create_app
from app.store.engine import writing
from app.store.stock import balances
from app.store.tables import publications
from app.store.watching import rounds
from app.web.hub import EXTENSION
from tests.builders import JACKET, sale


def test_a_healthy_hub_says_so(client, shop):
    assert client.get("/healthz").status_code == 200
    ready = client.get("/readyz")

    assert ready.status_code == 200
    assert ready.json == {"database": "ok", "redis": "ok"}


def test_a_silent_scheduler_is_named(client, engine, monkeypatch):
    assert "onecount_scheduler_silent_seconds 0.0" in client.get("/metrics").text
    monkeypatch.setattr(rounds, "SILENT", 1)
    with writing(engine) as connection:
        rounds.over(connection)

    ready = client.get("/readyz")

    assert ready.status_code == 200, "a webhook could be stored"
    assert ready.json["scheduler"] == rounds.WORDS


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_hub_that_could_not_store_a_webhook_is_not_ready(client, engine):
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE inbox")

    ready = client.get("/readyz")

    assert ready.status_code == 503
    assert ready.json["database"] == "down"
    assert client.get("/healthz").status_code == 200
    assert "onecount_database_up 0.0" in client.get("/metrics").text


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_hub_with_another_secret_key_is_not_ready(under, shop):
    """It could check no signature: senders come again, and the reason is named."""
    client = under(secret_key="quite another secret key")

    ready = client.get("/readyz")
    webhook = client.post("/webhooks/till", data=b"{}")

    assert ready.status_code == 503
    assert ready.json["database"] == "ok"
    assert "ONECOUNT_SECRET_KEY_PREVIOUS" in ready.json["why"]
    assert webhook.status_code == 503
    assert webhook.headers["Retry-After"]


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_without_any_database_nothing_shows_a_traceback(under, tmp_path):
    client = under(database_url=f"sqlite:///{tmp_path}/no/such/folder/onecount.db")

    assert client.get("/readyz").status_code == 503
    webhook = client.post("/webhooks/till", data=b"{}")
    stock = client.get("/api/v1/stock", headers={"Authorization": "Bearer x"})

    for response in (webhook, stock):
        assert response.status_code == 503
        assert response.headers["Retry-After"]
        assert response.content_type == "application/problem+json"
        assert "Traceback" not in response.text


def test_metrics_tell_states_and_ages_but_no_sku(client, shop, engine):
    shop.tell("till", sale("T-1", JACKET, 1, at=now()), b"nonsense")
    client.post("/webhooks/nobody", data=b"{}")
    with writing(engine) as connection:
        connection.execute(publications.update().values(wanted_at=now() - 90_000_000))

    text = client.get("/metrics").text

    assert 'onecount_inbox_messages{channel="till",state="buried"} 1.0' in text
    assert 'onecount_publications{channel="web",state="waiting"} 2.0' in text
    assert 'onecount_webhooks_refused_total{cause="no_such_channel"}' in text
    assert "onecount_database_up 1.0" in text
    overdue = next(
        line
        for line in text.splitlines()
        if line.startswith('onecount_publications_oldest_overdue_seconds{channel="web"')
    )
    assert 90 <= float(overdue.split()[1]) < 600
    assert JACKET not in text


def test_a_surprise_has_an_id_and_no_traceback(api, shop, monkeypatch):
    def dies(*_, **__):
        raise RuntimeError("the secret is 42")

    monkeypatch.setattr(balances, "page", dies)

    response = api.call("GET", "/stock")

    assert response.status_code == 500
    assert response.json["incident"]
    assert response.json["incident"] in response.json["detail"]
    assert "secret" not in response.text


def test_an_unknown_address_of_the_api_is_a_problem_document(client):
    for path in ("/api/nothing", "/api/v1/nothing", "/api/v2/stock"):
        response = client.get(path)
        assert response.status_code == 404
        assert response.content_type == "application/problem+json"


def test_the_wrong_method_says_which_are_right(client):
    response = client.put("/api/v1/stock")

    assert response.status_code == 405
    assert "GET" in response.headers["Allow"]


def test_pages_and_the_api_send_security_headers(client):
    sources = {"/api/docs": "'self'", "/login": "'self'", "/api/v1/stock": "'none'"}
    for path, source in sources.items():
        headers = client.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert f"default-src {source};" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe-eval" not in policy
        assert "script-src 'unsafe-inline'" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_cookies_are_secure_where_the_settings_say_so(settings, engine):
    app = create_app(replace(settings, cookie_secure=True))

    response = app.test_client().get("/login", base_url="https://hub.example")

    cookies = response.headers.getlist("Set-Cookie")
    assert cookies
    for cookie in cookies:
        assert "Secure" in cookie
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
    data = app.test_client().get("/api/v1/stock", base_url="https://hub.example")
    assert "Set-Cookie" not in data.headers
    for one in (response, data):
        assert "Strict-Transport-Security" in one.headers
    hub = app.extensions[EXTENSION]
    hub.engine.dispose()
    hub.receiver.close()
