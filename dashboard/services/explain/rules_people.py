"""Rules of Explain about people who are not connected: how far they came."""

from datetime import datetime

from dashboard.models.connection import SETTLED, AttemptOutcome
from dashboard.models.invitation import InvitationState
from dashboard.services.explain.facts import Facts
from dashboard.services.explain.verdicts import (
    Rule,
    Target,
    Tone,
    Who,
    known,
    moment,
    person,
    subject,
    who,
)
from dashboard.services.invitations.invitations import state_of

_REFUSED = {
    AttemptOutcome.REFUSED_BY_RECALL: "Recall refused it",
    AttemptOutcome.REFUSED_BY_ZOOM: "Zoom refused it",
    AttemptOutcome.ZOOM_ERROR: "Zoom reported an error",
    AttemptOutcome.UNREACHABLE: "Zoom or Recall could not be reached",
}
_CLOSED = {InvitationState.REVOKED, InvitationState.EXPIRED}
_SEND_LINK = (
    "Send them the connect link, and ask them to use the Zoom account that makes the "
    "meetings."
)
_ANEW = "If they want bots to record again, they connect anew."
_INVITE_AGAIN = "Send the user a new invitation."


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


def _is_erased(facts: Facts) -> bool:
    if facts.connection is not None:
        return False
    is_done = facts.gone is not None and facts.gone.done_at is not None
    return is_done or any(hook.erased_at is not None for hook in facts.hooks)


def _is_removed(facts: Facts) -> bool:
    row = facts.connection
    if row is None:
        return facts.gone is not None
    return row.deauthorized_at is not None and row.token_state in SETTLED


def _removed_at(facts: Facts) -> datetime | None:
    if facts.connection is not None:
        return facts.connection.deauthorized_at
    return known(facts.gone).removed_at


def _is_other_account(facts: Facts) -> bool:
    """Whether they are connected, and the meeting is another Zoom user's."""
    pasted = facts.pasted
    if pasted is None or facts.host_id is None or facts.connection is not None:
        return False
    return pasted.zoom_user_id != facts.host_id


