"""The hosted connect page, Zoom's callback, and how each trip ended. For strangers.

Nothing here shows one browser what another one did: a result needs the cookie of the
browser that began the trip.
"""

import re
import secrets
from uuid import UUID

from flask import Blueprint, Response, make_response, render_template, request, url_for

from dashboard.errors import ConflictError, NotFoundError
from dashboard.models.connection import AttemptOutcome
from dashboard.models.zoom_app import ZoomApp
from dashboard.services import attempts, connecting, scopes, succession
from dashboard.services.callbacks import Stop
from dashboard.web import htmx
from dashboard.web.access import public
from dashboard.web.context import db, services

bp = Blueprint("connect", __name__)

_BROWSER = re.compile(r"[A-Za-z0-9_-]{43}")
_BROWSER_STAYS_S = 24 * 3600

_STOPPED = {
    Stop.NO_STATE: 400,
    Stop.UNKNOWN: 400,
    Stop.USED: 410,
    Stop.OTHER_BROWSER: 403,
}
# What failed elsewhere is 424 and no 502: proxies put their own page in its place.
_ENDED = {
    AttemptOutcome.OPEN: 200,
    AttemptOutcome.CONNECTED: 200,
    AttemptOutcome.DECLINED: 400,
    AttemptOutcome.EXPIRED: 410,
    AttemptOutcome.REPLAYED: 403,
    AttemptOutcome.REFUSED_BY_RECALL: 424,
    AttemptOutcome.UNREACHABLE: 424,
    AttemptOutcome.ZOOM_ERROR: 400,
}


@bp.get("/connect/<slug>")
@public
def show(slug: str) -> Response:
    """Say who asks, what is read and why; one button."""
    app = connecting.door(db(), slug)
    if app.retired_at is not None:
        return _moved_on(app)
    if not connecting.is_ready(app):
        return _page("connect/not_ready.html", 503, app=app)
    listed = scopes.list_for(app.kind, app.scope_style)
    asked = [scope for scope in listed if scope.is_required]
    return _page("connect/show.html", 200, app=app, asked=asked)


@bp.post("/connect/<slug>")
@public
def create(slug: str) -> Response:
    """Begin a trip bound to this browser and send it to Zoom."""
    app = connecting.door(db(), slug)
    if app.retired_at is not None:  # since the page was opened
        return _moved_on(app)
    browser = _browser() or secrets.token_urlsafe(32)
    address = request.remote_addr or ""
    try:
        begun = connecting.begin(services(), slug, browser=browser, address=address)
    except ConflictError as error:
        return _page("connect/not_now.html", 409, slug=slug, message=str(error))
    response = htmx.go_to(begun.authorize_url)
    is_https = services().public_url.startswith("https://")
    response.set_cookie(
        _cookie(),
        browser,
        max_age=_BROWSER_STAYS_S,
        secure=is_https,
        httponly=True,
        samesite="Lax",  # Zoom's redirect back is a cross-site GET
    )
    return response


@bp.get("/oauth/zoom/callback")
@public
def callback() -> Response:
    """Take a browser back from Zoom and send it on to an address without the code."""
    finished = connecting.finish(
        services(),
        state=request.args.get("state"),
        code=request.args.get("code"),
        error=request.args.get("error"),
        browser=_browser(),
    )
    if finished.stop is None:
        where = url_for(".result", slug=finished.slug, attempt_id=finished.attempt_id)
        return htmx.go_to(where)
    slug = finished.slug
    if slug is None:
        only = connecting.only_ready(db())
        slug = None if only is None else only.slug
    template = f"connect/stopped/{finished.stop.value}.html"
    return _page(template, _STOPPED[finished.stop], slug=slug)


@bp.get("/connect/<slug>/result/<uuid:attempt_id>")
@public
def result(slug: str, attempt_id: UUID) -> Response:
    """Say how a trip ended, to the browser that made it."""
    try:
        found = attempts.result(db(), slug, attempt_id, browser=_browser())
    except NotFoundError:
        return _page("connect/stopped/other_browser.html", 404, slug=slug)
    outcome = found.attempt.outcome
    name, status = outcome.value, _ENDED[outcome]
    if found.must_consent_again:
        name, status = "consent_again", 409
    return _page(f"connect/ended/{name}.html", status, result=found, slug=slug)


def _moved_on(app: ZoomApp) -> Response:
    """Lead from a retired app to the one in its place, if there is one."""
    following = succession.successor(db(), app)
    if following is None:
        return _page("connect/stopped/retired.html", 410, app=app)
    response = htmx.go_to(url_for(".show", slug=following.slug))
    response.headers["Cache-Control"] = "no-store"  # it may be brought back
    return response


def _page(template: str, status: int, **context: object) -> Response:
    response = make_response(render_template(template, **context), status)
    response.headers["Cache-Control"] = "no-store"
    return response


def _browser() -> str | None:
    """Return what binds trips to this browser, if it is one of ours."""
    given = request.cookies.get(_cookie(), "")
    return given if _BROWSER.fullmatch(given) else None


def _cookie() -> str:
    # With the prefix no neighbouring sub-domain can plant it; browsers take the prefix
    # on https alone.
    is_https = services().public_url.startswith("https://")
    return "__Host-connect" if is_https else "connect"
