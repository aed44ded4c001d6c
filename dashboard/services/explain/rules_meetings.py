"""Rules of Explain about a meeting that Recall maps to nobody, and about PMIs.

Recall maps a meeting by its own sync or by Zoom's webhook about it, and only the
maker's connection counts (docs/contracts/recall.md 2, 3.7 and 7.5; checked 2026-11-25).
"""

from datetime import datetime

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
    Who,
    app_name,
    checked,
    known,
    moment,
    person,
    subject,
    who,
)
from dashboard.services.validation.limits import FAILURES_ALLOWED
from dashboard.services.validation.states import State

RESEND = "Resend it: until then Recall does not know of it."
ONCE_MENDED = "Read below what Recall said. It goes on by itself once that is mended."

_DEAF = {State.NEVER_SEEN, State.SECRET_MISMATCH, State.FAILING}


def asked_for(facts: Facts, outcome: Outcome) -> bool:
    """Whether it is one webhook that is asked about, and this became of it."""
    if facts.asked.kind is not Kind.WEBHOOK or not facts.hooks:
        return False
    return facts.hooks[0].outcome is outcome


def is_held(facts: Facts) -> bool:
    """Whether deliveries stand still."""
    return facts.hold is not None and facts.hold.is_holding


def held_since(facts: Facts) -> str:
    """Say since when they do."""
    return moment(known(facts.hold).since, facts)


def is_deaf(facts: Facts) -> bool:
    """Whether Zoom's events do not get through, as validation has it."""
    status = facts.validation
    if status is None:
        return False
    is_over = status.state is State.OVERDUE and status.missed >= FAILURES_ALLOWED
    return is_over or status.state in _DEAF


def named(hook: Webhook, facts: Facts) -> str:
    """Name a webhook within a sentence: "meeting.created of 09:30 UTC"."""
    return f"{hook.event or 'a webhook'} of {moment(hook.received_at, facts)}"


def delivered_at(facts: Facts) -> datetime | None:
    """Return when Recall last took one of them."""
    times = [hook.delivered_at for hook in facts.hooks if hook.delivered_at is not None]
    return max(times, default=None)


ASKED_WEBHOOK = (
    Rule(
        id="webhook-dead",
        when=lambda f: asked_for(f, Outcome.DEAD),
        says=lambda f: f"Recall never got {named(f.hooks[0], f)}: it was given up.",
        who=Who.ADMIN,
        step=RESEND,
        target=Target.WEBHOOK,
    ),
    Rule(
        id="webhook-held",
        when=lambda f: asked_for(f, Outcome.WAITING) and is_held(f),
        says=lambda f: (
            f"Recall has not got {named(f.hooks[0], f)} yet: deliveries of "
            f"{app_name(f)} stand still since {held_since(f)}."
        ),
        who=Who.ADMIN,
        step=ONCE_MENDED,
        target=Target.ZOOM_APP,
    ),
    Rule(
        id="webhook-waiting",
        when=lambda f: asked_for(f, Outcome.WAITING),
        says=lambda f: (
            f"Recall has not got {named(f.hooks[0], f)} yet: it waits to be sent."
        ),
        who=Who.NOBODY,
        step="Nothing: it is sent by itself.",
        target=Target.WEBHOOK,
        tone=Tone.WAITING,
    ),
    Rule(
        id="webhook-kept",
        when=lambda f: asked_for(f, Outcome.KEPT),
        says=lambda f: (
            f"Here {named(f.hooks[0], f)} was only kept: with routing "
            "direct, Zoom posts to Recall itself."
        ),
        who=Who.NOBODY,
        step="Nothing. If Zoom posts only here, an admin sets the routing to relay.",
        target=Target.ZOOM_APP,
        tone=Tone.OFF,
    ),
)


_RUNNING = {SyncStatus.NOT_STARTED, SyncStatus.IN_PROGRESS}
_SYNC = "Press Sync meetings: Recall reads the meetings again."


def _is_unmapped(facts: Facts) -> bool:
    is_mapped = facts.mapping is not None
    return facts.connection is not None and facts.is_meeting and not is_mapped


def _is_stuck(facts: Facts, outcome: Outcome) -> bool:
    stuck = facts.stuck
    return _is_unmapped(facts) and stuck is not None and stuck.outcome is outcome


def _stuck(facts: Facts) -> str:
    return named(known(facts.stuck), facts)


def _is_sync(facts: Facts, *states: SyncStatus) -> bool:
    return facts.connection is not None and facts.connection.sync_status in states


def _connected(facts: Facts) -> str:
    return moment(known(facts.connection).connected_at, facts)


def _came_before(facts: Facts) -> bool:
    first = facts.first_hook
    if first is None or not _is_unmapped(facts):
        return False
    return first.received_at < known(facts.connection).connected_at


def _is_direct(facts: Facts) -> bool:
    return facts.app is not None and facts.app.routing is Routing.DIRECT


