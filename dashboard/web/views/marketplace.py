"""What Zoom's console needs of a zoom app: manifest, subscription, review kit."""

from collections.abc import Callable
from http import HTTPStatus
from uuid import UUID

from flask import Blueprint, Response, render_template
from flask.typing import ResponseReturnValue

from dashboard.errors import ConflictError
from dashboard.services.erasure import erasures
from dashboard.services.marketplace import console, manifest, subscriptions
from dashboard.services.marketplace import review as review_texts
from dashboard.services.marketplace.console import Console
from dashboard.services.marketplace.subscriptions import SubscriptionCheck
from dashboard.services.retention.pruning import days_kept
from dashboard.services.staff.permissions import Permission
from dashboard.web.access import requires
from dashboard.web.context import actor, db, runtime

bp = Blueprint("marketplace", __name__, url_prefix="/zoom-apps/<uuid:zoom_app_id>")


@bp.get("/manifest")
@requires(Permission.ZOOM_APPS_READ)
def manifest_page(zoom_app_id: UUID) -> str:
    """Show what would make an import fail, and the manifest."""
    here = _console(zoom_app_id)
    problems = manifest.problems(here)
    is_ready = not any(problem.is_fatal for problem in problems)
    return render_template(
        "marketplace/manifest.html",
        here=here,
        problems=problems,
        text=manifest.text(here) if is_ready else None,
    )


@bp.get("/manifest.json")
@requires(Permission.ZOOM_APPS_READ)
def manifest_file(zoom_app_id: UUID) -> Response:
    """Return the manifest as a file; it contains no secrets."""
    here = _console(zoom_app_id)
    response = Response(manifest.text(here), mimetype="application/json")
    response.headers.set(
        "Content-Disposition", "attachment", filename=manifest.file_name(here)
    )
    return response


@bp.get("/review")
@requires(Permission.ZOOM_APPS_READ)
def review(zoom_app_id: UUID) -> str:
    """Show the review kit, filled with the app's own values."""
    here = _console(zoom_app_id)
    periods = review_texts.Periods(
        retention=days_kept(runtime().settings), deletion=erasures.DEADLINE.days
    )
    found = review_texts.texts(here, periods)
    return render_template(
        "marketplace/review.html",
        here=here,
        problems=console.problems(here),
        texts=found,
    )


@bp.get("/subscription")
@requires(Permission.ZOOM_APPS_READ)
def subscription(zoom_app_id: UUID) -> ResponseReturnValue:
    """Show the last known state of the subscription via API; calls no API."""
    return _subscription(zoom_app_id)


@bp.post("/subscription/read")
@requires(Permission.ZOOM_APPS_WRITE)
def read(zoom_app_id: UUID) -> ResponseReturnValue:
    """Read the subscription from Zoom and compare it."""
    return _run(subscriptions.read, zoom_app_id)


@bp.post("/subscription/create")
@requires(Permission.ZOOM_APPS_WRITE)
def create(zoom_app_id: UUID) -> ResponseReturnValue:
    """Create it in Zoom unless it exists."""
    return _run(subscriptions.create, zoom_app_id)


@bp.post("/subscription/mend")
@requires(Permission.ZOOM_APPS_WRITE)
def fix(zoom_app_id: UUID) -> ResponseReturnValue:
    """Change it to match what is expected."""
    return _run(subscriptions.fix, zoom_app_id)


def _run(
    do: Callable[..., SubscriptionCheck], zoom_app_id: UUID
) -> ResponseReturnValue:
    # The comparison is shown at once: what Zoom has is not kept, only whether it fits.
    try:
        seen = do(runtime(), zoom_app_id, actor=actor())
    except ConflictError as error:
        return _subscription(zoom_app_id, problem=str(error))
    return _subscription(zoom_app_id, seen=seen)


def _subscription(
    zoom_app_id: UUID,
    *,
    seen: SubscriptionCheck | None = None,
    problem: str | None = None,
) -> ResponseReturnValue:
    page = subscriptions.page(
        db(),
        zoom_app_id,
        settings=runtime().settings,
        public_url=runtime().public_url,
    )
    shown = render_template(
        "marketplace/subscription.html",
        page=page,
        rows=seen.rows if seen else page.rows,
        overlaps=seen.overlaps if seen else [],
        problem=problem,
    )
    return shown, HTTPStatus.CONFLICT if problem else HTTPStatus.OK


def _console(zoom_app_id: UUID) -> Console:
    return console.gather(
        db(),
        zoom_app_id,
        settings=runtime().settings,
        public_url=runtime().public_url,
    )
