"""The page of one zoom app, which several views answer with."""

from uuid import UUID

from flask import flash, render_template
from flask.typing import ResponseReturnValue

from dashboard.models.workspace import Verdict
from dashboard.services.going_live import transition
from dashboard.services.recall_apps.creation import CreateResult
from dashboard.services.status import zoom_app as status
from dashboard.services.status.zoom_app import ZoomAppPage
from dashboard.services.validation import evidence
from dashboard.services.zoom_apps.credential_checks import SavedZoomApp
from dashboard.web import charts
from dashboard.web.context import db, gathered, now, runtime
from dashboard.web.forms.zoom_app import CreateInRecallForm

_CONFLICT = 409


def look(zoom_app_id: UUID) -> ZoomAppPage:
    """Gather the page of a zoom app as of now.

    Raises:
        NotFoundError: There is no such zoom app.
    """
    return gathered(
        zoom_app_id,
        lambda: status.page(
            db(),
            zoom_app_id,
            settings=runtime().settings,
            public_url=runtime().public_url,
            now=now(),
        ),
    )


def show_page(
    zoom_app_id: UUID,
    *,
    offer: CreateResult | None = None,
    workspace_id: UUID | None = None,
) -> ResponseReturnValue:
    """Render the page.

    Args:
        zoom_app_id: Which.
        offer: What Recall has already, to adopt; answered 409.
        workspace_id: Of the offer.

    Raises:
        NotFoundError: There is no such zoom app.
    """
    page = look(zoom_app_id)
    form = CreateInRecallForm()
    chosen = workspace_id or (page.workspace.id if page.workspace else None)
    form.choose_from(page.workspaces, chosen)
    shown = render_template(
        "zoom_apps/show.html",
        page=page,
        chart=chart(page),
        form=form,
        offered=offer.offered if offer else [],
        offered_in=workspace_id,
        move=transition.status_of(db(), zoom_app_id),
        is_gone=zoom_app_id in evidence.deleted_in_recall(db(), now=now()),
    )
    return shown, _CONFLICT if offer else 200


def chart(page: ZoomAppPage) -> charts.HourBars:
    """Lay out the last 24 hours."""
    return charts.hour_bars(
        [
            charts.Hour(
                starts_at=hour.starts_at,
                count=hour.received + hour.refused,
                trouble=hour.refused + hour.dead,
            )
            for hour in page.traffic.hours
        ]
    )


def say(saved: SavedZoomApp) -> None:
    """Flash what was trimmed, and what Zoom said of the credentials."""
    if saved.trimmed:
        flash(
            f"Removed white space around the {' and the '.join(saved.trimmed)}.",
            "off",
        )
    pair_check = saved.pair_check
    if pair_check is None:
        flash("Saved.", "good")
    elif pair_check.verdict is Verdict.RIGHT:
        flash("Saved. Zoom accepted the client ID and client secret.", "good")
    else:
        flash(f"Saved, but not verified. {pair_check.reason}", "waiting")
