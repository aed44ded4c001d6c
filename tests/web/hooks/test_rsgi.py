"""Zoom's door in the loop: what is answered, and that nobody waits for another."""

import asyncio
import json
import math
import threading
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr
from sqlalchemy.exc import OperationalError

from dashboard.errors import StorageError
from dashboard.models.webhook import Refusal, RefusalCount, Webhook, WebhookBody
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.receiver import batches
from dashboard.services.receiver.signatures import answer_challenge
from dashboard.web.hooks import request as incoming
from tests.fixtures.hooks import event
from tests.fixtures.relay import BODY, CHALLENGE
from tests.fixtures.rsgi import NEVER, Loop, Protocol, loop
from tests.makers import SECRET_TOKEN

__all__ = ["loop"]

STRANGER = SecretStr("test-secret-token-stranger")


def opened(loop: Loop, column: str) -> bytes:
    sealed = loop.stored(WebhookBody)[0]
    text = getattr(sealed, column)
    place: Any = {"table": "webhook_body", "column": column, "row": sealed.webhook_id}
    return loop.vault.open(text, **place)


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_signed_event_is_stored_byte_for_byte_and_answered_with_nothing(
    loop: Loop, slash: str
) -> None:
    http = loop.post(BODY, path=f"/hooks/zoom/{loop.app_id}{slash}")

    assert http.answers == [(200, {"content-length": "0"}, b"")]
    assert opened(loop, "body") == BODY
    assert dict(json.loads(opened(loop, "headers")))["content-length"] == str(len(BODY))


def test_a_header_that_came_twice_is_kept_twice(loop: Loop) -> None:
    loop.post(BODY, more=[("x-own", "1"), ("x-own", "2"), ("cookie", "a=b")])

    headers = json.loads(opened(loop, "headers"))
    assert [each for each in headers if each[0] == "x-own"] == [
        ["x-own", "1"],
        ["x-own", "2"],
    ]
    assert "cookie" not in dict(headers)


def test_a_challenge_is_answered_with_exactly_its_two_keys(loop: Loop) -> None:
    http = loop.post(CHALLENGE)

    (status, headers, body) = http.answers[0]
    assert (status, headers) == (200, {"content-type": "application/json"})
    assert json.loads(body) == answer_challenge("abc", SECRET_TOKEN)


def test_a_wrong_signature_is_counted(loop: Loop) -> None:
    http = loop.post(BODY, secret=STRANGER)

    assert (http.status, http.answers[0][2]) == (401, b"Unauthorized\n")
    assert [each.requests for each in loop.stored(RefusalCount)] == [1]
    assert loop.stored(Webhook) == []


@pytest.mark.parametrize(
    "path", [f"/hooks/zoom/{UUID(int=1)}", "/hooks/", "/hooks/zoom/x", "/hooks/zoom/"]
)
def test_an_unknown_address_is_not_found_and_its_body_not_read(
    loop: Loop, path: str
) -> None:
    http = loop.post(BODY, path=path)

    assert (http.status, http.parts_read) == (404, 0)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "OPTIONS", "DELETE"])
def test_only_post_is_taken(loop: Loop, method: str) -> None:
    (status, headers, body) = loop.post(BODY, method=method).answers[0]

    assert (status, headers["allow"]) == (405, "POST")
    assert bool(body) == (method != "HEAD")


MIB = b" " * (1024 * 1024)


@pytest.mark.parametrize(("sent", "read"), [(10, 10), (40, 16)])
@pytest.mark.parametrize(
    ("path", "status"),
    [(None, 413), ("/hooks/zoom/x", 404), (f"/hooks/zoom/{UUID(int=1)}", 404)],
)
def test_a_body_that_is_not_wanted_is_read_on_to_a_limit_before_the_answer(
    loop: Loop, sent: int, read: int, path: str | None, status: int
) -> None:
    length = {"content-length": str(sent * len(MIB))}
    over = {} if path is None else {"path": path}

    http = loop.post(b"", headers=length, parts=[MIB] * sent, **over)

    assert (http.status, http.parts_read) == (status, read)
    assert [each.body_bytes for each in loop.stored(Refusal)] == (
        [sent * len(MIB)] if path is None else []
    )


def test_a_body_that_turns_out_too_large_is_read_on_to_a_limit(loop: Loop) -> None:
    http = loop.post(b"", headers={"content-length": None}, parts=[MIB] * 40)

    assert (http.status, http.parts_read) == (413, 2 + 16)


