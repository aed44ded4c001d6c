"""Rules of Explain about a meeting that Recall maps to nobody, and about PMIs.

Recall maps a meeting by its own sync or by Zoom's webhook about it, and only the
maker's connection counts (docs/contracts/recall.md 2, 3.7 and 7.5; checked 2026-11-25).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from dashboard.formatting import grouped
from dashboard.models.connection import SyncStatus
from dashboard.models.webhook import Webhook
from dashboard.models.zoom_app import Routing
from dashboard.services.explain.questions import Kind
from dashboard.services.explain.verdicts import (
    Facts,
    Means,
    Rule,
    SeenBot,
    Target,
    Tone,
    app_name,
    coming,
    known,
    lasting,
    listed,
    listed_at,
    moment,
    person,
    subject,
    who,
)
from dashboard.services.facts.acting import Problem
from dashboard.services.facts.zoom_log import SentByZoom, lost


def asked_for(facts: Facts, *problems: Problem) -> bool:
    """Whether it is one webhook that is asked about, and its delivery stands so."""
    if facts.asked.kind is not Kind.WEBHOOK or not facts.hooks:
        return False
    return asked_problem(facts) in problems


def asked_problem(facts: Facts) -> Problem:
    """Return what keeps the webhook that is asked about from Recall."""
    return facts.delivery_of(facts.hooks[0]).problem


_QUEUED = (Problem.WEBHOOK_QUEUED, Problem.WEBHOOK_WAITS_FOR_APP)
_PAUSED = (Problem.PAUSED, Problem.RECALL_DOWN)


def is_paused(facts: Facts) -> bool:
    """Whether delivery is paused."""
    return facts.paused is not None


def paused(facts: Facts) -> str:
    """Say since when, and what Recall answered to the last delivery."""
    fact = known(facts.paused)
    return f"paused for {lasting(fact.since, facts)}. {fact.reason}".strip()


def paused_problem(facts: Facts) -> Problem:
    """Return what ends the pause: Recall by itself, or an admin."""
    return known(facts.paused).problem


def next_test(facts: Facts) -> datetime | None:
    """Return when delivery is tested next."""
    return known(facts.paused).next_check


def has_webhook_problem(facts: Facts) -> bool:
    """Whether Zoom's events do not arrive, according to validation."""
    return facts.stands is not None and facts.stands.is_deaf


def webhook_problem(facts: Facts) -> str:
    """Say what the way of Zoom's webhooks lacks."""
    return known(facts.stands).way.proof


def named(hook: Webhook, facts: Facts) -> str:
    """Name a webhook within a sentence: "meeting.created from 09:30 UTC"."""
    event = f"the {hook.event} webhook" if hook.event else "a webhook"
    return f"{event} of {moment(hook.received_at, facts)}"


def delivered_at(facts: Facts) -> datetime | None:
    """Return when Recall last accepted one of them."""
    times = [hook.delivered_at for hook in facts.hooks if hook.delivered_at is not None]
    return max(times, default=None)


ASKED_WEBHOOK = (
    Rule(
        id="webhook-dead",
        when=lambda f: asked_for(f, Problem.WEBHOOK_FAILED),
        says=lambda f: (
            f"We could not deliver {named(f.hooks[0], f)} to Recall and stopped "
            f"trying. {f.delivery_of(f.hooks[0]).reason}"
        ).strip(),
        problem=Problem.WEBHOOK_FAILED,
        target=Target.WEBHOOK,
    ),
    Rule(
        id="webhook-held",
        by_worker=True,
        when=lambda f: asked_for(f, *_PAUSED),
        says=lambda f: (
            f"Recall has not received {named(f.hooks[0], f)} yet. Delivery for "
            f"{app_name(f)} has been {paused(f)}"
        ),
        problem=paused_problem,
        next_at=next_test,
        target=Target.ZOOM_APP,
    ),
    Rule(
        id="webhook-refused",
        by_worker=True,
        when=lambda f: asked_for(f, Problem.WEBHOOK_REJECTED),
        says=lambda f: (
            f"Recall rejected {named(f.hooks[0], f)}, though it accepts others. It "
            f"will be tried once more {coming(f.hooks[0].due_at)}."
        ),
        problem=Problem.WEBHOOK_REJECTED,
        target=Target.WEBHOOK,
    ),
    Rule(
        id="webhook-waiting",
        by_worker=True,
        when=lambda f: asked_for(f, *_QUEUED),
        says=lambda f: (
            f"Recall has not received {named(f.hooks[0], f)} yet. It is queued."
        ),
        problem=asked_problem,
        target=Target.WEBHOOK,
        tone=Tone.WAITING,
    ),
    Rule(
        id="webhook-kept",
        when=lambda f: asked_for(f, Problem.NOT_FORWARDED),
        says=lambda f: (
            f"The dashboard did not forward {named(f.hooks[0], f)}: routing is "
            "direct, so Zoom posts to Recall itself."
        ),
        problem=Problem.NOT_FORWARDED,
        target=Target.ZOOM_APP,
        tone=Tone.OFF,
    ),
)


