"""The evidence under a verdict: facts in, dated lines out, newest first. Pure."""

from collections.abc import Iterator

from dashboard.formatting import grouped
from dashboard.models.webhook import Outcome, Webhook
from dashboard.models.zoom_app import Kind
from dashboard.services.explain.evidence_people import (
    of_attempts,
    of_connection,
    of_gone,
    of_others,
)
from dashboard.services.explain.facts import Facts, Means
from dashboard.services.explain.verdicts import (
    HERE,
    RECALL,
    ZOOM,
    Line,
    Target,
    app_name,
    at_connection,
    person,
    who,
)

_USUAL = 3
"""So many webhooks of a user are shown however well they went."""


def lines(facts: Facts) -> list[Line]:
    """Return what the verdict stands on, newest first; what has no time comes last."""
    found = [
        *_of_mapping(facts),
        *_of_pmi(facts),
        *_of_hooks(facts),
        *of_connection(facts),
        *of_attempts(facts),
        *of_gone(facts),
        *_of_app(facts),
        *_of_timeline(facts),
        *of_others(facts),
    ]
    dated = [line for line in found if line.at is not None]
    dated.sort(key=lambda line: line.at or facts.now, reverse=True)
    return dated + [line for line in found if line.at is None]


def _of_mapping(facts: Facts) -> Iterator[Line]:
    row, mapping = facts.connection, facts.mapping
    if row is None or not facts.is_meeting:
        return
    name = f"meeting {grouped(facts.asked.number)}"
    if mapping is not None:
        yield Line(
            at=mapping.synced_at,
            source=RECALL,
            words=f"Recall mapped {name} to credential {row.recall_credential_id}, of "
            f"{person(row)}.",
            target=Target.CONNECTION,
            target_id=str(row.id),
        )
    else:
        yield Line(
            at=row.token_checked_at,
            source=RECALL,
            words=f"No mapping of {name} was seen among those of {person(row)}.",
            target=Target.CONNECTION,
            target_id=str(row.id),
        )


def _of_pmi(facts: Facts) -> Iterator[Line]:
    asked, row = facts.asked.number, facts.connection
    for claim in facts.claims:
        yield at_connection(
            claim,
            claim.pmi_seen_at or claim.token_checked_at,
            ZOOM,
            f"{grouped(asked)} is the PMI of {person(claim)}, as seen then.",
        )
    owner = facts.member or row
    if row is None or owner is None:
        return
    if facts.member is not None and facts.member.pmi == asked and asked:
        yield at_connection(
            row,
            facts.member.seen_at,
            ZOOM,
            f"{grouped(asked)} is the PMI of {who(facts)}, as seen then.",
        )
    if facts.means is Means.FORMER_PMI:
        told = f", as {row.pmi_changed_by} told" if row.pmi_changed_by else ""
        yield at_connection(
            row,
            owner.pmi_changed_at,
            ZOOM,
            f"The PMI of {who(facts)} changed from {grouped(owner.previous_pmi)} to "
            f"{grouped(owner.pmi) or 'none'}{told}.",
        )


def _of_hooks(facts: Facts) -> Iterator[Line]:
    for place, hook in enumerate(facts.hooks):
        is_usual = hook.outcome is Outcome.DELIVERED and hook.erased_at is None
        if place >= _USUAL and is_usual and not facts.is_meeting:
            continue
        about = "" if facts.is_meeting else _meeting(hook)
        yield Line(
            at=hook.received_at,
            source=ZOOM,
            words=f"{hook.event or 'A webhook'}{about}: {_fate(hook)}.",
            target=Target.WEBHOOK,
            target_id=str(hook.id),
        )
    if facts.is_meeting and not facts.hooks:
        yield Line(
            at=None,
            source=ZOOM,
            words=f"No webhook about meeting {grouped(facts.asked.number)} is in the "
            "log.",
        )


def _meeting(hook: Webhook) -> str:
    return f" about meeting {grouped(hook.meeting_id)}" if hook.meeting_id else ""


def _fate(hook: Webhook) -> str:
    if hook.erased_at is not None:
        return "what it told of the user is deleted"
    why = f" ({hook.outcome_reason.rstrip('.')})" if hook.outcome_reason else ""
    match hook.outcome:
        case Outcome.DELIVERED if hook.delivered_at is not None:
            return f"Recall took it at {hook.delivered_at:%H:%M:%S} UTC"
        case Outcome.DELIVERED:
            return "Recall took it"
        case Outcome.DEAD:
            return f"Recall never got it, it was given up{why}"
        case Outcome.WAITING:
            return f"it waits to be sent to Recall{why}"
        case Outcome.KEPT:
            return "only kept, Zoom posts to Recall itself"


def _of_app(facts: Facts) -> Iterator[Line]:
    app = facts.app
    if app is None:
        return
    its_id, status = str(app.id), facts.validation
    if status is not None:
        yield Line(
            at=status.since,
            source=ZOOM,
            words=f"Webhooks of {app_name(facts)}: {status.word.lower()}. "
            f"{status.sentence}",
            target=Target.ZOOM_APP,
            target_id=its_id,
        )
    if facts.hold is not None:
        yield Line(
            at=facts.hold.since,
            source=RECALL,
            words=f"Deliveries stand still: {facts.hold.reason}",
            target=Target.ZOOM_APP,
            target_id=its_id,
        )
    if app.recall_app_id is None:
        yield Line(
            at=None,
            source=HERE,
            words=f"{app_name(facts)} has no Recall app ID.",
            target=Target.ZOOM_APP,
            target_id=its_id,
        )
    elif app.kind is Kind.ACCOUNT_LEVEL:
        yield Line(
            at=None,
            source=HERE,
            words=f"{app_name(facts)} is connected by whole Zoom accounts.",
            target=Target.ZOOM_APP,
            target_id=its_id,
        )


def _of_timeline(facts: Facts) -> Iterator[Line]:
    for event in facts.timeline:
        yield Line(at=event.at, source=event.source.capitalize(), words=event.words)
