"""The page of API tokens, and the command."""

import json

import pytest
from flask.testing import FlaskClient
from sqlmodel import col, select

from dashboard.models.api_token import ApiToken
from dashboard.models.audit import AuditEntry
from dashboard.services.api_tokens import tokens
from dashboard.services.runtime import Runtime
from tests.fixtures.api import a_token

WHERE = "/settings/api-tokens/"


def test_a_token_is_shown_once_and_audited_without_it(
    admin: FlaskClient, runtime: Runtime
) -> None:
    made = admin.post(
        WHERE,
        data={
            "name": "billing <b>",
            "scopes": ["connections:read", "invitations:write"],
            "app": "",
            "days": "30",
        },
    )
    listed = admin.get(WHERE)

    with runtime.database.reading() as session:
        [row] = session.exec(select(ApiToken)).all()
        query = select(AuditEntry).where(col(AuditEntry.act) == "api_token.made")
        [entry] = session.exec(query).all()
    token = next(word for word in made.text.split() if "zrdapi_" in word)
    token = token.partition("zrdapi_")[1] + token.partition("zrdapi_")[2][:51]
    assert tokens.hashed(token) == row.token_hash
    assert made.headers["Cache-Control"] == "no-store"
    assert row.scopes == "connections:read invitations:write"
    assert "billing &lt;b&gt;" in listed.text
    for text in (listed.text, entry.subject, entry.changes):
        assert token not in text
    assert str(row.id) in entry.subject


@pytest.mark.parametrize(
    ("over", "said"),
    [
        ({"scopes": []}, "Choose at least one scope."),
        ({"scopes": ["root"]}, "not a valid choice"),
        ({"days": "0"}, "A token is valid for 1 to"),
        ({"name": ""}, "Enter a name."),
        ({"app": "7f9c0ad4-0000-4000-8000-000000000000"}, "no longer exists"),
        ({"app": "x"}, "no longer exists"),
    ],
)
def test_what_cannot_be_taken_is_said_at_its_field_and_nothing_is_lost(
    admin: FlaskClient, runtime: Runtime, over: dict[str, object], said: str
) -> None:
    typed = {"name": "crm", "scopes": ["connections:read"], "app": "", "days": "30"}

    answer = admin.post(WHERE, data=typed | over)

    assert answer.status_code == 422
    assert said in answer.text
    assert 'value="crm"' in answer.text or "name" in over
    with runtime.database.reading() as session:
        assert session.exec(select(ApiToken)).all() == []


def test_a_revoked_token_says_so_and_is_revoked_once(
    admin: FlaskClient, runtime: Runtime
) -> None:
    made = a_token(runtime)

    first = admin.post(f"{WHERE}{made.row.id}/revoke", follow_redirects=True)
    again = admin.post(f"{WHERE}{made.row.id}/revoke", follow_redirects=True)

    assert "The next call with this token is refused." in first.text
    assert "This token is already revoked. Nothing was changed." in again.text
    assert json.dumps(made.token) not in first.text
