"""Pages travel compressed to those who take it."""

import gzip

from flask.testing import FlaskClient

from dashboard.models.staff import Role
from tests.conftest import SignIn


def test_a_page_is_compressed_for_who_takes_it(as_role: SignIn) -> None:
    admin = as_role(Role.ADMIN)

    plain = admin.get("/staff/")
    packed = admin.get("/staff/", headers={"Accept-Encoding": "gzip, br"})

    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "<h1>Staff</h1>" in gzip.decompress(packed.data).decode()
    assert len(packed.data) < len(plain.data) / 2


def test_a_cache_is_told_that_there_are_two(stranger: FlaskClient) -> None:
    assert "Accept-Encoding" in stranger.get("/sign-in").headers["Vary"]


def test_who_refuses_it_gets_it_plain(stranger: FlaskClient) -> None:
    answer = stranger.get("/sign-in", headers={"Accept-Encoding": "gzip;q=0"})

    assert "Content-Encoding" not in answer.headers


def test_a_short_answer_is_left_alone(stranger: FlaskClient) -> None:
    answer = stranger.get("/healthz", headers={"Accept-Encoding": "gzip"})

    assert "Content-Encoding" not in answer.headers
