"""Zoom tokens in Recall's hands: got, refreshed, fetched from a callback, checked."""

import base64
import binascii
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from dashboard.sandbox.recall import signing
from dashboard.sandbox.recall.outside import UnreachableError, ZoomRefusedError
from dashboard.sandbox.recall.records import App, Credential, Grant, Health
from dashboard.sandbox.recall.store import Store

_REFRESH_AHEAD = timedelta(minutes=5)
_CALLBACK_MIN_LEFT = timedelta(seconds=120)  # docs/contracts/recall.md 5
_JWT = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+){2}")


class GrantError(Exception):
    """No usable token; the message is what the API says in `detail`."""


def exchange(store: Store, app: App, authorization_code: dict[str, str]) -> Grant:
    """Spend an authorization code at Zoom.

    Raises:
        GrantError: Zoom refused the code or the app.
        UnreachableError: Zoom did not answer sensibly.
    """
    form = {"grant_type": "authorization_code", **authorization_code}
    try:
        tokens = store.outside.token(app.client_id, app.client_secret, form)
    except ZoomRefusedError as refusal:
        if refusal.error == "invalid_client":
            raise GrantError(
                f"Failed to authorize with Zoom: Invalid Client ({refusal.reason})."
            ) from refusal
        raise GrantError(
            f"Failed to exchange the authorization code: Invalid Grant ({refusal})."
        ) from refusal
    grant = _granted(store, tokens, None)
    try:
        me = store.outside.get("/users/me", grant.access_token)
    except ZoomRefusedError:
        return grant  # no scope to read the user; the token itself names both ids
    return replace(
        grant,
        user_id=str(me.get("id") or grant.user_id),
        account_id=str(me.get("account_id") or grant.account_id),
    )


def fetch(store: Store, app: App, url: str) -> Grant:
    """GET a customer's token callback and check what it says.

    Raises:
        GrantError: No answer, no token, another app's token, or one too old.
    """
    now = store.clock.now()
    with store.lock:
        headers = signing.headers(app.workspace, b"", now=now)
    try:
        token = store.outside.callback(url, headers)
    except UnreachableError as error:
        raise GrantError(f"The access token callback failed: {error}.") from error
    try:
        claims = _claims(token)
        expires_at = datetime.fromtimestamp(int(claims["exp"]), UTC)
        issuer, user, account = claims["iss"], claims["uid"], claims["aid"]
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise GrantError(
            "The access token callback did not answer with a Zoom access token."
        ) from error
    if issuer != f"zm:cid:{app.client_id}":
        raise GrantError("The access token belongs to another Zoom client id.")
    if expires_at < now + _CALLBACK_MIN_LEFT:
        raise GrantError("The access token is valid for less than 120 seconds.")
    return Grant(
        access_token=token,
        refresh_token=None,
        expires_at=expires_at,
        user_id=str(user),
        account_id=str(account),
    )


def renewed(store: Store, credential: Credential, *, forced: bool = False) -> Grant:
    """Return the credential's grant, refreshed first when little time is left.

    A token from a callback is fetched anew each time. The caller records failures.

    Raises:
        GrantError: The refresh token or the callback no longer works.
        UnreachableError: Zoom did not answer sensibly.
    """
    with credential.refreshing:
        grant, url = credential.grant, credential.access_token_callback_url
        if url is not None:
            fresh = fetch(store, credential.app, url)
        else:
            left = grant.expires_at - store.clock.now()
            if not forced and left >= _REFRESH_AHEAD:
                return grant
            fresh = _refreshed(store, credential.app, grant)
        with store.lock:
            # A new consent may have come meanwhile; its grant is the living one.
            if credential.grant is grant:
                credential.grant = fresh
            credential.errors = 0
            return credential.grant


def recheck(store: Store, credential: Credential) -> None:
    """Try the credential at Zoom and set its status by what happens.

    An unreachable Zoom proves nothing and leaves the status as it is.
    """
    try:
        _prove(store, credential)
    except GrantError as error:
        store.log_credential(credential, f"Validation failed: {error}")
        status = Health.UNHEALTHY
    except UnreachableError as error:
        store.log_credential(credential, f"Validation failed: {error}")
        return
    else:
        status = Health.HEALTHY
    with store.lock:
        credential.status = status
        if status is Health.HEALTHY:
            credential.errors = 0


def _prove(store: Store, credential: Credential) -> None:
    if not _is_dead(store, renewed(store, credential)):
        return
    if _is_dead(store, renewed(store, credential, forced=True)):
        raise GrantError("Zoom refuses the access token.")


def _is_dead(store: Store, grant: Grant) -> bool:
    """Whether Zoom no longer knows the token; a missing scope is no such sign."""
    try:
        store.outside.get("/users/me", grant.access_token)
    except ZoomRefusedError as refusal:
        return refusal.status == 401
    return False


def _refreshed(store: Store, app: App, grant: Grant) -> Grant:
    form = {"grant_type": "refresh_token", "refresh_token": grant.refresh_token or ""}
    try:
        tokens = store.outside.token(app.client_id, app.client_secret, form)
    except ZoomRefusedError as refusal:
        raise GrantError(
            f"Failed to refresh the Zoom access token: {refusal}"
        ) from refusal
    return _granted(store, tokens, grant)


def _granted(store: Store, tokens: dict[str, Any], earlier: Grant | None) -> Grant:
    """Read a token answer; who it is for comes from the token or `earlier`."""
    try:
        access_token, lifetime_s = tokens["access_token"], int(tokens["expires_in"])
    except (KeyError, TypeError, ValueError) as error:
        raise UnreachableError("Zoom's token answer could not be read.") from error
    try:
        claims = _claims(str(access_token))
    except ValueError:
        claims = {}
    return Grant(
        access_token=str(access_token),
        refresh_token=str(tokens.get("refresh_token", "")),
        expires_at=store.clock.now() + timedelta(seconds=lifetime_s),
        user_id=earlier.user_id if earlier else str(claims.get("uid", "")),
        account_id=earlier.account_id if earlier else str(claims.get("aid", "")),
    )


def _claims(token: str) -> dict[str, Any]:
    """Decode a JWT's payload without verifying it; ValueError if it is none."""
    if not _JWT.fullmatch(token):
        raise ValueError("not a JWT")
    payload = token.split(".")[1]
    padded = payload + "=" * (-len(payload) % 4)
    try:
        claims = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ValueError("not a JWT") from error
    if not isinstance(claims, dict):
        raise ValueError("not a JWT")  # noqa: TRY004 - one error for all malformed
    return claims
