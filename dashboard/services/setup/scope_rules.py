"""How the scopes of a zoom app's users stand, as far as it was seen. Pure.

Recall keeps the tokens and does not tell their scopes (docs/contracts/recall.md 3.5,
checked 2026-11-23), so a scope is proved by a call that needs it, or named by Zoom's
refusal.
"""

from dataclasses import dataclass
from uuid import UUID

from dashboard.models.connection import Connection, SyncStatus, TokenState
from dashboard.models.watch import Milestone
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.zoom_apps import scopes

_DEAD = (TokenState.RECONNECT_NEEDED, TokenState.UNHEALTHY_IN_RECALL)


@dataclass(frozen=True, kw_only=True)
class ScopeFacts:
    """What the connections of one zoom app tell of its scopes.

    Attributes:
        lacking: One that was found to lack a scope.
        working: One whose token reads the profile and whose meetings Recall listed.
        granted: The newest whose scopes are known by name.
    """

    lacking: Connection | None = None
    working: Connection | None = None
    granted: Connection | None = None


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What is seen, and the one thing to do next.

    Attributes:
        connection_id: Where to do it; None while nobody is connected.
    """

    next: str
    remark: str = ""
    tone: str | None = None
    connection_id: UUID | None = None


def judge(
    facts: ScopeFacts,
    *,
    user: Connection | None,
    app: ZoomApp,
    first: Milestone | None,
    meet: str,
) -> Verdict:
    """Return how the scopes stand.

    Args:
        facts: Of the app's connections.
        user: A connected user to go on with.
        app: Its kind and style tell which scopes are required.
        first: The first sighting of all scopes, if there was one.
        meet: The sentence that asks for a meeting.
    """
    lacking = _lacking(facts, app, first)
    if lacking is not None:
        return lacking
    person = facts.working or user
    if person is None:
        return Verdict(next="Connect a user first: scopes are proved by real calls.")
    if facts.working is None:
        return Verdict(
            remark=f"{name_of(person)}: {person.token_reason}",
            tone="waiting",
            next=_look_or_reconnect(person),
            connection_id=person.id,
        )
    return Verdict(
        remark=f"Profile read and meetings listed for {name_of(person)}; no join token "
        "was fetched yet.",
        tone="waiting",
        next=f"{meet} Then press Check now on the connection's page: it fetches a join "
        "token for the meeting.",
        connection_id=person.id,
    )


def is_working(row: Connection) -> bool:
    """Whether its token reads the profile and its meetings were listed."""
    return (
        row.token_state is TokenState.HEALTHY
        and row.sync_status is SyncStatus.COMPLETED
    )


def name_of(connection: Connection) -> str:
    """Return what to call a connected user: the best name that is known."""
    known = (connection.display_name, connection.email, connection.zoom_user_id)
    return next(filter(None, known), "a Zoom account")


def _lacking(
    facts: ScopeFacts, app: ZoomApp, first: Milestone | None
) -> Verdict | None:
    if facts.granted is not None:
        names = set((facts.granted.scopes or "").split())
        missing = scopes.missing(names, app.kind, app.scope_style)
        if missing:
            said = f"{name_of(facts.granted)} did not grant {', '.join(missing)}."
            return _trouble(facts.granted, said)
    found = facts.lacking
    if found is None:
        return None
    # Once all were seen, one user who unticks what others grant is shown there only.
    if first is not None and facts.working and first.connection_id != found.id:
        return None
    return _trouble(found, f"{name_of(found)}: {found.token_reason}")


def _trouble(row: Connection, said: str) -> Verdict:
    return Verdict(
        remark=said,
        tone="trouble",
        next=f"Add what is missing in Zoom, then let {name_of(row)} connect again.",
        connection_id=row.id,
    )


def _look_or_reconnect(row: Connection) -> str:
    if row.token_state in _DEAD:
        return f"Let {name_of(row)} connect again."
    return f"Press Check now on {name_of(row)}'s page, or wait: a look comes by itself."
