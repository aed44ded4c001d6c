"""The list of connections and the page of one, by role."""

import csv
import io

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient

from dashboard.models.connection import Connection, TokenState
from dashboard.models.staff import Role
from dashboard.sandbox.faults import Fault, FaultKind
from tests.conftest import SignIn
from tests.fixtures.connect import ConnectStage
from tests.makers import a_connection

BOTH = [Role.ADMIN, Role.SUPPORT]


def add(stage: ConnectStage, *rows: Connection) -> None:
    with stage.runtime.database.writing() as session:
        session.add_all(rows)


def names(text: str) -> list[str]:
    page = BeautifulSoup(text, "html.parser")
    return [link.get_text(strip=True) for link in page.select("tbody th a")]


def test_an_empty_page_says_what_to_do_first(admin: FlaskClient) -> None:
    response = admin.get("/connections/")

    assert response.status_code == 200
    assert "No connections yet" in response.text
    assert 'href="/zoom-apps/"' in response.text


@pytest.mark.parametrize("role", BOTH)
def test_a_row_shows_the_user_pmi_and_state_with_its_reason(
    as_role: SignIn, stage: ConnectStage, role: Role
) -> None:
    reason = "Zoom no longer accepts this grant."
    add(
        stage,
        a_connection(
            stage.app,
            token_state=TokenState.RECONNECT_NEEDED,
            token_reason=reason,
        ),
    )

    text = as_role(role).get("/connections/").text

    assert names(text) == ["Ana Nowak"]
    for words in ("ana@example.com", "555 123 4567", "Reconnect needed", reason):
        assert words in text


def test_filters_live_in_the_query_string_and_in_every_link(
    admin: FlaskClient, stage: ConnectStage
) -> None:
    rows = [a_connection(stage.app, display_name=f"User {n:02}") for n in range(51)]
    add(stage, *rows, a_connection(stage.app, display_name="Else"))

    query = "/connections/?q=user&sort=name&state=healthy"
    first = admin.get(query)
    page = BeautifulSoup(first.text, "html.parser")
    older = page.select_one("a[rel=next]")
    assert older is not None
    second = admin.get(str(older["href"]))

    assert names(first.text)[0] == "User 00"
    assert names(second.text) == ["User 50"]
    tabs = [str(link["href"]) for link in page.select(".tabs a")]
    assert all("q=user" in url and "cursor" not in url for url in tabs)
    assert "q=user&sort=name&state=healthy" in first.text.replace("&amp;", "&").replace(
        "state=healthy&sort=name", "sort=name&state=healthy"
    )


@pytest.mark.parametrize(
    "query",
    [
        "state=nonsense",
        "app=not-a-uuid",
        "sort=nonsense",
        "cursor=%00%ff",
        "q=%00",
        "_external=1&_scheme=javascript&_anchor=x",
    ],
)
def test_a_query_of_no_sense_is_left_out(
    admin: FlaskClient, stage: ConnectStage, query: str
) -> None:
    add(stage, a_connection(stage.app))

    response = admin.get(f"/connections/?{query}")

    assert response.status_code == 200
    assert "javascript:" not in response.text


def test_nobody_matching_offers_everybody(
    admin: FlaskClient, stage: ConnectStage
) -> None:
    add(stage, a_connection(stage.app))

    assert "No matching connections" in admin.get("/connections/?q=zebra").text


def test_htmx_gets_the_list_alone(admin: FlaskClient, stage: ConnectStage) -> None:
    add(stage, a_connection(stage.app))

    response = admin.get("/connections/?q=ana", headers={"HX-Request": "true"})

    root = BeautifulSoup(response.text, "html.parser").select("*")[0]
    assert root["id"] == "connections-list"
    assert root["data-live"] == "connections"
    assert str(root["hx-get"]).endswith("?q=ana")
    assert response.vary.as_set() >= {"hx-request"}


def test_the_csv_is_filtered_alike_and_runs_no_formula(
    admin: FlaskClient, stage: ConnectStage
) -> None:
    add(
        stage,
        a_connection(stage.app, display_name='=HYPERLINK("http://evil")'),
        a_connection(stage.app, display_name="Ben", email="ben@x.org"),
    )

    response = admin.get("/connections/?q=HYPER&format=csv")

    rows = list(csv.DictReader(io.StringIO(response.text)))
    assert response.mimetype == "text/csv"
    assert "attachment" in response.headers["Content-Disposition"]
    assert [row["display_name"] for row in rows] == ['\'=HYPERLINK("http://evil")']
    assert rows[0]["connected_at"] == "2026-11-23T12:00:00Z"
    assert rows[0]["token_state"] == "healthy"


