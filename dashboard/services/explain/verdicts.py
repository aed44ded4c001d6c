"""What Explain judges by (facts), what it says (verdicts), and the shape of a rule.

Nothing here asks a database.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeVar
from uuid import UUID

from dashboard.clock import SKEW
from dashboard.formatting import duration_words, grouped
from dashboard.models.connection import (
    AccountMember,
    ConnectAttempt,
    Connection,
    ConnectionEvent,
    FormerEmail,
    MeetingMapping,
)
from dashboard.models.erasure import ErasureReason
from dashboard.models.held_grant import HeldGrant
from dashboard.models.invitation import Invitation
from dashboard.models.webhook import Webhook
from dashboard.models.workspace import Workspace
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.bot_tests import outcomes
from dashboard.services.explain.questions import Asked
from dashboard.services.explain.questions import Kind as InputKind
from dashboard.services.facts import meetings, webhooks
from dashboard.services.facts.acting import Fact, Problem, Remedy, Who, remedy
from dashboard.services.facts.connections import (
    Cause,
    Read,
    Standing,
    cause_of,
    standing,
)
from dashboard.services.facts.zoom_apps import AppStanding
from dashboard.services.facts.zoom_log import SentByZoom
from dashboard.services.heartbeats.heartbeats import WorkerStatus


class Means(StrEnum):
    """By what a connection is the one that counts."""

    MAPPING = "mapping"  # Recall maps the meeting to it
    PMI = "pmi"
    FORMER_PMI = "former_pmi"
    EVENT = "event"  # Zoom's webhooks name it as host
    ACCOUNT = "account"  # none of its own: users of this account are connected
    APP = "app"  # none: a zoom app is what was pasted
    ASKED = "asked"  # it is what was pasted


MANY = 100
"""So many of what is counted for a sentence; as many or more are "100+"."""


@dataclass(frozen=True, kw_only=True)
class Gone:
    """A user who removed the app, disconnected or was disconnected.

    Attributes:
        reason: Which of these.
        asked_by: Which staff disconnected them; "" otherwise.
        removed_at: When; of a removal in Zoom by Zoom's clock.
        deadline_at: By when their data must be gone; None when only the webhook tells.
        done_at: When all kept here was deleted; None while that is under way.
        trouble: Why it is not done; "" when nothing is wrong.
    """

    reason: ErasureReason
    asked_by: str = ""
    removed_at: datetime
    deadline_at: datetime | None = None
    done_at: datetime | None = None
    trouble: str = ""


@dataclass(frozen=True, kw_only=True)
class Heard:
    """What Recall itself said a moment ago of the meeting.

    Attributes:
        at: When it was asked.
        connection_id: To whom it maps the meeting; None for to no credential.
        synced_at: Since when; None where it maps it to none.
    """

    at: datetime
    connection_id: UUID | None = None
    synced_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class SeenBot:
    """A bot that went to the meeting, as Recall tells it.

    Attributes:
        id: Recall's.
        at: When its last step was.
        outcome: What came of it.
    """

    id: UUID
    at: datetime
    outcome: outcomes.Verdict


@dataclass(frozen=True, kw_only=True)
class Facts:
    """All that a verdict is judged by.

    Attributes:
        heard: What Recall itself said, if it was asked; it beats what was stored.
        bot: The newest bot of the meeting that is known: a test bot sent from here, or
            one that Recall listed when it was asked.
        connection: The one whose grant counts; None when nobody's is known.
        means: Why it is that one.
        app: Its zoom app, or the one that was asked about or heard of.
        stands: How it stands, of one in use that is in Recall.
        mapping: Recall's mapping of the meeting to `connection`, as last seen.
        hooks: Webhooks about the meeting, of the user, or the one asked about; newest
            first, a bounded number.
        sent: What Zoom sent of the same by its own log and was not taken, newest first.
        own_hooks: Of the host, where no webhook mentions the meeting.
        first_hook: The oldest webhook about the meeting.
        host_id: Zoom's id of who made the meeting, as its webhooks say.
        claims: Connections of different users that have this PMI now; two or more of
            them are a collision.
        member: Of an account's connection: the user who was asked about.
        others: Further connections of who was asked about, in other zoom apps.
        pasted: The connection of the e-mail that came with a meeting number.
        former: That the email which was asked about is theirs no more.
        invitation: The newest one of that user.
        attempt: How the newest connect attempt ended that belongs to them.
        came_back: How many attempts of others came back from Zoom within a day of it,
            up to `MANY`.
        gone: They left: why, and how far deleting their data is.
        grant: Kept here, with custody `dashboard`.
        timeline: Of `connection`, newest first.
        worker: Whether the background worker runs.
        tried_at: When `stuck` was tried last, if the worker doesn't run.
        read: Says how other connections stand.
    """

    asked: Asked
    now: datetime
    heard: Heard | None = None
    bot: SeenBot | None = None
    connection: Connection | None = None
    means: Means = Means.ASKED
    app: ZoomApp | None = None
    workspace: Workspace | None = None
    stands: AppStanding | None = None
    mapping: MeetingMapping | None = None
    hooks: Sequence[Webhook] = ()
    sent: Sequence[SentByZoom] = ()
    own_hooks: Sequence[Webhook] = ()
    first_hook: Webhook | None = None
    host_id: str | None = None
    claims: Sequence[Connection] = ()
    member: AccountMember | None = None
    others: Sequence[Connection] = ()
    pasted: Connection | None = None
    former: FormerEmail | None = None
    invitation: Invitation | None = None
    attempt: ConnectAttempt | None = None
    came_back: int = 0
    gone: Gone | None = None
    grant: HeldGrant | None = None
    timeline: Sequence[ConnectionEvent] = ()
    worker: WorkerStatus | None = None
    tried_at: datetime | None = None
    read: Read | None = None

    @property
    def is_meeting(self) -> bool:
        """Whether a meeting is asked about, be it by a webhook of it."""
        return self.asked.number is not None

    @property
    def is_person(self) -> bool:
        """Whether a user is asked about and nothing else."""
        return self.asked.kind in (InputKind.EMAIL, InputKind.WORD)

    @property
    def is_known(self) -> bool:
        """Whether anything at all is known of what was asked."""
        return any(
            (
                self.connection,
                self.hooks,
                self.sent,
                self.invitation,
                self.attempt,
                self.gone,
                self.pasted,
                self.others,
                self.app,
                self.refused_bot,
            )
        )

    @property
    def refused_bot(self) -> SeenBot | None:
        """The bot of the meeting, if something keeps or kept it from recording."""
        is_refused = self.bot is not None and self.bot.outcome.is_refusal
        return self.bot if is_refused else None

    @property
    def standing(self) -> Standing | None:
        """How the connection stands, as every page says it; None without one."""
        if self.connection is None:
            return None
        app = self.app
        return standing(
            self.connection,
            self._apps_cause,
            is_retired=app is not None and app.retired_at is not None,
            worker=self.worker,
            now=self.now,
        )

    @property
    def cause(self) -> Cause | None:
        """What an admin must fix: of the connection, or of the app heard of."""
        if self.standing is not None:
            return self.standing.cause
        return self._apps_cause

    @property
    def _apps_cause(self) -> Cause | None:
        if self.app is None:
            return None
        way = None if self.stands is None else self.stands.to_recall.problem
        is_gone = way is Problem.GONE_FROM_RECALL
        return cause_of(self.app, self.workspace, is_gone=is_gone)

    @property
    def paused(self) -> Fact | None:
        """That delivery to Recall is paused; None while it isn't."""
        return None if self.stands is None else self.stands.delivery

    @property
    def met_at(self) -> datetime | None:
        """When something was last heard of the meeting: "at that time"."""
        if not self.is_meeting or not self.hooks:
            return None
        return self.hooks[0].received_at

    @property
    def is_listed(self) -> bool:
        """Whether Recall is known to have the mapping now, and not only once."""
        row, mapping = self.connection, self.mapping
        if row is None or mapping is None:
            return False
        return meetings.is_listed(mapping, row, now=self.now)

    @property
    def granted_at(self) -> datetime | None:
        """Since when the grant of the connection is the one it is."""
        if self.connection is None:
            return None
        return self.connection.granted_at

    def delivery_of(self, hook: Webhook) -> Fact:
        """Return how the delivery of one of the webhooks stands."""
        is_in_recall = self.app is None or self.app.recall_app_id is not None
        return webhooks.standing(hook, is_in_recall=is_in_recall, paused=self.paused)

    def shown(self, row: Connection) -> str:
        """Return what another connection is shown as: "healthy"."""
        read = self.read or (lambda each: standing(each, now=self.now))
        return read(row).word[:1].lower() + read(row).word[1:]

    @property
    def stuck(self) -> Webhook | None:
        """The newest webhook that Recall did not get: failed, or waiting."""
        return next(
            (hook for hook in self.hooks if self.delivery_of(hook).problem in UNSENT),
            None,
        )


