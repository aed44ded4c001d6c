"""Explain: one pasted text, one sentence on what is the matter, and the evidence."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pydantic import SecretStr
from sqlmodel import Session, col, select

from dashboard.clients.recall.api import Recall
from dashboard.clients.recall.replies import Mapping, RecallBot, Stretch
from dashboard.db import Database
from dashboard.errors import UpstreamError
from dashboard.formatting import grouped
from dashboard.models.connection import Connection
from dashboard.models.invitation import InvitationState
from dashboard.models.workspace import Workspace
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.bot_tests import outcomes, runs
from dashboard.services.explain import evidence
from dashboard.services.explain.gathering import gather
from dashboard.services.explain.questions import Asked, Kind, read
from dashboard.services.explain.rules import judge
from dashboard.services.explain.verdicts import (
    RECALL,
    Facts,
    Heard,
    Line,
    SeenBot,
    Target,
    Tone,
    Verdict,
    at_connection,
    person,
)
from dashboard.services.facts.acting import Who
from dashboard.services.facts.connections import FRESH, Shown
from dashboard.services.invitations.invitations import state_of
from dashboard.services.recall import workspaces
from dashboard.services.runtime import Runtime
from dashboard.vault import Vault


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What is the matter, and what that stands on.

    Attributes:
        asked: What the text was taken for; holds no password.
        target_id: Of what the verdict's next step is done in: a slug of a connect
            link, an id otherwise; "" when there is none.
        connection_id: Whose credential may be asked about at Recall.
        invite_email: Who may be invited: not connected, and with no open invitation.
        app_id: To which zoom app, if one is heard of.
        unsure: The connections that a health check could say more about: what was
            last seen of them, or of the meeting, is old, or the next step is to check
            them.
    """

    asked: Asked
    verdict: Verdict
    target_id: str
    lines: Sequence[Line]
    connection_id: UUID | None
    invite_email: str = ""
    app_id: UUID | None = None
    unsure: Sequence[UUID] = ()

    @property
    def may_ask_recall(self) -> bool:
        """Whether Recall can be asked for more: who a meeting is mapped to, a log."""
        return self.asked.number is not None or self.connection_id is not None


def explain(  # noqa: PLR0913 - what is asked, and all that was answered
    session: Session,
    vault: Vault,
    text: str,
    *,
    heard: Heard | None = None,
    bot: SeenBot | None = None,
    now: datetime,
) -> Answer:
    """Explain what somebody pasted. Reads the database only; asks nobody.

    Args:
        session: Reading.
        vault: Opens whom an erasure under way is about.
        text: As pasted, any length.
        heard: What `ask_recall` was answered about the meeting.
        bot: The newest bot that it was answered of.
        now: Aware.
    """
    return answer(session, vault, read(text), heard=heard, bot=bot, now=now)


def answer(  # noqa: PLR0913 - what is asked, and all that was answered
    session: Session,
    vault: Vault,
    asked: Asked,
    *,
    heard: Heard | None = None,
    bot: SeenBot | None = None,
    now: datetime,
) -> Answer:
    """Explain what was asked; as `explain`, of what is known to be an id."""
    facts = gather(session, vault, asked, heard=heard, bot=bot, now=now)
    verdict = judge(facts)
    connection = facts.connection
    return Answer(
        asked=facts.asked,
        verdict=verdict,
        target_id=_target_id(facts, verdict.target),
        lines=evidence.lines(facts),
        connection_id=None if connection is None else connection.id,
        invite_email=_invite_email(facts),
        app_id=None if facts.app is None else facts.app.id,
        unsure=_unsure(facts, verdict),
    )


_SETTLED = {Shown.HEALTHY, Shown.MISSING_SCOPES, Shown.RECONNECT_NEEDED}


def _unsure(facts: Facts, verdict: Verdict) -> Sequence[UUID]:
    if facts.app is not None and facts.app.retired_at is not None:
        return ()
    standing, row = facts.standing, facts.connection
    is_step = (
        verdict.who is Who.YOU
        and verdict.target is Target.CONNECTION
        and verdict.tone is not Tone.GOOD
    )
    if len(facts.claims) > 1 and is_step:
        return [each.id for each in facts.claims]
    cause = None if standing is None else standing.cause
    if row is None or standing is None or (cause is not None and cause.is_shared):
        return ()
    is_known = standing.who is Who.USER or standing.shown in _SETTLED
    is_old = standing.proof_at is None or facts.now - standing.proof_at >= FRESH
    is_unlisted = facts.mapping is not None and not facts.is_listed
    is_useful = is_step or is_old or is_unlisted or not is_known
    return [row.id] if is_useful else ()


