"""Rules of Explain about a meeting that Recall maps to nobody, and about PMIs.

Recall maps a meeting by its own sync or by Zoom's webhook about it, and only the
maker's connection counts (docs/contracts/recall.md 2, 3.7 and 7.5; checked 2026-11-25).
"""

from datetime import datetime
from http import HTTPStatus

from dashboard.formatting import grouped
from dashboard.models.connection import SyncStatus
from dashboard.models.webhook import Outcome, Webhook
from dashboard.models.zoom_app import Routing
from dashboard.services.explain.questions import Kind
from dashboard.services.explain.verdicts import (
    Facts,
    Means,
    Rule,
    Target,
    Tone,
    app_name,
    known,
    listed,
    listed_at,
    moment,
    person,
    subject,
    who,
)
from dashboard.services.facts.connections import Who
from dashboard.services.validation.states import FAILURES_ALLOWED, State

RESEND = "Resend it. Until then Recall doesn't know about it."
_WEBHOOK_PROBLEMS = {State.NEVER_SEEN, State.SECRET_MISMATCH, State.FAILING}


def asked_for(facts: Facts, outcome: Outcome) -> bool:
    """Whether it is one webhook that is asked about, and this became of it."""
    if facts.asked.kind is not Kind.WEBHOOK or not facts.hooks:
        return False
    return facts.hooks[0].outcome is outcome


def is_paused(facts: Facts) -> bool:
    """Whether delivery is paused: the circuit is open."""
    return facts.hold is not None and facts.hold.is_holding


def paused(facts: Facts) -> str:
    """Say since when, and what Recall answered to the last delivery."""
    hold = known(facts.hold)
    return f"paused since {moment(hold.since, facts)}. {hold.reason}".strip()


def who_ends_pause(facts: Facts) -> Who:
    """Return who must act: nobody here, if Recall is down or asks us to wait."""
    status = known(facts.hold).status
    if status is None or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Who.NOBODY
    return Who.NOBODY if status == HTTPStatus.TOO_MANY_REQUESTS else Who.ADMIN


def end_of_pause(facts: Facts) -> str:
    """Say how it ends, and when that is tried."""
    at = known(facts.hold).probe_at
    tested = "" if at is None else f" The next test is at {moment(at, facts)}."
    if who_ends_pause(facts) is Who.NOBODY:
        return f"No action needed. Delivery resumes when a test succeeds.{tested}"
    return f"Fix what Recall says. Delivery resumes when a test succeeds.{tested}"


def has_webhook_problem(facts: Facts) -> bool:
    """Whether Zoom's events do not arrive, according to validation."""
    status = facts.validation
    if status is None:
        return False
    is_over = status.state is State.OVERDUE and status.missed >= FAILURES_ALLOWED
    return is_over or status.state in _WEBHOOK_PROBLEMS


def named(hook: Webhook, facts: Facts) -> str:
    """Name a webhook within a sentence: "meeting.created from 09:30 UTC"."""
    return f"{hook.event or 'a webhook'} from {moment(hook.received_at, facts)}"


def delivered_at(facts: Facts) -> datetime | None:
    """Return when Recall last accepted one of them."""
    times = [hook.delivered_at for hook in facts.hooks if hook.delivered_at is not None]
    return max(times, default=None)