def _is_not_looked_since(facts: Facts) -> bool:
    at = delivered_at(facts)
    if at is None or not _is_unmapped(facts):
        return False
    checked_at = known(facts.connection).token_checked_at
    return checked_at is None or checked_at <= at


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
            f"{grouped(f.asked.number)} is held to be the PMI of "
            f"{_claimants(f)}, and Zoom gives it to one user only."
        ),
        who=Who.YOU,
        step="Press Check now on each of them: who has another PMI by now shows.",
        target=Target.CONNECTION,
    ),
    Rule(
        id="former-pmi",
        when=lambda f: f.means is Means.FORMER_PMI,
        says=lambda f: (
            f"{grouped(f.asked.number)} was the PMI of {who(f)} until "
            f"{moment(_pmi_changed_at(f), f)}; the link is out of date."
        ),
        who=Who.USER,
        step="They send the link of the PMI they have now.",
        target=Target.CONNECTION,
    ),
)

UNMAPPED = (
    Rule(
        id="meeting-dead",
        when=lambda f: _is_stuck(f, Outcome.DEAD),
        says=lambda f: (
            f"{who(f)} is connected, but Recall never got {_stuck(f)} about "
            f"{subject(f)}: it was given up."
        ),
        who=Who.ADMIN,
        step=RESEND,
        target=Target.WEBHOOK,
    ),
    Rule(
        id="meeting-held",
        when=lambda f: _is_stuck(f, Outcome.WAITING) and is_held(f),
        says=lambda f: (
            f"{who(f)} is connected, but Recall has not got {_stuck(f)} "
            f"about {subject(f)}: deliveries stand still since {held_since(f)}."
        ),
        who=Who.ADMIN,
        step=ONCE_MENDED,
        target=Target.ZOOM_APP,
    ),
    Rule(
        id="meeting-waiting",
        when=lambda f: _is_stuck(f, Outcome.WAITING),
        says=lambda f: (
            f"{who(f)} is connected, but Recall has not got {_stuck(f)} "
            f"about {subject(f)} yet: it waits to be sent."
        ),
        who=Who.NOBODY,
        step="Nothing: it is sent by itself.",
        target=Target.WEBHOOK,
        tone=Tone.WAITING,
    ),
    Rule(
        id="sync-failed",
        when=lambda f: _is_sync(f, SyncStatus.FAILED) and f.mapping is None,
        says=lambda f: (
            f"{who(f)} is connected, but Recall failed to read their meetings."
        ),
        who=Who.YOU,
        step="Press Sync meetings; if it fails again, Recall's log of the credential "
        "says why.",
        target=Target.CONNECTION,
    ),
    Rule(
        id="syncing",
        when=lambda f: _is_unmapped(f) and _is_sync(f, *_RUNNING),
        says=lambda f: (
            f"{who(f)} is connected, and Recall is still reading their meetings."
        ),
        who=Who.NOBODY,
        step="Wait some minutes, then ask again.",
        target=Target.CONNECTION,
        tone=Tone.WAITING,
    ),
    Rule(
        id="made-before",
        when=_came_before,
        says=lambda f: (
            f"{subject(f).capitalize()} was made before {who(f)} connected "
            f"at {_connected(f)}, and Recall's sync has not mapped it."
        ),
        who=Who.YOU,
        step=_SYNC,
        target=Target.CONNECTION,
    ),
    Rule(
        id="not-looked-since",
        when=_is_not_looked_since,
        says=lambda f: (
            f"Recall got a webhook about {subject(f)} at "
            f"{moment(delivered_at(f), f)}; whether it has mapped it was not looked at "
            "since."
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
            f"Recall got a webhook about {subject(f)} at "
            f"{moment(delivered_at(f), f)}, but maps it to nobody, as seen at "
            f"{checked(f)}."
        ),
        who=Who.YOU,
        step="Press Sync meetings. If it stays unmapped, Recall's log of the "
        "credential says why.",
        target=Target.CONNECTION,
    ),
    Rule(
        id="no-events",
        when=lambda f: _is_unmapped(f) and not f.hooks and is_deaf(f),
        says=lambda f: (
            f"No webhook about {subject(f)} came, and Zoom's webhooks of "
            f"{app_name(f)} are in trouble: {known(f.validation).sentence}"
        ),
        who=Who.ADMIN,
        step="Mend the webhooks of the zoom app, then press Sync meetings.",
        target=Target.ZOOM_APP,
    ),
    Rule(
        id="pmi-not-mapped",
        when=lambda f: _is_unmapped(f) and f.means is Means.PMI,
        says=lambda f: (
            f"{grouped(f.asked.number)} is the PMI of {who(f)}, who is "
            f"connected, but Recall maps it to nobody, as seen at {checked(f)}."
        ),
        who=Who.YOU,
        step="Press Sync meetings: Recall reads the PMI again.",
        target=Target.CONNECTION,
    ),
    Rule(
        id="not-mapped-direct",
        when=lambda f: _is_unmapped(f) and _is_direct(f),
        says=lambda f: (
            f"{who(f)} is connected, but Recall maps {subject(f)} to "
            f"nobody, as seen at {checked(f)}; Zoom posts to Recall directly, so no "
            "webhook is seen here."
        ),
        who=Who.YOU,
        step=_SYNC,
        target=Target.CONNECTION,
    ),
    Rule(
        id="never-heard-of",
        when=_is_unmapped,
        says=lambda f: (
            f"{who(f)} is connected since {_connected(f)}, but no webhook "
            f"that Recall took and no mapping tells of {subject(f)}: it was made "
            "before, or with another Zoom account."
        ),
        who=Who.YOU,
        step="Press Sync meetings. If it stays unknown, ask with which Zoom account it "
        "was made.",
        target=Target.CONNECTION,
    ),
)
