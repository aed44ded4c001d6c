"""Data deletions: deadlines and progress, without personal data."""

from flask import Blueprint, render_template

from dashboard.services.erasure import erasures
from dashboard.services.staff.permissions import Permission
from dashboard.web.access import requires
from dashboard.web.context import db

bp = Blueprint("erasures", __name__, url_prefix="/connections/erasures")


@bp.get("/", strict_slashes=False)
@requires(Permission.CONNECTIONS_READ)
def index() -> str:
    """List the data deletions, pending ones first."""
    return render_template("erasures/index.html", rows=erasures.listed(db()))
