"""The set-up steps of a zoom app, and how each stands by the evidence. Pure.

They are in the order in which they are done. Three are done early and proved late: Zoom
sends events about connected users only, the redirect URL is first used by a connect
attempt, and a join token needs a mapped meeting. With routing direct no event comes by
here: Zoom's list of the subscription, or a meeting that Recall maps without a sync,
proves that they were added; an admin's word is shown and proves nothing. Recall keeps
the tokens and does not say their scopes (docs/contracts/recall.md 3.5, checked
2026-11-23), so a scope is proved by a call that needs it, or named by Zoom's refusal.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from dashboard.models.connection import Connection
from dashboard.models.watch import Milestone
from dashboard.models.zoom_app import Kind, Routing, TokenCustody, ZoomApp
from dashboard.services.facts.acting import Act, Fact, Problem
from dashboard.services.facts.connections import Cause, Read, Standing, standing
from dashboard.services.facts.zoom_apps import from_zoom, pair, to_recall
from dashboard.services.validation.states import ValidationStatus
from dashboard.services.zoom_apps import scopes


class StepKey(StrEnum):
    """The steps, in their order; `ZOOM_VALIDATED` only exists with routing direct."""

    SCOPES = "scopes"
    PAIR = "pair"
    RECALL_APP = "recall_app"
    RECALL_VALIDATED = "recall_validated"
    CHALLENGE = "challenge"
    ZOOM_VALIDATED = "zoom_validated_recall"
    EVENT = "event"
    REDIRECT = "redirect"
    USER = "user"
    DELIVERY = "delivery"
    MAPPING = "mapping"


class Target(StrEnum):
    """Where the next thing is done; the page knows its address and its words."""

    CHECK = "check"
    EDIT = "edit"
    RECALL_APP = "recall_app"
    WEBHOOKS = "webhooks"
    PROBE = "probe"
    UPDATE_IN_RECALL = "update_in_recall"
    CONNECT = "connect"
    CONNECTION = "connection"
    LOG = "log"


_SEEN_HERE = (
    StepKey.CHALLENGE,
    StepKey.RECALL_VALIDATED,
    StepKey.DELIVERY,
)
_LISTED = {
    Routing.RELAY: tuple(key for key in StepKey if key is not StepKey.ZOOM_VALIDATED),
    # What never comes by here cannot be seen here.
    Routing.DIRECT: tuple(key for key in StepKey if key not in _SEEN_HERE),
}
_PROVED_BY_A_USER = (StepKey.EVENT, StepKey.REDIRECT)
_PROVED_IN_ORDER = (
    *(StepKey.PAIR, StepKey.RECALL_APP, StepKey.RECALL_VALIDATED, StepKey.CHALLENGE),
    *(StepKey.ZOOM_VALIDATED, StepKey.USER, StepKey.REDIRECT, StepKey.EVENT),
    *(StepKey.DELIVERY, StepKey.MAPPING, StepKey.SCOPES),
)
_TITLES = {
    StepKey.SCOPES: "Scopes added in Zoom",
    StepKey.PAIR: "Credentials verified with Zoom",
    StepKey.RECALL_APP: "App created in Recall",
    StepKey.CHALLENGE: "Zoom validated the webhook URL",
    StepKey.RECALL_VALIDATED: "Recall accepts the secret token",
    StepKey.ZOOM_VALIDATED: "Zoom validated Recall's webhook URL",
    StepKey.EVENT: "Events added in Zoom",
    StepKey.REDIRECT: "Redirect URL added in Zoom",
    StepKey.USER: "First user connected",
    StepKey.DELIVERY: "First event delivered to Recall",
    StepKey.MAPPING: "First meeting mapped",
}


@dataclass(frozen=True, kw_only=True)
class SetupStep:
    """One step and its evidence.

    Attributes:
        is_done: It was seen, and nothing since contradicts it.
        at: When it was first seen; stays known when it fails later.
        proof: What was seen then; "" while nothing was.
        remark: What is wrong now, or not known any more; "" when all is well.
        tone: "trouble" or "waiting" with a remark.
        next: The one thing to do; "" when it is done.
        target: Where to do it, where there is a place.
        pmi: Personal meeting id that belongs to the proof.
        connection_id: What the target is about, when it is a connection.
        said_at: When an admin said that it is done; no proof.
        names: Of connected users, as the sentences may have them.
    """

    key: StepKey
    is_done: bool
    at: datetime | None = None
    proof: str = ""
    remark: str = ""
    tone: str | None = None
    next: str = ""
    target: Target | None = None
    pmi: int | None = None
    connection_id: UUID | None = None
    said_at: datetime | None = None
    names: frozenset[str] = frozenset()

    @property
    def nameless(self) -> "SetupStep":
        """The same for people who may not see users: no names, no personal meeting."""

        def without(text: str) -> str:
            for name in sorted(self.names, key=len, reverse=True):
                text = text.replace(name, "a user")
            return text[:1].upper() + text[1:]

        return replace(
            self,
            proof=without(self.proof),
            remark=without(self.remark),
            next=without(self.next),
            pmi=None,
            connection_id=None,
            names=frozenset(),
        )

    @property
    def is_proven(self) -> bool:
        """Whether it is done, and that was seen lately enough to be green."""
        return self.is_done and self.tone is None

    @property
    def title(self) -> str:
        """The name of the step."""
        return _TITLES[self.key]


@dataclass(frozen=True, kw_only=True)
class Checklist:
    """All set-up steps of one zoom app."""

    steps: Sequence[SetupStep]

    @property
    def done(self) -> int:
        """How many are done."""
        return sum(step.is_done for step in self.steps)

    @property
    def is_complete(self) -> bool:
        """Whether there is nothing left to do."""
        return self.done == len(self.steps)

    @property
    def words(self) -> str:
        """How far it is: "7 of 9 complete"."""
        return f"{self.done} of {len(self.steps)} complete"

    @property
    def next(self) -> SetupStep | None:
        """The one to turn to: one in trouble, else the one that is proved next."""
        undone = [step for step in self.steps if not step.is_done]
        undone.sort(key=lambda step: _PROVED_IN_ORDER.index(step.key))
        trouble = [step for step in undone if step.tone == "trouble"]
        return next(iter([*trouble, *undone]), None)

    @property
    def current(self) -> Sequence[SetupStep]:
        """What to do now, in order: the next, after what is done in Zoom unproved."""
        upcoming = self.next
        if upcoming is None:
            return []
        if upcoming.key is not StepKey.USER:
            return [upcoming]
        return [
            step
            for step in self.steps
            if step.key is StepKey.USER
            or (step.key in _PROVED_BY_A_USER and not step.is_done)
        ]

    @property
    def last_done(self) -> SetupStep | None:
        """The one done before the current ones; its instructions may be unread."""
        current = self.current
        before = self.steps[: self.steps.index(current[0])] if current else []
        done = [step for step in before if step.is_done]
        return done[-1] if done else None


def listed(routing: Routing, custody: TokenCustody) -> Sequence[StepKey]:
    """Return the steps that such an app can reach, in their order.

    With tokens on the customer's own server users connect in the customer's product:
    its redirect URL is never seen here.
    """
    keys = _LISTED[routing]
    if custody is TokenCustody.OWN_SERVER:
        return tuple(key for key in keys if key is not StepKey.REDIRECT)
    return keys


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
class ScopeVerdict:
    """What is seen, and the one thing to do next.

    Attributes:
        connection_id: Where to do it; None while nobody is connected.
    """

    next: str
    remark: str = ""
    tone: str | None = None
    connection_id: UUID | None = None


def judge(  # noqa: PLR0913 - what it is judged by, all named
    facts: ScopeFacts,
    *,
    user: Connection | None,
    app: ZoomApp,
    first: Milestone | None,
    meet: str,
    read: Read,
) -> ScopeVerdict:
    """Return how the scopes stand.

    Args:
        facts: Of the app's connections.
        user: A connected user to go on with.
        app: Its kind and style tell which scopes are required.
        first: The first sighting of all scopes, if there was one.
        meet: The sentence that asks for a meeting.
        read: Says how a connection stands.
    """
    lacking = _lacking(facts, app, first, read)
    if lacking is not None:
        return lacking
    person = facts.working or user
    if person is None:
        return ScopeVerdict(
            next="Connect a user first. Scopes are verified with live API calls."
        )
    if facts.working is None:
        return ScopeVerdict(
            remark=f"{name_of(person)}: {read(person).reason}",
            tone="waiting",
            next=_look_or_reconnect(person, read(person)),
            connection_id=person.id,
        )
    return ScopeVerdict(
        remark=f"Profile and meetings read for {name_of(person)}; join token not "
        "fetched yet.",
        tone="waiting",
        next=f"{meet} Then press Check now on the connection's page to fetch a join "
        "token for the meeting.",
        connection_id=person.id,
    )


def name_of(connection: Connection) -> str:
    """Return what to call a connected user: the best name that is known."""
    known = (connection.display_name, connection.email, connection.zoom_user_id)
    return next(filter(None, known), "a Zoom account")


def _lacking(
    facts: ScopeFacts, app: ZoomApp, first: Milestone | None, read: Read
) -> ScopeVerdict | None:
    if facts.granted is not None:
        names = set((facts.granted.scopes or "").split())
        missing = scopes.missing(names, app)
        if missing:
            said = f"{name_of(facts.granted)} didn't grant {', '.join(missing)}."
            return _trouble(facts.granted, said)
    found = facts.lacking
    if found is None:
        return None
    # Once all were seen, one user who unticks what others grant is shown there only.
    if first is not None and facts.working and first.connection_id != found.id:
        return None
    return _trouble(found, f"{name_of(found)}: {read(found).reason}")


def _trouble(row: Connection, said: str) -> ScopeVerdict:
    return ScopeVerdict(
        remark=said,
        tone="trouble",
        next=f"Add the missing scopes in Zoom, then ask {name_of(row)} to reconnect.",
        connection_id=row.id,
    )


def _look_or_reconnect(row: Connection, stands: Standing) -> str:
    if stands.act is Act.RECONNECT:
        return f"Ask {name_of(row)} to reconnect."
    return (
        f"Press Check now on {name_of(row)}'s page, or wait for the next automatic "
        "check."
    )


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the steps are judged by.

    Attributes:
        now: When they are judged; aware.
        restored_at: When the database was last replaced by an older copy; None: never.
        zoom_status: Status of the way from Zoom to us.
        recall_status: Status of the way from us to Recall.
        milestones: First time that each thing was seen; what never was is not there.
        people: The connections that sightings are about, while they are here.
        user: A connected user to go on with; None while nobody is connected.
        granting: What is known of the scopes.
        has_event: Whether an event of Zoom's ever arrived.
        events_said_at: When an admin said that the events are added in Zoom.
        cause: Why none of its users gets a token; None for nothing that is known.
    """

    zoom_app: ZoomApp
    now: datetime
    zoom_status: ValidationStatus
    recall_status: ValidationStatus
    milestones: Mapping[StepKey, Milestone] = field(default_factory=dict)
    people: Mapping[UUID, Connection] = field(default_factory=dict)
    restored_at: datetime | None = None
    user: Connection | None = None
    granting: ScopeFacts = field(default_factory=ScopeFacts)
    has_event: bool = False
    events_said_at: datetime | None = None
    cause: Cause | None = None

    def read(self, row: Connection) -> Standing:
        """Return how a connection stands."""
        return standing(row, self.cause, now=self.now)

    @property
    def pair(self) -> Fact:
        """How the credentials stand."""
        return pair(self.zoom_app, restored_at=self.restored_at, now=self.now)

    @property
    def from_zoom(self) -> Fact:
        """How the way from Zoom stands."""
        return from_zoom(self.zoom_status)

    @property
    def to_recall(self) -> Fact:
        """How the way to Recall stands."""
        return to_recall(self.recall_status, self.zoom_app.routing)


