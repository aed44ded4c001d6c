"""Alerts: what is open, what was, and that a person takes care of one."""

from flask import Blueprint, flash, render_template, request, url_for
from flask.typing import ResponseReturnValue

from dashboard.db.columns import LARGEST_ID
from dashboard.errors import ConflictError
from dashboard.services.alert_channels import channels, rules
from dashboard.services.alerts import listing
from dashboard.services.paging import Place
from dashboard.services.staff.permissions import Permission
from dashboard.web import htmx
from dashboard.web.access import requires
from dashboard.web.context import actor, db, now, runtime
from dashboard.web.paging import with_query

bp = Blueprint("alerts", __name__, url_prefix="/alerts")


@bp.get("/", strict_slashes=False)
@requires(Permission.ALERTS_READ)
def index() -> str:
    """List what is open, then the history."""
    before = request.args.get("before", "")
    is_place = before.isascii() and before.isdigit() and int(before[:20]) <= LARGEST_ID
    place = Place(before=int(before) if is_place else None)
    rows, page = listing.history(db(), place)
    found = channels.list_all(db())
    return render_template(
        "alerts/index.html",
        open=listing.open_alerts(db()),
        rows=rows,
        words=rules.KIND_WORDS,
        channels=found,
        failing={each.id for each in found if channels.is_failing(each, now=now())},
        labels=channels.KIND_LABELS,
        has_mail=runtime().settings.mail_server is not None,
        newest_url=url_for(".index") if place.before else None,
        older_url=with_query(url_for(".index"), (), before=str(page.older_before))
        if page.older_before
        else None,
    )


@bp.get("/<int:alert_id>")
@requires(Permission.ALERTS_READ)
def show(alert_id: int) -> str:
    """Show one alert and what was said of it."""
    return render_template(
        "alerts/show.html",
        row=listing.find(db(), min(alert_id, LARGEST_ID)),
        said=listing.said(db(), min(alert_id, LARGEST_ID)),
        outcomes=listing.OUTCOMES,
        words=rules.KIND_WORDS,
    )


@bp.post("/<int:alert_id>/acknowledge")
@requires(Permission.ALERTS_ACKNOWLEDGE)
def acknowledge(alert_id: int) -> ResponseReturnValue:
    """Note that this person takes care of it."""
    try:
        with runtime().database.writing() as session:
            listing.acknowledge(
                session, min(alert_id, LARGEST_ID), actor=actor(), now=now()
            )
    except ConflictError as error:
        flash(str(error), "trouble")
    else:
        flash("Acknowledged. There are no more reminders of it.", "good")
    return htmx.go_to(url_for(".show", alert_id=alert_id))
