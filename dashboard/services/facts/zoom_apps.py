"""How a zoom app and its workspace stand: each part, and the app as a whole.

Lists, the overview, its page, set-up steps, Needs attention, commands, /metrics and
Explain draw what this says. The two ways of validation are judged in
`validation.rules`; here it is added who must act on them. docs/facts.md has the table.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Protocol

from sqlmodel import Session, col, select

from dashboard.clock import SKEW
from dashboard.models.check import Source
from dashboard.models.circuit import OpenCircuit
from dashboard.models.connection import Connection
from dashboard.models.workspace import Verdict, Workspace
from dashboard.models.zoom_app import Routing, ZoomApp
from dashboard.services.facts import silence
from dashboard.services.facts.acting import Fact, Problem
from dashboard.services.facts.silence import Silence
from dashboard.services.heartbeats import heartbeats
from dashboard.services.heartbeats.heartbeats import WorkerStatus
from dashboard.services.validation import evidence
from dashboard.services.validation.evidence import Evidence
from dashboard.services.validation.states import (
    FAILURES_ALLOWED,
    State,
    ValidationStatus,
    worse,
)

ASKED_EVERY = timedelta(days=1)
"""How often Zoom is asked about a pair, and Recall about a key."""

HOLDS = ASKED_EVERY + timedelta(hours=2)
"""How long their answers hold."""

GOOD, WAITING, TROUBLE, OFF = "good", "waiting", "trouble", "off"
_PAUSED_CHECKS = "checks of its users are paused until"
_OF_SETUP = {
    Problem.NEVER_VALIDATED,
    Problem.VALIDATION_AWAITED,
    Problem.RECALL_UNTESTED,
}
"""What the set-up steps say: nobody is alarmed by it."""


def pair_problem(app: ZoomApp) -> Problem:
    """Return what is wrong with an app's credentials, whatever the time. Pure."""
    if app.verdict is Verdict.WRONG:
        return Problem.PAIR_REFUSED
    if app.is_switched_off:
        return Problem.APP_DISABLED
    if app.pair_doubted_at is not None:
        is_tried = app.checked_at is not None and app.checked_at >= app.pair_doubted_at
        is_right = app.verdict is Verdict.RIGHT
        return Problem.PAIR_DIFFERS if is_tried and is_right else Problem.PAIR_DOUBTED
    if app.verdict is Verdict.UNKNOWN:
        return Problem.PAIR_UNCHECKED
    return Problem.NONE


def pair(app: ZoomApp, *, now: datetime, restored_at: datetime | None = None) -> Fact:
    """Return how an app's client ID and client secret stand. Pure.

    Args:
        app: Which.
        now: Aware.
        restored_at: When the database was last replaced by an older copy.
    """
    problem, valid_until = pair_problem(app), _holds_until(app.checked_at)
    if problem is Problem.NONE and not _is_current(app.checked_at, restored_at, now):
        problem = Problem.PAIR_OUTDATED
    seen_at, since = app.checked_at, app.verdict_since or app.checked_at
    word, tone, sentence, reason = _PAIRS[problem]
    if problem is Problem.PAIR_UNCHECKED:
        reason = app.verdict_reason
    elif problem is Problem.PAIR_OUTDATED:
        sentence = f"{sentence} {_moment(seen_at)}."
        since = valid_until
    elif problem in (Problem.PAIR_DOUBTED, Problem.PAIR_DIFFERS):
        since = app.pair_doubted_at
    return Fact(
        problem=problem,
        word=word,
        tone=tone,
        sentence=sentence,
        reason=reason,
        since=since,
        proof=app.verdict_reason,
        proof_at=seen_at,
        valid_until=valid_until if app.verdict is Verdict.RIGHT else None,
        next_check=app.pair_due_at,
    )


