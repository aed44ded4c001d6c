"""An unexpected error: one event with its trace, the request's id, and no secret."""

import pytest
import structlog
from flask import Flask
from flask.testing import FlaskClient
from structlog.contextvars import get_contextvars
from structlog.testing import capture_logs

from dashboard.models.staff import Role
from dashboard.web.access import public
from tests.conftest import SignIn

SECRET = "s3cr3tS3CR3Ts3cr3t"


@public
def broken(**_: str) -> str:
    raise RuntimeError("out of luck")


@pytest.fixture
def broken_link(app: Flask) -> str:
    """Give a personal link whose page fails."""
    app.view_functions["invited.show"] = broken
    return f"/connect/acme/i/{SECRET}"


def test_it_is_logged_with_its_trace_and_without_the_link(
    stranger: FlaskClient, broken_link: str
) -> None:
    with capture_logs() as said:
        found = stranger.get(broken_link)

    assert found.status_code == 500
    [error] = [each for each in said if each["event"] == "request.exception"]
    assert error["path"] == "/connect/<slug>/i/<secret>"
    assert isinstance(error["exc_info"][1], RuntimeError)
    assert SECRET not in str([{**each, "exc_info": None} for each in said])


def test_the_page_is_the_same_for_who_is_signed_in(
    app: Flask, as_role: SignIn, broken_link: str
) -> None:
    app.view_functions["overview.index"] = broken

    page = as_role(Role.ADMIN).get("/")

    assert page.status_code == 500
    assert page.headers["X-Request-Id"] in page.text
    assert "luck" not in page.text
    assert broken_link


def test_a_request_s_id_ends_with_it(stranger: FlaskClient) -> None:
    """The thread's next line may be of a webhook, which is no page."""
    structlog.contextvars.clear_contextvars()

    stranger.get("/sign-in")

    assert get_contextvars() == {}
