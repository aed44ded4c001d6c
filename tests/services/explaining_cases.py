"""Every verdict of Explain, one case each, all at noon on 2026-11-23.

docs/explain.md holds the same table for people; a test compares the two.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from dashboard.models.connection import AttemptOutcome, SyncStatus, TokenState
from dashboard.models.invitation import InvitationState
from dashboard.models.webhook import Outcome
from dashboard.models.workspace import Verdict as Said
from dashboard.models.zoom_app import Environment, Routing
from dashboard.services.explain.facts import Facts, Means
from dashboard.services.explain.questions import Asked, Kind
from dashboard.services.validation.states import State
from tests.makers import NOON, a_connection, a_workspace, a_zoom_app
from tests.services.explaining_stage import (
    APP,
    OLD_PMI,
    OTHER,
    PMI,
    VAULT,
    a_meeting,
    ago,
    an_email,
    ana,
    claimed,
    facts,
    gone,
    heard,
    held,
    hook,
    invited,
    lost,
    mapped,
    tried,
    validated,
)


@dataclass(frozen=True)
class Case:
    """One row; its id is the verdict's."""

    id: str
    facts: Facts


_NOBODY = Facts(asked=an_email(), now=NOON)
_AN_APP = Asked(kind=Kind.UUID, shown=str(APP.recall_app_id), uuid=APP.recall_app_id)
_A_HOOK = Asked(kind=Kind.WEBHOOK, shown="1", webhook_id=1, number=91234567890)
_BLOCK = "Local recording is switched off by the account"


def _app(**over: Any) -> dict[str, Any]:
    environment = Environment.PRODUCTION
    values: dict[str, Any] = {
        "recall_app_id": APP.recall_app_id,
        "environment": environment,
    }
    return {"app": a_zoom_app(VAULT, **(values | over))}


def _state(state: TokenState, **over: Any) -> Facts:
    return facts(an_email(), ana(token_state=state, **over))


