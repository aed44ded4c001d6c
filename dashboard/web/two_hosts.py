"""Pages for people who connect on a host of their own (`DASHBOARD_HOSTED_URL`).

Each host answers only its own pages; the rest of it is 404, as if it were not there.
What is in front of Flask, Zoom's webhooks and Recall's token requests, is on both.
"""

from collections.abc import Callable
from typing import Any

from flask import Flask, Response, abort, request

from dashboard.settings import origin

_HOSTED = frozenset({"connect", "invited", "mine"})
"""Blueprints whose pages are for people who connect."""

_ON_BOTH = frozenset({"domain.file", "health.alive", "health.ready", "static"})
_HOME = "overview.index"


def install(
    app: Flask,
    *,
    public_url: str,
    hosted_url: str | None,
    home: Callable[[], Response | None],
) -> None:
    """Keep the two apart; nothing without a hosted URL. Call this before CSRF checks.

    Args:
        app: Whose `url_for` leads to the right host from now on.
        public_url: Of the panel.
        hosted_url: Of the other host.
        home: What Zoom's domain check is shown at the root of it, if anything.
    """
    app.jinja_env.globals["is_hosted_host"] = lambda: False
    if hosted_url is None:
        return
    hosted_at, panel_at = origin(hosted_url), origin(public_url)
    is_by_port = hosted_at[0] == panel_at[0]

    def is_hosted_host() -> bool:
        # A proxy may call the panel by another name than the public one.
        here = origin(f"{request.scheme}://{request.host}")
        return here == hosted_at if is_by_port else here[0] == hosted_at[0]

    def check() -> Response | None:
        endpoint = request.endpoint
        if not is_hosted_host():
            return abort(404) if _is_hosted(endpoint) else None
        if endpoint == _HOME:
            return home() or abort(404)
        # None: also another method of the panel's, and its redirects to a slash.
        if not (_is_hosted(endpoint) or endpoint in _ON_BOTH):
            abort(404)
        return None

    plain = app.url_for

    def url_for(endpoint: str, **values: Any) -> str:  # noqa: ANN401 - Flask's
        built = plain(endpoint, **values)
        is_of_other = not endpoint.startswith(".") and endpoint not in _ON_BOTH
        if not (request and is_of_other and built.startswith("/")):
            return built
        is_hosted = _is_hosted(endpoint)
        if is_hosted == is_hosted_host():
            return built
        return f"{hosted_url if is_hosted else public_url}{built}"

    app.jinja_env.globals["is_hosted_host"] = is_hosted_host
    app.url_for = url_for  # type: ignore[method-assign]  # every builder asks it
    app.before_request(check)


def _is_hosted(endpoint: str | None) -> bool:
    return (endpoint or "").partition(".")[0] in _HOSTED
