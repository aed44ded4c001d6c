"""Zoom OAuth credentials: their API, Zoom tokens, meeting sync, logs and mappings.

Source: docs/contracts/recall.md 2, 3.5, 3.6, 3.7 and 5.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

from dashboard.sandbox.recall import django_rest
from dashboard.sandbox.recall.outgoing import UnreachableError, ZoomRefusedError
from dashboard.sandbox.recall.records import (
    App,
    Credential,
    Grant,
    Health,
    Kind,
    Sync,
    to_iso,
)
from dashboard.sandbox.recall.requests import (
    FieldsError,
    RefusalError,
    current_workspace,
    current_world,
    not_found,
)
from dashboard.sandbox.recall.world import RecallWorld

blueprint = Blueprint("credentials", __name__, url_prefix="/api/v2")
_CREDENTIALS = "/zoom-oauth-credentials"
_SYNC_PAGE_SIZE = "30"
_REFRESH_AHEAD = timedelta(minutes=5)
_CALLBACK_MIN_LEFT = timedelta(seconds=120)  # docs/contracts/recall.md 5
_JWT = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+){2}")


class GrantError(Exception):
    """No usable token; the message is the API's `detail`."""


def _credential(credential_id: str) -> Credential:
    """Return a credential of the workspace.

    Raises:
        RefusalError: 404, there is none.
    """
    credential = current_world().credentials.get(credential_id.lower())
    if credential is None or credential.workspace is not current_workspace():
        raise not_found()
    return credential


@blueprint.get(f"{_CREDENTIALS}/", endpoint="list")
def list_() -> ResponseReturnValue:
    """List the workspace's credentials."""
    app, user = django_rest.uuid_filter("oauth_app"), django_rest.text_filter("user_id")
    account = django_rest.text_filter("account_id")
    status = django_rest.choice_filter("status", Health)
    sync = django_rest.choice_filter("meeting_sync_status", Sync)
    world = current_world()
    with world.lock:
        found = [
            one
            for one in world.credentials.values()
            if one.workspace is current_workspace()
            and app in (None, one.app.id)
            and user in (None, one.user_id)
            and account in (None, one.account_id)
            and status in (None, one.status)
            and sync in (None, one.meeting_sync_status)
            and django_rest.is_within("created_at", one.created_at)
        ]
        return jsonify(django_rest.page(found, ordering="created_at"))


@blueprint.post(f"{_CREDENTIALS}/")
def create() -> ResponseReturnValue:
    """Connect a Zoom user or account, or connect it again."""
    credential, status = _connect()
    return jsonify(credential.as_json()), status


@blueprint.get(f"{_CREDENTIALS}/<credential_id>/")
def retrieve(credential_id: str) -> ResponseReturnValue:
    """Return one credential."""
    return jsonify(_credential(credential_id).as_json())


@blueprint.delete(f"{_CREDENTIALS}/<credential_id>/")
def destroy(credential_id: str) -> ResponseReturnValue:
    """Delete a credential."""
    current_world().remove_credential(_credential(credential_id))
    return "", HTTPStatus.NO_CONTENT


@blueprint.get(f"{_CREDENTIALS}/<credential_id>/access-token/")
def access_token(credential_id: str) -> ResponseReturnValue:
    """Return the Zoom access token, refreshed first unless switched off."""
    world, credential = current_world(), _credential(credential_id)
    if credential.status is Health.UNHEALTHY:
        detail = "The Zoom OAuth Credential is unhealthy."
        body = {"code": "zoom_oauth_credential_unhealthy", "detail": detail}
        raise RefusalError(400, body)
    stored = credential.access_token_callback_url is None
    if stored and not world.switches.refresh_ahead:
        grant = credential.grant
    else:
        try:
            grant = _fresh_grant(world, credential)
        except (GrantError, UnreachableError) as error:
            world.record_failure(credential, str(error))
            body = {"code": "zoom_access_token_unavailable", "detail": str(error)}
            if world.switches.refusal_words == "plain":
                words = "Unable to fetch a Zoom access token for this credential."
                body = {"detail": words}
            raise RefusalError(400, body) from None
    expires_at = to_iso(grant.expires_at)
    return jsonify(token=grant.access_token, expires_at=expires_at)


