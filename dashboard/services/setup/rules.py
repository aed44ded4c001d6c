"""From facts to the ticks of a set-up: made by evidence, never by a person. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from dashboard.models.connection import Connection
from dashboard.models.watch import Milestone
from dashboard.models.workspace import Verdict
from dashboard.models.zoom_app import Kind, Routing, ZoomApp
from dashboard.services.setup import scope_rules
from dashboard.services.setup.scope_rules import ScopeFacts, name_of
from dashboard.services.setup.steps import SetupStep, StepKey, Target, listed
from dashboard.services.validation.states import State, ValidationStatus

_WHOSE = {StepKey.USER: "of", StepKey.MAPPING: "for", StepKey.SCOPES: "for"}


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the ticks are judged by.

    Attributes:
        zoom_status: Status of the way from Zoom to us.
        recall_status: Status of the way from us to Recall.
        milestones: First time that each thing was seen; what never was is not there.
        people: The connections that sightings are about, while they are here.
        is_gone: Recall has no such app any more.
        user: A connected user to go on with; None while nobody is connected.
        granting: What is known of the scopes.
    """

    zoom_app: ZoomApp
    zoom_status: ValidationStatus
    recall_status: ValidationStatus
    milestones: Mapping[StepKey, Milestone] = field(default_factory=dict)
    people: Mapping[UUID, Connection] = field(default_factory=dict)
    is_gone: bool = False
    user: Connection | None = None
    granting: ScopeFacts = field(default_factory=ScopeFacts)


def steps(facts: Facts) -> Sequence[SetupStep]:
    """Return the ticks in their order. Pure."""
    return [_tick(key, facts) for key in listed(facts.zoom_app.routing)]


@dataclass(frozen=True, kw_only=True)
class _Current:
    """How a tick stands besides its first sighting."""

    next: str
    target: Target | None = None
    remark: str = ""
    tone: str | None = None
    connection_id: UUID | None = None


def _tick(key: StepKey, facts: Facts) -> SetupStep:
    now, first = _current(key, facts), facts.milestones.get(key)
    if first is None:
        return SetupStep(key=key, is_done=False, **vars(now))
    person = facts.people.get(first.connection_id) if first.connection_id else None
    seen = SetupStep(
        key=key,
        is_done=now.tone != "trouble",
        at=first.at,
        proof=_proof(key, first, person),
        pmi=person.pmi if person and key is StepKey.USER else None,
    )
    return seen if seen.is_done else SetupStep(**(vars(seen) | vars(now)))


def _proof(key: StepKey, first: Milestone, person: Connection | None) -> str:
    # The name is the connection's own, so that it goes when the user does.
    if key not in _WHOSE:
        return first.proof
    whose = "a user who has left since" if person is None else name_of(person)
    return f"{first.proof} {_WHOSE[key]} {whose}."


def _current(key: StepKey, facts: Facts) -> _Current:  # noqa: PLR0911 - one for each key
    match key:
        case StepKey.PAIR:
            return _pair(facts.zoom_app)
        case StepKey.RECALL_APP:
            return _recall_app(facts)
        case StepKey.CHALLENGE:
            return _challenge(facts)
        case StepKey.RECALL_VALIDATED | StepKey.ZOOM_VALIDATED:
            return _recall_validated(key, facts)
        case StepKey.USER:
            return _Current(
                next="Add the scopes and the redirect URL in Zoom, then open the "
                "connect page and connect your own account.",
                target=Target.CONNECT,
            )
        case StepKey.EVENT:
            more = "add meeting.created and user.updated in Zoom and save."
            return _Current(
                next=f"{_schedule_a_meeting(facts)} If nothing arrives, {more}",
                target=Target.WEBHOOKS,
            )
        case StepKey.DELIVERY:
            return _delivery(facts)
        case StepKey.MAPPING:
            return _mapping(facts)
        case StepKey.SCOPES:
            return _scopes(facts)


def _pair(app: ZoomApp) -> _Current:
    if app.verdict is Verdict.WRONG:
        return _Current(
            remark=app.verdict_reason or "Zoom refuses this pair.",
            tone="trouble",
            next="Edit the credentials: enter the client secret again.",
            target=Target.EDIT,
        )
    return _Current(
        remark=app.verdict_reason or "Saved, but not checked at Zoom yet.",
        tone="waiting",
        next="Press Check again.",
        target=Target.CHECK,
    )


