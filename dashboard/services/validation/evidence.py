"""Evidence about validation: keeping it, gathering it, and the status it amounts to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from types import MappingProxyType
from uuid import UUID

from sqlalchemy import and_, bindparam, case, union_all
from sqlmodel import Session, col, func, or_, select
from sqlmodel.sql.expression import Select, SelectOfScalar

from dashboard.clock import SKEW
from dashboard.errors import NotFoundError
from dashboard.models.check import Check, Finding, Source
from dashboard.models.circuit import OpenCircuit
from dashboard.models.ids import first_id, new_id
from dashboard.models.webhook import Refusal, Webhook
from dashboard.models.zoom_app import Routing, ZoomApp
from dashboard.services.host import events
from dashboard.services.validation.rules import echoes_apart, recall_status, zoom_status
from dashboard.services.validation.states import (
    FAILURES_ALLOWED,
    GRACE,
    REPEATED_EVERY,
    SAME_ROUND,
    Contradiction,
    Evidence,
    State,
    ValidationStatus,
    worse,
)

__all__ = [
    "CHALLENGE",
    "FAILURES_ALLOWED",
    "GRACE",
    "REPEATED_EVERY",
    "Evidence",
    "Observation",
    "State",
    "ValidationStatus",
    "deleted_in_recall",
    "evidence",
    "latest",
    "recall_status",
    "record",
    "status",
    "zoom_status",
]

CHALLENGE = "endpoint.url_validation"

_LOOKED_AT = MappingProxyType(
    {
        Source.ZOOM_CHALLENGE: 20,
        Source.OUTSIDE_PROBE: 1,
        Source.RECALL_CHALLENGE: 1,
        Source.RECALL_PROBE: 1,
        Source.RECALL_API: 20,
        Source.ZOOM_EVENT: 1,
    }
)
# Who called Recall with routing direct shows only in what came before.
_ECHOES_LOOKED_AT = MappingProxyType(
    dict.fromkeys(
        (Source.RECALL_API, Source.RECALL_PROBE, Source.RECALL_CHALLENGE), 200
    )
)


@dataclass(frozen=True, kw_only=True)
class Observation:
    """One finding, as `Check` stores it.

    Attributes:
        detail: What was seen, and who fixes it; contains no secret.
        took_ms: How long the answer took, in milliseconds, where that has a meaning.
        told_at: The instant it is about, when that is not now.
    """

    finding: Finding
    detail: str
    took_ms: float | None = None
    told_at: datetime | None = None


def record(  # noqa: PLR0913 - the facts of one observation, all named
    session: Session,
    *,
    zoom_app_id: UUID,
    source: Source,
    finding: Finding,
    detail: str,
    took_ms: float | None = None,
    webhook_id: int | None = None,
    told_at: datetime | None = None,
    at: datetime,
) -> Check:
    """Add one piece of evidence; the caller commits.

    Of Recall's answers alike in a row, and of failures of one round, the first and the
    last are kept: since when and until when is evidence, how often is not.

    Args:
        session: Writing.
        zoom_app_id: What it is about.
        source: By which means it was seen.
        finding: What it says.
        detail: One sentence on what was seen; holds no secret, at most 300 characters.
        took_ms: How long the answer took, in milliseconds.
        webhook_id: The webhook that is the evidence, when it is one.
        told_at: The instant that it speaks of, when that is not `at`; aware.
        at: When it was seen; aware.
    """
    check = Check(
        id=new_id(at),
        zoom_app_id=zoom_app_id,
        source=source,
        finding=finding,
        detail=detail[:300],
        took_ms=took_ms,
        webhook_id=webhook_id,
        told_at=told_at,
        at=at,
    )
    if source in _ALIKE:
        _drop_repeat(session, check)
    session.add(check)
    return check


def evidence(session: Session, zoom_app_id: UUID, *, now: datetime) -> Evidence:
    """Gather what was seen of one zoom app; what is dated ahead of now proves nothing.

    Each look is over an index and bounded, whatever the tables' size.

    Raises:
        NotFoundError: There is no such zoom app.
    """
    row = session.exec(_app_query(), params=_seen_by(zoom_app_id, now)).first()
    if row is None:
        raise NotFoundError("zoom app")
    app, circuit, restored_at, event_at = row
    found = _newest(session, zoom_app_id, _LOOKED_AT, now)
    challenges = [one for one in found if one.source is Source.ZOOM_CHALLENGE]
    good = next((one for one in challenges if one.finding is Finding.GOOD), None)
    good = good or _last_good_request(session, zoom_app_id, challenges, now)
    heard_at = max((at for at in (event_at, good and good.at) if at), default=None)
    self_test = _first(found, app, Source.OUTSIDE_PROBE)
    recall = _first(found, app, Source.RECALL_CHALLENGE, Source.RECALL_PROBE)
    recall_api = _first(found, app, Source.RECALL_API)
    newest = (next(iter(challenges), None), self_test, recall, recall_api)
    began = {
        check.id: _began(session, check)
        for check in newest
        if check is not None and check.finding is not Finding.GOOD
    }
    return Evidence(
        routing=app.routing,
        is_in_recall=app.recall_app_id is not None,
        secret_set_at=app.secret_token_set_at,
        challenge=next(iter(challenges), None),
        good_challenge=good,
        failures=_failures(challenges),
        event_at=event_at,
        self_test=self_test,
        recall=recall,
        recall_api=recall_api,
        began=began,
        zoom_at_recall=_zoom_at_recall(session, app, now),
        refused=_refused(session, zoom_app_id, since=heard_at),
        silence=_silence(found, since=heard_at),
        paused=_paused(circuit),
        restored_at=restored_at,
    )


@cache
def _app_query() -> Select[ZoomApp, OpenCircuit, datetime | None, datetime]:
    """Select an app, what pauses it, the last restore and its newest genuine event.

    Its own pause comes before its workspace's.
    """
    newest_event = (
        select(Webhook.received_at)
        .where(
            col(Webhook.zoom_app_id) == bindparam("app_id"),
            col(Webhook.event) != CHALLENGE,
            col(Webhook.id) < bindparam("ahead"),
        )
        .order_by(col(Webhook.id).desc())
        .limit(1)
        .scalar_subquery()
    )
    paused, is_own = col(OpenCircuit.id), col(OpenCircuit.id) == col(ZoomApp.id)
    pauses = and_(
        col(OpenCircuit.is_holding),
        paused.in_([col(ZoomApp.id), col(ZoomApp.workspace_id)]),
    )
    return (
        select(ZoomApp, OpenCircuit, events.restored_at(), newest_event)
        .outerjoin(OpenCircuit, pauses)
        .where(col(ZoomApp.id) == bindparam("app_id"))
        .order_by(case((is_own, 0), else_=1))
        .limit(1)
    )


def _seen_by(zoom_app_id: UUID, now: datetime) -> dict[str, object]:
    """Return the values of these queries: what is dated ahead of now is left out."""
    latest_at = now + SKEW
    return {"app_id": zoom_app_id, "ahead": first_id(latest_at), "latest_at": latest_at}


_TOGETHER = (Source.RECALL_CHALLENGE, Source.RECALL_PROBE)


def deleted_in_recall(session: Session, *, now: datetime) -> set[UUID]:
    """Return the zoom apps that Recall no longer has, by what was seen of it last.

    As `rules` judges it; one statement for all of them.
    """
    says_nothing = or_(
        col(Check.finding) == Finding.NOTED,
        and_(col(Check.source) == Source.RECALL_API, col(Check.finding) == _UNASKED),
    )
    newest = (
        select(Check.id)
        .where(
            col(Check.zoom_app_id) == col(ZoomApp.id),
            col(Check.source).in_((*_TOGETHER, Source.RECALL_API)),
            ~says_nothing,
            col(Check.id) < first_id(now + SKEW),
        )
        .order_by(col(Check.id).desc())
        .limit(1)
        .correlate(ZoomApp)
        .scalar_subquery()
    )
    query = (
        select(ZoomApp.id, ZoomApp.recall_created_at, Check.at)
        .join(Check, col(Check.id) == newest)
        .where(
            col(ZoomApp.recall_app_id).is_not(None),
            col(Check.finding) == Finding.GONE,
        )
    )
    return {
        app_id
        for app_id, since, at in session.exec(query)
        if since is None or at >= since - SKEW  # or it is of the one before
    }


_UNASKED = Finding.FAILED
"""Recall's API could not be asked, which says nothing."""