def test_a_body_that_the_sender_holds_back_is_not_asked_for(loop: Loop) -> None:
    held = {"content-length": str(len(MIB) + 1), "expect": "100-Continue"}

    http = loop.post(BODY, headers=held)

    assert (http.status, http.parts_read) == (413, 0)


def test_a_body_that_is_not_wanted_and_does_not_come_holds_up_no_answer(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incoming, "DISCARDED_WITHIN_S", 0.05)
    length = {"content-length": str(len(MIB) + 1)}

    http = loop.post(b"", headers=length, parts=[BODY, NEVER])

    assert (http.status, http.parts_read) == (413, 1)


def test_a_body_in_chunks_is_stored(loop: Loop) -> None:
    parts = [BODY[:7], b"", BODY[7:]]

    http = loop.post(BODY, headers={"content-length": None}, parts=parts)

    assert http.status == 200
    assert opened(loop, "body") == BODY


@pytest.mark.parametrize("length", ["five", "-1", "1e3", "\u0665", "9" * 19])
def test_a_length_that_is_no_number_is_unreadable(loop: Loop, length: str) -> None:
    http = loop.post(BODY, headers={"content-length": length})

    assert (http.status, http.parts_read) == (400, 0)


def test_a_sender_that_leaves_amid_its_body_is_answered_for_the_log(loop: Loop) -> None:
    class Gone(Protocol):
        async def __call__(self) -> bytes:
            raise RuntimeError(
                "closed"
            )  # as granian's RSGIProtocolClosed, which is one

    async def leave() -> Gone:
        made: Any = loop.request(BODY)[0]
        http: Any = Gone([])
        await loop.door(made, http)
        return http  # type: ignore[no-any-return]  # as made

    assert asyncio.run(leave()).status == 400


@pytest.mark.parametrize(
    "error",
    [StorageError("away"), OperationalError("INSERT", {}, ValueError("away"))],
)
def test_when_storage_is_down_zoom_is_asked_to_try_again(
    loop: Loop, error: Exception
) -> None:
    loop.gated.error = error

    http = loop.post(BODY)

    loop.gated.error = None
    assert (http.status, http.answers[0][1]["retry-after"]) == (503, "30")
    assert loop.stored(Webhook) == []
    assert loop.post(BODY).status == 200


def test_a_stopped_dashboard_asks_zoom_to_try_again(loop: Loop) -> None:
    loop.writer.close()

    assert loop.post(BODY).status == 503


def test_a_secret_saved_a_moment_ago_counts_at_once(loop: Loop) -> None:
    new = SecretStr("test-secret-token-0002")
    assert loop.post(BODY).status == 200
    with loop.database.writing() as session:
        app = session.get_one(ZoomApp, loop.app_id)
        app.secret_token = loop.vault.seal_text(
            new, table="zoom_app", column="secret_token", row=app.id
        )
        app.version += 1

    # Within the 50 ms that a mismatch counts as looked up, the old answer stands.
    threading.Event().wait(0.1)
    assert loop.post(event(2), secret=new).status == 200


@pytest.mark.parametrize(
    ("proxies", "lines", "address"),
    [
        (0, ["192.0.2.1"], "203.0.113.7"),
        (1, [], "203.0.113.7"),
        (1, ["192.0.2.1"], "192.0.2.1"),
        (1, ["192.0.2.9, 192.0.2.1"], "192.0.2.1"),
        (1, ["192.0.2.9", "192.0.2.1"], "192.0.2.1"),
        (2, ["192.0.2.9", "192.0.2.1, 192.0.2.2"], "192.0.2.1"),
        (2, ["192.0.2.1"], "203.0.113.7"),
    ],
)
def test_the_sender_is_whom_the_trusted_proxies_name(
    loop: Loop, proxies: int, lines: list[str], address: str
) -> None:
    loop.made_again(trusted_proxies=proxies)

    loop.post(BODY, secret=STRANGER, more=[("x-forwarded-for", line) for line in lines])

    assert loop.stored(Refusal)[0].address == address


def test_an_ipv6_sender_is_named_without_its_port(loop: Loop) -> None:
    loop.post(BODY, secret=STRANGER, client="[2001:db8::7]:4711")

    assert loop.stored(Refusal)[0].address == "2001:db8::7"


def test_an_event_too_old_is_refused_by_the_clock_of_the_services(loop: Loop) -> None:
    scope: Any
    scope, http = loop.request(BODY)
    loop.clock.advance(days=8)

    asyncio.run(loop.door(scope, http))  # type: ignore[arg-type]  # a fake

    assert http.status == 401
    assert loop.clock.now() - loop.stored(Refusal)[0].received_at == timedelta(0)