@blueprint.post(f"{_CREDENTIALS}/<credential_id>/validate/")
def validate(credential_id: str) -> ResponseReturnValue:
    """Check the credential at Zoom; a GET afterwards shows the result."""
    _check_at_zoom(current_world(), _credential(credential_id))
    return ""


@blueprint.post(f"{_CREDENTIALS}/<credential_id>/sync-meetings/")
def sync_meetings(credential_id: str) -> ResponseReturnValue:
    """Start a meeting sync."""
    _start_sync(current_world(), _credential(credential_id))
    return ""


@blueprint.get("/zoom-oauth-credential-logs/")
def logs() -> ResponseReturnValue:
    """List warnings about credentials."""
    return django_rest.log_page(current_world().credential_logs, about="credential")


@blueprint.get("/zoom-meetings-to-credentials/")
def mappings() -> ResponseReturnValue:
    """List meeting numbers and their credentials."""
    credential = django_rest.uuid_filter("credential")
    meeting_id = django_rest.number_filter("meeting_id")
    world = current_world()
    with world.lock:
        found = [
            one
            for one in world.mappings.values()
            if one.workspace is current_workspace()
            and credential in (None, one.credential)
            and meeting_id in (None, one.meeting_id)
            and django_rest.is_within("synced_at", one.synced_at)
        ]
        return jsonify(django_rest.page(found, ordering="synced_at"))


def _connect() -> tuple[Credential, int]:
    """Create or update the credential of this request; return it and the status.

    Raises:
        RefusalError: The body, code or callback is refused, or a credential exists.
    """
    world = current_world()
    body = django_rest.checked_body("ZoomOAuthCredentialRequest")
    url = body.get("access_token_callback_url")
    if ("authorization_code" in body) == (url is not None):
        text = "Give either authorization_code or access_token_callback_url."
        raise FieldsError({"non_field_errors": [text]})
    app = _own_app(body["oauth_app"])
    try:
        if url is None:
            grant = _exchange_code(world, app, body["authorization_code"])
        else:
            grant = _fetch_token(world, app, url)
    except GrantError as error:
        raise RefusalError(400, _exchange_failed(str(error))) from None
    except UnreachableError as error:
        raise RefusalError(502, {"detail": str(error)}) from None
    with world.lock:
        existing = _existing(app, grant)
        if existing is None:
            made = world.add_credential(app, grant, url)
            made.status = Health(world.switches.created_status)
            return made, HTTPStatus.CREATED
        if world.switches.reconnect == "conflict":
            raise RefusalError(400, _conflict(existing))
        existing.grant, existing.access_token_callback_url = grant, url
        existing.status, existing.errors = Health.HEALTHY, 0
        _start_sync(world, existing)
        updated = world.switches.reconnect == "upsert_200"
        return existing, HTTPStatus.OK if updated else HTTPStatus.CREATED


def _exchange_failed(reason: str) -> dict[str, Any]:
    """Return the body in the form of the switch `code_error`."""
    match current_world().switches.code_error:
        case "nested_detail":
            return {"detail": {"error": "invalid_grant", "reason": reason}}
        case "nested_field":
            return {"authorization_code": {"code": [reason]}}
        case _:
            return {"detail": reason}


def _own_app(app_id: str) -> App:
    app = current_world().apps.get(app_id.lower())
    if app is None or app.workspace is not current_workspace():
        text = f'Invalid pk "{app_id}" - object does not exist.'
        raise FieldsError({"oauth_app": [text]})
    return app


def _existing(app: App, grant: Grant) -> Credential | None:
    """Return the app's credential for the same Zoom user, or the same account."""
    for one in current_world().credentials_of(app):
        if app.kind is Kind.USER_LEVEL and one.grant.user_id == grant.user_id:
            return one
        if app.kind is Kind.ACCOUNT_LEVEL and one.grant.account_id == grant.account_id:
            return one
    return None


def _conflict(existing: Credential) -> dict[str, Any]:
    """Return the old error, with its documented inconsistency."""
    if existing.app.kind is Kind.USER_LEVEL:
        noun, named = "user", f"user_id: {existing.user_id}"
        key, value = "conflicting_zoom_user_id", existing.user_id
    else:
        noun, named = "account", f"account_id: {existing.account_id}"
        key, value = "conflicting_zoom_account_id", existing.account_id
    detail = (
        "A Zoom OAuth Credential already exists for this OAuth App and Zoom "
        f"account({named}). A Zoom OAuth App can have at most one Zoom OAuth "
        f"Credential registered per authorized Zoom {noun}. Please delete the "
        f"existing Zoom OAuth Credential for Zoom {noun}({named}) and try again."
    )
    return {"detail": detail, key: value}


