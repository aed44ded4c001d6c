"""`/users/…` and `/meetings/…`: the pages of the people who have Zoom accounts."""

from datetime import UTC, datetime

from flask import Blueprint, redirect, render_template, request, url_for
from pydantic import ValidationError
from werkzeug.wrappers import Response

from dashboard.sandbox.zoom.refusals import RefusedError
from dashboard.sandbox.zoom.world import ZoomWorld

Answer = str | tuple[str, int] | Response


def blueprint(world: ZoomWorld) -> Blueprint:
    """Return the routes of users and their meetings."""
    bp = Blueprint("people", __name__)
    _add_users(bp, world)
    _add_changes(bp, world)
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
        return _go_to(world.add_user(**fields).id)

    @bp.get("/users/<user_id>")
    def show(user_id: str) -> Answer:
        return _user_page(world, user_id)


def _add_changes(bp: Blueprint, world: ZoomWorld) -> None:
    @bp.post("/users/<user_id>/pmi")
    def change_pmi(user_id: str) -> Answer:
        digits = "".join(request.form.get("pmi", "").split())
        if not digits.isascii() or not digits.isdigit() or len(digits) not in {10, 11}:
            problem = "A Personal Meeting ID has 10 or 11 digits."
            return _user_page(world, user_id, problem), 422
        world.change_pmi(user_id, int(digits))
        return _go_to(user_id)

    @bp.post("/users/<user_id>/profile")
    def change_profile(user_id: str) -> Answer:
        name = request.form.get("display_name", "").strip()
        world.change_user(user_id, display_name=name)
        return _go_to(user_id)

    @bp.post("/users/<user_id>/active")
    def set_active(user_id: str) -> Answer:
        if request.form.get("active") == "yes":
            world.activate_user(user_id)
        else:
            world.deactivate_user(user_id)
        return _go_to(user_id)

    @bp.post("/users/<user_id>/uninstall")
    def uninstall(user_id: str) -> Answer:
        try:
            world.uninstall(request.form.get("client_id", ""), user_id)
        except RefusedError as error:
            return _user_page(world, user_id, str(error)), 422
        return _go_to(user_id)


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
            return _user_page(world, user_id, "That is no date and time."), 422
        return _go_to(user_id)

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
        return _go_to(host_id)


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
                if state.living_grant(app.client_id, user_id) is not None
            ],
            problem=problem,
        )


def _go_to(user_id: str) -> Response:
    return redirect(url_for("people.show", user_id=user_id), 303)