def list_steps(facts: Facts) -> Sequence[SetupStep]:
    """Return the steps in their order. Pure."""
    app = facts.zoom_app
    scopes_of = facts.granting
    known = [facts.user, scopes_of.granted, scopes_of.working, scopes_of.lacking]
    people = [row for row in (*facts.people.values(), *known) if row is not None]
    names = frozenset(map(name_of, people))
    steps = [_step(key, facts) for key in listed(app.routing, app.token_custody)]
    return [replace(step, names=names) for step in steps]


@dataclass(frozen=True, kw_only=True)
class _Current:
    """How a step stands now, besides when it was first seen.

    Attributes:
        outdated: Why what was seen first may not be so any more; "" if it is so.
    """

    next: str
    target: Target | None = None
    remark: str = ""
    tone: str | None = None
    connection_id: UUID | None = None
    outdated: str = ""
    said_at: datetime | None = None


def _step(key: StepKey, facts: Facts) -> SetupStep:
    now, first = _current(key, facts), facts.milestones.get(key)
    if first is None:
        return _not_done(SetupStep(key=key, is_done=False), now)
    person = facts.people.get(first.connection_id) if first.connection_id else None
    seen = SetupStep(
        key=key,
        is_done=True,
        at=first.at,
        proof=_proof(key, first, person),
        pmi=person.pmi if person and key is StepKey.USER else None,
    )
    if now.tone == "trouble":
        return _not_done(seen, now)
    return replace(seen, remark=now.outdated, tone="waiting") if now.outdated else seen


