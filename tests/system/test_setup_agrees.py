"""The overview, the zoom app's page and `zoom-app show` tell the same set-up."""

import json
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest
from bs4 import BeautifulSoup, Tag

from dashboard.models.connection import TokenState
from dashboard.models.staff import Role
from dashboard.models.workspace import Verdict
from dashboard.models.zoom_app import Routing, ZoomApp
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.runtime import Runtime
from dashboard.services.setup import checklist
from tests.conftest import SignIn
from tests.fixtures.setup import look, save_app, save_everything
from tests.fixtures.terminal import Terminal
from tests.makers import a_connection

Make = Callable[[Runtime], UUID]


def _nothing(runtime: Runtime) -> UUID:
    return save_app(runtime, verdict=Verdict.UNKNOWN, recall_app_id=None)


def _half(runtime: Runtime) -> UUID:
    return save_app(runtime)


def _refused(runtime: Runtime) -> UUID:
    app_id = save_everything(runtime)
    checklist.record_new(runtime)
    with runtime.database.writing() as session:
        app = session.get_one(ZoomApp, app_id)
        app.verdict, app.verdict_reason = (
            Verdict.WRONG,
            "Zoom rejects this client ID and client secret.",
        )
        session.add(app)
    return app_id


def _direct(runtime: Runtime) -> UUID:
    return save_app(runtime, routing=Routing.DIRECT)


def _lacking(runtime: Runtime) -> UUID:
    app_id = save_app(runtime)
    with runtime.database.writing() as session:
        session.add(
            a_connection(
                session.get_one(ZoomApp, app_id),
                token_state=TokenState.MISSING_SCOPES,
                token_reason="The grant lacks user:read:user.",
            )
        )
    return app_id


def text_of(tag: Tag | None) -> str:
    return "" if tag is None else " ".join(tag.text.split())


@pytest.mark.parametrize(
    "make", [_nothing, _half, _refused, _direct, _lacking, save_everything]
)
def test_all_three_tell_the_same(
    as_role: SignIn,
    runtime: Runtime,
    sandbox: RunningSandbox,
    tmp_path: Path,
    make: Make,
) -> None:
    app_id = make(runtime)
    admin = as_role(Role.ADMIN)
    page = BeautifulSoup(admin.get(f"/zoom-apps/{app_id}").text, "html5lib")
    overview = BeautifulSoup(admin.get("/").text, "html5lib").select_one(
        f"#app-{app_id}"
    )
    shown = show(sandbox, tmp_path, runtime, app_id, "--json")
    told = show(sandbox, tmp_path, runtime, app_id)
    setup = look(runtime, app_id)

    listed = json.loads(shown)["setup"]
    assert [one["key"] for one in listed] == [step.key for step in setup.steps]
    proven = {step.key.value: step.is_proven for step in setup.steps}
    for one in listed:
        keys = {"key", "title", "done", "proven", "at", "proof", "remark", "next"}
        assert set(one) == keys
        row = page.select_one(f"#step-{one['key']}")
        words = text_of(row)
        assert one["title"] in words
        assert one["proof"] in words
        is_good = row is not None and "tone-good" in row["class"]
        assert is_good is proven[one["key"]]
        assert bool(row and row.select("time")) is bool(one["at"])
        assert f"{one['title']}\n" in told
    assert text_of(page.select_one("#zoom-app-progress")) == setup.words
    assert f"setup: {setup.words}\n" in told
    if setup.next is None:
        assert "Set-up" not in text_of(overview)
        assert "next:" not in told
        assert not page.select("[aria-current=step]")
        return
    assert f"Setup: {setup.words}. Next: {setup.next.next}" in text_of(overview)
    assert f"next: {setup.next.next}" in told
    (first,) = page.select("[aria-current=step]")
    assert first["id"] == f"step-{setup.current[0].key.value}"
    told_now = [one["id"] for one in page.select(".is-next")]
    assert told_now == [f"step-{step.key.value}" for step in setup.current]
    row = page.select_one(f"#step-{setup.next.key.value}")
    assert setup.next.next in text_of(row)
    assert setup.next.remark in text_of(row)


def test_the_command_tells_of_both_clocks(
    runtime: Runtime, sandbox: RunningSandbox, tmp_path: Path
) -> None:
    app_id = save_everything(runtime)

    clocks = json.loads(show(sandbox, tmp_path, runtime, app_id, "--json"))["clocks"]

    assert set(clocks) == {"zoom_to_dashboard", "dashboard_to_recall"}
    for clock in clocks.values():
        assert set(clock) >= {
            *("state", "word", "sentence", "since", "next_due_at", "failures")
        }
        assert clock["sentence"]


def test_the_command_says_a_way_that_is_not_used_in_the_pages_word(
    as_role: SignIn, runtime: Runtime, sandbox: RunningSandbox, tmp_path: Path
) -> None:
    app_id = _direct(runtime)
    page = BeautifulSoup(
        as_role(Role.ADMIN).get(f"/zoom-apps/{app_id}").text, "html5lib"
    )

    clocks = json.loads(show(sandbox, tmp_path, runtime, app_id, "--json"))["clocks"]

    word = text_of(page.select_one("#ours .state-word"))
    assert clocks["zoom_to_dashboard"]["word"] == word == "Not used"


def show(
    sandbox: RunningSandbox,
    folder: Path,
    runtime: Runtime,
    app_id: UUID,
    *words: str,
) -> str:
    answer = Terminal(folder, sandbox).run(
        *("zoom-app", "show", str(app_id), *words),
        DASHBOARD_DATABASE_URL=runtime.settings.sqlalchemy_url,
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout
