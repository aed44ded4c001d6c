"""One way to ask a vendor: a typed answer, or one `UpstreamError`.

No exception of the HTTP library or of pydantic leaves this module, not even as a
cause: those hold requests with tokens, and answers with secrets.
"""

import ipaddress
import re
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Literal, TypeVar, overload

import httpx2
from pydantic import BaseModel, SecretStr, ValidationError

from dashboard import transactions
from dashboard.clients.http.error_bodies import is_page, read_refusal
from dashboard.clients.http.error_words import Answer, about_status
from dashboard.clients.http.public_only import PublicOnly, PublicTransport
from dashboard.clients.http.retry_after import retry_after_s
from dashboard.clients.http.tls import context, pinned
from dashboard.errors import UpstreamError

Service = Literal["Zoom", "Recall", "The identity provider"]
T = TypeVar("T", bound=BaseModel)

HARMLESS = "dashboard.harmless"
"""Extension of a request that changes nothing though it is a POST."""

_USER_AGENT = "zoom-recall-dashboard"
_CONNECT_TIMEOUT_S = 5.0
_MOST_CONNECTIONS = 64
_MOST_BYTES = 8 * 1024 * 1024
_RETRYABLE = {
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.CONFLICT,
    HTTPStatus.TOO_MANY_REQUESTS,
}
# Nothing left this machine, or not a whole request: the vendor cannot have acted.
_NEVER_SENT = (
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.PoolTimeout,
    httpx2.ProxyError,
    httpx2.UnsupportedProtocol,
    httpx2.LocalProtocolError,
)
# What Recall's firewall blocks in a payload (docs/contracts/recall.md 1.6).
_LOCAL = re.compile(
    rb"\blocalhost\b|\b\d{1,3}(?:\.\d{1,3}){3}\b|//\[[0-9a-f:.]+\]", re.IGNORECASE
)
_TOKEN_PATH = "/oauth/token"  # noqa: S105 - a path
_A_PAGE = "answered with a web page where data was expected."
# Wrong on our side; asking again changes nothing.
_NOT_OURS_TO_REPEAT = (httpx2.UnsupportedProtocol, httpx2.LocalProtocolError)


def make_http(
    base_url: str,
    *,
    timeout_s: float = 10,
    transport: httpx2.BaseTransport | None = None,
    tls: ssl.SSLContext | None = None,
    public_only: PublicOnly | None = None,
) -> httpx2.Client:
    """Make a client for one vendor's host, to be closed by whoever made it.

    Safe to use from many threads. Follows no redirect and keeps no cookie, so that
    two workspaces can share its connections. A proxy named in the environment is the
    way out, so it is not taken for a simulator on this machine.

    Args:
        base_url: Scheme and host.
        timeout_s: For each wait: to send, for the next bytes, for a free connection.
        transport: Stands in for the network.
        tls: Which authorities to believe; those of the operating system by default.
        public_only: For an address that a person entered: nothing is sent to one that
            is not public.
    """
    timeout = httpx2.Timeout(timeout_s, connect=min(timeout_s, _CONNECT_TIMEOUT_S))
    trust_env = not _is_this_machine(httpx2.URL(base_url).host)
    verify = pinned(tls) if tls else context(trust_env=trust_env)
    limits = httpx2.Limits(max_connections=_MOST_CONNECTIONS)
    before = [_require_no_transaction]
    if public_only is not None:
        transport = PublicTransport(public_only, verify=verify, limits=limits)
        before.append(public_only.check_for_proxy)
    return httpx2.Client(
        base_url=base_url,
        headers={"User-Agent": _USER_AGENT, "Accept": "application/json"},
        cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=[])),
        timeout=timeout,
        limits=limits,
        follow_redirects=False,
        trust_env=trust_env,
        verify=verify,
        transport=transport,
        event_hooks={"request": before},
    )


def _require_no_transaction(request: httpx2.Request) -> None:
    transactions.require_none(f"a request to {request.url.host}")


@overload
def send(
    http: httpx2.Client,
    request: httpx2.Request,
    *,
    service: Service,
    as_: type[T],
    secrets: Sequence[SecretStr] = (),
) -> T: ...


@overload
def send(
    http: httpx2.Client,
    request: httpx2.Request,
    *,
    service: Service,
    as_: None,
    secrets: Sequence[SecretStr] = (),
) -> None: ...


