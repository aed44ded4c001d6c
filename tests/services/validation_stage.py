"""Pieces of evidence, so many hours before noon; a test names only what it is about."""

from datetime import timedelta
from uuid import UUID

from dashboard.models.check import Check, Finding, Source
from dashboard.models.ids import new_id
from dashboard.models.zoom_app import Routing
from dashboard.services.validation.states import Evidence
from tests.makers import NOON

HOUR = timedelta(hours=1)
SET_AT = NOON - timedelta(days=60)
SEEN = "*(what was seen)*"

GOOD, MISMATCH, FAILED = Finding.GOOD, Finding.SECRET_MISMATCH, Finding.FAILED
NOT_SEEN, GONE, NOTED = Finding.NOT_SEEN, Finding.GONE, Finding.NOTED


def a_check(
    source: Source,
    finding: Finding = GOOD,
    hours_ago: float = 1,
    *,
    told_hours_ago: float | None = None,
    detail: str = SEEN,
) -> Check:
    at = NOON - HOUR * hours_ago
    told = None if told_hours_ago is None else NOON - HOUR * told_hours_ago
    return Check(
        id=new_id(at),
        zoom_app_id=UUID(int=1),
        source=source,
        finding=finding,
        detail=detail,
        at=at,
        told_at=told,
    )


def called(
    finding: Finding = GOOD, hours_ago: float = 1, failures: int = 1
) -> dict[str, object]:
    """Zoom's newest challenge."""
    check = a_check(Source.ZOOM_CHALLENGE, finding, hours_ago)
    if finding is GOOD:
        return {"challenge": check, "good_challenge": check}
    return {"challenge": check, "failures": failures}


def before(hours_ago: float) -> dict[str, object]:
    """A right answer before what Zoom's newest challenge came to."""
    return {"good_challenge": a_check(Source.ZOOM_CHALLENGE, GOOD, hours_ago)}


def event(hours_ago: float) -> dict[str, object]:
    return {"event_at": NOON - HOUR * hours_ago}


def outside(finding: Finding = GOOD, hours_ago: float = 1) -> dict[str, object]:
    return {"outside": a_check(Source.OUTSIDE_PROBE, finding, hours_ago)}


def probed(finding: Finding = GOOD, hours_ago: float = 1) -> dict[str, object]:
    return {"recall": a_check(Source.RECALL_PROBE, finding, hours_ago)}


def passed_on(finding: Finding = GOOD, hours_ago: float = 1) -> dict[str, object]:
    return {"recall": a_check(Source.RECALL_CHALLENGE, finding, hours_ago)}


def api(
    finding: Finding = GOOD,
    hours_ago: float = 0.5,
    told_hours_ago: float | None = None,
) -> dict[str, object]:
    """What Recall's API said last."""
    check = a_check(
        Source.RECALL_API, finding, hours_ago, told_hours_ago=told_hours_ago
    )
    return {"recall_api": check}


def told(told_hours_ago: float, hours_ago: float = 0.5) -> dict[str, object]:
    """Recall's API says that Zoom validated its URL then."""
    check = a_check(Source.RECALL_API, GOOD, hours_ago, told_hours_ago=told_hours_ago)
    return {"recall_api": check, "zoom_at_recall": check}


def seen(*parts: dict[str, object], **over: object) -> Evidence:
    values: dict[str, object] = {
        "routing": Routing.RELAY,
        "is_in_recall": True,
        "secret_set_at": SET_AT,
    }
    for part in parts:
        values |= part
    return Evidence(**(values | over))  # type: ignore[arg-type]  # the test's own values


def changed(hours_ago: float) -> dict[str, object]:
    """Another secret token was entered."""
    return {"secret_set_at": NOON - HOUR * hours_ago}


def directly(*parts: dict[str, object]) -> Evidence:
    return seen(*parts, routing=Routing.DIRECT)
