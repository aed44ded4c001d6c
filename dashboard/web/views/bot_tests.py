"""Test bots of a zoom app: sent by an admin, watched by all who may read it."""

from uuid import UUID

from flask import Blueprint, render_template, url_for
from flask.typing import ResponseReturnValue

from dashboard.errors import ConflictError, InvalidInputError
from dashboard.models.bot_test import BotTest
from dashboard.services.bot_tests import runs
from dashboard.services.staff.permissions import Permission
from dashboard.services.zoom_apps import apps
from dashboard.web import htmx
from dashboard.web.access import requires
from dashboard.web.context import actor, db, runtime
from dashboard.web.errors import show_on
from dashboard.web.forms.bot_test import BotTestForm

bp = Blueprint("bot_tests", __name__, url_prefix="/zoom-apps/<uuid:zoom_app_id>")

_UNPROCESSABLE = 422


@bp.get("/test-bot")
@requires(Permission.CONNECTIONS_READ)
def index(zoom_app_id: UUID) -> str:
    """Show the form and the last runs."""
    return _page(zoom_app_id, BotTestForm())


@bp.post("/test-bot")
@requires(Permission.ZOOM_APPS_WRITE)
def create(zoom_app_id: UUID) -> ResponseReturnValue:
    """Send a bot."""
    form = BotTestForm()
    if not form.validate():
        return _page(zoom_app_id, form), _UNPROCESSABLE
    try:
        meeting = form.meeting.data or ""
        runs.begin(runtime(), zoom_app_id, meeting, actor=actor())
    except InvalidInputError as error:
        show_on(form, error, field="meeting")
        return _page(zoom_app_id, form), _UNPROCESSABLE
    except ConflictError as error:
        show_on(form, error, field="meeting")
        return _page(zoom_app_id, form), _UNPROCESSABLE
    return htmx.go_to(url_for(".index", zoom_app_id=zoom_app_id))


@bp.get("/test-bot/<uuid:run_id>")
@requires(Permission.CONNECTIONS_READ)
def show(zoom_app_id: UUID, run_id: UUID) -> str:
    """Return one run as a part of the page; it asks again until the bot has ended."""
    row = runs.find(db(), zoom_app_id, run_id)
    return render_template("bot_tests/partials/_run.html", run=_drawn(row))


def _page(zoom_app_id: UUID, form: BotTestForm) -> str:
    return render_template(
        "bot_tests/index.html",
        app=apps.get(db(), zoom_app_id),
        form=form,
        found=[_drawn(row) for row in runs.latest(db(), zoom_app_id)],
    )


def _drawn(row: BotTest) -> dict[str, object]:
    return {"row": row, "steps": runs.steps_of(row), "verdict": runs.verdict_of(row)}
