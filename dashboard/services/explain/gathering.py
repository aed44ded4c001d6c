"""Gathers the facts that Explain judges by: whose connection counts, and its state."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col

from dashboard.models.connection import (
    AccountMember,
    AttemptOutcome,
    Connection,
    MeetingMapping,
)
from dashboard.models.delivery_log import FailedDelivery
from dashboard.models.erasure import ErasureReason
from dashboard.models.held_grant import HeldGrant
from dashboard.models.invitation import Invitation
from dashboard.models.webhook import Webhook
from dashboard.models.workspace import Workspace
from dashboard.models.zoom_app import TokenCustody, ZoomApp
from dashboard.services.explain import lookups
from dashboard.services.explain.lookups import Owner
from dashboard.services.explain.questions import Asked, Kind, spellings
from dashboard.services.explain.verdicts import Facts, Gone, Heard, Means, SeenBot
from dashboard.services.facts import connections, zoom_apps, zoom_log
from dashboard.services.heartbeats.heartbeats import WorkerStatus
from dashboard.vault import Vault

_REMOVAL = "app_deauthorized"


def gather(  # noqa: PLR0913 - what is asked, and all that was answered
    session: Session,
    vault: Vault,
    asked: Asked,
    *,
    heard: Heard | None = None,
    bot: SeenBot | None = None,
    now: datetime,
) -> Facts:
    """Return the facts of what was asked. Reads the database only, by index.

    Args:
        session: Reading.
        vault: Opens whom an erasure under way is about.
        asked: What was pasted.
        heard: What Recall itself said of the meeting, if it was asked.
        bot: The newest bot that Recall listed for the meeting, if it was asked.
        now: Aware.
    """
    read = connections.Reader(session, now=now)
    facts = Facts(asked=asked, now=now, read=read)
    match asked.kind:
        case Kind.EMAIL:
            facts = _of_email(session, facts)
        case Kind.WORD:
            facts = _of_word(session, facts)
        case Kind.UUID:
            facts = _of_uuid(session, facts)
        case Kind.NUMBER:
            facts = _of_meeting(session, facts)
        case Kind.WEBHOOK:
            facts = _of_webhook(session, facts)
        case Kind.NOTHING | Kind.NO_NUMBER:
            return facts
    if heard is not None:
        facts = _with_heard(session, facts, heard)
    facts = _with_sent(session, _with_bot(session, facts, bot))
    facts = _with_attempts(session, vault, facts)
    facts = _with_surroundings(session, facts, read.worker)
    return _with_worker(session, facts, read.worker)


def _with_sent(session: Session, facts: Facts) -> Facts:
    """Add what Zoom's own log says of the meeting, the user or the app."""
    row, number = facts.connection, facts.asked.number
    user_id = facts.asked.word or (row.zoom_user_id if row is not None else None)
    if number is not None:
        where = col(FailedDelivery.meeting_id) == number
    elif facts.means is Means.APP and facts.app is not None:
        where = col(FailedDelivery.zoom_app_id) == facts.app.id
    elif user_id:
        where = col(FailedDelivery.zoom_user_id) == user_id
    else:
        return facts
    return replace(facts, sent=zoom_log.find(session, where, now=facts.now))


def _with_bot(session: Session, facts: Facts, listed: SeenBot | None) -> Facts:
    """Add the newest bot of the meeting, listed by Recall or sent from here."""
    if facts.asked.number is None:
        return facts
    sent = lookups.test_bot(session, facts.asked.number)
    found = [bot for bot in (listed, sent) if bot is not None]
    return replace(facts, bot=max(found, key=lambda bot: bot.at, default=None))


def _with_worker(session: Session, facts: Facts, worker: WorkerStatus) -> Facts:
    stuck, tried_at = facts.stuck, None
    if not worker.is_alive and stuck is not None:
        tried_at = lookups.last_try(session, stuck.id)
    return replace(facts, worker=worker, tried_at=tried_at)


def _with_heard(session: Session, facts: Facts, heard: Heard) -> Facts:
    """Put what Recall itself said in place of the mapping that was stored."""
    facts = replace(facts, heard=heard, mapping=None)
    number, synced_at = facts.asked.number, heard.synced_at
    if heard.connection_id is None or number is None or synced_at is None:
        return facts
    mapping = MeetingMapping(
        id=0,
        connection_id=heard.connection_id,
        meeting_id=number,
        synced_at=synced_at,
        seen_at=heard.at,
    )
    row = session.get(Connection, heard.connection_id)
    if row is None:
        return facts
    member = facts.member if facts.connection is row else None
    return replace(
        facts, connection=row, member=member, mapping=mapping, means=Means.MAPPING
    )