STRANGERS = (
    Rule(
        id="erased",
        when=_is_erased,
        says=lambda _: (
            "The user removed the app, and what was kept of them is "
            "deleted, as Zoom demands."
        ),
        who=Who.USER,
        step=_ANEW,
        target=Target.CONNECT_LINK,
        tone=Tone.OFF,
    ),
    Rule(
        id="removed",
        when=_is_removed,
        says=lambda f: (
            f"{who(f)} removed the app in Zoom at {moment(_removed_at(f), f)}."
        ),
        who=Who.USER,
        step=_ANEW,
        target=Target.CONNECT_LINK,
    ),
    Rule(
        id="other-account",
        when=_is_other_account,
        says=lambda f: (
            f"{person(known(f.pasted))} is connected, but as another Zoom "
            f"account than the one that made {subject(f)}."
        ),
        who=Who.USER,
        step="They connect once more, signed in to Zoom with the account that made the "
        "meeting. Only its maker's connection counts.",
        target=Target.CONNECT_LINK,
    ),
    Rule(
        id="wrong-account",
        when=lambda f: (
            _ended_so(f, AttemptOutcome.WRONG_ACCOUNT, InvitationState.WRONG_ACCOUNT)
            and _invited(f) not in _CLOSED
        ),
        says=lambda _: (
            "The user came with another Zoom account than the invitation "
            "was made for, and was turned away."
        ),
        who=Who.USER,
        step="They sign out of Zoom, and open the invitation again with the right "
        "account.",
    ),
    Rule(
        id="declined",
        when=lambda f: _ended_so(f, AttemptOutcome.DECLINED, InvitationState.DECLINED),
        says=lambda _: "The user was asked by Zoom, and declined.",
        who=Who.USER,
        step=f"Tell them what is read and why. {_INVITE_AGAIN}",
    ),
    Rule(
        id="abandoned",
        when=lambda f: _outcome(f) is AttemptOutcome.ABANDONED,
        says=lambda f: (
            "The user left for Zoom and never came back, as of "
            f"{_tried_at(f)}. That is usually Zoom's page Invalid redirect (4,700)."
        ),
        who=Who.ADMIN,
        step="Compare the redirect URL in Zoom's console with the zoom app's, to the "
        "last slash; then let the user try again.",
        target=Target.ZOOM_APP,
    ),
    Rule(
        id="came-too-late",
        when=lambda f: (
            _outcome(f) is AttemptOutcome.EXPIRED and _invited(f) not in _CLOSED
        ),
        says=lambda f: (
            f"The user did not come back from Zoom in time, as of {_tried_at(f)}."
        ),
        who=Who.USER,
        step="They open the link again and allow within a few minutes.",
        target=Target.CONNECT_LINK,
    ),
    Rule(
        id="other-browser",
        when=lambda f: _outcome(f) is AttemptOutcome.REPLAYED,
        says=lambda f: (
            "The user came back from Zoom in another browser than they began in, "
            f"at {_tried_at(f)}, and was turned away."
        ),
        who=Who.USER,
        step="They open the link again, and go to Zoom and back in one browser.",
        target=Target.CONNECT_LINK,
    ),
    Rule(
        id="attempt-refused",
        when=lambda f: _outcome(f) in _REFUSED,
        says=lambda f: (
            f"The user tried to connect at {_tried_at(f)}, and "
            f"{_REFUSED[known(_outcome(f))]}."
        ),
        who=Who.ADMIN,
        step="Read below what was said. When it is mended, the user opens the link "
        "again.",
        target=Target.ZOOM_APP,
    ),
    Rule(
        id="at-zoom",
        when=lambda f: _outcome(f) is AttemptOutcome.OPEN,
        says=lambda f: f"The user is at Zoom, asked to allow, since {_tried_at(f)}.",
        who=Who.USER,
        step="Wait until they allow.",
        tone=Tone.WAITING,
    ),
    Rule(
        id="disconnected",
        when=lambda f: _invited(f) is InvitationState.DONE,
        says=lambda _: (
            "The user connected through their invitation, and that "
            "connection is deleted since."
        ),
        who=Who.USER,
        step=_INVITE_AGAIN,
        target=Target.CONNECT_LINK,
    ),
    Rule(
        id="invitation-revoked",
        when=lambda f: _invited(f) is InvitationState.REVOKED,
        says=lambda _: "The user has not connected; their invitation was revoked.",
        who=Who.YOU,
        step=_INVITE_AGAIN,
    ),
    Rule(
        id="invitation-expired",
        when=lambda f: _invited(f) is InvitationState.EXPIRED,
        says=lambda f: (
            "The user was invited and has not connected; the invitation "
            f"ended at {moment(known(f.invitation).expires_at, f)}."
        ),
        who=Who.YOU,
        step=_INVITE_AGAIN,
    ),
    Rule(
        id="invitation-opened",
        when=lambda f: _invited(f) is InvitationState.OPENED,
        says=lambda f: (
            "The user opened their invitation at "
            f"{moment(known(f.invitation).opened_at, f)}, and has not gone on to Zoom."
        ),
        who=Who.USER,
        step="They press Connect on the page of the invitation.",
        tone=Tone.WAITING,
    ),
    Rule(
        id="invited",
        when=lambda f: _invited(f) is InvitationState.MADE,
        says=lambda f: (
            "The user was invited at "
            f"{moment(known(f.invitation).created_at, f)}, and has not opened the "
            "invitation."
        ),
        who=Who.USER,
        step="They open the invitation; send it again if it was lost.",
        tone=Tone.WAITING,
    ),
    Rule(
        id="host-not-connected",
        when=lambda f: f.connection is None and f.is_meeting and f.host_id,
        says=lambda f: (
            f"The host has not connected: Zoom says that user {f.host_id} "
            f"made {subject(f)}, and nobody is connected as them."
        ),
        who=Who.USER,
        step=_SEND_LINK,
        target=Target.CONNECT_LINK,
    ),
    Rule(
        id="not-connected",
        when=lambda f: f.connection is None and f.is_person and f.hooks,
        says=lambda f: (
            "The user has not connected, though Zoom's webhooks speak of "
            f"them, last at {moment(f.hooks[0].received_at, f)}."
        ),
        who=Who.USER,
        step=_SEND_LINK,
        target=Target.CONNECT_LINK,
    ),
)
