"""The rules of Explain in order, with the first and the last of them. Pure.

The first rule that fits decides; docs/explain.md has the same table for people, row by
row, and a test compares the two.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from dashboard.formatting import grouped
from dashboard.services.bot_tests import outcomes
from dashboard.services.explain.questions import Kind
from dashboard.services.explain.rules_meetings import (
    ASKED_WEBHOOK,
    BOTS,
    DELETED,
    NOT_TAKEN,
    NUMBERS,
    TOKENLESS_BOTS,
    UNMAPPED,
    UNSENT,
    asked_for,
    has_webhook_problem,
    is_paused,
    named,
    next_test,
    paused,
    paused_problem,
    webhook_problem,
)
from dashboard.services.explain.rules_people import (
    APPS,
    GRANTS,
    RECONNECTS,
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
    listed,
    moment,
    subject,
    who,
)
from dashboard.services.facts.acting import Fact, Problem

_MADE = {"meeting.created", "meeting.updated"}


def _is_mapped(facts: Facts) -> bool:
    return facts.connection is not None and facts.mapping is not None


def _is_listed(facts: Facts) -> bool:
    """Whether Recall links the meeting to the user now, by what was read lately."""
    return _is_mapped(facts) and facts.is_listed


def _mapped(facts: Facts) -> str:
    return moment(known(facts.mapping).synced_at, facts)


def _mentioned_before(facts: Facts, at: datetime | None) -> bool:
    return facts.met_at is not None and at is not None and facts.met_at < at


def _is_late(facts: Facts) -> bool:
    """Whether it had begun before Recall mapped it."""
    if not _is_listed(facts) or not facts.hooks or facts.hooks[0].event in _MADE:
        return False
    return _mentioned_before(facts, known(facts.mapping).synced_at)


def _is_app(facts: Facts) -> bool:
    return facts.means is Means.APP and facts.app is not None


def _app_problem(facts: Facts) -> Fact | None:
    """Return what its page or Needs attention shows of the app, first of all."""
    stands = facts.stands
    if not _is_app(facts) or stands is None:
        return None
    return stands.alarm or next(iter(stands.problems), None)


def _main(facts: Facts) -> Fact:
    return known(_app_problem(facts))


def _is_unsent(facts: Facts) -> bool:
    """Whether delivery of this user's webhook failed; no meeting is asked about."""
    stuck = facts.stuck
    is_failed = (
        stuck is not None and facts.delivery_of(stuck).problem is Problem.WEBHOOK_FAILED
    )
    return facts.connection is not None and not facts.is_meeting and is_failed


def _unsent(facts: Facts) -> str:
    hook = known(facts.stuck)
    about = f" about meeting {grouped(hook.meeting_id)}" if hook.meeting_id else ""
    return f"{named(hook, facts)}{about}"


def _why_unknown(facts: Facts) -> Sequence[str]:
    """Return why nothing may mention a meeting, the likeliest first."""
    del facts
    return (
        "Its host hasn't connected. Ask who scheduled it, and look them up here.",
        "Its host connected another Zoom account. Ask which account they used.",
        (
            "It was scheduled before its host connected, and Recall's sync missed it. "
            "Look the host up and press Sync meetings."
        ),
    )


