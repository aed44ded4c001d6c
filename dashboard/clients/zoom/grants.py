"""A user's grant at Zoom: exchange a code, refresh tokens, revoke.

Numbers in brackets are sections of docs/contracts/zoom.md. Source: 3.

Authlib builds the requests (docs/decisions/0010-tokens-held-here.md). Our own client
sends them, so errors are handled as everywhere else. Checked 2026-11-25.
"""

from base64 import urlsafe_b64decode
from collections.abc import Sequence
from typing import Annotated

import httpx2
from authlib.integrations.httpx_client import OAuth2Client
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr
from pydantic_core import from_json

from dashboard.clients.http.client import send
from dashboard.clients.zoom.hosts import GOVERNMENT_OAUTH, ZoomHost, read_api_url

TIMEOUT_S = 8.0
"""For each wait of a call; the connection gets 5 s."""

_LONGEST_ID = 64
_EMPTY = b"{}"


_LONGEST_SCOPES = 65536


def _scopes(value: object) -> object:
    """Return the names sorted; of a list too long to store none, as if it were absent.

    A part of it would look like the whole, and what is not in it like a missing scope.
    """
    names = " ".join(sorted(set(value.split()))) if isinstance(value, str) else ""
    return names if len(names) <= _LONGEST_SCOPES else ""


class GrantTokens(BaseModel):
    """A pair of tokens from Zoom's token endpoint (3.2).

    Attributes:
        refresh_token: Works once: the next refresh ends it (3.5).
        expires_in: Seconds until the access token expires.
        scope: The granted scopes, sorted, space separated; "" if Zoom lists none.
        api_url: The API host of this grant; "" if Zoom names none of its own.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    access_token: SecretStr = Field(min_length=1, max_length=8192)
    refresh_token: SecretStr = Field(min_length=1, max_length=8192)
    expires_in: int = Field(gt=0, le=86400)
    scope: Annotated[str, BeforeValidator(_scopes)] = ""
    api_url: Annotated[str, BeforeValidator(read_api_url)] = ""

    @property
    def user_id(self) -> str | None:
        """Zoom's user ID in the access token itself; None if it has none."""
        return self._claim("uid")

    @property
    def account_id(self) -> str | None:
        """Zoom's account ID in the access token itself."""
        return self._claim("aid")

    def _claim(self, name: str) -> str | None:
        # Recall reads the same claims (docs/contracts/recall.md 5). Zoom promises none
        # of them, so they only replace `users/me` when its scope is missing. The
        # signature needs no check: the token came from Zoom.
        _, _, rest = self.access_token.get_secret_value().partition(".")
        payload = rest.partition(".")[0]
        try:
            claims = from_json(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        except ValueError:
            return None
        found = claims.get(name) if isinstance(claims, dict) else None
        is_id = isinstance(found, str) and 0 < len(found) <= _LONGEST_ID
        return found if is_id else None


class ZoomGrants(ZoomHost):
    """Exchanges codes, refreshes and revokes grants; stores nothing.

    Safe to use from many threads. Every method raises UpstreamError: `code` is
    "invalid_client" when the app's credentials are wrong (an admin must fix them, no
    user is affected), "invalid_grant" when this code or grant has ended. With
    `may_have_happened` the refresh token may have been used up (3.3, 3.5).
    """

    government_url = GOVERNMENT_OAUTH
    timeout_s = TIMEOUT_S

    def exchange(
        self,
        *,
        client_id: str,
        client_secret: SecretStr,
        code: SecretStr,
        redirect_uri: str,
        code_verifier: SecretStr,
    ) -> GrantTokens:
        """Exchange a code for a pair of tokens; ends the user's earlier grant (3.5).

        Args:
            client_id: Zoom's.
            client_secret: Zoom's.
            code: Works once, for five minutes.
            redirect_uri: Exactly as in the authorize link.
            code_verifier: Of the link's S256 challenge.
        """
        wire = _Wire(self._http, [client_secret, code, code_verifier])
        with self._client(client_id, client_secret, wire) as client:
            client.fetch_token(
                f"{self._base_url}/oauth/token",
                grant_type="authorization_code",
                code=code.get_secret_value(),
                redirect_uri=redirect_uri,
                code_verifier=code_verifier.get_secret_value(),
            )
        return wire.tokens()

    def refresh(
        self, *, client_id: str, client_secret: SecretStr, refresh_token: SecretStr
    ) -> GrantTokens:
        """Refresh a grant: returns a new pair and ends the refresh token used (3.5).

        Must never run twice at once for one grant: services/grants/refreshing.py
        ensures that.
        """
        wire = _Wire(self._http, [client_secret, refresh_token])
        with self._client(client_id, client_secret, wire) as client:
            client.refresh_token(
                f"{self._base_url}/oauth/token",
                refresh_token=refresh_token.get_secret_value(),
            )
        return wire.tokens()

    def revoke(
        self, *, client_id: str, client_secret: SecretStr, access_token: SecretStr
    ) -> None:
        """Revoke the grant of an access token, refresh token included (3.6)."""
        wire = _Wire(self._http, [client_secret, access_token], as_=None)
        with self._client(client_id, client_secret, wire) as client:
            client.revoke_token(  # type: ignore[no-untyped-call]  # Authlib's stubs leave it out
                f"{self._base_url}/oauth/revoke", token=access_token.get_secret_value()
            )

    def _client(
        self, client_id: str, client_secret: SecretStr, wire: "_Wire"
    ) -> OAuth2Client:
        """Return Authlib's client for one request."""
        return OAuth2Client(
            client_id,
            _latin(client_secret),
            transport=wire,
            timeout=self._http.timeout,
            headers=self._http.headers,
        )


class _Wire(httpx2.BaseTransport):
    """Sends Authlib's request with our own client, and keeps the parsed answer.

    Authlib gets an empty answer: it would read `error_description`, which Zoom does not
    send, and compute the expiry with its own clock.
    """

    def __init__(
        self,
        http: httpx2.Client,
        secrets: Sequence[SecretStr],
        *,
        as_: type[GrantTokens] | None = GrantTokens,
    ) -> None:
        self._http, self._secrets, self._as = http, secrets, as_
        self._tokens: GrantTokens | None = None

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send it once.

        Raises:
            UpstreamError: As `send`.
        """
        basic = request.headers["Authorization"].removeprefix("Basic ")
        secrets = [*self._secrets, SecretStr(basic)]
        if self._as is None:
            send(self._http, request, service="Zoom", as_=None, secrets=secrets)
        else:
            self._tokens = send(
                self._http, request, service="Zoom", as_=self._as, secrets=secrets
            )
        return httpx2.Response(200, content=_EMPTY, request=request)

    def tokens(self) -> GrantTokens:
        """Return the answer; call after `handle_request`."""
        if self._tokens is None:
            raise RuntimeError("no request was sent")
        return self._tokens


def _latin(secret: SecretStr) -> str:
    """Return a secret in a form that Authlib writes as UTF-8 into the header.

    Authlib encodes in latin-1 and would raise, with the secret in the message, on a
    stray pasted character. This way Zoom rejects the credentials instead.
    """
    return secret.get_secret_value().encode().decode("latin-1")
