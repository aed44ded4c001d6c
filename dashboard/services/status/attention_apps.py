"""Needs attention, about each zoom app: its pair, validation, silence, connections."""

from collections.abc import Iterator
from datetime import datetime

from sqlmodel import Session

from dashboard.models.connection import TokenState
from dashboard.models.workspace import Verdict
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.connect import attempts
from dashboard.services.status import silence
from dashboard.services.status.attention_items import (
    TROUBLE,
    WAITING,
    Action,
    Item,
    name,
)
from dashboard.services.status.overview import AppOverview
from dashboard.services.status.silence import Silence
from dashboard.services.validation.states import State, ValidationStatus

_VALIDATION = {
    State.SECRET_MISMATCH: "Secret tokens differ for",
    State.FAILING: "Validation fails for",
    State.RECALL_DISAGREES: "Recall disagrees about the validation of",
    State.OVERDUE: "Validation is overdue for",
}
_CONNECTIONS = {
    TokenState.RECONNECT_NEEDED: (
        TROUBLE,
        "must reconnect: Zoom no longer honours the grant.",
        "Send a reconnect link.",
    ),
    TokenState.UNHEALTHY_IN_RECALL: (
        TROUBLE,
        "must reconnect: Recall calls the credential unhealthy.",
        "Send a reconnect link.",
    ),
    TokenState.MISSING_SCOPES: (
        TROUBLE,
        "did not grant every scope that is needed.",
        "Add the scopes in Zoom, then let them reconnect.",
    ),
}


def about_app(session: Session, each: AppOverview, *, now: datetime) -> Iterator[Item]:
    """Say what should be mended of one zoom app; of a retired one nothing."""
    if each.app.retired_at is not None:
        return
    yield from _about_pair(each.app)
    yield from _about_validation(each)
    yield from _about_silence(session, each, now)
    yield from _about_connections(each)
    yield from _about_lost_attempts(session, each.app, now)


def _about_pair(app: ZoomApp) -> Iterator[Item]:
    if app.verdict is Verdict.WRONG:
        yield Item(
            tone=TROUBLE,
            sentence=f"Zoom refuses the client ID and client secret of {name(app)}.",
            detail="Nobody can connect until it is mended.",
            since=app.checked_at,
            action=Action.EDIT_APP,
            zoom_app_id=app.id,
        )
    elif app.verdict is Verdict.UNKNOWN:
        yield Item(
            tone=WAITING,
            sentence=f"The client ID and secret of {name(app)} are unchecked.",
            detail=app.verdict_reason,
            action=Action.OPEN_APP,
            zoom_app_id=app.id,
        )


def _about_validation(each: AppOverview) -> Iterator[Item]:
    status, app = each.status, each.app
    if status.state not in _VALIDATION:
        return
    sentence = f"{_VALIDATION[status.state]} {name(app)}"
    if status.is_switched_off:
        sentence = f"Zoom has switched off the webhooks of {name(app)}"
    elif status.title:
        sentence = f"{name(app)}: {status.title[:1].lower()}{status.title[1:]}"
    yield Item(
        tone=status.tone,
        sentence=f"{sentence}: {status.count}." if status.failures else f"{sentence}.",
        detail=status.sentence,
        since=status.since,
        action=Action.OPEN_APP,
        zoom_app_id=app.id,
    )


def _about_silence(
    session: Session, each: AppOverview, now: datetime
) -> Iterator[Item]:
    silent = silence.find(session, each.app, now=now)
    if silent is not None and not _explains(each.status, silent):
        yield Item(
            tone=TROUBLE,
            sentence=f"{name(each.app)}: {silent.sentence}",
            detail=silent.detail,
            since=silent.since,
            action=Action.SEE_REFUSED if silent.is_refused else Action.OPEN_APP,
            zoom_app_id=each.app.id,
        )


def _explains(status: ValidationStatus, silent: Silence) -> bool:
    """Whether the item about validation says already why nothing is heard."""
    is_mismatch = status.state is State.SECRET_MISMATCH and status.failures > 0
    return status.is_switched_off or (silent.is_refused and is_mismatch)


def _about_connections(each: AppOverview) -> Iterator[Item]:
    if number := each.unknown_for_admin:
        who = "1 connection" if number == 1 else f"{number:,} connections"
        yield Item(
            tone=TROUBLE,
            sentence=f"{who} of {name(each.app)} cannot be checked.",
            detail="No user has to act: each says what an admin must mend.",
            action=Action.SEE_CONNECTIONS,
            zoom_app_id=each.app.id,
            token_state=TokenState.UNKNOWN,
        )
    for state, (tone, words, detail) in _CONNECTIONS.items():
        number = each.connections[state]
        if number:
            who = "1 user" if number == 1 else f"{number:,} users"
            yield Item(
                tone=tone,
                sentence=f"{who} of {name(each.app)} {words}",
                detail=detail,
                action=Action.SEE_CONNECTIONS,
                zoom_app_id=each.app.id,
                token_state=state,
            )


def _about_lost_attempts(
    session: Session, app: ZoomApp, now: datetime
) -> Iterator[Item]:
    lost = attempts.find_lost(session, app, now=now)
    if lost is not None:
        yield Item(
            tone=TROUBLE,
            sentence=f"{name(app)}: {lost.sentence}",
            detail="Zoom shows Invalid redirect (4,700) and sends nobody back.",
            since=lost.since,
            action=Action.SEE_ATTEMPTS,
            zoom_app_id=app.id,
        )