_DOUBTED = "Recall gets no tokens for this app."
_NO_USER = f"No user has to act: {_PAUSED_CHECKS} it works."
_PAIRS = {
    Problem.PAIR_REFUSED: (
        "Credentials rejected",
        TROUBLE,
        "Zoom rejects the client ID and client secret.",
        f"New users can't connect, and {_PAUSED_CHECKS} this is fixed.",
    ),
    Problem.APP_DISABLED: (
        "Switched off in Zoom",
        TROUBLE,
        "Zoom has switched this app off in its Marketplace.",
        "Until it is activated, new users can't connect and tokens aren't renewed.",
    ),
    Problem.PAIR_DOUBTED: (
        "Credentials in doubt",
        TROUBLE,
        _DOUBTED,
        f"Zoom is asked about the pair now. {_NO_USER}",
    ),
    Problem.PAIR_DIFFERS: (
        "Credentials in doubt",
        TROUBLE,
        _DOUBTED,
        f"Zoom accepts the pair stored here, so Recall's copy may differ. {_NO_USER}",
    ),
    Problem.PAIR_UNCHECKED: (
        "Credentials not verified",
        WAITING,
        "The client ID and client secret are not verified yet.",
        "",
    ),
    Problem.PAIR_OUTDATED: (
        "Credentials not verified since",
        WAITING,
        "Zoom last accepted the client ID and client secret at",
        "Zoom could not be asked since.",
    ),
    Problem.NONE: (
        "Credentials verified",
        GOOD,
        "Zoom accepts the client ID and client secret.",
        "",
    ),
}


def key_problem(workspace: Workspace) -> Problem:
    """Return what is wrong with a workspace's key, whatever the time. Pure."""
    match workspace.verdict:
        case Verdict.WRONG:
            return Problem.KEY_REFUSED
        case Verdict.UNKNOWN:
            return Problem.KEY_UNCHECKED
        case Verdict.RIGHT:
            return Problem.NONE


def key(
    workspace: Workspace, *, now: datetime, restored_at: datetime | None = None
) -> Fact:
    """Return how a workspace stands: whether Recall accepts its API key. Pure.

    Args:
        workspace: Which.
        now: Aware.
        restored_at: When the database was last replaced by an older copy.
    """
    problem, seen_at = key_problem(workspace), workspace.checked_at
    if problem is Problem.NONE and not _is_current(seen_at, restored_at, now):
        problem = Problem.KEY_OUTDATED
    word, tone, sentence = _KEYS[problem]
    valid_until = _holds_until(seen_at)
    is_outdated = problem is Problem.KEY_OUTDATED
    if is_outdated and valid_until is not None:
        word = f"Valid until {_moment(valid_until)}"
    return Fact(
        problem=problem,
        word=word,
        tone=tone,
        sentence=sentence.format(name=workspace.name),
        reason=workspace.verdict_reason,
        since=valid_until if is_outdated else workspace.verdict_since or seen_at,
        proof=workspace.verdict_reason,
        proof_at=seen_at,
        valid_until=valid_until if workspace.verdict is Verdict.RIGHT else None,
        next_check=workspace.key_due_at,
    )


_KEYS = {
    Problem.KEY_REFUSED: (
        "Invalid",
        TROUBLE,
        "Recall rejects the API key of the workspace {name}.",
    ),
    Problem.KEY_UNCHECKED: (
        "Not checked",
        WAITING,
        "The API key of the workspace {name} is not verified yet.",
    ),
    Problem.KEY_OUTDATED: (
        "Valid once",
        WAITING,
        "The API key of the workspace {name} was not verified lately.",
    ),
    Problem.NONE: (
        "Valid",
        GOOD,
        "Recall accepts the API key of the workspace {name}.",
    ),
}


def _holds_until(seen_at: datetime | None) -> datetime | None:
    return None if seen_at is None else seen_at + HOLDS


def _is_current(
    seen_at: datetime | None, restored_at: datetime | None, now: datetime
) -> bool:
    if seen_at is None or (restored_at is not None and seen_at < restored_at):
        return False
    return -SKEW <= now - seen_at < HOLDS


def _moment(at: datetime | None) -> str:
    return "a time not known" if at is None else f"{at:%Y-%m-%d %H:%M} UTC"


