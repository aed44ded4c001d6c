"""Zoom's webhooks in an event loop: thousands of requests wait without a thread each.

A thread per request costs more in hand-overs than all the work on a webhook
(docs/decisions/0008-door-in-the-loop.md). What may ask the database, and what is large,
is done in a few threads, so that the loop never waits.
"""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

from granian.rsgi import HTTPProtocol, ProtocolClosed, Scope

from dashboard.errors import StorageError
from dashboard.services.receiver import requests
from dashboard.services.receiver.requests import Reply, WebhookRequest
from dashboard.web.hooks import request as incoming
from dashboard.web.hooks.request import MAX_BODY_BYTES, UnreadableError
from dashboard.web.hooks.wsgi import (
    ADDRESS,
    PHRASES,
    RETRY_AFTER_S,
    ReceiverRuntime,
    log_not_stored,
    log_refusal,
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
    """

    def __init__(
        self,
        runtime: ReceiverRuntime,
        *,
        trusted_proxies: int = 0,
        body_timeout_s: float = _BODY_TIMEOUT_S,
    ) -> None:
        self._runtime = runtime
        self._body_timeout_s = body_timeout_s
        self._trusted_proxies = trusted_proxies
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="hooks")

    async def __call__(self, scope: Scope, http: HTTPProtocol) -> None:
        """Answer one request; never raises."""
        found = ADDRESS.fullmatch(scope.path)
        if found is None:
            _plain(http, scope, 404)
        elif scope.method != "POST":
            _plain(http, scope, 405, ("allow", "POST"))
        else:
            await self._answer(UUID(found[1]), scope, http)

    async def _answer(self, app_id: UUID, scope: Scope, http: HTTPProtocol) -> None:
        try:
            reply = await self._reply(app_id, scope, http)
        except (UnreadableError, ProtocolClosed):
            return _plain(http, scope, 400)
        except StorageError as error:
            log_not_stored(error, str(app_id))
            return _plain(http, scope, 503, ("retry-after", RETRY_AFTER_S))
        if reply is None:
            return _plain(http, scope, 404)
        if reply.refused is not None:
            log_refusal(reply)
            return _plain(http, scope, reply.status)
        if reply.body:
            kind = ("content-type", "application/json")
            return http.response_bytes(200, [kind], reply.body)
        return http.response_empty(200, [("content-length", "0")])

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
        body = b""
        if declared is None or declared <= MAX_BODY_BYTES:
            body = await read_body(
                http, declared, limit=MAX_BODY_BYTES, timeout_s=self._body_timeout_s
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
    http: HTTPProtocol,
    declared: int | None,
    *,
    limit: int,
    timeout_s: float,
) -> bytes:
    """Read a body, at most one part beyond the limit.

    Args:
        http: The request.
        declared: `Content-Length`, within the limit; None when absent.
        limit: In bytes, for a body that does not say its length.
        timeout_s: How long all of it may take.

    Raises:
        UnreadableError: It took too long, or the sender went away.
    """
    try:
        async with asyncio.timeout(timeout_s):
            if declared is not None:
                return await http()
            parts: list[bytes] = []
            size = 0
            async for part in http:
                parts.append(part)
                size += len(part)
                if size > limit:
                    break
            return b"".join(parts)
    except (TimeoutError, RuntimeError):
        raise UnreadableError from None


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


def _plain(
    http: HTTPProtocol, scope: Scope, status: int, *extra: tuple[str, str]
) -> None:
    """Answer the status and nothing else: a refused sender learns no more."""
    headers = [("content-type", "text/plain; charset=utf-8"), *extra]
    if scope.method == "HEAD":
        return http.response_empty(status, headers)
    return http.response_str(status, headers, f"{PHRASES[status]}\n")
