"""The five steps of setting a zoom app up, each ticked by what was seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from dashboard.models.connection import Connection
from dashboard.models.workspace import Verdict
from dashboard.models.zoom_app import Routing, ZoomApp
from dashboard.services import scopes
from dashboard.services.setup_facts import Facts
from dashboard.services.validation_states import State


class Key(StrEnum):
    """The steps, in their order."""

    SCOPES = "scopes"
    CREDENTIALS = "credentials"
    RECALL_APP = "recall_app"
    WEBHOOKS = "webhooks"
    CONNECT = "connect"


_ADD_AND_RECONNECT = "Add what is missing in Zoom, then let the user connect again."
_NEXT = {
    State.SECRET_MISMATCH: "Press Update in Recall.",
    State.FAILING: "Press Probe now once Recall is back.",
    State.RECALL_DISAGREES: "Press Probe now to look again.",
}


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step and its evidence.

    Attributes:
        is_done: It was seen to work.
        proof: What was seen, good or bad; "" when nothing was.
        at: When that was seen.
        next: The one thing to do; "" when it is done.
        tone: "trouble" or "waiting" where something was seen that is not right.
        pmi: Personal meeting id that belongs to the proof.
    """

    key: Key
    title: str
    is_done: bool
    proof: str = ""
    at: datetime | None = None
    next: str = ""
    tone: str | None = None
    pmi: int | None = None


def steps(facts: Facts) -> Sequence[Step]:
    """Return the five steps in their order. Pure."""
    return [
        _scopes(facts),
        _credentials(facts.zoom_app),
        _recall_app(facts.zoom_app),
        _webhooks(facts),
        _connect(facts),
    ]


def next_open(found: Sequence[Step]) -> Key | None:
    """Return the step to show open: the first in trouble, else the first undone one.

    Scopes are proved only by a connection, so they do not hold the others up.
    """
    trouble = [step for step in found if step.tone == "trouble"]
    undone = [step for step in found if not step.is_done and step.key != Key.SCOPES]
    first = next(iter([*trouble, *undone]), None)
    return None if first is None else first.key


def _scopes(facts: Facts) -> Step:
    title, app = "Scopes", facts.zoom_app
    wanted = scopes.required(app.kind, app.scope_style)
    # One user may untick what all others granted; that is shown at the connection.
    if facts.lacking is not None and facts.working is None:
        return Step(
            key=Key.SCOPES,
            title=title,
            is_done=False,
            proof=f"{_name(facts.lacking)}: {facts.lacking.token_reason}",
            at=facts.lacking.token_checked_at,
            next=_ADD_AND_RECONNECT,
            tone="trouble",
        )
    seen = facts.granted
    if seen is None and facts.working is not None:
        # Recall holds the tokens and does not tell their scopes, so only what was done
        # with one is known (contracts/recall.md 3.5).
        return Step(
            key=Key.SCOPES,
            title=title,
            is_done=False,
            proof=f"Profile read and meetings listed for {_name(facts.working)}",
            at=facts.working.token_checked_at,
            next="The join token scope is proved by the first bot that records without "
            "asking. Compare it with the list.",
        )
    if seen is None:
        return Step(
            key=Key.SCOPES,
            title=title,
            is_done=False,
            next=f"Add these {len(wanted)} scopes in Zoom. What they allow is "
            "seen when the first user connects.",
        )
    granted = set((seen.scopes or "").split())
    lacking = scopes.missing(granted, app.kind, app.scope_style)
    who = _name(seen)
    if lacking:
        return Step(
            key=Key.SCOPES,
            title=title,
            is_done=False,
            proof=f"{who} did not grant {', '.join(lacking)}.",
            at=seen.token_checked_at,
            next=_ADD_AND_RECONNECT,
            tone="trouble",
        )
    return Step(
        key=Key.SCOPES,
        title=title,
        is_done=True,
        proof=f"All {len(wanted)} granted by {who}",
        at=seen.token_checked_at or seen.connected_at,
    )


def _credentials(app: ZoomApp) -> Step:
    key, title = Key.CREDENTIALS, "Credentials"
    if app.verdict is Verdict.RIGHT:
        return Step(
            key=key,
            title=title,
            is_done=True,
            proof="Zoom accepted client ID and client secret",
            at=app.checked_at,
        )
    if app.verdict is Verdict.WRONG:
        return Step(
            key=key,
            title=title,
            is_done=False,
            proof=app.verdict_reason,
            at=app.checked_at,
            next="Edit the credentials: enter the client secret again.",
            tone="trouble",
        )
    return Step(
        key=key,
        title=title,
        is_done=False,
        proof=app.verdict_reason or "Saved, but not checked at Zoom yet.",
        at=app.checked_at,
        next="Press Check again.",
        tone="waiting",
    )


def _recall_app(app: ZoomApp) -> Step:
    key, title = Key.RECALL_APP, "Recall app"
    if app.recall_app_id is not None:
        return Step(
            key=key,
            title=title,
            is_done=True,
            proof=f"Recall gave it the id {app.recall_app_id}",
            at=app.recall_created_at,
        )
    if app.create_key is not None:
        return Step(
            key=key,
            title=title,
            is_done=False,
            proof="Recall was asked to create it; its answer did not arrive.",
            next="Press Create in Recall again. It never makes a second one.",
            tone="waiting",
        )
    return Step(
        key=key,
        title=title,
        is_done=False,
        next="Choose a workspace and press Create in Recall.",
    )


def _webhooks(facts: Facts) -> Step:
    key, title = Key.WEBHOOKS, "Webhooks"
    parts = [facts.ours, facts.recalls]
    if facts.zoom_app.routing is Routing.DIRECT:
        parts = [facts.recalls]
    worst = next((part for part in parts if part.state is not State.VALID), None)
    if worst is None:
        last = min(parts, key=lambda part: part.since or facts.zoom_app.created_at)
        return Step(
            key=key, title=title, is_done=True, proof=last.sentence, at=last.since
        )
    if facts.ours.state is State.NEVER_SEEN:
        return Step(key=key, title=title, is_done=False, next=worst.sentence)
    tone = worst.state.tone
    return Step(
        key=key,
        title=title,
        is_done=False,
        proof=worst.sentence,
        at=worst.since,
        next=_NEXT.get(worst.state, "") if worst is facts.recalls else "",
        tone=tone if tone in {"trouble", "waiting"} else None,
    )


def _connect(facts: Facts) -> Step:
    key, title, first = Key.CONNECT, "Connect", facts.first
    if first is None:
        return Step(
            key=key,
            title=title,
            is_done=False,
            next="Paste the redirect URL in Zoom, then open the connect page and "
            "connect your own account first.",
        )
    return Step(
        key=key,
        title=title,
        is_done=True,
        proof=f"First: {_name(first)}",
        at=first.connected_at,
        pmi=first.pmi,
    )


def _name(connection: Connection) -> str:
    known = (connection.display_name, connection.email, connection.zoom_user_id)
    return next(filter(None, known), "a Zoom account")
