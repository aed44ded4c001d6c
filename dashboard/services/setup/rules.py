"""From facts to the ticks of a set-up: made by evidence, never by a person. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from dashboard.models.connection import Connection
from dashboard.models.watch import Milestone
from dashboard.models.workspace import Verdict
from dashboard.models.zoom_app import Kind, Routing, ZoomApp
from dashboard.services.setup import scope_rules
from dashboard.services.setup.scope_rules import ScopeFacts, called
from dashboard.services.setup.steps import Key, Target, Tick, listed
from dashboard.services.validation.states import State, ValidationStatus

_WHOSE = {Key.USER: "of", Key.MAPPING: "for", Key.SCOPES: "for"}


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the ticks are judged by.

    Attributes:
        ours: Status of the way from Zoom to us.
        recalls: Status of the way from us to Recall.
        sighted: First time that each thing was seen; what never was is not there.
        people: The connections that sightings are about, while they are here.
        is_gone: Recall has no such app any more.
        user: A connected user to go on with; None while nobody is connected.
        granting: What is known of the scopes.
    """

    zoom_app: ZoomApp
    ours: ValidationStatus
    recalls: ValidationStatus
    sighted: Mapping[Key, Milestone] = field(default_factory=dict)
    people: Mapping[UUID, Connection] = field(default_factory=dict)
    is_gone: bool = False
    user: Connection | None = None
    granting: ScopeFacts = field(default_factory=ScopeFacts)


def ticks(facts: Facts) -> Sequence[Tick]:
    """Return the ticks in their order. Pure."""
    return [_tick(key, facts) for key in listed(facts.zoom_app.routing)]


@dataclass(frozen=True, kw_only=True)
class _Now:
    """How a tick stands besides its first sighting."""

    next: str
    target: Target | None = None
    remark: str = ""
    tone: str | None = None
    connection_id: UUID | None = None


def _tick(key: Key, facts: Facts) -> Tick:
    now, first = _now(key, facts), facts.sighted.get(key)
    if first is None:
        return Tick(key=key, is_done=False, **vars(now))
    person = facts.people.get(first.connection_id) if first.connection_id else None
    seen = Tick(
        key=key,
        is_done=now.tone != "trouble",
        at=first.at,
        proof=_proof(key, first, person),
        pmi=person.pmi if person and key is Key.USER else None,
    )
    return seen if seen.is_done else Tick(**(vars(seen) | vars(now)))


def _proof(key: Key, first: Milestone, person: Connection | None) -> str:
    # The name is the connection's own, so that it goes when the user does.
    if key not in _WHOSE:
        return first.proof
    whose = "a user who has left since" if person is None else called(person)
    return f"{first.proof} {_WHOSE[key]} {whose}."


def _now(key: Key, facts: Facts) -> _Now:  # noqa: PLR0911 - one for each key
    match key:
        case Key.PAIR:
            return _pair(facts.zoom_app)
        case Key.RECALL_APP:
            return _recall_app(facts)
        case Key.CHALLENGE:
            return _challenge(facts)
        case Key.RECALL_VALIDATED | Key.ZOOM_VALIDATED:
            return _recall_validated(key, facts)
        case Key.USER:
            return _Now(
                next="Add the scopes and the redirect URL in Zoom, then open the "
                "connect page and connect your own account.",
                target=Target.CONNECT,
            )
        case Key.EVENT:
            more = "add meeting.created and user.updated in Zoom and save."
            return _Now(
                next=f"{_meet(facts)} If nothing arrives, {more}",
                target=Target.WEBHOOKS,
            )
        case Key.DELIVERY:
            return _delivery(facts)
        case Key.MAPPING:
            return _mapping(facts)
        case Key.SCOPES:
            return _scopes(facts)


def _pair(app: ZoomApp) -> _Now:
    if app.verdict is Verdict.WRONG:
        return _Now(
            remark=app.verdict_reason or "Zoom refuses this pair.",
            tone="trouble",
            next="Edit the credentials: enter the client secret again.",
            target=Target.EDIT,
        )
    return _Now(
        remark=app.verdict_reason or "Saved, but not checked at Zoom yet.",
        tone="waiting",
        next="Press Check again.",
        target=Target.CHECK,
    )