_OPEN = {InvitationState.MADE, InvitationState.OPENED}


def _invite_email(facts: Facts) -> str:
    """Return who may be invited; "" for a connected person or an open invitation."""
    if facts.connection is not None or facts.pasted is not None:
        return ""
    found = facts.invitation
    if found is not None and state_of(found, now=facts.now) in _OPEN:
        return ""
    return facts.asked.email or ("" if found is None else found.email)


def by_id(text: str) -> Asked | None:
    """Read an id that may stand in an address: of a connection or of a webhook.

    None for anything else: an e-mail or a meeting is private, and addresses are logged.
    """
    asked = read(text)
    return asked if asked.kind in (Kind.UUID, Kind.WEBHOOK) else None


def _target_id(facts: Facts, target: Target) -> str:
    match target:
        case Target.CONNECTION:
            row = facts.connection or next(iter(facts.claims), None)
            return "" if row is None else str(row.id)
        case Target.CONNECT_LINK:
            return "" if facts.app is None else facts.app.slug
        case Target.ZOOM_APP:
            return "" if facts.app is None else str(facts.app.id)
        case Target.WEBHOOK:
            hook = facts.stuck or next(iter(facts.hooks), None)
            return "" if hook is None else str(hook.id)
        case Target.WORKSPACES | Target.NONE:
            return ""


_WORKSPACES = 5
_LINES = 5


@dataclass(frozen=True, kw_only=True)
class Said:
    """What Recall said: lines to show, and what it means for the meeting, if clear.

    Attributes:
        bot: The newest bot that Recall listed for the meeting.
    """

    lines: Sequence[Line]
    heard: Heard | None = None
    bot: SeenBot | None = None


def ask_recall(
    runtime: Runtime, *, meeting_id: int | None, connection_id: UUID | None
) -> Said:
    """Ask Recall to whom it maps a meeting, its bots there, and a credential's log.

    What cannot be asked is a line as well. No transaction is open meanwhile.

    Args:
        runtime: Its clients spend from the budgets.
        meeting_id: A meeting number, or None.
        connection_id: Whose credential's log to read; None for nobody's. Only its
            workspace is asked then, else the newest few.
    """
    with runtime.database.reading() as session:
        row = session.get(Connection, connection_id) if connection_id else None
        asked = [
            (name, runtime.recall(region, key))
            for name, region, key in _workspaces(session, runtime.vault, row)
        ]
    now = runtime.clock.now()
    lines: list[Line] = []
    heard: list[Heard | None] = []
    bots: list[SeenBot] = []
    for name, recall in asked:
        if meeting_id is not None:
            said = _mapped(runtime.database, name, recall, meeting_id, now=now)
            lines += said.lines
            heard.append(said.heard)
            told, found = _bots(name, recall, meeting_id, now=now)
            lines += told
            bots += found
    if row is not None and row.recall_credential_id is not None and asked:
        lines += _log(asked[0][1], row, row.recall_credential_id, now=now)
    newest = max(bots, key=lambda bot: bot.at, default=None)
    return Said(lines=lines, heard=_together(heard), bot=newest)


def _together(heard: Sequence[Heard | None]) -> Heard | None:
    """Return whose meeting it is in any workspace; no one's only if all said so."""
    for one in heard:
        if one is not None and one.connection_id is not None:
            return one
    return heard[0] if heard and all(heard) else None


def _workspaces(
    session: Session, vault: Vault, row: Connection | None
) -> list[tuple[str, str, SecretStr]]:
    """Return name, region and API key of the workspaces to ask."""
    query = select(Workspace).order_by(col(Workspace.created_at).desc())
    if row is not None:
        app = session.get_one(ZoomApp, row.zoom_app_id)
        query = query.where(col(Workspace.id) == app.workspace_id)
    return [
        (each.name, each.region, workspaces.api_key(vault, each))
        for each in session.exec(query.limit(_WORKSPACES))
    ]


