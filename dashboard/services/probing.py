"""Asks Recall, as Zoom would, whether it holds the secret token stored here."""

import hmac
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from pydantic import SecretStr

from dashboard.clients.recall import Recall
from dashboard.clients.recall_challenge import challenge
from dashboard.errors import ConflictError, UpstreamError
from dashboard.models.check import Finding, Source
from dashboard.services import addresses, validation, workspaces, zoom_apps
from dashboard.services.bundle import Services
from dashboard.services.signatures import answer_challenge, sign, signed_bytes

_REFUSED_SIGNATURE = 401
_LOOKS = 3
_PAUSE_S = 0.3
# Recall's clock may differ from ours by so much.
_SKEW = timedelta(minutes=5)


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One finding of a probe; `detail` is a sentence without a secret."""

    finding: Finding
    detail: str
    took_ms: float | None = None


@dataclass(frozen=True, kw_only=True)
class _Job:
    recall_app_id: UUID
    base_url: str
    secret: SecretStr
    recall: Recall


def probe_recall(
    services: Services,
    zoom_app_id: UUID,
    *,
    pause: Callable[[float], None] = time.sleep,
) -> Seen:
    """Put a signed challenge to Recall's webhook URL and keep what came; commits.

    Then asks Recall's API whether it noticed (`webhook_last_validation`). Both are
    kept as checks; neither ever raises UpstreamError: a failure is evidence too.

    Args:
        services: All of them.
        zoom_app_id: Of the app.
        pause: Waits so many seconds between two looks at Recall's API.

    Raises:
        NotFoundError: There is no such zoom app.
        ConflictError: It is not in Recall yet.
    """
    job = _open(services, zoom_app_id)
    asked_at = services.clock.now()
    answered = _ask(job, now=asked_at)
    noticed = _look(job, since=asked_at, pause=pause)
    with services.database.writing() as session:
        for source, seen in (
            (Source.RECALL_PROBE, answered),
            (Source.RECALL_API, noticed),
        ):
            validation.record(
                session,
                zoom_app_id=zoom_app_id,
                source=source,
                finding=seen.finding,
                detail=seen.detail,
                took_ms=seen.took_ms,
                at=services.clock.now(),
            )
    return answered


def _open(services: Services, zoom_app_id: UUID) -> _Job:
    vault = services.vault
    with services.database.reading() as session:
        zoom_app = zoom_apps.get(session, zoom_app_id)
        if zoom_app.recall_app_id is None or zoom_app.workspace_id is None:
            raise ConflictError("This zoom app is not in Recall yet.")
        workspace = workspaces.get(session, zoom_app.workspace_id)
        key = workspaces.api_key(vault, workspace)
        return _Job(
            recall_app_id=zoom_app.recall_app_id,
            base_url=addresses.recall_base_url(services.settings, workspace.region),
            secret=zoom_apps.secret_token(vault, zoom_app),
            recall=services.recall(workspace.region, key),
        )


def _ask(job: _Job, *, now: datetime) -> Seen:
    plain = secrets.token_urlsafe(16)
    timestamp = str(int(now.timestamp()))
    body = json.dumps(
        {
            "event": validation.CHALLENGE,
            "event_ts": int(now.timestamp() * 1000),
            "payload": {"plainToken": plain},
        },
        separators=(",", ":"),
    ).encode()
    signature = sign(signed_bytes(timestamp, body), job.secret).decode()
    began_s = time.perf_counter()
    try:
        answer = challenge(
            job.base_url,
            job.recall_app_id,
            body=body,
            timestamp=timestamp,
            signature=signature,
        )
    except UpstreamError as error:
        return _failed(error)
    took_ms = (time.perf_counter() - began_s) * 1000
    expected = answer_challenge(plain, job.secret)
    if answer.plainToken == plain and hmac.compare_digest(
        answer.encryptedToken.encode(), expected["encryptedToken"].encode()
    ):
        return Seen(
            finding=Finding.GOOD,
            detail="Recall answered our signed challenge rightly.",
            took_ms=took_ms,
        )
    return Seen(
        finding=Finding.SECRET_MISMATCH,
        detail="Our signed challenge came back made with another secret token.",
        took_ms=took_ms,
    )


def _failed(error: UpstreamError) -> Seen:
    if error.status == _REFUSED_SIGNATURE:
        return Seen(
            finding=Finding.SECRET_MISMATCH,
            detail="Recall refused the signature of our challenge: it holds another "
            "secret token.",
        )
    return Seen(
        finding=Finding.FAILED, detail=f"Our challenge got no proper answer. {error}"
    )


def _look(job: _Job, *, since: datetime, pause: Callable[[float], None]) -> Seen:
    """Ask Recall's API, a few times, whether it noticed a validation since then."""
    seen = Seen(finding=Finding.NOT_SEEN, detail="")
    for number in range(_LOOKS):
        if number:
            pause(_PAUSE_S)
        try:
            last = job.recall.get_app(job.recall_app_id).webhook_last_validation
        except UpstreamError as error:
            return Seen(
                finding=Finding.FAILED,
                detail=f"Recall's API could not be asked. {error}",
            )
        if last is not None and last >= since - _SKEW:
            return Seen(
                finding=Finding.GOOD,
                detail=f"Recall's API says it was last validated {_instant(last)}.",
            )
        seen = Seen(
            finding=Finding.NOT_SEEN,
            detail="Recall's API says that its URL was never validated."
            if last is None
            else f"Recall's API still says it was validated {_instant(last)}.",
        )
    return seen


def _instant(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
