"""Creating a credential, or finding it already there (docs/contracts/recall.md 3.5)."""

from http import HTTPStatus
from typing import Any

from dashboard.sandbox.recall import grants, syncing
from dashboard.sandbox.recall.here import FieldsError, RefusalError, caller, world
from dashboard.sandbox.recall.outside import UnreachableError
from dashboard.sandbox.recall.records import App, Credential, Grant, Health, Kind
from dashboard.sandbox.recall.schema import checked_body


def connect() -> tuple[Credential, int]:
    """Return the credential this request makes or renews, and the answer's status.

    Raises:
        RefusalError: The body, the code, the callback or an older credential is in
            the way.
    """
    its_world, body = world(), checked_body("ZoomOAuthCredentialRequest")
    url = body.get("access_token_callback_url")
    if ("authorization_code" in body) == (url is not None):
        text = "Give either authorization_code or access_token_callback_url."
        raise FieldsError({"non_field_errors": [text]})
    app = _own_app(body["oauth_app"])
    try:
        if url is None:
            grant = grants.exchange(its_world, app, body["authorization_code"])
        else:
            grant = grants.fetch(its_world, app, url)
    except grants.GrantError as error:
        raise RefusalError(400, {"detail": str(error)}) from None
    except UnreachableError as error:
        raise RefusalError(502, {"detail": str(error)}) from None
    with its_world.lock:
        earlier = _earlier(app, grant)
        if earlier is None:
            return its_world.add_credential(app, grant, url), HTTPStatus.CREATED
        if its_world.switches.reconnect == "conflict":
            raise RefusalError(400, _conflict(earlier))
        earlier.grant, earlier.access_token_callback_url = grant, url
        earlier.status, earlier.errors = Health.HEALTHY, 0
        syncing.start(its_world, earlier)
        updated = its_world.switches.reconnect == "upsert_200"
        return earlier, HTTPStatus.OK if updated else HTTPStatus.CREATED


def _own_app(app_id: str) -> App:
    app = world().apps.get(app_id.lower())
    if app is None or app.workspace is not caller():
        text = f'Invalid pk "{app_id}" - object does not exist.'
        raise FieldsError({"oauth_app": [text]})
    return app


def _earlier(app: App, grant: Grant) -> Credential | None:
    """Return the app's credential for the same Zoom user, or the same account."""
    for one in world().credentials_of(app):
        if app.kind is Kind.USER_LEVEL and one.grant.user_id == grant.user_id:
            return one
        if app.kind is Kind.ACCOUNT_LEVEL and one.grant.account_id == grant.account_id:
            return one
    return None


def _conflict(earlier: Credential) -> dict[str, Any]:
    """Return the legacy refusal, its documented inconsistency included."""
    if earlier.app.kind is Kind.USER_LEVEL:
        noun, named = "user", f"user_id: {earlier.user_id}"
        key, value = "conflicting_zoom_user_id", earlier.user_id
    else:
        noun, named = "account", f"account_id: {earlier.account_id}"
        key, value = "conflicting_zoom_account_id", earlier.account_id
    detail = (
        "A Zoom OAuth Credential already exists for this OAuth App and Zoom "
        f"account({named}). A Zoom OAuth App can have at most one Zoom OAuth "
        f"Credential registered per authorized Zoom {noun}. Please delete the "
        f"existing Zoom OAuth Credential for Zoom {noun}({named}) and try again."
    )
    return {"detail": detail, key: value}
