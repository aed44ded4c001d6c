"""The pages of the simulated Zoom: apps under `/marketplace`, users, meetings."""

import json
from datetime import UTC, datetime

from flask import Blueprint, redirect, render_template, request, url_for
from pydantic import ValidationError
from werkzeug.wrappers import Response

from dashboard.sandbox.zoom import domains, oauth, scopes
from dashboard.sandbox.zoom.errors import RefusedError
from dashboard.sandbox.zoom.records import Environment, Kind
from dashboard.sandbox.zoom.world import ZoomWorld

Answer = str | tuple[str, int] | Response

_NOTICES = {
    "created": "App created.",
    "saved": "Saved.",
    "validated": "URL validated and saved.",
    "imported": "Manifest imported and webhook URL validated.",
    "domain": "Domain verified.",
    "regenerated": "Secret Token regenerated. The old one no longer works.",
}
_SHOWN_DELIVERIES = 20


def apps_blueprint(world: ZoomWorld) -> Blueprint:
    """Return the routes under `/marketplace`."""
    bp = Blueprint("marketplace", __name__, url_prefix="/marketplace")
    _add_apps(bp, world)
    _add_fields(bp, world)
    _add_webhook(bp, world)
    _add_import(bp, world)
    _add_publishing(bp, world)
    _add_token(bp, world)
    return bp


def _add_apps(bp: Blueprint, world: ZoomWorld) -> None:
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
            "scopes": [],  # as Zoom makes one: the owner adds both
            "events": [],
        }
        try:
            app = world.add_app(**fields)
        except ValidationError:
            return _new_page("Give the app a name of at most 50 characters."), 422
        return _to_app(app.client_id, "created")

    @bp.get("/apps/<client_id>")
    def show(client_id: str) -> Answer:
        return _app_page(world, client_id)


def _add_fields(bp: Blueprint, world: ZoomWorld) -> None:
    def change(client_id: str, **fields: object) -> Answer:
        try:
            world.change_app(client_id, **fields)
        except RefusedError as error:
            return _app_page(world, client_id, str(error)), 422
        return _to_app(client_id, "saved")

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
        return _to_app(client_id, "regenerated")

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
                result = world.validate(client_id, url)
                problem = None if result.valid else result.message
                done = "validated"
                if result.valid:
                    world.change_app(client_id, events=request.form.getlist("events"))
            else:
                problem, done = _save_subscription(world, client_id, url), "saved"
        except RefusedError as error:
            problem, done = str(error), ""
        if problem is not None:
            return _app_page(world, client_id, problem, typed_url=url), 422
        return _to_app(client_id, done)


def _add_publishing(bp: Blueprint, world: ZoomWorld) -> None:
    @bp.post("/apps/<client_id>/verify-domain")
    def verify_domain(client_id: str) -> Answer:
        method: domains.Method = "tag" if request.form.get("do") == "tag" else "file"
        if not world.verify_domain(request.form.get("domain", ""), method):
            problem = f"We can't find the {method} on this domain."
            return _app_page(world, client_id, problem), 422
        return _to_app(client_id, "domain")

    @bp.post("/apps/<client_id>/enable-publishing")
    def enable_publishing(client_id: str) -> Answer:
        try:
            world.enable_publishing(client_id)
        except RefusedError as error:
            return _app_page(world, client_id, str(error)), 422
        return _to_app(client_id, "saved")


def _add_token(bp: Blueprint, world: ZoomWorld) -> None:
    @bp.post("/token")
    def token() -> Answer:
        return render_template(
            "token.html",
            token=world.issue_marketplace_token(),
            account_id=world.state.account_id,
            client_id=oauth.SERVER_APP,
            client_secret=world.state.server_app_secret,
            scopes=oauth.MARKETPLACE_SCOPES,
        )


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
        return _to_app(client_id, "imported")


