"""The rules of Explain in order, with the first and the last of them. Pure.

The first rule that fits decides; docs/explain.md has the same table for people, row by
row, and a test compares the two.
"""

from datetime import datetime

from dashboard.formatting import grouped
from dashboard.models.webhook import Outcome
from dashboard.services.explain.questions import Kind
from dashboard.services.explain.rules_meetings import (
    ASKED_WEBHOOK,
    NUMBERS,
    RESEND,
    UNMAPPED,
    UNSENT,
    asked_for,
    end_of_pause,
    has_webhook_problem,
    is_paused,
    named,
    paused,
    who_ends_pause,
)
from dashboard.services.explain.rules_people import (
    APPS,
    GRANTS,
    STALE,
    STRANGERS,
)
from dashboard.services.explain.verdicts import (
    Facts,
    Means,
    Rule,
    Target,
    Tone,
    Verdict,
    app_name,
    checked,
    known,
    moment,
    subject,
    who,
)
from dashboard.services.facts.connections import Who

_MADE = {"meeting.created", "meeting.updated"}
_NEXT_BOT = "No action needed. The next bot should get a token."
_CHECK_THE_BOT = (
    "Check the bot. Was the host present? Was it in the waiting room? Did the "
    "host decline? In another account's meeting it also needs a ZAK or OBF "
    "token, required since 2 March 2026."
)


def _is_mapped(facts: Facts) -> bool:
    return facts.connection is not None and facts.mapping is not None


def _mapped(facts: Facts) -> str:
    return moment(known(facts.mapping).synced_at, facts)


def _mentioned_before(facts: Facts, at: datetime | None) -> bool:
    return facts.met_at is not None and at is not None and facts.met_at < at


def _is_late(facts: Facts) -> bool:
    """Whether it had begun before Recall mapped it."""
    if not _is_mapped(facts) or not facts.hooks or facts.hooks[0].event in _MADE:
        return False
    return _mentioned_before(facts, known(facts.mapping).synced_at)


def _is_app(facts: Facts) -> bool:
    return facts.means is Means.APP and facts.app is not None


def _is_unsent(facts: Facts) -> bool:
    """Whether delivery of this user's webhook failed; no meeting is asked about."""
    stuck = facts.stuck
    is_dead = stuck is not None and stuck.outcome is Outcome.DEAD
    return facts.connection is not None and not facts.is_meeting and is_dead


def _unsent(facts: Facts) -> str:
    hook = known(facts.stuck)
    about = f" about meeting {grouped(hook.meeting_id)}" if hook.meeting_id else ""
    return f"{named(hook, facts)}{about}"


INPUT = (
    Rule(
        id="not-understood",
        when=lambda f: f.asked.kind is Kind.NOTHING,
        says=lambda _: "This text contains no email, ID, meeting number or join link.",
        who=Who.YOU,
        step="Paste one of them.",
        tone=Tone.OFF,
    ),
    Rule(
        id="no-number",
        when=lambda f: f.asked.kind is Kind.NO_NUMBER,
        says=lambda _: (
            "Personal links, registration links and meeting UUIDs contain no "
            "meeting number, so there is nothing to look up."
        ),
        who=Who.YOU,
        step="Paste the meeting number shown in Zoom, or the host's email.",
        tone=Tone.OFF,
    ),
    Rule(
        id="email-not-connected",
        when=lambda f: f.is_meeting and f.asked.email and not f.is_known,
        says=lambda f: (
            f"{f.asked.email} hasn't connected Zoom, so a bot must ask in their "
            f"meetings. Nothing here mentions {subject(f)}."
        ),
        who=Who.YOU,
        step=(
            "Invite them. If they say that they have connected, ask with which Zoom "
            "account."
        ),
        tone=Tone.OFF,
    ),
    Rule(
        id="unknown-meeting",
        when=lambda f: f.is_meeting and not f.is_known,
        says=lambda f: (
            f"Nothing here mentions {subject(f)}. Most likely its host hasn't "
            "connected: Zoom only sends webhooks about connected users."
        ),
        who=Who.YOU,
        step=("Ask who scheduled it, and paste their email with the number."),
        tone=Tone.OFF,
    ),
    Rule(
        id="email-unknown",
        when=lambda f: f.asked.kind is Kind.EMAIL and not f.is_known,
        says=lambda f: f"{f.asked.email} hasn't connected Zoom and has no invitation.",
        who=Who.YOU,
        step="Check the spelling. If it's correct, invite them.",
        tone=Tone.OFF,
    ),
    Rule(
        id="unknown",
        when=lambda f: not f.is_known,
        says=lambda f: (
            f"No results for “{f.asked.shown}”. No connection, invitation or "
            "webhook matches."
        ),
        who=Who.YOU,
        step="Check the spelling. If it's correct, this person hasn't connected.",
        tone=Tone.OFF,
    ),
)

ACCOUNT = (
    Rule(
        id="account-of-users",
        when=lambda f: f.means is Means.ACCOUNT,
        says=lambda _: (
            "Individual users of this Zoom account are connected, but the "
            "account as a whole isn't."
        ),
        who=Who.YOU,
        step="Paste one user's email or a meeting number.",
        tone=Tone.OFF,
    ),
)

