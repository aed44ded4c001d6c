"""The data handling statement says what this zoom app's set-up really does."""

import itertools
import re

import pytest
from sqlmodel import SQLModel

from dashboard.models.connection import (
    AccountMember,
    Connection,
    FormerEmail,
    MeetingMapping,
)
from dashboard.models.delivery_log import FailedDelivery
from dashboard.models.held_grant import HeldGrant
from dashboard.models.own_server import OwnCallback
from dashboard.models.zoom_app import Kind, Routing, TokenCustody
from dashboard.services.erasure import erasures
from dashboard.services.marketplace import review
from dashboard.services.marketplace.review import Periods
from tests.services.marketplace.test_manifest import a_console

PERIODS = Periods(retention=17, deletion=erasures.DEADLINE.days)
SETUPS = list(itertools.product(Kind, Routing, TokenCustody, (False, True)))

# What a statement calls each column about a person. A new column has to be decided on:
# named here and there, or listed below as no data of a person.
CALLED: dict[type[SQLModel], dict[str, str]] = {
    Connection: {
        "zoom_user_id": "Zoom user ID",
        "zoom_account_id": "account ID",
        "display_name": "name",
        "email": "email",
        "pmi": "personal meeting ID",
        "previous_pmi": "previous personal meeting ID",
        "scopes": "granted scopes",
        "token_state": "state of the connection",
        "reference": "our own reference",
        "tags": "tags",
    },
    AccountMember: {
        "zoom_user_id": "Zoom user ID",
        "display_name": "name",
        "email": "email",
        "status": "status",
        "pmi": "personal meeting ID",
        "previous_pmi": "previous personal meeting ID",
    },
    FormerEmail: {"zoom_user_id": "Zoom user ID", "email": "previous emails"},
    MeetingMapping: {"meeting_id": "numbers of the meetings"},
    FailedDelivery: {
        "zoom_user_id": "Zoom user ID",
        "zoom_account_id": "account ID",
        "meeting_id": "numbers of the meetings",
    },
    HeldGrant: {"access_token": "access token", "refresh_token": "refresh token"},
    OwnCallback: {"url": "address on our own server", "user": "own ID of the user"},
}
OF_NOBODY = {
    Connection: """id zoom_app_id token_custody recall_credential_id pmi_changed_at
        pmi_changed_by pmi_seen_at profile_seen_at deauthorized_at search_text
        token_reason token_evidence token_checked_at token_expires_at token_cause
        token_since reconnect_said_at recall_tried_at recall_status recall_seen_at
        mappings_seen_at mappings_trouble recording_block recording_block_at
        sync_status connected_at reconnected_at due_at lease_until claim
        is_reference_verified return_url""",
    AccountMember: "connection_id pmi_changed_at seen_at",
    FormerEmail: "id connection_id until",
    FailedDelivery: """id zoom_app_id key dedupe event is_to_recall host status code
        answered_by sent_at""",
    MeetingMapping: "id connection_id synced_at seen_at",
    OwnCallback: "connection_id tested_at problem took_ms",
    HeldGrant: """connection_id key_hash version expires_at obtained_at refresh_due_at
        asked_at lease_until claim failures failed_at failure lost_at served_at
        unsigned_at served_count rejected_count api_url""",
}


def told(
    kind: Kind = Kind.USER_LEVEL,
    routing: Routing = Routing.RELAY,
    custody: TokenCustody = TokenCustody.RECALL,
    joins_external: bool = False,  # noqa: FBT001, FBT002 - from the table of set-ups
) -> str:
    here = a_console(
        kind=kind, routing=routing, custody=custody, joins_external=joins_external
    )
    return review.statement(here, PERIODS)


@pytest.mark.parametrize("table", list(CALLED))
def test_every_column_is_named_or_of_nobody(table: type[SQLModel]) -> None:
    named, of_nobody = CALLED[table], set(OF_NOBODY[table].split())

    assert set(table.model_fields) == set(named) | of_nobody
    assert not of_nobody & set(named)
    kind = Kind.ACCOUNT_LEVEL if table is AccountMember else Kind.USER_LEVEL
    is_own = table is OwnCallback
    custody = TokenCustody.OWN_SERVER if is_own else TokenCustody.DASHBOARD
    stored = told(kind=kind, custody=custody).partition("\n\n")[0]
    assert [words for words in named.values() if words not in stored] == []


@pytest.mark.parametrize(("kind", "routing", "custody", "joins_external"), SETUPS)
def test_it_follows_from_the_set_up(
    kind: Kind,
    routing: Routing,
    custody: TokenCustody,
    joins_external: bool,  # noqa: FBT001 - from the table of set-ups
) -> None:
    text = told(kind, routing, custody, joins_external)
    stored = text.partition("\n\n")[0]
    is_here, is_relay = custody is TokenCustody.DASHBOARD, routing is Routing.RELAY
    is_own = custody is TokenCustody.OWN_SERVER

    assert ("refresh token" in stored) is is_here
    assert ("authorization code" in text.split("Fourth party")[1]) is True
    assert ("receives the app's" in text and "each user's authorization" in text) is (
        not is_here and not is_own
    )
    assert ("where Recall.ai fetches its access token" in stored) is is_own
    assert ("Access tokens and refresh tokens." in text) is not (is_here or is_own)
    assert ("on the page where they connected" in text) is not is_own
    assert ("is revoked at Zoom" in text) is is_here
    assert ("Each event that Zoom sends" in stored) is is_relay
    assert ("deleted automatically, within 10 days of the removal" in text) is is_relay
    assert ("[within how many days]" in text) is not is_relay
    assert ("on behalf of the user" in text) is joins_external
    assert ("GET /users/me" in text) is (kind is Kind.USER_LEVEL)
    assert not re.search(r"\{|\}|\n\n\n| {2}", text)


def test_no_address_of_ours_is_given_where_users_connect_elsewhere() -> None:
    here = a_console(custody=TokenCustody.OWN_SERVER)

    made = review.texts(here, PERIODS)

    landing = {one.label: one.value for one in made.addresses}
    assert landing["OAuth redirect URL"] is landing["Direct landing page"] is None
    assert landing["Documentation"] == f"{here.connect_url}/help"
    assert landing["Test plan"] == f"{here.connect_url}/test-plan"
    text = " ".join(one.text for one in made.blocks)
    assert here.redirect_url not in text
    assert here.connect_url not in text
    assert "Open the page of our product where users connect Zoom" in text


def test_the_periods_are_those_of_the_dashboard() -> None:
    assert "Deleted 17 days after it arrived" in told()
    assert "Deleted 1 day after it arrived" in review.statement(
        a_console(), Periods(retention=1, deletion=10)
    )


def test_the_hint_promises_no_work_that_is_automatic() -> None:
    blocks = {one.key: one for one in review.texts(a_console(), PERIODS).blocks}

    assert list(blocks) == ["notes", "data", "test-plan"]
    assert "Nothing is deleted" not in blocks["data"].hint