def _not_done(step: SetupStep, now: _Current) -> SetupStep:
    return replace(
        step,
        is_done=False,
        remark=now.remark,
        tone=now.tone,
        next=now.next,
        target=now.target,
        connection_id=now.connection_id,
        said_at=now.said_at,
    )


def _proof(key: StepKey, first: Milestone, person: Connection | None) -> str:
    # The name is read from the connection, so that it goes when the user's data does.
    who = "a former user" if person is None else name_of(person)
    match key:
        case StepKey.USER:
            return f"{who[:1].upper()}{who[1:]} connected."
        case StepKey.MAPPING:
            return f"Recall mapped a meeting for {who}."
        case StepKey.SCOPES:
            return f"All required scopes work for {who} ({first.proof})."
        case _:
            return first.proof


def _current(key: StepKey, facts: Facts) -> _Current:  # noqa: C901, PLR0911 - one for each key
    match key:
        case StepKey.PAIR:
            return _pair(facts)
        case StepKey.RECALL_APP:
            return _recall_app(facts)
        case StepKey.CHALLENGE:
            return _challenge(facts)
        case StepKey.RECALL_VALIDATED | StepKey.ZOOM_VALIDATED:
            return _recall_validated(key, facts)
        case StepKey.USER:
            return _user(facts)
        case StepKey.EVENT:
            return _event(facts)
        case StepKey.REDIRECT:
            return _redirect(facts)
        case StepKey.DELIVERY:
            return _delivery(facts)
        case StepKey.MAPPING:
            return _mapping(facts)
        case StepKey.SCOPES:
            return _scopes(facts)