INPUT = (
    Rule(
        id="not-understood",
        when=lambda f: f.asked.kind is Kind.NOTHING,
        says=lambda _: "This text contains no email, ID, meeting number or join link.",
        problem=Problem.NOT_UNDERSTOOD,
        tone=Tone.OFF,
    ),
    Rule(
        id="no-number",
        when=lambda f: f.asked.kind is Kind.NO_NUMBER,
        says=lambda _: (
            "Personal links, registration links and meeting UUIDs contain no "
            "meeting number, so there is nothing to look up."
        ),
        problem=Problem.NO_NUMBER,
        tone=Tone.OFF,
    ),
    Rule(
        id="email-not-connected",
        when=lambda f: f.is_meeting and f.asked.email and not f.is_known,
        says=lambda f: (
            f"{f.asked.email} hasn't connected Zoom, so a bot must ask in their "
            f"meetings. Nothing here mentions {subject(f)}."
        ),
        problem=Problem.EMAIL_NOT_CONNECTED,
        tone=Tone.OFF,
    ),
    Rule(
        id="unknown-meeting",
        when=lambda f: f.is_meeting and not f.is_known,
        says=lambda f: (
            f"Nothing here mentions {subject(f)}. Most likely its host hasn't "
            "connected: Zoom only sends webhooks about connected users."
        ),
        problem=Problem.UNKNOWN_MEETING,
        tone=Tone.OFF,
        causes=_why_unknown,
    ),
    Rule(
        id="email-unknown",
        when=lambda f: f.asked.kind is Kind.EMAIL and not f.is_known,
        says=lambda f: f"{f.asked.email} hasn't connected Zoom and has no invitation.",
        problem=Problem.EMAIL_UNKNOWN,
        tone=Tone.OFF,
    ),
    Rule(
        id="unknown",
        when=lambda f: not f.is_known,
        says=lambda f: (
            f"No results for “{f.asked.shown}”. No connection, invitation or "
            "webhook matches."
        ),
        problem=Problem.UNKNOWN,
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
        problem=Problem.ACCOUNT_OF_USERS,
        tone=Tone.OFF,
    ),
)

MAPPED = (
    Rule(
        id="connected-after",
        when=lambda f: (
            _is_listed(f) and _mentioned_before(f, known(f.connection).connected_at)
        ),
        says=lambda f: (
            f"{who(f)} connected {moment(known(f.connection).connected_at, f)}, after "
            f"Zoom's last webhook about {subject(f)}, {moment(f.met_at, f)}. A bot had "
            f"no token then; it worked when last checked, {checked(f)}."
        ),
        problem=Problem.NEXT_BOT,
        target=Target.CONNECTION,
        tone=Tone.GOOD,
    ),
    Rule(
        id="renewed-since",
        when=lambda f: _is_listed(f) and _mentioned_before(f, f.granted_at),
        says=lambda f: (
            f"{who(f)} reconnected {moment(f.granted_at, f)}, after Zoom's last "
            f"webhook about {subject(f)}, {moment(f.met_at, f)}. The earlier "
            "connection may have been broken; the current one worked when last "
            f"checked, {checked(f)}."
        ),
        problem=Problem.NEXT_BOT,
        target=Target.CONNECTION,
        tone=Tone.GOOD,
    ),
    Rule(
        id="mapped-late",
        when=_is_late,
        says=lambda f: (
            f"Recall mapped {subject(f)} to {who(f)} only {_mapped(f)}, after "
            f"{named(f.hooks[0], f)}."
        ),
        problem=Problem.NEXT_BOT,
        target=Target.CONNECTION,
        tone=Tone.GOOD,
    ),
    *TOKENLESS_BOTS,
    Rule(
        id="bot-recorded",
        when=lambda f: (
            f.bot is not None
            and f.bot.outcome.state is outcomes.State.RECORDED
            and f.connection is not None
        ),
        says=lambda f: (
            f"A bot was allowed to record in {subject(f)}, as of "
            f"{moment(known(f.bot).at, f)}. The connection of {who(f)} worked when "
            f"last checked, {checked(f)}."
        ),
        problem=Problem.NOTHING_TO_DO,
        target=Target.CONNECTION,
        tone=Tone.GOOD,
    ),
    Rule(
        id="mapped-then",
        when=lambda f: _is_mapped(f) and not f.is_listed,
        says=lambda f: (
            f"Recall linked {subject(f)} to {who(f)} when its list was read "
            f"{listed(f)}. Whether it still does isn't known. "
            f"{known(f.connection).mappings_trouble}"
        ).strip(),
        problem=Problem.LIST_UNREAD,
        target=Target.CONNECTION,
        tone=Tone.WAITING,
    ),
    Rule(
        id="ready",
        when=_is_mapped,
        says=lambda f: (
            f"Everything we can see is in order: Recall's list had {subject(f)} as "
            f"{who(f)}'s {listed(f)}, and their connection worked when last checked, "
            f"{checked(f)}."
        ),
        problem=Problem.CHECK_THE_BOT,
        target=Target.CONNECTION,
        tone=Tone.GOOD,
    ),
)

