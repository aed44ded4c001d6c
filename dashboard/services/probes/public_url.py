"""Self-test of the public URL: a validation request from outside, exactly as Zoom's.

It finds what stands between Zoom and the dashboard before Zoom fails at it: proxies,
sign-in walls, redirects, certificates, another installation (docs/contracts/zoom.md 9).
"""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import SecretStr
from sqlmodel import Session, col, select

from dashboard.clients import public_url
from dashboard.clients.public_url import PublicUrlAnswer
from dashboard.errors import ConflictError
from dashboard.models.check import Source
from dashboard.models.webhook import Refusal
from dashboard.models.zoom_app import Routing
from dashboard.services import urls
from dashboard.services.probes import public_url_findings
from dashboard.services.receiver import signatures
from dashboard.services.receiver.signatures import PROBE_PREFIX
from dashboard.services.runtime import Runtime
from dashboard.services.validation import evidence
from dashboard.services.validation.evidence import Observation
from dashboard.services.zoom_apps import apps
from dashboard.settings import Settings, public_url_doubt, public_url_trouble

_READS = 4
_PAUSE_S = 0.3
_ZOOMS = ("zoom.us", "zoomgov.com")

Pause = Callable[[float], None]


@dataclass(frozen=True, kw_only=True)
class _Job:
    url: str
    secret: SecretStr


def probe(
    runtime: Runtime, zoom_app_id: UUID, *, pause: Pause = time.sleep
) -> Observation:
    """Self-test the public URL and store the result; commits.

    Takes at most 3 s, and a second more when this dashboard itself rejected it.

    Args:
        runtime: All of them.
        zoom_app_id: Of the app.
        pause: Sleeps so many seconds between two reads of our own refusals.

    Raises:
        NotFoundError: There is no such zoom app.
        ConflictError: The routing is direct.
    """
    seen = ask(runtime, zoom_app_id, pause=pause)
    with runtime.database.writing() as session:
        store(session, zoom_app_id, seen, at=runtime.clock.now())
    return seen


def ask(
    runtime: Runtime, zoom_app_id: UUID, *, pause: Pause = time.sleep
) -> Observation:
    """As `probe`, but store nothing."""
    job = _open(runtime, zoom_app_id)
    asked = signatures.validation_request(
        job.secret, now=runtime.clock.now(), prefix=PROBE_PREFIX
    )
    # Begins like Zoom's, for filters that check it; the rest identifies our refusal.
    user_agent = f"Zoom Marketplace/1.0a (dashboard probe {secrets.token_hex(8)})"
    answer = public_url.challenge(
        job.url,
        body=asked.body,
        timestamp=asked.timestamp,
        signature=asked.signature,
        user_agent=user_agent,
    )
    seen = public_url_findings.judge(asked, answer, url=job.url)
    if _may_be_refused_here(answer):
        refusal = _refusal(runtime, zoom_app_id, user_agent, pause)
        if refusal is not None:
            seen = public_url_findings.refused_here(refusal.cause, refusal.detail)
        elif answer.status == HTTPStatus.UNAUTHORIZED:
            seen = public_url_findings.refused_elsewhere()
    return public_url_findings.with_address(
        seen,
        trouble=public_url_trouble(runtime.public_url),
        doubt=public_url_doubt(runtime.public_url),
        is_real_zoom=_is_real_zoom(runtime.settings),
    )


def store(
    session: Session, zoom_app_id: UUID, seen: Observation, *, at: datetime
) -> None:
    """Add it to the evidence; the caller commits."""
    evidence.record(
        session,
        zoom_app_id=zoom_app_id,
        source=Source.OUTSIDE_PROBE,
        finding=seen.finding,
        detail=seen.detail,
        took_ms=seen.took_ms,
        at=at,
    )


def _open(runtime: Runtime, zoom_app_id: UUID) -> _Job:
    with runtime.database.reading() as session:
        zoom_app = apps.get(session, zoom_app_id)
        if zoom_app.routing is not Routing.RELAY:
            raise ConflictError(
                "Zoom sends webhooks directly to Recall, so there is nothing to test."
            )
        return _Job(
            url=urls.webhook_url(runtime.public_url, zoom_app_id),
            secret=apps.secret_token(runtime.vault, zoom_app),
        )


def _may_be_refused_here(answer: PublicUrlAnswer) -> bool:
    """Whether our own receiver may have rejected it and recorded why."""
    is_known = answer.status == HTTPStatus.NOT_FOUND  # these are not recorded
    return public_url_findings.is_receivers(answer) and not is_known


def _refusal(
    runtime: Runtime, zoom_app_id: UUID, user_agent: str, pause: Pause
) -> Refusal | None:
    """Find our own refusal; another process may write it within a second."""
    runtime.writer.flush()
    query = (
        select(Refusal)
        .where(
            col(Refusal.zoom_app_id) == zoom_app_id,
            col(Refusal.user_agent) == user_agent,
        )
        .order_by(col(Refusal.id).desc())
        .limit(1)
    )
    for number in range(_READS):
        if number:
            pause(_PAUSE_S)
        with runtime.database.reading() as session:
            found = session.exec(query).first()
        if found is not None:
            return found
    return None


def _is_real_zoom(settings: Settings) -> bool:
    host = urlsplit(settings.zoom_url).hostname or ""
    return host in _ZOOMS or host.endswith(tuple(f".{one}" for one in _ZOOMS))
