"""Every way a vendor can fail is one error that says what is safe."""

import socket
from collections.abc import Callable

import httpx2
import pytest
from pydantic import BaseModel

from dashboard.clients.http.client import HARMLESS, make_http, send
from dashboard.clients.recall.api import Recall
from dashboard.sandbox.faults import Fault, FaultKind
from tests.fixtures.vendors import (
    AN_ID,
    API_KEY,
    CLIENT_SECRET,
    HOST,
    SECRET_TOKEN,
    Stage,
    answering,
    failing,
    http_to,
    recall_at,
    refusal_of,
)


class Pong(BaseModel):
    word: str


def create(recall: Recall) -> Callable[[], object]:
    return lambda: recall.create_app(
        kind="user_level",
        client_id="another-client-id",
        client_secret=CLIENT_SECRET,
        webhook_secret=SECRET_TOKEN,
        idempotency_key="another",
    )


@pytest.mark.parametrize(
    ("kind", "status", "retryable", "may_have_happened", "says"),
    [
        (FaultKind.DOWN, None, True, True, "stopped before"),
        (FaultKind.UNAVAILABLE, 503, True, True, "failed on its side"),
        (FaultKind.SERVER_ERROR, 500, True, True, "failed on its side"),
        (FaultKind.SLOW, None, True, True, "did not answer in time"),
        (FaultKind.HTML_403, 403, False, False, "firewall"),
        (FaultKind.RATE_LIMITED, 429, True, False, "again in 1 second"),
        (FaultKind.RATE_LIMITED_BARE, 429, True, False, "again in a minute"),
        (FaultKind.LOST_ANSWER, None, True, True, "stopped before"),
        (FaultKind.NONSENSE, 200, False, True, "another shape than the RecallApp"),
        (FaultKind.HALF_ANSWER, None, True, True, "stopped before"),
        (FaultKind.NO_CREDIT, 402, False, False, "out of credit"),
        (FaultKind.FORBIDDEN, 403, False, False, "doesn't allow this API key"),
        (FaultKind.IN_FLIGHT, 409, True, True, "still processing"),
        (FaultKind.EMPTY, 200, False, True, "answered with nothing"),
        (FaultKind.PAGE, 200, False, True, "answered with a web page"),
    ],
)
def test_each_fault_of_the_wire_says_what_is_safe(  # noqa: PLR0917 - one table
    stage: Stage,
    kind: FaultKind,
    status: int | None,
    retryable: bool,  # noqa: FBT001 - a column of the table
    may_have_happened: bool,  # noqa: FBT001 - the same
    says: str,
) -> None:
    stage.sandbox.recall_faults.set([Fault(kind=kind)])
    timeout_s = 0.5 if kind is FaultKind.SLOW else 10.0

    with make_http(stage.sandbox.recall_url, timeout_s=timeout_s) as http:
        recall = Recall(stage.sandbox.recall_url, API_KEY, http=http)
        error = refusal_of(create(recall))

    assert says in str(error)
    assert (error.status, error.retryable) == (status, retryable)
    assert error.may_have_happened is may_have_happened
    assert error.service == "Recall"


def test_a_lost_answer_is_found_again_with_the_same_key(stage: Stage) -> None:
    fault = Fault(kind=FaultKind.LOST_ANSWER, times=1)
    stage.sandbox.recall_faults.set([fault])
    again = create(stage.recall)
    refusal_of(again)

    again()

    found = stage.recall.list_apps(client_id="another-client-id").whole()
    assert len(found) == 1


def test_nobody_listening_means_that_nothing_happened() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{deaf.getsockname()[1]}"

        with make_http(f"http://{host}") as http:
            recall = Recall(f"http://{host}", API_KEY, http=http)
            error = refusal_of(create(recall))

    assert f"could not be reached at {host}. Nothing was changed." in str(error)
    assert (error.retryable, error.may_have_happened) == (True, False)


@pytest.mark.parametrize(
    ("failure", "retryable", "may_have_happened"),
    [
        (httpx2.ConnectError("no"), True, False),
        (httpx2.ConnectTimeout("no"), True, False),
        (httpx2.PoolTimeout("no"), True, False),
        (httpx2.ProxyError("no"), True, False),
        (httpx2.LocalProtocolError("no"), False, False),
        (httpx2.UnsupportedProtocol("no"), False, False),
        (httpx2.WriteError("no"), True, True),
        (httpx2.WriteTimeout("no"), True, True),
        (httpx2.ReadError("no"), True, True),
        (httpx2.ReadTimeout("no"), True, True),
        (httpx2.RemoteProtocolError("no"), True, True),
        (httpx2.DecodingError("no"), True, True),
    ],
    ids=lambda value: type(value).__name__,
)
def test_only_what_was_sent_may_have_happened(
    failure: httpx2.RequestError,
    retryable: bool,  # noqa: FBT001 - a column of the table
    may_have_happened: bool,  # noqa: FBT001 - the same
) -> None:
    error = refusal_of(create(recall_at(failing(failure))))

    assert error.retryable is retryable
    assert error.may_have_happened is may_have_happened


