"""Tokens of the API: made once, shown once, revoked. For admins."""

from uuid import UUID

from flask import Blueprint, flash, make_response, render_template, url_for
from flask.typing import ResponseReturnValue

from dashboard.errors import ConflictError, InvalidInputError, NotFoundError
from dashboard.services.api_tokens import tokens
from dashboard.services.staff.permissions import Permission
from dashboard.services.zoom_apps import apps
from dashboard.web import htmx
from dashboard.web.access import requires
from dashboard.web.context import actor, db, now, runtime
from dashboard.web.errors import show_on
from dashboard.web.forms.api_token import ApiTokenForm

bp = Blueprint("api_tokens", __name__, url_prefix="/settings/api-tokens")

_GONE = "This zoom app no longer exists. Choose another one."


@bp.get("/")
@requires(Permission.API_TOKENS_WRITE)
def index() -> ResponseReturnValue:
    """List the tokens, and show the form for another one."""
    return _page(ApiTokenForm())


@bp.post("/")
@requires(Permission.API_TOKENS_WRITE, fresh=True)
def create() -> ResponseReturnValue:
    """Make a token and show it, once."""
    form = ApiTokenForm()
    form.offer(apps.list_all(db()))
    if not form.validate():
        return _page(form, status=422)
    try:
        with runtime().database.writing() as session:
            made = tokens.make(
                session,
                name=form.name.data or "",
                scopes=form.scopes.data or [],
                days=form.days.data or tokens.LASTS_DAYS,
                zoom_app_id=form.zoom_app_id(),
                actor=actor(),
                now=now(),
            )
            name, expires_at = made.row.name, made.row.expires_at
    except InvalidInputError as error:
        show_on(form, error, field="name")
        return _page(form, status=422)
    except (NotFoundError, ValueError):
        form.app.errors = [_GONE]
        return _page(form, status=422)
    page = render_template(
        "api_tokens/made.html", name=name, token=made.token, expires_at=expires_at
    )
    response = make_response(page)
    response.headers["Cache-Control"] = "no-store"
    return response


@bp.post("/<uuid:api_token_id>/revoke")
@requires(Permission.API_TOKENS_WRITE)
def revoke(api_token_id: UUID) -> ResponseReturnValue:
    """End a token."""
    try:
        with runtime().database.writing() as session:
            tokens.revoke(session, api_token_id, actor=actor(), now=now())
    except ConflictError as error:
        flash(str(error), "trouble")
    else:
        flash("Revoked. The next call with this token is refused.", "good")
    return htmx.go_to(url_for(".index"))


def _page(form: ApiTokenForm, *, status: int = 200) -> ResponseReturnValue:
    found = apps.list_all(db())
    form.offer(found)
    at = now()
    rows = tokens.list_all(db())
    page = render_template(
        "api_tokens/index.html",
        form=form,
        rows=rows,
        valid={row.id for row in rows if tokens.is_valid(row, now=at)},
        names={app.id: app.name for app in found},
    )
    return page, status
