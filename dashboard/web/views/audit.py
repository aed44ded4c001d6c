"""The audit log. Only admins see it."""

from flask import Blueprint, render_template, request

from dashboard.services import audit
from dashboard.services.staff.permissions import Permission
from dashboard.web.access import requires
from dashboard.web.context import db
from dashboard.web.paging import row_id

bp = Blueprint("audit", __name__, url_prefix="/audit")

_PAGE = 50


@bp.get("/")
@requires(Permission.AUDIT_READ)
def index() -> str:
    """List the entries, newest first."""
    before = request.args.get("before", type=row_id)
    act = request.args.get("act", "")[:64]
    found = list(audit.page(db(), before=before, act=act, limit=_PAGE + 1))
    entries, more = found[:_PAGE], len(found) > _PAGE
    return render_template(
        "audit/index.html",
        entries=entries,
        act=act,
        before=before,
        next_before=entries[-1].id if more else None,
    )
