"""What hosted pages share: their design, and the cookies that identify a browser.

One cookie binds connect attempts to the browser; the other remembers the connection
that it made last, and so survives an attempt that is declined or given up.
"""

import re
import secrets
from uuid import UUID

from flask import Response, make_response, render_template, request, url_for

from dashboard.errors import ConflictError
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.connect import flow, own_connections, page_designs
from dashboard.services.invitations import references
from dashboard.services.invitations.references import References
from dashboard.services.zoom_apps import scopes, succession
from dashboard.services.zoom_apps.scopes import Scope
from dashboard.web import htmx
from dashboard.web.context import db, runtime

_BROWSER = re.compile(r"[A-Za-z0-9_-]{43}")
_ATTEMPT_STAYS_S = 24 * 3600
"""As long as a user can come back to the page that says how an attempt ended."""

_SPECULATIVE = ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz")
"""What browsers send with a request that no person asked for yet."""


def page(
    template: str, status: int, *, app: ZoomApp | None, **context: object
) -> Response:
    """Render a hosted page as its zoom app's admin designed it.

    Args:
        template: Extends layouts/hosted.html.
        status: HTTP's.
        app: Whose page it is; None when unknown.
        context: What the template needs besides `app`, `slug` and `design`.
    """
    design = None
    if app is not None:
        design = page_designs.shown(page_designs.find(db(), app.id))
    slug = None if app is None else app.slug
    text = render_template(template, app=app, slug=slug, design=design, **context)
    response = make_response(text, status)
    response.headers["Cache-Control"] = "no-store"
    return response


def asked_of(app: ZoomApp) -> list[Scope]:
    """Return the scopes that a connect page explains."""
    return [scope for scope in scopes.list_for(app) if not scope.is_added_by_zoom]


def closed(app: ZoomApp) -> Response | None:
    """Return what is shown instead while an app takes no connections, or None."""
    if app.retired_at is not None:
        following = succession.successor(db(), app)
        if following is None:
            return page("connect/stopped/retired.html", 410, app=app)
        response = htmx.go_to(url_for("connect.show", slug=following.slug))
        response.headers["Cache-Control"] = "no-store"  # it may be brought back
        return response
    if not flow.is_hosted(app):
        return page("connect/stopped/elsewhere.html", 410, app=app)
    if not flow.is_ready(app):
        return page("connect/not_ready.html", 503, app=app)
    return None


def carried(app: ZoomApp) -> References:
    """Return what the address or the form of a plain link says of the customer's."""
    return references.lenient(
        request.values.get("reference", ""),
        " ".join(request.values.getlist("tag")[: references.MOST_TAGS + 1]),
        request.values.get("return_url", ""),
        origins=app.return_origins.split(),
    )


def leave(
    app: ZoomApp,
    invitation_id: UUID | None = None,
    *,
    carries: References | None = None,
) -> Response:
    """Begin a connect attempt bound to this browser and send it to Zoom."""
    name = browser()
    if name is None or own_connections.has_connected(db(), name):
        name = secrets.token_urlsafe(32)  # one for each account: browsers are shared
    try:
        begun = flow.begin(
            runtime(),
            app.slug,
            browser=name,
            address=request.remote_addr or "",
            invitation_id=invitation_id,
            carries=carries,
        )
    except ConflictError as error:
        return page("connect/not_now.html", 409, app=app, message=str(error))
    response = htmx.go_to(begun.authorize_url)
    _set(response, "connect", name, _ATTEMPT_STAYS_S)
    return response


def browser() -> str | None:
    """Return what binds connect attempts to this browser, if it is one of ours."""
    return _given("connect")


def owner() -> str | None:
    """Return what identifies the browser that made a connection."""
    return _given("connected") or browser()


def remember(response: Response) -> None:
    """Have this browser show and end the connection that it just made."""
    name = browser()
    if name is not None and own_connections.has_connected(db(), name):
        stays_s = int(own_connections.REMEMBERED.total_seconds())
        _set(response, "connected", name, stays_s)


def forget(response: Response) -> None:
    """Have this browser forget which connection it made; commits."""
    with runtime().database.writing() as session:
        for name in {browser(), owner()} - {None}:
            own_connections.forget(session, str(name))
    for cookie in ("connect", "connected"):
        response.delete_cookie(
            _cookie(cookie), secure=_is_https(), httponly=True, samesite="Lax"
        )


def is_speculative() -> bool:
    """Whether no person asked for this page: HEAD, a prefetch, a preview."""
    said = " ".join(request.headers.get(name, "") for name in _SPECULATIVE).lower()
    words = ("prefetch", "prerender", "preview")
    return request.method == "HEAD" or any(word in said for word in words)


def _given(cookie: str) -> str | None:
    given = request.cookies.get(_cookie(cookie), "")
    return given if _BROWSER.fullmatch(given) else None


def _set(response: Response, cookie: str, value: str, stays_s: int) -> None:
    response.set_cookie(
        _cookie(cookie),
        value,
        max_age=stays_s,
        secure=_is_https(),
        httponly=True,
        samesite="Lax",  # Zoom's redirect back is a cross-site GET
    )


def _cookie(name: str) -> str:
    # With the prefix no neighbouring sub-domain can plant it; browsers take the prefix
    # on https alone.
    return f"__Host-{name}" if _is_https() else name


def _is_https() -> bool:
    return runtime().public_url.startswith("https://")
