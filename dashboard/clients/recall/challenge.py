"""Zoom's challenge, put to Recall by us: does it hold the right secret token?"""

from uuid import UUID

from pydantic import BaseModel, ConfigDict

from dashboard.clients.http.client import HARMLESS, make_http, send
from dashboard.clients.recall.api import webhook_url

_TIMEOUT_S = 5.0


class ChallengeAnswer(BaseModel):
    """The two keys Zoom asks for (docs/contracts/zoom.md 5.5, checked 2026-11-23)."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    plainToken: str  # noqa: N815 - Zoom's own spelling
    encryptedToken: str  # noqa: N815 - as above


def challenge(
    base_url: str, recall_app_id: UUID, *, body: bytes, timestamp: str, signature: str
) -> ChallengeAnswer:
    """Post a signed `endpoint.url_validation` to Recall's webhook URL of an app.

    What Recall answers is not published; Zoom needs these two keys within 3 s, so
    whatever passes for Zoom passes here (docs/contracts/recall.md 3.8, checked
    2026-11-23).

    Args:
        base_url: Recall's host of the workspace.
        recall_app_id: Recall's id of the app.
        body: Raw request bytes, as signed.
        timestamp: Whole seconds since the epoch, as signed.
        signature: `v0=` and 64 hex digits.

    Raises:
        UpstreamError: No answer, a refusal, or another shape.
    """
    with make_http(base_url, timeout_s=_TIMEOUT_S) as http:
        request = http.build_request(
            "POST",
            webhook_url(base_url, recall_app_id),
            content=body,
            headers={
                "Content-Type": "application/json; charset=utf-8",
                "x-zm-request-timestamp": timestamp,
                "x-zm-signature": signature,
            },
            extensions={HARMLESS: True},
        )
        return send(http, request, service="Recall", as_=ChallengeAnswer)
