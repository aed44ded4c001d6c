"""A pair is checked at Zoom before it is used; "Zoom is down" is never "wrong"."""

from dataclasses import replace

import pytest
from pydantic import SecretStr

from dashboard.errors import InvalidInputError
from dashboard.models.workspace import Verdict
from dashboard.models.zoom_app import Environment, Kind, Routing, ZoomApp
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services import audit
from dashboard.services.runtime import Runtime
from dashboard.services.zoom_apps import apps, credential_checks
from dashboard.services.zoom_apps.apps import NewZoomApp, ZoomAppChanges
from dashboard.services.zoom_apps.credential_checks import SavedZoomApp
from tests.fixtures.audit import AUDIT_LOG
from tests.makers import CLIENT_SECRET, NOON, SECRET_TOKEN, FakeClock

CLERK = audit.COMMAND_LINE
WRONG = SecretStr("test-wrong-secret-0001")
VALUES = NewZoomApp(
    name="Notetaker",
    environment=Environment.DEVELOPMENT,
    kind=Kind.USER_LEVEL,
    client_id="simClient0000000000001",
    client_secret=CLIENT_SECRET,
    secret_token=SECRET_TOKEN,
)
UNREACHABLE = [
    FaultKind.DOWN,
    FaultKind.UNAVAILABLE,
    FaultKind.SERVER_ERROR,
    FaultKind.HTML_403,
    FaultKind.RATE_LIMITED,
    FaultKind.RATE_LIMITED_BARE,
    FaultKind.NONSENSE,
]


@pytest.fixture(autouse=True)
def _known_pair(sandbox: RunningSandbox) -> None:
    sandbox.zoom_world.add_app(
        name="Notetaker",
        client_id=VALUES.client_id,
        client_secret=CLIENT_SECRET.get_secret_value(),
        secret_token=SECRET_TOKEN.get_secret_value(),
    )


def enter(runtime: Runtime, **over: object) -> SavedZoomApp:
    values = replace(VALUES, **over)  # type: ignore[arg-type]  # the test's own values
    return credential_checks.create(runtime, values, actor=CLERK)


def only(runtime: Runtime) -> ZoomApp:
    with runtime.database.reading() as session:
        (found,) = apps.list_all(session)
        return found


def break_zoom(sandbox: RunningSandbox, kind: FaultKind) -> None:
    sandbox.zoom_faults.set([Fault(kind=kind, path="/oauth/token")])


def test_a_right_pair_is_saved_with_the_proof(runtime: Runtime) -> None:
    enter(runtime)

    kept = only(runtime)
    assert kept.verdict is Verdict.RIGHT
    assert kept.checked_at == NOON


def test_a_wrong_pair_is_not_saved_and_says_where_to_look(runtime: Runtime) -> None:
    with pytest.raises(InvalidInputError) as caught:
        enter(runtime, client_secret=WRONG)

    assert "App Credentials, tab Development" in str(caught.value)
    assert "production client secret" in str(caught.value)
    assert WRONG.get_secret_value() not in str(caught.value)
    with runtime.database.reading() as session:
        assert apps.list_all(session) == []


@pytest.mark.parametrize("kind", UNREACHABLE)
def test_zoom_being_out_of_reach_is_saved_as_unchecked(
    runtime: Runtime, sandbox: RunningSandbox, kind: FaultKind
) -> None:
    break_zoom(sandbox, kind)

    saved = enter(runtime, client_secret=WRONG)

    assert saved.pair_check is not None
    assert saved.pair_check.verdict is Verdict.UNKNOWN
    assert only(runtime).verdict is Verdict.UNKNOWN
    assert only(runtime).verdict_reason


def test_pasted_white_space_does_not_make_a_pair_wrong(runtime: Runtime) -> None:
    pasted = SecretStr(f" {CLIENT_SECRET.get_secret_value()}\n")

    saved = enter(runtime, client_secret=pasted)

    assert saved.trimmed == ["client secret"]
    assert only(runtime).verdict is Verdict.RIGHT


def test_checking_again_finds_what_could_not_be_told(
    runtime: Runtime, sandbox: RunningSandbox, clock: FakeClock
) -> None:
    break_zoom(sandbox, FaultKind.DOWN)
    saved = enter(runtime, client_secret=WRONG)
    sandbox.zoom_faults.set([])
    clock.advance(minutes=5)

    pair_check = credential_checks.check_again(runtime, saved.zoom_app_id)

    assert pair_check.verdict is Verdict.WRONG
    assert only(runtime).verdict is Verdict.WRONG
    assert only(runtime).checked_at == clock.now()


def test_zoom_being_down_does_not_take_a_right_verdict_away(
    runtime: Runtime, sandbox: RunningSandbox
) -> None:
    saved = enter(runtime)
    break_zoom(sandbox, FaultKind.UNAVAILABLE)

    pair_check = credential_checks.check_again(runtime, saved.zoom_app_id)

    assert pair_check.verdict is Verdict.UNKNOWN
    assert only(runtime).verdict is Verdict.RIGHT


def test_a_wrong_new_secret_leaves_everything_as_it_was(runtime: Runtime) -> None:
    saved = enter(runtime)
    changes = ZoomAppChanges(
        name="Renamed", routing=Routing.DIRECT, client_secret=WRONG
    )

    with pytest.raises(InvalidInputError):
        credential_checks.change(runtime, saved.zoom_app_id, changes, actor=CLERK)

    kept = only(runtime)
    assert (kept.name, kept.routing) == ("Notetaker", Routing.RELAY)
    assert apps.client_secret(runtime.vault, kept) == CLIENT_SECRET


def test_renaming_does_not_ask_zoom(runtime: Runtime, sandbox: RunningSandbox) -> None:
    saved = enter(runtime)
    break_zoom(sandbox, FaultKind.DOWN)
    changes = ZoomAppChanges(name="Renamed", routing=Routing.RELAY)

    changed = credential_checks.change(runtime, saved.zoom_app_id, changes, actor=CLERK)

    assert changed.pair_check is None
    assert not changed.has_new_secrets
    assert only(runtime).verdict is Verdict.RIGHT


def test_the_audit_log_tells_what_was_changed_but_no_secret(runtime: Runtime) -> None:
    saved = enter(runtime)
    changes = ZoomAppChanges(
        name="Notetaker",
        routing=Routing.RELAY,
        secret_token=SecretStr("test-secret-token-0002"),
    )
    credential_checks.change(runtime, saved.zoom_app_id, changes, actor=CLERK)

    with runtime.database.reading() as session:
        oldest, newest = session.exec(AUDIT_LOG)

    assert (newest.act, oldest.act) == ("zoom_app.changed", "zoom_app.created")
    assert newest.subject.endswith("new secret token")
    assert "test-" not in newest.subject + oldest.subject
