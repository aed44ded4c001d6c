"""Data for pages: thousands of users, a month of webhooks, many problems."""

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import text
from sqlmodel import SQLModel

from benchmarks import kept
from benchmarks.load import events
from benchmarks.log_rows import attempt_rows, body_row, write
from benchmarks.sites import APP_ID, Site, Sites, new_workspace, new_zoom_app
from dashboard.clock import Clock
from dashboard.models.check import Finding, Source
from dashboard.models.connection import (
    AccountMember,
    AttemptOutcome,
    ConnectAttempt,
    Connection,
    ConnectionEvent,
    MeetingMapping,
    SyncStatus,
    TokenCause,
    TokenState,
)
from dashboard.models.ids import first_id
from dashboard.models.invitation import Invitation, InvitationState
from dashboard.models.webhook import Attempt, Outcome, Webhook, WebhookBody
from dashboard.models.workspace import Verdict
from dashboard.models.zoom_app import Kind
from dashboard.services.heartbeats import heartbeats
from dashboard.services.runtime import Runtime
from dashboard.services.setup import checklist, first_seen
from dashboard.services.validation import evidence

CACHE = Path(tempfile.gettempdir()) / "dashboard-benchmark-town"
SPAN = timedelta(days=30)
ACCOUNTS_APP = uuid5(APP_ID, "accounts")
INVITED, MEMBERS, HOOKS_A_MEETING = 20_000, 20_000, 4
_CHUNK = 5000
_ONE_IN = 100
_LAYOUT = 2
"""Of these rows: a change here makes them again."""
_STATES = {
    1: TokenState.RECONNECT_NEEDED,
    2: TokenState.MISSING_SCOPES,
    3: TokenState.UNHEALTHY_IN_RECALL,
    4: TokenState.UNKNOWN,
}
_FIRST = ("Ana", "Ben", "Chiara", "Dmitri", "Ewa", "Femi", "Gül", "Hana", "Ivan", "Jo")
_INVITATIONS = (
    InvitationState.MADE,
    InvitationState.OPENED,
    InvitationState.DECLINED,
    InvitationState.EXPIRED,
)
_CAUSES = {
    (TokenState.UNHEALTHY_IN_RECALL, False): TokenCause.NOT_THE_APP,
    (TokenState.UNKNOWN, False): TokenCause.KEY_REFUSED,
}
"""Of every second of such; the others have none."""
_DEAD = 7
_SWEEP_S = 14 * 3600

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Town:
    """So many people and webhooks, as of `until`; everything follows from these."""

    connections: int
    webhooks: int
    until: datetime

    @property
    def users(self) -> int:
        """How many have meetings: one in ten of them is not connected."""
        return self.connections * 10 // 9

    def received_at(self, number: int) -> datetime:
        """When webhook `number` came, counted from the oldest."""
        return self.until - SPAN + SPAN * number / self.webhooks

    def host(self, meeting: int) -> int:
        """Who made a meeting."""
        return meeting * 7919 % self.users

    def meeting_of(self, user: int) -> int:
        """Return some meeting that a person made."""
        meetings = self.webhooks // HOOKS_A_MEETING
        return next(n for n in range(meetings) if self.host(n) == user)

    @property
    def clock(self) -> Clock:
        """One that stands a little after: what is read says the same at any time."""
        return _StoppedClock(self.until + timedelta(minutes=5))

    @property
    def whole(self) -> int:
        """The id of the one webhook whose bytes are there."""
        return webhook_id(self, self.webhooks // 2)

    def dead_meeting(self) -> int:
        """Return a meeting of a healthy connection; all its webhooks failed."""
        meetings = range(_DEAD, self.webhooks // HOOKS_A_MEETING, _ONE_IN)
        return next(
            meeting
            for meeting in meetings
            if self.host(meeting) < self.connections
            and self.host(meeting) % _ONE_IN > _DEAD
        )


class _StoppedClock(Clock):
    def __init__(self, at: datetime) -> None:
        super().__init__()
        self._at = at

    def now(self) -> datetime:
        return self._at


def user_id(number: int) -> str:
    """Return Zoom's id of a person, from 0."""
    return f"zUsEr{number:06d}AAAAAAAAAAA"


def email(number: int) -> str:
    """Return the user's email."""
    return f"user{number:06d}@example.com"


def meeting_id(number: int) -> int:
    """Return the number of a meeting, from 0."""
    return 91_000_000_000 + number


def pmi(number: int) -> int:
    """Return a person's PMI; two of them have the same."""
    return 5_550_000_000 + (number or 5)


def connection_id(number: int) -> UUID:
    """Return the id of a person's connection; `credential_id` Recall's."""
    return uuid5(APP_ID, f"connection {number}")


def credential_id(number: int) -> UUID:
    """Return Recall's id of their credential."""
    return uuid5(APP_ID, f"credential {number}")


def webhook_id(town: Town, number: int) -> int:
    """Return the id of a webhook: the first of its millisecond, but for the number."""
    return first_id(town.received_at(number)) + number % 1000


def kept_town(
    sites: Sites, kind: str, connections: int, webhooks: int, *, is_fresh: bool = False
) -> tuple[Site, Town]:
    """Return a site with such data, made if there is none yet."""

    def town(until: str) -> Town:
        return Town(
            connections=connections,
            webhooks=webhooks,
            until=datetime.fromisoformat(until),
        )

    def filled(runtime: Runtime) -> str:
        began = perf_counter()
        until = (runtime.clock.now() - timedelta(minutes=5)).isoformat()
        fill(runtime, town(until))
        print(f"Made in {perf_counter() - began:.0f} s", file=sys.stderr)
        return until

    name = f"town{_LAYOUT}_{connections}_{webhooks}"
    site, until = kept.site(sites, kind, name, filled, is_fresh=is_fresh)
    return site, town(until)


def fill(runtime: Runtime, town: Town) -> None:
    """Write it all into an empty database; commits every few thousand rows."""
    _add_apps(runtime, town)
    _add(runtime, Connection, town.connections, lambda n: _connection(town, n))
    _add(runtime, Connection, _ONE_IN, lambda n: _account(town, n))
    _add(runtime, AccountMember, MEMBERS, lambda n: _member(town, n))
    _add(runtime, MeetingMapping, town.connections, lambda n: _mapping(town, n))
    _add(runtime, ConnectionEvent, town.connections, lambda n: _event(town, n))
    _add(runtime, Invitation, INVITED, lambda n: _invitation(town, n))
    _add(runtime, ConnectAttempt, town.connections, lambda n: _attempt(town, n))
    with _indexed_afterwards(runtime):
        _add(runtime, Webhook, town.webhooks, lambda n: _webhook(town, n))
    body = next(events(1)).body
    _add(runtime, WebhookBody, 1, lambda _: body_row(runtime.vault, town.whole, body))
    [attempt] = attempt_rows(_webhook(town, town.webhooks // 2))
    _add(runtime, Attempt, 1, lambda _: attempt)
    checklist.record_new(runtime)  # as the worker does within a second
    now = town.clock.now()
    with runtime.database.writing() as session:
        proved = first_seen.scopes_proved(
            APP_ID, Kind.USER_LEVEL, at=town.until, connection_id=connection_id(10)
        )
        checklist.store(session, [proved])  # as a health check does
        heartbeats.beat(session, "town:1", started_at=now - SPAN, version="1", now=now)


@contextmanager
def _indexed_afterwards(runtime: Runtime) -> Iterator[None]:
    """Create the webhooks' indexes last: SQLite is ten times as fast that way."""
    if not runtime.database.is_sqlite:
        yield
        return
    query = text(
        "SELECT name, sql FROM sqlite_master "
        "WHERE type = 'index' AND tbl_name = 'webhook' AND sql IS NOT NULL"
    )
    with runtime.database.writing() as session:
        indexes = session.connection().execute(query).all()
        for name, _ in indexes:
            session.connection().execute(text(f"DROP INDEX {name}"))
    yield
    for _, made in indexes:
        with runtime.database.writing() as session:
            session.connection().execute(text(made))


def _add(
    runtime: Runtime, model: type[SQLModel], number: int, row: Callable[[int], Row]
) -> None:
    rows: Iterator[Row] = map(row, range(number))
    while some := list(islice(rows, _CHUNK)):
        with runtime.database.writing() as session:
            write(session.connection(), model, some)


def _add_apps(runtime: Runtime, town: Town) -> None:
    with runtime.database.writing() as session:
        workspace = new_workspace(runtime.vault)
        session.add(workspace)
        session.flush()
        for app_id, kind in (
            (APP_ID, Kind.USER_LEVEL),
            (ACCOUNTS_APP, Kind.ACCOUNT_LEVEL),
        ):
            app = new_zoom_app(runtime.vault, app_id, f"Notetaker {kind}")
            app.kind, app.workspace_id = kind, workspace.id
            app.recall_app_id = uuid5(app_id, "in Recall")
            app.verdict, app.checked_at = Verdict.RIGHT, town.until
            app.created_at = app.recall_created_at = town.until - SPAN
            app.client_secret_set_at = app.secret_token_set_at = town.until - SPAN
            session.add(app)
            session.flush()
            for source in (Source.ZOOM_CHALLENGE, Source.RECALL_PROBE):
                evidence.record(
                    session,
                    zoom_app_id=app_id,
                    source=source,
                    finding=Finding.GOOD,
                    detail="Answered.",
                    at=town.until,
                )


def _checked_at(town: Town, number: int) -> datetime:
    """When Recall's rate limit allowed a check: each once in 14 hours."""
    return town.until - timedelta(seconds=number * 37 % _SWEEP_S)


def _connection(town: Town, number: int) -> Row:
    checked_at = _checked_at(town, number)
    connected_at = town.until - SPAN - timedelta(seconds=number)
    changed = number % _ONE_IN == _DEAD
    state = _STATES.get(number % _ONE_IN, TokenState.HEALTHY)
    is_even = number // _ONE_IN % 2 == 0
    name = f"{_FIRST[number * 7 % 10]} Nowak-{number * 7919 % 100_003:05d}"
    return {
        "id": connection_id(number),
        "zoom_app_id": APP_ID,
        "recall_credential_id": credential_id(number),
        "zoom_user_id": user_id(number),
        # Half of them work for one company.
        "zoom_account_id": f"AbCdEfGhIjKlMnOp{0 if number % 2 else number:06d}",
        "display_name": name,
        "email": email(number),
        "search_text": f"{email(number)} {name}".lower(),
        "pmi": pmi(number),
        "previous_pmi": 9_550_000_000 + number if changed else None,
        "pmi_changed_at": town.until if changed else None,
        "token_state": state,
        "token_cause": _CAUSES.get((state, is_even), TokenCause.NONE),
        "token_reason": "One sentence of usual length that says what the problem is.",
        "token_evidence": "Zoom answered an API call with a token from Recall.",
        "token_since": connected_at,
        "token_checked_at": checked_at,
        "token_expires_at": checked_at + timedelta(hours=1),
        "recall_status": "healthy",
        "recording_block": "Only the host records." if number % 1000 == 999 else "",
        "sync_status": SyncStatus.FAILED if number % 200 == 9 else SyncStatus.COMPLETED,
        "mappings_seen_at": town.until,
        "connected_at": connected_at,
        # Never while the benchmark runs.
        "due_at": town.until + timedelta(days=3650, seconds=number * 31 % _SWEEP_S),
    }


def _account(town: Town, number: int) -> Row:
    return {
        "id": uuid5(ACCOUNTS_APP, str(number)),
        "zoom_app_id": ACCOUNTS_APP,
        "recall_credential_id": uuid5(ACCOUNTS_APP, f"credential {number}"),
        "zoom_account_id": f"WhOlEaCcOuNt{number:010d}",
        "token_state": TokenState.HEALTHY,
        "token_checked_at": town.until,
        "sync_status": SyncStatus.COMPLETED,
        "connected_at": town.until - SPAN,
        "due_at": town.until + timedelta(days=3650),
    }


def _member(town: Town, number: int) -> Row:
    return {
        "connection_id": uuid5(ACCOUNTS_APP, str(number % _ONE_IN)),
        "zoom_user_id": f"mEmBeR{number:06d}AAAAAAAAAA",
        "display_name": f"Member {number:06d}",
        "email": f"member{number:06d}@example.com",
        "pmi": 6_550_000_000 + number,
        "status": "active",
        "seen_at": town.until,
    }


def _mapping(town: Town, number: int) -> Row:
    return {
        "id": number + 1,
        "connection_id": connection_id(number),
        # Of nearly everybody the PMI, of the first few thousand a meeting of theirs.
        "meeting_id": pmi(number) if number % 5 else meeting_id(number),
        "synced_at": town.until - SPAN,
        "seen_at": town.until,
    }


def _event(town: Town, number: int) -> Row:
    return {
        "id": number + 1,
        "connection_id": connection_id(number),
        "at": town.until - SPAN,
        "source": "recall",
        "kind": "sync",
        "words": "Recall read the meetings.",
    }


def _invitation(town: Town, number: int) -> Row:
    return {
        "id": uuid5(APP_ID, f"invitation {number}"),
        "zoom_app_id": APP_ID,
        "token_hash": f"{number:064d}",
        "user_ref": f"crm-{number:06d}",
        "email": f"invited{number:06d}@example.com",
        "state": _INVITATIONS[number % len(_INVITATIONS)],
        "made_by": "admin@example.com",
        "created_at": town.until - timedelta(days=3),
        "opened_at": town.until - timedelta(days=2),
        "expires_at": town.until + timedelta(days=4),
    }


def _attempt(town: Town, number: int) -> Row:
    is_left = number % _ONE_IN == 1
    began_at = town.until - SPAN + SPAN * number / town.connections
    invited = uuid5(APP_ID, f"invitation {number % INVITED}")
    return {
        "id": uuid5(APP_ID, f"attempt {number}"),
        "zoom_app_id": APP_ID,
        "connection_id": None if is_left else connection_id(number),
        "invitation_id": invited if is_left else None,
        "state_hash": f"{number:064d}",
        "browser_hash": f"{number:064d}",
        "outcome": AttemptOutcome.ABANDONED if is_left else AttemptOutcome.CONNECTED,
        "created_at": began_at,
        "expires_at": began_at,
        "ended_at": began_at,
    }


def _webhook(town: Town, number: int) -> Row:
    at, meeting = town.received_at(number), number // HOOKS_A_MEETING
    is_dead = meeting % _ONE_IN == _DEAD
    return {
        "id": webhook_id(town, number),
        "zoom_app_id": APP_ID,
        "dedupe": number.to_bytes(32, "big"),
        "event": "meeting.updated" if number % HOOKS_A_MEETING else "meeting.created",
        "event_ts": int(at.timestamp() * 1000),
        "sent_at_s": int(at.timestamp()),
        "verdict": "current",
        "zoom_user_id": user_id(town.host(meeting)),
        "zoom_account_id": "AbCdEfGhIjKlMnOp000000",
        "meeting_id": meeting_id(meeting),
        "body_bytes": 0,
        "body_sha256": "",
        "received_at": at,
        "outcome": Outcome.DEAD if is_dead else Outcome.DELIVERED,
        "outcome_reason": "As in a benchmark." if is_dead else "",
        "attempts": 1,
        "due_at": at,
        "delivered_at": None if is_dead else at + timedelta(milliseconds=120),
    }
