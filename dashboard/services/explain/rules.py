"""Rules of Explain for both ends: nothing to go by, and nothing in the way."""

from datetime import datetime

from dashboard.formatting import grouped
from dashboard.models.webhook import Outcome
from dashboard.services.explain.questions import Kind
from dashboard.services.explain.rules_meetings import (
    ASKED_WEBHOOK,
    NUMBERS,
    ONCE_MENDED,
    RESEND,
    UNMAPPED,
    asked_for,
    held_since,
    is_deaf,
    is_held,
    named,
)
from dashboard.services.explain.rules_people import APPS, GRANTS, STRANGERS
from dashboard.services.explain.verdicts import (
    Facts,
    Means,
    Rule,
    Target,
    Tone,
    Verdict,
    Who,
    app_name,
    checked,
    known,
    moment,
    subject,
    who,
)

_MADE = {"meeting.created", "meeting.updated"}
_NEXT_BOT = "Nothing: the next bot gets a token."
_LOOK_AT_BOT = (
    "Look at the bot: was the host there, did it wait in the waiting room, did the "
    "host decline? In a meeting of another account it also needs a ZAK or OBF token, "
    "since 2 March 2026."
)


def _is_mapped(facts: Facts) -> bool:
    return facts.connection is not None and facts.mapping is not None


def _mapped(facts: Facts) -> str:
    return moment(known(facts.mapping).synced_at, facts)


def _met_before(facts: Facts, at: datetime | None) -> bool:
    return facts.met_at is not None and at is not None and facts.met_at < at


def _is_late(facts: Facts) -> bool:
    """Whether it was under way or over before Recall mapped it."""
    if not _is_mapped(facts) or not facts.hooks or facts.hooks[0].event in _MADE:
        return False
    return _met_before(facts, known(facts.mapping).synced_at)


def _is_app(facts: Facts) -> bool:
    return facts.means is Means.APP and facts.app is not None


def _is_unsent(facts: Facts) -> bool:
    """Whether a webhook of this user is dead, when no meeting is asked about."""
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
        says=lambda _: (
            "Nothing in this text is an e-mail, an id, a meeting number or a join link."
        ),
        who=Who.YOU,
        step="Paste one of them.",
        tone=Tone.OFF,
    ),
    Rule(
        id="no-number",
        when=lambda f: f.asked.kind is Kind.NO_NUMBER,
        says=lambda _: (
            "A personal link, a registration link and a meeting's UUID hold "
            "no meeting number, so nothing can be looked up by them."
        ),
        who=Who.YOU,
        step="Paste the number that Zoom shows beside the meeting, or the host's "
        "e-mail.",
        tone=Tone.OFF,
    ),
    Rule(
        id="unknown-meeting",
        when=lambda f: f.is_meeting and not f.is_known,
        says=lambda f: (
            f"Nothing is known of {subject(f)}: no mapping as last seen, "
            "nobody's PMI, and no webhook."
        ),
        who=Who.YOU,
        step="Paste the host's e-mail beside the number. If that is not known either, "
        "they have not connected here: Zoom tells of connected users only.",
        tone=Tone.OFF,
    ),
    Rule(
        id="unknown",
        when=lambda f: not f.is_known,
        says=lambda f: (
            f"Nothing is known of {f.asked.shown}: no connection, no "
            "invitation, and no webhook."
        ),
        who=Who.YOU,
        step="Compare it letter by letter. If it is right, they have not connected.",
        tone=Tone.OFF,
    ),
)

ACCOUNT = (
    Rule(
        id="account-of-users",
        when=lambda f: f.means is Means.ACCOUNT,
        says=lambda _: (
            "Users of this Zoom account are connected, each for themselves; "
            "the account as a whole is not."
        ),
        who=Who.YOU,
        step="Paste the e-mail of one user, or a meeting's number.",
        tone=Tone.OFF,
    ),
)

