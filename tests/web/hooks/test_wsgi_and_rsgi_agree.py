"""The door in the loop and the one for WSGI servers: the same answers and rows."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from pydantic import SecretStr
from werkzeug.test import Client, TestResponse

from dashboard.db import Database
from dashboard.models.webhook import Refusal, RefusalCount, Webhook, WebhookBody
from dashboard.web.hooks import rsgi
from dashboard.web.hooks.request import MAX_BODY_BYTES
from tests.fixtures.hooks import HooksClient, door, event
from tests.fixtures.refusals import CASES, Case, a_stage
from tests.fixtures.rsgi import Headers, Protocol, ReceiverRuntime, Scope

__all__ = ["door"]

CHALLENGE = b'{"event":"endpoint.url_validation","payload":{"plainToken":"abc"}}'

Send = Callable[[HooksClient], TestResponse | str]


def _at(door: HooksClient, **later: int) -> str:
    return str(int((door.clock.now() + timedelta(**later)).timestamp()))


SENT: dict[str, Send] = {
    "an event": lambda door: door.post(event()),
    "a retry": lambda door: [door.post(event()), door.post(event())][1],
    "a slash": lambda door: door.post(event(), path=door.path + "/"),
    "upper case": lambda door: door.post(
        event(), path=f"/hooks/zoom/{str(door.app_id).upper()}"
    ),
    "a challenge": lambda door: door.post(CHALLENGE),
    "no token": lambda door: door.post(CHALLENGE.replace(b"plainToken", b"other")),
    "not text": lambda door: door.post(b"\xff\xfe"),
    "not JSON": lambda door: door.post(b'{"event":"meeting.created"} // comment'),
    "no body": lambda door: door.post(b""),
    "late": lambda door: door.post(event(), timestamp=_at(door, days=-6)),
    "milliseconds": lambda door: door.post(
        event(), timestamp=f"{_at(door, minutes=-1)}123"
    ),
    "ahead": lambda door: door.post(event(), timestamp=_at(door, minutes=12)),
    "a challenge ahead": lambda door: door.post(
        CHALLENGE, timestamp=_at(door, minutes=12)
    ),
    "a late challenge": lambda door: door.post(
        CHALLENGE, timestamp=_at(door, hours=-3)
    ),
    "too old": lambda door: door.post(event(), timestamp=_at(door, days=-8)),
    "a large event": lambda door: door.post(
        b'{"event":"meeting.created","filler":"%b"}' % (b"x" * 70_000)
    ),
    "the largest": lambda door: door.post(
        b'{"filler":"%b"}' % (b"x" * (MAX_BODY_BYTES - 13))
    ),
    "deep": lambda door: door.post(b"[" * 60_000),
    "credentials": lambda door: door.post(
        event(), headers={"authorization": "Bearer test-1", "cookie": "a=b"}
    ),
    "not found": lambda door: door.post(event(), path="/hooks/zoom/1"),
    "below": lambda door: door.post(event(), path=door.path + "/x"),
    "two slashes": lambda door: door.post(event(), path=door.path + "//"),
    "no app": lambda door: door.post(
        event(), path="/hooks/zoom/00000000-0000-0000-0000-000000000000"
    ),
    "GET": lambda door: door.client.get(door.path),
    "HEAD": lambda door: door.client.head(door.path),
    "PUT": lambda door: door.client.put(door.path, data=event()),
    "no number": lambda door: door.call(
        event(), CONTENT_LENGTH="five", **door.signed(event())
    ),
    "no length": lambda door: door.call(
        event(), **{"wsgi.input_terminated": True}, **door.signed(event())
    ),
}


@pytest.fixture
def database(sqlite: Database) -> Database:
    return sqlite


class OverDoor:
    """A WSGI app that asks the door in the loop, so that one client serves both."""

    def __init__(self, door: rsgi.WebhookEndpoint) -> None:
        self._door = door

    def __call__(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        names = {"CONTENT_TYPE": "content-type", "CONTENT_LENGTH": "content-length"}
        pairs = [
            (names.get(key) or key[5:].replace("_", "-").lower(), value)
            for key, value in environ.items()
            if key.startswith("HTTP_") or (key in names and value)
        ]
        scope: Any = Scope(
            path=environ["PATH_INFO"],
            method=environ["REQUEST_METHOD"],
            client=f"{environ.get('REMOTE_ADDR', '')}:4711",
            headers=Headers(pairs),
        )
        body: bytes = environ["wsgi.input"].read()
        parts = [body[at : at + 65_536] for at in range(0, len(body), 65_536)]
        http: Any = Protocol(parts)
        asyncio.run(self._door(scope, http))
        [(status, headers, answer)] = http.answers
        start_response(f"{status} -", list(headers.items()))
        return [answer]


def in_loop(door: HooksClient) -> tuple[HooksClient, rsgi.WebhookEndpoint]:
    """Return the same stage with the other door before the same intake."""
    made = rsgi.WebhookEndpoint(ReceiverRuntime(door.clock, door.writer))
    values = {**vars(door), "client": Client(OverDoor(made))}
    return HooksClient(**values), made


def columns(row: Any, *left_out: str) -> dict[str, Any]:
    return {
        key: value for key, value in row.model_dump().items() if key not in left_out
    }


def refusals(door: HooksClient) -> list[dict[str, Any]]:
    found = door.stored(Refusal)
    return [columns(row, "id") for row in found]


def counts(door: HooksClient) -> Counter[str]:
    found = Counter[str]()
    for row in door.stored(RefusalCount):
        found[row.cause] += row.requests
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.cause.value)
def test_both_refuse_for_the_same_cause_in_the_same_words(
    door: HooksClient, case: Case
) -> None:
    stage = a_stage(door)
    case.send(stage)
    [first] = refusals(door)

    stage.door, made = in_loop(door)
    case.send(stage)
    made.close()

    assert first["cause"] == case.cause.value
    assert refusals(door) == [first, first]
    assert counts(door) == {case.cause.value: 2}


def answered(response: TestResponse | str) -> tuple[int, bytes, str | None]:
    if isinstance(response, str):
        return int(response), b"", None
    return response.status_code, response.data, response.headers.get("allow")


def rows(door: HooksClient) -> list[dict[str, Any]]:
    """Return what was stored, opened, without ids and times; then forget it."""
    found = []
    bodies = {body.webhook_id: body for body in door.stored(WebhookBody)}
    for row in door.stored(Webhook):
        sealed = bodies[row.id]
        opened = [
            door.vault.open(
                getattr(sealed, column), table="webhook_body", column=column, row=row.id
            )
            for column in ("headers", "body")
        ]
        left_out = ("id", "zoom_app_id", "dedupe", "answered_ms")
        found.append(
            columns(row, *left_out)
            | {"headers": sorted(json.loads(opened[0])), "body": opened[1]}
        )
    return found


@pytest.mark.parametrize("name", SENT)
def test_both_give_the_same_answer_and_store_the_same(
    door: HooksClient, name: str
) -> None:
    first_answer = answered(SENT[name](door))
    first = rows(door)
    refused = counts(door)
    other, made = in_loop(door)
    other.add_app()  # a new one, so that nothing is a repeat

    answer = answered(SENT[name](other))
    made.close()

    assert answer == first_answer
    assert rows(door) == [*first, *first]
    assert counts(door) == refused + refused
    assert len(door.stored(Refusal)) == refused.total() * 2


def test_an_app_without_a_secret_is_out_of_service_at_both(door: HooksClient) -> None:
    door.add_app(SecretStr(" "))
    first = answered(door.post(event()))
    other, made = in_loop(door)

    assert answered(other.post(event())) == first
    assert first[0] == 503
    made.close()