UNSENT = frozenset(
    {
        Problem.WEBHOOK_FAILED,
        Problem.WEBHOOK_REJECTED,
        Problem.WEBHOOK_QUEUED,
        Problem.WEBHOOK_WAITS_FOR_APP,
        Problem.PAUSED,
        Problem.RECALL_DOWN,
    }
)
"""What keeps a webhook from Recall."""

T = TypeVar("T")


class Target(StrEnum):
    """Where the next step is done; the page knows its address and its words."""

    NONE = ""
    CONNECTION = "connection"
    CONNECT_LINK = "connect_link"
    ZOOM_APP = "zoom_app"
    WORKSPACES = "workspaces"
    WEBHOOK = "webhook"


class Tone(StrEnum):
    """The status tones of every page."""

    GOOD = "good"
    WAITING = "waiting"
    TROUBLE = "trouble"
    OFF = "off"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One sentence on what is the matter, and who does what about it.

    Attributes:
        id: Of its row in docs/explain.md.
        text: What is the matter; `parts` finds the instants in it.
        also: What else someone must act on, that is not the cause.
        causes: What may be behind it, the likeliest first, each with the check that
            shows it.
        written: The next step, as `text`.
        now: When it was judged.
    """

    id: str
    text: str
    also: str = ""
    causes: Sequence[str] = ()
    who: Who
    written: str
    target: Target
    tone: Tone
    now: datetime

    @property
    def sentence(self) -> str:
        """What is the matter."""
        return plain(self.text, self.now)

    @property
    def also_plain(self) -> str:
        """What else someone must act on."""
        return plain(self.also, self.now)

    @property
    def reasons(self) -> Sequence[str]:
        """What may be behind it."""
        return [plain(each, self.now) for each in self.causes]

    @property
    def step(self) -> str:
        """What to do next; one or two sentences."""
        return plain(self.written, self.now)

    @property
    def label(self) -> str:
        """What stands before the next step; "" when nobody has to act."""
        match self.who:
            case Who.YOU:
                return "Next step:"
            case Who.NOBODY:
                return ""
            case _:
                return f"Action needed by {self.who.words}:"


def _own_problem(facts: "Facts") -> Problem:
    return known(facts.standing).problem


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One row of the table: it decides if no row before it did.

    Who must act, and how, is not decided here: a rule names a problem, or says what the
    connection's page says, or what the table of bots' outcomes does.

    Attributes:
        outcome: Of a bot; its who and next step, in place of a problem's.
        next_at: When what goes on by itself is tried next.
        causes: As a verdict's.
        by_worker: What it says goes on by the background worker alone. Without one an
            operator must act, before or beside whoever else must.
    """

    id: str
    when: Callable[[Facts], object]
    says: Callable[[Facts], str]
    problem: Problem | Callable[[Facts], Problem] = _own_problem
    outcome: Callable[[Facts], outcomes.Verdict] | None = None
    next_at: Callable[[Facts], datetime | None] = lambda _: None
    causes: Callable[[Facts], Sequence[str]] = lambda _: ()
    target: Target = Target.NONE
    tone: Tone | Callable[[Facts], Tone] = Tone.TROUBLE
    by_worker: bool = False

    def verdict(self, facts: Facts) -> Verdict:
        """Return what it says of these facts; `when` holds."""
        found = self._acts(facts)
        at = self.next_at(facts)
        upcoming = f" The next try is {coming(at)}." if at else ""
        return self._without_worker(
            facts,
            Verdict(
                id=self.id,
                text=self.says(facts),
                also=self._also(facts, found.who),
                causes=self.causes(facts),
                who=found.who,
                written=f"{found.next_step}{upcoming}",
                target=self.target,
                tone=self.tone if isinstance(self.tone, Tone) else self.tone(facts),
                now=facts.now,
            ),
        )

    def _acts(self, facts: Facts) -> Remedy | outcomes.Verdict:
        if self.outcome is not None:
            return self.outcome(facts)
        problem = self.problem
        return remedy(problem if isinstance(problem, Problem) else problem(facts))

    def _also(self, facts: Facts, who_acts: Who) -> str:
        """Say what else is wrong with the host's connection, if this is not it."""
        stands = facts.standing
        is_own = self.outcome is None and self.problem is _own_problem
        if stands is None or is_own or stands.who == who_acts:
            return ""
        if stands.who in (Who.NOBODY, Who.YOU, Who.OPERATOR):
            return ""
        actor = stands.who.words
        return (
            f"Also: {stands.reason} {actor[:1].upper()}{actor[1:]} must act. "
            f"{stands.next_step}"
        )

    def _without_worker(self, facts: Facts, found: Verdict) -> Verdict:
        """Return what is so where no background worker runs."""
        worker = facts.worker
        if worker is None or worker.is_alive:
            return found
        if not self.by_worker and found.who is not Who.OPERATOR:
            return found
        why = worker.sentence
        if facts.stuck is not None:
            why = worker.about_waiting(facts.tried_at).removesuffix(worker.step)
        is_all = found.who in (Who.NOBODY, Who.OPERATOR)
        later = "" if is_all else f" Then: {found.written}"
        return replace(
            found,
            text=f"{found.text} {why}".strip(),
            who=remedy(Problem.NO_WORKER).who,
            written=f"{worker.order}{later}",
            tone=Tone.TROUBLE,
        )


