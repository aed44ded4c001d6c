"""Every case of the rule of both clocks, one row each, all seen at noon.

docs/validation.md holds the same table for people; a test compares the two.
"""

from dataclasses import dataclass

from dashboard.models.check import Finding
from dashboard.models.zoom_app import Routing
from dashboard.services.validation.states import Evidence, State
from tests.services.validation_stage import (
    SEEN,
    api,
    before,
    called,
    changed,
    directly,
    event,
    outside,
    passed_on,
    probed,
    seen,
    told,
)

GOOD, MISMATCH, FAILED = Finding.GOOD, Finding.SECRET_MISMATCH, Finding.FAILED
NOT_SEEN, GONE = Finding.NOT_SEEN, Finding.GONE


@dataclass(frozen=True)
class Case:
    """One row of the rule.

    Attributes:
        id: As in the docs.
        sentence: What the status says, word for word.
    """

    id: str
    seen: Evidence
    state: State
    sentence: str = SEEN


_OFF = (
    "Zoom's last 6 challenges in a row failed, so it has stopped sending and disabled "
    "the event subscription. Re-enable the event subscription in Zoom, press Validate, "
    "then Save."
)
_CHANGED = (
    "The secret token was changed since Zoom last called. Press Validate in Zoom to "
    "prove the new one."
)
_UNTRIED = "Not tried with the secret token stored now. Press Probe now."
_LOOK = (
    "See in Zoom whether the event subscription is still enabled, and press Validate."
)
_NEVER = "Zoom never validated Recall's URL. Paste it in Zoom and press Validate there."
_GONE = "The app is gone from Recall: create it again or adopt one."

OURS = [
    Case(
        "posts-directly",
        directly(called(), outside(FAILED)),
        State.NEVER_SEEN,
        "Zoom posts to Recall directly; nothing is expected here.",
    ),
    Case("switched-off", seen(called(FAILED, 2, 6)), State.FAILING, _OFF),
    Case(
        "switched-off-then-changed",
        seen(called(MISMATCH, 2, 9), changed(1)),
        State.FAILING,
        _OFF,
    ),
    Case("mismatch", seen(called(MISMATCH, 2, 2), before(74)), State.SECRET_MISMATCH),
    Case(
        "mismatch-then-changed",
        seen(called(MISMATCH, 2, 2), changed(1)),
        State.WAITING,
        _CHANGED,
    ),
    Case("failing", seen(called(FAILED, 2, 1), before(74)), State.FAILING),
    Case(
        "healed-by-event",
        seen(called(MISMATCH, 2, 1), before(74), event(1)),
        State.VALID,
    ),
    Case(
        "not-reachable",
        seen(called(GOOD, 9), event(5), outside(FAILED, 2)),
        State.FAILING,
    ),
    Case(
        "reached-since",
        seen(called(GOOD, 9), event(1), outside(FAILED, 2)),
        State.VALID,
    ),
    Case(
        "nothing",
        seen(),
        State.NEVER_SEEN,
        "Zoom has not called yet. Paste the webhook URL in Zoom and press Validate "
        "there.",
    ),
    Case(
        "works-from-outside",
        seen(outside()),
        State.WAITING,
        "The address works from outside. Paste the webhook URL in Zoom and press "
        "Validate there.",
    ),
    Case(
        "events-only",
        seen(event(1)),
        State.WAITING,
        "Genuine events arrive, but no challenge was seen yet. Press Validate in Zoom.",
    ),
    Case("changed", seen(called(GOOD, 5), changed(2)), State.WAITING, _CHANGED),
    Case("changed-and-event", seen(called(GOOD, 5), changed(2), event(1)), State.VALID),
    Case("valid", seen(called(GOOD, 96)), State.VALID),
    Case(
        "overdue",
        seen(called(GOOD, 150)),
        State.OVERDUE,
        "Zoom's check was due 3 days ago and was not seen here; Zoom may have counted "
        f"about 2 failures. {_LOOK}",
    ),
    Case(
        "overdue-but-events",
        seen(called(GOOD, 100), event(1)),
        State.OVERDUE,
        "Zoom's check was due 28 h ago and was not seen here, though events still "
        "arrive. Press Validate in Zoom.",
    ),
    Case(
        "overdue-for-long",
        seen(called(GOOD, 24 * 20)),
        State.OVERDUE,
        "Zoom's check was due 17 days ago and was not seen here; Zoom has probably "
        "counted 6 failures and disabled the event subscription. Re-enable the event "
        "subscription in Zoom, press Validate, then Save.",
    ),
]

