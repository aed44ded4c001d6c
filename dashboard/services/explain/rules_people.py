"""Rules of Explain about people: connect attempts, invitations, authorizations."""

from collections.abc import Callable, Sequence
from datetime import datetime

from dashboard.models.connection import AttemptOutcome, ConnectAttempt
from dashboard.models.erasure import ErasureReason
from dashboard.models.invitation import InvitationState
from dashboard.services.explain.verdicts import (
    MANY,
    Facts,
    Rule,
    Target,
    Tone,
    age,
    app_name,
    checked,
    known,
    moment,
    person,
    subject,
    who,
)
from dashboard.services.facts.acting import Problem, Who
from dashboard.services.facts.connections import (
    Shown,
    is_deleted_in_recall,
    is_refused_by_zoom,
)
from dashboard.services.invitations.invitations import state_of

_REFUSED = {
    AttemptOutcome.REFUSED_BY_RECALL: "Recall rejected it",
    AttemptOutcome.REFUSED_BY_ZOOM: "Zoom rejected it",
    AttemptOutcome.ZOOM_ERROR: "Zoom reported an error",
    AttemptOutcome.UNREACHABLE: "Zoom or Recall could not be reached",
}
_SETTLED = {Shown.RECONNECT_NEEDED, Shown.UNHEALTHY_IN_RECALL}
_CLOSED = {InvitationState.REVOKED, InvitationState.EXPIRED}


def _outcome(facts: Facts) -> AttemptOutcome | None:
    if facts.connection is not None or facts.attempt is None:
        return None
    return facts.attempt.outcome


def _invited(facts: Facts) -> InvitationState | None:
    """Return how far an invited user who is not connected has come."""
    if facts.connection is not None or facts.invitation is None:
        return None
    return state_of(facts.invitation, now=facts.now)


def _ended_so(facts: Facts, outcome: AttemptOutcome, state: InvitationState) -> bool:
    """Whether the newest attempt ended so, or, without any, the invitation did."""
    found = _outcome(facts)
    return found is outcome or (found is None and _invited(facts) is state)


def _tried_at(facts: Facts) -> str:
    attempt = known(facts.attempt)
    return moment(attempt.ended_at or attempt.created_at, facts)


def _tried_ago(facts: Facts) -> str:
    return age(known(facts.attempt).created_at, facts)


def _is_erased(facts: Facts) -> bool:
    if facts.connection is not None:
        return False
    is_done = facts.gone is not None and facts.gone.done_at is not None
    return is_done or any(hook.erased_at is not None for hook in facts.hooks)


def _is_removed(facts: Facts) -> bool:
    row = facts.connection
    if row is None:
        return facts.gone is not None
    return row.deauthorized_at is not None and _shown(facts) in _SETTLED


def _left(facts: Facts) -> str:
    """Say why they left and when, as it was recorded; no full stop."""
    row, gone = facts.connection, facts.gone
    if row is not None or gone is None:
        at = None if row is None else row.deauthorized_at
        return f"{who(facts)} removed the app in Zoom {moment(at, facts)}"
    return _LEFT[gone.reason].format(
        who=who(facts), staff=gone.asked_by, at=moment(gone.removed_at, facts)
    )


_LEFT = {
    ErasureReason.REMOVED_IN_ZOOM: "{who} removed the app in Zoom {at}",
    ErasureReason.STAFF_DISCONNECTED: (
        "{staff} disconnected this user {at}; Zoom may still list the app for them"
    ),
    ErasureReason.USER_DISCONNECTED: "The user disconnected {at}",
    ErasureReason.WRONG_ACCOUNT: (
        "The user connected with the wrong Zoom account {at} and was rejected"
    ),
    ErasureReason.UNKNOWN: (
        "The deletion of this user's data began {at}; the reason was not recorded"
    ),
}


def _erased(facts: Facts) -> str:
    gone = facts.gone
    if gone is None or gone.done_at is None:
        at = next(hook.erased_at for hook in facts.hooks if hook.erased_at is not None)
        return (
            "The personal data of this webhook's user was deleted "
            f"{moment(at, facts)}: they left or were disconnected."
        )
    return f"{_left(facts)}. Their data has been deleted."


