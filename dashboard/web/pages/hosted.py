"""What hosted pages share: their design, and the cookie that identifies a browser."""

import re
import secrets
from uuid import UUID

from flask import Response, make_response, render_template, request, url_for

from dashboard.errors import ConflictError
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.connect import flow, page_designs
from dashboard.services.zoom_apps import scopes, succession
from dashboard.services.zoom_apps.scopes import Scope
from dashboard.web import htmx
from dashboard.web.context import db, runtime

_BROWSER = re.compile(r"[A-Za-z0-9_-]{43}")
_BROWSER_STAYS_S = 180 * 24 * 3600
"""As long as a user can come back to their own connection without connecting again."""


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
    listed = scopes.list_for(app.kind, app.scope_style)
    return [scope for scope in listed if scope.is_required]


def closed(app: ZoomApp) -> Response | None:
    """Return what is shown instead while an app takes no connections, or None."""
    if app.retired_at is not None:
        following = succession.successor(db(), app)
        if following is None:
            return page("connect/stopped/retired.html", 410, app=app)
        response = htmx.go_to(url_for("connect.show", slug=following.slug))
        response.headers["Cache-Control"] = "no-store"  # it may be brought back
        return response
    if not flow.is_ready(app):
        return page("connect/not_ready.html", 503, app=app)
    return None


def leave(app: ZoomApp, invitation_id: UUID | None = None) -> Response:
    """Begin a connect attempt bound to this browser and send it to Zoom."""
    name = browser() or secrets.token_urlsafe(32)
    try:
        begun = flow.begin(
            runtime(),
            app.slug,
            browser=name,
            address=request.remote_addr or "",
            invitation_id=invitation_id,
        )
    except ConflictError as error:
        return page("connect/not_now.html", 409, app=app, message=str(error))
    response = htmx.go_to(begun.authorize_url)
    response.set_cookie(
        _cookie(),
        name,
        max_age=_BROWSER_STAYS_S,
        secure=_is_https(),
        httponly=True,
        samesite="Lax",  # Zoom's redirect back is a cross-site GET
    )
    return response


def browser() -> str | None:
    """Return what binds connect attempts to this browser, if it is one of ours."""
    given = request.cookies.get(_cookie(), "")
    return given if _BROWSER.fullmatch(given) else None


def _cookie() -> str:
    # With the prefix no neighbouring sub-domain can plant it; browsers take the prefix
    # on https alone.
    return "__Host-connect" if _is_https() else "connect"


def _is_https() -> bool:
    return runtime().public_url.startswith("https://")
