"""Zoom's door in the loop: thousands wait, and nobody for another."""

import asyncio
import math
import threading
from typing import Any
from uuid import uuid4

import pytest

from dashboard.models.webhook import Webhook
from dashboard.services.receiver import batches
from tests.fixtures.hooks import event
from tests.fixtures.relay import BODY
from tests.fixtures.rsgi import NEVER, Loop, Protocol, loop

__all__ = ["loop"]


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