def _is_other_account(facts: Facts) -> bool:
    """Whether they are connected, and the meeting is another Zoom user's."""
    pasted = facts.pasted
    if pasted is None or facts.host_id is None or facts.connection is not None:
        return False
    return pasted.zoom_user_id != facts.host_id


def _why_none_came_back(facts: Facts) -> Sequence[str]:
    del facts
    return (
        (
            "Zoom shows Invalid redirect (4,700). Compare the redirect URL in Zoom "
            "with the Zoom app's here, including the trailing slash."
        ),
        "The window was closed. Ask the user what Zoom showed.",
    )


def _why_one_never_came_back(facts: Facts) -> Sequence[str]:
    del facts
    return (
        "The window was closed. Ask the user what Zoom showed.",
        "Their Zoom admin must approve the app: Zoom shows a request for approval.",
        (
            "An unpublished app was used from another Zoom account: Zoom says that the "
            "app can't be authorized."
        ),
    )


def _some(number: int) -> str:
    return f"{number}+" if number == MANY else f"{number}"


STRANGERS = (
    Rule(
        id="erased",
        when=_is_erased,
        says=_erased,
        problem=Problem.LEFT,
        target=Target.CONNECT_LINK,
        tone=Tone.OFF,
    ),
    Rule(
        id="removed",
        when=_is_removed,
        says=lambda f: f"{_left(f)}.",
        problem=Problem.LEFT,
        target=Target.CONNECT_LINK,
    ),
    Rule(
        id="other-account",
        when=_is_other_account,
        says=lambda f: (
            f"{person(known(f.pasted))} is connected with a different Zoom "
            f"account than the one that created {subject(f)}."
        ),
        problem=Problem.OTHER_ACCOUNT,
        target=Target.CONNECT_LINK,
    ),
    Rule(
        id="wrong-account",
        when=lambda f: (
            _ended_so(f, AttemptOutcome.WRONG_ACCOUNT, InvitationState.WRONG_ACCOUNT)
            and _invited(f) not in _CLOSED
        ),
        says=lambda _: (
            "The user signed in with a different Zoom account than the "
            "invitation is for, and was rejected."
        ),
        problem=Problem.WRONG_ACCOUNT,
    ),
    Rule(
        id="declined",
        when=lambda f: _ended_so(f, AttemptOutcome.DECLINED, InvitationState.DECLINED),
        says=lambda _: "The user declined the approval in Zoom.",
        problem=Problem.DECLINED,
    ),
    Rule(
        id="others-came-back",
        when=lambda f: _outcome(f) is AttemptOutcome.ABANDONED and f.came_back,
        says=lambda f: (
            f"The user went to Zoom and never came back, {_tried_at(f)}. Others did "
            f"within a day ({_some(f.came_back)}), so the redirect URL is right."
        ),
        problem=Problem.OTHERS_CAME_BACK,
        target=Target.CONNECT_LINK,
        causes=_why_one_never_came_back,
    ),
    Rule(
        id="abandoned",
        when=lambda f: _outcome(f) is AttemptOutcome.ABANDONED,
        says=lambda f: (
            f"The user went to Zoom and never came back, {_tried_at(f)}, and no other "
            "user came back within a day."
        ),
        problem=Problem.REDIRECT_DOUBTED,
        target=Target.ZOOM_APP,
        causes=_why_none_came_back,
    ),
    Rule(
        id="came-too-late",
        when=lambda f: (
            _outcome(f) is AttemptOutcome.EXPIRED and _invited(f) not in _CLOSED
        ),
        says=lambda f: f"The user didn't come back from Zoom in time, {_tried_at(f)}.",
        problem=Problem.CAME_TOO_LATE,
        target=Target.CONNECT_LINK,
    ),
    Rule(
        id="other-browser",
        when=lambda f: _outcome(f) is AttemptOutcome.REPLAYED,
        says=lambda f: (
            f"Only a different browser came back from Zoom, {_tried_at(f)}, "
            "and it was rejected."
        ),
        problem=Problem.OTHER_BROWSER,
        target=Target.CONNECT_LINK,
    ),
    Rule(
        id="attempt-refused",
        when=lambda f: _outcome(f) in _REFUSED,
        says=lambda f: (
            f"The user tried to connect {_tried_at(f)}, but "
            f"{_REFUSED[known(_outcome(f))]}."
        ),
        problem=Problem.ATTEMPT_REFUSED,
        target=Target.ZOOM_APP,
    ),
    Rule(
        id="at-zoom",
        when=lambda f: _outcome(f) is AttemptOutcome.OPEN,
        says=lambda f: f"The user went to Zoom {_tried_ago(f)} ago and isn't back yet.",
        problem=Problem.AT_ZOOM,
        tone=Tone.WAITING,
    ),
    Rule(
        id="disconnected",
        when=lambda f: _invited(f) is InvitationState.DONE,
        says=lambda _: (
            "The user connected through their invitation, but the connection has "
            "since been deleted."
        ),
        problem=Problem.DISCONNECTED,
        target=Target.CONNECT_LINK,
    ),
    Rule(
        id="invitation-revoked",
        when=lambda f: _invited(f) is InvitationState.REVOKED,
        says=lambda _: "The user hasn't connected, and their invitation was revoked.",
        problem=Problem.INVITE_AGAIN,
    ),
    Rule(
        id="invitation-expired",
        when=lambda f: _invited(f) is InvitationState.EXPIRED,
        says=lambda f: (
            "The user was invited but hasn't connected. The invitation expired "
            f"{moment(known(f.invitation).expires_at, f)}."
        ),
        problem=Problem.INVITE_AGAIN,
    ),
    Rule(
        id="invitation-opened",
        when=lambda f: _invited(f) is InvitationState.OPENED,
        says=lambda f: (
            "The user pressed Connect on their invitation "
            f"{moment(known(f.invitation).opened_at, f)} but hasn't connected."
        ),
        problem=Problem.INVITATION_OPENED,
        tone=Tone.WAITING,
    ),
    Rule(
        id="invited",
        when=lambda f: _invited(f) is InvitationState.MADE,
        says=lambda f: (
            f"The user was invited {moment(known(f.invitation).created_at, f)} "
            "but hasn't pressed Connect there yet."
        ),
        problem=Problem.INVITED,
        tone=Tone.WAITING,
    ),
    Rule(
        id="host-not-connected",
        when=lambda f: f.connection is None and f.is_meeting and f.host_id,
        says=lambda f: (
            f"The host hasn't connected. Zoom says user {f.host_id} created "
            f"{subject(f)}, and there is no connection for them."
        ),
        problem=Problem.HOST_NOT_CONNECTED,
        target=Target.CONNECT_LINK,
    ),
    Rule(
        id="not-connected",
        when=lambda f: f.connection is None and f.is_person and f.hooks,
        says=lambda f: (
            "The user hasn't connected, but Zoom's webhooks mention them, most "
            f"recently {moment(f.hooks[0].received_at, f)}."
        ),
        problem=Problem.HOST_NOT_CONNECTED,
        target=Target.CONNECT_LINK,
    ),
)


