"""How both token endpoints read a request and answer in time, whatever is behind."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import Future
from threading import Event
from typing import Any

import pytest
from pydantic import SecretStr
from werkzeug.test import Client

from dashboard.services.grants.token_calls import NOT_YET, Call, Reply, Want
from dashboard.web import token_endpoint
from dashboard.web.token_endpoint import TokenEndpoint, TokenMiddleware
from tests.fixtures.rsgi import Headers, Protocol, Scope
from tests.fixtures.token_endpoint import UNKNOWN, OverLoop, a_page

PATH = f"/tokens/{UNKNOWN}"
TOKEN = Reply(status=200, token=SecretStr("a-token"))


class Calls:
    """Answers as told, and records what was asked."""

    def __init__(self) -> None:
        self.asked: list[Call] = []
        self.answer: Reply | Future[Reply] = TOKEN
        self.go_on = Event()
        self.go_on.set()

    def begin(self, call: Call) -> Reply | Future[Reply]:
        self.asked.append(call)
        self.go_on.wait()
        return self.answer

    def count(self, reply: Reply) -> None:
        pass


@pytest.fixture
def calls() -> Calls:
    return Calls()


@pytest.fixture(params=["WSGI", "RSGI"])
def client(calls: Any, request: pytest.FixtureRequest) -> Iterator[Client]:
    always = [("x-content-type-options", "own"), ("content-security-policy", "none")]
    if request.param == "WSGI":
        yield Client(TokenMiddleware(a_page, calls, always=always))
        return
    door = TokenEndpoint(calls, always=always)
    yield Client(OverLoop(door))
    door.close()


def test_a_request_is_read_whole(client: Client, calls: Calls) -> None:
    client.get(
        f"{PATH}/obf/?meeting_id=91234567890&meeting_id=2",
        headers={"Webhook-Id": "msg_1"},
        environ_overrides={"REMOTE_ADDR": "192.0.2.1"},
    )

    [call] = calls.asked
    assert (call.key, call.want, call.meeting_id) == (UNKNOWN, Want.OBF, "91234567890")
    assert (call.headers["webhook-id"], call.address) == ("msg_1", "192.0.2.1")


def test_of_a_long_query_the_beginning_is_read(client: Client, calls: Calls) -> None:
    client.get(f"{PATH}/obf?{'a' * 987}&meeting_id=7")
    client.get(f"{PATH}/obf?{'a' * 988}&meeting_id=7")

    assert [call.meeting_id for call in calls.asked] == ["7", ""]


def test_every_answer_has_the_headers_of_all_and_its_own(client: Client) -> None:
    headers = client.get(PATH).headers

    assert headers["content-security-policy"] == "none"
    assert headers["x-content-type-options"] == "nosniff"
    assert "retry-after" not in headers
    assert "allow" not in headers


@pytest.mark.parametrize("is_queued", [False, True])
def test_what_takes_too_long_is_answered_in_time_and_goes_on(
    client: Client, calls: Calls, monkeypatch: pytest.MonkeyPatch, *, is_queued: bool
) -> None:
    monkeypatch.setattr(token_endpoint, "ANSWER_WITHIN_S", 0.05)
    if is_queued and isinstance(client.application, OverLoop):
        calls.go_on.clear()
    running: Future[Reply] = Future()
    calls.answer = running

    answer = client.get(PATH)
    calls.go_on.set()

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert answer.text == f"{NOT_YET.why}\n"
    assert not running.cancelled()


def test_a_call_that_is_given_up_at_the_end_is_asked_for_again(
    calls: Any,
) -> None:
    calls.answer = Future()
    calls.answer.cancel()

    answer = Client(TokenMiddleware(a_page, calls)).get(PATH)

    assert answer.status == "503 Service Unavailable"
    assert answer.text == f"{NOT_YET.why}\n"


@pytest.mark.parametrize(
    ("proxies", "address"), [(None, "203.0.113.7"), (1, "192.0.2.9"), (2, "192.0.2.8")]
)
def test_only_trusted_proxies_name_the_caller(
    calls: Any, proxies: int | None, address: str
) -> None:
    trust: Any = {} if proxies is None else {"trusted_proxies": proxies}
    door = TokenEndpoint(calls, **trust)
    named = Headers([("x-forwarded-for", "192.0.2.8, 192.0.2.9")])
    scope: Any = Scope(path=PATH, method="GET", headers=named)

    asyncio.run(door(scope, Protocol([])))  # type: ignore[arg-type]  # a test's
    door.close()

    assert [call.address for call in calls.asked] == [address]


def test_without_an_address_of_the_caller_there_is_none(calls: Any) -> None:
    environ = {"PATH_INFO": PATH, "REQUEST_METHOD": "GET"}

    TokenMiddleware(a_page, calls)(environ, lambda *_: None)  # type: ignore[arg-type]  # a test's

    assert [call.address for call in calls.asked] == [""]


def test_at_the_end_nothing_waits_for_a_call_that_hangs(calls: Any) -> None:
    door = TokenEndpoint(calls)
    calls.go_on.clear()
    hanging = [door._threads.submit(calls.begin, None) for _ in range(5)]

    door.close()
    calls.go_on.set()

    assert hanging[-1].cancelled()
    assert hanging[0].result() is TOKEN


def test_a_request_without_a_path_is_for_the_page(calls: Any) -> None:
    environ: Any = {"REQUEST_METHOD": "GET"}
    seen: list[Any] = []

    def page(given: Any, start_response: Any) -> list[bytes]:
        seen.append(given)
        return a_page(given, start_response)

    body = TokenMiddleware(page, calls)(environ, lambda *_: None)  # type: ignore[arg-type]  # a test's

    assert (b"".join(body), seen) == (b"a page", [environ])
    assert calls.asked == []


def test_what_was_sent_along_is_read_before_the_answer(calls: Any) -> None:
    door = TokenEndpoint(calls)
    size = Headers([("content-length", "200000")])
    scope: Any = Scope(path=PATH, method="POST", headers=size)
    http = Protocol([b"x" * 100_000] * 2)

    asyncio.run(door(scope, http))  # type: ignore[arg-type]  # a test's
    door.close()

    assert (http.status, http.parts_read) == (405, 2)


def test_the_endpoint_begins_so_many_calls_at_once_and_no_more(
    calls: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token_endpoint, "ANSWER_WITHIN_S", 0.1)
    door = TokenEndpoint(calls)
    calls.go_on.clear()
    answers = [Protocol([]) for _ in range(token_endpoint._THREADS + 1)]

    async def ask_all() -> int:
        scope: Any = Scope(path=PATH, method="GET")
        await asyncio.gather(*(door(scope, each) for each in answers))  # type: ignore[arg-type]  # a test's
        begun = len(calls.asked)
        calls.go_on.set()
        return begun

    begun = asyncio.run(ask_all())
    door.close()

    assert [each.answers[0][0] for each in answers] == [503] * len(answers)
    assert begun == token_endpoint._THREADS
