"""Rules of Explain about one webhook, and what the other rules ask of webhooks."""

from datetime import datetime

from dashboard.models.webhook import Outcome, Webhook
from dashboard.services.explain.facts import Facts
from dashboard.services.explain.questions import Kind
from dashboard.services.explain.verdicts import (
    Rule,
    Target,
    Tone,
    Who,
    app_name,
    known,
    moment,
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