def _user(facts: Facts) -> _Current:
    app = facts.zoom_app
    if app.token_custody is TokenCustody.OWN_SERVER:
        return _Current(
            next="Enter your callback URL and add your own account.",
            target=Target.CONNECT,
        )
    undone = [
        name
        for key, name in _ADDED_BEFORE.items()
        if key in listed(app.routing, app.token_custody)
        and key not in facts.milestones
        and not (key is StepKey.EVENT and facts.events_said_at)
    ]
    first = f"Add {' and '.join(undone)} in Zoom. Then open" if undone else "Open"
    return _Current(
        next=f"{first} the connect page and connect your own account.",
        target=Target.CONNECT,
    )


_ADDED_BEFORE = {
    StepKey.EVENT: "the two events",
    StepKey.REDIRECT: "the redirect URL",
}


def _event(facts: Facts) -> _Current:
    if facts.zoom_app.routing is Routing.DIRECT:
        return _event_at_recall(facts)
    if facts.user is None:
        return _Current(
            next="Add meeting.created and user.updated in Zoom, then save. Zoom sends "
            "events of connected users only, so the first event proves it later.",
            target=Target.WEBHOOKS,
        )
    more = "add meeting.created and user.updated in Zoom, then save."
    return _Current(
        next=f"{_schedule_a_meeting(facts)} If nothing arrives, {more}",
        target=Target.WEBHOOKS,
    )


def _event_at_recall(facts: Facts) -> _Current:
    """Return how the events stand when Zoom posts them to Recall."""
    at, add = facts.events_said_at, ""
    if at is None:
        add = "Add meeting.created and user.updated in Zoom, then save. "
    if facts.user is None:
        how = (
            "The events go to Recall, not here: the first meeting that Recall maps "
            "because of one proves it later."
        )
    else:
        how = (
            f"{_schedule_a_meeting(facts)} Then press Check now on the connection's "
            "page. Don't sync the meetings first: that maps them without an event."
        )
    return _Current(
        remark=""
        if at is None
        else f"An admin said on {at:%Y-%m-%d %H:%M} UTC that "
        "both are added. Nothing has shown it yet.",
        tone=None if at is None else "waiting",
        next=f"{add}{how}",
        target=Target.WEBHOOKS if facts.user is None else Target.CONNECTION,
        connection_id=None if facts.user is None else facts.user.id,
        said_at=at,
    )


def _redirect(facts: Facts) -> _Current:
    if facts.user is None:
        return _Current(
            next="Paste the redirect URL in Zoom, then save. The first connect attempt "
            "proves it later.",
        )
    return _Current(
        next="Paste the redirect URL in Zoom, then save. Then connect a user on the "
        "connect page.",
        target=Target.CONNECT,
    )


