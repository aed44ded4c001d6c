"""A page's banner names the one thing to mend first, and how."""

from typing import Any

import pytest

from dashboard.models.check import Source
from dashboard.models.workspace import Verdict
from dashboard.models.zoom_app import Routing
from dashboard.services.status import alarms
from dashboard.services.status.alarms import Remedy
from dashboard.services.status.silence import Silence
from dashboard.services.validation.states import State, ValidationStatus
from dashboard.vault import Vault
from tests.makers import NOON, a_zoom_app

SILENT = Silence(sentence="Nothing is heard.", detail="See in Zoom.", since=NOON)
REFUSED = Silence(
    sentence="All were refused.", detail="See why.", since=NOON, is_refused=True
)


def a_status(state: State = State.VALID, **over: Any) -> ValidationStatus:
    values: dict[str, Any] = {"sentence": f"It is {state}.", "since": NOON}
    return ValidationStatus(state=state, **(values | over))


FINE = a_status()
MISMATCH = a_status(State.SECRET_MISMATCH, failures=1)
FAILING = a_status(State.FAILING, failures=2)
OFF = a_status(State.FAILING, failures=6)
OUTSIDE = a_status(State.FAILING, source=Source.OUTSIDE_PROBE)
GONE = a_status(State.FAILING, title="Deleted in Recall")


@pytest.mark.parametrize(
    ("seen", "sentence", "remedy"),
    [
        ((OFF, MISMATCH, SILENT), "disabled", Remedy.SEE_URL),
        ((MISMATCH, MISMATCH, None), "Zoom signs with a different one", Remedy.EDIT),
        ((OUTSIDE, FINE, None), "self-test", Remedy.SEE_URL),
        ((FAILING, FINE, None), "fails: 2 of 6 failed checks", Remedy.SEE_URL),
        (
            (FINE, MISMATCH, SILENT),
            "Recall has a different one",
            Remedy.UPDATE_IN_RECALL,
        ),
        ((FINE, GONE, None), "It is failing.", Remedy.SEE_RECALL_APP),
        ((FINE, a_status(State.FAILING), None), "doesn't respond", Remedy.PROBE),
        ((FINE, FINE, SILENT), "Nothing is heard.", Remedy.SEE_URL),
        ((a_status(State.OVERDUE), FINE, REFUSED), "refused", Remedy.SEE_REFUSED),
    ],
)
def test_the_worst_comes_first_with_what_mends_it(
    vault: Vault,
    seen: tuple[ValidationStatus, ValidationStatus, Silence | None],
    sentence: str,
    remedy: Remedy,
) -> None:
    zoom_status, recall_status, silent = seen

    alarm = alarms.first(
        a_zoom_app(vault),
        zoom_status=zoom_status,
        recall_status=recall_status,
        waiting=3,
        failed=0,
        silent=silent,
    )

    assert alarm is not None
    assert sentence in alarm.sentence
    assert alarm.remedy is remedy
    assert alarm.detail


def test_a_pair_that_zoom_refuses_comes_before_all(vault: Vault) -> None:
    app = a_zoom_app(vault, verdict=Verdict.WRONG)

    alarm = alarms.first(
        app, zoom_status=OFF, recall_status=GONE, waiting=0, failed=0, silent=SILENT
    )

    assert alarm is not None
    assert alarm.remedy is Remedy.EDIT


@pytest.mark.parametrize("state", [State.VALID, State.WAITING, State.OVERDUE])
def test_without_trouble_there_is_no_banner(vault: Vault, state: State) -> None:
    status = a_status(state)

    assert (
        alarms.first(
            a_zoom_app(vault),
            zoom_status=status,
            recall_status=status,
            waiting=0,
            failed=0,
        )
        is None
    )


@pytest.mark.parametrize(
    ("waiting", "failed", "is_said"),
    [
        (3, 0, " 3 queued, none failed."),
        (0, 0, " No webhook is waiting or failed."),
        (0, 1, " 1 webhook failed and must be resent once this is fixed."),
        (4, 2, " 2 webhooks failed and must be resent once this is fixed; 4 queued."),
    ],
)
@pytest.mark.parametrize("status", [MISMATCH, GONE, a_status(State.FAILING)])
def test_what_became_of_webhooks_is_said_from_their_counts(
    vault: Vault, status: ValidationStatus, waiting: int, failed: int, is_said: str
) -> None:
    relayed = alarms.first(
        a_zoom_app(vault),
        zoom_status=FINE,
        recall_status=status,
        waiting=waiting,
        failed=failed,
    )
    direct = alarms.first(
        a_zoom_app(vault, routing=Routing.DIRECT),
        zoom_status=a_status(State.NEVER_SEEN),
        recall_status=status,
        waiting=waiting,
        failed=failed,
    )

    assert relayed is not None
    assert direct is not None
    assert relayed.detail.endswith(is_said)
    assert "failed" not in direct.detail
    assert not failed or "none failed" not in relayed.detail


def test_a_mismatch_that_is_only_possible_is_not_told_as_certain(vault: Vault) -> None:
    possible = a_status(State.SECRET_MISMATCH, title="Possible secret mismatch")

    alarm = alarms.first(
        a_zoom_app(vault),
        zoom_status=FINE,
        recall_status=possible,
        waiting=0,
        failed=0,
    )

    assert alarm is not None
    assert "may have a different secret token" in alarm.sentence