def _exchange_code(
    world: RecallWorld, app: App, authorization_code: dict[str, str]
) -> Grant:
    """Exchange an authorization code at Zoom.

    Raises:
        GrantError: Zoom refused the code or the app.
        UnreachableError: Zoom gave no usable answer.
    """
    form = {"grant_type": "authorization_code", **authorization_code}
    try:
        tokens = world.outgoing.token(app.client_id, app.client_secret, form)
    except ZoomRefusedError as refusal:
        if refusal.error == "invalid_client":
            raise GrantError(
                f"Failed to authorize with Zoom: Invalid Client ({refusal.reason})."
            ) from refusal
        raise GrantError(
            f"Failed to exchange the authorization code: Invalid Grant ({refusal})."
        ) from refusal
    grant = _parse_tokens(world, tokens, None)
    try:
        me = world.outgoing.get("/users/me", grant.access_token)
    except ZoomRefusedError:
        return grant  # no scope to read the user; the token has both IDs
    return replace(
        grant,
        user_id=str(me.get("id") or grant.user_id),
        account_id=str(me.get("account_id") or grant.account_id),
    )


def _fetch_token(world: RecallWorld, app: App, url: str) -> Grant:
    """GET a customer's token callback and check the token.

    Raises:
        GrantError: No answer, no token, another app's token, or one near its end.
    """
    now = world.clock.now()
    with world.lock:
        headers = app.workspace.signature_headers(b"", now=now)
    try:
        token = world.outgoing.callback(url, headers)
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


def fresh_token(world: RecallWorld, credential: Credential) -> str:
    """Return a Zoom access token of the credential.

    Raises:
        GrantError: The refresh token or the callback no longer works.
        UnreachableError: Zoom gave no usable answer.
    """
    return _fresh_grant(world, credential).access_token


def _fresh_grant(
    world: RecallWorld, credential: Credential, *, forced: bool = False
) -> Grant:
    """Return the credential's grant, refreshed first if it expires soon.

    A callback is called each time. The calling function records failures.

    Raises:
        GrantError: The refresh token or the callback no longer works.
        UnreachableError: Zoom gave no usable answer.
    """
    with credential.refreshing:
        grant, url = credential.grant, credential.access_token_callback_url
        if url is not None:
            fresh = _fetch_token(world, credential.app, url)
        else:
            left = grant.expires_at - world.clock.now()
            if not forced and left >= _REFRESH_AHEAD:
                return grant
            fresh = _refreshed(world, credential.app, grant)
        with world.lock:
            # A newer authorization may have replaced the grant meanwhile.
            if credential.grant is grant:
                credential.grant = fresh
            credential.errors = 0
            return credential.grant


def _check_at_zoom(world: RecallWorld, credential: Credential) -> None:
    """Use the credential at Zoom and set its status; no change if unreachable."""
    try:
        _require_working(world, credential)
    except GrantError as error:
        world.log_credential(credential, f"Validation failed: {error}")
        status = Health.UNHEALTHY
    except UnreachableError as error:
        world.log_credential(credential, f"Validation failed: {error}")
        return
    else:
        status = Health.HEALTHY
    with world.lock:
        credential.status = status
        if status is Health.HEALTHY:
            credential.errors = 0


def _require_working(world: RecallWorld, credential: Credential) -> None:
    if not _is_rejected(world, _fresh_grant(world, credential)):
        return
    if _is_rejected(world, _fresh_grant(world, credential, forced=True)):
        raise GrantError("Zoom refuses the access token.")


def _is_rejected(world: RecallWorld, grant: Grant) -> bool:
    """Whether Zoom answers 401; a missing scope is another status."""
    try:
        world.outgoing.get("/users/me", grant.access_token)
    except ZoomRefusedError as refusal:
        return refusal.status == 401
    return False