def test_the_json_holds_the_same(admin: FlaskClient, stage: ConnectStage) -> None:
    add(stage, *(a_connection(stage.app) for _ in range(3)))

    found = admin.get("/connections/?format=json").get_json()

    assert len(found["connections"]) == 3
    assert found["connections"][0]["pmi"] == 5551234567
    assert found["connections"][0]["zoom_app"] == "Notetaker"


@pytest.mark.parametrize("role", BOTH)
def test_the_page_of_one_shows_facts_evidence_and_meetings(
    as_role: SignIn, stage: ConnectStage, role: Role
) -> None:
    row = stage.connect()

    text = as_role(role).get(f"/connections/{row.id}").text

    for words in (
        "Ana Nowak",
        str(row.recall_credential_id),
        "Zoom answered an API call",
        f"https://dashboard.example.com/connect/{stage.app.slug}",
        "Mapped meetings",
    ):
        assert words in text


@pytest.mark.parametrize("role", BOTH)
def test_both_roles_may_check_now(
    as_role: SignIn, stage: ConnectStage, role: Role
) -> None:
    row = stage.connect()
    stage.sandbox.zoom_world.uninstall(stage.app.client_id, stage.ana.id)

    response = as_role(role).post(f"/connections/{row.id}/check", follow_redirects=True)

    assert "Reconnect needed" in response.text
    assert stage.connection(row.id).token_state is TokenState.RECONNECT_NEEDED


def test_meetings_are_synced_again_on_demand(
    admin: FlaskClient, stage: ConnectStage
) -> None:
    row = stage.connect()

    response = admin.post(f"/connections/{row.id}/sync", follow_redirects=True)

    assert "Meeting sync started" in response.text


def test_recalls_log_is_fetched_on_demand(
    admin: FlaskClient, stage: ConnectStage
) -> None:
    row = stage.connect()
    stage.sandbox.recall_world.log_credential(stage.credentials()[0], "It failed.")
    address = f"/connections/{row.id}/recall-log"

    page = admin.get(address)
    fragment = admin.get(address, headers={"HX-Request": "true"})

    assert "It failed." in page.text
    assert "It failed." in fragment.text
    assert "<html" not in fragment.text


def test_an_outage_of_recall_is_said_in_the_place_of_its_log(
    admin: FlaskClient, stage: ConnectStage
) -> None:
    row = stage.connect()
    stage.sandbox.recall_faults.set([Fault(kind=FaultKind.DOWN)])

    response = admin.get(
        f"/connections/{row.id}/recall-log", headers={"HX-Request": "true"}
    )

    assert response.status_code == 424
    assert 'role="alert"' in response.text


def test_support_cannot_disconnect(as_role: SignIn, stage: ConnectStage) -> None:
    row = stage.connect()
    support = as_role(Role.SUPPORT)

    page = support.get(f"/connections/{row.id}")
    response = support.post(f"/connections/{row.id}/disconnect")

    assert response.status_code == 403
    assert "Disconnect" not in page.text
    assert len(stage.credentials()) == 1


def test_an_admin_disconnects_and_is_told_what_is_lost(
    admin: FlaskClient, stage: ConnectStage
) -> None:
    row = stage.connect()

    page = admin.get(f"/connections/{row.id}")
    response = admin.post(f"/connections/{row.id}/disconnect", follow_redirects=True)

    assert "are deleted here" in page.text
    assert "Disconnected." in response.text
    assert admin.get(f"/connections/{row.id}").status_code == 404
    assert stage.credentials() == []


@pytest.mark.parametrize("act", ["check", "sync", "disconnect"])
def test_acts_refuse_get_and_strangers(
    stranger: FlaskClient, admin: FlaskClient, stage: ConnectStage, act: str
) -> None:
    row = stage.connect()
    address = f"/connections/{row.id}/{act}"

    assert admin.get(address).status_code == 405
    assert stranger.post(address).location.startswith("/sign-in")
    assert len(stage.credentials()) == 1


def test_strangers_are_sent_to_sign_in(
    stranger: FlaskClient, stage: ConnectStage
) -> None:
    row = stage.connect()

    for address in ("/connections/?format=csv", f"/connections/{row.id}"):
        response = stranger.get(address)
        assert response.status_code == 303
        assert "/sign-in" in response.location