def send(
    http: httpx2.Client,
    request: httpx2.Request,
    *,
    service: Service,
    as_: type[T] | None,
    secrets: Sequence[SecretStr] = (),
) -> T | None:
    """Send a request once and return the answer as `as_`; None takes a 2xx, no page.

    Args:
        http: From `make_http`.
        request: Made by `http.build_request`.
        service: Named in the error.
        as_: Shape of the answer's JSON.
        secrets: Everything secret in the request: taken out of the vendor's words.

    Raises:
        UpstreamError: Refused connection, time-out, status outside 2xx, broken or
            empty answer, wrong shape.
    """
    got = _exchange(http, request, service)
    if isinstance(got, UpstreamError):
        raise got
    if not HTTPStatus.OK <= got.status < HTTPStatus.MULTIPLE_CHOICES:
        raise _refused(request, service, got, secrets)
    came_page = is_page(got.body, got.content_type)
    if as_ is None and not came_page:
        return None
    if as_ is not None:
        try:
            return as_.model_validate_json(got.body)
        except ValidationError:
            pass  # Raised below, outside: the reply must not hang on as a context.
    what = _A_PAGE if came_page else _what_came(got.body, as_)
    who = f"If this continues, only {service} can fix it."
    if came_page:
        who = f"An admin has to check that {_host(request)} is the right address."
    raise UpstreamError(
        f"{service} {what} {_settle(request)} {who}",
        service=service,
        status=got.status,
        may_have_happened=True,
    )


@dataclass(frozen=True, kw_only=True)
class _Got:
    status: int
    headers: httpx2.Headers
    body: bytes

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "")


def _exchange(
    http: httpx2.Client, request: httpx2.Request, service: Service
) -> _Got | UpstreamError:
    """Return a whole answer, or the error to raise: free of its cause."""
    try:
        response = http.send(request, stream=True)
        try:
            body = _read(response)
        finally:
            response.close()
    except httpx2.RequestError as error:
        return _no_answer(request, service, type(error))
    if body is None:
        return UpstreamError(
            f"{service} answered with far more than was asked for; it was not read. "
            f"{_settle(request)}",
            service=service,
            status=response.status_code,
            may_have_happened=True,
        )
    return _Got(status=response.status_code, headers=response.headers, body=body)


def _read(response: httpx2.Response) -> bytes | None:
    """Return the whole body, or None if it is too long to be an answer."""
    body = bytearray()
    for piece in response.iter_bytes():
        body += piece
        if len(body) > _MOST_BYTES:
            return None
    return bytes(body)


def _no_answer(
    request: httpx2.Request, service: Service, kind: type[httpx2.RequestError]
) -> UpstreamError:
    was_sent = not issubclass(kind, _NEVER_SENT)
    if issubclass(kind, httpx2.PoolTimeout):
        what = f"All connections to {service} are busy; it was not asked."
    elif not was_sent:
        what = (
            f"{service} could not be reached at {_host(request)}. Nothing was changed."
        )
    elif issubclass(kind, httpx2.TimeoutException):
        what = f"{service} did not answer in time. {_settle(request)}"
    else:
        what = f"{service} stopped before its response was complete. {_settle(request)}"
    if issubclass(kind, _NOT_OURS_TO_REPEAT):
        what = (
            f"The request to {service} could not be sent: its address, or a value in "
            "it such as the API key, holds characters that HTTP does not carry."
        )
    return UpstreamError(
        what,
        service=service,
        retryable=not issubclass(kind, _NOT_OURS_TO_REPEAT),
        may_have_happened=was_sent,
    )


def _refused(
    request: httpx2.Request, service: Service, got: _Got, secrets: Sequence[SecretStr]
) -> UpstreamError:
    refusal = read_refusal(got.body, secrets, content_type=got.content_type)
    failed = got.status >= HTTPStatus.INTERNAL_SERVER_ERROR
    wait_s = retry_after_s(got.headers, status=got.status)
    answer = Answer(
        status=got.status,
        refusal=refusal,
        host=_host(request),
        wait_s=wait_s,
        settle=_settle(request),
        names_local=_LOCAL.search(request.content) is not None,
        is_for_token=request.url.path == _TOKEN_PATH,
    )
    words = about_status(service, answer)
    return UpstreamError(
        words.sentence,
        service=service,
        status=got.status,
        retryable=failed or got.status in _RETRYABLE,
        retry_after_s=wait_s,
        code=words.code,
        detail=words.detail,
        # 409: the first request under this key is still at work (recall.md 1.8).
        may_have_happened=failed or got.status == HTTPStatus.CONFLICT,
        conflicting_id=refusal.conflicting_id,
        is_page=refusal.is_page,
    )


def _what_came(body: bytes, as_: type[BaseModel] | None) -> str:
    if not body.strip() or as_ is None:
        return "answered with nothing where data was expected."
    return f"answered in another shape than the {as_.__name__} that was asked for."


def _settle(request: httpx2.Request) -> str:
    """Say what is safe to assume when no proper answer came."""
    if request.method in {"GET", "HEAD"} or request.extensions.get(HARMLESS):
        return "Nothing was changed."
    carried_out = "It may still have been carried out"
    if "Idempotency-Key" in request.headers:
        return f"{carried_out}; repeating it does it only once."
    if request.method in {"PATCH", "DELETE"}:
        return f"{carried_out}; it is safe to repeat."
    return f"{carried_out}: check before trying again."


def _host(request: httpx2.Request) -> str:
    return request.url.netloc.decode("ascii", "replace")


def _is_this_machine(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
