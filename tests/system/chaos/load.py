"""Zoom under load: posts at a steady rate whatever becomes of it, and tries again.

An open loop: slow answers do not slow the sending down. As Zoom does, it waits three
seconds for an answer, tries again after a 5xx or none at all, and never after a 3xx or
4xx (docs/contracts/zoom.md 5.6); only its ladder of minutes is one of seconds here.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import aiohttp

from dashboard.sandbox.zoom import webhooks
from tests.makers import SECRET_TOKEN
from tests.system.chaos import bodies
from tests.system.chaos.bodies import Event

LADDER_S = (1.0, 4.0, 12.0)
_TIMEOUT = aiohttp.ClientTimeout(total=3)
_AGAIN, _AGAIN_WITHIN_S = 0.1, 3.0  # how many events come twice, and how soon


@dataclass(kw_only=True, slots=True)
class Sent:
    """What became of one event, from where Zoom stands.

    Attributes:
        digests: SHA-256 of each spelling posted, hex.
        answers: Every status in order; 0 for none.
    """

    number: int
    digests: tuple[str, ...]
    answers: list[int] = field(default_factory=list)


class Load:
    """Posts events to the dashboard's doors for a while.

    Args:
        targets: URLs of the receiver; each event belongs to one row of them, and each
            of its tries goes to any of the row, as behind a load balancer.
        rate: Events a second.
        run: Tells this run's events from another's.
        seed: Draws everything else.
    """

    def __init__(
        self, targets: Sequence[Sequence[str]], *, rate: float, run: str, seed: int
    ) -> None:
        self.sent: list[Sent] = []
        self.latencies_ms: list[float] = []
        self._targets = targets
        self._rate = rate
        self._run = run
        self._draw = random.Random(f"load {seed}")

    async def run(self, is_over: Callable[[], bool]) -> None:
        """Post until it is over, then end the tries that are under way."""
        connector = aiohttp.TCPConnector(limit=0)
        async with (
            aiohttp.ClientSession(connector=connector, timeout=_TIMEOUT) as http,
            asyncio.TaskGroup() as group,
        ):
            began = time.monotonic()
            while not is_over():
                due = int((time.monotonic() - began) * self._rate)
                for _ in range(len(self.sent), due):
                    self._begin(group, http)
                await asyncio.sleep(0.01)

    def answers(self) -> Counter[int]:
        """Count all answers by status; 0 is none."""
        return Counter(status for sent in self.sent for status in sent.answers)

    def _begin(self, group: asyncio.TaskGroup, http: aiohttp.ClientSession) -> None:
        event = bodies.make(self._run, len(self.sent), self._draw)
        sent = Sent(number=event.number, digests=event.digests)
        self.sent.append(sent)
        doors = self._draw.choice(self._targets)
        for body in event.bodies:
            group.create_task(self._send(http, doors, body, sent))
        if self._draw.random() < _AGAIN:
            group.create_task(self._send_again(http, doors, event, sent))

    async def _send_again(
        self,
        http: aiohttp.ClientSession,
        doors: Sequence[str],
        event: Event,
        sent: Sent,
    ) -> None:
        await asyncio.sleep(self._draw.random() * _AGAIN_WITHIN_S)
        await self._send(http, doors, event.bodies[0], sent)

    async def _send(
        self,
        http: aiohttp.ClientSession,
        doors: Sequence[str],
        body: bytes,
        sent: Sent,
    ) -> None:
        for wait_s in (*LADDER_S, None):
            status = await self._post(http, self._draw.choice(doors), body)
            sent.answers.append(status)
            if wait_s is None or 0 < status < 500:
                return
            await asyncio.sleep(wait_s)

    async def _post(self, http: aiohttp.ClientSession, url: str, body: bytes) -> int:
        at = str(int(time.time()))  # noqa: TID251 - of processes in real time
        secret = SECRET_TOKEN.get_secret_value()
        headers = {
            "content-type": "application/json; charset=utf-8",
            "clientid": "simC000000000000000001",
            "authorization": "Zoom-sends-one-here",
            "x-zm-request-timestamp": at,
            "x-zm-signature": webhooks.signature(secret, at, body),
            "x-zm-trackingid": f"WEB_{random.getrandbits(64):016x}",
            "user-agent": "Zoom Marketplace/1.0a",
        }
        began = time.perf_counter()
        try:
            async with http.post(
                url, data=body, headers=headers, allow_redirects=False
            ) as answer:
                await answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError):
            return 0
        if answer.status == 200:
            self.latencies_ms.append((time.perf_counter() - began) * 1000)
        return answer.status
