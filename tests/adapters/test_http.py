"""The way out, against real servers on this machine that behave badly."""

import contextlib
import email.utils
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
import responses
import time_machine

from adapters.http import (
    ANSWER_BYTES,
    Http,
    excerpt,
    retry_after,
    scrub,
)
from app.domain.errors import CredentialsRefused, GiveUp, RetryLater
from app.domain.instants import SECOND

Talk = Callable[[socket.socket], None]
_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@contextlib.contextmanager
def server(*talks: Talk) -> Iterator[tuple[str, list[bytes]]]:
    """Answer each connection with the next talk (the last one again and again)."""
    heard: list[bytes] = []
    open_ones: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            for number in range(1000):
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                open_ones.append(connection)
                talk = talks[min(number, len(talks) - 1)]
                with contextlib.suppress(OSError):
                    heard.append(_request(connection))
                    talk(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/stock", heard
        finally:
            # accept() does not notice a close; a shutdown it does.
            listener.shutdown(socket.SHUT_RDWR)
            for one in open_ones:
                one.close()
            thread.join(5)


def _request(connection: socket.socket) -> bytes:
    """Everything the caller sends before it waits for an answer."""
    heard = connection.recv(65536)
    while heard and b"\r\n\r\n" not in heard:
        heard += connection.recv(65536)
    if not heard:
        return heard
    head, _, body = heard.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
    while length and len(body) < int(length[1]):
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def says(answer: bytes) -> Talk:
    def talk(connection: socket.socket) -> None:
        connection.sendall(answer)
        connection.close()

    return talk


def drips(start: bytes, step: bytes = b"x") -> Talk:
    """Never silent for long enough to be called silent."""

    def talk(connection: socket.socket) -> None:
        connection.sendall(start)
        while True:
            threading.Event().wait(0.05)
            connection.sendall(step)

    return talk


def is_silent(connection: socket.socket) -> None:
    """Leave the caller waiting."""


def hangs_up(connection: socket.socket) -> None:
    connection.close()


def http(**arguments: object) -> Http:
    return Http("Till", "downtown", **{"deadline": 0.6, **arguments})  # type: ignore[arg-type]


def test_an_answer_is_read_to_its_end():
    with server(says(_OK)) as (url, heard):
        answer = http().get(url)

    assert (answer.status, answer.body) == (200, b"ok")
    assert answer.headers["content-length"] == "2"
    assert b"user-agent: Onecount" in heard[0]


def dated(head: str) -> Talk:
    return says(_OK.replace(b"\r\n", b"\r\n" + head.encode(), 1))


def test_who_tells_no_time_has_no_clock_to_compare():
    theirs = email.utils.formatdate(time.time() + 3600, usegmt=True)
    told = dated(f"Date: {theirs}\r\n")
    with server(dated(""), dated("Date: yesterday\r\n"), told, dated("")) as (url, _):
        silent, knows = http(), http()
        silent.get(url)
        silent.get(url)
        knows.get(url)
        told_at = knows.told_time_at
        knows.get(url)

    assert (silent.ahead, silent.told_time_at) == (0, None)
    assert knows.ahead == pytest.approx(3600 * SECOND, abs=5 * SECOND)
    assert knows.told_time_at == told_at, "an answer without a date tells nothing new"


@pytest.mark.parametrize(
    "talk",
    [
        is_silent,
        drips(b"HTTP/1.1 200 OK\r\nX-Slow: "),
        drips(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"),
        drips(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        drips(b"HTTP/1.1 301 Moved\r\nLocation: /a\r\nContent-Length: 100000\r\n\r\n"),
        drips(
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 100000\r\n\r\n"
        ),
        drips(b"HTTP/1.1 200 OK\r\n\r\n"),
        drips(b"HTTP/1.0 200 OK\r\nContent-Length: 100000\r\n\r\n"),
    ],
    ids=["silent", "dripping header", "dripping body", "dripping chunks", "redirect"]
    + ["last answer", "no length", "HTTP/1.0"],
)
def test_the_deadline_is_for_all_of_a_call(talk: Talk):
    took, heard = timed_out(talk, "http")

    assert 0.5 < took < 1.2
    assert len(heard) == 1, "silence is not asked again within a call"


def test_the_deadline_is_for_shaking_hands_too():
    a_record_begins = b"\x16\x03\x03\x3f\xff"

    took, _ = timed_out(drips(a_record_begins), "https")

    assert 0.5 < took < 1.2


def timed_out(talk: Talk, scheme: str) -> tuple[float, list[bytes]]:
    with server(talk) as (url, heard):
        started = time.monotonic()
        with pytest.raises(RetryLater, match=r"did not answer within 0\.6 s") as caught:
            http().post(url.replace("http", scheme), data=b"{}")
        took = time.monotonic() - started

    assert caught.value.timed_out
    assert caught.value.unknown, "it may have been written all the same"
    return took, heard


def test_a_call_after_a_cut_one_works():
    calls = http()
    with server(is_silent, says(_OK)) as (url, _):
        with pytest.raises(RetryLater):
            calls.get(url)

        assert calls.get(url).body == b"ok"


def test_a_dropped_connection_is_tried_again():
    with server(hangs_up, says(_OK)) as (url, heard):
        answer = http(deadline=5).post(url, data=b"5 left")

    assert answer.body == b"ok"
    assert len(heard) == 2
    assert all(request.endswith(b"5 left") for request in heard)


def test_a_call_that_may_not_be_repeated_is_made_once():
    with (
        server(hangs_up, says(_OK)) as (url, heard),
        pytest.raises(RetryLater, match="could not be reached") as caught,
    ):
        http(deadline=5).post(url, data=b"{}", repeatable=False)

    assert len(heard) == 1
    assert caught.value.unknown
    assert not caught.value.timed_out


def test_what_nobody_listens_to_was_certainly_not_told():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    with pytest.raises(RetryLater, match="could not be reached") as caught:
        http().post(f"http://127.0.0.1:{port}/", data=b"{}")

    assert not caught.value.unknown


def test_one_uncertain_try_leaves_the_call_uncertain():
    with responses.RequestsMock() as mock:
        mock.post("http://till.test/", body=requests.ConnectionError("reset"))
        mock.post("http://till.test/", body=requests.ConnectTimeout("no way in"))
        with pytest.raises(RetryLater) as caught:
            http(deadline=5).post("http://till.test/")

    assert caught.value.unknown


def test_an_endless_answer_is_not_read():
    size = ANSWER_BYTES + 200_000
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size

    with (
        server(says(head + b"x" * size)) as (url, _),
        pytest.raises(GiveUp, match="over 8 MiB"),
    ):
        http(deadline=10).get(url)


def test_a_redirect_is_not_followed():
    to = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
    with (
        server(says(to)) as (url, heard),
        pytest.raises(GiveUp, match="answered 302"),
    ):
        http().get(url)

    assert len(heard) == 1


def test_credentials_of_this_machine_are_never_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login ada password example\n")
    monkeypatch.setenv("NETRC", str(netrc))

    with server(says(_OK)) as (url, heard):
        http().get(url, headers={"Authorization": "Bearer ours"})

    assert b"Authorization: Bearer ours" in heard[0]


def test_a_proxy_is_not_asked_for_this_machine(monkeypatch: pytest.MonkeyPatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)

    with server(says(_OK)) as (url, _):
        assert http().get(url).body == b"ok"


def test_a_proxy_that_the_environment_names_is_asked_at_every_call(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.delenv("no_proxy", raising=False)
    with server(says(_OK)) as (url, heard):
        monkeypatch.setenv("http_proxy", url.removesuffix("/stock"))
        calls = http()
        for path in ("a", "b"):
            calls.get(f"http://shop.example/{path}")

    assert heard[0].startswith(b"GET http://shop.example/a ")
    assert heard[1].startswith(b"GET http://shop.example/b ")


# -- where it may go ------------------------------------------------------------------


def test_a_channel_of_the_dashboard_reaches_no_private_address():
    with (
        server(says(_OK)) as (url, heard),
        pytest.raises(GiveUp, match="not a public address"),
    ):
        http(private=False).get(url)

    assert heard == []


def test_a_name_that_changes_its_mind_is_refused_before_a_byte_is_sent(
    monkeypatch: pytest.MonkeyPatch,
):
    """The check sees a public address, the connection then finds a private one."""
    calls = http(private=False)
    monkeypatch.setattr("adapters.http.refuse_private", lambda url: None)

    with (
        server(says(_OK)) as (url, heard),
        pytest.raises(GiveUp, match="not a public address"),
    ):
        calls.get(url)

    assert heard in ([], [b""])


# -- answers -----------------------------------------------------------------------


@responses.activate
def test_statuses_are_classes_and_the_message_says_who():
    for status, kind in (
        (401, CredentialsRefused),
        (403, CredentialsRefused),
        (404, GiveUp),
        (408, RetryLater),
        (409, GiveUp),
        (425, RetryLater),
        (429, RetryLater),
        (500, RetryLater),
    ):
        responses.upsert(responses.GET, "https://till.test/", status=status, body="no")
        with pytest.raises(
            kind, match=rf"Till \(downtown\) answered {status}: no"
        ) as e:
            http().get("https://till.test/")
        assert type(e.value) is kind
        assert e.value.status == status


@responses.activate
def test_a_status_may_pass_or_mean_later_where_the_provider_says_so():
    responses.get("https://till.test/", status=409, body="busy")

    assert http().get("https://till.test/", passes=(409,)).status == 409
    with pytest.raises(RetryLater):
        http().get("https://till.test/", retried=(409,))


def test_only_an_answer_from_behind_the_door_leaves_us_unsure():
    for status, unknown in ((429, False), (408, True), (502, True)):
        with responses.RequestsMock() as mock:
            mock.get("https://till.test/", status=status)
            with pytest.raises(RetryLater) as caught:
                http().get("https://till.test/")
        assert caught.value.unknown == unknown


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        *((None, None), ("", None), ("soon", None), ("nan", None), ("-3", 0.0)),
        *(("7", 7.0), ("2.5", 2.5), ("inf", 86400.0), ("1e9", 86400.0)),
        *(
            ("Mon, 23 Nov 2026 12:01:00 GMT", 60.0),
            ("Mon, 23 Nov 2026 12:01:00 -0000", 60.0),
            ("Mon, 23 Nov 2026 11:00:00 GMT", 0.0),
            ("Mon, 99 Nov 2026 11:00:00 GMT", None),
        ),
    ],
)
def test_the_delay_is_read_as_seconds_or_as_a_date(
    value: str | None, seconds: float | None
):
    with time_machine.travel("2026-11-23T12:00:00Z", tick=False):
        assert retry_after(value) == seconds


def test_a_date_of_the_standard_library_is_understood():
    in_a_minute = email.utils.formatdate(time.time() + 60, usegmt=True)

    assert retry_after(in_a_minute) == pytest.approx(60, abs=2)


def test_an_excerpt_is_short_and_names_nobody():
    body = "ada@example.com called from +49 (30) 5550-1234\n\0 <p>" + "x" * 5000

    found = excerpt(body.encode())

    assert found.startswith("(address) called from (number) ? <p>")
    assert len(found) <= 300
    assert excerpt(b"") == "(no body)"
    assert excerpt(b"\xff\xfe") == "\ufffd\ufffd"


@pytest.mark.parametrize(
    "phone",
    [
        *("+49 30 5550 1234", "+15555550123", "030/5550 1234", "(030) 5550-1234"),
        *("0305550123", "555-555-0123", "(555) 555-0123", "555.555.0123"),
    ],
)
def test_a_phone_number_is_taken_out(phone: str):
    assert scrub(f"call {phone}, please") == "call (number), please"


@pytest.mark.parametrize(
    "words",
    [
        *("808950810", "gid://shopify/InventoryItem/808950810", "2026-11-23T10:00:00Z"),
        *("2026-01-02 03:04:05", "12 of 2147483647", "SKU 0000-A", "9.99 EUR"),
        "7d3f6b0e-3b58-4a5e-9a7e-1b9b7a0f7c11",
    ],
)
def test_ids_and_dates_stay_readable(words: str):
    assert scrub(words) == words


def test_a_secret_quoted_back_is_hidden_however_it_is_written():
    calls = http()
    calls.hide(["s3cr/et+word", "s3cr/et+word-longer", "abc"])
    body = rb"a s3cr/et+word b s3cr\/et+word-longer c s3cr%2Fet%2Bword d"

    with responses.RequestsMock() as mock:
        mock.get("https://till.test/", status=400, body=body)
        with pytest.raises(GiveUp) as caught:
            calls.get("https://till.test/")

    assert "a (secret) b (secret) c (secret) d" in str(caught.value)
    assert calls.quote("s3cr/et+word") == "(secret)"


@pytest.mark.parametrize("secret", ["line\nbreak", "snow ☃"])
def test_a_secret_that_fits_into_no_header_is_not_quoted(secret: str):
    with server(says(_OK)) as (url, _), pytest.raises(GiveUp) as caught:
        http().get(url, headers={"Authorization": f"Bearer {secret}"})

    assert caught.value.__cause__ is None
    assert secret not in str(caught.value)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[" * 100_000, b"\xff"])
@responses.activate
def test_an_answer_that_is_no_json_is_retried_later(body: bytes):
    responses.get("https://till.test/", body=body)

    with pytest.raises(RetryLater, match="not JSON"):
        http().get("https://till.test/").json()