def known(value: T | None) -> T:
    """Return what a rule's condition made sure of."""
    if value is None:
        raise LookupError("a rule says what its condition does not hold")
    return value


def moment(at: datetime | None, facts: Facts) -> str:
    """Name an instant within a sentence; `Verdict` writes it: "90 minutes ago".

    What has happened can't lie ahead: a clock that was wrong dated it.
    """
    at = _past(at, facts)
    return "at an unknown time" if at is None else coming(at)


def coming(at: datetime) -> str:
    """Name an instant that is still to come, likewise: "in 5 minutes"."""
    return f"{_BEGIN}{at.isoformat()}{_END}"


def _past(at: datetime | None, facts: Facts) -> datetime | None:
    return None if at is None or at > facts.now + SKEW else at


def lasting(since: datetime | None, facts: Facts) -> str:
    """Name how long something lasts: "4 hours (since 08:00 UTC)"."""
    since = _past(since, facts)
    if since is None:
        return "a while"
    return f"{age(since, facts)} (since {_clock(since, facts.now)})"


def age(at: datetime, facts: Facts) -> str:
    """Name how long ago something was, before "ago": "4 hours"."""
    if _past(at, facts) is None:
        return "a while"
    return duration_words(max((facts.now - at).total_seconds(), 0.0))


