"""Closed unless declared: each view names a permission or says that it is public."""

from collections.abc import Callable
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import urlsplit

from flask import Flask, abort, current_app, make_response, request, url_for
from flask.typing import ResponseReturnValue

from dashboard.services.staff import sessions
from dashboard.services.staff.permissions import Permission
from dashboard.web import htmx
from dashboard.web.context import runtime
from dashboard.web.signin import LIVE, Person, is_of_person, person

_NEEDS = "_dashboard_needs"
_FOR_STRANGERS = "_dashboard_for_strangers"
_PUBLIC = "public"
_STATIC = "static"

View = TypeVar("View", bound=Callable[..., object])


Instead = Callable[[], ResponseReturnValue | None]
"""What people who are not signed in are shown instead; None: the sign-in page."""


def requires(
    permission: Permission, *, for_strangers: Instead | None = None
) -> Callable[[View], View]:
    """Declare that a view needs this permission."""

    def mark(view: View) -> View:
        setattr(view, _NEEDS, permission)
        setattr(view, _FOR_STRANGERS, for_strangers)
        return view

    return mark


def public(view: View) -> View:
    """Declare that a view is open to strangers."""
    setattr(view, _NEEDS, _PUBLIC)
    return view


def install(app: Flask) -> None:
    """Check every request before its view, and every view before the first request.

    Raises:
        RuntimeError: Some view declares nothing. Call this after all blueprints.
    """
    undeclared = [
        name
        for name, view in app.view_functions.items()
        if name != _STATIC and not hasattr(view, _NEEDS)
    ]
    if undeclared:
        raise RuntimeError(f"routes without a permission: {sorted(undeclared)}")
    app.before_request(_check)


def needs(endpoint: str) -> Permission | None:
    """Return what a view needs; None when it is public."""
    found = getattr(current_app.view_functions[endpoint], _NEEDS)
    return None if found == _PUBLIC else Permission(found)


def local_path(target: str | None) -> str | None:
    """Return `target` as a rebuilt path of this site, or None if it leads away."""
    if not target or "\\" in target or any(ord(char) < ord(" ") for char in target):
        return None
    if not target.startswith("/") or target.startswith("//"):
        return None
    parts = urlsplit(target)  # a path is never refused; a host in brackets may be
    return parts.path + (f"?{parts.query}" if parts.query else "")


def _check() -> ResponseReturnValue | None:
    if request.endpoint in (None, _STATIC):  # 404 and 405 are answered by Flask
        return None
    permission = needs(str(request.endpoint))
    if permission is None:
        return None
    who = person()
    if who is None:
        if LIVE in request.headers:  # the page says so, and keeps what is typed in it
            return make_response("", HTTPStatus.UNAUTHORIZED)
        view = current_app.view_functions[str(request.endpoint)]
        instead: Instead | None = getattr(view, _FOR_STRANGERS)
        shown = instead() if instead is not None else None
        if shown is not None:
            return shown
        came_for = request.full_path if request.method == "GET" else None
        return htmx.go_to(url_for("signin.new", next=local_path(came_for)))
    if not who.can(permission):
        abort(403)
    if isinstance(who, Person) and is_of_person():
        used = runtime()
        sessions.note_use(
            used.database,
            used.clock,
            who.session_id,
            last_used_at=who.last_used_at,
        )
    return None