_RUNNING = {SyncStatus.NOT_STARTED, SyncStatus.IN_PROGRESS}


def _is_unmapped(facts: Facts) -> bool:
    is_mapped = facts.mapping is not None
    return facts.connection is not None and facts.is_meeting and not is_mapped


def _is_stuck(facts: Facts, *problems: Problem) -> bool:
    return _is_unmapped(facts) and _stuck_problem(facts) in problems


def _stuck_problem(facts: Facts) -> Problem | None:
    stuck = facts.stuck
    return None if stuck is None else facts.delivery_of(stuck).problem


def _stuck_reason(facts: Facts) -> str:
    return facts.delivery_of(known(facts.stuck)).reason


def stuck_problem(facts: Facts) -> Problem:
    """Return what keeps the newest webhook from Recall."""
    return known(_stuck_problem(facts))


def _undelivered(facts: Facts) -> str:
    return named(known(facts.stuck), facts)


def _next_attempt(facts: Facts) -> datetime | None:
    due_at = known(facts.stuck).due_at
    return due_at if due_at > facts.now else None


def _may_be_unheard(facts: Facts) -> bool:
    """Whether Zoom's webhook about the meeting may not have arrived here."""
    stands = facts.stands
    is_unproven = stands is not None and stands.way.problem is Problem.NOT_PROVEN
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


def _pmi_changed_at(facts: Facts) -> datetime | None:
    return (facts.member or known(facts.connection)).pmi_changed_at


def _why_unlinked(facts: Facts) -> Sequence[str]:
    """Return why Recall may know of a meeting and of no one it is of."""
    number = sum(hook.delivered_at is not None for hook in facts.hooks)
    webhooks = "1 webhook" if number == 1 else f"{number} webhooks"
    return (
        f"Recall got {webhooks} about it and is slow. Ask Recall below.",
        (
            "Recall could not read the meeting with the host's token. Recall's log of "
            "the credential says so."
        ),
        "The meeting was deleted or moved to another host. Ask the host.",
    )


def _why_unheard(facts: Facts) -> Sequence[str]:
    """Return why nothing may mention a meeting of a connected user, likeliest first."""
    since = known(facts.connection).connected_at
    before = (
        f"It was scheduled before they connected, {moment(since, facts)}, and Recall's "
        "sync missed it. Press Sync meetings."
    )
    other = (
        "It was scheduled with another Zoom account. Ask which account the host "
        "signed in with."
    )
    last = max((hook.received_at for hook in facts.own_hooks), default=None)
    if last is None:
        return (_NO_NEWS.format(last="none is stored"), before, other)
    quiet = _NO_NEWS.format(last=f"last about this user: {moment(last, facts)}")
    is_fresh = facts.now - last < _FRESH_NEWS
    return (before, other, quiet) if is_fresh else (quiet, before, other)


_FRESH_NEWS = timedelta(days=1)
_NO_NEWS = (
    "Zoom stopped sending webhooks about this user ({last}). The Zoom app's page shows "
    "whether others still arrive."
)


def _pmi_twice(facts: Facts) -> str:
    """Say who shows the number, since when each was seen, and whose Recall uses."""
    seen = [
        f"{person(row)} (seen {moment(row.pmi_seen_at, facts)})" for row in facts.claims
    ]
    used = ""
    if facts.mapping is not None and facts.connection is not None:
        used = f" Recall used that of {person(facts.connection)} {listed(facts)}."
    return (
        f"{len(seen)} connected users show the personal meeting number "
        f"{grouped(facts.asked.number)}: {', '.join(seen[:-1])} and {seen[-1]}. Only "
        f"one can have it.{used}"
    )


def _is_of_another_host(facts: Facts) -> bool:
    """Whether Recall maps a meeting to a user, and Zoom names another as its host."""
    row = facts.connection
    if row is None or facts.mapping is None or facts.member is not None:
        return False
    return None not in (row.zoom_user_id, facts.host_id) and (
        row.zoom_user_id != facts.host_id
    )


