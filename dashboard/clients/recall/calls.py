"""Requests to Recall: the API key, pages and rate limits.

Numbers in brackets are sections of docs/contracts/recall.md.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from typing import Protocol, TypeVar

import httpx2
from pydantic import BaseModel, SecretStr

from dashboard.clients.http.client import make_http, send
from dashboard.clients.recall.operations import Operation
from dashboard.clients.recall.replies import Page
from dashboard.errors import UpstreamError

_MOST_PAGES = 20
_MOST_OF_A_LIST = 40

T = TypeVar("T", bound=BaseModel)
Params = Mapping[str, str | None]


class Gate(Protocol):
    """Counts each request before it is sent, and may refuse it."""

    def begin(self, operation: Operation) -> None:
        """Count one request before it is sent.

        Raises:
            UpstreamError: It must not be sent now; status 429, as from Recall.
        """

    def limited(self, operation: Operation, retry_after_s: float | None) -> None:
        """Record that Recall answered 429, and how many seconds to wait."""


class _Open:
    """No gate: nothing is counted."""

    def begin(self, operation: Operation) -> None:
        """Let it pass."""

    def limited(self, operation: Operation, retry_after_s: float | None) -> None:
        """Record nothing."""


class RecallCalls:
    """Sends requests to one host with one API key, and reads lists page by page.

    Every method raises UpstreamError. Never calls another host.
    """

    def __init__(
        self,
        base_url: str,
        api_key: SecretStr,
        http: httpx2.Client | None,
        gate: Gate | None = None,
    ) -> None:
        self._base = httpx2.URL(base_url.rstrip("/"))
        self._api_key = api_key
        self._is_owner = http is None
        self._http = make_http(base_url) if http is None else http
        self._gate = gate or _Open()

    def close(self) -> None:
        """Close the connections, unless the caller passed them."""
        if self._is_owner:
            self._http.close()

    def get(
        self,
        operation: Operation,
        path: str,
        as_: type[T],
        params: Params | None = None,
    ) -> T:
        """Return one object; parameters that are None are left out."""
        given = {name: value for name, value in (params or {}).items() if value}
        url = self._base.join(path).copy_merge_params(given)
        return self._send(operation, self._request("GET", url), as_)

    def write(  # noqa: PLR0913 - the parts of one request
        self,
        operation: Operation,
        method: str,
        path: str,
        as_: type[T],
        *,
        body: Mapping[str, object],
        secrets: Sequence[SecretStr],
        idempotency_key: str | None = None,
    ) -> T:
        """Send a JSON body.

        Args:
            operation: The one it is counted as.
            method: "POST" or "PATCH".
            path: Ends with a slash.
            as_: Shape of the answer.
            body: Holds secrets in clear text.
            secrets: The same, to be removed from Recall's error messages.
            idempotency_key: Makes a repeat within the hour safe (1.8).
        """
        request = self._request(
            method, self._base.join(path), body=body, idempotency_key=idempotency_key
        )
        return self._send(operation, request, as_, secrets)

    def do(self, operation: Operation, method: str, path: str) -> None:
        """Send a request whose answer has no body."""
        request = self._request(method, self._base.join(path))
        with self._counted(operation):
            send(
                self._http,
                request,
                service="Recall",
                as_=None,
                secrets=[self._api_key],
            )

    def listed(
        self, operation: Operation, path: str, as_: type[Page[T]], params: Params
    ) -> tuple[list[T], bool]:
        """Return a list's items, and whether all of them were read.

        As many pages as fit a minute's rate limit with room for others; each counts.
        """
        found: list[T] = []
        is_whole = False
        for page in self.pages(operation, path, as_, params, most=_MOST_OF_A_LIST):
            found += page.results
            is_whole = page.next is None
        return found, is_whole

    def pages(
        self,
        operation: Operation,
        path: str,
        as_: type[Page[T]],
        params: Params,
        *,
        most: int = _MOST_PAGES,
    ) -> Iterator[Page[T]]:
        """Yield a list's pages, `most` at most; each counts as one request."""
        page = self.get(operation, path, as_, params)
        yield page
        for _ in range(most - 1):
            if page.next is None:
                return
            following = self._request("GET", self._pinned(page.next, path))
            page = self._send(operation, following, as_)
            yield page

    def _pinned(self, following: str, path: str) -> httpx2.URL:
        """Return the next page's URL at the same host; the key goes nowhere else.

        Raises:
            UpstreamError: It names another host, port or path (1.4).
        """
        try:
            url = self._base.join(following)
        except httpx2.InvalidURL:
            url = httpx2.URL()
        here = (self._base.host, self._base.port, path)
        if (url.host, url.port, url.path) != here:
            raise UpstreamError(
                "The next page of Recall's list is at a different address and was "
                "not read. Nothing was changed.",
                service="Recall",
                status=HTTPStatus.OK,
            )
        return self._base.copy_with(raw_path=url.raw_path)

    def _request(
        self,
        method: str,
        url: httpx2.URL,
        *,
        body: Mapping[str, object] | None = None,
        idempotency_key: str | None = None,
    ) -> httpx2.Request:
        # As bytes: Recall rejects a key that was pasted with a stray character.
        key = f"Token {self._api_key.get_secret_value()}".encode()
        headers = {b"Authorization": key}
        if idempotency_key is not None:
            headers[b"Idempotency-Key"] = idempotency_key.encode()
        return self._http.build_request(method, url, headers=headers, json=body)

    def _send(
        self,
        operation: Operation,
        request: httpx2.Request,
        as_: type[T],
        secrets: Sequence[SecretStr] = (),
    ) -> T:
        with self._counted(operation):
            return send(
                self._http,
                request,
                service="Recall",
                as_=as_,
                secrets=[self._api_key, *secrets],
            )

    @contextmanager
    def _counted(self, operation: Operation) -> Iterator[None]:
        self._gate.begin(operation)
        try:
            yield
        except UpstreamError as error:
            if error.status == HTTPStatus.TOO_MANY_REQUESTS:
                self._gate.limited(operation, error.retry_after_s)
            raise
