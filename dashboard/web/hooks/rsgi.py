"""Zoom's webhooks in an event loop: thousands of requests wait without a thread each.

A thread per request costs more in hand-overs than all the work on a webhook
(docs/decisions/0008-door-in-the-loop.md). What may ask the database, and what is large,
is done in a few threads, so that the loop never waits.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from uuid import UUID

from granian.rsgi import HTTPProtocol, ProtocolClosed, Scope

from dashboard.errors import StorageError
from dashboard.services.receiver import requests
from dashboard.services.receiver.requests import Reply, WebhookRequest
from dashboard.web.headers import Lines
from dashboard.web.hooks import request as incoming
from dashboard.web.hooks.request import MAX_BODY_BYTES, UnreadableError
from dashboard.web.hooks.wsgi import (
    ADDRESS,
    Answer,
    ReceiverRuntime,
    answer,
    log_not_stored,
    plain,
)

_THREADS = 8
_LARGE_BYTES = 64 * 1024
_BODY_TIMEOUT_S = 20.0
"""Zoom gives up after 3 s (docs/contracts/zoom.md 5.6): a slower body is dropped."""


class WebhookEndpoint:
    """Answers `/hooks/` as `hooks.wsgi.WebhookMiddleware` does, for an RSGI server.

    Args:
        runtime: What it works with.
        trusted_proxies: How many proxies in front may name the sender.
        body_timeout_s: How long a body may take.
        always: Headers of every answer.
    """

    def __init__(
        self,
        runtime: ReceiverRuntime,
        *,
        trusted_proxies: int = 0,
        body_timeout_s: float = _BODY_TIMEOUT_S,
        always: Lines = (),
    ) -> None:
        self._always = always
        self._runtime = runtime
        self._body_timeout_s = body_timeout_s
        self._trusted_proxies = trusted_proxies
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="hooks")

    async def __call__(self, scope: Scope, http: HTTPProtocol) -> None:
        """Answer one request; never raises."""
        status, body, extra = await self._answer(scope, http)
        lines = [*self._always, *extra]
        if body and scope.method != "HEAD":
            return http.response_bytes(status, lines, body)
        return http.response_empty(status, [*lines, ("content-length", str(len(body)))])

    async def _answer(self, scope: Scope, http: HTTPProtocol) -> Answer:
        found = ADDRESS.fullmatch(scope.path)
        if found is None or scope.method != "POST":
            await discard_body(scope, http)
            return plain(404 if found is None else 405)
        try:
            reply = await self._reply(UUID(found[1]), scope, http)
        except (UnreadableError, ProtocolClosed):
            return plain(400)
        except StorageError as error:
            log_not_stored(self._runtime.writer, error, found[1])
            return plain(503)
        if reply is None:
            await discard_body(scope, http)
            return plain(404)
        return answer(reply)

    def close(self) -> None:
        """Let the threads go."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _reply(
        self, app_id: UUID, scope: Scope, http: HTTPProtocol
    ) -> Reply | None:
        began = time.perf_counter()
        writer = self._runtime.writer
        loop = asyncio.get_running_loop()
        app = writer.keyring.find_cached(app_id)
        if app is None:
            app = await loop.run_in_executor(self._threads, writer.keyring.find, app_id)
        if app is None:
            return None
        request = await self._read(scope, http, began)
        if len(request.body) > _LARGE_BYTES:  # to hash and seal it takes milliseconds
            return await loop.run_in_executor(
                self._threads, requests.receive, writer, app, request
            )
        outcome = requests.verify_in_memory(writer, app, request)
        if outcome is None:
            outcome = await loop.run_in_executor(
                self._threads, requests.verify, writer, app, request
            )
        if isinstance(outcome, Reply):
            return outcome
        await writer.accept_async(outcome.received)
        return Reply(status=200, body=outcome.answer)

    async def _read(
        self, scope: Scope, http: HTTPProtocol, began: float
    ) -> WebhookRequest:
        headers = scope.headers.items()
        received_at = self._runtime.clock.now()
        declared = incoming.declared_bytes(scope.headers.get("content-length", ""))
        body = await read_body(
            scope,
            http,
            declared,
            limit=MAX_BODY_BYTES,
            timeout_s=self._body_timeout_s,
        )
        return incoming.make(
            headers,
            body=body,
            declared=declared,
            address=sender(scope, self._trusted_proxies),
            received_at=received_at,
            began=began,
        )


async def read_body(
    scope: Scope,
    http: HTTPProtocol,
    declared: int | None,
    *,
    limit: int,
    timeout_s: float,
) -> bytes:
    """Read a body; of one that is too large nothing, or one part beyond the limit.

    Args:
        scope: The request.
        http: Likewise.
        declared: `Content-Length`; None when absent.
        limit: In bytes.
        timeout_s: How long all of it may take.

    Raises:
        UnreadableError: It took too long, or the sender went away.
    """
    if declared is not None and declared > limit:
        await discard_body(scope, http)
        return b""
    try:
        async with asyncio.timeout(timeout_s):
            if declared is not None:
                return await http()
            parts: list[bytes] = []
            size = 0
            rest = _parts(http)
            async for part in rest:
                parts.append(part)
                size += len(part)
                if size > limit:
                    break
    except (TimeoutError, RuntimeError):
        raise UnreadableError from None
    if size > limit:
        await _discard(rest)
    return b"".join(parts)


async def discard_body(scope: Scope, http: HTTPProtocol) -> None:
    """Read on before an answer that needs no body, so that the sender gets the answer.

    One that still writes while the connection closes sees a broken pipe instead. Up to
    a limit in bytes and time; not at all when the sender waits to be asked for it, or
    when the body is so small that it has been sent whole.
    """
    headers = scope.headers
    is_small = len(headers.get("content-length", "")) < len(str(_LARGE_BYTES))
    if is_small and "chunked" not in headers.get("transfer-encoding", "").lower():
        return
    if headers.get("expect", "").lower() != "100-continue":
        await _discard(_parts(http))


async def _parts(http: HTTPProtocol) -> AsyncIterator[bytes]:
    # The server's own iterator can be asked for once only, and this may be left and
    # taken up again.
    async for part in http:
        yield part


async def _discard(parts: AsyncIterator[bytes]) -> None:
    left = incoming.DISCARDED_BYTES
    with suppress(TimeoutError, RuntimeError):
        async with asyncio.timeout(incoming.DISCARDED_WITHIN_S):
            async for part in parts:
                left -= len(part)
                if left <= 0:
                    return


def sender(scope: Scope, trusted_proxies: int) -> str:
    """Return the sender's address, as named by the trusted proxies."""
    if trusted_proxies:
        # All of them: a proxy may add a line of its own behind the stranger's.
        headers = scope.headers.items()
        lines = [value for name, value in headers if name == "x-forwarded-for"]
        named = ",".join(lines).split(",")
        if lines and len(named) >= trusted_proxies:
            return named[-trusted_proxies].strip()
    return scope.client.rpartition(":")[0].strip("[]")
