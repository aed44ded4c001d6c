"""The first page: what to do first, and what needs attention."""

import pytest
from bs4 import BeautifulSoup

from dashboard.models.connection import TokenState
from dashboard.models.staff import Role
from dashboard.models.webhook import Mark, Outcome
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.runtime import Runtime
from tests.conftest import SignIn
from tests.makers import a_connection, a_webhook, a_workspace, saved_app


def overview(
    as_role: SignIn, role: Role = Role.ADMIN, *, is_fragment: bool = False
) -> BeautifulSoup:
    headers = {"HX-Request": "true"} if is_fragment else {}
    answer = as_role(role).get("/", headers=headers)
    assert answer.status_code == 200, answer.text
    return BeautifulSoup(answer.text, "html5lib")


def links(page: BeautifulSoup) -> set[str]:
    return {str(link["href"]) for link in page.select("main a")}


def test_an_admin_is_told_to_add_a_zoom_app_first(as_role: SignIn) -> None:
    assert "/zoom-apps/new" in links(overview(as_role))


def test_support_is_told_without_a_link_it_may_not_follow(as_role: SignIn) -> None:
    page = overview(as_role, Role.SUPPORT)

    assert "No zoom app yet" in page.text
    assert "/zoom-apps/new" not in links(page)


@pytest.mark.parametrize("role", [Role.SUPPORT, Role.OPERATOR, Role.ADMIN])
def test_each_trouble_has_its_action(
    as_role: SignIn, runtime: Runtime, role: Role
) -> None:
    with runtime.database.writing() as session:
        app = session.get_one(ZoomApp, saved_app(session, runtime.vault))
        session.add(a_webhook(app, outcome=Outcome.DEAD, timing=Mark.CLOCK))
        session.add(a_connection(app, token_state=TokenState.RECONNECT_NEEDED))

    page = overview(as_role, role)

    assert {
        f"/webhooks/?zoom_app={app.id}&outcome=dead",
        f"/connections/?app={app.id}&state=reconnect_needed",
        f"/zoom-apps/{app.id}",
        "/webhooks/?mark=clock",
    } <= links(page)


def test_support_sees_a_refused_key_but_no_way_to_workspaces(
    as_role: SignIn, runtime: Runtime
) -> None:
    with runtime.database.writing() as session:
        session.add(a_workspace(runtime.vault, verdict="wrong"))

    page = overview(as_role, Role.SUPPORT)

    assert "rejects the API key" in page.text
    assert not any("workspaces" in link for link in links(page))


def test_the_overview_renews_itself(as_role: SignIn, runtime: Runtime) -> None:
    with runtime.database.writing() as session:
        app_id = saved_app(session, runtime.vault, name="Scribe")

    fragment = overview(as_role, is_fragment=True)

    root = fragment.select_one("#overview")
    assert root is not None
    assert (root["data-live"], root["hx-get"]) == ("overview", "/")
    assert fragment.select_one(f"#app-{app_id}") is not None
    assert fragment.select_one("h1") is None
