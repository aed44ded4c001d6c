"""Rules of Explain about people who are not connected: how far they came."""

from datetime import datetime

from dashboard.models.connection import SETTLED, AttemptOutcome, TokenState
from dashboard.models.invitation import InvitationState
from dashboard.models.workspace import Verdict as Said
from dashboard.services.explain.verdicts import (
    Facts,
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


KEY_REFUSED = "Recall refused the workspace's API key"
PAIR_REFUSED = "Zoom refused the app's client ID and secret"
"""How a reason begins when an admin must act (see token_states/rules.py)."""


def _state(facts: Facts) -> TokenState | None:
    return None if facts.connection is None else facts.connection.token_state


def _is_unknown_for(facts: Facts, words: str) -> bool:
    row = facts.connection
    if row is None or row.token_state is not TokenState.UNKNOWN:
        return False
    return row.token_reason.startswith(words)


def _is_out_of_recall(facts: Facts) -> bool:
    app = facts.app
    return app is not None and app.recall_app_id is None and app.retired_at is None


def _is_key_refused(facts: Facts) -> bool:
    is_wrong = facts.workspace is not None and facts.workspace.verdict is Said.WRONG
    return is_wrong or _is_unknown_for(facts, KEY_REFUSED)


def _is_pair_refused(facts: Facts) -> bool:
    is_wrong = facts.app is not None and facts.app.verdict is Said.WRONG
    return is_wrong or _is_unknown_for(facts, PAIR_REFUSED)


def _dead_since(facts: Facts) -> datetime | None:
    """Return when the grant died, where something tells."""
    lost_at = None if facts.grant is None else facts.grant.lost_at
    return known(facts.connection).deauthorized_at or lost_at


def _was_dead(facts: Facts) -> bool:
    if _state(facts) is not TokenState.RECONNECT_NEEDED or facts.met_at is None:
        return False
    since = _dead_since(facts)
    return since is not None and since <= facts.met_at


def _is_told_removed(facts: Facts) -> bool:
    row = facts.connection
    is_told = row is not None and row.deauthorized_at is not None
    return is_told and _state(facts) is TokenState.UNKNOWN


APPS = (
    Rule(
        id="app-not-in-recall",
        when=_is_out_of_recall,
        says=lambda f: (
            f"{app_name(f)} is not in Recall, so nobody's meetings get a "
            "token through it."
        ),
        who=Who.ADMIN,
        step="Create the zoom app in Recall, or adopt the one that is there.",
        target=Target.ZOOM_APP,
    ),
    Rule(
        id="key-refused",
        when=_is_key_refused,
        says=lambda f: (
            f"Recall refuses the API key of {app_name(f)}'s workspace; no "
            "user has to act."
        ),
        who=Who.ADMIN,
        step="Enter the workspace's right API key.",
        target=Target.WORKSPACES,
    ),
    Rule(
        id="pair-refused",
        when=_is_pair_refused,
        says=lambda f: (
            f"Zoom refuses the client ID and secret of {app_name(f)}; no "
            "user has to act."
        ),
        who=Who.ADMIN,
        step="Enter the zoom app's right client secret, here and in Recall.",
        target=Target.ZOOM_APP,
    ),
)

GRANTS = (
    Rule(
        id="dead-then",
        when=_was_dead,
        says=lambda f: (
            f"The grant of {who(f)} was dead already when Zoom told of "
            f"{subject(f)} at {moment(f.met_at, f)}, and is so still."
        ),
        who=Who.USER,
        step="Send them the reconnect link.",
        target=Target.CONNECTION,
    ),
    Rule(
        id="dead",
        when=lambda f: _state(f) is TokenState.RECONNECT_NEEDED,
        says=lambda f: (
            f"{who(f)} must reconnect: the grant is dead, as seen at {checked(f)}."
        ),
        who=Who.USER,
        step="Send them the reconnect link.",
        target=Target.CONNECTION,
    ),
    Rule(
        id="missing-scopes",
        when=lambda f: _state(f) is TokenState.MISSING_SCOPES,
        says=lambda f: (
            f"{who(f)} is connected, but the grant lacks scopes, as seen at "
            f"{checked(f)}."
        ),
        who=Who.USER,
        step="They reconnect and leave every permission ticked. If the app itself "
        "lacks the scope, an admin adds it in Zoom first.",
        target=Target.CONNECTION,
    ),
    Rule(
        id="unhealthy",
        when=lambda f: _state(f) is TokenState.UNHEALTHY_IN_RECALL,
        says=lambda f: (
            f"{who(f)} is connected, but Recall marks the credential "
            f"unhealthy, as seen at {checked(f)}."
        ),
        who=Who.YOU,
        step="Press Check now: Recall tries it again. If that does not help, send the "
        "reconnect link.",
        target=Target.CONNECTION,
    ),
    Rule(
        id="host-setting",
        when=lambda f: f.connection is not None and f.connection.recording_block,
        says=lambda f: (
            f"The bot asks, because a setting of {who(f)} in Zoom blocks "
            f"local recording: {known(f.connection).recording_block.rstrip('.')}."
        ),
        who=Who.USER,
        step="They allow local recording in Zoom's settings, or their Zoom admin does.",
        target=Target.CONNECTION,
    ),
    Rule(
        id="removal-unproven",
        when=_is_told_removed,
        says=lambda f: (
            f"Zoom says that {who(f)} removed the app at "
            f"{moment(known(f.connection).deauthorized_at, f)}; nothing bears that out "
            "yet."
        ),
        who=Who.NOBODY,
        step="Nothing: it is looked at again by itself. Check now asks at once.",
        target=Target.CONNECTION,
        tone=Tone.WAITING,
    ),
    Rule(
        id="state-unknown",
        when=lambda f: _state(f) is TokenState.UNKNOWN,
        says=lambda f: (
            f"{who(f)} is connected; whether the token works is not known "
            "right now, and that is nobody's fault. The next look is at "
            f"{moment(known(f.connection).due_at, f)}."
        ),
        who=Who.NOBODY,
        step="Nothing: it is looked at again by itself. Check now asks at once.",
        target=Target.CONNECTION,
        tone=Tone.WAITING,
    ),
    Rule(
        id="expiring",
        when=lambda f: _state(f) is TokenState.EXPIRING,
        says=lambda f: (
            f"{who(f)} is connected, but Recall had not renewed the token "
            f"when it was seen at {checked(f)}."
        ),
        who=Who.NOBODY,
        step="Wait for the next look. If it stays so, ask Recall's support.",
        target=Target.CONNECTION,
        tone=Tone.WAITING,
    ),
)