ASKED_WEBHOOK = (
    Rule(
        id="webhook-dead",
        when=lambda f: asked_for(f, Outcome.DEAD),
        says=lambda f: (
            f"Recall never received {named(f.hooks[0], f)}. Delivery failed."
        ),
        who=Who.ADMIN,
        step=RESEND,
        target=Target.WEBHOOK,
    ),
    Rule(
        id="webhook-held",
        by_worker=True,
        when=lambda f: asked_for(f, Outcome.WAITING) and is_paused(f),
        says=lambda f: (
            f"Recall has not received {named(f.hooks[0], f)} yet. Delivery for "
            f"{app_name(f)} has been {paused(f)}"
        ),
        who=who_ends_pause,
        step=end_of_pause,
        target=Target.ZOOM_APP,
    ),
    Rule(
        id="webhook-refused",
        by_worker=True,
        when=lambda f: asked_for(f, Outcome.WAITING) and f.hooks[0].refused_at,
        says=lambda f: (
            f"Recall rejected {named(f.hooks[0], f)}, though it accepts others. It "
            f"will be tried once more at {moment(f.hooks[0].due_at, f)}."
        ),
        who=Who.ADMIN,
        step="See Recall's response. If it is rejected again, it has failed.",
        target=Target.WEBHOOK,
    ),
    Rule(
        id="webhook-waiting",
        by_worker=True,
        when=lambda f: asked_for(f, Outcome.WAITING),
        says=lambda f: (
            f"Recall has not received {named(f.hooks[0], f)} yet. It is queued."
        ),
        who=Who.NOBODY,
        step="No action needed. It will be sent automatically.",
        target=Target.WEBHOOK,
        tone=Tone.WAITING,
    ),
    Rule(
        id="webhook-kept",
        when=lambda f: asked_for(f, Outcome.KEPT),
        says=lambda f: (
            f"The dashboard did not forward {named(f.hooks[0], f)}: routing is "
            "direct, so Zoom posts to Recall itself."
        ),
        who=Who.NOBODY,
        step=(
            "No action needed. If Zoom posts only here, an admin sets the "
            "routing to relay."
        ),
        target=Target.ZOOM_APP,
        tone=Tone.OFF,
    ),
)


_RUNNING = {SyncStatus.NOT_STARTED, SyncStatus.IN_PROGRESS}
_SYNC = "Press Sync meetings: Recall reads the meetings again."


def _is_unmapped(facts: Facts) -> bool:
    is_mapped = facts.mapping is not None
    return facts.connection is not None and facts.is_meeting and not is_mapped


def _is_undelivered(facts: Facts, outcome: Outcome) -> bool:
    stuck = facts.stuck
    return _is_unmapped(facts) and stuck is not None and stuck.outcome is outcome


def _undelivered(facts: Facts) -> str:
    return named(known(facts.stuck), facts)


def _next_attempt(facts: Facts) -> str:
    due_at = known(facts.stuck).due_at
    at = f" at {moment(due_at, facts)}" if due_at > facts.now else ""
    return f"No action needed. It will be sent automatically{at}."


def _may_be_unheard(facts: Facts) -> bool:
    """Whether Zoom's webhook about the meeting may not have arrived here."""
    status = facts.validation
    is_unproven = status is not None and status.state is State.NOT_PROVEN
    return _is_unmapped(facts) and (is_unproven or has_webhook_problem(facts))


def _is_sync(facts: Facts, *states: SyncStatus) -> bool:
    return facts.connection is not None and facts.connection.sync_status in states


def _connected(facts: Facts) -> str:
    return moment(known(facts.connection).connected_at, facts)


def _came_before(facts: Facts) -> bool:
    first = facts.first_hook
    if first is None or not _is_unmapped(facts) or listed_at(facts) is None:
        return False
    return first.received_at < known(facts.connection).connected_at


def _is_direct(facts: Facts) -> bool:
    return facts.app is not None and facts.app.routing is Routing.DIRECT


def _is_unchecked_since(facts: Facts) -> bool:
    at = delivered_at(facts)
    if at is None or not _is_unmapped(facts):
        return False
    read_at = listed_at(facts)
    return read_at is None or read_at <= at


def _is_list_unread(facts: Facts) -> bool:
    is_unread = listed_at(facts) is None and delivered_at(facts) is None
    return _is_unmapped(facts) and is_unread


def _why_unread(facts: Facts, otherwise: str) -> str:
    return known(facts.connection).mappings_trouble or otherwise


def _claimants(facts: Facts) -> str:
    names = [person(row) for row in facts.claims]
    return f"{', '.join(names[:-1])} and {names[-1]}"


