"""Health checks that a question in Explain starts: one a minute per connection.

They run in a few threads of the process that was asked, with or without a worker, and
inside the sweep's share of Recall's rate limits: no number of questions uses up what
people and the sweep need.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from functools import partial
from threading import Lock, Thread
from uuid import UUID

from sqlmodel import Session

from dashboard.errors import ConflictError, NotFoundError, UpstreamError
from dashboard.models.connection import Connection, TokenCause
from dashboard.models.workspace import Verdict
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.connections import actions
from dashboard.services.runtime import Runtime
from dashboard.threads import WorkerThreads

ANSWER_WITHIN_S = 10
"""How long a page waits for the checks it started before it says so."""

_AT_ONCE = 4
_EVERY = timedelta(minutes=1)
_ENDS_WITHIN_S = 2.0


class OnDemandChecks:
    """Starts the checks that a question needs; safe to use from many threads.

    Args:
        runtime: Its calls to Recall leave room for people.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime.in_background()
        self._threads = WorkerThreads[UUID]("asked check", at_once=_AT_ONCE)
        self._begun: dict[UUID, tuple[datetime, Thread]] = {}
        self._missed: dict[UUID, str] = {}
        self._lock = Lock()

    def begin(
        self, connection_ids: Collection[UUID], *, has_meeting: bool = False
    ) -> None:
        """Start a check of each that was not checked within a minute, as room allows.

        Nothing is started for a zoom app whose credentials are in doubt: each check
        would be an error that Recall counts against its user.

        Args:
            connection_ids: Of `Answer.unsure`.
            has_meeting: Whether Recall's list of meetings is asked about too.
        """
        if not connection_ids:
            return
        now = self._runtime.clock.now()
        with self._runtime.database.reading() as session:
            found = [session.get(Connection, each) for each in connection_ids]
            rows = [row for row in found if row and _is_useful(session, row)]
        with self._lock:
            recent = {k: v for k, v in self._begun.items() if _is_recent(v[0], now)}
            self._missed = {k: v for k, v in self._missed.items() if k in recent}
            for row in rows:
                is_seen = _is_just_seen(row, now, has_meeting=has_meeting)
                is_known = row.id in recent or is_seen
                if is_known or not self._threads.room or self._threads.busy(row.id):
                    continue
                thread = self._threads.begin(row.id, partial(self._check, row.id))
                recent[row.id] = (now, thread)
            self._begun = recent

    def is_running(self, connection_ids: Collection[UUID]) -> bool:
        """Whether a check of any of them is under way, here or in another process."""
        if any(self._threads.busy(each) for each in connection_ids):
            return True
        now = self._runtime.clock.now()
        with self._runtime.database.reading() as session:
            rows = [session.get(Connection, each) for each in connection_ids]
        leases = [row.lease_until for row in rows if row is not None]
        return any(until is not None and until > now for until in leases)

    def wait(
        self, connection_ids: Collection[UUID], within_s: float = ANSWER_WITHIN_S
    ) -> None:
        """Return when those of them that were started here ended, or after so long."""
        begun = [self._begun[each] for each in connection_ids if each in self._begun]
        self._threads.wait(within_s, [thread for _, thread in begun])

    def missed(self, connection_ids: Collection[UUID]) -> str:
        """Say why the last check of one of them that was started here saw nothing."""
        found = (self._missed.get(each, "") for each in connection_ids)
        return next(filter(None, found), "")

    def close(self) -> None:
        """Start no more; running ones store nothing."""
        self._threads.close()
        self._threads.wait(_ENDS_WITHIN_S)

    def _check(self, connection_id: UUID) -> None:
        try:
            actions.check_fully(
                self._runtime, connection_id, is_over=self._threads.is_over
            )
        except UpstreamError as error:
            self._missed[connection_id] = (
                "The connection couldn't be checked just now, so this is the last "
                f"known state. {error.message()}"
            )
        except (ConflictError, NotFoundError) as error:
            self._missed[connection_id] = str(error)


def _is_useful(session: Session, row: Connection) -> bool:
    """Whether its zoom app is in Recall, with credentials that are not in doubt."""
    app = session.get_one(ZoomApp, row.zoom_app_id)
    is_sure = app.pair_doubted_at is None and app.verdict is not Verdict.WRONG
    return is_sure and app.recall_app_id is not None


def _is_just_seen(row: Connection, now: datetime, *, has_meeting: bool) -> bool:
    """Whether all that a question needs was: the token, and maybe Recall's list.

    That Recall gave no token is decided by the check after the one that saw it first.
    """
    if row.token_cause is TokenCause.NO_TOKEN:
        return False
    is_listed = not has_meeting or _is_recent(row.mappings_seen_at, now)
    return is_listed and _is_recent(row.token_checked_at, now)


def _is_recent(at: datetime | None, now: datetime) -> bool:
    return at is not None and abs(now - at) < _EVERY
