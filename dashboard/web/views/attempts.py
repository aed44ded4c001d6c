"""Connect attempts as they ended, those that never came back too."""

from flask import Blueprint, request, url_for
from flask.typing import ResponseReturnValue

from dashboard.services.connect import attempts
from dashboard.services.connect.attempts import OUTCOMES
from dashboard.services.staff.permissions import Permission
from dashboard.services.zoom_apps import apps as zoom_apps
from dashboard.web import htmx
from dashboard.web.access import requires
from dashboard.web.context import db, now
from dashboard.web.forms.invitation import attempt_filter
from dashboard.web.paging import with_query

bp = Blueprint("attempts", __name__, url_prefix="/connections/attempts")

_QUERY = ("outcome", "app")


@bp.get("/")
@requires(Permission.CONNECTIONS_READ)
def index() -> ResponseReturnValue:
    """List connect attempts, newest first; every filter is in the query string."""
    apps = zoom_apps.list_all(db())
    form = attempt_filter(apps)
    filters, cursor = form.filters(), request.args.get("cursor")
    found = attempts.page(db(), filters, cursor=cursor)
    lost = [
        (app, found_lost)
        for app in apps
        if app.retired_at is None and filters.zoom_app_id in (None, app.id)
        if (found_lost := attempts.find_lost(db(), app, now=now())) is not None
    ]
    return htmx.page_or_fragment(
        "attempts/index.html",
        "attempts/partials/_list.html",
        form=form,
        rows=found.rows,
        names={app.id: app.name for app in apps},
        outcomes=OUTCOMES,
        lost=lost,
        is_filtered=filters != attempts.Filters(),
        newest_url=_at() if cursor else None,
        older_url=_at(cursor=found.older) if found.older else None,
    )


def _at(**changes: str | None) -> str:
    return with_query(url_for(".index"), _QUERY, **changes)
