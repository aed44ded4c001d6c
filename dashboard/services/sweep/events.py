"""Act on webhooks that say something about a connection, after they are stored.

`is_unread` is set with the webhook's row and cleared in the transaction that acts on
it, so a crash loses nothing and repeats nothing. Forwarding never waits for this.

A webhook also makes checks due. Recall maps a meeting when it gets its webhook, so the
workspace's mappings are read soon. Any other event makes its user's connection due.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import text
from sqlmodel import Session, col, func, select, update
from sqlmodel.sql.expression import SelectOfScalar

from dashboard.db import Database
from dashboard.errors import VaultError
from dashboard.models.connection import Connection
from dashboard.models.webhook import Outcome, Webhook, WebhookBody
from dashboard.models.workspace import Workspace
from dashboard.models.zoom_app import Kind, ZoomApp
from dashboard.services import former_emails
from dashboard.services.connections import members, recording
from dashboard.services.connections.event_facts import (
    Became,
    Fact,
    Profile,
    Removal,
    read,
)
from dashboard.services.connections.members import Named
from dashboard.services.former_emails import Change
from dashboard.services.runtime import Runtime
from dashboard.services.sweep.bulk import MAPPINGS_EVERY, make_mappings_due
from dashboard.services.timeline import notes
from dashboard.services.token_states import rules
from dashboard.vault import Vault

USER_UPDATED = "a user.updated webhook"
"""The source of a PMI that an event reported; for `Connection.pmi_changed_by`."""

_BATCH = 50
_BATCHES = 10
_UNREAD = text("is_unread")  # named so, or SQLite does not use the partial index
_log = structlog.get_logger(__name__)


_CALM = timedelta(seconds=15)
_NEWEST = 300
"""Webhooks read each time; in a flood the sweep checks those passed over."""

_MEETINGS = "meeting."
_SETTLES_IN = timedelta(seconds=2)  # the time Recall needs to map a meeting


@dataclass(frozen=True, kw_only=True, slots=True)
class _UnreadEvent:
    webhook: Webhook
    facts: Fact | None

    @property
    def user(self) -> tuple[UUID, str]:
        return self.webhook.zoom_app_id, self.webhook.zoom_user_id or ""

    @property
    def named(self) -> Named:
        return Named(
            zoom_app_id=self.webhook.zoom_app_id,
            zoom_user_id=self.webhook.zoom_user_id,
            zoom_account_id=self.webhook.zoom_account_id,
        )


@dataclass(frozen=True, kw_only=True)
class _Recent:
    zoom_app_id: UUID
    zoom_user_id: str | None
    zoom_account_id: str | None
    is_of_meeting: bool
    settled_at: datetime


def read_some(runtime: Runtime) -> int:
    """Act on unread events, oldest first; return how many were read. Commits.

    Many workers may run this at once. An event that can't be opened or parsed counts as
    read: it changes nothing and is not tried again.
    """
    done = 0
    for _ in range(_BATCHES):
        number = _read_batch(runtime)
        done += number
        if number < _BATCH:
            break
    return done


def _read_batch(runtime: Runtime) -> int:
    """Commits."""
    found = _find(runtime.database, runtime.vault)
    if not found:
        return 0
    now = runtime.clock.now()
    with runtime.database.writing() as session:
        locked = _lock(session, found)
        mine = [each for each in found if each.webhook.id in locked]
        problems = _apply(session, mine, now=now)
        session.exec(
            update(Webhook).where(col(Webhook.id).in_(locked)).values(is_unread=False)
        )
    for webhook, why in problems:
        _log.warning("reading.left_out", webhook=webhook.id, why=why)
    return len(locked)


def oldest_unread(limit: int) -> SelectOfScalar[Webhook]:
    """Return the query of the oldest unread ones."""
    return select(Webhook).where(_UNREAD).order_by(col(Webhook.id)).limit(limit)


def _find(database: Database, vault: Vault) -> Sequence[_UnreadEvent]:
    """Open and parse outside of any transaction, so that no one waits for it."""
    with database.reading() as session:
        webhooks = session.exec(oldest_unread(_BATCH)).all()
        bodies = select(WebhookBody).where(
            col(WebhookBody.webhook_id).in_([webhook.id for webhook in webhooks])
        )
        sealed = {body.webhook_id: body.body for body in session.exec(bodies)}
    return [
        _UnreadEvent(
            webhook=webhook,
            facts=_facts(vault, webhook, sealed.get(webhook.id)),
        )
        for webhook in webhooks
    ]


def _facts(vault: Vault, webhook: Webhook, sealed: bytes | None) -> Fact | None:
    if sealed is None:
        return None
    try:
        body = vault.open(sealed, table="webhook_body", column="body", row=webhook.id)
    except VaultError:
        return None
    return read(webhook, body)


def _lock(session: Session, found: Sequence[_UnreadEvent]) -> set[int]:
    """Lock those that are still unread; skip rows that another worker has locked."""
    query = (
        select(Webhook.id)
        .where(_UNREAD, col(Webhook.id).in_([each.webhook.id for each in found]))
        .order_by(col(Webhook.id))
        .with_for_update(skip_locked=True)
    )
    return set(session.exec(query).all())


def _apply(
    session: Session, events: Sequence[_UnreadEvent], *, now: datetime
) -> list[tuple[Webhook, str]]:
    """Change the connections; return the webhooks that could not be used, and why."""
    people = _people(session, events)
    accounts = members.accounts(session, [each.named for each in events])
    apps = _apps(session, events)
    problems: list[tuple[Webhook, str]] = []
    for each in events:
        facts, account = each.facts, accounts.get(each.named)
        row = account or people.get(each.user)
        if facts is None:
            problems.append((each.webhook, "It can't be opened or parsed."))
        elif isinstance(facts, Removal) and facts.client_id not in (
            "",  # signed with this app's secret token, so it is this app's
            apps[each.user[0]],
        ):
            problems.append((each.webhook, "It names another app's client ID."))
        elif row is not None:  # connected: most are not
            _act(session, row, each, is_account=account is not None, now=now)
    return problems


def _act(
    session: Session,
    row: Connection,
    event: _UnreadEvent,
    *,
    is_account: bool,
    now: datetime,
) -> None:
    """Change one connection as an event says."""
    match event.facts:
        case Removal(at=at):
            with notes.watching(session, row, at=now):
                if rules.mark(row, removed_at=at, now=now):
                    notes.removed(session, row, at=at)
        case Became(at=at, word=word):
            if not is_account:
                notes.became(session, row, word, at=at)
            _check_again(session, row, now=now)
        case Profile() as profile if is_account:
            if members.updated(session, row, event.user[1], profile):
                _check_again(session, row, now=now)
        case Profile(at=at) as profile:
            with notes.watching(session, row, at=at):
                _apply_profile(session, row, profile, now=now)


def _apply_profile(
    session: Session, row: Connection, facts: Profile, *, now: datetime
) -> None:
    before = (row.pmi, row.display_name, row.email)
    is_said = facts.pmi is not None or facts.has_no_pmi
    if is_said and _is_newer(facts.at, row.pmi_seen_at):
        recording.note_pmi(row, facts.pmi, at=facts.at, by=USER_UPDATED)
    says_who = facts.display_name or facts.email
    if says_who and _is_newer(facts.at, row.profile_seen_at):
        row.display_name = facts.display_name or row.display_name
        row.email = facts.email or row.email
        row.profile_seen_at = facts.at
    # Of an event that came late, its new email is a former one too.
    for former in (before[2], facts.former_email, facts.email):
        change = Change(former=former, current=row.email)
        former_emails.keep(session, row.id, [change], at=facts.at)
    if (row.pmi, row.display_name, row.email) != before:
        _check_again(session, row, now=now)


def _check_again(session: Session, row: Connection, *, now: datetime) -> None:
    # A running check may have seen the former profile; the next one won't.
    row.claim, row.lease_until = row.claim + 1, None
    make_due(session, row, at=now)


def _is_newer(at: datetime, seen_at: datetime | None) -> bool:
    return seen_at is None or at > seen_at


def _people(
    session: Session, events: Iterable[_UnreadEvent]
) -> dict[tuple[UUID, str], Connection]:
    """Return the users' connections, locked in one order to avoid deadlocks.

    For account-level apps see `members.accounts`.
    """
    wanted = [each.user for each in events if each.facts is not None]
    query = (
        select(Connection)
        .join(ZoomApp, col(ZoomApp.id) == col(Connection.zoom_app_id))
        .where(
            col(ZoomApp.kind) == Kind.USER_LEVEL,
            col(Connection.zoom_app_id).in_({app_id for app_id, _ in wanted}),
            col(Connection.zoom_user_id).in_({user_id for _, user_id in wanted}),
        )
        .order_by(col(Connection.id))
        .with_for_update(of=Connection)
    )
    return {
        (row.zoom_app_id, row.zoom_user_id or ""): row for row in session.exec(query)
    }


def _apps(session: Session, events: Iterable[_UnreadEvent]) -> dict[UUID, str]:
    """Return the client id of each zoom app."""
    query = select(ZoomApp.id, ZoomApp.client_id).where(
        col(ZoomApp.id).in_({each.user[0] for each in events})
    )
    return dict(session.exec(query).all())


def mark_due(database: Database, *, now: datetime) -> int:
    """Make connections due that a webhook has named since their last check.

    Returns how many; commits. After a `user.updated` the check reads the new profile.
    """
    with database.reading() as session:
        recent = _recent_events(session, now)
        behind = _behind(session, [one for one in recent if not one.is_of_meeting], now)
        unread = _unread(session, [one for one in recent if one.is_of_meeting], now)
    if not behind and not unread:
        return 0
    with database.writing() as session:
        for workspace_id, at in unread.items():
            make_mappings_due(session, workspace_id, at=at)
        for connection_id in behind:
            row = session.get(Connection, connection_id)
            if row is not None:
                make_due(session, row, at=now)
    return len(behind)


def make_due(session: Session, row: Connection, *, at: datetime) -> None:
    """Make a connection due at `at`, not right after a check; the caller commits."""
    if row.due_at > (wanted := _wanted(row, at)):
        row.due_at = wanted
        session.add(row)


def _recent_events(session: Session, now: datetime) -> Sequence[_Recent]:
    # Columns, not rows of the model: this is asked once a second beside the ingest.
    rows = session.connection().execute(
        select(  # type: ignore[call-overload]  # SQLModel types at most four columns
            Webhook.zoom_app_id,
            Webhook.zoom_user_id,
            Webhook.zoom_account_id,
            Webhook.outcome,
            col(Webhook.event).startswith(_MEETINGS).label("is_of_meeting"),
            func.coalesce(Webhook.delivered_at, Webhook.received_at).label("at"),
        )
        .order_by(col(Webhook.id).desc())
        .limit(_NEWEST)
    )
    latest: dict[tuple[UUID, str | None, str | None, bool], datetime] = {}
    for row in rows:
        # The newest settled one: a stream of events must not delay the check.
        if row.outcome is Outcome.WAITING or row.at + _SETTLES_IN > now:
            continue
        person = (row.zoom_user_id, row.zoom_account_id)
        if row.is_of_meeting:
            person = (None, None)  # a workspace's mappings are read together
        about = (row.zoom_app_id, *person, bool(row.is_of_meeting))
        latest[about] = max(row.at, latest.get(about, row.at))
    return [
        _Recent(
            zoom_app_id=app_id,
            zoom_user_id=user_id,
            zoom_account_id=account_id,
            is_of_meeting=is_of_meeting,
            settled_at=at + _SETTLES_IN,
        )
        for (app_id, user_id, account_id, is_of_meeting), at in latest.items()
    ]


def _behind(session: Session, recent: Sequence[_Recent], now: datetime) -> list[UUID]:
    users = {one.zoom_user_id for one in recent if one.zoom_user_id}
    accounts = {one.zoom_account_id for one in recent if one.zoom_account_id}
    query = select(Connection).where(col(Connection.due_at) > now)
    rows = [
        *session.exec(query.where(col(Connection.zoom_user_id).in_(users))).all(),
        *session.exec(
            query.where(
                col(Connection.zoom_account_id).in_(accounts),
                col(Connection.zoom_user_id).is_(None),  # a whole account's
            )
        ).all(),
    ]
    late = [row for row in rows if row.due_at > _wanted(row, now)]
    return [row.id for row in late if any(_is_behind(row, one) for one in recent)]


def _unread(
    session: Session, recent: Sequence[_Recent], now: datetime
) -> dict[UUID, datetime]:
    """Return the workspaces whose mappings were not read since, and when to read."""
    settled = {one.zoom_app_id: one.settled_at for one in recent}
    if not settled:
        return {}
    query = (
        select(ZoomApp.id, Workspace.id, Workspace.mappings_due_at)
        .join(Workspace, col(Workspace.id) == col(ZoomApp.workspace_id))
        .where(col(ZoomApp.id).in_(settled))
    )
    found: dict[UUID, datetime] = {}
    for app_id, workspace_id, due_at in session.exec(query).all():
        if due_at is None or due_at <= now:
            continue
        read_at = due_at - MAPPINGS_EVERY
        wanted = max(now, read_at + _CALM)
        if read_at < settled[app_id] and wanted < due_at:
            found[workspace_id] = wanted
    return found


def _wanted(row: Connection, at: datetime) -> datetime:
    if row.token_checked_at is None:
        return at
    return max(at, row.token_checked_at + _CALM)


def _is_behind(row: Connection, one: _Recent) -> bool:
    if one.zoom_app_id != row.zoom_app_id:
        return False
    if row.zoom_user_id is not None and row.zoom_user_id != one.zoom_user_id:
        return False
    if row.zoom_user_id is None and row.zoom_account_id != one.zoom_account_id:
        return False
    return row.token_checked_at is None or row.token_checked_at < one.settled_at
