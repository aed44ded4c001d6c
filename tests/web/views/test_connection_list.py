"""The list says who must act, what a PMI was, how old what it says is."""

import csv
import io
from datetime import timedelta

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient

from dashboard.models.connection import TokenCause, TokenState
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.services.facts.connections import CAUSES
from tests.fixtures.connect import ConnectStage
from tests.makers import NOON, a_connection


@pytest.fixture
def people(stage: ConnectStage) -> None:
    seen = NOON - timedelta(hours=30)
    with stage.runtime.database.writing() as session:
        session.add_all(
            [
                a_connection(stage.app, display_name="Well", previous_pmi=5550001111),
                a_connection(stage.app, display_name="Old", token_checked_at=seen),
                a_connection(
                    stage.app,
                    display_name="Key",
                    token_state=TokenState.UNKNOWN,
                    token_cause=TokenCause.KEY_REFUSED,
                ),
            ]
        )


def rows(client: FlaskClient, query: str = "") -> dict[str, str]:
    page = BeautifulSoup(client.get(f"/connections/{query}").text, "html.parser")
    return {
        link.get_text(strip=True): row.get_text(" ", strip=True)
        for row in page.select("#connections-rows tr")
        for link in row.select("th a")
    }


@pytest.mark.usefixtures("people")
def test_each_row_says_who_must_act_and_nothing_old_is_called_healthy(
    support: FlaskClient,
) -> None:
    found = rows(support)

    assert "An admin must act. Enter a valid API key" in found["Key"]
    assert "was 555 000 1111" in found["Well"]
    assert "must act" not in found["Well"]
    assert "Last seen healthy" in found["Old"]
    assert set(rows(support, "?who=admin")) == {"Key"}
    assert set(rows(support, "?checked=old")) == {"Old"}


@pytest.mark.usefixtures("people")
def test_the_page_says_how_far_the_sweep_is(support: FlaskClient) -> None:
    page = BeautifulSoup(support.get("/connections/").text, "html.parser")

    said = " ".join(page.get_text().split())

    assert "2 of 3 checked in the last 24 h; oldest check 30 h ago." in said


@pytest.mark.usefixtures("people")
def test_the_csv_says_who_must_act(support: FlaskClient) -> None:
    text = support.get("/connections/?format=csv&who=admin").text

    (row,) = csv.DictReader(io.StringIO(text))

    assert (row["who_must_act"], row["next_step"]) == (
        "admin",
        CAUSES[TokenCause.KEY_REFUSED].next_step,
    )


def test_check_now_in_an_outage_says_that_what_was_seen_stands(
    support: FlaskClient, stage: ConnectStage
) -> None:
    row = stage.connect()
    stage.sandbox.recall_faults.set([Fault(kind=FaultKind.UNAVAILABLE)])

    answer = support.post(f"/connections/{row.id}/check", follow_redirects=True)

    assert "The last known state is unchanged." in answer.text
    assert "Healthy" in answer.text
