"""Bots that Recall lists in the meetings of one connection, whoever sent them.

Recall lists bots of a workspace, not of a host, and forgets a bot's meeting after some
days (docs/contracts/recall.md 3.9, checked 2026-11-30): so these are picked from the
first pages, by meetings that are known to be this connection's. Nothing is stored.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, select

from dashboard.errors import NotFoundError, UpstreamError
from dashboard.models.bot_test import BotTest
from dashboard.models.connection import Connection, MeetingMapping
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.bot_tests import outcomes, runs
from dashboard.services.bot_tests.outcomes import Verdict
from dashboard.services.recall import workspaces
from dashboard.services.runtime import Runtime


@dataclass(frozen=True, kw_only=True)
class ListedBot:
    """One bot.

    Attributes:
        at: When its last step was.
        is_test: Whether it was sent from here.
    """

    id: UUID
    meeting_id: int
    at: datetime
    verdict: Verdict
    is_test: bool


@dataclass(frozen=True, kw_only=True)
class Listed:
    """What Recall said.

    Attributes:
        bots: In the connection's meetings, newest first.
        read: How many bots of the workspace were read.
        is_whole: Whether those are all that Recall lists.
        problem: Why Recall gave no list; "" when it did.
    """

    bots: Sequence[ListedBot] = ()
    read: int = 0
    is_whole: bool = True
    problem: str = ""


def of_connection(runtime: Runtime, connection_id: UUID) -> Listed:
    """Ask Recall for the bots in a connection's meetings; stores nothing.

    Raises:
        NotFoundError: There is no such connection.
        ConflictError: The Zoom app is not in Recall.
    """
    with runtime.database.reading() as session:
        row = session.get(Connection, connection_id)
        if row is None:
            raise NotFoundError("connection")
        app = session.get_one(ZoomApp, row.zoom_app_id)
        recall, _ = workspaces.recall_of(runtime, session, app)
        meetings, tests = _meetings(session, row), _tests(session, connection_id)
    try:
        found = recall.latest_bots()
    except UpstreamError as error:
        return Listed(problem=error.message())
    bots = [
        ListedBot(
            id=bot.id,
            meeting_id=bot.meeting_id,
            at=max(one.created_at for one in bot.status_changes),
            verdict=outcomes.judge(runs.steps_of_bot(bot)),
            is_test=bot.id in tests,
        )
        for bot in found.results
        if bot.meeting_id in meetings and bot.meeting_id and bot.status_changes
    ]
    return Listed(bots=bots, read=len(found.results), is_whole=found.is_whole)


def _meetings(session: Session, row: Connection) -> set[int]:
    mine = col(MeetingMapping.connection_id) == row.id
    mapped = session.exec(select(MeetingMapping.meeting_id).where(mine))
    sent = select(BotTest.meeting_id).where(col(BotTest.connection_id) == row.id)
    found = {*mapped, *session.exec(sent)}
    return found | {row.pmi} if row.pmi else found


def _tests(session: Session, connection_id: UUID) -> set[UUID | None]:
    its = col(BotTest.connection_id) == connection_id
    return set(session.exec(select(BotTest.recall_bot_id).where(its)))