def _began(session: Session, check: Check) -> datetime:
    """Return when the first of those alike in a row was seen, that check the last."""
    sources = _TOGETHER if check.source in _TOGETHER else (check.source,)
    mine = (
        col(Check.zoom_app_id) == check.zoom_app_id,
        col(Check.source).in_(sources),
        col(Check.id) <= check.id,
    )
    others = select(func.max(Check.id)).where(
        *mine, col(Check.finding).not_in((check.finding, Finding.NOTED))
    )
    last_other = session.exec(others).one() or 0
    alike = select(func.min(Check.at)).where(
        *mine, col(Check.finding) == check.finding, col(Check.id) > last_other
    )
    return session.exec(alike).one() or check.at


OWN_TEST = "(dashboard probe"
"""In the user agent of our own self-test."""

REFUSED_AS = (
    "signature",
    "rotating",
    "other_environment",
    "other_app",
    "white_space",
    "rewritten",
    "packed",
    "length",
)
"""The causes of refusals whose signature has Zoom's form (receiver.signatures)."""

_REFUSALS_READ = 200


def _refused(
    session: Session, zoom_app_id: UUID, *, since: datetime | None
) -> Contradiction | None:
    """Return the requests in Zoom's form that were rejected since it was heard."""
    if since is None:
        return None
    query = (
        select(Refusal.received_at)
        .where(
            col(Refusal.zoom_app_id) == zoom_app_id,
            col(Refusal.id) >= first_id(since),
            col(Refusal.received_at) > since,
            col(Refusal.cause).in_(REFUSED_AS),
            ~col(Refusal.user_agent).contains(OWN_TEST, autoescape=True),
        )
        .order_by(col(Refusal.id))
        .limit(_REFUSALS_READ)
    )
    times = session.exec(query).all()
    if not times:
        return None
    number = "1 request was" if len(times) == 1 else f"{len(times)} requests were"
    return Contradiction(
        since=times[0],
        last_at=times[-1],
        words=f"{number} rejected since Zoom was last heard, and none accepted. Each "
        "rejected request says what to fix. Zoom doesn't resend them.",
    )


