"""Facts for Explain as seen at noon; a test names only what it is about."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from dashboard.models.connection import AttemptOutcome, ConnectAttempt, MeetingMapping
from dashboard.models.held_grant import HeldGrant
from dashboard.models.hold import Hold, HoldKind
from dashboard.models.invitation import Invitation, InvitationState
from dashboard.models.webhook import Outcome, Webhook
from dashboard.models.zoom_app import Environment
from dashboard.services.explain.facts import Facts, Gone
from dashboard.services.explain.questions import Asked, Kind
from dashboard.services.validation.states import State, ValidationStatus
from dashboard.settings import new_key, parse_keys
from dashboard.vault import Vault
from tests.makers import NOON, a_connection, a_webhook, a_workspace, a_zoom_app

VAULT = Vault(parse_keys(new_key()))
MEETING, PMI, OLD_PMI = 91234567890, 5551234567, 5559876543
HOST, OTHER = "zUsEr0001AAAAAAAAAAAAA", "zUsEr0002BBBBBBBBBBBBB"
APP = a_zoom_app(
    VAULT,
    id=UUID(int=1),
    recall_app_id=UUID(int=2),
    environment=Environment.PRODUCTION,
    slug="notetaker",
)


def ago(**amount: float) -> datetime:
    return NOON - timedelta(**amount)


def a_meeting(number: int = MEETING, **over: Any) -> Asked:
    return Asked(kind=Kind.NUMBER, shown="912 3456 7890", number=number, **over)


def an_email(email: str = "ana@example.com") -> Asked:
    return Asked(kind=Kind.EMAIL, shown=email, email=email)


def ana(**over: Any) -> dict[str, Any]:
    """Ana's connection, healthy, looked at an hour ago."""
    values = {
        "id": UUID(int=3),
        "recall_credential_id": UUID(int=4),
        "zoom_user_id": HOST,
        "connected_at": ago(days=30),
        "token_checked_at": ago(hours=1),
        **over,
    }
    return {"connection": a_connection(APP, **values)}


def mapped(at: datetime | None = None) -> dict[str, Any]:
    row = MeetingMapping(
        id=1,
        connection_id=UUID(int=3),
        meeting_id=MEETING,
        synced_at=at or ago(hours=2),
        seen_at=ago(hours=1),
    )
    return {"mapping": row}


def hook(outcome: Outcome = Outcome.DELIVERED, **over: Any) -> Webhook:
    at: datetime = over.pop("received_at", ago(minutes=90))
    took = at + timedelta(seconds=1) if outcome is Outcome.DELIVERED else None
    values = {"outcome": outcome, "delivered_at": took, "received_at": at, **over}
    return a_webhook(APP, **values)


def heard(*hooks: Webhook) -> dict[str, Any]:
    """Webhooks about the meeting, newest first."""
    return {"hooks": hooks, "first_hook": hooks[-1], "host_id": HOST}


def tried(outcome: AttemptOutcome) -> dict[str, Any]:
    row = ConnectAttempt(
        id=UUID(int=5),
        zoom_app_id=APP.id,
        state_hash="0" * 64,
        browser_hash="0" * 64,
        outcome=outcome,
        created_at=ago(hours=3),
        expires_at=ago(hours=2),
        ended_at=None if outcome is AttemptOutcome.OPEN else ago(hours=2),
    )
    return {**invited(InvitationState.OPENED), "attempt": row}


def invited(state: InvitationState, **over: Any) -> dict[str, Any]:
    values = {
        "id": UUID(int=6),
        "zoom_app_id": APP.id,
        "token_hash": "0" * 64,
        "email": "ana@example.com",
        "made_by": "admin@example.com",
        "state": state,
        "created_at": ago(days=2),
        "opened_at": ago(days=1),
        "expires_at": NOON + timedelta(days=5),
        **over,
    }
    return {"invitation": Invitation(**values)}


def lost(at: datetime) -> dict[str, Any]:
    """The grant kept here, when Zoom refused to renew it."""
    row = HeldGrant(
        connection_id=UUID(int=3),
        key_hash="0" * 64,
        access_token=b"",
        refresh_token=b"",
        expires_at=at,
        obtained_at=at,
        refresh_due_at=at,
        lost_at=at,
    )
    return {"grant": row}


def gone(**over: Any) -> dict[str, Any]:
    return {"gone": Gone(removed_at=ago(hours=5), **over)}


def held() -> dict[str, Any]:
    row = Hold(
        id=APP.id,
        kind=HoldKind.ZOOM_APP,
        is_holding=True,
        reason="Recall refuses the signature.",
        since=ago(hours=4),
        probe_at=NOON,
    )
    return {"hold": row}


def validated(state: State, sentence: str = "", **over: Any) -> dict[str, Any]:
    status = ValidationStatus(state=state, sentence=sentence, **over)
    return {"validation": status}


def facts(asked: Asked, *parts: dict[str, Any], **over: Any) -> Facts:
    values: dict[str, Any] = {
        "app": APP,
        "workspace": a_workspace(VAULT),
        "validation": ValidationStatus(state=State.VALID, sentence="Answered."),
    }
    for part in parts:
        values |= part
    return Facts(asked=asked, now=NOON, **(values | over))


def claimed(*names: str) -> dict[str, Any]:
    rows: Sequence[Any] = [
        a_connection(APP, display_name=name, pmi=PMI) for name in names
    ]
    return {"claims": rows, "connection": rows[0]}
