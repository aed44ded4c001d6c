"""Zoom OAuth apps (docs/contracts/recall.md 3.1 to 3.4)."""

from http import HTTPStatus

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

from dashboard.sandbox.recall import filters, paging
from dashboard.sandbox.recall.here import FieldsError, caller, not_found, world
from dashboard.sandbox.recall.records import App, Kind
from dashboard.sandbox.recall.schema import checked_body

blueprint = Blueprint("apps", __name__, url_prefix="/api/v2/zoom-oauth-apps")


def own_app(app_id: str) -> App:
    """Return an app of the caller's workspace.

    Raises:
        RefusalError: 404, there is none.
    """
    app = world().apps.get(app_id.lower())
    if app is None or app.workspace is not caller():
        raise not_found()
    return app


@blueprint.get("/", endpoint="list")
def list_() -> ResponseReturnValue:
    """List the workspace's apps."""
    client_id, kind = filters.text("client_id"), filters.text("kind")
    its_world = world()
    with its_world.lock:
        found = [
            app
            for app in its_world.apps.values()
            if app.workspace is caller()
            and client_id in (None, app.client_id)
            and kind in (None, app.kind)
            and filters.within("created_at", app.created_at)
            and filters.within("webhook_last_validation", app.webhook_last_validation)
        ]
        return jsonify(paging.page(found, ordering="created_at"))


@blueprint.post("/")
def create() -> ResponseReturnValue:
    """Record a Zoom app; nothing is checked at Zoom."""
    body = checked_body("ZoomOAuthAppRequest")
    its_world = world()
    with its_world.lock:
        if its_world.switches.duplicate_client_id == "refuse":
            _refuse_second(body["client_id"])
        app = its_world.add_app(
            caller(),
            kind=Kind(body["kind"]),
            client_id=body["client_id"],
            client_secret=body["client_secret"],
            webhook_secret=body["webhook_secret"],
        )
        return jsonify(app.as_json()), HTTPStatus.CREATED


@blueprint.get("/<app_id>/")
def retrieve(app_id: str) -> ResponseReturnValue:
    """Return one app."""
    return jsonify(own_app(app_id).as_json())


@blueprint.patch("/<app_id>/")
def partial_update(app_id: str) -> ResponseReturnValue:
    """Change either secret; client id and kind cannot be changed."""
    app, body = own_app(app_id), checked_body("PatchedZoomOAuthAppUpdateRequest")
    with world().lock:
        app.client_secret = body.get("client_secret", app.client_secret)
        app.webhook_secret = body.get("webhook_secret", app.webhook_secret)
        return jsonify(app.as_json())


@blueprint.delete("/<app_id>/")
def destroy(app_id: str) -> ResponseReturnValue:
    """Forget an app."""
    world().remove_app(own_app(app_id))
    return "", HTTPStatus.NO_CONTENT


def _refuse_second(client_id: str) -> None:
    for app in world().apps.values():
        if app.workspace is caller() and app.client_id == client_id:
            text = "zoom oauth app with this client id already exists."
            raise FieldsError({"client_id": [text]})
