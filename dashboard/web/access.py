"""Closed unless declared: each view names a permission or says that it is public."""

from collections.abc import Callable
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import urlsplit

from flask import Flask, abort, current_app, make_response, request, url_for
from flask.typing import ResponseReturnValue

from dashboard.services.staff import sessions
from dashboard.services.staff.permissions import Permission
from dashboard.web import htmx, limits, proof
from dashboard.web.context import runtime
from dashboard.web.signin import LIVE, Person, is_of_person, person

_NEEDS = "_dashboard_needs"
_FOR_STRANGERS = "_dashboard_for_strangers"
_FOR_OTHERS = "_dashboard_for_others"
_FRESH = "_dashboard_fresh"
_BEFORE_SET_UP = "_dashboard_before_set_up"
_PUBLIC = "public"
_SIGNED_IN = "signed in"
_BY_API = "by token"
_ADMIT = "_dashboard_admit"
_STATIC = "static"

View = TypeVar("View", bound=Callable[..., object])


Instead = Callable[[], ResponseReturnValue | None]
"""What those are shown instead who may not; None: the sign-in page, or 403."""


Fresh = bool | Callable[[], bool]


def requires(
    permission: Permission,
    *,
    for_strangers: Instead | None = None,
    for_others: Instead | None = None,
    fresh: Fresh = False,
) -> Callable[[View], View]:
    """Declare that a view needs this permission.

    Args:
        permission: What it needs.
        for_strangers: What people who are not signed in are shown instead.
        for_others: What people who are signed in without the permission are shown.
        fresh: Whether it asks for a proof when the last one is old: for secrets,
            exports of personal data, people and their roles. A function says which
            of its requests do.
    """

    def mark(view: View) -> View:
        setattr(view, _NEEDS, permission)
        setattr(view, _FRESH, fresh)
        setattr(view, _FOR_STRANGERS, for_strangers)
        setattr(view, _FOR_OTHERS, for_others)
        return view

    return mark


def signed_in(
    *, fresh: Fresh = False, before_set_up: bool = False
) -> Callable[[View], View]:
    """Declare that a view is about the person's own account, whatever their role.

    Args:
        fresh: As in `requires`.
        before_set_up: Whether it opens for those who must set up a second factor first.
    """

    def mark(view: View) -> View:
        setattr(view, _NEEDS, _SIGNED_IN)
        setattr(view, _FRESH, fresh)
        setattr(view, _BEFORE_SET_UP, before_set_up)
        return view

    return mark


def public(view: View) -> View:
    """Declare that a view is open to strangers."""
    setattr(view, _NEEDS, _PUBLIC)
    return view


def by_token(admit: Instead) -> Callable[[View], View]:
    """Declare that a view is the API's: a token opens it, never a session.

    Args:
        admit: Returns what is answered instead, or raises, unless its token may.
    """

    def mark(view: View) -> View:
        setattr(view, _NEEDS, _BY_API)
        setattr(view, _ADMIT, admit)
        return view

    return mark


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
    """Return the permission that a view needs; None when it needs none."""
    found = getattr(_view(endpoint), _NEEDS)
    known = (_PUBLIC, _SIGNED_IN, _BY_API)
    return None if found in known else Permission(found)


def is_public(endpoint: str) -> bool:
    """Whether a view is open to strangers."""
    return bool(getattr(_view(endpoint), _NEEDS) == _PUBLIC)


def is_by_token(endpoint: str) -> bool:
    """Whether a view is opened by a token of the API alone."""
    return bool(getattr(_view(endpoint), _NEEDS) == _BY_API)


def is_fresh(endpoint: str) -> bool:
    """Whether a view, or some request of it, asks for a proof when the last is old."""
    return bool(getattr(_view(endpoint), _FRESH, False))


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
    endpoint = str(request.endpoint)
    if is_public(endpoint) or is_by_token(endpoint):
        admit = getattr(_view(endpoint), _ADMIT, None)
        return admit() if admit is not None else None
    who = person()
    if who is None:
        return _for_stranger(endpoint)
    permission = needs(endpoint)
    if permission is not None and not who.can(permission):
        return _instead(endpoint, _FOR_OTHERS) or abort(403)
    if permission is not None and who.zoom_apps is not None:
        limits.apply(who.zoom_apps)
    if not isinstance(who, Person):
        return None
    asked = _prove(endpoint, who)
    if asked is None:
        _note_use(who)
    return asked


def _for_stranger(endpoint: str) -> ResponseReturnValue:
    if LIVE in request.headers:  # the page says so, and keeps what is typed in it
        return make_response("", HTTPStatus.UNAUTHORIZED)
    to_sign_in = url_for("signin.new", next=_came_for())
    return _instead(endpoint, _FOR_STRANGERS) or htmx.go_to(to_sign_in)


def _instead(endpoint: str, kind: str) -> ResponseReturnValue | None:
    instead: Instead | None = getattr(_view(endpoint), kind, None)
    return instead() if instead is not None else None


def _prove(endpoint: str, who: Person) -> ResponseReturnValue | None:
    """Lead to the set-up of a second factor, or ask for a fresh proof."""
    may_open = bool(getattr(_view(endpoint), _BEFORE_SET_UP, False))
    if proof.must_set_up(who) and not may_open:
        if LIVE in request.headers:
            return make_response("", HTTPStatus.UNAUTHORIZED)
        return htmx.go_to(url_for("account.second_factor", next=_came_for()))
    fresh: Fresh = getattr(_view(endpoint), _FRESH, False)
    is_asked = fresh() if callable(fresh) else fresh
    return proof.ask(who) if is_asked and not proof.is_fresh(who) else None


def _note_use(who: Person) -> None:
    if is_of_person():
        used = runtime()
        sessions.note_use(
            used.database,
            used.clock,
            who.session_id,
            last_used_at=who.last_used_at,
        )


def _came_for() -> str | None:
    return local_path(request.full_path) if request.method == "GET" else None


def _view(endpoint: str) -> Callable[..., object]:
    return current_app.view_functions[endpoint]