def _silence(found: Sequence[Check], *, since: datetime | None) -> Contradiction | None:
    """Return the silence that was noted since Zoom was last heard."""
    noted = (one for one in found if one.source is Source.ZOOM_EVENT)
    check = next(noted, None)
    if check is None or check.finding is not Finding.NOT_SEEN:
        return None
    if since is None or since >= check.at:
        return None
    return Contradiction(
        since=check.told_at or check.at, last_at=check.at, words=check.detail
    )


def _paused(circuit: OpenCircuit | None) -> Contradiction | None:
    """Return that Recall takes no webhooks of this app."""
    if circuit is None:
        return None
    return Contradiction(
        since=circuit.since, last_at=circuit.since, words=circuit.reason
    )


def status(seen: Evidence, now: datetime) -> ValidationStatus:
    """Judge both ways at once: the one that is further from valid. Pure."""
    to_recall = recall_status(seen, now)
    if seen.routing is Routing.DIRECT:
        return to_recall
    return worse(zoom_status(seen, now), to_recall)


def latest(
    session: Session, zoom_app_id: UUID, *, now: datetime, limit: int = 10
) -> Sequence[Check]:
    """Return the newest pieces of evidence of every source, newest first.

    Genuine events are left out: they are in the log of webhooks.
    """
    sources = (source for source in Source if source is not Source.ZOOM_EVENT)
    return _newest(session, zoom_app_id, dict.fromkeys(sources, limit), now)


