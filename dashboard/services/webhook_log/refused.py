"""The refused requests of the log: counts of all, a bounded sample to read."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, func, select

from dashboard.models.webhook import Refusal, RefusalCount
from dashboard.services.paging import IdPage, Place, page_by_id
from dashboard.services.receiver.signatures import Cause

COUNTED = 100

_ADDRESS = re.compile("/hooks/zoom/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")
_SHOWN = 12  # of an address's characters: the link beside it leads to the whole
_WORDS: dict[str, str] = {
    Cause.NO_SECRET: "no secret token here",
    Cause.TOO_LARGE: "too large",
    Cause.EMPTY: "empty body",
    Cause.MISSING_HEADER: "missing header",
    Cause.BAD_TIMESTAMP: "timestamp unreadable",
    Cause.BAD_SIGNATURE: "signature unreadable",
    Cause.SIGNATURE: "signature does not match",
    Cause.ROTATING: "token being rotated",
    Cause.OTHER_ENVIRONMENT: "other environment",
    Cause.OTHER_APP: "other zoom app",
    Cause.WHITE_SPACE: "white space in secret",
    Cause.REWRITTEN: "body rewritten",
    Cause.LENGTH: "body cut",
    Cause.FUTURE: "dated in the future",
    Cause.TOO_OLD: "too old",
    Cause.MALFORMED: "not what Zoom sends",
}
_HARMLESS = {Cause.TOO_LARGE, Cause.EMPTY, Cause.TOO_OLD, Cause.MALFORMED}


@dataclass(frozen=True, kw_only=True)
class CauseCount:
    """How many requests were refused for one cause; `word` is it for people."""

    cause: str
    requests: int

    @property
    def word(self) -> str:
        """The cause in words."""
        return word(self.cause)


@dataclass(frozen=True, kw_only=True)
class Told:
    """A refusal as the page shows it.

    Attributes:
        word: The cause in words.
        tone: "trouble" when somebody can mend it, else "off".
        seen: What was seen.
        mend: Who mends it where; "" when the refusal does not say.
        names: The zoom app that the explanation names, when it is one of ours.
    """

    refusal: Refusal
    word: str
    tone: str
    seen: str
    mend: str
    names: UUID | None


def word(cause: str) -> str:
    """Return a cause in words; one that a newer version wrote, without lines."""
    return _WORDS.get(cause, cause.replace("_", " "))


def tell(
    refusals: Sequence[Refusal], *, app_names: Mapping[UUID, str]
) -> Sequence[Told]:
    """Take the stored explanations apart for the page, in the same order."""
    return [_told(refusal, app_names) for refusal in refusals]


def page(
    session: Session, *, place: Place, zoom_app_id: UUID | None = None
) -> IdPage[Refusal]:
    """Return a page of the sample, newest first."""
    query = select(Refusal)
    if zoom_app_id is not None:
        query = query.where(col(Refusal.zoom_app_id) == zoom_app_id)
    return page_by_id(session, query, Refusal.id, place)


def count(session: Session, *, zoom_app_id: UUID | None = None) -> int:
    """Return how many the sample holds, at most `COUNTED` + 1."""
    some = select(Refusal.id).limit(COUNTED + 1)
    if zoom_app_id is not None:
        some = some.where(col(Refusal.zoom_app_id) == zoom_app_id)
    return session.exec(select(func.count()).select_from(some.subquery())).one()


def by_cause(
    session: Session, *, since: datetime, zoom_app_id: UUID | None = None
) -> Sequence[CauseCount]:
    """Return how many requests were refused since then, the commonest cause first.

    Counted by the hour: the hour in which `since` lies is counted whole.
    """
    hour = since.replace(minute=0, second=0, microsecond=0)
    total = func.sum(col(RefusalCount.requests))
    query = (
        select(RefusalCount.cause, total)
        .where(col(RefusalCount.hour_at) >= hour)
        .group_by(col(RefusalCount.cause))
        .order_by(total.desc(), col(RefusalCount.cause))
    )
    if zoom_app_id is not None:
        query = query.where(col(RefusalCount.zoom_app_id) == zoom_app_id)
    return [
        CauseCount(cause=cause, requests=int(requests))
        for cause, requests in session.exec(query)
    ]


def _told(refusal: Refusal, app_names: Mapping[UUID, str]) -> Told:
    seen, _, mend = refusal.detail.partition("\n")
    addresses = _ADDRESS.findall(mend)
    named = UUID(addresses[-1]) if addresses else None
    return Told(
        refusal=refusal,
        word=word(refusal.cause),
        tone="off" if refusal.cause in _HARMLESS else "trouble",
        seen=seen,
        mend=_ADDRESS.sub(lambda found: found[1][-_SHOWN:], mend),
        names=named if named in app_names else None,
    )
