"""Both halves of an act, and the chore that goes on with what remains of it."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from sqlmodel import col, select

from dashboard.models.audit import AuditEntry
from dashboard.models.zoom_app import Routing, SecretChange, ZoomApp
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.services import audit
from dashboard.services.rotation import rotations
from dashboard.services.zoom_apps import apps, credential_checks, secret_changes
from dashboard.services.zoom_apps.credential_checks import WrongCredentialsError
from tests.fixtures.rotation import API, FORMER, Stage, admin, changes, minutes, stage
from tests.makers import NOON

__all__ = ["admin", "stage"]


def tokens(stage: Stage) -> list[str]:
    found = apps.secret_tokens(stage.runtime.vault, stage.app())
    return [each.secret.get_secret_value() for each in found]


def set_app(stage: Stage, **values: Any) -> None:
    with stage.runtime.database.writing() as session:
        app = session.get_one(ZoomApp, stage.app_id)
        for name, value in values.items():
            setattr(app, name, value)
        session.add(app)


def enter(stage: Stage, **typed: str) -> None:
    """Store it here and go no further."""
    credential_checks.change(
        stage.runtime, stage.app_id, changes(**typed), actor=audit.COMMAND_LINE
    )


def know_pair(stage: Stage, client_secret: str) -> None:
    """Let the Zoom that the dashboard asks know the pair."""
    stage.sandbox.zoom_world.add_app(
        client_id=stage.at_zoom.client_id, client_secret=client_secret
    )


def break_patch(stage: Stage, kind: FaultKind, **over: Any) -> None:
    fault = Fault(kind=kind, path=API, method="PATCH", **over)
    stage.sandbox.recall_faults.set([fault])


def test_one_that_zoom_never_used_does_not_push_out_the_one_it_uses(
    stage: Stage,
) -> None:
    stage.save("test-token-typed-wrong")
    stage.save("test-token-right")

    assert tokens(stage) == ["test-token-right", FORMER]


def test_one_that_zoom_was_seen_using_becomes_the_former_one(stage: Stage) -> None:
    stage.step()
    second = stage.regenerate()
    stage.save(second)
    stage.event()

    stage.save("test-token-third")

    assert tokens(stage) == ["test-token-third", second]


def test_entering_the_former_one_again_keeps_both(stage: Stage) -> None:
    stage.save("test-token-other")
    stage.save(FORMER)

    assert tokens(stage) == [FORMER, "test-token-other"]


def test_a_new_client_secret_is_proved_at_zoom_then_given_to_recall(
    stage: Stage,
) -> None:
    know_pair(stage, "test-client-secret-0002")

    with pytest.raises(WrongCredentialsError):
        rotations.change(
            stage.runtime,
            stage.app_id,
            changes(client_secret="test-client-secret-wrong"),
            actor=audit.COMMAND_LINE,
        )
    nothing = stage.change()
    done = rotations.change(
        stage.runtime,
        stage.app_id,
        changes(client_secret="test-client-secret-0002"),
        actor=audit.COMMAND_LINE,
    )

    assert nothing is None
    assert done.is_in_recall
    assert stage.at_recall.client_secret == "test-client-secret-0002"
    assert stage.at_recall.webhook_secret == FORMER
    assert stage.card() is None  # nothing is left to do


def test_renaming_owes_recall_nothing(stage: Stage) -> None:
    done = rotations.change(
        stage.runtime, stage.app_id, changes(), actor=audit.COMMAND_LINE
    )

    assert (done.change, done.is_pending, done.is_in_recall) == (None, False, False)


@pytest.mark.parametrize(
    ("kind", "over", "waits_s"),
    [
        (FaultKind.DOWN, {}, 2),
        (FaultKind.SERVER_ERROR, {}, 2),
        (FaultKind.LOST_ANSWER, {}, 2),
        (FaultKind.RATE_LIMITED, {"seconds": 40}, 40),
        (FaultKind.HTML_403, {}, 60),
    ],
)
def test_what_time_mends_is_tried_again_soon_what_people_mend_slowly(
    stage: Stage, kind: FaultKind, over: dict[str, Any], waits_s: int
) -> None:
    stage.step()
    break_patch(stage, kind, **over)

    change = stage.save("test-token-new").change

    assert change is not None
    assert change.recall_due_at == stage.clock.now() + timedelta(seconds=waits_s)


def test_the_waits_grow_with_how_long_it_is_owed(stage: Stage) -> None:
    stage.step()
    break_patch(stage, FaultKind.DOWN)
    stage.save("test-token-new")
    due = []
    for _ in range(40):
        stage.step()
        change = stage.change()
        assert change is not None
        due.append(change.recall_due_at)

    assert 5 <= len(set(due)) <= 9  # within 200 s


def test_the_audit_log_names_who_gave_it_to_recall(stage: Stage) -> None:
    stage.step()
    enter(stage, token="test-token-new")
    stage.step()

    with stage.runtime.database.reading() as session:
        query = select(AuditEntry.actor).where(
            col(AuditEntry.act) == "zoom_app.updated_in_recall"
        )
        assert session.exec(query).all() == ["dashboard"]


def test_what_changes_while_an_app_is_being_created_is_given_once_it_is_there(
    stage: Stage,
) -> None:
    recall_app_id = stage.app().recall_app_id
    set_app(stage, recall_app_id=None, create_key="key-1")
    enter(stage, token="test-token-new")
    rotations.run_due(stage.runtime)
    before = stage.at_recall.webhook_secret

    set_app(stage, recall_app_id=recall_app_id, create_key=None)
    stage.run(minutes(1))

    assert before == FORMER
    assert stage.at_recall.webhook_secret == "test-token-new"


def test_what_was_never_created_is_owed_no_longer(stage: Stage) -> None:
    set_app(stage, recall_app_id=None, create_key="key-1")
    know_pair(stage, "test-client-secret-0002")
    enter(stage, client_secret="test-client-secret-0002")
    set_app(stage, create_key=None)

    rotations.run_due(stage.runtime)

    change = stage.change()
    assert change is not None
    assert change.ended_at == NOON


def test_with_direct_routing_the_former_one_goes_after_zooms_last_retry(
    stage: Stage,
) -> None:
    stage.save("test-token-new")
    set_app(stage, routing=Routing.DIRECT)
    stage.clock.instant += rotations.KEPT - minutes(1)
    rotations.run_due(stage.runtime)
    kept = len(tokens(stage))
    stage.clock.instant += minutes(1)
    rotations.run_due(stage.runtime)

    assert kept == 2
    assert tokens(stage) == ["test-token-new"]
    assert stage.card() is None


def test_an_announced_rotation_is_audited_and_ends_by_itself(stage: Stage) -> None:
    stage.announce()
    begun = stage.card()
    stage.clock.instant += secret_changes.WINDOW

    assert begun is not None
    assert begun.announced_until == NOON + secret_changes.WINDOW
    assert stage.card() is None
    with stage.runtime.database.reading() as session:
        [act] = session.exec(select(AuditEntry.act)).all()
    assert act == "zoom_app.rotation_begun"


def test_seeing_the_new_token_ends_the_window_but_not_one_announced_since(
    stage: Stage,
) -> None:
    stage.step()
    stage.save(stage.regenerate())
    opened = stage.app().rotation_until
    stage.event()
    stage.step()
    closed = stage.app().rotation_until
    stage.save(stage.regenerate())
    stage.clock.instant += timedelta(seconds=1)
    stage.announce()
    stage.event()
    stage.step()

    assert opened is not None
    assert closed is None
    assert stage.app().rotation_until is not None


def test_many_changes_leave_one_under_way(stage: Stage) -> None:
    for number in range(4):
        stage.save(f"test-token-{number}")

    with stage.runtime.database.reading() as session:
        ended = session.exec(select(SecretChange.ended_at)).all()
    assert ended.count(None) == 1
    assert stage.at_recall.webhook_secret == "test-token-3"


def test_nothing_secret_is_kept_of_a_change(stage: Stage) -> None:
    break_patch(stage, FaultKind.SERVER_ERROR)
    secret = SecretStr("test-token-secret")
    change = stage.save(secret.get_secret_value()).change

    assert change is not None
    assert secret.get_secret_value() not in repr(change)