_BEGIN, _END = "\x02", "\x03"
# Bounded, and of digits alone: a user's name may hold any character.
_INSTANT = re.compile(rf"{_BEGIN}([0-9T:.+-]{{19,40}}){_END}")


def parts(text: str) -> Sequence[str | datetime]:
    """Part a sentence into its words and the instants that it names."""
    return [
        _instant(part) if number % 2 else part
        for number, part in enumerate(_INSTANT.split(text))
        if part
    ]


def _instant(text: str) -> str | datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:  # not written by `moment`
        return text


def plain(text: str, now: datetime) -> str:
    """Write the instants of a sentence: "90 minutes ago (10:30 UTC)"."""
    return "".join(
        part if isinstance(part, str) else f"{_ago(part, now)} ({_clock(part, now)})"
        for part in parts(text)
    )


def _ago(at: datetime, now: datetime) -> str:
    seconds = (now - at).total_seconds()
    words = duration_words(abs(seconds))
    return f"{words} ago" if seconds >= 0 else f"in {words}"


def _clock(at: datetime, now: datetime) -> str:
    at, now = at.astimezone(UTC), now.astimezone(UTC)
    day = "" if at.date() == now.date() else f"{at:%Y-%m-%d} "
    return f"{day}{at:%H:%M} UTC"