def _of_email(session: Session, facts: Facts) -> Facts:
    email = facts.asked.email
    rows = lookups.of_email(session, email)
    if rows:
        return _of_rows(session, facts, rows)
    where = col(AccountMember.email).in_(spellings(email))
    listed = lookups.members(session, where)
    once = None if listed else lookups.of_former_email(session, email)
    if once is None:
        return _of_member(session, facts, listed)
    row, member, former = once
    facts = replace(facts, former=former)
    if member is not None:
        return _of_member(session, facts, [(member, row)])
    return _of_rows(session, facts, [row])


def _of_word(session: Session, facts: Facts) -> Facts:
    word = facts.asked.word
    rows = lookups.connections(session, col(Connection.zoom_user_id) == word)
    if rows:
        return _of_rows(session, facts, rows)
    where = col(AccountMember.zoom_user_id) == word
    found = _of_member(session, facts, lookups.members(session, where))
    if found.connection is not None:
        return found
    yours = lookups.connections(session, col(Connection.reference) == word)
    if yours:
        return _of_rows(session, facts, yours)
    account = lookups.of_whole_account(session, word)
    if account is not None:
        return _of_rows(session, facts, [account])
    others = lookups.of_account(session, word)
    if others:
        return replace(facts, others=others, means=Means.ACCOUNT)
    hooks = lookups.hooks(session, col(Webhook.zoom_user_id) == word)
    return replace(_of_app(session, facts, word), hooks=hooks)


def _of_uuid(session: Session, facts: Facts) -> Facts:
    uuid = facts.asked.uuid
    if uuid is None:
        return facts
    row = session.get(Connection, uuid)
    rows = [row] if row is not None else None
    rows = rows or lookups.connections(
        session, col(Connection.recall_credential_id) == uuid
    )
    rows = rows or lookups.connections(session, col(Connection.reference) == str(uuid))
    if rows:
        return _of_rows(session, facts, rows)
    found = _of_app(session, facts, uuid)
    return replace(found, invitation=session.get(Invitation, uuid))


def _of_app(session: Session, facts: Facts, text: str | UUID) -> Facts:
    app = lookups.app_of(session, text)
    return facts if app is None else replace(facts, app=app, means=Means.APP)


def _of_webhook(session: Session, facts: Facts) -> Facts:
    hook = session.get(Webhook, facts.asked.webhook_id)
    if hook is None:
        return facts
    app = session.get(ZoomApp, hook.zoom_app_id)
    facts = replace(facts, hooks=[hook], app=app)
    if hook.meeting_id is not None:
        asked = replace(facts.asked, number=hook.meeting_id)
        found = _of_meeting(session, replace(facts, asked=asked))
        others = [one for one in found.hooks if one.id != hook.id]
        return replace(found, hooks=[hook, *others])
    owner = lookups.of_event(session, hook)
    if owner is None or owner.connection.zoom_app_id != hook.zoom_app_id:
        return facts
    return replace(facts, connection=owner.connection, member=owner.member)


def _of_meeting(session: Session, facts: Facts) -> Facts:
    number = facts.asked.number
    if number is None:
        return facts
    hooks = lookups.hooks(session, col(Webhook.meeting_id) == number)
    claims = lookups.connections(session, col(Connection.pmi) == number)
    host = next((hook for hook in hooks if hook.zoom_user_id is not None), None)
    owner = lookups.find_owner(session, number, host=host, claims=claims)
    pasted, former = None, None
    if facts.asked.email:
        pasted = next(iter(lookups.of_email(session, facts.asked.email)), None)
        if pasted is None:
            once = lookups.of_former_email(session, facts.asked.email)
            if once is not None and once[1] is None:
                pasted, _, former = once
    if owner is None and host is None and pasted is not None:
        owner = Owner(connection=pasted, means=Means.ASKED)
    facts = replace(
        facts,
        hooks=hooks,
        first_hook=lookups.first_hook(session, number) if hooks else None,
        host_id=None if host is None else host.zoom_user_id,
        claims=lookups.different_users(claims),
        pasted=pasted,
        former=former,
    )
    if owner is None:
        return facts
    user_id = owner.connection.zoom_user_id
    own_hooks = facts.hooks
    if not hooks and user_id is not None:
        own_hooks = lookups.hooks(session, col(Webhook.zoom_user_id) == user_id)
    return replace(
        facts,
        connection=owner.connection,
        member=owner.member,
        mapping=owner.mapping,
        means=owner.means,
        own_hooks=own_hooks,
    )


