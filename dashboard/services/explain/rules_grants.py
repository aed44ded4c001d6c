"""Rules of Explain about what stands above a grant, and about the grant itself."""

from datetime import datetime

from dashboard.models.connection import TokenState
from dashboard.models.workspace import Verdict as Said
from dashboard.services.explain.facts import Facts
from dashboard.services.explain.verdicts import (
    Rule,
    Target,
    Tone,
    Who,
    app_name,
    checked,
    known,
    moment,
    subject,
    who,
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
