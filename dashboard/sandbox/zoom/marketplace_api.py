"""`/v2/marketplace/…`: manifests and event subscriptions by API."""

from flask import Blueprint, Response, jsonify, request
from pydantic import ValidationError

from dashboard.sandbox.zoom import callers, importing, manifests, subscribing
from dashboard.sandbox.zoom.records import ZoomApp
from dashboard.sandbox.zoom.refusals import ApiError, RefusedError
from dashboard.sandbox.zoom.subscribing import Asked
from dashboard.sandbox.zoom.world import ZoomWorld


def blueprint(world: ZoomWorld) -> Blueprint:
    """Return the routes under `/v2/marketplace`."""
    bp = Blueprint("marketplace_api", __name__, url_prefix="/v2/marketplace")
    bp.register_error_handler(ApiError, callers.answer)

    @bp.before_request
    def limit() -> None:
        callers.require_rate(world.state)

    _add_manifests(bp, world)
    _add_subscriptions(bp, world)
    return bp


def _add_manifests(bp: Blueprint, world: ZoomWorld) -> None:
    state = world.state

    @bp.post("/apps/manifest/validate")
    def validate() -> Response:
        with state.lock:
            callers.find(state).require("manifest/read")
        return jsonify(manifests.answer(_body().get("manifest")))

    @bp.get("/apps/<app_id>/manifest")
    def export(app_id: str) -> Response:
        with state.lock:
            callers.find(state).require("manifest/read")
            try:
                return jsonify(manifest=importing.give(_app(world, app_id)))
            except RefusedError as error:
                raise ApiError(404, 1500, str(error)) from None

    @bp.put("/apps/<app_id>/manifest")
    def update(app_id: str) -> Response:
        with state.lock:
            callers.find(state).require("manifest/write")
            client_id = _app(world, app_id).client_id
        manifest = _body().get("manifest")
        if manifests.complaints(manifest):
            refused = jsonify(manifests.answer(manifest))
            refused.status_code = 400
            return refused
        try:
            world.import_manifest(client_id, manifest)
        except RefusedError as error:
            raise ApiError(400, 300, str(error)) from None
        return Response()


def _add_subscriptions(bp: Blueprint, world: ZoomWorld) -> None:
    state, path = world.state, "/app/event_subscription"

    def owner(need: str) -> ZoomApp:
        """Return the app whose own token this is."""
        caller = callers.find(state)
        caller.require(f"subscription/{need}")
        return state.app(caller.grant.client_id)

    @bp.get(path)
    def index() -> Response:
        with state.lock:
            found = subscribing.listed(
                state,
                owner("read"),
                scope=request.args.get("subscription_scope", ""),
                user_id=request.args.get("user_id", ""),
                account_id=request.args.get("account_id", ""),
            )
        return jsonify(event_subscriptions=found, page_size=30, next_page_token="")

    @bp.post(path)
    def create() -> tuple[Response, int]:
        with state.lock:
            app = owner("create")
        made = world.subscribe(app, _asked())
        return jsonify(event_subscription_id=made.id), 201

    @bp.patch(path)
    def change() -> tuple[str, int]:
        if not state.switches.updates_subscriptions:
            raise ApiError(405, 405, "Request method 'PATCH' is not supported.")
        with state.lock:
            app = owner("change")
        world.change_subscription(app, _asked())
        return "", 204

    @bp.patch(f"{path}/<subscription_id>")
    def join(subscription_id: str) -> tuple[str, int]:
        with state.lock:
            subscribing.join(state, owner("change"), subscription_id, _asked())
        return "", 204

    @bp.delete(f"{path}/<subscription_id>")
    def delete(subscription_id: str) -> tuple[str, int]:
        with state.lock:
            subscribing.delete(state, owner("delete"), subscription_id)
        return "", 204


def _app(world: ZoomWorld, app_id: str) -> ZoomApp:
    for app in world.state.apps.values():
        if app.app_id == app_id:
            return app
    raise ApiError(404, 1500, "The app does not exist.")


def _asked() -> Asked:
    try:
        return Asked.model_validate(_body())
    except ValidationError:
        raise ApiError(400, 300, "Validation Failed.") from None


def _body() -> dict[str, object]:
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        raise ApiError(400, 300, "Request Body should be a valid JSON object.")
    return body
