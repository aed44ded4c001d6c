"""HTTP requests of the simulated Recall: to Zoom, and to token callbacks."""

import ssl
from dataclasses import dataclass
from functools import cached_property
from json import JSONDecodeError
from typing import Any

import httpx2

_ZOOM_TIMEOUT_S = 10.0
_CALLBACK_TIMEOUT_S = 5.0  # docs/contracts/recall.md 5


class UnreachableError(Exception):
    """No answer, a 5xx, or an answer that is not JSON."""


@dataclass(eq=False)
class ZoomRefusedError(Exception):
    """Zoom answered 4xx.

    Attributes:
        status: HTTP status.
        error: `error` of the token endpoint, or the numeric code of the API.
        reason: Zoom's text; it may contain what was sent.
    """

    status: int
    error: str
    reason: str

    def __str__(self) -> str:
        return f"{self.error} {self.reason}".strip()


@dataclass(kw_only=True)
class OutgoingClient:
    """Client for Zoom and for token callbacks.

    Attributes:
        zoom_url: URL of zoom.us and api.zoom.us, without a trailing slash.
        transport: Replaces the network in tests.
    """

    zoom_url: str
    transport: httpx2.BaseTransport | None = None

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """Certificates, read once at the first real connection."""
        made = ssl.create_default_context()
        made.minimum_version = max(made.minimum_version, ssl.TLSVersion.TLSv1_2)
        return made

    def _client(self, timeout_s: float) -> httpx2.Client:
        return httpx2.Client(
            transport=self.transport or httpx2.HTTPTransport(verify=self._tls),
            timeout=timeout_s,
            trust_env=False,
            follow_redirects=False,
        )

    def token(
        self, client_id: str, client_secret: str, form: dict[str, str]
    ) -> dict[str, Any]:
        """Call Zoom's token endpoint (docs/contracts/zoom.md 3.1).

        Raises:
            ZoomRefusedError: Zoom answered 4xx.
            UnreachableError: Zoom gave no usable answer.
        """
        url = f"{self.zoom_url}/oauth/token"
        try:
            with self._client(_ZOOM_TIMEOUT_S) as http:
                answer = http.post(url, data=form, auth=(client_id, client_secret))
        except httpx2.HTTPError as error:
            raise UnreachableError("Zoom could not be reached.") from error
        body = _object(answer)
        if answer.is_client_error:
            reason = str(body.get("reason", ""))
            raise ZoomRefusedError(
                answer.status_code, str(body.get("error", "")), reason
            )
        return body

    def get(self, path: str, token: str, **params: str) -> dict[str, Any]:
        """GET `/v2` + `path` with a user's token.

        Raises:
            ZoomRefusedError: Zoom answered 4xx.
            UnreachableError: Zoom gave no usable answer.
        """
        url = f"{self.zoom_url}/v2{path}"
        bearer = {"Authorization": f"Bearer {token}"}
        try:
            with self._client(_ZOOM_TIMEOUT_S) as http:
                answer = http.get(url, params=params, headers=bearer)
        except httpx2.HTTPError as error:
            raise UnreachableError("Zoom could not be reached.") from error
        body = _object(answer)
        if answer.is_client_error:
            code, text = str(body.get("code", "")), str(body.get("message", ""))
            raise ZoomRefusedError(answer.status_code, code, text)
        return body

    def callback(self, url: str, headers: dict[str, str]) -> str:
        """GET a token callback and return its body unchanged.

        Raises:
            UnreachableError: No answer in 5 seconds, or a status other than 200.
        """
        try:
            with self._client(_CALLBACK_TIMEOUT_S) as http:
                answer = http.get(url, headers=headers)
        except httpx2.TimeoutException as error:
            raise UnreachableError("it did not answer within 5 seconds") from error
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise UnreachableError("it could not be reached") from error
        if answer.status_code != 200:
            raise UnreachableError(f"it answered {answer.status_code}")
        return answer.text


def _object(answer: httpx2.Response) -> dict[str, Any]:
    if not (answer.is_success or answer.is_client_error):
        raise UnreachableError(f"Zoom answered {answer.status_code}.")
    try:
        body = answer.json()
    except (JSONDecodeError, UnicodeDecodeError):
        body = None
    if isinstance(body, dict):
        return body
    if answer.is_client_error:
        return {}
    raise UnreachableError("Zoom's answer was not a JSON object.")