def _shown(facts: Facts) -> Shown | None:
    return None if facts.standing is None else facts.standing.shown


def _is(*problems: Problem) -> Callable[[Facts], bool]:
    """Whether this is wrong, and of whoever is not connected nothing nearer is known.

    What is wrong with an app is not why a host who never connected got no token.
    """
    return lambda facts: (
        facts.cause is not None
        and facts.cause.problem in problems
        and (
            facts.connection is not None
            or not any(rule.when(facts) for rule in STRANGERS)
        )
    )


def _cause_problem(facts: Facts) -> Problem:
    return known(facts.cause).problem


def _invalid_since(facts: Facts) -> datetime | None:
    """Return when the grant died, where something tells."""
    lost_at = None if facts.grant is None else facts.grant.lost_at
    return known(facts.connection).deauthorized_at or lost_at


def _was_invalid(facts: Facts) -> bool:
    if _shown(facts) is not Shown.RECONNECT_NEEDED or facts.met_at is None:
        return False
    since = _invalid_since(facts)
    return since is not None and since <= facts.met_at


def _is_removal_unproven(facts: Facts) -> bool:
    row = facts.connection
    is_told = row is not None and row.deauthorized_at is not None
    return is_told and _shown(facts) is Shown.UNKNOWN


def _rule_of(
    id: str,  # noqa: A002 - as a rule calls it
    when: Callable[[Facts], bool],
    says: Callable[[Facts], str],
    target: Target = Target.ZOOM_APP,
) -> Rule:
    return Rule(
        id=id,
        when=when,
        says=says,
        problem=_cause_problem,
        target=target,
    )


