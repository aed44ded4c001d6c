"""Codes, tokens and their deaths (docs/contracts/zoom.md 2 and 3)."""

import base64
import hashlib
from datetime import datetime, timedelta

from dashboard.sandbox.zoom import values
from dashboard.sandbox.zoom.records import Code, Grant, ZoomApp
from dashboard.sandbox.zoom.refusals import TokenError
from dashboard.sandbox.zoom.state import State

CODE_LIVES = timedelta(minutes=5)
ACCESS_LIVES = timedelta(hours=1)
REFRESH_LIVES = timedelta(days=90)


def authenticate(state: State, client_id: str, client_secret: str) -> ZoomApp:
    """Return the app of a credential pair.

    Raises:
        TokenError: `invalid_client`; Zoom does not tell which half is wrong.
    """
    app = state.apps.get(client_id)
    if app is None or app.client_secret != client_secret:
        raise TokenError(
            "invalid_client",
            "Invalid client_id or client_secret",
            status=state.switches.invalid_client_status,
        )
    return app


def exchange(
    state: State, app: ZoomApp, *, code: str, redirect_uri: str, verifier: str | None
) -> dict[str, object]:
    """Turn a code into a grant, which ends the user's earlier one to this app.

    Raises:
        TokenError: The code is unknown, used, old, of another app, or its redirect
            URI or PKCE verifier does not fit. A used code stays used.
    """
    found = state.codes.get(code)
    shown = f" {code}" if state.switches.code_in_reason else ""
    invalid = TokenError("invalid_grant", f"Invalid authorization code{shown}")
    if found is None or found.used or found.client_id != app.client_id:
        raise invalid
    if state.now() > found.issued_at + CODE_LIVES:
        raise TokenError("invalid_grant", "Code is expired")
    if found.redirect_uri != redirect_uri:
        mismatch = state.switches.redirect_mismatch_error
        raise TokenError(mismatch, "Redirect URI mismatch.")
    if not _proves(found, verifier):
        raise invalid
    found.used = True
    end(state, app.client_id, found.user_id, "superseded by a newer authorization")
    user = state.users[found.user_id]
    grant = Grant(
        client_id=app.client_id,
        user_id=user.id,
        account_id=user.account_id,
        scopes=found.scopes,
        granted_at=state.now(),
    )
    state.grants.append(grant)
    return _issue(state, grant)


def refresh(state: State, app: ZoomApp, refresh_token: str) -> dict[str, object]:
    """Issue new tokens; the refresh token used is dead from now on.

    Raises:
        TokenError: `Invalid Token!`: rotated out, revoked, expired, removed.
    """
    for grant in state.grants:
        fits = grant.refresh_token == refresh_token and grant.ended is None
        if not fits or grant.client_id != app.client_id:
            continue
        if grant.refresh_until is not None and state.now() > grant.refresh_until:
            break
        if grant.user_id is not None and _is_gone(state, grant.user_id):
            break
        return _issue(state, grant)
    raise TokenError("invalid_grant", "Invalid Token!")


def app_token(state: State, app: ZoomApp) -> dict[str, object]:
    """Issue the app's own token (`client_credentials`), without a refresh token.

    Raises:
        TokenError: The switch `client_credentials` is off.
    """
    if not state.switches.client_credentials:
        raise TokenError("unsupported_grant_type", "unsupported grant type")
    grant = Grant(
        client_id=app.client_id,
        user_id=None,
        account_id=app.account_id,
        scopes=list(app.own_scopes),
        granted_at=state.now(),
    )
    state.grants.append(grant)
    return _issue(state, grant)


def revoke(state: State, app: ZoomApp, access_token: str) -> None:
    """End the grant of an access token, refresh token included.

    Raises:
        TokenError: No living grant of this app has it.
    """
    for grant in state.grants:
        known = access_token in grant.access and grant.ended is None
        if known and grant.client_id == app.client_id:
            grant.ended = "revoked"
            return
    raise TokenError("invalid_grant", "Invalid Token!")


def end(state: State, client_id: str, user_id: str, reason: str) -> bool:
    """End the living grant of this user to this app; tell whether there was one."""
    grant = state.living_grant(client_id, user_id)
    if grant is None:
        return False
    grant.ended = reason
    return True


def _is_gone(state: State, user_id: str) -> bool:
    user = state.users.get(user_id)
    return user is None or user.status != "active"


def _proves(code: Code, verifier: str | None) -> bool:
    if code.challenge is None:
        return True
    if verifier is None or not 43 <= len(verifier) <= 128:
        return False
    if code.method == "plain":
        return verifier == code.challenge
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == code.challenge


def _issue(state: State, grant: Grant) -> dict[str, object]:
    now = state.now()
    access = _token(grant, now, ACCESS_LIVES)
    grant.access[access] = now + ACCESS_LIVES
    answer: dict[str, object] = {
        "access_token": access,
        "token_type": "bearer",
        "expires_in": int(ACCESS_LIVES.total_seconds()),
        "scope": " ".join(grant.scopes),
    }
    if grant.user_id is not None:
        grant.refresh_token = _token(grant, now, REFRESH_LIVES)
        grant.refresh_until = now + REFRESH_LIVES
        answer["refresh_token"] = grant.refresh_token
    return answer


def _token(grant: Grant, now: datetime, lives: timedelta) -> str:
    return values.token(
        grant.client_id,
        grant.user_id,
        grant.account_id,
        issued=int(now.timestamp()),
        expires=int((now + lives).timestamp()),
    )
