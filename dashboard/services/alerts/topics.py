"""Which problems are alerts, what each is a problem of, and what shows that it is over.

Nothing is decided here that `status.attention` and `facts` do not decide: a problem is
open while an item names it, and over when the same facts show the opposite. That it is
not seen any more proves nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel import Session, col, select

from dashboard.models.alert import AlertChannel, AlertKind
from dashboard.models.workspace import Workspace
from dashboard.models.zoom_app import Routing
from dashboard.services.alert_channels import channels
from dashboard.services.facts import zoom_apps as zoom_app_facts
from dashboard.services.facts.acting import Fact, Problem
from dashboard.services.facts.connections import Shown
from dashboard.services.heartbeats import heartbeats
from dashboard.services.heartbeats.heartbeats import WorkerStatus
from dashboard.services.status import attention, overview
from dashboard.services.status.attention import Item
from dashboard.services.status.overview import AppOverview
from dashboard.vault import Vault

GOOD = "good"


@dataclass(frozen=True, kw_only=True)
class Now:
    """All that is known at one instant.

    Attributes:
        items: What needs attention.
        apps: The zoom apps in use, by id.
        workspaces: All of them, by id.
        failing: Ids of the alert channels that do not work.
    """

    at: datetime
    items: Sequence[Item]
    apps: Mapping[UUID, AppOverview]
    workspaces: Mapping[UUID, Workspace]
    worker: WorkerStatus
    channels: Mapping[UUID, AlertChannel]

    def is_item(self, topic: str, subject: UUID | None) -> bool:
        """Whether something of that topic needs attention."""
        return any(
            topic_of(item.problem) == topic and subject_of(item) == subject
            for item in self.items
        )


def gather(
    session: Session,
    vault: Vault,
    *,
    public_url: str,
    secret_reminder_days: int,
    now: datetime,
) -> Now:
    """Read all that alerts are made of, as the overview does."""
    worker = heartbeats.find(session, now=now)
    apps = overview.list_apps(session, now=now, worker=worker)
    return Now(
        at=now,
        items=attention.items(
            session,
            apps,
            public_url=public_url,
            now=now,
            worker=worker,
            secret_reminder_days=secret_reminder_days,
            vault=vault,
        ),
        apps={each.app.id: each for each in apps},
        workspaces={
            each.id: each
            for each in session.exec(select(Workspace).order_by(col(Workspace.id)))
        },
        worker=worker,
        channels={each.id: each for each in channels.list_all(session)},
    )


def topic_of(problem: Problem) -> str:
    """Return what a problem is a problem of; "" for what is no alert."""
    found = _ALERTS.get(problem)
    return "" if found is None else found[0]


def kind_of(problem: Problem) -> AlertKind:
    """Return the kind of alert that a problem is."""
    return _ALERTS[problem][1]


def subject_of(item: Item) -> UUID | None:
    """Return which zoom app, workspace or channel has it; None: the installation."""
    return item.subject or item.zoom_app_id


ZOOM, RECALL, PAIR, KEY = "zoom", "recall", "pair", "key"
_V, _S, _D = AlertKind.VALIDATION, AlertKind.SECRETS, AlertKind.DELIVERY
_C, _P, _X = AlertKind.CONNECTIONS, AlertKind.CREDENTIALS, AlertKind.SERVER

_ALERTS: Mapping[Problem, tuple[str, AlertKind]] = {
    Problem.ZOOM_DISABLED: (ZOOM, _V),
    Problem.UNREACHABLE: (ZOOM, _V),
    Problem.VALIDATION_FAILS: (ZOOM, _V),
    Problem.VALIDATION_OVERDUE: (ZOOM, _V),
    Problem.ZOOM_SECRET: (ZOOM, _S),
    Problem.RECALL_SECRET: (RECALL, _S),
    Problem.RECALL_ANSWERS_WRONG: (RECALL, _D),
    Problem.RECALL_DISAGREES: (RECALL, _D),
    Problem.RECALL_UNTESTED: (RECALL, _D),
    Problem.GONE_FROM_RECALL: (RECALL, _D),
    Problem.NOT_IN_RECALL: ("recall_app", _D),
    Problem.SECRETS_UNSENT: ("rotation", _S),
    Problem.PAUSED: ("pause", _D),
    Problem.RECALL_DOWN: ("pause", _D),
    Problem.WEBHOOK_FAILED: ("failed", _D),
    Problem.ENDPOINT_PAUSED: ("endpoint", _D),
    Problem.WEBHOOK_QUEUED: ("backlog", AlertKind.BACKLOG),
    Problem.SILENT: ("events", AlertKind.SILENCE),
    Problem.ALL_REJECTED: ("events", AlertKind.REFUSED),
    Problem.REFUSED_MANY: ("refused", AlertKind.REFUSED),
    Problem.CALL_REJECTED: ("calls", AlertKind.REFUSED),
    Problem.CALLS_UNVERIFIED: ("calls", _P),
    Problem.CALLS_UNSIGNED: ("calls", _P),
    Problem.PAIR_REFUSED: (PAIR, _P),
    Problem.APP_DISABLED: (PAIR, _P),
    Problem.PAIR_DIFFERS: (PAIR, _P),
    Problem.PAIR_OUTDATED: (PAIR, _P),
    Problem.KEY_REFUSED: (KEY, _P),
    Problem.SECRETS_OLD: ("secret_age", _P),
    Problem.INVALID: ("reconnect", _C),
    Problem.UNHEALTHY: ("unhealthy", _C),
    Problem.MISSING_SCOPES: ("scopes", _C),
    Problem.UNCHECKABLE: ("uncheckable", _C),
    Problem.LOST_ATTEMPTS: ("attempts", _C),
    Problem.OWN_SERVER_STRANGERS: ("own_server", _C),
    Problem.HEALTHY_SHARE: ("share", AlertKind.HEALTH),
    Problem.DELETION_LATE: ("deletion", AlertKind.DELETION),
    Problem.NO_WORKER: ("worker", AlertKind.WORKER),
    Problem.RESTORED: ("restore", _X),
    Problem.CLOCK_WRONG: ("clock", _X),
    Problem.AUDIT_BROKEN: ("audit", _X),
    Problem.AUDIT_STREAM: ("stream", _X),
    Problem.DISK_FULL: ("disk", _X),
    Problem.KEYS_WRONG: ("keys", _X),
    Problem.CHANNEL_FAILS: ("channel", AlertKind.CHANNEL),
}
"""What else can be under Needs attention waits for no one outside: a set-up that is not
finished, what is being tested just now, and a public URL that Zoom would not accept."""


def evidence(topic: str, subject: UUID | None, seen: Now) -> str:  # noqa: PLR0911 - one for each kind of subject
    """Return what shows that a problem is over, as a sentence; "" when nothing does.

    Args:
        topic: The alert's.
        subject: The alert's.
        seen: Everything, at one instant.
    """
    if seen.is_item(topic, subject):
        return ""
    if topic in _OF_APPS:
        each = seen.apps.get(subject) if subject else None
        if each is None:
            return "The zoom app is retired."
        return _OF_APPS[topic](each, seen)
    if topic == KEY:
        workspace = seen.workspaces.get(subject) if subject else None
        if workspace is None:
            return "The workspace was removed."
        return _proof(zoom_app_facts.key(workspace, now=seen.at))
    if topic == "channel":
        channel = seen.channels.get(subject) if subject else None
        if channel is None:
            return "The channel was removed."
        return "A message arrived." if channel.failing_since is None else ""
    return _SENTENCES[topic]


def _proof(fact: Fact | None) -> str:
    """Return what a fact stands on, if it says that all is well."""
    if fact is None or fact.tone != GOOD:
        return ""
    return (fact.proof or fact.sentence).strip()


def _way_from_zoom(each: AppOverview, _seen: Now) -> str:
    standing = each.standing
    is_direct = standing.routing is Routing.DIRECT
    return _proof(standing.to_recall if is_direct else standing.from_zoom)


def _way_to_recall(each: AppOverview, _seen: Now) -> str:
    return _proof(each.standing.to_recall)


def _no_backlog(each: AppOverview, _seen: Now) -> str:
    # While delivery is paused, the pause is what is said of the webhooks that wait.
    if each.standing.delivery is not None or each.standing.worker is not None:
        return ""
    return "No webhook waits for more than 10 minutes."


def _events_come(each: AppOverview, _seen: Now) -> str:
    if each.standing.events is not None:
        return ""
    return "Events arrive again, or no user is connected any more."


def _none(shown: Shown, sentence: str) -> Callable[[AppOverview, Now], str]:
    def found(each: AppOverview, _seen: Now) -> str:
        # While no user gets a token, nothing is known of each.
        if each.cause is not None or each.connections[shown]:
            return ""
        return sentence

    return found


def _all_checkable(each: AppOverview, _seen: Now) -> str:
    is_open = each.cause is not None or each.unknown_for_admin
    return "" if is_open else "Every connection can be checked."


def _share(each: AppOverview, _seen: Now) -> str:
    share = attention.healthy_share(each)
    if each.cause is not None or share is None or share < attention.LEAST_HEALTHY:
        return ""
    return f"{share:.0%} of the connections are healthy."


def _few_refused(each: AppOverview, _seen: Now) -> str:
    return f"{attention.refused_lately(each)} were rejected in the last two hours."


def _says(sentence: str) -> Callable[[AppOverview, Now], str]:
    return lambda _each, _seen: sentence


_OF_APPS: Mapping[str, Callable[[AppOverview, Now], str]] = {
    ZOOM: _way_from_zoom,
    RECALL: _way_to_recall,
    PAIR: lambda each, _seen: _proof(each.standing.pair),
    "recall_app": _says("The app is in Recall."),
    "rotation": _says("The new secrets are in use."),
    "failed": _says("No failed webhook is left."),
    "backlog": _no_backlog,
    "events": _events_come,
    "refused": _few_refused,
    "reconnect": _none(Shown.RECONNECT_NEEDED, "No user needs to reconnect."),
    "unhealthy": _none(Shown.UNHEALTHY_IN_RECALL, "Recall reports none any more."),
    "scopes": _none(Shown.MISSING_SCOPES, "No scope is missing."),
    "uncheckable": _all_checkable,
    "attempts": _says("Users come back from Zoom again."),
    "own_server": _says("The token server answers 404 for a user it doesn't know."),
    "share": _share,
}
_SENTENCES = {
    "pause": "A test delivery succeeded.",
    "endpoint": "The endpoint was resumed or removed.",
    "calls": "Token requests are signed and verified.",
    "deletion": "What was late is deleted.",
    "worker": "A worker reports again.",
    "restore": "Every connection was checked again.",
    "clock": "The clock was not seen wrong again.",
    "audit": "The audit log is whole.",
    "stream": "The audit log is written there again.",
    "disk": "There is enough free space.",
    "keys": "The secrets can be decrypted.",
    "secret_age": "Every secret is young enough.",
}
"""Of these the item itself stands on what is measured now: without it, it is over."""