def _deletion(facts: Facts) -> Webhook | None:
    """Return the newest that Zoom says of a meeting, if it is that it was deleted."""
    newest = max(facts.hooks, key=lambda hook: hook.received_at, default=None)
    is_told = newest is not None and newest.event in _DELETED
    return newest if is_told and facts.is_meeting else None


_DELETED = {"meeting.deleted", "meeting.permanently_deleted", "webinar.deleted"}

DELETED = (
    Rule(
        id="meeting-deleted",
        when=_deletion,
        says=lambda f: (
            f"Zoom reported {moment(known(_deletion(f)).received_at, f)} that "
            f"{subject(f)} was deleted, so no "
            "bot gets a token for it."
        ),
        problem=Problem.MEETING_DELETED,
        target=Target.WEBHOOK,
        tone=Tone.OFF,
    ),
)


def _bot(facts: Facts) -> SeenBot:
    return known(facts.refused_bot)


def _is_refused(facts: Facts, *, lacks_token: bool) -> bool:
    bot = facts.refused_bot
    return bot is not None and bot.outcome.lacks_token is lacks_token


def _refused(facts: Facts) -> str:
    bot = _bot(facts)
    return (
        f"A bot in {subject(facts)} did not record, as of {moment(bot.at, facts)}: "
        f"{bot.outcome.sentence}"
    )


BOTS = (
    Rule(
        id="bot-refused",
        when=lambda f: _is_refused(f, lacks_token=False),
        says=_refused,
        outcome=lambda f: _bot(f).outcome,
        target=Target.CONNECTION,
        tone=lambda f: Tone(_bot(f).outcome.state.tone),
    ),
)
"""What the meeting's own bot was refused for: a setting of its host, or its link."""

TOKENLESS_BOTS = (
    Rule(
        id="bot-without-token",
        when=lambda f: _is_refused(f, lacks_token=True),
        says=_refused,
        outcome=lambda f: _bot(f).outcome,
        target=Target.CONNECTION,
    ),
)
"""That it got no token: why is said before, as far as the connection shows it."""

NUMBERS = (
    Rule(
        id="pmi-twice",
        when=lambda f: len(f.claims) > 1,
        says=_pmi_twice,
        problem=Problem.PMI_TWICE,
        target=Target.CONNECTION,
    ),
    Rule(
        id="other-host",
        when=_is_of_another_host,
        says=lambda f: (
            f"Recall's list had {subject(f)} as {who(f)}'s {listed(f)}, but Zoom's "
            f"webhooks name another user as its host: {f.host_id}. Only the host's "
            "connection counts."
        ),
        problem=Problem.OTHER_HOST,
        target=Target.CONNECTION,
    ),
    Rule(
        id="former-pmi",
        when=lambda f: f.means is Means.FORMER_PMI,
        says=lambda f: (
            f"{grouped(f.asked.number)} was the PMI of {who(f)} until "
            f"{moment(_pmi_changed_at(f), f)}. The link is out of date."
        ),
        problem=Problem.FORMER_PMI,
        target=Target.CONNECTION,
    ),
)


def _lost(facts: Facts) -> SentByZoom:
    """Return the newest of what Zoom sent and nobody took."""
    return known(next(iter(lost(facts.sent)), None))


NOT_TAKEN = (
    Rule(
        id="zoom-not-answered",
        when=lambda f: f.is_meeting and not f.hooks and lost(f.sent),
        says=lambda f: (
            f"No webhook about {subject(f)} was received. By Zoom's own log "
            f"{_lost(f).row.event or 'one'} was sent "
            f"{moment(_lost(f).row.sent_at, f)}, and {_lost(f).answer}. "
            f"{_lost(f).fact.reason}"
        ).strip(),
        problem=lambda f: _lost(f).fact.problem,
        target=Target.ZOOM_APP,
    ),
)