def _pair(facts: Facts) -> _Current:
    fact = facts.pair
    is_wrong = fact.problem in (Problem.PAIR_REFUSED, Problem.APP_DISABLED)
    is_proven = fact.problem in (Problem.NONE, Problem.PAIR_DIFFERS)
    return _Current(
        remark=fact.proof or fact.sentence,
        tone="trouble" if is_wrong else "waiting",
        next=fact.next_step if is_wrong else "Press Verify again.",
        target=Target.EDIT if fact.act is Act.EDIT_APP else Target.CHECK,
        outdated="" if is_proven else f"{fact.sentence} {fact.reason}".strip(),
    )


def _recall_app(facts: Facts) -> _Current:
    way = facts.to_recall
    if way.problem is Problem.GONE_FROM_RECALL:
        return _Current(
            remark=way.sentence,
            tone=way.tone,
            next=way.next_step,
            target=Target.RECALL_APP,
        )
    create = "Choose a workspace and press Create in Recall."
    if StepKey.RECALL_APP in facts.milestones and facts.zoom_app.recall_app_id is None:
        return _Current(
            remark="The app is no longer in Recall.",
            tone="trouble",
            next=create,
            target=Target.RECALL_APP,
        )
    if facts.zoom_app.create_key is not None:
        return _Current(
            remark="Recall was asked to create it, but its response was lost.",
            tone="waiting",
            next="Press Create in Recall again. It never creates a duplicate.",
            target=Target.RECALL_APP,
        )
    return _Current(next=create, target=Target.RECALL_APP)


def _challenge(facts: Facts) -> _Current:
    way = facts.from_zoom
    if way.problem is Problem.ZOOM_SECRET:
        return _of_way(way, next=way.next_step, target=Target.EDIT)
    return _of_way(
        way,
        next="Paste the webhook URL in Zoom, then press Validate.",
        target=Target.WEBHOOKS,
    )


def _recall_validated(key: StepKey, facts: Facts) -> _Current:
    way = facts.to_recall
    if way.problem is Problem.RECALL_SECRET:
        what = (way.next_step, Target.UPDATE_IN_RECALL)
    elif way.tone == "trouble":
        what = ("Press Test now once Recall is back.", Target.PROBE)
    elif facts.zoom_app.recall_app_id is None:
        what = ("Create the app in Recall first.", Target.RECALL_APP)
    elif key is StepKey.RECALL_VALIDATED:
        what = ("Press Test now.", Target.PROBE)
    else:
        what = (
            "Paste Recall's webhook URL in Zoom, then press Validate.",
            Target.WEBHOOKS,
        )
    return _of_way(way, next=what[0], target=what[1])


def _of_way(way: Fact, *, next: str, target: Target) -> _Current:  # noqa: A002 - as a step calls it
    """Return how a step stands that one of the two ways decides.

    What is late stays done until something contradicts it.
    """
    is_bad = way.tone == "trouble"
    return _Current(
        remark=way.proof if is_bad else "",
        tone=way.tone if is_bad else None,
        next=next,
        target=target,
        outdated="" if is_bad or way.tone == "good" else way.proof,
    )


def _delivery(facts: Facts) -> _Current:
    if not facts.has_event:
        return _Current(next=_schedule_a_meeting(facts), target=Target.WEBHOOKS)
    return _Current(
        remark="Events received, but none delivered to Recall yet.",
        tone="waiting",
        next="Check Recall's responses in the webhook log.",
        target=Target.LOG,
    )


def _mapping(facts: Facts) -> _Current:
    sync = "press Sync meetings on the connection's page."
    if facts.user is None:
        return _Current(next=_schedule_a_meeting(facts))
    if facts.has_event:
        what = f"Wait a few seconds. If nothing happens, {sync}"
        remark = "Event received. Recall maps the meeting within seconds."
        return _Current(
            remark=remark,
            tone="waiting",
            next=what,
            target=Target.CONNECTION,
            connection_id=facts.user.id,
        )
    if facts.zoom_app.routing is Routing.RELAY:
        return _Current(next=_schedule_a_meeting(facts))
    # With routing direct no event arrives here: have Recall read the meetings again.
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
    found = judge(
        facts.granting,
        user=facts.user,
        app=facts.zoom_app,
        first=facts.milestones.get(StepKey.SCOPES),
        meet=_schedule_a_meeting(facts),
        read=facts.read,
    )
    return _Current(
        remark=found.remark,
        tone=found.tone,
        next=found.next,
        target=Target.CONNECTION if found.connection_id else Target.CONNECT,
        connection_id=found.connection_id,
    )
