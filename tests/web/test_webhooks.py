"""POST /webhooks/<channel>: stored or refused, and the sender always knows which."""

import io
import json
import secrets
import sqlite3
import time

import pytest
import sqlalchemy as sa

from adapters.signatures import StandardWebhooks
from app.domain.instants import now
from app.store.engine import writing
from app.store.tables import channels, inbox, refused, refused_samples
from app.web.hub import EXTENSION
from app.web.webhooks import BrokenTransfer, read_body
from tests.builders import JACKET, SECRET, sale


def signed(body: bytes, name: str = "msg_1") -> dict[str, str]:
    return StandardWebhooks().sign(body, SECRET, now(), name)


def told(body: dict) -> bytes:
    return json.dumps(body).encode()


def stored(engine) -> int:
    with engine.connect() as connection:
        return connection.execute(sa.select(sa.func.count(inbox.c.id))).scalar_one()


def refusals(engine) -> dict[tuple[str, str], int]:
    with engine.connect() as connection:
        rows = connection.execute(sa.select(refused)).all()
    return {(row.channel, row.cause): row.times for row in rows}


def problem(response) -> dict:
    assert response.content_type == "application/problem+json"
    assert response.json["status"] == response.status_code
    assert "Traceback" not in response.text
    return response.json


@pytest.mark.parametrize("name", ["msg_1", secrets.token_hex(3500)])
def test_a_signed_webhook_is_stored_once_and_again_a_duplicate(
    client, shop, engine, name
):
    """Also with an id that is longer than an index can hold."""
    body = told(sale("T-1", JACKET, 1, at=now()))
    headers = signed(body, name)

    first = client.post("/webhooks/till", data=body, headers=headers)
    again = client.post("/webhooks/till", data=body, headers=headers)

    assert first.status_code == again.status_code == 200
    assert first.json == {"status": "accepted", "id": first.json["id"]}
    assert again.json == {"status": "duplicate", "id": first.json["id"]}
    assert stored(engine) == 1


def test_signed_nonsense_is_stored_too(client, shop, engine):
    body = b"\x00 this is not JSON"

    response = client.post("/webhooks/till", data=body, headers=signed(body))

    assert response.status_code == 200
    assert stored(engine) == 1


def test_a_stored_webhook_wakes_the_inbound_worker(client, shop, woken):
    body = told(sale("T-1", JACKET, 1, at=now()))

    client.post("/webhooks/till", data=body, headers=signed(body))

    woken("inbound")


def test_one_changed_byte_is_refused_and_counted(client, shop, engine):
    body = told(sale("T-1", JACKET, 1, at=now()))
    headers = signed(body)

    response = client.post("/webhooks/till", data=body + b" ", headers=headers)

    assert response.status_code == 401
    assert "sign" in problem(response)["detail"]
    assert stored(engine) == 0
    assert refusals(engine) == {("till", "signature"): 1}


def test_a_missing_signature_names_the_header(client, shop):
    response = client.post("/webhooks/till", data=b"{}")

    assert response.status_code == 400
    assert "webhook-" in problem(response)["detail"]


def test_an_unknown_channel_is_404_and_strangers_do_not_fill_the_table(
    client, shop, engine
):
    for number in range(3):
        response = client.post(f"/webhooks/nobody-{number}", data=b"{}")
        assert response.status_code == 404
        problem(response)

    assert refusals(engine) == {("?", "no_such_channel"): 3}


@pytest.mark.parametrize("path", ["/webhooks/", "/webhooks/%00", "/webhooks/a/b/c"])
def test_an_odd_address_is_404(client, shop, path):
    assert client.post(path, data=b"{}").status_code == 404


def test_only_post_is_for_webhooks(client):
    for method in ("GET", "HEAD", "PUT", "DELETE", "OPTIONS"):
        response = client.open("/webhooks/till", method=method)
        assert response.status_code == 405
        assert response.headers["Allow"] == "POST"


def test_too_large_a_body_is_413_before_it_is_read(client, shop, engine, settings):
    class Untouched(io.BytesIO):
        def read(self, *_):
            raise AssertionError("read")

    response = client.post(
        "/webhooks/till",
        environ_overrides={
            "wsgi.input": Untouched(),
            "CONTENT_LENGTH": str(settings.max_body_bytes + 1),
        },
    )

    assert response.status_code == 413
    assert str(settings.max_body_bytes) in problem(response)["detail"]
    assert refusals(engine) == {("till", "too_large"): 1}


def test_a_body_of_exactly_the_limit_is_read(client, shop, settings):
    body = b"x" * settings.max_body_bytes

    response = client.post("/webhooks/till", data=body, headers=signed(body))

    assert response.status_code == 200


