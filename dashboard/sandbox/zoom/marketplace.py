"""`/marketplace/…`: the pages on which a developer sets up a Zoom app."""

import json

from flask import Blueprint, redirect, render_template, request, url_for
from pydantic import ValidationError
from werkzeug.wrappers import Response

from dashboard.sandbox.zoom import scopes
from dashboard.sandbox.zoom.records import Environment, Kind
from dashboard.sandbox.zoom.refusals import RefusedError
from dashboard.sandbox.zoom.world import ZoomWorld

Answer = str | tuple[str, int] | Response

_NOTICES = {
    "created": "App created.",
    "saved": "Saved.",
    "validated": "URL validated and saved.",
    "imported": "Manifest imported; the webhook URL is validated.",
    "regenerated": "Secret Token regenerated. The old one is void.",
}
_SHOWN_DELIVERIES = 20


def blueprint(world: ZoomWorld) -> Blueprint:
    """Return the routes under `/marketplace`."""
    bp = Blueprint("marketplace", __name__, url_prefix="/marketplace")
    _add_list(bp, world)
    _add_fields(bp, world)
    _add_webhook(bp, world)
    _add_import(bp, world)
    return bp


def _add_list(bp: Blueprint, world: ZoomWorld) -> None:
    @bp.get("/")
    def index() -> Answer:
        with world.state.lock:
            return render_template(
                "marketplace.html",
                apps=list(world.state.apps.values()),
                users=list(world.state.users.values()),
            )

    @bp.get("/new")
    def new() -> Answer:
        return _new_page()

    @bp.post("/new")
    def create() -> Answer:
        fields: dict[str, object] = {
            "name": request.form.get("name", "").strip(),
            "environment": request.form.get("environment", ""),
            "kind": request.form.get("kind", ""),
        }
        try:
            app = world.add_app(**fields)
        except ValidationError:
            return _new_page("Give the app a name of at most 50 characters."), 422
        return _go_to(app.client_id, "created")

    @bp.get("/apps/<client_id>")
    def show(client_id: str) -> Answer:
        return _app_page(world, client_id)


def _add_fields(bp: Blueprint, world: ZoomWorld) -> None:
    def change(client_id: str, **fields: object) -> Answer:
        try:
            world.change_app(client_id, **fields)
        except RefusedError as error:
            return _app_page(world, client_id, str(error)), 422
        return _go_to(client_id, "saved")

    @bp.post("/apps/<client_id>/redirect")
    def save_redirect(client_id: str) -> Answer:
        return change(
            client_id,
            redirect_url=_typed("redirect_url"),
            allow_list=request.form.get("allow_list", "").split(),
            strict_mode="strict_mode" in request.form,
        )

    @bp.post("/apps/<client_id>/deauthorization")
    def save_deauthorization(client_id: str) -> Answer:
        return change(client_id, deauthorization_url=_typed("deauthorization_url"))

    @bp.post("/apps/<client_id>/scopes")
    def save_scopes(client_id: str) -> Answer:
        return change(
            client_id,
            scopes=request.form.get("scopes", "").split(),
            optional_scopes=request.form.get("optional_scopes", "").split(),
        )

    @bp.post("/apps/<client_id>/publish")
    def publish(client_id: str) -> Answer:
        return change(client_id, published="published" in request.form)

    @bp.post("/apps/<client_id>/secret-token")
    def regenerate(client_id: str) -> Answer:
        world.regenerate_secret_token(client_id)
        return _go_to(client_id, "regenerated")

    @bp.post("/apps/<client_id>/install")
    def install(client_id: str) -> Answer:
        try:
            return redirect(world.install(client_id, request.form.get("user_id", "")))
        except RefusedError as error:
            return _app_page(world, client_id, str(error)), 422


def _add_webhook(bp: Blueprint, world: ZoomWorld) -> None:
    @bp.post("/apps/<client_id>/webhook")
    def save_webhook(client_id: str) -> Answer:
        url = _typed("webhook_url")
        try:
            if request.form.get("do") == "validate":
                verdict = world.validate(client_id, url)
                problem = None if verdict.valid else verdict.message
                done = "validated"
                if verdict.valid:
                    world.change_app(client_id, events=request.form.getlist("events"))
            else:
                problem, done = _save_subscription(world, client_id, url), "saved"
        except RefusedError as error:
            problem, done = str(error), ""
        if problem is not None:
            return _app_page(world, client_id, problem, typed_url=url), 422
        return _go_to(client_id, done)


def _add_import(bp: Blueprint, world: ZoomWorld) -> None:
    @bp.post("/apps/<client_id>/manifest")
    def import_manifest(client_id: str) -> Answer:
        text = request.form.get("manifest", "")
        file = request.files.get("file")
        if file:
            text = file.read().decode(errors="replace")
        try:
            world.import_manifest(client_id, json.loads(text))
        except ValueError:
            problem = "The manifest is not JSON."
            return _app_page(world, client_id, problem), 422
        except RefusedError as error:
            return _app_page(world, client_id, str(error)), 422
        return _go_to(client_id, "imported")


def _save_subscription(world: ZoomWorld, client_id: str, url: str | None) -> str | None:
    """Save URL and events; return the objection if there is one."""
    app = world.state.app(client_id)
    proven = url == app.webhook_url and app.validated_at is not None
    if url is not None and not proven:
        # A subscription cannot be saved before it is validated (docs/contracts/zoom.md
        # 5.1).
        return "The URL is not validated yet. Press Validate first."
    if url is not None and not app.subscription_enabled:
        return "The event subscription was disabled. Press Validate to enable it again."
    events = request.form.getlist("events")
    world.change_app(client_id, webhook_url=url, events=events)
    return None


def _app_page(
    world: ZoomWorld,
    client_id: str,
    problem: str | None = None,
    *,
    typed_url: str | None = None,
) -> str:
    with world.state.lock:
        app = world.state.app(client_id)
        own = [d for d in world.state.deliveries if d.client_id == client_id]
        return render_template(
            "app.html",
            app=app,
            users=list(world.state.users.values()),
            events=[e for e in scopes.EVENTS if scopes.is_allowed(e, app.scopes)],
            deliveries=list(reversed(own))[:_SHOWN_DELIVERIES],
            subscriptions=[
                one for one in world.state.subscriptions if one.client_id == client_id
            ],
            mails=[m for m in world.state.mails if m.client_id == client_id],
            problem=problem,
            typed_url=typed_url,
            notice=_NOTICES.get(request.args.get("done", "")),
        )


def _new_page(problem: str | None = None) -> str:
    return render_template(
        "app_new.html",
        kinds=list(Kind),
        environments=list(Environment),
        problem=problem,
    )


def _go_to(client_id: str, done: str) -> Response:
    return redirect(url_for("marketplace.show", client_id=client_id, done=done), 303)


def _typed(field: str) -> str | None:
    return request.form.get(field, "").strip() or None