MAPPED = (
    Rule(
        id="connected-after",
        when=lambda f: (
            _is_mapped(f) and _mentioned_before(f, known(f.connection).connected_at)
        ),
        says=lambda f: (
            f"{who(f)} connected at "
            f"{moment(known(f.connection).connected_at, f)}, after Zoom's last "
            f"webhook about {subject(f)} at {moment(f.met_at, f)}. A bot had no "
            f"token then; the token worked at {checked(f)}."
        ),
        who=Who.NOBODY,
        step=_NEXT_BOT,
        target=Target.CONNECTION,
        tone=Tone.GOOD,
    ),
    Rule(
        id="renewed-since",
        when=lambda f: _is_mapped(f) and _mentioned_before(f, f.granted_at),
        says=lambda f: (
            f"{who(f)} reconnected at {moment(f.granted_at, f)}, after Zoom's "
            f"last webhook about {subject(f)} at {moment(f.met_at, f)}. The "
            "earlier authorization may have been invalid; the current one worked at "
            f"{checked(f)}."
        ),
        who=Who.NOBODY,
        step=_NEXT_BOT,
        target=Target.CONNECTION,
        tone=Tone.GOOD,
    ),
    Rule(
        id="mapped-late",
        when=_is_late,
        says=lambda f: (
            f"Recall mapped {subject(f)} to {who(f)} only at {_mapped(f)}, after "
            f"{named(f.hooks[0], f)}."
        ),
        who=Who.NOBODY,
        step=_NEXT_BOT,
        target=Target.CONNECTION,
        tone=Tone.GOOD,
    ),
    Rule(
        id="ready",
        when=_is_mapped,
        says=lambda f: (
            f"Recall mapped {subject(f)} to {who(f)} at {_mapped(f)} and still listed "
            f"it at {moment(known(f.mapping).seen_at, f)}. The token was available at "
            f"{checked(f)}."
        ),
        who=Who.YOU,
        step=_CHECK_THE_BOT,
        target=Target.CONNECTION,
        tone=Tone.GOOD,
    ),
)

AT_LARGE = (
    Rule(
        id="webhook-delivered",
        when=lambda f: asked_for(f, Outcome.DELIVERED) and f.connection is None,
        says=lambda f: (
            f"Recall accepted {named(f.hooks[0], f)} at "
            f"{moment(f.hooks[0].delivered_at, f)}."
        ),
        who=Who.NOBODY,
        step="No action needed.",
        target=Target.WEBHOOK,
        tone=Tone.GOOD,
    ),
    Rule(
        id="app-retired",
        when=lambda f: _is_app(f) and known(f.app).retired_at,
        says=lambda f: (
            f"{app_name(f)} was retired at {moment(known(f.app).retired_at, f)}. "
            "Its users have moved on."
        ),
        who=Who.NOBODY,
        step="No action needed.",
        target=Target.ZOOM_APP,
        tone=Tone.OFF,
    ),
    Rule(
        id="held",
        by_worker=True,
        when=is_paused,
        says=lambda f: (
            "Meetings created now are not mapped: delivery to Recall for "
            f"{app_name(f)} has been {paused(f)}"
        ),
        who=who_ends_pause,
        step=end_of_pause,
        target=Target.ZOOM_APP,
    ),
    Rule(
        id="deaf",
        when=has_webhook_problem,
        says=lambda f: (
            f"Zoom's webhooks for {app_name(f)} have a problem, so new meetings "
            f"may not be mapped: {known(f.validation).sentence}"
        ),
        who=Who.ADMIN,
        step="Fix the Zoom app's webhooks.",
        target=Target.ZOOM_APP,
    ),
    Rule(
        id="webhook-missed",
        when=_is_unsent,
        says=lambda f: (
            f"{who(f)} is connected and the token worked at {checked(f)}, but Recall "
            f"never received {_unsent(f)}. Delivery failed."
        ),
        who=Who.ADMIN,
        step=RESEND,
        target=Target.WEBHOOK,
    ),
    Rule(
        id="healthy",
        when=lambda f: f.connection is not None,
        says=lambda f: f"{who(f)} is connected. The token worked at {checked(f)}.",
        who=Who.YOU,
        step="Paste a meeting number to see why a bot asked in that meeting.",
        target=Target.CONNECTION,
        tone=Tone.GOOD,
    ),
    Rule(
        id="app-fine",
        when=_is_app,
        says=lambda f: (
            f"{app_name(f)} exists in Recall, and no problem with Zoom's webhooks "
            "is known."
        ),
        who=Who.NOBODY,
        step="No action needed. Paste a user or a meeting.",
        target=Target.ZOOM_APP,
        tone=Tone.GOOD,
    ),
    Rule(
        id="host-unnamed",
        when=lambda _: True,
        says=lambda _: (
            "Webhooks about this meeting were received, but none names a Zoom "
            "user, so the host is unknown."
        ),
        who=Who.YOU,
        step="Paste the host's email with the number.",
        tone=Tone.OFF,
    ),
)


RULES: tuple[Rule, ...] = (
    *INPUT,
    *ACCOUNT,
    *ASKED_WEBHOOK,
    *NUMBERS,
    *APPS,
    *STRANGERS,
    *GRANTS,
    *UNSENT,
    *STALE,
    *UNMAPPED,
    *MAPPED,
    *AT_LARGE,
)


def judge(facts: Facts) -> Verdict:
    """Return what the first rule that fits says; the last one always does."""
    return next(rule.verdict(facts) for rule in RULES if rule.when(facts))