def checked(facts: Facts) -> str:
    """Name when the connection was last looked at, within a sentence."""
    return moment(known(facts.connection).token_checked_at, facts)


def listed_at(facts: Facts) -> datetime | None:
    """Return as of when Recall is known to have no more mappings than are stored.

    The connection's own list was read then, or since then the workspace's newest
    mappings. None: its list was never read to its end, or nobody knows when.
    """
    if facts.heard is not None:
        return facts.heard.at
    row, workspace = facts.connection, facts.workspace
    seen_at = None if row is None else _past(row.mappings_seen_at, facts)
    is_part = row is not None and row.mappings_trouble == meetings.ONLY_NEWEST
    if seen_at is None or is_part:
        return None
    read_at = None if workspace is None else _past(workspace.mappings_read_at, facts)
    return max(seen_at, read_at or seen_at)


def listed(facts: Facts) -> str:
    """Name within a sentence when Recall's list was read that says so."""
    mapping = facts.mapping
    return moment(listed_at(facts) if mapping is None else mapping.seen_at, facts)


def person(row: Connection) -> str:
    """Name whose connection it is: "Ana Nowak", or the account of an account's."""
    if row.display_name or row.email:
        return row.display_name or row.email
    if row.zoom_user_id is None:
        return f"Zoom account {row.zoom_account_id or 'not seen yet'}"
    return f"Zoom user {row.zoom_user_id}"


def who(facts: Facts) -> str:
    """Name who counts: a member of an account, or the connected user."""
    member = facts.member
    if member is not None:
        return member.display_name or member.email or f"Zoom user {member.zoom_user_id}"
    return "The user" if facts.connection is None else person(facts.connection)


def subject(facts: Facts) -> str:
    """Name the meeting within a sentence: "meeting 912 3456 7890"."""
    return f"meeting {grouped(facts.asked.number)}"


def app_name(facts: Facts) -> str:
    """Name the zoom app: "Notetaker (production)"."""
    app = facts.app
    return "its zoom app" if app is None else f"{app.name} ({app.environment})"


ZOOM, RECALL, HERE = "Zoom", "Recall", "Dashboard"


@dataclass(frozen=True, kw_only=True)
class Line:
    """One piece of evidence.

    Attributes:
        at: When it happened or was seen; None when no time is known.
        source: Who told: "Zoom", "Recall" or "Dashboard".
        words: One or two sentences; hold no secret.
        target: What it can be read in, with its id; none for most of Recall's.
    """

    at: datetime | None
    source: str
    words: str
    target: Target = Target.NONE
    target_id: str = ""


def at_connection(
    row: Connection, at: datetime | None, source: str, words: str
) -> Line:
    """Return a line that can be read on the page of a connection."""
    return Line(
        at=at,
        source=source,
        words=words,
        target=Target.CONNECTION,
        target_id=str(row.id),
    )
