"""The page of one zoom app, which several views answer with."""

from uuid import UUID

from flask import render_template
from flask.typing import ResponseReturnValue

from dashboard.services import gone_apps, moving, zoom_app_pages, zoom_apps
from dashboard.services.recall_apps import CreateResult
from dashboard.services.zoom_app_pages import ZoomAppPage
from dashboard.web import charts
from dashboard.web.context import db, gathered, now, services
from dashboard.web.forms.zoom_app import CreateInRecallForm

_CONFLICT = 409


def look(zoom_app_id: UUID) -> ZoomAppPage:
    """Gather the page of a zoom app as of now.

    Raises:
        NotFoundError: There is no such zoom app.
    """
    return gathered(
        zoom_app_id,
        lambda: zoom_app_pages.page(
            db(),
            zoom_app_id,
            settings=services().settings,
            public_url=services().public_url,
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
        move=moving.glance(db(), zoom_app_id),
        is_gone=gone_apps.is_gone(db(), zoom_apps.get(db(), zoom_app_id)),
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
