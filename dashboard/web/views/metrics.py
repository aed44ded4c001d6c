"""Numbers for Prometheus, behind a bearer token."""

import hmac

from flask import Blueprint, Response, abort, request

from dashboard.services import metrics
from dashboard.web.access import public
from dashboard.web.context import db, now, runtime
from dashboard.web.live import watcher

bp = Blueprint("metrics", __name__)


@bp.get("/metrics")
@public
def index() -> Response:
    """Answer Prometheus; without a token in the settings there is no such address."""
    token = runtime().settings.metrics_token
    if token is None or not token.get_secret_value():
        abort(404)
    wanted = f"Bearer {token.get_secret_value()}".encode()
    given = request.headers.get("Authorization", "").encode()
    if not hmac.compare_digest(wanted, given):
        return Response(status=401, headers={"WWW-Authenticate": "Bearer"})
    numbers = metrics.page(
        db(),
        open_streams=watcher.watcher().open_streams,
        token_requests=runtime().token_requests,
        now=now(),
    )
    return Response(numbers, content_type=metrics.CONTENT_TYPE)