def from_zoom(status: ValidationStatus) -> Fact:
    """Return how the way from Zoom to the dashboard stands. Pure."""
    if status.is_switched_off:
        sentence = f"Zoom has disabled this app's webhooks: {status.count}."
        return _of_way(status, Problem.ZOOM_DISABLED, sentence)
    match status.state:
        case State.SECRET_MISMATCH:
            sentence = "Secret token mismatch: Zoom signs with a different one."
            return _of_way(status, Problem.ZOOM_SECRET, sentence)
        case State.FAILING if status.source is Source.OUTSIDE_PROBE:
            sentence = "The self-test of the webhook URL failed."
            return _of_way(status, Problem.UNREACHABLE, sentence)
        case State.FAILING:
            sentence = f"Zoom's validation of the webhook URL fails: {status.count}."
            return _of_way(status, Problem.VALIDATION_FAILS, sentence)
        case _:
            return _of_late_way(status, Problem.VALIDATION_AWAITED)


def to_recall(status: ValidationStatus, routing: Routing) -> Fact:
    """Return how the way to Recall stands, from the dashboard or from Zoom. Pure."""
    match status.state:
        case State.SECRET_MISMATCH:
            sentence = "Secret token mismatch: Recall has a different one."
            if status.title:
                sentence = (
                    "Recall rejects our signed test. It may have a different secret "
                    "token."
                )
            return _of_way(status, Problem.RECALL_SECRET, sentence, _EFFECT[routing])
        case State.FAILING if status.title:
            sentence = "The app was deleted in Recall."
            effect = "Bots can't get join tokens."
            return _of_way(status, Problem.GONE_FROM_RECALL, sentence, effect)
        case State.FAILING:
            sentence = "Recall's webhook URL doesn't respond correctly."
            return _of_way(status, Problem.RECALL_ANSWERS_WRONG, sentence)
        case State.RECALL_DISAGREES:
            sentence = "Recall disagrees about validation."
            return _of_way(status, Problem.RECALL_DISAGREES, sentence)
        case State.WAITING | State.OVERDUE if routing is Routing.RELAY:
            return _of_late_way(status, Problem.RECALL_UNTESTED)
        case _:
            return _of_late_way(status, Problem.VALIDATION_AWAITED)


_EFFECT = {
    Routing.RELAY: "Events are verified here and forwarded, but Recall rejects them.",
    Routing.DIRECT: "Recall rejects what Zoom sends, unless the secret token here is "
    "wrong.",
}


def _of_late_way(status: ValidationStatus, awaited: Problem) -> Fact:
    match status.state:
        case State.NOT_PROVEN:
            return _of_way(status, Problem.NOT_PROVEN, "Validation not proven.")
        case State.OVERDUE:
            is_ours = awaited is Problem.RECALL_UNTESTED
            late = awaited if is_ours else Problem.VALIDATION_OVERDUE
            count = f": {status.count}" if status.failures else ""
            return _of_way(status, late, f"Validation overdue{count}.")
        case State.WAITING:
            return _of_way(status, awaited, "Validation awaited.")
        case State.VALID:
            return _of_way(status, Problem.NONE, "Validation passed.")
        case _ if status.title:  # not used with this routing
            return _of_way(status, Problem.NONE, f"{status.title}.")
        case _:
            return _of_way(status, Problem.NEVER_VALIDATED, "Not validated yet.")


def _of_way(
    status: ValidationStatus, problem: Problem, sentence: str, effect: str = ""
) -> Fact:
    is_valid = status.state is State.VALID
    return Fact(
        problem=problem,
        word=status.word,
        tone=status.tone,
        sentence=sentence,
        reason=effect or status.sentence,
        since=status.since,
        proof=status.sentence,
        proof_at=status.since if is_valid else None,
        valid_until=status.valid_until if is_valid else None,
        next_check=status.next_due_at,
    )


class Circuit(Protocol):
    """What is read of a circuit: its row, or a copy of it."""

    @property
    def reason(self) -> str:
        """What Recall said."""

    @property
    def status(self) -> int | None:
        """Its last status."""

    @property
    def since(self) -> datetime:
        """When the first of the failures happened."""

    @property
    def probe_at(self) -> datetime:
        """When the next probe may be sent."""


def delivery(circuit: Circuit) -> Fact:
    """Return how a delivery that is paused stands. Pure."""
    status = circuit.status
    is_down = status is None or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    is_down = is_down or status == HTTPStatus.TOO_MANY_REQUESTS
    return Fact(
        problem=Problem.RECALL_DOWN if is_down else Problem.PAUSED,
        word="Delivery paused",
        tone=TROUBLE,
        sentence="Delivery to Recall is paused.",
        reason=circuit.reason,
        since=circuit.since,
        next_check=circuit.probe_at,
    )


