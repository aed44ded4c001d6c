"""The evidence under a verdict: facts in, dated lines out, newest first. Pure."""

from collections.abc import Iterator

from dashboard.formatting import duration_words, grouped
from dashboard.models.connection import (
    AttemptOutcome,
    SyncStatus,
)
from dashboard.models.erasure import ErasureReason
from dashboard.models.webhook import Mark, Webhook
from dashboard.models.zoom_app import Kind
from dashboard.services.explain.verdicts import (
    HERE,
    RECALL,
    ZOOM,
    Facts,
    Line,
    Means,
    Target,
    app_name,
    at_connection,
    known,
    listed_at,
    moment,
    person,
    plain,
    who,
)

_USUAL = 3
"""So many webhooks of a user are listed even if all were delivered."""


def lines(facts: Facts) -> list[Line]:
    """Return what the verdict stands on, newest first; what has no time comes last."""
    found = [
        *_of_mapping(facts),
        *_of_bot(facts),
        *_of_pmi(facts),
        *_of_hooks(facts),
        *_of_zooms_log(facts),
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


def _of_bot(facts: Facts) -> Iterator[Line]:
    bot = facts.bot
    if bot is not None:
        words = f"A bot: {bot.outcome.state.word}. {bot.outcome.sentence}"
        yield Line(at=bot.at, source=RECALL, words=words)


def _of_mapping(facts: Facts) -> Iterator[Line]:
    row, mapping = facts.connection, facts.mapping
    if row is None or not facts.is_meeting:
        return
    name = f"meeting {grouped(facts.asked.number)}"
    if mapping is not None:
        yield Line(
            at=mapping.synced_at,
            source=RECALL,
            words=f"Recall linked {name} to {person(row)}; last seen in its list "
            f"{plain(moment(mapping.seen_at, facts), facts.now)}.",
            target=Target.CONNECTION,
            target_id=str(row.id),
        )
    elif (at := listed_at(facts)) is not None:
        words = f"Recall's list had no mapping of {name} to {person(row)}."
        yield at_connection(row, at, RECALL, words)
    if row.mappings_trouble:
        yield at_connection(row, None, RECALL, row.mappings_trouble)


def _of_pmi(facts: Facts) -> Iterator[Line]:
    asked, row = facts.asked.number, facts.connection
    for claim in facts.claims:
        yield at_connection(
            claim,
            claim.pmi_seen_at,
            ZOOM,
            f"{grouped(asked)} was the PMI of {person(claim)}.",
        )
    owner = facts.member or row
    if row is None or owner is None:
        return
    if facts.member is not None and facts.member.pmi == asked and asked:
        yield at_connection(
            row,
            facts.member.seen_at,
            ZOOM,
            f"{grouped(asked)} was the PMI of {who(facts)}.",
        )
    if facts.means is Means.FORMER_PMI:
        told = f", reported by {row.pmi_changed_by}" if row.pmi_changed_by else ""
        yield at_connection(
            row,
            owner.pmi_changed_at,
            ZOOM,
            f"The PMI of {who(facts)} changed from {grouped(owner.previous_pmi)} to "
            f"{grouped(owner.pmi) or 'none'}{told}.",
        )


def _of_hooks(facts: Facts) -> Iterator[Line]:
    for place, hook in enumerate(facts.hooks):
        is_usual = facts.delivery_of(hook).tone == "good" and hook.erased_at is None
        if place >= _USUAL and is_usual and not facts.is_meeting:
            continue
        about = "" if facts.is_meeting else _meeting(hook)
        yield Line(
            at=hook.received_at,
            source=ZOOM,
            words=f"{hook.event or 'A webhook'}{about}: "
            f"{_fate(hook, facts)}{_late(hook)}",
            target=Target.WEBHOOK,
            target_id=str(hook.id),
        )
    if facts.is_meeting and not facts.hooks:
        yield Line(
            at=None,
            source=ZOOM,
            words="The log has no webhook about meeting "
            f"{grouped(facts.asked.number)}.",
        )


def _of_zooms_log(facts: Facts) -> Iterator[Line]:
    for each in facts.sent[:_USUAL]:
        yield Line(
            at=each.row.sent_at,
            source=ZOOM,
            words=f"By Zoom's own log: {each.fact.sentence} {each.fact.reason}",
            target=Target.WEBHOOK if each.arrived else Target.ZOOM_APP,
            target_id=str(each.arrived.id if each.arrived else each.row.zoom_app_id),
        )


def _late(hook: Webhook) -> str:
    if hook.timing is not Mark.LATE:
        return ""
    age_s = hook.received_at.timestamp() - hook.sent_at_s
    return f" It was late: signed by Zoom {duration_words(age_s)} before it arrived."


def _meeting(hook: Webhook) -> str:
    return f" about meeting {grouped(hook.meeting_id)}" if hook.meeting_id else ""


def _fate(hook: Webhook, facts: Facts) -> str:
    if hook.erased_at is not None:
        return "its personal data has been deleted."
    fact = facts.delivery_of(hook)
    at = f" At {hook.delivered_at:%H:%M:%S} UTC." if hook.delivered_at else ""
    said = f"{fact.sentence}{at} {'' if at else fact.reason}".strip()
    return said[:1].lower() + said[1:]


def _of_app(facts: Facts) -> Iterator[Line]:
    app = facts.app
    if app is None:
        return
    its_id = str(app.id)
    if facts.stands is not None:
        way = facts.stands.way
        yield Line(
            at=way.since,
            source=ZOOM,
            words=f"Webhooks of {app_name(facts)}: {way.word.lower()}. {way.proof}",
            target=Target.ZOOM_APP,
            target_id=its_id,
        )
    paused = facts.paused
    if paused is not None:
        yield Line(
            at=paused.since,
            source=RECALL,
            words=f"{paused.sentence} {paused.reason}",
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
            words=f"{app_name(facts)} is account-level: a whole Zoom account connects.",
            target=Target.ZOOM_APP,
            target_id=its_id,
        )


def _of_timeline(facts: Facts) -> Iterator[Line]:
    for event in facts.timeline:
        yield Line(at=event.at, source=event.source.capitalize(), words=event.words)


_ATTEMPTS = {
    AttemptOutcome.OPEN: "is in progress",
    AttemptOutcome.CONNECTED: "succeeded",
    AttemptOutcome.DECLINED: "was declined at Zoom",
    AttemptOutcome.EXPIRED: "expired",
    AttemptOutcome.ABANDONED: "went to Zoom and never came back",
    AttemptOutcome.WRONG_ACCOUNT: "used a different Zoom account",
    AttemptOutcome.BEGUN_AT_ZOOM: "started at Zoom",
    AttemptOutcome.REPLAYED: "came back only in a different browser",
    AttemptOutcome.REFUSED_BY_RECALL: "was rejected by Recall",
    AttemptOutcome.REFUSED_BY_ZOOM: "was rejected by Zoom",
    AttemptOutcome.UNREACHABLE: "failed: Zoom or Recall could not be reached",
    AttemptOutcome.ZOOM_ERROR: "came back with an error from Zoom",
}
_SYNC = {
    SyncStatus.NOT_STARTED: "has not started",
    SyncStatus.IN_PROGRESS: "is in progress",
    SyncStatus.COMPLETED: "is complete",
    SyncStatus.FAILED: "failed",
}


def of_connection(facts: Facts) -> Iterator[Line]:
    """List what is known of the authorization that counts."""
    row = facts.connection
    if row is None:
        return
    stands = known(facts.standing)
    seen = f" Evidence: {stands.proof}" if stands.proof else ""
    yield at_connection(
        row,
        stands.proof_at,
        RECALL,
        f"{stands.word}: {stands.reason or 'not checked yet.'}{seen}",
    )
    yield at_connection(
        row,
        row.connected_at,
        HERE,
        f"{person(row)} connected, with Zoom user "
        f"{row.zoom_user_id or 'none (a whole account)'}.",
    )
    if row.reconnected_at is not None:
        yield at_connection(
            row, row.reconnected_at, HERE, f"{person(row)} reconnected."
        )
    if row.deauthorized_at is not None:
        yield at_connection(
            row,
            row.deauthorized_at,
            ZOOM,
            _REMOVED,
        )
    if row.recording_block:
        yield at_connection(
            row,
            row.recording_block_at,
            ZOOM,
            f"Zoom refused a recording token: {row.recording_block}",
        )
    if row.sync_status in _SYNC:
        yield at_connection(
            row,
            row.recall_seen_at,
            RECALL,
            f"Recall's meeting sync {_SYNC[row.sync_status]}.",
        )
    if facts.grant is not None and facts.grant.lost_at is not None:
        yield at_connection(
            row,
            facts.grant.lost_at,
            ZOOM,
            "Zoom refused to renew the token stored here.",
        )
    if facts.member is not None:
        member = facts.member
        yield at_connection(
            row,
            member.seen_at,
            ZOOM,
            f"{who(facts)} is a user of the connected account, "
            f"{member.status or 'status unknown'}.",
        )


def of_attempts(facts: Facts) -> Iterator[Line]:
    """List the newest invitation and the newest connect attempt."""
    found, attempt = facts.invitation, facts.attempt
    if found is not None:
        recipient = found.email or found.user_ref or found.zoom_user_id or "anyone"
        tried = f" They signed in as {found.tried_as}." if found.tried_as else ""
        yield Line(
            at=found.ended_at or found.opened_at or found.created_at,
            source=HERE,
            words=f"Invitation for {recipient}: {found.state.value.replace('_', ' ')},"
            f" created by {found.made_by or 'an unknown user'}, valid until "
            f"{found.expires_at:%Y-%m-%d %H:%M} UTC.{tried}",
        )
    if attempt is not None:
        how = _ATTEMPTS[attempt.outcome]
        said = f" {attempt.detail}" if attempt.detail else ""
        yield Line(
            at=attempt.ended_at or attempt.created_at,
            source=HERE,
            words=f"Latest connect attempt: {how}.{said}",
        )


_REMOVED = "Zoom reported that the user removed the app."
_LEFT = {
    ErasureReason.REMOVED_IN_ZOOM: (ZOOM, _REMOVED),
    ErasureReason.STAFF_DISCONNECTED: (HERE, "{who} disconnected the user."),
    ErasureReason.USER_DISCONNECTED: (HERE, "The user disconnected."),
    ErasureReason.WRONG_ACCOUNT: (
        HERE,
        "The user connected with the wrong Zoom account and was rejected.",
    ),
    ErasureReason.UNKNOWN: (
        HERE,
        "The deletion of their data began. The reason was not recorded.",
    ),
}


def of_gone(facts: Facts) -> Iterator[Line]:
    """Say why they left, as it was recorded, and how far deleting is."""
    gone = facts.gone
    if gone is None:
        return
    source, words = _LEFT[gone.reason]
    yield Line(at=gone.removed_at, source=source, words=words.format(who=gone.asked_by))
    if gone.done_at is not None:
        yield Line(
            at=gone.done_at,
            source=HERE,
            words="Their data stored here has been deleted.",
        )
    elif gone.deadline_at is not None:
        yield Line(
            at=None,
            source=HERE,
            words="Their data is being deleted; the deadline is "
            f"{gone.deadline_at:%Y-%m-%d %H:%M} UTC. {gone.trouble}",
        )


def of_others(facts: Facts) -> Iterator[Line]:
    """List further connections: in other apps, or of who was pasted."""
    for row in facts.others:
        yield at_connection(
            row,
            row.connected_at,
            HERE,
            f"{person(row)} connected, now {facts.shown(row)}.",
        )
    pasted = facts.pasted
    if pasted is not None and facts.connection is not pasted:
        yield at_connection(
            pasted,
            pasted.connected_at,
            HERE,
            f"{person(pasted)} connected as Zoom user {pasted.zoom_user_id or 'none'}, "
            f"now {facts.shown(pasted)}.",
        )