UNSENT = (
    Rule(
        id="meeting-dead",
        when=lambda f: _is_stuck(f, Problem.WEBHOOK_FAILED),
        says=lambda f: (
            f"We could not deliver {_undelivered(f)} about {subject(f)} to Recall and "
            f"stopped trying, so Recall doesn't know about it. {_stuck_reason(f)}"
        ).strip(),
        problem=Problem.WEBHOOK_FAILED,
        target=Target.WEBHOOK,
    ),
    Rule(
        id="meeting-held",
        by_worker=True,
        when=lambda f: _is_stuck(f, *_PAUSED),
        says=lambda f: (
            f"{who(f)} is connected, but Recall has not received {_undelivered(f)} "
            f"about {subject(f)}. Delivery has been {paused(f)}"
        ),
        problem=paused_problem,
        next_at=next_test,
        target=Target.ZOOM_APP,
    ),
    Rule(
        id="meeting-refused",
        by_worker=True,
        when=lambda f: _is_stuck(f, Problem.WEBHOOK_REJECTED),
        says=lambda f: (
            f"{who(f)} is connected, but Recall rejected a webhook about {subject(f)}, "
            "though it accepts others. It will be tried once more."
        ),
        problem=Problem.WEBHOOK_REJECTED,
        target=Target.WEBHOOK,
    ),
    Rule(
        id="meeting-waiting",
        by_worker=True,
        when=lambda f: _is_stuck(f, *_QUEUED),
        says=lambda f: (
            f"{who(f)} is connected, but Recall has not received {_undelivered(f)} "
            f"about {subject(f)} yet. It is queued. {_stuck_reason(f)}"
        ).strip(),
        problem=stuck_problem,
        next_at=_next_attempt,
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
        problem=Problem.SYNC_FAILED,
        target=Target.CONNECTION,
    ),
    Rule(
        id="syncing",
        when=lambda f: _is_unmapped(f) and _is_sync(f, *_RUNNING),
        says=lambda f: (
            f"{who(f)} is connected. Recall is still syncing their meetings."
        ),
        problem=Problem.SYNCING,
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
        problem=Problem.LIST_UNREAD,
        target=Target.CONNECTION,
        tone=Tone.WAITING,
    ),
    Rule(
        id="made-before",
        when=_came_before,
        says=lambda f: (
            f"{subject(f).capitalize()} was created before {who(f)} connected "
            f"{_connected(f)}, and Recall's sync hadn't mapped it {listed(f)}."
        ),
        problem=Problem.SYNC,
        target=Target.CONNECTION,
    ),
    Rule(
        id="not-looked-since",
        when=_is_unchecked_since,
        says=lambda f: (
            f"Recall received a webhook about {subject(f)} "
            f"{moment(delivered_at(f), f)}. "
            + _why_unread(f, "We haven't checked since whether it is mapped.")
        ),
        problem=Problem.LIST_UNREAD,
        target=Target.CONNECTION,
        tone=Tone.WAITING,
    ),
    Rule(
        id="not-mapped",
        when=lambda f: _is_unmapped(f) and delivered_at(f),
        says=lambda f: (
            f"Recall received a webhook about {subject(f)} "
            f"{moment(delivered_at(f), f)} but hadn't linked it to anyone when its "
            f"list was read, {listed(f)}."
        ),
        problem=Problem.NOT_MAPPED,
        target=Target.CONNECTION,
        causes=_why_unlinked,
    ),
    Rule(
        id="no-events",
        when=lambda f: _is_unmapped(f) and not f.hooks and has_webhook_problem(f),
        says=lambda f: (
            f"No webhook about {subject(f)} was received, and Zoom's webhooks for "
            f"{app_name(f)} have a problem: {webhook_problem(f)}"
        ),
        problem=Problem.NO_EVENTS,
        target=Target.ZOOM_APP,
    ),
    Rule(
        id="pmi-not-mapped",
        when=lambda f: _is_unmapped(f) and f.means is Means.PMI,
        says=lambda f: (
            f"{grouped(f.asked.number)} is the PMI of {who(f)}, who is connected, "
            f"but Recall hadn't mapped it to anyone {listed(f)}."
        ),
        problem=Problem.PMI_NOT_MAPPED,
        target=Target.CONNECTION,
    ),
    Rule(
        id="not-mapped-direct",
        when=lambda f: _is_unmapped(f) and _is_direct(f),
        says=lambda f: (
            f"{who(f)} is connected, but Recall hadn't mapped {subject(f)} to "
            f"anyone {listed(f)}. Zoom posts directly to Recall, so the "
            "dashboard receives no webhooks."
        ),
        problem=Problem.SYNC,
        target=Target.CONNECTION,
    ),
    Rule(
        id="meeting-unheard",
        when=_may_be_unheard,
        says=lambda f: (
            f"{who(f)} is connected, but nothing here mentions {subject(f)}. Zoom's "
            f"webhooks for {app_name(f)} may not arrive: "
            f"{webhook_problem(f)}"
        ),
        problem=Problem.MEETING_UNHEARD,
        target=Target.ZOOM_APP,
    ),
    Rule(
        id="never-heard-of",
        when=_is_unmapped,
        says=lambda f: (
            f"{who(f)} is connected, but no webhook mentions {subject(f)}, and "
            f"Recall's list did not have it {listed(f)}."
        ),
        problem=Problem.NEVER_HEARD_OF,
        target=Target.CONNECTION,
        causes=_why_unheard,
    ),
)