def test_a_lost_reading_is_not_called_a_possible_change() -> None:
    recall = recall_at(failing(httpx2.ReadTimeout("late")))

    error = refusal_of(lambda: recall.get_app(AN_ID))

    assert str(error) == "Recall did not answer in time. Nothing was changed."


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "answered with nothing"),
        (b" \r\n", "answered with nothing"),
        (b"<!DOCTYPE html><p>Hello", "answered with a web page"),
        (b"\xef\xbb\xbf<html>", "answered with a web page"),
        (b"pong", "another shape than the Pong"),
        (b"{}", "another shape than the Pong"),
        (b"null", "another shape than the Pong"),
        (b'["word"]', "another shape than the Pong"),
        (b'{"word": [1]}', "another shape than the Pong"),
        (b'{"word": "a', "another shape than the Pong"),
        (b'{"word": "\xff\xfe"}', "another shape than the Pong"),
        (b"[" * 100_000, "another shape than the Pong"),
        (b"x" * 9_000_000, "far more than was asked for"),
    ],
    ids=lambda value: str(value)[:12],
)
def test_an_answer_that_is_none_is_told_without_its_content(
    body: bytes, says: str
) -> None:
    http = http_to(answering(body=body))
    request = http.build_request("POST", f"{HOST}/ping")

    error = refusal_of(lambda: send(http, request, service="Zoom", as_=Pong))

    assert says in str(error)
    assert (error.status, error.retryable) == (200, False)
    assert error.may_have_happened


@pytest.mark.parametrize("method", ["POST", "DELETE", "PATCH"])
@pytest.mark.parametrize(
    "body",
    [b"<!DOCTYPE html><p>Log in", b"\xef\xbb\xbf<html>", b"<?xml version='1.0'?>"],
)
def test_a_page_is_no_success_where_nothing_is_read_of_one(
    method: str, body: bytes
) -> None:
    http = http_to(answering(body=body))
    request = http.build_request(method, f"{HOST}/ping")

    error = refusal_of(lambda: send(http, request, service="Recall", as_=None))

    assert "answered with a web page" in str(error)
    assert error.may_have_happened


@pytest.mark.parametrize("body", [b"", b"{}", b"ok", b'{"error":"odd"}'])
def test_any_other_success_is_one(body: bytes) -> None:
    http = http_to(answering(body=body))

    send(http, http.build_request("POST", f"{HOST}/p"), service="Recall", as_=None)


@pytest.mark.parametrize(
    ("method", "headers", "extensions", "says"),
    [
        ("GET", {}, {}, "Nothing was changed."),
        ("POST", {}, {HARMLESS: True}, "Nothing was changed."),
        ("POST", {}, {}, "check before trying again."),
        ("POST", {"Idempotency-Key": "k"}, {}, "repeating it does it only once."),
        ("PATCH", {}, {}, "it is safe to repeat."),
        ("DELETE", {}, {}, "it is safe to repeat."),
    ],
)
def test_a_lost_answer_says_what_may_be_done_next(
    method: str, headers: dict[str, str], extensions: dict[str, bool], says: str
) -> None:
    http = http_to(failing(httpx2.ReadTimeout("late")))
    request = http.build_request(
        method, f"{HOST}/ping", headers=headers, extensions=extensions
    )

    error = refusal_of(lambda: send(http, request, service="Recall", as_=None))

    assert str(error).endswith(says)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b'{"redirect_uri":"https://localhost:8000/x"}', "localhost or an IP address"),
        (b'{"redirect_uri":"https://192.0.2.7/x"}', "localhost or an IP address"),
        (b'{"redirect_uri":"https://[2001:db8::1]/x"}', "localhost or an IP address"),
        (b'{"redirect_uri":"https://a.example/x"}', "neither localhost nor an IP"),
        (b'{"client_secret":"notlocalhost1.2.3"}', "neither localhost nor an IP"),
        (b"", "whose own address it distrusts"),
    ],
)
def test_a_block_by_the_firewall_names_the_cause_that_it_can_be(
    body: bytes, says: str
) -> None:
    http = http_to(answering(403, b"<HTML>403 ERROR</HTML>"))
    request = http.build_request("POST", f"{HOST}/ping", content=body)

    error = refusal_of(lambda: send(http, request, service="Recall", as_=None))

    assert says in str(error)
    assert "Nothing was changed." in str(error)


def test_no_answer_is_expected_where_none_is_asked_for() -> None:
    http = http_to(answering(204))
    request = http.build_request("DELETE", f"{HOST}/ping")

    send(http, request, service="Zoom", as_=None)


def test_a_redirect_is_not_followed() -> None:
    asked: list[str] = []

    def redirecting(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.url.host)
        return httpx2.Response(307, headers={"Location": "https://evil.example/"})

    error = refusal_of(create(recall_at(redirecting)))

    assert asked == ["us-west-2.recall.ai"]
    assert "redirect" in str(error)
    assert (error.retryable, error.may_have_happened) == (False, False)


def test_no_cookie_is_carried_from_one_call_to_the_next() -> None:
    cookies: list[str | None] = []

    def baking(request: httpx2.Request) -> httpx2.Response:
        cookies.append(request.headers.get("Cookie"))
        return httpx2.Response(204, headers={"Set-Cookie": "who=ana; Path=/"})

    http = http_to(baking)
    for _ in range(2):
        request = http.build_request("GET", f"{HOST}/ping")
        send(http, request, service="Recall", as_=None)

    assert cookies == [None, None]


def test_every_wait_has_an_end() -> None:
    with make_http(HOST, timeout_s=7) as http:
        timeout = http.timeout

    assert timeout.as_dict() == {"connect": 5, "read": 7, "write": 7, "pool": 7}


def test_the_way_out_is_not_taken_to_a_simulator_on_this_machine() -> None:
    outside, *here = (
        make_http(url) for url in (HOST, "http://127.0.0.1:1", "http://localhost:1")
    )
    trusting = [http.trust_env for http in (outside, *here)]
    for http in (outside, *here):
        http.close()

    assert trusting == [True, False, False]