@pytest.mark.parametrize("length", [None, str(len(BODY))])
def test_a_body_that_does_not_come_holds_nobody_up(
    loop: Loop, length: str | None
) -> None:
    loop.made_again(body_timeout_s=0.5)
    order: list[str] = []

    async def slow() -> Protocol:
        headers, parts = {"content-length": length}, [BODY[:9], NEVER]
        http = await loop.send(BODY, headers=headers, parts=parts)
        order.append("slow")
        return http

    async def quick() -> Protocol:
        http = await loop.send(BODY)
        order.append("quick")
        return http

    async def both() -> tuple[Protocol, Protocol]:
        return await asyncio.gather(slow(), quick())

    assert [http.status for http in asyncio.run(both())] == [400, 200]
    assert order == ["quick", "slow"]


def test_what_a_vanished_sender_was_waiting_for_is_stored(loop: Loop) -> None:
    async def leave() -> list[int]:
        loop.gated.may_write.clear()
        first = asyncio.create_task(loop.send(event(0)))
        await asyncio.sleep(0.2)  # its batch is being written; the others are the next
        gone = asyncio.create_task(loop.send(BODY))
        stays = asyncio.create_task(loop.send(event(2)))
        await asyncio.sleep(0.2)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        loop.gated.may_write.set()
        return [http.status for http in await asyncio.gather(first, stays)]

    assert asyncio.run(leave()) == [200, 200]
    assert len(loop.stored(Webhook)) == 3


def test_what_a_vanished_loop_was_waiting_for_is_stored(loop: Loop) -> None:
    async def leave() -> None:
        task = asyncio.create_task(loop.send(BODY))
        await asyncio.to_thread(loop.gated.held.wait)
        task.cancel()

    loop.gated.may_write.clear()
    loop.gated.held.clear()
    asyncio.run(leave())
    loop.gated.may_write.set()

    assert len(loop.stored(Webhook)) == 1
    assert loop.post(event(2)).status == 200


def test_many_at_once_are_woken_a_batch_at_a_time(loop: Loop) -> None:
    woken: list[int] = []

    class Counting(asyncio.SelectorEventLoop):
        def call_soon_threadsafe(  # type: ignore[override]  # it counts, and hands on
            self, callback: Any, *args: Any, **more: Any
        ) -> Any:
            if callback is batches._wake:
                woken.append(len(args[0]))
            return super().call_soon_threadsafe(callback, *args, **more)

    async def many() -> list[Protocol]:
        await loop.send(event(0))
        loop.gated.may_write.clear()
        waiting = [asyncio.create_task(loop.send(event(n))) for n in range(1, 201)]
        await asyncio.sleep(0.1)
        loop.gated.may_write.set()
        return await asyncio.gather(*waiting)

    with asyncio.Runner(loop_factory=Counting) as runner:
        answered = runner.run(many())

    assert [http.status for http in answered] == [200] * 200
    assert len(loop.stored(Webhook)) == sum(woken) == 201
    assert len(woken) == loop.gated.writings <= 4


def test_a_look_up_that_hangs_delays_no_known_app(loop: Loop) -> None:
    async def both() -> None:
        await loop.send(event(0))
        known = loop.writer.keyring._known
        for app_id, (_, app) in known.items():
            known[app_id] = (math.inf, app)  # known for as long as the test takes
        loop.gated.may_read.clear()
        # More of them than there are threads.
        unknown = [
            asyncio.create_task(loop.send(BODY, path=f"/hooks/zoom/{uuid4()}"))
            for _ in range(20)
        ]
        await asyncio.sleep(0)
        assert (await loop.send(event(1))).status == 200
        assert not any(task.done() for task in unknown)
        loop.gated.may_read.set()
        found = await asyncio.gather(*unknown)
        assert {http.status for http in found} == {404}

    asyncio.run(both())


def test_a_large_body_is_sealed_in_a_thread(loop: Loop) -> None:
    sealed_in: list[str] = []
    seal = loop.vault.seal

    def noted(*args: Any, **more: Any) -> bytes:
        sealed_in.append(threading.current_thread().name[:5])
        return seal(*args, **more)

    vault: Any = loop.writer._arrivals
    vault._vault = type("Noted", (), {"seal": staticmethod(noted)})()
    large = b'{"event":"meeting.created","filler":"%b"}' % (b"x" * 70_000)

    assert [loop.post(body).status for body in (large, BODY)] == [200, 200]
    assert sealed_in == ["hooks", "hooks", "MainT", "MainT"]
