"""The endpoint where Recall fetches tokens that are stored here; in front of Flask.

There is no session, cookie, redirect or page. `TokenEndpoint` runs on an event loop,
`TokenMiddleware` on any WSGI server. docs/tokens.md lists the answers.
"""

import asyncio
import re
from collections.abc import Iterable, Mapping
from concurrent.futures import CancelledError, ThreadPoolExecutor
from http import HTTPStatus
from urllib.parse import parse_qs
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from granian.rsgi import HTTPProtocol, Scope

from dashboard.services.grants.token_calls import (
    ANSWER_WITHIN_S,
    NOT_YET,
    UNKNOWN,
    Call,
    Reply,
    TokenCalls,
    Want,
)
from dashboard.web.headers import Lines
from dashboard.web.hooks.rsgi import discard_body, sender

PREFIX = "/tokens/"
"""Everything below this path is answered here, unknown paths too."""

_ADDRESS = re.compile("/tokens/([A-Za-z0-9_-]{16,128})(?:/(zak|obf))?/?")
_THREADS = 4
_LONGEST_QUERY = 1000
_NOT_GET = Reply(status=HTTPStatus.METHOD_NOT_ALLOWED)


class TokenEndpoint:
    """Answers `GET /tokens/<key>`, `/zak` and `/obf` for an RSGI server.

    Args:
        calls: Answers each call.
        trusted_proxies: Number of proxies in front that may name the caller.
        always: Headers of every answer.
    """

    def __init__(
        self, calls: TokenCalls, *, trusted_proxies: int = 0, always: Lines = ()
    ) -> None:
        self._always = always
        self._calls = calls
        self._trusted_proxies = trusted_proxies
        self._threads = ThreadPoolExecutor(
            _THREADS, thread_name_prefix="token-endpoint"
        )

    async def __call__(self, scope: Scope, http: HTTPProtocol) -> None:
        """Answer one request; never raises."""
        headers: dict[str, str] = {}
        for name, value in scope.headers.items():
            headers[name] = f"{headers[name]},{value}" if name in headers else value
        call = _read(
            scope.method,
            scope.path,
            query=scope.query_string,
            headers=headers,
            address=sender(scope, self._trusted_proxies),
        )
        if isinstance(call, Reply):
            await discard_body(scope, http)
            reply = call
        else:
            reply = await self._reply(call)
        self._calls.count(reply)
        lines, body = _written(reply, self._always)
        if scope.method == "HEAD":
            return http.response_empty(reply.status, lines)
        return http.response_bytes(reply.status, lines, body)

    def close(self) -> None:
        """End the threads; the calls end with the services."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _reply(self, call: Call) -> Reply:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                outcome = await loop.run_in_executor(
                    self._threads, self._calls.begin, call
                )
                if isinstance(outcome, Reply):
                    return outcome
                # Shielded: others wait for the same result, and it must be stored.
                return await asyncio.shield(asyncio.wrap_future(outcome))
        except TimeoutError:
            return NOT_YET


class TokenMiddleware:
    """WSGI middleware that answers as `TokenEndpoint` does; never raises.

    Args:
        app: Answers everything outside `/tokens/`.
        calls: Answers each call.
        always: Headers of every answer.
    """

    def __init__(
        self, app: WSGIApplication, calls: TokenCalls, *, always: Lines = ()
    ) -> None:
        self._always = always
        self._app = app
        self._calls = calls

    def __call__(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Answer, or pass the request on."""
        path, method = environ.get("PATH_INFO", ""), environ["REQUEST_METHOD"]
        if not path.startswith(PREFIX):
            return self._app(environ, start_response)
        call = _read(
            method,
            path,
            query=environ.get("QUERY_STRING", ""),
            headers={
                name.removeprefix("HTTP_").replace("_", "-").lower(): value
                for name, value in environ.items()
                if name.startswith("HTTP_")
            },
            address=environ.get("REMOTE_ADDR", ""),
        )
        reply = call if isinstance(call, Reply) else self._reply(call)
        self._calls.count(reply)
        lines, body = _written(reply, self._always)
        phrase = HTTPStatus(reply.status).phrase
        start_response(f"{reply.status:d} {phrase}", lines)
        return [] if method == "HEAD" else [body]

    def _reply(self, call: Call) -> Reply:
        outcome = self._calls.begin(call)
        if isinstance(outcome, Reply):
            return outcome
        try:
            return outcome.result(ANSWER_WITHIN_S)
        except (TimeoutError, CancelledError):
            return NOT_YET


def _read(
    method: str, path: str, *, query: str, headers: Mapping[str, str], address: str
) -> Call | Reply:
    """Return the call, or the answer to a request that is none."""
    found = _ADDRESS.fullmatch(path)
    if found is None:
        return UNKNOWN
    if method != "GET":
        return _NOT_GET
    asked = parse_qs(query[:_LONGEST_QUERY])
    return Call(
        key=found[1],
        want=Want(found[2] or ""),
        meeting_id=asked.get("meeting_id", [""])[0],
        headers=headers,
        address=address,
    )


def _written(reply: Reply, always: Lines) -> tuple[list[tuple[str, str]], bytes]:
    """Return the headers and the body: the bare token, or the status in words."""
    text = f"{reply.why or HTTPStatus(reply.status).phrase}\n"
    if reply.token is not None:
        text = (
            reply.token.get_secret_value()
        )  # no newline: Recall uses the body as it is
    body = text.encode()
    own = {
        "content-type": "text/plain; charset=utf-8",
        "content-length": str(len(body)),
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
    }
    lines = list((dict(always) | own).items())
    if reply.retry_after_s is not None:
        lines.append(("retry-after", str(reply.retry_after_s)))
    if reply is _NOT_GET:
        lines.append(("allow", "GET"))
    return lines, body