APPS = (
    _rule_of(
        "app-not-in-recall",
        _is(Problem.NOT_IN_RECALL, Problem.GONE_FROM_RECALL),
        lambda f: (
            f"{app_name(f)} doesn't exist in Recall, so no meeting gets a token "
            "through it."
        ),
    ),
    _rule_of(
        "key-refused",
        _is(Problem.KEY_REFUSED),
        lambda f: (
            f"Recall rejects the API key of {app_name(f)}'s workspace. No user "
            "has to do anything."
        ),
        Target.WORKSPACES,
    ),
    _rule_of(
        "app-disabled",
        _is(Problem.APP_DISABLED),
        lambda f: (
            f"Zoom has switched {app_name(f)} off, so it gives out no tokens. No user "
            "has to do anything."
        ),
    ),
    _rule_of(
        "pair-refused",
        _is(Problem.PAIR_REFUSED),
        lambda f: (
            f"Zoom rejects the client ID and secret of {app_name(f)}. No user has "
            "to do anything."
        ),
    ),
    _rule_of(
        "pair-doubted",
        _is(Problem.PAIR_DOUBTED, Problem.PAIR_DIFFERS),
        lambda f: (
            f"{app_name(f)}: {known(f.stands).pair.sentence} "
            f"{known(f.stands).pair.reason}"
        ),
    ),
    _rule_of(
        "no-credit",
        _is(Problem.NO_CREDIT),
        lambda f: (
            f"The workspace of {app_name(f)} is out of credit at Recall, so {who(f)} "
            f"couldn't be checked {checked(f)}. No user has to do anything."
        ),
        Target.WORKSPACES,
    ),
    _rule_of(
        "not-allowed",
        _is(Problem.NOT_ALLOWED),
        lambda f: (
            f"Recall doesn't let {app_name(f)}'s API key read {who(f)}'s connection. "
            "No user has to do anything."
        ),
        Target.WORKSPACES,
    ),
    _rule_of(
        "user-inactive",
        _is(Problem.USER_INACTIVE),
        lambda f: (
            f"Zoom says that {who(f)} is not active, so bots can't record without "
            "asking. The user can't change that."
        ),
        Target.CONNECTION,
    ),
    _rule_of(
        "other-user",
        _is(Problem.OTHER_USER),
        lambda f: (
            f"The token of {who(f)}'s connection belongs to another Zoom user. No user "
            "has to do anything."
        ),
        Target.CONNECTION,
    ),
    _rule_of(
        "no-token",
        _is(Problem.NO_TOKEN),
        lambda f: (
            f"Recall gave no token for {who(f)} {checked(f)}. Either their "
            "authorization ended, or Recall has another client secret."
        ),
        Target.CONNECTION,
    ),
    _rule_of(
        "zoom-says-no",
        _is(Problem.NO_ANSWER),
        lambda f: (
            f"Zoom rejected a test call for {who(f)} {checked(f)}, for a reason we "
            "don't know. No user has to do anything."
        ),
        Target.CONNECTION,
    ),
)


def _began(facts: Facts) -> str:
    """Name when the state of the connection was first seen."""
    stands = known(facts.standing)
    return moment(stands.since or stands.proof_at, facts)


def _next_check(facts: Facts) -> datetime | None:
    return known(facts.standing).next_check


def _ended(facts: Facts) -> str:
    """Say what was seen of an authorization that ended, and no more."""
    if is_refused_by_zoom(known(facts.connection)):
        return "Zoom no longer accepts their authorization"
    return "bots get no token for them any more"