def test_an_endless_body_without_a_length_is_413_after_the_limit(
    client, shop, engine, settings
):
    class Endless(io.RawIOBase):
        given = 0

        def readable(self):
            return True

        def readinto(self, buffer):
            self.given += len(buffer)
            return len(buffer)

    stream = Endless()
    response = client.post(
        "/webhooks/till",
        headers={"Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input": stream, "wsgi.input_terminated": True},
    )

    assert response.status_code == 413
    assert stream.given <= 2 * settings.max_body_bytes
    assert refusals(engine) == {("till", "too_large"): 1}


@pytest.mark.parametrize("terminated", [True, False])
def test_a_body_that_breaks_off_is_400_not_401(client, shop, engine, terminated):
    body = told(sale("T-1", JACKET, 1, at=now()))
    broken = {"wsgi.input": io.BytesIO(body[:20]), "CONTENT_LENGTH": str(len(body))}
    server = {"wsgi.input_terminated": True} if terminated else {}

    response = client.post(
        "/webhooks/till", headers=signed(body), environ_overrides=broken | server
    )

    assert response.status_code == 400
    problem(response)
    assert stored(engine) == 0
    assert refusals(engine) == {("till", "broken_transfer"): 1}


def test_a_connection_that_dies_while_reading_is_a_broken_transfer():
    class Dying(io.BytesIO):
        def read(self, *_):
            raise ConnectionResetError

    environ = {
        "wsgi.input": Dying(),
        "wsgi.input_terminated": True,
        "REQUEST_METHOD": "POST",
        "CONTENT_LENGTH": "10",
    }

    with pytest.raises(BrokenTransfer):
        read_body(environ, 100)


def test_refused_samples_hold_no_secret_and_are_bounded(client, shop, engine, settings):
    for _ in range(settings.refused_samples + 5):
        client.post("/webhooks/till", data=b"{}", headers={"Authorization": "s3cret"})

    with engine.connect() as connection:
        samples = connection.execute(sa.select(refused_samples)).all()
    assert 0 < len(samples) <= settings.refused_samples
    assert all("s3cret" not in sample.headers for sample in samples)


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_without_a_database_the_sender_is_told_to_come_again(client, shop, engine, app):
    body = told(sale("T-1", JACKET, 1, at=now()))
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE inbox")

    response = client.post("/webhooks/till", data=body, headers=signed(body))

    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    problem(response)


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_while_another_program_locks_the_file_the_sender_hears_it_in_time(
    client, shop, engine
):
    body = told(sale("T-1", JACKET, 1, at=now()))
    other = sqlite3.connect(engine.url.database, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")

    started = time.monotonic()
    response = client.post("/webhooks/till", data=body, headers=signed(body))
    took = time.monotonic() - started
    other.close()

    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    assert took < 5, "the sender has hung up by now"
    again = client.post("/webhooks/till", data=body, headers=signed(body))
    assert again.json["status"] == "accepted"


def test_a_surprise_is_a_500_with_an_id_and_no_traceback(client, shop, app):
    hub = app.extensions[EXTENSION]

    class Broken:
        def __getattr__(self, name):
            raise RuntimeError("the secret is 42")

    app.wsgi_app._receiver = Broken()
    response = client.post("/webhooks/till", data=b"{}")
    app.wsgi_app._receiver = hub.receiver

    assert response.status_code == 500
    assert problem(response)["incident"]
    assert "secret" not in response.text


def test_a_provider_that_a_process_does_not_know_yet_is_sent_again(
    client, shop, engine
):
    with writing(engine) as connection:
        connection.execute(channels.update().values(provider="kiosk"))
    body = told(sale("T-1", JACKET, 1, at=now()))

    response = client.post("/webhooks/till", data=body, headers=signed(body))

    assert response.status_code == 503
    assert "no provider 'kiosk'" in problem(response)["detail"]
    assert "start all processes again" in problem(response)["detail"]


def test_redis_down_stores_all_the_same(under, shop, engine):
    client = under(redis_url="redis://127.0.0.1:1/0")
    body = told(sale("T-1", JACKET, 1, at=now()))

    response = client.post("/webhooks/till", data=body, headers=signed(body))

    assert response.status_code == 200
    assert stored(engine) == 1
    assert client.get("/readyz").json == {"database": "ok", "redis": "down"}


def test_a_webhook_gets_no_session_and_no_page_headers(client, shop):
    body = told(sale("T-1", JACKET, 1, at=now()))

    response = client.post("/webhooks/till", data=body, headers=signed(body))

    assert "Set-Cookie" not in response.headers
    assert "Content-Security-Policy" not in response.headers
    assert response.headers["X-Content-Type-Options"] == "nosniff"
