"""Zoom OAuth apps and their logs (docs/contracts/recall.md 3.1 to 3.4 and 3.6)."""

from http import HTTPStatus

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

from dashboard.sandbox.recall import django_rest
from dashboard.sandbox.recall.records import App, Kind
from dashboard.sandbox.recall.requests import (
    FieldsError,
    current_workspace,
    current_world,
    not_found,
)

blueprint = Blueprint("apps", __name__, url_prefix="/api/v2")
_APPS = "/zoom-oauth-apps"


def _app(app_id: str) -> App:
    """Return an app of the workspace.

    Raises:
        RefusalError: 404, there is none.
    """
    app = current_world().apps.get(app_id.lower())
    if app is None or app.workspace is not current_workspace():
        raise not_found()
    return app


@blueprint.get(f"{_APPS}/", endpoint="list")
def list_() -> ResponseReturnValue:
    """List the workspace's apps."""
    client_id, kind = (
        django_rest.text_filter("client_id"),
        django_rest.text_filter("kind"),
    )
    world = current_world()
    with world.lock:
        found = [
            app
            for app in world.apps.values()
            if app.workspace is current_workspace()
            and client_id in (None, app.client_id)
            and kind in (None, app.kind)
            and django_rest.is_within("created_at", app.created_at)
            and django_rest.is_within(
                "webhook_last_validation", app.webhook_last_validation
            )
        ]
        return jsonify(django_rest.page(found, ordering="created_at"))


@blueprint.post(f"{_APPS}/")
def create() -> ResponseReturnValue:
    """Create an app; nothing is checked at Zoom."""
    body = django_rest.checked_body("ZoomOAuthAppRequest")
    world = current_world()
    with world.lock:
        if world.switches.duplicate_client_id == "refuse":
            _refuse_duplicate(body["client_id"])
        app = world.add_app(
            current_workspace(),
            kind=Kind(body["kind"]),
            client_id=body["client_id"],
            client_secret=body["client_secret"],
            webhook_secret=body["webhook_secret"],
        )
        return jsonify(app.as_json()), HTTPStatus.CREATED


@blueprint.get(f"{_APPS}/<app_id>/")
def retrieve(app_id: str) -> ResponseReturnValue:
    """Return one app."""
    return jsonify(_app(app_id).as_json())


@blueprint.patch(f"{_APPS}/<app_id>/")
def partial_update(app_id: str) -> ResponseReturnValue:
    """Change a secret; client ID and kind cannot be changed."""
    app, body = (
        _app(app_id),
        django_rest.checked_body("PatchedZoomOAuthAppUpdateRequest"),
    )
    with current_world().lock:
        app.client_secret = body.get("client_secret", app.client_secret)
        app.webhook_secret = body.get("webhook_secret", app.webhook_secret)
        return jsonify(app.as_json())


@blueprint.delete(f"{_APPS}/<app_id>/")
def destroy(app_id: str) -> ResponseReturnValue:
    """Delete an app."""
    current_world().remove_app(_app(app_id))
    return "", HTTPStatus.NO_CONTENT


def _refuse_duplicate(client_id: str) -> None:
    for app in current_world().apps.values():
        if app.workspace is current_workspace() and app.client_id == client_id:
            text = "zoom oauth app with this client id already exists."
            raise FieldsError({"client_id": [text]})


@blueprint.get("/zoom-oauth-app-logs/")
def logs() -> ResponseReturnValue:
    """List warnings about apps."""
    return django_rest.log_page(current_world().app_logs, about="oauth_app")