def worker(status: WorkerStatus) -> Fact | None:
    """Return what follows where no background worker runs; None while one does."""
    if status.is_alive:
        return None
    return Fact(
        problem=Problem.NO_WORKER,
        word="No worker",
        tone=TROUBLE,
        sentence=status.sentence,
        reason="Webhooks are taken and stored, but not sent to Recall, and no "
        "connection is checked.",
        step=status.order,
        since=status.last_at,
    )


def _events(silent: Silence | None) -> Fact | None:
    if silent is None:
        return None
    return Fact(
        problem=Problem.ALL_REJECTED if silent.is_refused else Problem.SILENT,
        word="All rejected" if silent.is_refused else "Silent",
        tone=TROUBLE,
        sentence=silent.sentence,
        reason=silent.detail,
        since=silent.since,
    )


def _outside_recall(app: ZoomApp, *, has_users: bool) -> Fact | None:
    if app.recall_app_id is not None:
        return None
    return Fact(
        problem=Problem.NOT_IN_RECALL,
        word="Not in Recall",
        tone=TROUBLE if has_users else OFF,
        sentence="The app is not in Recall.",
        reason="None of its users' meetings get a token. No user has to act."
        if has_users
        else "",
    )


@dataclass(frozen=True, kw_only=True)
class AppStanding:
    """All that is said of a zoom app.

    Attributes:
        routing: Which ways it has.
        pair: Its credentials.
        key: Its workspace; None while it has none.
        from_zoom: The way from Zoom to the dashboard.
        to_recall: The way to Recall.
        zoom_status: What the first of the two was judged by.
        recall_status: What the second was judged by.
        outside_recall: That it is not in Recall.
        delivery: That delivery is paused, for it or its workspace.
        events: That its events have stopped, or all are rejected.
        worker: That no background worker runs.
        retired: That it is not in use any more; then nothing is wrong with it.
    """

    routing: Routing
    pair: Fact
    key: Fact | None
    from_zoom: Fact
    to_recall: Fact
    zoom_status: ValidationStatus
    recall_status: ValidationStatus
    outside_recall: Fact | None = None
    delivery: Fact | None = None
    events: Fact | None = None
    worker: Fact | None = None
    retired: Fact | None = None

    @property
    def way_status(self) -> ValidationStatus:
        """What the worse of the two ways was judged by."""
        if self.routing is Routing.DIRECT:
            return self.recall_status
        return worse(self.zoom_status, self.recall_status)

    @property
    def way(self) -> Fact:
        """The one of the two ways that is further from valid."""
        is_zooms = self.way_status is self.zoom_status
        return self.from_zoom if is_zooms else self.to_recall

    @property
    def problems(self) -> Sequence[Fact]:
        """What someone should know of this app, the first to fix first.

        What is wrong with the worker, the workspace or its deliveries is not of this
        app alone, and is left out.
        """
        if self.retired is not None:
            return []
        return [
            each
            for each in filter(
                None,
                (self.pair, self.outside_recall, *self._ways(), self._silence()),
            )
            if each.tone in (TROUBLE, WAITING)
            and (each.problem not in _OF_SETUP or self._is_late(each))
        ]

    @property
    def main(self) -> Fact:
        """The state of the app: the problem to fix first, or that its ways work."""
        if self.retired is not None:
            return self.retired
        trouble = (each for each in self._everything() if each.tone == TROUBLE)
        first = next(trouble, None)
        if first is not None:
            return first
        if self.way.tone != GOOD:
            return self.way
        rest = (self.pair, self.key)
        return next(
            (each for each in rest if each is not None and each.tone != GOOD), self.way
        )

    @property
    def alarm(self) -> Fact | None:
        """The problem to fix first, if it is one; None while there is none."""
        return self.main if self.main.tone == TROUBLE else None

    def _everything(self) -> Iterator[Fact]:
        before = self.worker, self.key, self.pair, self.outside_recall
        after = self.delivery, self._silence()
        yield from filter(None, (*before, *self._ways(), *after))

    def _ways(self) -> Sequence[Fact]:
        """Both ways as far as they are in trouble, else the worse of the two."""
        ways = [
            each for each in (self.from_zoom, self.to_recall) if each.tone == TROUBLE
        ]
        ways = ways or [self.way]
        return [each for each in ways if not self._is_said_by_another(each)]

    def _is_said_by_another(self, way: Fact) -> bool:
        if way.problem is not Problem.NOT_PROVEN:
            return False
        is_zooms = way is self.from_zoom
        return (self.events if is_zooms else self.delivery) is not None

    def _silence(self) -> Fact | None:
        """Leave out a silence that the way from Zoom explains already."""
        events, zoom = self.events, self.from_zoom
        is_explained = zoom.problem is Problem.ZOOM_DISABLED or (
            events is not None
            and events.problem is Problem.ALL_REJECTED
            and zoom.problem is Problem.ZOOM_SECRET
            and self.zoom_status.failures > 0
        )
        return None if is_explained else events

    def _is_late(self, way: Fact) -> bool:
        is_zooms = way is self.from_zoom
        status = self.zoom_status if is_zooms else self.recall_status
        return status.state is State.OVERDUE

    @property
    def is_deaf(self) -> bool:
        """Whether Zoom's events are known not to arrive."""
        status = self.way_status
        is_over = status.state is State.OVERDUE and status.missed >= FAILURES_ALLOWED
        return is_over or status.state in _DEAF


