"""Notices a proxy in front that no setting names: then everybody has its address."""

import structlog
from flask import Flask, current_app, request

_SEEN = "dashboard.unnamed_proxy"
_log = structlog.get_logger(__name__)


def install(app: Flask, *, trusted: int) -> None:
    """Watch for the header of a proxy while `DASHBOARD_TRUSTED_PROXIES` is 0."""
    if trusted == 0:
        app.before_request(_watch)


def is_unnamed_seen() -> bool:
    """Whether a request to this process came through such a proxy."""
    return _SEEN in current_app.extensions


def _watch() -> None:
    if "X-Forwarded-For" in request.headers and not is_unnamed_seen():
        current_app.extensions[_SEEN] = True
        _log.warning(
            "proxy.not_trusted",
            advice="Set DASHBOARD_TRUSTED_PROXIES to the number of proxies in front: "
            "until then all sign-ins come from one address, and wait for each other.",
        )