def _mapped(
    database: Database, name: str, recall: Recall, meeting_id: int, *, now: datetime
) -> Said:
    meeting = f"meeting {grouped(meeting_id)}"
    try:
        found = recall.mappings(meeting_id=meeting_id, limit=_LINES)
    except UpstreamError as error:
        words = f"{name} could not be asked about {meeting}. {error.message()}"
        return Said(lines=[Line(at=now, source=RECALL, words=words)])
    if not found.results:
        if not found.is_whole:
            words = f"{name}'s list was too long to find {meeting} in, asked just now."
            return Said(lines=[Line(at=now, source=RECALL, words=words)])
        words = f"{name} links {meeting} to no one, asked just now."
        line = Line(at=now, source=RECALL, words=words)
        return Said(lines=[line], heard=Heard(at=now))
    newest = found.results[0]
    with database.reading() as session:
        query = select(Connection.id).where(
            col(Connection.recall_credential_id) == newest.credential
        )
        known = session.exec(query).first()
        lines = [_line(session, name, meeting, each) for each in found.results[:_LINES]]
    if known is None:
        return Said(lines=lines)
    heard = Heard(at=now, connection_id=known, synced_at=newest.synced_at)
    return Said(lines=lines, heard=heard)


def _bots(
    name: str, recall: Recall, meeting_id: int, *, now: datetime
) -> tuple[Sequence[Line], Sequence[SeenBot]]:
    """Return a workspace's newest bots in a meeting, and lines on what they show."""
    meeting = f"meeting {grouped(meeting_id)}"
    try:
        listed = recall.latest_bots()
    except UpstreamError as error:
        words = f"{name} could not be asked for its bots. {error.message()}"
        return [Line(at=now, source=RECALL, words=words)], []
    found = [
        _seen(bot)
        for bot in listed.results
        if bot.meeting_id == meeting_id and bot.status_changes
    ]
    lines = [
        Line(
            at=bot.at,
            source=RECALL,
            words=f"A bot of {name} in {meeting}: {bot.outcome.state.word}. "
            f"{bot.outcome.sentence}",
        )
        for bot in found[:_LINES]
    ]
    if not found:
        words = f"{_none(name, meeting, listed)} Asked just now."
        lines = [Line(at=now, source=RECALL, words=words)]
    return lines, found


def _none(name: str, meeting: str, listed: Stretch[RecallBot]) -> str:
    """Say that no bot went to a meeting, as far as Recall's list was read."""
    number = len(listed.results)
    if listed.is_whole and not number:
        return f"{name} lists no bot at Zoom."
    bots = "bot that it lists" if number == 1 else f"{number} bots that it lists"
    if not listed.is_whole:
        newest = "newest " if listed.has_newest else ""
        bots = f"{newest}{number} bots that were read; it lists more"
    return (
        f"{name} knows {meeting} of none of the {bots}. Meetings of some days ago may "
        "be forgotten there."
    )


def _seen(bot: RecallBot) -> SeenBot:
    steps = runs.steps_of_bot(bot)
    at = max(step.at for step in steps)
    return SeenBot(id=bot.id, at=at, outcome=outcomes.judge(steps))


def _line(session: Session, name: str, meeting: str, mapping: Mapping) -> Line:
    query = select(Connection).where(
        col(Connection.recall_credential_id) == mapping.credential
    )
    row = session.exec(query).first()
    if row is None:
        words = (
            f"{name} links {meeting} to credential {mapping.credential}, which is no "
            "connection known here; asked just now."
        )
        return Line(at=mapping.synced_at, source=RECALL, words=words)
    words = f"{name} links {meeting} to {person(row)}; asked just now."
    return at_connection(row, mapping.synced_at, RECALL, words)


def _log(
    recall: Recall, row: Connection, credential_id: UUID, *, now: datetime
) -> list[Line]:
    try:
        noted = recall.credential_logs(credential_id)
    except UpstreamError as error:
        words = f"Recall's log of the credential could not be read. {error.message()}"
        return [Line(at=now, source=RECALL, words=words)]
    if not noted.has_newest:
        words = "Recall's log of the credential was too long to reach its newest lines."
        return [Line(at=now, source=RECALL, words=words)]
    if not noted.results:
        words = "Recall's log of the credential is empty."
        return [Line(at=now, source=RECALL, words=words)]
    return [
        at_connection(row, entry.created_at, RECALL, f"Recall's log: {entry.message}")
        for entry in noted.results[:_LINES]
    ]