RELAY = [
    Case(
        "not-in-recall",
        seen(probed(), is_in_recall=False),
        State.NEVER_SEEN,
        "The app is not in Recall yet.",
    ),
    Case("gone", seen(probed(), api(GONE)), State.FAILING, _GONE),
    Case("answered-since-gone", seen(probed(GOOD, 1), api(GONE, 2)), State.VALID),
    Case("untried", seen(api(GOOD, 0.5, 1)), State.WAITING, _UNTRIED),
    Case("changed", seen(probed(MISMATCH, 2), changed(1)), State.WAITING, _UNTRIED),
    Case("mismatch", seen(probed(MISMATCH)), State.SECRET_MISMATCH),
    Case("failing", seen(passed_on(FAILED)), State.FAILING),
    Case(
        "overdue",
        seen(probed(GOOD, 97)),
        State.OVERDUE,
        "Recall answered rightly, but long ago. Press Probe now.",
    ),
    Case(
        "api-says-never",
        seen(probed(), api(NOT_SEEN)),
        State.RECALL_DISAGREES,
        f"Recall answered our challenge rightly, but {SEEN}",
    ),
    Case(
        "api-says-long-ago",
        seen(probed(), api(GOOD, 0.5, 97)),
        State.RECALL_DISAGREES,
        f"Recall answered our challenge rightly, but {SEEN}",
    ),
    Case("valid", seen(passed_on(GOOD, 96)), State.VALID),
    Case("api-down", seen(probed(), api(FAILED)), State.VALID),
]

DIRECT = [
    Case(
        "not-in-recall",
        seen(told(1), routing=Routing.DIRECT, is_in_recall=False),
        State.NEVER_SEEN,
        "The app is not in Recall yet.",
    ),
    Case("gone", directly(probed(), api(GONE)), State.FAILING, _GONE),
    Case("mismatch", directly(probed(MISMATCH, 1), told(2)), State.SECRET_MISMATCH),
    Case(
        "mismatch-then-validated",
        directly(probed(MISMATCH, 2), told(1)),
        State.RECALL_DISAGREES,
        "Zoom validated Recall's URL after our challenge came back wrong: Recall was "
        "mended since, or the secret token stored here is not the one in Zoom. Press "
        "Probe now.",
    ),
    Case("failing", directly(probed(FAILED), told(2)), State.FAILING),
    Case("validated-since", directly(probed(FAILED, 2), told(1)), State.VALID),
    Case("untried", directly(), State.WAITING, _UNTRIED),
    Case(
        "not-asked",
        directly(probed()),
        State.WAITING,
        "Recall holds the right secret token, but its API was not asked yet whether "
        "Zoom validated its URL.",
    ),
    Case(
        "api-down",
        directly(probed(), api(FAILED)),
        State.WAITING,
        "Recall holds the right secret token, but its API was not asked yet whether "
        "Zoom validated its URL.",
    ),
    Case(
        "never-validated",
        directly(probed(), api(NOT_SEEN)),
        State.NEVER_SEEN,
        f"Recall holds the right secret token, but {_NEVER}",
    ),
    Case(
        "never-validated-nor-probed", directly(api(NOT_SEEN)), State.NEVER_SEEN, _NEVER
    ),
    Case(
        "taken-back",
        seen(told(10, 9), probed(), api(NOT_SEEN), routing=Routing.DIRECT),
        State.NEVER_SEEN,
        f"Recall holds the right secret token, but {_NEVER}",
    ),
    Case(
        "echo",
        directly(probed(GOOD, 1), api(GOOD, 0.5, 1)),
        State.NEVER_SEEN,
        f"Recall holds the right secret token, but {_NEVER}",
    ),
    Case(
        "changed",
        directly(told(2), changed(1)),
        State.WAITING,
        "The secret token was changed since Zoom last called Recall. Press Validate in "
        "Zoom to prove the new one.",
    ),
    Case("valid", directly(told(96)), State.VALID),
    Case(
        "api-silent",
        directly(told(30, 25)),
        State.OVERDUE,
        "Recall's API was last heard 25 h ago; what it said then is too old to go by.",
    ),
    Case(
        "overdue",
        directly(told(100)),
        State.OVERDUE,
        "Zoom's check was due 28 h ago and Recall did not see it; Zoom may have "
        f"counted about 1 failure. {_LOOK}",
    ),
    Case(
        "overdue-for-long",
        directly(told(24 * 20)),
        State.OVERDUE,
        "Zoom's check was due 17 days ago and Recall did not see it; Zoom has probably "
        "counted 6 failures and disabled the event subscription. Re-enable the event "
        "subscription in Zoom, press Validate, then Save.",
    ),
]