def _until_then(facts: Facts) -> str:
    """Say what that means for the meeting, if one is asked about."""
    return (
        f" Until then a bot in {subject(facts)} has to ask." if facts.is_meeting else ""
    )


def _why_unhealthy(facts: Facts) -> Sequence[str]:
    """Return why Recall may have stopped using a credential, the likeliest first."""
    row = known(facts.connection)
    ended = "Zoom accepts their authorization no more: a new one fixes it."
    outage = "Zoom did not answer Recall for a while: press Check now to try again."
    log = "Recall's log of the credential, below, says what Zoom answered."
    tried_at = row.recall_tried_at
    if known(facts.standing).problem is Problem.STILL_UNHEALTHY:
        again = f"Recall tried it again {moment(tried_at, facts)}, and it failed again."
        return (f"{ended} {again} {log}",)
    return (f"{ended} {log}", outage)


def _why_dead(facts: Facts) -> Sequence[str]:
    """Return why Zoom may accept an authorization no more, the likeliest first."""
    row = known(facts.connection)
    removed = "They removed the app in Zoom."
    if row.deauthorized_at is not None:
        return (f"{removed} Zoom reported it {moment(row.deauthorized_at, facts)}.",)
    idle = "It was not used for 90 days. Nothing here says so."
    return (
        f"{removed} Ask them; Zoom reported nothing here.",
        (
            "They approved the app again elsewhere, which ends the earlier approval. "
            "The connect attempts show those made here."
        ),
        idle,
    )


_LATER = {
    AttemptOutcome.OPEN: Problem.AT_ZOOM,
    AttemptOutcome.DECLINED: Problem.DECLINED,
    AttemptOutcome.EXPIRED: Problem.CAME_TOO_LATE,
    AttemptOutcome.REPLAYED: Problem.OTHER_BROWSER,
    AttemptOutcome.WRONG_ACCOUNT: Problem.WRONG_ACCOUNT,
    AttemptOutcome.ABANDONED: Problem.REDIRECT_DOUBTED,
    AttemptOutcome.REFUSED_BY_RECALL: Problem.ATTEMPT_REFUSED,
    AttemptOutcome.REFUSED_BY_ZOOM: Problem.ATTEMPT_REFUSED,
    AttemptOutcome.ZOOM_ERROR: Problem.ATTEMPT_REFUSED,
    AttemptOutcome.UNREACHABLE: Problem.ATTEMPT_REFUSED,
}
"""What follows from a try to reconnect that did not end well."""

_TRIED = {
    AttemptOutcome.DECLINED: "they declined it at Zoom",
    AttemptOutcome.EXPIRED: "they came back too late",
    AttemptOutcome.REPLAYED: "only a different browser came back",
    AttemptOutcome.WRONG_ACCOUNT: "they used a different Zoom account",
    AttemptOutcome.ABANDONED: "they never came back from Zoom",
    **_REFUSED,
}


def _retry(facts: Facts) -> ConnectAttempt | None:
    """Return the try to reconnect of a user whose connection needs one."""
    stands, attempt = facts.standing, facts.attempt
    if stands is None or attempt is None or stands.who not in (Who.USER, Who.YOU):
        return None
    since = stands.since or stands.proof_at
    is_later = since is None or attempt.created_at >= since
    return attempt if is_later and attempt.outcome in _LATER else None


def _retry_problem(facts: Facts) -> Problem:
    attempt = known(_retry(facts))
    if attempt.outcome is AttemptOutcome.ABANDONED and facts.came_back:
        return Problem.OTHERS_CAME_BACK
    return _LATER[attempt.outcome]


def _retried(facts: Facts) -> str:
    attempt = known(_retry(facts))
    began = moment(attempt.created_at, facts)
    if attempt.outcome is AttemptOutcome.OPEN:
        return f"{who(facts)} needs to reconnect, went to Zoom {began} and isn't back."
    return (
        f"{who(facts)} needs to reconnect and tried {began}: {_TRIED[attempt.outcome]}."
    )