CASES = [
    Case("not-understood", Facts(asked=Asked(), now=NOON)),
    Case("no-number", Facts(asked=Asked(kind=Kind.NO_NUMBER), now=NOON)),
    Case("unknown-meeting", Facts(asked=a_meeting(), now=NOON)),
    Case("unknown", _NOBODY),
    Case(
        "account-of-users",
        Facts(
            asked=Asked(kind=Kind.WORD, shown="AbCd", word="AbCd"),
            now=NOON,
            means=Means.ACCOUNT,
            others=[a_connection(APP)],
        ),
    ),
    Case("app-not-in-recall", facts(an_email(), ana(), _app(recall_app_id=None))),
    Case(
        "key-refused",
        facts(an_email(), ana(), workspace=a_workspace(VAULT, verdict=Said.WRONG)),
    ),
    Case("pair-refused", facts(an_email(), ana(), _app(verdict=Said.WRONG))),
    Case("webhook-dead", facts(_A_HOOK, ana(), heard(hook(Outcome.DEAD)))),
    Case("webhook-held", facts(_A_HOOK, ana(), heard(hook(Outcome.WAITING)), held())),
    Case("webhook-waiting", facts(_A_HOOK, ana(), heard(hook(Outcome.WAITING)))),
    Case("webhook-kept", facts(_A_HOOK, ana(), heard(hook(Outcome.KEPT)))),
    Case("pmi-twice", facts(a_meeting(PMI), claimed("Ana Nowak", "Ben Okafor"))),
    Case(
        "former-pmi",
        facts(
            a_meeting(OLD_PMI),
            ana(previous_pmi=OLD_PMI, pmi_changed_at=ago(days=3)),
            means=Means.FORMER_PMI,
        ),
    ),
    Case("erased", facts(an_email(), gone(done_at=ago(hours=4)))),
    Case(
        "removed",
        _state(TokenState.RECONNECT_NEEDED, deauthorized_at=ago(hours=5)),
    ),
    Case(
        "other-account",
        facts(
            a_meeting(email="ana@example.com"),
            heard(hook(zoom_user_id=OTHER)),
            host_id=OTHER,
            pasted=ana()["connection"],
        ),
    ),
    Case("wrong-account", facts(an_email(), tried(AttemptOutcome.WRONG_ACCOUNT))),
    Case("declined", facts(an_email(), invited(InvitationState.DECLINED))),
    Case("abandoned", facts(an_email(), tried(AttemptOutcome.ABANDONED))),
    Case("came-too-late", facts(an_email(), tried(AttemptOutcome.EXPIRED))),
    Case("other-browser", facts(an_email(), tried(AttemptOutcome.REPLAYED))),
    Case("attempt-refused", facts(an_email(), tried(AttemptOutcome.REFUSED_BY_RECALL))),
    Case("at-zoom", facts(an_email(), tried(AttemptOutcome.OPEN))),
    Case("disconnected", facts(an_email(), invited(InvitationState.DONE))),
    Case("invitation-revoked", facts(an_email(), invited(InvitationState.REVOKED))),
    Case(
        "invitation-expired",
        facts(an_email(), invited(InvitationState.OPENED, expires_at=ago(hours=6))),
    ),
    Case("invitation-opened", facts(an_email(), invited(InvitationState.OPENED))),
    Case("invited", facts(an_email(), invited(InvitationState.MADE))),
    Case("host-not-connected", facts(a_meeting(), heard(hook()))),
    Case("not-connected", facts(an_email(), heard(hook()))),
    Case(
        "dead-then",
        facts(
            a_meeting(),
            ana(token_state=TokenState.RECONNECT_NEEDED),
            heard(hook()),
            mapped(),
            lost(ago(days=1)),
        ),
    ),
    Case("dead", _state(TokenState.RECONNECT_NEEDED)),
    Case("missing-scopes", _state(TokenState.MISSING_SCOPES)),
    Case("unhealthy", _state(TokenState.UNHEALTHY_IN_RECALL)),
    Case("host-setting", facts(a_meeting(), ana(recording_block=_BLOCK), mapped())),
    Case(
        "removal-unproven", _state(TokenState.UNKNOWN, deauthorized_at=ago(minutes=5))
    ),
    Case(
        "state-unknown", _state(TokenState.UNKNOWN, due_at=NOON + timedelta(minutes=5))
    ),
    Case("expiring", _state(TokenState.EXPIRING)),
    Case("meeting-dead", facts(a_meeting(), ana(), heard(hook(Outcome.DEAD)))),
    Case(
        "meeting-held", facts(a_meeting(), ana(), heard(hook(Outcome.WAITING)), held())
    ),
    Case("meeting-waiting", facts(a_meeting(), ana(), heard(hook(Outcome.WAITING)))),
    Case("sync-failed", facts(an_email(), ana(sync_status=SyncStatus.FAILED))),
    Case("syncing", facts(a_meeting(), ana(sync_status=SyncStatus.IN_PROGRESS))),
    Case(
        "made-before",
        facts(a_meeting(), ana(connected_at=ago(minutes=70)), heard(hook())),
    ),
    Case(
        "not-looked-since",
        facts(a_meeting(), ana(), heard(hook(received_at=ago(minutes=30)))),
    ),
    Case("not-mapped", facts(a_meeting(), ana(), heard(hook()))),
    Case(
        "no-events",
        facts(
            a_meeting(),
            ana(),
            validated(State.FAILING, "Zoom's challenge came out of time."),
        ),
    ),
    Case("pmi-not-mapped", facts(a_meeting(PMI), ana(), means=Means.PMI)),
    Case("not-mapped-direct", facts(a_meeting(), ana(), _app(routing=Routing.DIRECT))),
    Case("never-heard-of", facts(a_meeting(), ana())),
    Case(
        "connected-after",
        facts(
            a_meeting(), ana(connected_at=ago(minutes=70)), heard(hook()), mapped(NOON)
        ),
    ),
    Case(
        "renewed-since",
        facts(
            a_meeting(), ana(reconnected_at=ago(minutes=70)), heard(hook()), mapped()
        ),
    ),
    Case(
        "mapped-late",
        facts(
            a_meeting(),
            ana(),
            heard(hook(event="meeting.started")),
            mapped(ago(minutes=80)),
        ),
    ),
    Case("ready", facts(a_meeting(), ana(), heard(hook()), mapped(ago(minutes=89)))),
    Case("webhook-delivered", facts(_A_HOOK, heard(hook()), host_id=None)),
    Case("app-retired", facts(_AN_APP, _app(retired_at=ago(days=4)), means=Means.APP)),
    Case("held", facts(an_email(), ana(), held())),
    Case(
        "deaf",
        facts(
            an_email(),
            ana(),
            validated(State.FAILING, "Zoom's challenge came out of time."),
        ),
    ),
    Case("webhook-missed", facts(an_email(), ana(), heard(hook(Outcome.DEAD)))),
    Case("healthy", facts(an_email(), ana(), heard(hook()))),
    Case("app-fine", facts(_AN_APP, means=Means.APP)),
    Case(
        "host-unnamed", facts(a_meeting(), heard(hook(zoom_user_id=None)), host_id=None)
    ),
]
