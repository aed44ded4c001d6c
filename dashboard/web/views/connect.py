"""The hosted connect page, Zoom's callback, and how each attempt ended. For strangers.

Nothing here shows one browser what another one did: a result needs the cookie of the
browser that began the connect attempt.
"""

from contextlib import suppress
from uuid import UUID

from flask import Blueprint, Response, make_response, request, url_for

from dashboard.errors import NotFoundError
from dashboard.models.connection import AttemptOutcome
from dashboard.services.connect import attempts, flow, own_connections, page_designs
from dashboard.services.connect.callbacks import Stop
from dashboard.services.erasure import erasures
from dashboard.services.facts import connections as facts
from dashboard.services.invitations.references import References
from dashboard.services.marketplace import console, review
from dashboard.services.retention.pruning import days_kept
from dashboard.web import htmx
from dashboard.web.access import public
from dashboard.web.context import db, now, runtime
from dashboard.web.pages import hosted

bp = Blueprint("connect", __name__)

_STOPPED = {
    Stop.NO_STATE: 400,
    Stop.UNKNOWN: 400,
    Stop.OTHER_BROWSER: 403,
}
# What failed elsewhere is 424 and no 502: proxies put their own page in its place.
_ENDED = {
    AttemptOutcome.OPEN: 200,
    AttemptOutcome.CONNECTED: 200,
    AttemptOutcome.DECLINED: 400,
    AttemptOutcome.EXPIRED: 410,
    AttemptOutcome.ABANDONED: 410,
    AttemptOutcome.WRONG_ACCOUNT: 403,
    AttemptOutcome.BEGUN_AT_ZOOM: 400,
    AttemptOutcome.REPLAYED: 403,
    AttemptOutcome.REFUSED_BY_RECALL: 424,
    AttemptOutcome.REFUSED_BY_ZOOM: 424,
    AttemptOutcome.UNREACHABLE: 424,
    AttemptOutcome.ZOOM_ERROR: 400,
}
_LOGO_POLICY = "default-src 'none'; sandbox"
_FOR_EVER = "public, max-age=31536000, immutable"


@bp.get("/connect/<slug>")
@public
def show(slug: str) -> Response:
    """Say who asks, what is read and why; one button."""
    app = flow.app_of_page(db(), slug)
    browser = hosted.browser()
    return hosted.closed(app) or hosted.page(
        "connect/show.html",
        200,
        app=app,
        asked=hosted.asked_of(app),
        away=own_connections.last_attempt(db(), app, browser=browser),
        own=own_connections.of_browser(db(), app, browser=hosted.owner(), now=now()),
        carries=hosted.carried(app),
    )


@bp.get("/connect/<slug>/help")
@public
def help_page(slug: str) -> Response:
    """Say how to add, use and remove the app, and what is deleted then."""
    app = flow.app_of_page(db(), slug)
    return hosted.page(
        "connect/help.html",
        200,
        app=app,
        asked=hosted.asked_of(app),
        retention_days=days_kept(runtime().settings),
        deletion_days=erasures.DEADLINE.days,
    )


@bp.get("/connect/<slug>/test-plan")
@public
def test_plan(slug: str) -> Response:
    """Show Zoom's reviewers what to try; holds no secret and no blank."""
    app = flow.app_of_page(db(), slug)
    here = console.gather(
        db(), app.id, settings=runtime().settings, public_url=runtime().public_url
    )
    return hosted.page(
        "connect/test_plan.html", 200, app=app, cases=review.test_cases(here)
    )


@bp.post("/connect/<slug>")
@public
def create(slug: str) -> Response:
    """Begin a connect attempt bound to this browser and send it to Zoom."""
    app = flow.app_of_page(db(), slug)
    return hosted.closed(app) or hosted.leave(app, carries=hosted.carried(app))


@bp.get("/oauth/zoom/callback")
@public
def callback() -> Response:
    """Take a browser back from Zoom and send it on to an address without the code.

    What no person asked for changes nothing: a link scanner's HEAD, and a prefetch,
    which is answered so that the browser asks again.
    """
    if hosted.is_speculative():
        status = 200 if request.method == "HEAD" else 503
        response = make_response("", status)
        response.headers["Cache-Control"] = "no-store"
        return response
    finished = flow.finish(
        runtime(),
        state=request.args.get("state"),
        code=request.args.get("code"),
        error=request.args.get("error"),
        browser=hosted.browser(),
        address=request.remote_addr or "",
    )
    if finished.stop is None:
        where = url_for(".result", slug=finished.slug, attempt_id=finished.attempt_id)
        response = htmx.go_to(where)
        hosted.remember(response)
        return response
    slug = finished.slug
    app = flow.app_of_page(db(), slug) if slug else flow.only_ready(db())
    template = f"connect/stopped/{finished.stop.value}.html"
    return hosted.page(template, _STOPPED[finished.stop], app=app)


@bp.get("/connect/<slug>/result/<uuid:attempt_id>")
@public
def result(slug: str, attempt_id: UUID) -> Response:
    """Say how a connect attempt ended, to the browser that made it."""
    app = flow.app_of_page(db(), slug)
    try:
        found = _own_result(slug, attempt_id)
    except NotFoundError:
        return hosted.page("connect/stopped/other_browser.html", 404, app=app)
    outcome = found.attempt.outcome
    name, status = outcome.value, _ENDED[outcome]
    if found.must_consent_again:
        name, status = "consent_again", 409
    elif found.is_finishing:
        name, status = "finishing", 200
    elif outcome is AttemptOutcome.CONNECTED and found.connection is None:
        name, status = "gone", 410
    row = found.connection
    response = hosted.page(
        f"connect/ended/{name}.html",
        status,
        app=app,
        result=found,
        stands=row
        and own_connections.status_of(
            row, facts.causes(db(), now=now()).get(row.zoom_app_id), now=now()
        ),
        missing=own_connections.missing(row) if row else [],
    )
    is_unchecked = row is not None and row.token_checked_at is None and found.is_fresh
    if name == "finishing" or is_unchecked:  # the page says more in a moment
        response.headers["Refresh"] = "2"
    return response


@bp.post("/connect/<slug>/result/<uuid:attempt_id>/again")
@public
def again(slug: str, attempt_id: UUID) -> Response:
    """Begin once more as that attempt began: from the same link, if it was one."""
    app = flow.app_of_page(db(), slug)
    try:
        found = _own_result(slug, attempt_id)
    except NotFoundError:
        return hosted.page("connect/stopped/other_browser.html", 404, app=app)
    begun = found.attempt
    carries = References(
        reference=begun.reference, tags=begun.tags, return_url=begun.return_url
    )
    return hosted.leave(app, begun.invitation_id, carries=carries)


@bp.get("/connect/<slug>/logo/<logo_print>")
@public
def logo(slug: str, logo_print: str) -> Response:
    """Serve the logo; its address changes with it."""
    app = flow.app_of_page(db(), slug)
    image, media_type = page_designs.logo(db(), app, logo_print)
    response = make_response(image)
    response.headers["Content-Type"] = media_type
    response.headers["Cache-Control"] = _FOR_EVER
    response.headers["Content-Security-Policy"] = _LOGO_POLICY
    return response


def _own_result(slug: str, attempt_id: UUID) -> attempts.Result:
    """Return how this browser's attempt ended.

    Raises:
        NotFoundError: It is another browser's.
    """
    for browser in (hosted.browser(), hosted.owner()):
        with suppress(NotFoundError):
            return attempts.result(db(), slug, attempt_id, browser=browser, now=now())
    raise NotFoundError("result")
