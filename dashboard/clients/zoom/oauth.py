"""Zoom's authorize page and token endpoint (docs/contracts/zoom.md 2 and 3)."""

import base64
import secrets
from dataclasses import dataclass
from enum import StrEnum

from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from pydantic import BaseModel, ConfigDict, SecretStr

from dashboard.clients.http.client import HARMLESS, send
from dashboard.clients.http.error_words import APP_DISABLED, CLIENT_REFUSED
from dashboard.clients.zoom.hosts import GOVERNMENT_OAUTH, ZoomHost
from dashboard.errors import UpstreamError

_BELIEVED = {400, 401}
_LONGEST_REASON = 300
_REFUSALS = {
    APP_DISABLED: 'Zoom has switched this app off: it said "{said}". Activate the app '
    "in Zoom's Marketplace, then press Verify again. The client ID and client secret "
    "are not the problem.",
    CLIENT_REFUSED: 'Zoom refused the pair and said: "{said}". What it means only '
    "Zoom knows; check the app's page in Zoom's Marketplace.",
    "unauthorized_client": 'Zoom refused the app and said: "{said}". It does not let '
    "this app get tokens: check in Zoom's Marketplace that it is a General app and "
    "activated.",
}
REFUSALS_OF_THE_APP = frozenset(_REFUSALS)
"""Codes of UpstreamError: Zoom refuses the app, and no wrong pair is the reason."""


class PairVerdict(StrEnum):
    """What Zoom said of a client ID with a client secret."""

    RIGHT = "right"
    WRONG = "wrong"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class PairAnswer:
    """A verdict with its reason: sentences for an admin, at most 300 characters.

    Attributes:
        is_refusal: Whether Zoom refused the app, though not for a wrong pair.
        is_switched_off: Whether it did because the app is not activated.
    """

    verdict: PairVerdict
    reason: str
    is_refusal: bool = False
    is_switched_off: bool = False


