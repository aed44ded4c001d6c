"""Explain: paste anything, read one sentence, and the evidence under it."""

from collections.abc import Collection, Sequence
from http import HTTPStatus
from typing import cast
from uuid import UUID

from flask import Blueprint, Flask, Response, current_app, request
from flask.typing import ResponseReturnValue

from dashboard.models.zoom_app import ZoomApp
from dashboard.services import urls
from dashboard.services.explain import explain
from dashboard.services.explain.explain import Answer
from dashboard.services.explain.verdicts import Target
from dashboard.services.invitations.invitations import LASTS_DAYS
from dashboard.services.staff.permissions import Permission
from dashboard.services.sweep.on_demand import ANSWER_WITHIN_S, OnDemandChecks
from dashboard.services.zoom_apps import apps as zoom_apps
from dashboard.web import htmx
from dashboard.web.access import requires
from dashboard.web.context import db, now, record, runtime
from dashboard.web.forms.explain import ExplainForm

bp = Blueprint("explain", __name__, url_prefix="/explain")

_EXTENSION = "dashboard.checks"


@bp.get("/")
@requires(Permission.CONNECTIONS_READ)
def index() -> ResponseReturnValue:
    """Show the box; explain the connection or webhook whose ID is in the address."""
    asked = explain.by_id(request.args.get("id", ""))
    if asked is None:
        return _page(ExplainForm(formdata=None), None)
    found = explain.answer(db(), runtime().vault, asked, now=now())
    return _page(ExplainForm(formdata=None, q=asked.shown), found)


@bp.post("/")
@requires(Permission.CONNECTIONS_READ)
def create() -> ResponseReturnValue:
    """Explain what was pasted. Nothing of it is kept, here or in an address."""
    form = ExplainForm()
    if not form.validate():
        return _page(form, None, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    found = explain.explain(db(), runtime().vault, form.q.data or "", now=now())
    checks().begin(found.unsure, has_meeting=found.asked.number is not None)
    return _page(_refilled(form, found), found, checked=found.unsure)


@bp.post("/recall")
@requires(Permission.CONNECTIONS_READ)
def recall() -> ResponseReturnValue:
    """Explain the same, with what Recall itself and a new health check say."""
    form = ExplainForm()
    if not form.validate():
        return _page(form, None, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    text = form.q.data or ""
    found = explain.explain(db(), runtime().vault, text, now=now())
    checked = found.unsure
    record("explain.recall_asked", "")  # nothing of what was pasted is kept
    checks().begin(checked, has_meeting=found.asked.number is not None)
    said = explain.ask_recall(
        runtime(), meeting_id=found.asked.number, connection_id=found.connection_id
    )
    checks().wait(checked)
    if checked or said.heard or said.bot:  # the answer above says so too
        found = explain.explain(
            db(), runtime().vault, text, heard=said.heard, bot=said.bot, now=now()
        )
    return _page(
        _refilled(form, found), found, recall_lines=said.lines, checked=checked
    )


def install(app: Flask, on_demand: OnDemandChecks) -> None:
    """Give the app the checks that questions start."""
    app.extensions[_EXTENSION] = on_demand


def checks() -> OnDemandChecks:
    """Return those of this request's app."""
    return cast("OnDemandChecks", current_app.extensions[_EXTENSION])


def _apps(found: Answer | None) -> Sequence[ZoomApp]:
    """Return the zoom apps that somebody may be invited to."""
    if found is None or not found.invite_email:
        return []
    return [app for app in zoom_apps.list_all(db()) if app.retired_at is None]


def _refilled(form: ExplainForm, found: Answer) -> ExplainForm:
    """Put back what was understood, without a password; else what was typed."""
    return ExplainForm(formdata=None, q=found.asked.shown or form.q.data)


def _page(
    form: ExplainForm,
    found: Answer | None,
    *,
    status: int = 200,
    recall_lines: object = None,
    checked: Collection[UUID] = (),
) -> Response:
    connect_url = None
    if found is not None and found.verdict.target is Target.CONNECT_LINK:
        slug = found.target_id
        connect_url = urls.connect_url(runtime().hosted_url, slug) if slug else ""
    return htmx.page_or_fragment(
        "explain/index.html",
        "explain/partials/_answer.html",
        status=status,
        form=form,
        answer=found,
        recall_lines=recall_lines,
        is_checking=checks().is_running(checked),
        check_s=ANSWER_WITHIN_S,
        not_checked=checks().missed(checked),
        connect_url=connect_url,
        invite_apps=_apps(found),
        invite_days=LASTS_DAYS,
    )