RECONNECTS = (
    Rule(
        id="reconnecting",
        when=lambda f: _retry(f) and known(_retry(f)).outcome is AttemptOutcome.OPEN,
        says=_retried,
        problem=_retry_problem,
        target=Target.CONNECTION,
        tone=Tone.WAITING,
    ),
    Rule(
        id="reconnect-failed",
        when=_retry,
        says=_retried,
        problem=_retry_problem,
        target=Target.CONNECTION,
    ),
)

GRANTS = (
    Rule(
        id="dead-then",
        when=_was_invalid,
        says=lambda f: (
            f"The connection of {who(f)} had already stopped working "
            f"{moment(_invalid_since(f), f)}, before Zoom's last webhook about "
            f"{subject(f)}, {moment(f.met_at, f)}, and still does not work."
        ),
        target=Target.CONNECTION,
        causes=_why_dead,
    ),
    Rule(
        id="credential-gone",
        when=lambda f: (
            _shown(f) is Shown.RECONNECT_NEEDED
            and is_deleted_in_recall(known(f.connection))
        ),
        says=lambda f: (
            f"{who(f)} needs to reconnect: Recall no longer has their credential, "
            f"first seen {_began(f)}. Zoom was not the reason.{_until_then(f)}"
        ),
        target=Target.CONNECTION,
    ),
    Rule(
        id="dead",
        when=lambda f: _shown(f) is Shown.RECONNECT_NEEDED,
        says=lambda f: (
            f"{who(f)} needs to reconnect: {_ended(f)}, first seen {_began(f)}."
            f"{_until_then(f)}"
        ),
        target=Target.CONNECTION,
        causes=_why_dead,
    ),
    Rule(
        id="missing-scopes",
        when=lambda f: _shown(f) is Shown.MISSING_SCOPES,
        says=lambda f: (
            f"{who(f)} is connected but did not allow everything. "
            f"{known(f.standing).reason}"
        ),
        target=Target.CONNECTION,
    ),
    Rule(
        id="unhealthy",
        when=lambda f: _shown(f) is Shown.UNHEALTHY_IN_RECALL,
        says=lambda f: (
            f"{who(f)} is connected, but Recall stopped using the credential after "
            f"errors, first seen {_began(f)}.{_until_then(f)}"
        ),
        target=Target.CONNECTION,
        causes=_why_unhealthy,
    ),
    Rule(
        id="host-setting",
        when=lambda f: f.connection is not None and f.connection.recording_block,
        says=lambda f: (
            f"The bot asks because a Zoom setting of {who(f)} blocks local "
            f"recording: {known(f.connection).recording_block.rstrip('.')}."
        ),
        target=Target.CONNECTION,
    ),
    Rule(
        id="removal-unproven",
        by_worker=True,
        when=_is_removal_unproven,
        says=lambda f: (
            f"Zoom reported {moment(known(f.connection).deauthorized_at, f)} that "
            f"{who(f)} removed the app. We are checking that."
        ),
        target=Target.CONNECTION,
        tone=Tone.WAITING,
    ),
    Rule(
        id="state-unknown",
        by_worker=True,
        when=lambda f: _shown(f) is Shown.UNKNOWN,
        says=lambda f: (
            f"{who(f)} is connected, but we could not check the connection: "
            f"{known(f.standing).reason}"
        ),
        target=Target.CONNECTION,
        tone=Tone.WAITING,
        next_at=_next_check,
    ),
    Rule(
        id="expiring",
        by_worker=True,
        when=lambda f: _shown(f) is Shown.EXPIRING,
        says=lambda f: (
            f"{who(f)} is connected, but Recall had not renewed the token when last "
            f"checked, {checked(f)}."
        ),
        target=Target.CONNECTION,
        tone=Tone.WAITING,
        next_at=_next_check,
    ),
)

STALE = (
    Rule(
        id="healthy-then",
        when=lambda f: _shown(f) is Shown.LAST_SEEN_HEALTHY,
        says=lambda f: (
            f"{who(f)} is connected. It worked when last checked, {checked(f)}; "
            "whether it works now isn't known."
        ),
        problem=Problem.HEALTHY_THEN,
        target=Target.CONNECTION,
        tone=Tone.WAITING,
        next_at=_next_check,
    ),
)
"""The authorization worked once; what the meeting's own webhooks say comes first."""