def _save_subscription(world: ZoomWorld, client_id: str, url: str | None) -> str | None:
    """Save URL and events; return the problem if there is one."""
    app = world.state.app(client_id)
    is_validated = url == app.webhook_url and app.validated_at is not None
    if url is not None and not is_validated:
        # docs/contracts/zoom.md 5.1
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
        deliveries = [d for d in world.state.deliveries if d.client_id == client_id]
        return render_template(
            "app.html",
            app=app,
            users=list(world.state.users.values()),
            domain_code=world.state.domain_code,
            domain_file=domains.file_name(world.state.domain_code),
            domain_tag=domains.tag(world.state.domain_code),
            events=[e for e in scopes.EVENTS if scopes.is_allowed(e, app.scopes)],
            deliveries=deliveries[::-1][:_SHOWN_DELIVERIES],
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


def _to_app(client_id: str, done: str) -> Response:
    return redirect(url_for("marketplace.show", client_id=client_id, done=done), 303)


def _typed(field: str) -> str | None:
    return request.form.get(field, "").strip() or None


def users_blueprint(world: ZoomWorld) -> Blueprint:
    """Return the routes under `/users` and `/meetings`."""
    bp = Blueprint("users", __name__)
    _add_users(bp, world)
    _add_user_forms(bp, world)
    _add_meetings(bp, world)
    return bp


def _add_users(bp: Blueprint, world: ZoomWorld) -> None:
    @bp.get("/users/")
    def index() -> Answer:
        return redirect(url_for("marketplace.index", _anchor="users"))

    @bp.post("/users/")
    def create() -> Answer:
        fields: dict[str, object] = {
            name: request.form.get(name, "").strip()
            for name in ("email", "first_name", "last_name")
        }
        if "admin" in request.form:
            fields["role_name"] = "Admin"
        return _to_user(world.add_user(**fields).id)

    @bp.get("/users/<user_id>")
    def show(user_id: str) -> Answer:
        return _user_page(world, user_id)


def _add_user_forms(bp: Blueprint, world: ZoomWorld) -> None:
    @bp.post("/users/<user_id>/pmi")
    def change_pmi(user_id: str) -> Answer:
        digits = "".join(request.form.get("pmi", "").split())
        if not digits.isascii() or not digits.isdigit() or len(digits) not in {10, 11}:
            problem = "A Personal Meeting ID has 10 or 11 digits."
            return _user_page(world, user_id, problem), 422
        world.change_pmi(user_id, int(digits))
        return _to_user(user_id)

    @bp.post("/users/<user_id>/profile")
    def change_profile(user_id: str) -> Answer:
        name = request.form.get("display_name", "").strip()
        world.change_user(user_id, display_name=name)
        return _to_user(user_id)

    @bp.post("/users/<user_id>/active")
    def set_active(user_id: str) -> Answer:
        if request.form.get("active") == "yes":
            world.activate_user(user_id)
        else:
            world.deactivate_user(user_id)
        return _to_user(user_id)

    @bp.post("/users/<user_id>/uninstall")
    def uninstall(user_id: str) -> Answer:
        try:
            world.uninstall(request.form.get("client_id", ""), user_id)
        except RefusedError as error:
            return _user_page(world, user_id, str(error)), 422
        return _to_user(user_id)


def _add_meetings(bp: Blueprint, world: ZoomWorld) -> None:
    @bp.post("/users/<user_id>/meetings")
    def create_meeting(user_id: str) -> Answer:
        fields: dict[str, object] = {"use_pmi": "use_pmi" in request.form}
        topic = request.form.get("topic", "").strip()
        if topic:
            fields["topic"] = topic
        try:
            start = request.form.get("start_time", "")
            if start:
                fields["start_time"] = datetime.fromisoformat(start).replace(tzinfo=UTC)
            world.create_meeting(user_id, **fields)
        except (ValueError, ValidationError):
            return _user_page(world, user_id, "Enter a date and a time."), 422
        return _to_user(user_id)

    @bp.post("/meetings/<int:meeting_id>")
    def change_meeting(meeting_id: int) -> Answer:
        host_id = world.state.meeting(meeting_id).host_id
        match request.form.get("do"):
            case "start":
                world.start_meeting(meeting_id)
            case "end":
                world.end_meeting(meeting_id)
            case "delete":
                world.delete_meeting(meeting_id)
            case _:
                topic = request.form.get("topic", "").strip()
                world.update_meeting(meeting_id, topic=topic or None)
        return _to_user(host_id)


def _user_page(world: ZoomWorld, user_id: str, problem: str | None = None) -> str:
    with world.state.lock:
        state, user = world.state, world.state.user(user_id)
        return render_template(
            "user.html",
            user=user,
            meetings=[m for m in state.meetings.values() if m.host_id == user_id],
            apps=[
                app
                for app in state.apps.values()
                if state.active_grant(app.client_id, user_id) is not None
            ],
            problem=problem,
        )


def _to_user(user_id: str) -> Response:
    return redirect(url_for("users.show", user_id=user_id), 303)
