"""Sends a test bot, follows it at Recall, and keeps the last ones of each zoom app.

Recall is asked every 3 s until the bot records, is refused or leaves, for half an hour
at most. Source: docs/contracts/recall.md 3.9, checked 2026-11-29.
"""

import json
import re
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from http import HTTPStatus
from operator import attrgetter
from uuid import UUID

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, delete, or_, select

from dashboard.clients.recall.replies import RecallBot
from dashboard.db import leases
from dashboard.errors import (
    ConflictError,
    InvalidInputError,
    NotFoundError,
    UpstreamError,
)
from dashboard.models.bot_test import BotTest
from dashboard.models.connection import Connection, MeetingMapping
from dashboard.models.workspace import Workspace
from dashboard.models.zoom_app import ZoomApp
from dashboard.services import audit
from dashboard.services.audit import Actor
from dashboard.services.bot_tests import outcomes
from dashboard.services.bot_tests.outcomes import Step, Verdict
from dashboard.services.recall import workspaces
from dashboard.services.runtime import Runtime
from dashboard.services.zoom_apps import apps
from dashboard.services.zoom_apps.apps import full_name

BOT_NAME = "Recording test"
KEPT = 20
"""How many of a zoom app are kept."""

_EVERY = timedelta(seconds=3)
_LEASE = timedelta(seconds=30)
_FOLLOWED_FOR = timedelta(minutes=30)
_AT_ONCE = 5
_NONE_FREE = HTTPStatus.INSUFFICIENT_STORAGE
_NUMBER = re.compile(r"\d{9,12}", re.ASCII)
_LINK = re.compile(
    r"https://[^/\s]{1,200}/(?:j|s|w)/(\d{9,12})(?:[/?#]\S{0,500})?", re.ASCII
)
_ANSWER_LOST = (
    "Recall's answer was lost twice, so it isn't known whether a bot was sent. "
    "Recall's dashboard shows it."
)


def begin(
    runtime: Runtime, zoom_app_id: UUID, meeting: str, *, actor: Actor
) -> BotTest:
    """Send a bot to a meeting of a connected user, and return the run; commits.

    Args:
        runtime: All of them.
        zoom_app_id: Which.
        meeting: Its number, or its link with the passcode; the link is not stored.
        actor: For the audit log.

    Raises:
        NotFoundError: There is no such zoom app.
        InvalidInputError: It is no meeting, or no connected user is known to host it.
        ConflictError: The app is not in Recall, or a test is under way.
    """
    number, link = _parse(meeting)
    with runtime.database.writing() as session:
        now = runtime.clock.now()
        app = apps.lock(session, zoom_app_id)
        workspace = _workspace_of(session, app)
        row = BotTest(
            zoom_app_id=zoom_app_id,
            connection_id=_host_of(session, app, number).id,
            meeting_id=number,
            idempotency_key=str(uuid.uuid4()),
            asked_by=actor.name,
            begun_at=now,
            due_at=now + _LEASE,
        )
        _require_none_under_way(session, zoom_app_id, now)
        session.add(row)
        _forget_old(session, zoom_app_id)
        audit.record(session, actor, "bot.sent", subject=full_name(app), now=now)
    bot, trouble = _send(runtime, workspace, row, link)
    with runtime.database.writing() as session:
        stored = session.get_one(BotTest, row.id)
        now = runtime.clock.now()
        if bot is None:
            stored.trouble, stored.ended_at, stored.due_at = trouble, now, None
        else:
            stored.recall_bot_id = bot.id
            _store(stored, bot, now=now)
        session.add(stored)
        return stored


def find(session: Session, zoom_app_id: UUID, run_id: UUID) -> BotTest:
    """Return one run.

    Raises:
        NotFoundError: The zoom app has no such run.
    """
    row = session.get(BotTest, run_id)
    if row is None or row.zoom_app_id != zoom_app_id:
        raise NotFoundError("test bot")
    return row


def latest(session: Session, zoom_app_id: UUID) -> Sequence[BotTest]:
    """Return the runs of a zoom app, newest first."""
    query = select(BotTest).where(col(BotTest.zoom_app_id) == zoom_app_id)
    return session.exec(query.order_by(col(BotTest.begun_at).desc()).limit(KEPT)).all()


def steps_of(row: BotTest) -> Sequence[Step]:
    """Return the steps of a run, oldest first. Pure."""
    return [
        Step(
            code=one["code"],
            sub_code=one["sub_code"],
            at=datetime.fromisoformat(one["at"]),
        )
        for one in json.loads(row.steps)
    ]


def steps_of_bot(bot: RecallBot) -> Sequence[Step]:
    """Return the steps that Recall tells of a bot, oldest first. Pure."""
    return [
        Step(
            code=one.code,
            sub_code=outcomes.named(one.code, one.sub_code, one.message),
            at=one.created_at,
        )
        for one in sorted(bot.status_changes, key=attrgetter("created_at"))
    ]


def newest_of(session: Session, connection_id: UUID) -> BotTest | None:
    """Return the newest run in a meeting of a connection's user."""
    return _newest(session, col(BotTest.connection_id) == connection_id)


def newest_in(session: Session, meeting_id: int) -> BotTest | None:
    """Return the newest run in a meeting."""
    return _newest(session, col(BotTest.meeting_id) == meeting_id)


def _newest(session: Session, which: ColumnElement[bool]) -> BotTest | None:
    # The table holds a few of each zoom app, so it needs no index for these.
    query = select(BotTest).where(which).order_by(col(BotTest.begun_at).desc())
    return session.exec(query.limit(1)).first()