def _refreshed(world: RecallWorld, app: App, grant: Grant) -> Grant:
    form = {"grant_type": "refresh_token", "refresh_token": grant.refresh_token or ""}
    try:
        tokens = world.outgoing.token(app.client_id, app.client_secret, form)
    except ZoomRefusedError as refusal:
        raise GrantError(
            f"Failed to refresh the Zoom access token: {refusal}"
        ) from refusal
    return _parse_tokens(world, tokens, grant)


def _parse_tokens(
    world: RecallWorld, tokens: dict[str, Any], earlier: Grant | None
) -> Grant:
    """Parse a token answer; the user is that of `earlier` or of the token."""
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
        expires_at=world.clock.now() + timedelta(seconds=lifetime_s),
        user_id=earlier.user_id if earlier else str(claims.get("uid", "")),
        account_id=earlier.account_id if earlier else str(claims.get("aid", "")),
    )


def _claims(token: str) -> dict[str, Any]:
    """Return a JWT's payload, not verified; ValueError if it is not a JWT."""
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


def _start_sync(world: RecallWorld, credential: Credential) -> None:
    """Make a meeting sync due."""
    with world.lock:
        credential.meeting_sync_status = Sync.NOT_STARTED


def run_due_syncs(world: RecallWorld) -> int:
    """Advance every unfinished meeting sync by one step; return how many there were."""
    with world.syncing:
        with world.lock:
            due = [
                one
                for one in world.credentials.values()
                if one.meeting_sync_status in {Sync.NOT_STARTED, Sync.IN_PROGRESS}
            ]
        for credential in due:
            _advance_sync(world, credential)
        return len(due)


def _advance_sync(world: RecallWorld, credential: Credential) -> None:
    """Take a sync from waiting to running, or from running to its end.

    In two steps, so that clients can see each status.
    """
    with world.lock:
        if credential.meeting_sync_status is Sync.NOT_STARTED:
            credential.meeting_sync_status = Sync.IN_PROGRESS
            return
    try:
        _sync_meetings(world, credential)
        outcome = Sync.COMPLETED
    except GrantError as error:
        world.record_failure(credential, f"Meeting sync failed: {error}")
        outcome = Sync.FAILED
    except (UnreachableError, ZoomRefusedError) as error:
        world.log_credential(credential, f"Meeting sync failed: {error}")
        outcome = Sync.FAILED
    with world.lock:
        # Another sync may have been requested meanwhile.
        if credential.meeting_sync_status is Sync.IN_PROGRESS:
            credential.meeting_sync_status = outcome


def _sync_meetings(world: RecallWorld, credential: Credential) -> None:
    if world.switches.meeting_sync == "fails":
        raise UnreachableError("Zoom answered 500.")
    token = _fresh_grant(world, credential).access_token
    for meeting_id in list(_meeting_ids(world, credential, token)):
        world.map_meeting(meeting_id, credential)


def _meeting_ids(
    world: RecallWorld, credential: Credential, token: str
) -> Iterator[int]:
    """Yield the PMIs and meeting numbers of the user, or of all users."""
    if credential.app.kind is Kind.USER_LEVEL:
        users = [("me", world.outgoing.get("/users/me", token))]
    else:
        listed = _pages(world, "/users", token, "users")
        users = [(str(user.get("id")), user) for user in listed]
    for user_id, user in users:
        yield from _number(user.get("pmi"))
        path = f"/users/{user_id}/meetings"
        for meeting in _pages(world, path, token, "meetings"):
            yield from _number(meeting.get("id"))


def _pages(world: RecallWorld, path: str, token: str, key: str) -> list[dict[str, Any]]:
    """Return all items of a Zoom list, following `next_page_token` to its end."""
    items: list[dict[str, Any]] = []
    params = {"page_size": _SYNC_PAGE_SIZE}
    while True:
        page = world.outgoing.get(path, token, **params)
        found = page.get(key)
        if not isinstance(found, list):
            raise UnreachableError("Zoom's answer was not a list.")
        items += [one for one in found if isinstance(one, dict)]
        if not page.get("next_page_token"):
            return items
        params["next_page_token"] = page["next_page_token"]


def _number(value: object) -> Iterator[int]:
    """Yield the meeting number, if the value is one."""
    text = str(value)
    if text.isascii() and text.isdigit() and int(text) > 0:
        yield int(text)