AT_LARGE = (
    Rule(
        id="webhook-delivered",
        when=lambda f: asked_for(f, Problem.NONE) and f.connection is None,
        says=lambda f: (
            f"Recall accepted {named(f.hooks[0], f)} "
            f"{moment(f.hooks[0].delivered_at, f)}."
        ),
        problem=Problem.NOTHING_TO_DO,
        target=Target.WEBHOOK,
        tone=Tone.GOOD,
    ),
    Rule(
        id="app-retired",
        when=lambda f: _is_app(f) and known(f.app).retired_at,
        says=lambda f: (
            f"{app_name(f)} was retired {moment(known(f.app).retired_at, f)}. "
            "Its users have moved on."
        ),
        problem=Problem.NOTHING_TO_DO,
        target=Target.ZOOM_APP,
        tone=Tone.OFF,
    ),
    Rule(
        id="app-problem",
        when=_app_problem,
        says=lambda f: f"{app_name(f)}: {_main(f).sentence} {_main(f).reason}".strip(),
        problem=lambda f: _main(f).problem,
        target=Target.ZOOM_APP,
        tone=lambda f: Tone(_main(f).tone),
    ),
    Rule(
        id="held",
        by_worker=True,
        when=is_paused,
        says=lambda f: (
            "Meetings created now are not mapped: delivery to Recall for "
            f"{app_name(f)} has been {paused(f)}"
        ),
        problem=paused_problem,
        next_at=next_test,
        target=Target.ZOOM_APP,
    ),
    Rule(
        id="deaf",
        when=has_webhook_problem,
        says=lambda f: (
            f"Zoom's webhooks for {app_name(f)} have a problem, so new meetings "
            f"may not be mapped: {webhook_problem(f)}"
        ),
        problem=Problem.DEAF,
        target=Target.ZOOM_APP,
    ),
    Rule(
        id="webhook-missed",
        when=_is_unsent,
        says=lambda f: (
            f"{who(f)} is connected, and it worked when last checked, {checked(f)}. "
            f"But we could not deliver {_unsent(f)} to Recall and stopped trying."
        ),
        problem=Problem.WEBHOOK_FAILED,
        target=Target.WEBHOOK,
    ),
    Rule(
        id="healthy",
        when=lambda f: f.connection is not None,
        says=lambda f: (
            f"{who(f)} is connected. It worked when last checked, {checked(f)}."
        ),
        problem=Problem.PASTE_A_MEETING,
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
        problem=Problem.APP_FINE,
        target=Target.ZOOM_APP,
        tone=Tone.GOOD,
    ),
    Rule(
        id="host-unnamed",
        when=lambda _: True,
        says=lambda f: f"Zoom's webhooks mention {subject(f)} but not its host.",
        problem=Problem.HOST_UNNAMED,
        tone=Tone.OFF,
    ),
)


RULES: tuple[Rule, ...] = (
    *INPUT,
    *ACCOUNT,
    *ASKED_WEBHOOK,
    *DELETED,
    *NUMBERS,
    *BOTS,
    *NOT_TAKEN,
    *UNSENT,
    *APPS,
    *STRANGERS,
    *RECONNECTS,
    *GRANTS,
    *STALE,
    *UNMAPPED,
    *MAPPED,
    *AT_LARGE,
)


def judge(facts: Facts) -> Verdict:
    """Return what the first rule that fits says; the last one always does.

    Whose email the pasted one was is said first.
    """
    found = next(rule.verdict(facts) for rule in RULES if rule.when(facts))
    return replace(found, text=f"{_once_called(facts)}{found.text}")


def _once_called(facts: Facts) -> str:
    former = facts.former
    row = facts.pasted or facts.connection
    if former is None or row is None:
        return ""
    user = row if facts.member is None else facts.member
    now_is = f" It is {user.email} now." if user.email else ""
    name = user.display_name or f"Zoom user {user.zoom_user_id or 'unknown'}"
    until = moment(former.until, facts)
    return f"{former.email} was the email of {name} until {until}.{now_is} "