MAPPED = (
    Rule(
        id="connected-after",
        when=lambda f: (
            _is_mapped(f) and _met_before(f, known(f.connection).connected_at)
        ),
        says=lambda f: (
            f"{who(f)} connected at "
            f"{moment(known(f.connection).connected_at, f)}, after Zoom last told of "
            f"{subject(f)} at {moment(f.met_at, f)}: a bot had no token then, and has "
            "one now."
        ),
        who=Who.NOBODY,
        step=_NEXT_BOT,
        target=Target.CONNECTION,
        tone=Tone.GOOD,
    ),
    Rule(
        id="renewed-since",
        when=lambda f: _is_mapped(f) and _met_before(f, f.granted_at),
        says=lambda f: (
            f"{who(f)} reconnected at {moment(f.granted_at, f)}, after Zoom "
            f"last told of {subject(f)} at {moment(f.met_at, f)}: the grant of then "
            "may have been dead, the one of now works."
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
            f"Recall mapped {subject(f)} to {who(f)} at {_mapped(f)} only, "
            f"after {named(f.hooks[0], f)}."
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
            f"Recall mapped {subject(f)} to {who(f)} at {_mapped(f)}; the "
            f"token was available, as seen at {checked(f)}."
        ),
        who=Who.YOU,
        step=_LOOK_AT_BOT,
        target=Target.CONNECTION,
        tone=Tone.GOOD,
    ),
)

AT_LARGE = (
    Rule(
        id="webhook-delivered",
        when=lambda f: asked_for(f, Outcome.DELIVERED) and f.connection is None,
        says=lambda f: (
            f"Recall took {named(f.hooks[0], f)} at "
            f"{moment(f.hooks[0].delivered_at, f)}."
        ),
        who=Who.NOBODY,
        step="Nothing.",
        target=Target.WEBHOOK,
        tone=Tone.GOOD,
    ),
    Rule(
        id="app-retired",
        when=lambda f: _is_app(f) and known(f.app).retired_at,
        says=lambda f: (
            f"{app_name(f)} is retired since "
            f"{moment(known(f.app).retired_at, f)}: its users have moved on."
        ),
        who=Who.NOBODY,
        step="Nothing.",
        target=Target.ZOOM_APP,
        tone=Tone.OFF,
    ),
    Rule(
        id="held",
        when=is_held,
        says=lambda f: (
            f"Recall takes no webhooks of {app_name(f)} since "
            f"{held_since(f)}, so meetings made since are not mapped."
        ),
        who=Who.ADMIN,
        step=ONCE_MENDED,
        target=Target.ZOOM_APP,
    ),
    Rule(
        id="deaf",
        when=is_deaf,
        says=lambda f: (
            f"Zoom's webhooks of {app_name(f)} are in trouble, so new "
            f"meetings may not be mapped: {known(f.validation).sentence}"
        ),
        who=Who.ADMIN,
        step="Mend the webhooks of the zoom app.",
        target=Target.ZOOM_APP,
    ),
    Rule(
        id="webhook-missed",
        when=_is_unsent,
        says=lambda f: (
            f"{who(f)} is connected and the token works, but Recall never "
            f"got {_unsent(f)}: it was given up."
        ),
        who=Who.ADMIN,
        step=RESEND,
        target=Target.WEBHOOK,
    ),
    Rule(
        id="healthy",
        when=lambda f: f.connection is not None,
        says=lambda f: (
            f"{who(f)} is connected, and the token works, as seen at {checked(f)}."
        ),
        who=Who.YOU,
        step="Paste a meeting's number to see why a bot asked in it.",
        target=Target.CONNECTION,
        tone=Tone.GOOD,
    ),
    Rule(
        id="app-fine",
        when=_is_app,
        says=lambda f: (
            f"{app_name(f)} is in Recall, and nothing is seen that keeps "
            "Zoom's webhooks from it."
        ),
        who=Who.NOBODY,
        step="Nothing. Paste a user or a meeting.",
        target=Target.ZOOM_APP,
        tone=Tone.GOOD,
    ),
    Rule(
        id="host-unnamed",
        when=lambda _: True,
        says=lambda _: (
            "Webhooks of it came, but none names a Zoom user, so whose it "
            "is cannot be said."
        ),
        who=Who.YOU,
        step="Paste the host's e-mail beside the number.",
        tone=Tone.OFF,
    ),
)


RULES: tuple[Rule, ...] = (
    *INPUT,
    *ACCOUNT,
    *APPS,
    *ASKED_WEBHOOK,
    *NUMBERS,
    *STRANGERS,
    *GRANTS,
    *UNMAPPED,
    *MAPPED,
    *AT_LARGE,
)


def judge(facts: Facts) -> Verdict:
    """Return what the first rule that fits says; the last one always does."""
    return next(rule.verdict(facts) for rule in RULES if rule.when(facts))
