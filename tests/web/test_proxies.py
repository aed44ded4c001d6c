"""A proxy in front that no setting names."""

from flask.testing import FlaskClient
from structlog.testing import capture_logs

from dashboard.models.staff import Role
from dashboard.web import proxies
from tests.conftest import SignIn

THROUGH = {"X-Forwarded-For": "203.0.113.7"}
SAID = "Requests come through a proxy that is not trusted."


def test_the_first_request_through_an_unnamed_proxy_is_said_once(
    as_role: SignIn, stranger: FlaskClient
) -> None:
    admin = as_role(Role.ADMIN)
    before = admin.get("/").text

    with capture_logs() as logged:
        for _ in range(3):
            stranger.get("/sign-in", headers=THROUGH)

    assert SAID not in before
    assert SAID in admin.get("/").text
    assert [line["event"] for line in logged] == ["proxy.not_trusted"]


def test_a_named_proxy_is_no_news(as_role: SignIn) -> None:
    app = as_role(Role.ADMIN).application
    app.before_request_funcs[None].remove(proxies._watch)
    proxies.install(app, trusted=1)

    app.test_client().get("/sign-in", headers=THROUGH)

    with app.app_context():
        assert not proxies.is_unnamed_seen()