def _pmi_changed_at(facts: Facts) -> datetime | None:
    return (facts.member or known(facts.connection)).pmi_changed_at


NUMBERS = (
    Rule(
        id="pmi-twice",
        when=lambda f: len(f.claims) > 1 and f.mapping is None,
        says=lambda f: (
            f"{grouped(f.asked.number)} is stored as the PMI of {_claimants(f)}, "
            "but Zoom gives a PMI to one user only."
        ),
        who=Who.YOU,
        step="Press Check now on each of them to see whose PMI has changed.",
        target=Target.CONNECTION,
    ),
    Rule(
        id="former-pmi",
        when=lambda f: f.means is Means.FORMER_PMI,
        says=lambda f: (
            f"{grouped(f.asked.number)} was the PMI of {who(f)} until "
            f"{moment(_pmi_changed_at(f), f)}. The link is out of date."
        ),
        who=Who.USER,
        step="Ask the user for the link with their current PMI.",
        target=Target.CONNECTION,
    ),
)

UNSENT = (
    Rule(
        id="meeting-dead",
        when=lambda f: _is_undelivered(f, Outcome.DEAD),
        says=lambda f: (
            f"{who(f)} is connected, but Recall never received {_undelivered(f)} about "
            f"{subject(f)}. Delivery failed."
        ),
        who=Who.ADMIN,
        step=RESEND,
        target=Target.WEBHOOK,
    ),
    Rule(
        id="meeting-held",
        by_worker=True,
        when=lambda f: _is_undelivered(f, Outcome.WAITING) and is_paused(f),
        says=lambda f: (
            f"{who(f)} is connected, but Recall has not received {_undelivered(f)} "
            f"about {subject(f)}. Delivery has been {paused(f)}"
        ),
        who=who_ends_pause,
        step=end_of_pause,
        target=Target.ZOOM_APP,
    ),
    Rule(
        id="meeting-refused",
        by_worker=True,
        when=lambda f: (
            _is_undelivered(f, Outcome.WAITING)
            and any(hook.refused_at and not hook.delivered_at for hook in f.hooks)
        ),
        says=lambda f: (
            f"{who(f)} is connected, but Recall rejected a webhook about {subject(f)}, "
            "though it accepts others. It will be tried once more."
        ),
        who=Who.ADMIN,
        step="See Recall's response. If it is rejected again, it has failed.",
        target=Target.WEBHOOK,
    ),
    Rule(
        id="meeting-waiting",
        by_worker=True,
        when=lambda f: _is_undelivered(f, Outcome.WAITING),
        says=lambda f: (
            f"{who(f)} is connected, but Recall has not received {_undelivered(f)} "
            f"about {subject(f)} yet. It is queued. {known(f.stuck).outcome_reason}"
        ).strip(),
        who=Who.NOBODY,
        step=_next_attempt,
        target=Target.WEBHOOK,
        tone=Tone.WAITING,
    ),
)