def _recall_app(facts: Facts) -> _Current:
    if facts.is_gone:
        return _Current(
            remark="Recall has no such app any more.",
            tone="trouble",
            next="Take another app of Recall's, or create it there again.",
            target=Target.RECALL_APP,
        )
    create = "Choose a workspace and press Create in Recall."
    if StepKey.RECALL_APP in facts.milestones and facts.zoom_app.recall_app_id is None:
        return _Current(
            remark="The app is not in Recall any more.",
            tone="trouble",
            next=create,
            target=Target.RECALL_APP,
        )
    if facts.zoom_app.create_key is not None:
        return _Current(
            remark="Recall was asked to create it; its answer did not arrive.",
            tone="waiting",
            next="Press Create in Recall again. It never makes a second one.",
            target=Target.RECALL_APP,
        )
    return _Current(next=create, target=Target.RECALL_APP)


def _challenge(facts: Facts) -> _Current:
    if facts.zoom_status.state is State.SECRET_MISMATCH:
        return _Current(
            remark=facts.zoom_status.sentence,
            tone="trouble",
            next="Edit the credentials: copy Secret Token from Zoom, Features, Access.",
            target=Target.EDIT,
        )
    remark, tone = _status_problem(facts.zoom_status)
    return _Current(
        remark=remark,
        tone=tone,
        next="Paste the webhook URL in Zoom and press Validate there.",
        target=Target.WEBHOOKS,
    )


def _recall_validated(key: StepKey, facts: Facts) -> _Current:
    remark, tone = _status_problem(facts.recall_status)
    if facts.recall_status.state is State.SECRET_MISMATCH:
        what = ("Press Update in Recall.", Target.UPDATE_IN_RECALL)
    elif tone is not None:
        what = ("Press Probe now once Recall is back.", Target.PROBE)
    elif facts.zoom_app.recall_app_id is None:
        what = ("Create the app in Recall first.", Target.RECALL_APP)
    elif key is StepKey.RECALL_VALIDATED:
        what = ("Press Probe now.", Target.PROBE)
    else:
        what = (
            "Paste Recall's webhook URL in Zoom and press Validate there.",
            Target.WEBHOOKS,
        )
    return _Current(remark=remark, tone=tone, next=what[0], target=what[1])


def _status_problem(status: ValidationStatus) -> tuple[str, str | None]:
    # The clocks tell what is merely late; a tick stays until something speaks against.
    is_bad = status.state.tone == "trouble"
    return (status.sentence, "trouble") if is_bad else ("", None)


def _delivery(facts: Facts) -> _Current:
    if StepKey.EVENT not in facts.milestones:
        return _Current(next=_schedule_a_meeting(facts), target=Target.WEBHOOKS)
    return _Current(
        remark="Events arrived; Recall has taken none yet.",
        tone="waiting",
        next="See in the webhook log what Recall answers.",
        target=Target.LOG,
    )


def _mapping(facts: Facts) -> _Current:
    sync = "press Sync meetings on the connection's page."
    if facts.user is None:
        return _Current(next=_schedule_a_meeting(facts))
    if StepKey.EVENT in facts.milestones:
        what = f"Wait a few seconds; if nothing comes, {sync}"
        remark = "An event arrived; Recall maps a meeting seconds after its event."
        return _Current(
            remark=remark,
            tone="waiting",
            next=what,
            target=Target.CONNECTION,
            connection_id=facts.user.id,
        )
    if facts.zoom_app.routing is Routing.RELAY:
        return _Current(next=_schedule_a_meeting(facts))
    # Nothing tells us that a meeting was made: have Recall read them again.
    return _Current(
        next=f"{_schedule_a_meeting(facts)} Then {sync}",
        target=Target.CONNECTION,
        connection_id=facts.user.id,
    )


def _schedule_a_meeting(facts: Facts) -> str:
    if facts.user is None:
        return "Connect a user, then schedule a meeting in Zoom as that user."
    if facts.zoom_app.kind is Kind.ACCOUNT_LEVEL:
        return "Schedule a meeting in Zoom as a user of the connected account."
    return f"Schedule a meeting in Zoom as {name_of(facts.user)}."


def _scopes(facts: Facts) -> _Current:
    found = scope_rules.judge(
        facts.granting,
        user=facts.user,
        app=facts.zoom_app,
        first=facts.milestones.get(StepKey.SCOPES),
        meet=_schedule_a_meeting(facts),
    )
    return _Current(
        remark=found.remark,
        tone=found.tone,
        next=found.next,
        target=Target.CONNECTION if found.connection_id else Target.CONNECT,
        connection_id=found.connection_id,
    )
