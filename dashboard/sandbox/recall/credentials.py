"""Zoom OAuth credentials (docs/contracts/recall.md 3.5)."""

from http import HTTPStatus

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

from dashboard.sandbox.recall import filters, grants, paging, syncing
from dashboard.sandbox.recall.connecting import connect
from dashboard.sandbox.recall.here import RefusalError, caller, not_found, world
from dashboard.sandbox.recall.outside import UnreachableError
from dashboard.sandbox.recall.records import Credential, Health, Sync, written

blueprint = Blueprint(
    "credentials", __name__, url_prefix="/api/v2/zoom-oauth-credentials"
)


def own_credential(credential_id: str) -> Credential:
    """Return a credential of the caller's workspace.

    Raises:
        RefusalError: 404, there is none.
    """
    credential = world().credentials.get(credential_id.lower())
    if credential is None or credential.workspace is not caller():
        raise not_found()
    return credential


@blueprint.get("/", endpoint="list")
def list_() -> ResponseReturnValue:
    """List the workspace's credentials."""
    app, user = filters.identity("oauth_app"), filters.text("user_id")
    account = filters.text("account_id")
    status = filters.choice("status", Health)
    sync = filters.choice("meeting_sync_status", Sync)
    its_world = world()
    with its_world.lock:
        found = [
            one
            for one in its_world.credentials.values()
            if one.workspace is caller()
            and app in (None, one.app.id)
            and user in (None, one.user_id)
            and account in (None, one.account_id)
            and status in (None, one.status)
            and sync in (None, one.meeting_sync_status)
            and filters.within("created_at", one.created_at)
        ]
        return jsonify(paging.page(found, ordering="created_at"))


@blueprint.post("/")
def create() -> ResponseReturnValue:
    """Connect a Zoom user or account, or connect it again."""
    credential, status = connect()
    return jsonify(credential.as_json()), status


@blueprint.get("/<credential_id>/")
def retrieve(credential_id: str) -> ResponseReturnValue:
    """Return one credential."""
    return jsonify(own_credential(credential_id).as_json())


@blueprint.delete("/<credential_id>/")
def destroy(credential_id: str) -> ResponseReturnValue:
    """Forget a credential."""
    world().remove_credential(own_credential(credential_id))
    return "", HTTPStatus.NO_CONTENT


@blueprint.get("/<credential_id>/access-token/")
def access_token(credential_id: str) -> ResponseReturnValue:
    """Hand out the Zoom access token, refreshed ahead unless switched off."""
    its_world, credential = world(), own_credential(credential_id)
    if credential.status is Health.UNHEALTHY:
        detail = "The Zoom OAuth Credential is unhealthy."
        body = {"code": "zoom_oauth_credential_unhealthy", "detail": detail}
        raise RefusalError(400, body)
    stored = credential.access_token_callback_url is None
    if stored and not its_world.switches.refresh_ahead:
        grant = credential.grant
    else:
        try:
            grant = grants.renewed(its_world, credential)
        except (grants.GrantError, UnreachableError) as error:
            its_world.record_failure(credential, str(error))
            body = {"code": "zoom_access_token_unavailable", "detail": str(error)}
            raise RefusalError(400, body) from None
    expires_at = written(grant.expires_at)
    return jsonify(token=grant.access_token, expires_at=expires_at)


@blueprint.post("/<credential_id>/validate/")
def validate(credential_id: str) -> ResponseReturnValue:
    """Check the credential at Zoom; the outcome is read with a GET afterwards."""
    grants.recheck(world(), own_credential(credential_id))
    return ""


@blueprint.post("/<credential_id>/sync-meetings/")
def sync_meetings(credential_id: str) -> ResponseReturnValue:
    """Start a resync."""
    syncing.start(world(), own_credential(credential_id))
    return ""