def _newest_good_request(
    session: Session, zoom_app_id: UUID, now: datetime
) -> Check | None:
    query = (
        select(Check)
        .where(
            col(Check.zoom_app_id) == zoom_app_id,
            col(Check.source) == Source.ZOOM_CHALLENGE,
            col(Check.finding) == Finding.GOOD,
            col(Check.id) < first_id(now + SKEW),
        )
        .order_by(col(Check.id).desc())
        .limit(1)
    )
    return session.exec(query).first()


def _newest(
    session: Session, zoom_app_id: UUID, wanted: Mapping[Source, int], now: datetime
) -> Sequence[Check]:
    """Return so many of each source in one query, newest first.

    Their ids begin with the time they were made at, so those ahead of now are the last.
    """
    query = _newest_query(tuple(wanted.items()))
    return session.exec(query, params=_seen_by(zoom_app_id, now)).all()


@cache
def _newest_query(wanted: tuple[tuple[Source, int], ...]) -> SelectOfScalar[Check]:
    told_at = col(Check.told_at)
    parts = [
        select(Check.id)
        .where(
            col(Check.zoom_app_id) == bindparam("app_id"),
            col(Check.source) == source,
            col(Check.id) < bindparam("ahead"),
            or_(told_at.is_(None), told_at <= bindparam("latest_at")),
        )
        .order_by(col(Check.id).desc())
        .limit(limit)
        .subquery()
        for source, limit in wanted
    ]
    ids = union_all(*(select(part.c.id) for part in parts))
    query = select(Check).where(col(Check.id).in_(ids))
    return query.order_by(col(Check.id).desc())


def _first(found: Sequence[Check], app: ZoomApp, *sources: Source) -> Check | None:
    """Return the newest of these that says something about the app as it is.

    That Recall could not be asked says nothing; what Recall said of an app that this
    one has taken the place of, nothing about this one.
    """
    since = app.recall_created_at
    for check in found:
        if check.source not in sources or check.finding is Finding.NOTED:
            continue
        if check.source is Source.RECALL_API and check.finding is _UNASKED:
            continue
        is_recalls = check.source is not Source.OUTSIDE_PROBE
        if is_recalls and since is not None and check.at < since - SKEW:
            continue
        return check
    return None


def _last_good_request(
    session: Session, zoom_app_id: UUID, known: Sequence[Check], now: datetime
) -> Check | None:
    """Return the newest one before those, if there may be any."""
    if len(known) < _LOOKED_AT[Source.ZOOM_CHALLENGE]:
        return None
    return _newest_good_request(session, zoom_app_id, now)


def _zoom_at_recall(session: Session, app: ZoomApp, now: datetime) -> Check | None:
    if app.routing is not Routing.DIRECT or app.recall_app_id is None:
        return None
    found = _newest(session, app.id, _ECHOES_LOOKED_AT, now)
    is_cut = any(
        sum(check.source is source for check in found) == limit
        for source, limit in _ECHOES_LOOKED_AT.items()
    )
    return echoes_apart(found[::-1], is_cut=is_cut)


def _failures(challenges: Sequence[Check]) -> int:
    """Count those in a row, newest first, that failed in rounds of their own."""
    failures, last = 0, None
    for check in challenges:
        if check.finding is Finding.GOOD:
            break
        if last is None or last - check.at >= SAME_ROUND:
            failures, last = failures + 1, check.at
    return failures


def _drop_repeat(session: Session, new: Check) -> None:
    """Make room for one more of the same: it takes the place of the last."""
    last = _newest(session, new.zoom_app_id, {new.source: 2}, new.at)
    if len(last) == 2 and all(_ALIKE[new.source](old, new) for old in last):  # noqa: PLR2004 - the first and the last
        session.delete(last[0])


def _says_the_same(old: Check, new: Check) -> bool:
    return (old.finding, old.told_at) == (new.finding, new.told_at)


def _failed_too(old: Check, new: Check) -> bool:
    is_failure = Finding.GOOD not in {old.finding, new.finding}
    return is_failure and new.at - old.at < SAME_ROUND


_ALIKE = MappingProxyType(
    {Source.RECALL_API: _says_the_same, Source.ZOOM_CHALLENGE: _failed_too}
)
