"""Token storage, on pages: chosen, shown, changed with a warning."""

from bs4 import BeautifulSoup
from flask.testing import FlaskClient
from sqlmodel import select

from dashboard.models.staff import Role
from dashboard.models.zoom_app import TokenCustody, ZoomApp
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.runtime import Runtime
from tests.conftest import SignIn
from tests.fixtures.connect import ConnectStage, a_connect_stage
from tests.fixtures.connect_pages import connect, heading
from tests.fixtures.servers import served
from tests.makers import CLIENT_SECRET, SECRET_TOKEN

OURS = {"to": "dashboard", "is_understood": "y"}


def page_of(answer: str) -> str:
    return " ".join(BeautifulSoup(answer, "html.parser").get_text(" ").split())


def custody_of(runtime: Runtime) -> TokenCustody:
    with runtime.database.reading() as session:
        return TokenCustody(session.exec(select(ZoomApp.token_custody)).one())


def test_an_admin_is_told_what_it_costs_and_changes_it(
    runtime: Runtime, sandbox: RunningSandbox, as_role: SignIn
) -> None:
    stage = a_connect_stage(runtime, sandbox)
    url = f"/zoom-apps/{stage.app.id}/custody"
    admin = as_role(Role.ADMIN)

    assert "no one has to reconnect" in page_of(admin.get(url).text)
    stage.connect()
    assert "1 connected user will need to reconnect" in page_of(admin.get(url).text)

    refused = admin.post(url, data={"to": "dashboard"})
    assert refused.status_code == 422
    assert "Nothing was changed" in page_of(refused.text)
    assert custody_of(runtime) is TokenCustody.RECALL

    changed = admin.post(url, data=OURS, follow_redirects=True)
    assert "tokens stored in the dashboard" in page_of(changed.text)
    assert custody_of(runtime) is TokenCustody.DASHBOARD
    assert "already" in admin.post(url, data=OURS, follow_redirects=True).text
    assert admin.post(url, data={"to": "nobody"}).status_code == 422


def test_support_may_neither_see_nor_change_it(
    runtime: Runtime, sandbox: RunningSandbox, as_role: SignIn
) -> None:
    stage = a_connect_stage(runtime, sandbox)
    support = as_role(Role.SUPPORT)
    url = f"/zoom-apps/{stage.app.id}/custody"

    assert support.get(url).status_code == 403
    assert support.post(url, data=OURS).status_code == 403
    assert custody_of(runtime) is TokenCustody.RECALL


def test_it_is_chosen_with_a_new_zoom_app(
    runtime: Runtime, sandbox: RunningSandbox, as_role: SignIn
) -> None:
    at_zoom = sandbox.zoom_world.add_app(
        name="Notetaker", client_secret=CLIENT_SECRET.get_secret_value()
    )
    typed = {
        "name": "Notetaker",
        "environment": "development",
        "kind": "user_level",
        "scope_style": "granular",
        "custody": "dashboard",
        "client_id": at_zoom.client_id,
        "client_secret": CLIENT_SECRET.get_secret_value(),
        "secret_token": SECRET_TOKEN.get_secret_value(),
    }

    answer = as_role(Role.ADMIN).post("/zoom-apps/new", data=typed)

    assert answer.status_code == 303
    assert custody_of(runtime) is TokenCustody.DASHBOARD


def test_a_visitor_connects_through_the_hosted_page(
    runtime: Runtime, sandbox: RunningSandbox
) -> None:
    with served(runtime) as (reachable, app):
        stage: ConnectStage = a_connect_stage(
            reachable, sandbox, token_custody=TokenCustody.DASHBOARD
        )
        user: FlaskClient = app.test_client()

        ended = connect(user, stage)

        assert ended.status_code == 200
        assert "connected" in heading(ended)
        [credential] = stage.credentials()
        url = credential.access_token_callback_url or ""
        assert url.startswith(f"{reachable.public_url}/tokens/")