_DEAF = {State.NEVER_SEEN, State.SECRET_MISMATCH, State.FAILING}


class Reader:
    """Says how zoom apps stand; what they share is read once.

    Args:
        session: Reading, as long as this is used.
        now: Aware.
        is_worked: Whether the background worker runs, if that was read already.

    Attributes:
        workspaces: All of them.
    """

    def __init__(
        self, session: Session, *, now: datetime, is_worked: WorkerStatus | None = None
    ) -> None:
        self._session = session
        self._now = now
        holding = select(OpenCircuit).where(col(OpenCircuit.is_holding))
        self._paused = {each.id: each for each in session.exec(holding)}
        # Kept, so that the session need not read one again.
        self.workspaces = {each.id: each for each in session.exec(select(Workspace))}
        self._keys = {each.id: key(each, now=now) for each in self.workspaces.values()}
        self._worker = worker(is_worked or heartbeats.find(session, now=now))

    def __call__(self, app: ZoomApp, seen: Evidence | None = None) -> AppStanding:
        """Return how one stands.

        Args:
            app: Which.
            seen: `validation.evidence` of it, if it was read already.
        """
        session, now = self._session, self._now
        seen = seen or evidence.evidence(session, app.id, now=now)
        zoom_status = evidence.zoom_status(seen, now)
        recall_status = evidence.recall_status(seen, now)
        circuit = self._paused.get(app.id) or (
            self._paused.get(app.workspace_id) if app.workspace_id else None
        )
        found = AppStanding(
            routing=app.routing,
            pair=pair(app, now=now, restored_at=seen.restored_at),
            key=self._keys.get(app.workspace_id) if app.workspace_id else None,
            from_zoom=from_zoom(zoom_status),
            to_recall=to_recall(recall_status, app.routing),
            zoom_status=zoom_status,
            recall_status=recall_status,
            outside_recall=_outside_recall(app, has_users=self._has_users(app)),
            delivery=None if circuit is None else delivery(circuit),
            events=_events(silence.find(session, app, seen, now=now)),
            worker=self._worker,
        )
        return (
            found if app.retired_at is None else replace(found, retired=_retired(app))
        )

    def _has_users(self, app: ZoomApp) -> bool:
        if app.recall_app_id is not None:
            return True
        query = select(Connection.id).where(col(Connection.zoom_app_id) == app.id)
        return self._session.exec(query.limit(1)).first() is not None


def _retired(app: ZoomApp) -> Fact:
    return Fact(
        word="Retired",
        tone=OFF,
        sentence="The app is retired: its users have moved on.",
        since=app.retired_at,
    )


def of(
    session: Session, app: ZoomApp, *, now: datetime, seen: Evidence | None = None
) -> AppStanding:
    """Return how one zoom app stands."""
    return Reader(session, now=now)(app, seen)
