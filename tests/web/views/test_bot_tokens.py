"""The addresses for bots on a connection's page, and trying them."""

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient

from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.runtime import Runtime
from tests.fixtures.connect import ConnectStage
from tests.fixtures.grants import HeldStage, a_held_stage
from tests.makers import a_connection


@pytest.fixture
def held(runtime: Runtime, sandbox: RunningSandbox) -> HeldStage:
    return a_held_stage(runtime, sandbox)


def tried(client: FlaskClient, held: HeldStage, which: str) -> str:
    path = f"/connections/{held.connection_id}/try/{which}"
    answer = client.post(path, follow_redirects=True)
    return BeautifulSoup(answer.text, "html.parser").get_text(" ", strip=True)


@pytest.mark.parametrize(
    ("which", "scope"), [("zak", "user:read:zak"), ("obf", "user:read:token")]
)
def test_support_tries_both_and_learns_what_is_missing(
    support: FlaskClient, held: HeldStage, which: str, scope: str
) -> None:
    lacking = tried(support, held, which)
    grant = held.at_zoom()
    assert grant is not None
    grant.scopes.append(scope)
    given = tried(support, held, which)

    assert scope in lacking
    assert "was not kept" not in lacking
    assert f"Zoom gave a token ({which.upper()}). It was not kept." in given


def test_an_ended_authorization_is_said(support: FlaskClient, held: HeldStage) -> None:
    held.set(lost_at=held.runtime.clock.now())

    assert "The user must reconnect." in tried(support, held, "zak")


def test_no_page_holds_the_key(support: FlaskClient, held: HeldStage) -> None:
    page = support.get(f"/connections/{held.connection_id}").text

    assert "/tokens/&lt;key&gt;/obf" in page
    assert held.key not in page


def test_where_recall_stores_the_tokens_there_are_no_addresses(
    support: FlaskClient, stage: ConnectStage
) -> None:
    row = a_connection(stage.app)
    with stage.runtime.database.writing() as session:
        session.add(row)

    assert "Addresses for bots" not in support.get(f"/connections/{row.id}").text
    assert support.post(f"/connections/{row.id}/try/zak").status_code == 404
    assert support.post(f"/connections/{row.id}/try/pwd").status_code == 404