UNMAPPED = (
    Rule(
        id="sync-failed",
        when=lambda f: _is_sync(f, SyncStatus.FAILED) and f.mapping is None,
        says=lambda f: (
            f"{who(f)} is connected, but Recall failed to sync their meetings."
        ),
        who=Who.YOU,
        step=(
            "Press Sync meetings. If it fails again, Recall's log of the "
            "credential says why."
        ),
        target=Target.CONNECTION,
    ),
    Rule(
        id="syncing",
        when=lambda f: _is_unmapped(f) and _is_sync(f, *_RUNNING),
        says=lambda f: (
            f"{who(f)} is connected. Recall is still syncing their meetings."
        ),
        who=Who.NOBODY,
        step="Wait a few minutes, then ask again.",
        target=Target.CONNECTION,
        tone=Tone.WAITING,
    ),
    Rule(
        id="list-unread",
        when=_is_list_unread,
        says=lambda f: (
            f"{who(f)} is connected, but it isn't known whether Recall has mapped "
            f"{subject(f)}. "
            + _why_unread(f, "Recall's list of meetings hasn't been read yet.")
        ),
        who=Who.YOU,
        step="Ask Recall below, or press Check now on the connection.",
        target=Target.CONNECTION,
        tone=Tone.WAITING,
    ),
    Rule(
        id="made-before",
        when=_came_before,
        says=lambda f: (
            f"{subject(f).capitalize()} was created before {who(f)} connected at "
            f"{_connected(f)}, and Recall's sync hasn't mapped it."
        ),
        who=Who.YOU,
        step=_SYNC,
        target=Target.CONNECTION,
    ),
    Rule(
        id="not-looked-since",
        when=_is_unchecked_since,
        says=lambda f: (
            f"Recall received a webhook about {subject(f)} at "
            f"{moment(delivered_at(f), f)}. "
            + _why_unread(f, "We haven't checked since whether it is mapped.")
        ),
        who=Who.YOU,
        step="Ask Recall below, or press Check now on the connection.",
        target=Target.CONNECTION,
        tone=Tone.WAITING,
    ),
    Rule(
        id="not-mapped",
        when=lambda f: _is_unmapped(f) and delivered_at(f),
        says=lambda f: (
            f"Recall received a webhook about {subject(f)} at "
            f"{moment(delivered_at(f), f)} but hadn't mapped it to anyone at "
            f"{listed(f)}."
        ),
        who=Who.YOU,
        step="Press Sync meetings. If it stays unmapped, Recall's log of the "
        "credential says why.",
        target=Target.CONNECTION,
    ),
    Rule(
        id="no-events",
        when=lambda f: _is_unmapped(f) and not f.hooks and has_webhook_problem(f),
        says=lambda f: (
            f"No webhook about {subject(f)} was received, and Zoom's webhooks for "
            f"{app_name(f)} have a problem: {known(f.validation).sentence}"
        ),
        who=Who.ADMIN,
        step="Fix the Zoom app's webhooks, then press Sync meetings.",
        target=Target.ZOOM_APP,
    ),
    Rule(
        id="pmi-not-mapped",
        when=lambda f: _is_unmapped(f) and f.means is Means.PMI,
        says=lambda f: (
            f"{grouped(f.asked.number)} is the PMI of {who(f)}, who is connected, "
            f"but Recall hadn't mapped it to anyone at {listed(f)}."
        ),
        who=Who.YOU,
        step="Press Sync meetings: Recall reads the PMI again.",
        target=Target.CONNECTION,
    ),
    Rule(
        id="not-mapped-direct",
        when=lambda f: _is_unmapped(f) and _is_direct(f),
        says=lambda f: (
            f"{who(f)} is connected, but Recall hadn't mapped {subject(f)} to "
            f"anyone at {listed(f)}. Zoom posts directly to Recall, so the "
            "dashboard receives no webhooks."
        ),
        who=Who.YOU,
        step=_SYNC,
        target=Target.CONNECTION,
    ),
    Rule(
        id="meeting-unheard",
        when=_may_be_unheard,
        says=lambda f: (
            f"{who(f)} is connected, but nothing here mentions {subject(f)}. Zoom's "
            f"webhooks for {app_name(f)} may not arrive: "
            f"{known(f.validation).sentence}"
        ),
        who=Who.ADMIN,
        step="Fix the Zoom app's webhooks. Then press Sync meetings on the connection.",
        target=Target.ZOOM_APP,
    ),
    Rule(
        id="never-heard-of",
        when=_is_unmapped,
        says=lambda f: (
            f"{who(f)} has been connected since {_connected(f)}, but no mapping "
            f"and no delivered webhook mentions {subject(f)}. It was created "
            "before that, or with another Zoom account."
        ),
        who=Who.YOU,
        step=(
            "Press Sync meetings. If it stays unknown, ask which Zoom account "
            "created the meeting."
        ),
        target=Target.CONNECTION,
    ),
)
