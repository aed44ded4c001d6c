"""What no database stores, and numbers of any length, are answered below 500."""

import pytest
from flask import Flask, request
from flask.testing import FlaskClient

from dashboard.models.staff import Role
from dashboard.services.runtime import Runtime
from tests.conftest import SignIn
from tests.makers import saved_app

HUGE = ["9223372036854775807", "9223372036854775808", "9" * 400, "-1", "\0", "x"]


@pytest.mark.parametrize("value", HUGE, ids=ascii)
@pytest.mark.parametrize("name", ["before", "after", "top", "act"])
@pytest.mark.parametrize("path", ["/audit/", "/webhooks/", "/webhooks/refused"])
def test_a_row_id_of_no_sense_is_left_out(
    as_role: SignIn, path: str, name: str, value: str
) -> None:
    answer = as_role(Role.ADMIN).get(path, query_string={name: value})

    assert answer.status_code in (200, 302, 422)


@pytest.mark.parametrize("days", ["9" * 400, "9" * 5000, "-1", "1e9", "\0", ""])
@pytest.mark.parametrize("path", ["", "list"])
def test_a_link_lasts_a_number_of_days_that_can_be_counted(
    as_role: SignIn, runtime: Runtime, path: str, days: str
) -> None:
    with runtime.database.writing() as session:
        app_id = saved_app(session, runtime.vault)
    typed = {"app": str(app_id), "expires_days": days, "email": "a@example.com"}

    answer = as_role(Role.ADMIN).post(f"/connections/invitations/{path}", data=typed)

    assert answer.status_code == 422
    assert "a@example.com" in answer.text or path


@pytest.mark.parametrize("name", ["x" * 300, "x/" * 3000, "\0", "a\0.css", "..", "."])
def test_a_static_name_of_any_length_is_not_found(
    stranger: FlaskClient, name: str
) -> None:
    assert stranger.get(f"/static/{name}").status_code == 404


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/sign-in", {"email": "a\0@example.com", "password": "x"}),
        ("/staff/", {"email": "a\0@example.com", "password": "x" * 12}),
        ("/workspaces/new", {"name": "a\0b", "region": "us-east-1", "api_key": "k"}),
        ("/zoom-apps/new", {"name": "a\0b", "client_id": "c"}),
        ("/zoom-apps/{}/page", {"organisation": "a\0b"}),
        ("/zoom-apps/{}/page", {"intro": "a\0b"}),
        ("/zoom-apps/{}/page", {"contact": "a\0b"}),
        ("/zoom-apps/{}/edit", {"name": "a\0b", "routing": "relay"}),
        ("/connections/invitations/", {"email": "", "user_ref": "a\0b"}),
    ],
    ids=lambda value: value if isinstance(value, str) else next(iter(value)),
)
def test_a_character_that_no_database_stores_is_refused_at_its_field(
    as_role: SignIn, runtime: Runtime, path: str, fields: dict[str, str]
) -> None:
    with runtime.database.writing() as session:
        app_id = saved_app(session, runtime.vault)

    answer = as_role(Role.ADMIN).post(path.format(app_id), data=fields)

    assert answer.status_code == 422
    if "\0" in "".join(fields.values()) and "invitations" not in path:
        assert "Remove the invisible control characters." in answer.text


def test_line_breaks_in_a_text_are_kept(as_role: SignIn, runtime: Runtime) -> None:
    with runtime.database.writing() as session:
        app_id = saved_app(session, runtime.vault)

    answer = as_role(Role.ADMIN).post(
        f"/zoom-apps/{app_id}/page", data={"intro": "one\r\n\r\ntwo\tthree"}
    )

    assert answer.status_code in (302, 303)


@pytest.mark.parametrize("blank", [" ", "\t", "\u00a0", "\u3000 "], ids=ascii)
@pytest.mark.parametrize("path", ["/webhooks/", "/webhooks/resends/new"])
@pytest.mark.parametrize(
    "name",
    [
        *("zoom_app", "event", "outcome", "mark", "connection"),
        *("meeting", "user", "since", "until"),
    ],
)
def test_white_space_alone_in_a_filter_is_no_filter(
    as_role: SignIn, path: str, name: str, blank: str
) -> None:
    browser = as_role(Role.ADMIN)

    answer = browser.get(path, query_string={name: blank})

    assert answer.status_code == browser.get(path).status_code


@pytest.mark.parametrize("body", ["7", "null", "[1]", '"x"', "{", '{"email": 1}'])
@pytest.mark.parametrize("path", ["/sign-in", "/staff/", "/explain/"])
def test_a_form_is_never_read_from_json(as_role: SignIn, path: str, body: str) -> None:
    answer = as_role(Role.ADMIN).post(path, data=body, content_type="application/json")

    assert answer.status_code == 422


def test_what_no_database_stores_matches_nothing_in_a_query(app: Flask) -> None:
    with app.test_request_context("/healthz?act=a%00b&before=5"):
        app.preprocess_request()

        assert dict(request.args) == {"act": "a\ufffdb", "before": "5"}
