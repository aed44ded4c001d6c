"""What Recall's record of an app says of its validation, as evidence.

`webhook_last_validation` is null until Recall's URL was validated for the first time
(docs/contracts/recall.md 3.1 and 3.8, checked 2026-11-23).
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from uuid import UUID

from sqlmodel import Session, col, select

from dashboard.clients.recall.api import Recall
from dashboard.errors import UpstreamError
from dashboard.models.check import Check, Finding, Source
from dashboard.services.validation import evidence
from dashboard.services.validation.evidence import Observation

GONE = (
    "Recall has no app with this id any more. An admin creates it again, or adopts one "
    "that Recall has."
)
_SAID_AGAIN_AFTER = timedelta(hours=1)
_DIGITS = re.compile("[0-9]+")


@dataclass(frozen=True, kw_only=True)
class RecordAnswer:
    """One look at the record.

    Attributes:
        is_answered: Whether Recall answered at all; that it has no such app is one.
        wait_s: What it asked to wait, in seconds.
    """

    seen: Observation
    is_answered: bool = True
    wait_s: float | None = None


def read(recall: Recall, recall_app_id: UUID) -> RecordAnswer:
    """Ask Recall for its record of an app; never raises UpstreamError."""
    try:
        last = recall.get_app(recall_app_id).webhook_last_validation
    except UpstreamError as error:
        if is_gone(error):
            return RecordAnswer(seen=Observation(finding=Finding.GONE, detail=GONE))
        detail = f"Recall's API could not be asked. {error}"
        return RecordAnswer(
            seen=Observation(finding=Finding.FAILED, detail=detail),
            is_answered=False,
            wait_s=error.retry_after_s,
        )
    if last is None:
        detail = "Recall's API says that its URL was never validated."
        return RecordAnswer(seen=Observation(finding=Finding.NOT_SEEN, detail=detail))
    detail = f"Recall's API says it was last validated {last:%Y-%m-%d %H:%M:%S} UTC."
    return RecordAnswer(
        seen=Observation(finding=Finding.GOOD, detail=detail, told_at=last)
    )


def is_gone(error: UpstreamError) -> bool:
    """Whether Recall itself says that it has no such app.

    Its API answers in JSON; a page with this status comes from something else.
    """
    return error.status == HTTPStatus.NOT_FOUND and is_recalls_own(error)


def is_recalls_own(error: UpstreamError) -> bool:
    """Whether a refusal is in Recall's own form, not the page of a firewall."""
    return error.code is not None or error.detail is not None


def store_record(
    session: Session, zoom_app_id: UUID, seen: Observation, *, at: datetime
) -> bool:
    """Add it to the evidence if it is news, or an hour old; the caller commits.

    Returns:
        Whether it was added.
    """
    query = select(Check).where(
        col(Check.zoom_app_id) == zoom_app_id, col(Check.source) == Source.RECALL_API
    )
    last = session.exec(query.order_by(col(Check.id).desc()).limit(1)).first()
    is_new = timedelta(0) <= at - last.at < _SAID_AGAIN_AFTER if last else False
    if last is not None and is_new and _says_the_same(last, seen):
        return False
    evidence.record(
        session,
        zoom_app_id=zoom_app_id,
        source=Source.RECALL_API,
        finding=seen.finding,
        detail=seen.detail,
        told_at=seen.told_at,
        at=at,
    )
    return True


def _says_the_same(last: Check, seen: Observation) -> bool:
    # Numbers in a failure's sentence are seconds to wait: no news.
    return (last.finding, last.told_at, _DIGITS.sub("", last.detail)) == (
        seen.finding,
        seen.told_at,
        _DIGITS.sub("", seen.detail[:300]),
    )
