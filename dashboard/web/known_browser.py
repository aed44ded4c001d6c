"""A cookie by which a browser shows that a person signed in with it before.

Whatever others try for the account elsewhere keeps nobody out of such a browser
(docs/decisions/0019-known-browsers.md). It opens nothing by itself.
"""

import hashlib
import secrets

from flask import Response, current_app, request
from itsdangerous import BadSignature, URLSafeTimedSerializer

from dashboard.web.context import runtime

_LASTS_S = 180 * 86_400
_NAME = "dashboard_known"


def of(email: str) -> str:
    """Return the browser's own ID if this person signed in with it, or ""."""
    try:
        who, browser = _serializer().loads(
            request.cookies.get(_name(), ""), max_age=_LASTS_S
        )
    except (BadSignature, TypeError, ValueError):
        return ""
    return str(browser) if who == _mark(email) else ""


def remember(response: Response, email: str) -> None:
    """Note in the browser that this person signed in with it."""
    value = _serializer().dumps([_mark(email), secrets.token_urlsafe(16)])
    response.set_cookie(
        _name(),
        str(value),
        max_age=_LASTS_S,
        httponly=True,
        secure=_is_https(),
        samesite="Lax",
    )


def _serializer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(
        str(current_app.secret_key),
        salt="known browser",
        signer_kwargs={"digest_method": hashlib.sha256},
    )


def _name() -> str:
    return f"__Host-{_NAME}" if _is_https() else _NAME


def _is_https() -> bool:
    return runtime().public_url.startswith("https://")


def _mark(email: str) -> str:
    return hashlib.sha256(email.strip().lower().encode(errors="replace")).hexdigest()