def _recall_app(facts: Facts) -> _Now:
    if facts.is_gone:
        return _Now(
            remark="Recall has no such app any more.",
            tone="trouble",
            next="Take another app of Recall's, or create it there again.",
            target=Target.RECALL_APP,
        )
    create = "Choose a workspace and press Create in Recall."
    if Key.RECALL_APP in facts.sighted and facts.zoom_app.recall_app_id is None:
        return _Now(
            remark="The app is not in Recall any more.",
            tone="trouble",
            next=create,
            target=Target.RECALL_APP,
        )
    if facts.zoom_app.create_key is not None:
        return _Now(
            remark="Recall was asked to create it; its answer did not arrive.",
            tone="waiting",
            next="Press Create in Recall again. It never makes a second one.",
            target=Target.RECALL_APP,
        )
    return _Now(next=create, target=Target.RECALL_APP)


def _challenge(facts: Facts) -> _Now:
    if facts.ours.state is State.SECRET_MISMATCH:
        return _Now(
            remark=facts.ours.sentence,
            tone="trouble",
            next="Edit the credentials: copy Secret Token from Zoom, Features, Access.",
            target=Target.EDIT,
        )
    remark, tone = _trouble(facts.ours)
    return _Now(
        remark=remark,
        tone=tone,
        next="Paste the webhook URL in Zoom and press Validate there.",
        target=Target.WEBHOOKS,
    )


def _recall_validated(key: Key, facts: Facts) -> _Now:
    remark, tone = _trouble(facts.recalls)
    if facts.recalls.state is State.SECRET_MISMATCH:
        what = ("Press Update in Recall.", Target.UPDATE_IN_RECALL)
    elif tone is not None:
        what = ("Press Probe now once Recall is back.", Target.PROBE)
    elif facts.zoom_app.recall_app_id is None:
        what = ("Create the app in Recall first.", Target.RECALL_APP)
    elif key is Key.RECALL_VALIDATED:
        what = ("Press Probe now.", Target.PROBE)
    else:
        what = (
            "Paste Recall's webhook URL in Zoom and press Validate there.",
            Target.WEBHOOKS,
        )
    return _Now(remark=remark, tone=tone, next=what[0], target=what[1])


def _trouble(status: ValidationStatus) -> tuple[str, str | None]:
    # The clocks tell what is merely late; a tick stays until something speaks against.
    is_bad = status.state.tone == "trouble"
    return (status.sentence, "trouble") if is_bad else ("", None)


def _delivery(facts: Facts) -> _Now:
    if Key.EVENT not in facts.sighted:
        return _Now(next=_meet(facts), target=Target.WEBHOOKS)
    return _Now(
        remark="Events arrived; Recall has taken none yet.",
        tone="waiting",
        next="See in the webhook log what Recall answers.",
        target=Target.LOG,
    )


def _mapping(facts: Facts) -> _Now:
    sync = "press Sync meetings on the connection's page."
    if facts.user is None:
        return _Now(next=_meet(facts))
    if Key.EVENT in facts.sighted:
        what = f"Wait a few seconds; if nothing comes, {sync}"
        remark = "An event arrived; Recall maps a meeting seconds after its event."
        return _Now(
            remark=remark,
            tone="waiting",
            next=what,
            target=Target.CONNECTION,
            connection_id=facts.user.id,
        )
    if facts.zoom_app.routing is Routing.RELAY:
        return _Now(next=_meet(facts))
    # Nothing tells us that a meeting was made: have Recall read them again.
    return _Now(
        next=f"{_meet(facts)} Then {sync}",
        target=Target.CONNECTION,
        connection_id=facts.user.id,
    )


def _meet(facts: Facts) -> str:
    if facts.user is None:
        return "Connect a user, then schedule a meeting in Zoom as that user."
    if facts.zoom_app.kind is Kind.ACCOUNT_LEVEL:
        return "Schedule a meeting in Zoom as a user of the connected account."
    return f"Schedule a meeting in Zoom as {called(facts.user)}."


def _scopes(facts: Facts) -> _Now:
    found = scope_rules.judge(
        facts.granting,
        user=facts.user,
        app=facts.zoom_app,
        first=facts.sighted.get(Key.SCOPES),
        meet=_meet(facts),
    )
    return _Now(
        remark=found.remark,
        tone=found.tone,
        next=found.next,
        target=Target.CONNECTION if found.connection_id else Target.CONNECT,
        connection_id=found.connection_id,
    )
