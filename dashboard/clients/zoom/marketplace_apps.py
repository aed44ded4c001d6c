"""Zoom apps by API: created from a manifest, read back, changed, given a new secret.

Takes a Marketplace token: of a Server-to-Server OAuth app, or of a user, with the
scopes `marketplace:read:app` and `marketplace:write:app`, or their `:admin` forms; a
new secret takes the app's own token (docs/contracts/zoom.md 12, checked 2026-11-30).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from urllib.parse import quote

import httpx2
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from dashboard.clients.http.client import HARMLESS, send
from dashboard.clients.zoom.hosts import ZoomHost

_PATH = "/v2/marketplace/apps"
_LONGEST_ID = 64
_LONGEST = 500


def _text(value: object) -> str:
    return value[:_LONGEST] if isinstance(value, str) else ""


_Text = Annotated[str, BeforeValidator(_text)]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class ManifestProblem(_Answer):
    """What Zoom would refuse of a manifest.

    Attributes:
        setting: Such as "/oauth_information/scopes[0]".
    """

    setting: _Text = ""
    message: _Text = ""


class _Validation(_Answer):
    ok: bool
    errors: list[ManifestProblem] | None = None


class _Pair(_Answer):
    client_id: str = Field(default="", max_length=200)
    client_secret: SecretStr = SecretStr("")


class CreatedApp(_Answer):
    """An app as Zoom created it: sometimes with its development pair, under two names.

    Attributes:
        app_id: Zoom's own ID of it, which is not its client ID.
    """

    app_id: str = Field(min_length=1, max_length=_LONGEST_ID)
    development_credentials: _Pair | None = None
    credentials: _Pair | None = None

    @property
    def pair(self) -> tuple[str, SecretStr] | None:
        """The client ID and the client secret; None when Zoom did not return both."""
        for pair in (self.development_credentials, self.credentials):
            if pair and pair.client_id and pair.client_secret.get_secret_value():
                return pair.client_id, pair.client_secret
        return None


class _Exported(_Answer):
    manifest: dict[str, object]


class _Rotated(_Answer):
    new_secret: SecretStr = SecretStr("")


@dataclass(frozen=True, kw_only=True)
class Contact:
    """Whom Zoom asks about an app. Zoom requires all three."""

    name: str
    email: str
    company: str


class ZoomMarketplaceApps(ZoomHost):
    """Safe to use from many threads. Every method raises UpstreamError."""

    def problems(
        self, token: SecretStr, manifest: Mapping[str, object]
    ) -> Sequence[ManifestProblem]:
        """Return what Zoom would refuse; creates and changes nothing."""
        request = self._request(
            "POST", token, "/manifest/validate", {"manifest": manifest}
        )
        request.extensions[HARMLESS] = True
        said = send(
            self._http, request, service="Zoom", as_=_Validation, secrets=[token]
        )
        return [] if said.ok else said.errors or [ManifestProblem()]

    def create(
        self,
        token: SecretStr,
        name: str,
        contact: Contact,
        manifest: Mapping[str, object],
    ) -> CreatedApp:
        """Create a General app. Zoom has no key that would keep a second one away."""
        body = {
            "app_type": "general",
            "app_name": name,
            "contact_name": contact.name,
            "contact_email": contact.email,
            "company_name": contact.company,
            "manifest": manifest,
        }
        request = self._request("POST", token, "", body)
        return send(
            self._http, request, service="Zoom", as_=CreatedApp, secrets=[token]
        )

    def manifest(self, token: SecretStr, app_id: str) -> Mapping[str, object]:
        """Return what Zoom has of a draft app."""
        request = self._request("GET", token, f"{_one(app_id)}/manifest")
        return send(
            self._http, request, service="Zoom", as_=_Exported, secrets=[token]
        ).manifest

    def update(
        self, token: SecretStr, app_id: str, manifest: Mapping[str, object]
    ) -> None:
        """Change a draft app; Zoom validates its webhook URL meanwhile."""
        body = {"manifest": manifest}
        request = self._request("PUT", token, f"{_one(app_id)}/manifest", body)
        send(self._http, request, service="Zoom", as_=None, secrets=[token])

    def delete(self, token: SecretStr, app_id: str) -> None:
        """Delete an app."""
        request = self._request("DELETE", token, _one(app_id))
        send(self._http, request, service="Zoom", as_=None, secrets=[token])

    def rotate(
        self, token: SecretStr, app_id: str, *, old_until: datetime
    ) -> SecretStr | None:
        """Have Zoom make a new client secret; the old one counts until then.

        Args:
            token: The app's own (`ZoomOAuth.app_token`).
            app_id: Zoom's.
            old_until: At most 30 days ahead.

        Returns:
            The new one; None when Zoom did not return it.
        """
        body = {
            "action": "new",
            "revoke_old_secret_time": f"{old_until:%Y-%m-%dT%H:%M:%SZ}",
        }
        path = f"{_one(app_id)}/rotate_client_secret"
        request = self._request("POST", token, path, body)
        said = send(self._http, request, service="Zoom", as_=_Rotated, secrets=[token])
        return said.new_secret if said.new_secret.get_secret_value() else None

    def _request(
        self,
        method: str,
        token: SecretStr,
        path: str,
        body: Mapping[str, object] | None = None,
    ) -> httpx2.Request:
        return self._http.build_request(
            method,
            f"{self._base_url}{_PATH}{path}",
            headers={b"Authorization": f"Bearer {token.get_secret_value()}".encode()},
            json=body,
        )


def _one(app_id: str) -> str:
    return "/" + quote(app_id, safe="")
