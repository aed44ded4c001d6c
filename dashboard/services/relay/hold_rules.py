"""What makes deliveries stand still, and what sets them going again. Pure.

A workspace has a circuit breaker, a zoom app's queue can be refused; each has a `Hold`
while something is wrong, shared by all workers.

| Recall                        | workspace      | zoom app     | webhook     |
| ----------------------------- | -------------- | ------------ | ----------- |
| 2xx                           | fine           | fine         | delivered   |
| 401, 403 in JSON, 404         | fine           | stands still | waits       |
| 401, 403 in JSON: too early   | fine           |              | waits       |
| 401, 403 in JSON: former      | fine           |              | dead, alone |
| 402, 3xx                      | stands still   |              | waits       |
| 429                           | stands still   |              | retried     |
| 408, 5xx, 403 page, no answer | ... after 5    |              | retried     |
| 409                           | fine           |              | retried     |
| any other                     | fine           |              | dead, alone |
| not asked: sealed for good    |                |              | waits       |

"Too early" is signed with a secret token that Recall is yet to be given, "former" with
one that Zoom was seen to have left (services/receiver/signers.py): neither says
anything of the zoom app. "After 5" are first attempts that failed with nothing fine
between: each webhook counts once, so that one that Recall always answers 500 stops
nobody. "Retried" is on the schedule and given up at its end; "waits" does not count
towards giving up.

What stands still is only probed, one delivery at a time. A probe that fails puts its
own webhook behind, so the next one is another webhook. The first one that is fine ends
the hold, and what waits is due, oldest first. A zoom app's first probe follows at once:
if Recall refuses one webhook alone, its queue stands still for that long only.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from dashboard.models.hold import HoldKind
from dashboard.services.relay.answers import Sign
from dashboard.services.relay.deliveries import Result

STRIKES = 5
WAITS_S = {
    HoldKind.WORKSPACE: (1, 2, 5, 10, 20, 30),
    HoldKind.ZOOM_APP: (0, 5, 15, 30, 60),
}
"""Seconds before the first, second, ... probe; the last one repeats."""

LONGEST_ASKED_S = 600.0
"""However long Recall asks us to wait, it is probed after this."""

_ASKED_TO_STOP = {402, 429, *range(300, 400)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """The columns of a `Hold`."""

    id: UUID
    kind: HoldKind
    failures: int = 0
    is_holding: bool = False
    reason: str = ""
    status: int | None = None
    since: datetime
    probe_at: datetime
    probes: int = 0


def after(
    standing: Standing | None, result: Result, *, kind: HoldKind, now: datetime
) -> Standing | None:
    """Return how a workspace or zoom app stands after one more attempt; None: fine.

    Args:
        standing: Before it.
        result: The attempt.
        kind: Which of the two is asked about.
        now: When it is written down.
    """
    delivery, judged = result.delivery, result.judged
    is_workspace = kind is HoldKind.WORKSPACE
    sign = judged.workspace if is_workspace else judged.zoom_app
    if sign is Sign.FINE:
        return standing if _is_from_before(standing, result) else None
    if standing is not None and standing.is_holding:
        return _probed(_told(standing, result, sign), result, now)
    if sign is Sign.NONE or (sign is Sign.DOWN and delivery.attempts):
        return standing
    if standing is None or sign is Sign.STOP:
        its_id = delivery.workspace_id if is_workspace else delivery.zoom_app_id
        standing = Standing(id=its_id, kind=kind, since=now, probe_at=now)
    known = _told(standing, result, sign)
    if sign is Sign.DOWN and known.failures < STRIKES:
        return known
    probe_at = _next_probe_at(known, judged.asked_s, now)
    return replace(known, is_holding=True, probe_at=probe_at)


def _told(standing: Standing, result: Result, sign: Sign) -> Standing:
    if sign is Sign.NONE:
        return standing
    return replace(
        standing,
        failures=standing.failures + 1,
        reason=f"{result.judged.sentence}."[:500],
        status=result.status,
    )


def _probed(standing: Standing, result: Result, now: datetime) -> Standing:
    """Return it with its next probe, if this was one; others were under way before."""
    asked_s = result.judged.asked_s
    if standing.id in result.delivery.probes:
        return replace(standing, probe_at=_next_probe_at(standing, asked_s, now))
    if asked_s is None:
        return standing
    asked_at = now + timedelta(seconds=min(asked_s, LONGEST_ASKED_S))
    return replace(standing, probe_at=max(standing.probe_at, asked_at))


def _next_probe_at(
    standing: Standing, asked_s: float | None, now: datetime
) -> datetime:
    waits = WAITS_S[standing.kind]
    wait_s = float(waits[min(standing.probes, len(waits) - 1)])
    return now + timedelta(seconds=max(wait_s, min(asked_s or 0.0, LONGEST_ASKED_S)))


def _is_from_before(standing: Standing | None, result: Result) -> bool:
    """Whether it was sent before Recall asked to stop, so that it says nothing now."""
    return (
        standing is not None
        and standing.is_holding
        and standing.status in _ASKED_TO_STOP
        and result.started_at < standing.since
    )