def verdict_of(row: BotTest) -> Verdict:
    """Return what came of a run. Pure."""
    steps = steps_of(row)
    if row.trouble and row.ended_at is not None and not steps:
        return outcomes.not_sent(row.trouble)
    return outcomes.judge(steps)


def run_due(runtime: Runtime) -> int:
    """Ask Recall about the bots that are due; return how many; commits.

    For the worker, about once a second; costs one index read when none is due.
    """
    now = runtime.clock.now()
    with runtime.database.reading() as session:
        query = select(BotTest).where(col(BotTest.due_at) <= now).limit(_AT_ONCE)
        due = session.exec(query).all()
    return sum(_follow(runtime, row) for row in due)


def _follow(runtime: Runtime, row: BotTest) -> bool:
    """Ask Recall about one bot, unless another worker does; commits."""
    now = runtime.clock.now()
    with runtime.database.writing() as session:
        mine = col(BotTest.id) == row.id, col(BotTest.ended_at).is_(None)
        until = now + _LEASE
        if not leases.claim_due(
            session, BotTest, *mine, due="due_at", now=now, until=until
        ):
            return False
        workspace = _workspace_of(session, apps.get(session, row.zoom_app_id))
    bot, trouble = None, _ANSWER_LOST
    if row.recall_bot_id is not None:
        try:
            bot = workspaces.client(runtime, workspace).get_bot(row.recall_bot_id)
        except UpstreamError as error:
            trouble = error.message()
    with runtime.database.writing() as session:
        stored = session.get(BotTest, row.id)
        if stored is None:  # deleted meanwhile with its connection
            return True
        now = runtime.clock.now()
        if bot is not None:
            _store(stored, bot, now=now)
        else:
            is_over = row.recall_bot_id is None or now > row.begun_at + _FOLLOWED_FOR
            stored.trouble = trouble
            stored.due_at = None if is_over else now + _LEASE
            stored.ended_at = now if is_over else None
        session.add(stored)
    return True


def _store(row: BotTest, bot: RecallBot, *, now: datetime) -> None:
    steps = steps_of_bot(bot)
    row.steps = json.dumps(
        [
            {"code": one.code, "sub_code": one.sub_code, "at": one.at.isoformat()}
            for one in steps
        ]
    )
    row.trouble = ""
    is_over = outcomes.is_over(steps) or now > row.begun_at + _FOLLOWED_FOR
    row.due_at = None if is_over else now + _EVERY
    row.ended_at = now if is_over else None


def _send(
    runtime: Runtime, workspace: Workspace, row: BotTest, link: str
) -> tuple[RecallBot | None, str]:
    """Return the bot, or why there is none; a lost answer is asked for once more."""
    recall, trouble = workspaces.client(runtime, workspace), ""
    for _ in range(2):
        try:
            bot = recall.create_bot(
                link, name=BOT_NAME, idempotency_key=row.idempotency_key
            )
        except UpstreamError as error:
            trouble = error.message()
            if not error.may_have_happened or error.status == _NONE_FREE:
                return None, trouble
        else:
            return bot, ""
    return None, _ANSWER_LOST


def _parse(meeting: str) -> tuple[int, str]:
    text = meeting.strip()
    digits = re.sub(r"[\s-]", "", text) if len(text) <= 20 else text  # noqa: PLR2004 - a number in groups
    if _NUMBER.fullmatch(digits):
        return int(digits), f"https://zoom.us/j/{digits}"
    found = _LINK.fullmatch(text)
    if found is None:
        raise InvalidInputError(
            "Enter a meeting number of 9 to 12 digits, or the meeting's Zoom link. "
            "Nothing was sent.",
            field="meeting",
        )
    return int(found[1]), text


def _workspace_of(session: Session, app: ZoomApp) -> Workspace:
    if app.recall_app_id is None or app.workspace_id is None:
        raise ConflictError(
            f"{app.name} is not in Recall yet. Press Create in Recall first. Nothing "
            "was sent."
        )
    return workspaces.get(session, app.workspace_id)


def _host_of(session: Session, app: ZoomApp, number: int) -> Connection:
    mapped = select(MeetingMapping.connection_id).where(
        col(MeetingMapping.meeting_id) == number
    )
    query = select(Connection).where(
        col(Connection.zoom_app_id) == app.id,
        or_(col(Connection.id).in_(mapped), col(Connection.pmi) == number),
    )
    host = session.exec(query.limit(1)).first()
    if host is None:
        raise InvalidInputError(
            f"No user connected to {app.name} is known to host this meeting, so the "
            "test would prove nothing. Choose a meeting of a connected user, or press "
            "Sync meetings on the connection. Nothing was sent.",
            field="meeting",
        )
    return host


def _require_none_under_way(session: Session, zoom_app_id: UUID, now: datetime) -> None:
    query = select(BotTest.id).where(
        col(BotTest.zoom_app_id) == zoom_app_id,
        col(BotTest.ended_at).is_(None),
        col(BotTest.begun_at) > now - _FOLLOWED_FOR,
    )
    if session.exec(query).first() is not None:
        raise ConflictError(
            "A test bot of this zoom app is under way. Wait for its result; each bot "
            "costs money. Nothing was sent."
        )


def _forget_old(session: Session, zoom_app_id: UUID) -> None:
    newest = (
        select(BotTest.id)
        .where(col(BotTest.zoom_app_id) == zoom_app_id)
        .order_by(col(BotTest.begun_at).desc())
        .limit(KEPT)
    )
    keep = session.exec(newest).all()
    session.exec(
        delete(BotTest).where(
            col(BotTest.zoom_app_id) == zoom_app_id, col(BotTest.id).not_in(keep)
        )
    )