class AppToken(BaseModel):
    """An app's own token, an hour long (docs/contracts/zoom.md 3.2).

    Attributes:
        scope: What it may do, space separated; "" if Zoom did not say.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    access_token: SecretStr
    scope: str = ""


class ZoomOAuth(ZoomHost):
    """Asks Zoom about credential pairs and makes the links that users follow.

    Safe to use from many threads. Exchanges no code: Recall does
    (docs/contracts/zoom.md 3.5: one party only).
    """

    government_url = GOVERNMENT_OAUTH

    def check_pair(
        self, *, client_id: str, client_secret: SecretStr, redirect_uri: str
    ) -> PairAnswer:
        """Ask Zoom whether a pair is right, with a code that cannot exist.

        Zoom looks at the pair before the code: a wrong pair is `invalid_client`, a
        right one `invalid_grant` (docs/contracts/zoom.md 3.4, an inference; checked
        2026-11-23). Anything else tells nothing. Changes nothing; raises nothing.
        """
        basic = _basic(client_id, client_secret)
        request = self._http.build_request(
            "POST",
            f"{self._base_url}/oauth/token",
            headers={"Authorization": f"Basic {basic.get_secret_value()}"},
            extensions={HARMLESS: True},
            data={
                "grant_type": "authorization_code",
                "code": f"not-a-code-{secrets.token_urlsafe(16)}",
                "redirect_uri": redirect_uri,
            },
        )
        try:
            send(
                self._http,
                request,
                service="Zoom",
                as_=None,
                secrets=[client_secret, basic],
            )
        except UpstreamError as error:
            return _judged(error)
        return PairAnswer(
            verdict=PairVerdict.UNKNOWN,
            reason="Zoom accepted a code that does not exist, so its answer says "
            "nothing about the credentials.",
        )

    def app_token(self, *, client_id: str, client_secret: SecretStr) -> AppToken:
        """Return a token of the app itself, by `client_credentials`.

        A token proves the pair (docs/contracts/zoom.md 3.4, checked 2026-11-25).

        Raises:
            UpstreamError: `code` is "invalid_client" for a wrong pair; any other
                refusal says that this app has no tokens of its own, or nothing.
        """
        basic = _basic(client_id, client_secret)
        request = self._http.build_request(
            "POST",
            f"{self._base_url}/oauth/token",
            headers={
                "Authorization": f"Basic {basic.get_secret_value()}",
                "Content-Type": "application/x-www-form-urlencoded",
            },
            # In the body: a query string may be refused (docs/contracts/zoom.md 3.1).
            content=prepare_token_request("client_credentials"),
        )
        return send(
            self._http,
            request,
            service="Zoom",
            as_=AppToken,
            secrets=[client_secret, basic],
        )

    def account_token(
        self, *, account_id: str, client_id: str, client_secret: SecretStr
    ) -> AppToken:
        """Return a token of a Server-to-Server OAuth app, by `account_credentials`.

        Raises:
            UpstreamError: `code` is "invalid_client" for a wrong pair, and
                "invalid_request" for an account that is not the app's.
        """
        basic = _basic(client_id, client_secret)
        request = self._http.build_request(
            "POST",
            f"{self._base_url}/oauth/token",
            headers={
                "Authorization": f"Basic {basic.get_secret_value()}",
                "Content-Type": "application/x-www-form-urlencoded",
            },
            content=prepare_token_request("account_credentials", account_id=account_id),
        )
        return send(
            self._http,
            request,
            service="Zoom",
            as_=AppToken,
            secrets=[client_secret, basic],
        )

    def authorize_url(
        self, *, client_id: str, redirect_uri: str, state: str, code_challenge: str
    ) -> str:
        """Return the address that asks a user for consent.

        Args:
            client_id: Zoom's.
            redirect_uri: Exactly as registered and as later sent to Recall.
            state: Opaque, URL-safe (docs/contracts/zoom.md 2.1), single use.
            code_challenge: S256 of the verifier, 43 characters of base64url.
        """
        # The method is always said: Zoom takes `plain` when it is absent (2.1).
        url: str = prepare_grant_uri(
            f"{self._base_url}/oauth/authorize",
            client_id=client_id,
            response_type="code",
            redirect_uri=redirect_uri,
            state=state,
            code_challenge=code_challenge,
            code_challenge_method="S256",
        )
        return url


def _basic(client_id: str, client_secret: SecretStr) -> SecretStr:
    pair = f"{client_id}:{client_secret.get_secret_value()}".encode()
    return SecretStr(base64.b64encode(pair).decode())


def _judged(error: UpstreamError) -> PairAnswer:
    if error.status in _BELIEVED and error.code == "invalid_client":
        return PairAnswer(
            verdict=PairVerdict.WRONG,
            reason="Zoom rejected this client ID and client secret. One of them is "
            "wrong. Copy both again from App Credentials in Zoom's console, from the "
            "same tab: Development or Production.",
        )
    if error.status in _BELIEVED and _is_about_the_code(error):
        return PairAnswer(
            verdict=PairVerdict.RIGHT,
            reason="Zoom accepted this client ID and client secret.",
        )
    if error.code in REFUSALS_OF_THE_APP:
        return PairAnswer(
            verdict=PairVerdict.UNKNOWN,
            reason=refusal_words(error),
            is_refusal=True,
            is_switched_off=error.code == APP_DISABLED,
        )
    reason = f"Zoom could not verify the credentials. {error}"
    if error.detail:
        reason = f"{reason} It said: {error.detail}"
    return PairAnswer(verdict=PairVerdict.UNKNOWN, reason=reason[:_LONGEST_REASON])


def refusal_words(error: UpstreamError) -> str:
    """Say why Zoom refuses the app, in its own words too; at most 300 characters."""
    begins = _REFUSALS[error.code or ""]
    said = error.detail or error.code
    room = _LONGEST_REASON - len(begins.format(said=""))
    return begins.format(said=(said or "nothing")[:room])


def _is_about_the_code(error: UpstreamError) -> bool:
    # Until 2020 the same refusal was `invalid_request` (docs/contracts/zoom.md 3.3).
    about_it = "authorization code" in (error.detail or "").lower()
    return error.code == "invalid_grant" or (
        error.code == "invalid_request" and about_it
    )