def _of_rows(session: Session, facts: Facts, rows: Sequence[Connection]) -> Facts:
    row = rows[0]
    hooks: Sequence[Webhook] = ()
    if row.zoom_user_id is not None:
        hooks = lookups.hooks(session, col(Webhook.zoom_user_id) == row.zoom_user_id)
    return replace(
        facts,
        connection=row,
        others=rows[1:],
        hooks=[hook for hook in hooks if hook.zoom_app_id == row.zoom_app_id],
    )


def _of_member(
    session: Session,
    facts: Facts,
    found: Sequence[tuple[AccountMember, Connection]],
) -> Facts:
    for member, row in found:
        where = col(Webhook.zoom_user_id) == member.zoom_user_id
        return replace(
            facts,
            connection=row,
            member=member,
            hooks=lookups.hooks(session, where),
        )
    return facts


def _with_attempts(session: Session, vault: Vault, facts: Facts) -> Facts:
    """Add invitations and connect attempts, and whether and why the user left."""
    row, asked = facts.connection, facts.asked
    if row is not None:
        attempt = lookups.attempt_of(session, row)
        is_lost = attempt is not None and attempt.outcome is AttemptOutcome.ABANDONED
        back = lookups.came_back(session, attempt) if attempt and is_lost else 0
        return replace(facts, attempt=attempt, came_back=back)
    user_id = facts.host_id or asked.word or _about(facts)
    if facts.pasted is not None:
        user_id = facts.host_id
    invitation = facts.invitation
    if invitation is None:
        invitation = _invitation(session, facts, user_id)
    if invitation is not None and invitation.connection_id is not None:
        row = session.get(Connection, invitation.connection_id)
        if row is not None:
            return replace(facts, invitation=invitation, connection=row)
    if not facts.hooks and invitation is not None and invitation.zoom_user_id:
        where = col(Webhook.zoom_user_id) == invitation.zoom_user_id
        facts = replace(facts, hooks=lookups.hooks(session, where))
    attempt, came_back = None, 0
    if invitation is not None:
        attempt = lookups.attempt(session, invitation_id=invitation.id)
    if attempt is not None and attempt.outcome is AttemptOutcome.ABANDONED:
        came_back = lookups.came_back(session, attempt)
    names = [user_id or "", asked.word, asked.email]
    gone = lookups.gone(session, vault, names) or _gone_by_webhook(session, user_id)
    return replace(
        facts, invitation=invitation, attempt=attempt, came_back=came_back, gone=gone
    )


def _about(facts: Facts) -> str | None:
    return facts.hooks[0].zoom_user_id if facts.hooks else None


def _invitation(
    session: Session, facts: Facts, user_id: str | None
) -> Invitation | None:
    asked, wheres = facts.asked, []
    if user_id:
        wheres.append(col(Invitation.zoom_user_id) == user_id)
    if asked.word:
        wheres.append(col(Invitation.user_ref) == asked.word)
    if asked.email and facts.pasted is None:
        wheres.append(col(Invitation.email).in_(spellings(asked.email)))
    return next(iter(lookups.invitations(session, wheres)), None)


def _gone_by_webhook(session: Session, user_id: str | None) -> Gone | None:
    if not user_id:
        return None
    hooks = lookups.hooks(session, col(Webhook.zoom_user_id) == user_id)
    removal = next((hook for hook in hooks if hook.event == _REMOVAL), None)
    if removal is None:
        return None
    return Gone(reason=ErasureReason.REMOVED_IN_ZOOM, removed_at=removal.received_at)


def _with_surroundings(session: Session, facts: Facts, worker: WorkerStatus) -> Facts:
    """Add the zoom app, its workspace and webhooks, and what is kept of the grant."""
    row, app = facts.connection, facts.app
    if row is not None:
        app = session.get(ZoomApp, row.zoom_app_id)
    elif facts.invitation is not None:
        app = session.get(ZoomApp, facts.invitation.zoom_app_id)
    elif app is None and facts.hooks:
        app = session.get(ZoomApp, facts.hooks[0].zoom_app_id)
    elif app is None and facts.sent:
        app = session.get(ZoomApp, facts.sent[0].row.zoom_app_id)
    elif app is None and facts.pasted is not None:
        app = session.get(ZoomApp, facts.pasted.zoom_app_id)
    if row is not None:
        is_ours = row.token_custody is TokenCustody.DASHBOARD
        facts = replace(
            facts,
            grant=session.get(HeldGrant, row.id) if is_ours else None,
            timeline=lookups.timeline(session, row.id),
        )
    if app is None:
        return facts
    workspace_id, stands = app.workspace_id, None
    if app.retired_at is None and app.recall_app_id is not None:
        stands = zoom_apps.Reader(session, now=facts.now, is_worked=worker)(app)
    return replace(
        facts,
        app=app,
        workspace=session.get(Workspace, workspace_id) if workspace_id else None,
        stands=stands,
    )
