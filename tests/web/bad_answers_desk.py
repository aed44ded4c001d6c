"""An admin at work while Zoom and Recall answer badly, and what is to be said."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient
from sqlmodel import select
from werkzeug.test import TestResponse

from dashboard.models.staff import Role
from dashboard.models.zoom_app import ZoomApp
from dashboard.sandbox.faults import Fault, FaultKind
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.runtime import Services
from tests.conftest import SignIn
from tests.makers import (
    API_KEY,
    CLIENT_SECRET,
    SECRET_TOKEN,
    FakeClock,
)

SECRETS = [one.get_secret_value() for one in (API_KEY, CLIENT_SECRET, SECRET_TOKEN)]
APPS = "/api/v2/zoom-oauth-apps/"
APP_LOGS = "/api/v2/zoom-oauth-app-logs/"
CREDENTIALS = "/api/v2/zoom-oauth-credentials/"

BY_RECALL = {
    FaultKind.DOWN: "Recall broke off before its answer was whole",
    FaultKind.HALF_ANSWER: "Recall broke off before its answer was whole",
    FaultKind.UNAVAILABLE: "Recall failed on its side (HTTP status 503)",
    FaultKind.SERVER_ERROR: "Recall failed on its side (HTTP status 500)",
    FaultKind.HTML_403: "firewall blocked the request, though neither localhost nor",
    FaultKind.FORBIDDEN: "Recall does not let this API key do that",
    FaultKind.NO_CREDIT: "out of credit",
    FaultKind.IN_FLIGHT: "still at work on an earlier request",
    FaultKind.RATE_LIMITED: "It is safe to try again in 7 seconds",
    FaultKind.RATE_LIMITED_BARE: "It is safe to try again in a minute",
    FaultKind.NONSENSE: "in another shape than",
    FaultKind.EMPTY: "answered with nothing where data was expected",
    FaultKind.PAGE: "answered with a web page where data was expected",
}
BY_ZOOM = {
    FaultKind.DOWN: "Zoom broke off before its answer was whole",
    FaultKind.HALF_ANSWER: "Zoom broke off before its answer was whole",
    FaultKind.UNAVAILABLE: "Zoom failed on its side (HTTP status 503)",
    FaultKind.SERVER_ERROR: "Zoom failed on its side (HTTP status 500)",
    FaultKind.HTML_403: "something in front of it blocked the request",
    FaultKind.FORBIDDEN: "Zoom refused with HTTP status 403",
    FaultKind.NO_CREDIT: "Zoom refused with HTTP status 402",
    FaultKind.IN_FLIGHT: "Zoom refused with HTTP status 409",
    FaultKind.RATE_LIMITED: "It is safe to try again in 7 seconds",
    FaultKind.RATE_LIMITED_BARE: "It is safe to try again in a while",
    FaultKind.NONSENSE: "its answer tells nothing about the pair",
    FaultKind.EMPTY: "its answer tells nothing about the pair",
    FaultKind.PAGE: "its answer tells nothing about the pair",
}
SECONDS = 7
TYPED = {
    "name": "Notetaker",
    "environment": "production",
    "kind": "account_level",
    "scope_style": "legacy",
    "client_id": "simClient0000000000001",
    "client_secret": SECRETS[1],
    "secret_token": SECRETS[2],
}


@dataclass(kw_only=True)
class Desk:
    """An admin at work, and what goes wrong meanwhile."""

    admin: FlaskClient
    services: Services
    sandbox: RunningSandbox
    clock: FakeClock
    said: dict[FaultKind, str] = field(default_factory=dict)

    def post(self, path: str, data: dict[str, Any] | None = None) -> TestResponse:
        return self.admin.post(path, data=data, follow_redirects=True)

    def try_each(
        self,
        faults: dict[FaultKind, str],
        act: Callable[[], TestResponse],
        *,
        path: str,
        method: str | None = None,
    ) -> dict[FaultKind, str]:
        """Do it once under each fault; return what the page said each time."""
        for kind in faults:
            fault = Fault(kind=kind, path=path, method=method, seconds=SECONDS)
            self.sandbox.zoom_faults.set([fault])
            self.sandbox.recall_faults.set([fault])
            answer = act()
            self.sandbox.zoom_faults.set([])
            self.sandbox.recall_faults.set([])
            self.clock.advance(minutes=2)  # a pause that Recall asked for is over
            assert answer.status_code == 200, kind
            assert not [one for one in SECRETS if one in answer.text], kind
            self.said[kind] = flash_of(answer)
        return self.said

    def add(self, *rows: Any) -> None:
        with self.services.database.writing() as session:
            for row in rows:
                session.add(row)
                session.flush()

    def app(self) -> ZoomApp:
        with self.services.database.reading() as session:
            return session.exec(select(ZoomApp)).one()


def without(faults: dict[FaultKind, str], *kinds: FaultKind) -> dict[FaultKind, str]:
    return {kind: words for kind, words in faults.items() if kind not in kinds}


def flash_of(answer: TestResponse) -> str:
    """Return the one message of the page."""
    page = BeautifulSoup(answer.text, "html5lib")
    found = [one.get_text(" ", strip=True) for one in page.select("#flashes .banner")]
    return found[0] if len(found) == 1 else f"not one message but {found}"


def missing(said: dict[FaultKind, str], faults: dict[FaultKind, str]) -> list[str]:
    """Return what was said without the words of its fault, or not to its end."""
    return [
        f"{kind}: {said.get(kind)}"
        for kind, words in faults.items()
        if words not in said.get(kind, "") or not said[kind].endswith(".")
    ]


@pytest.fixture
def desk(
    as_role: SignIn, services: Services, sandbox: RunningSandbox, clock: FakeClock
) -> Desk:
    sandbox.recall_world.add_workspace("us-east-1", SECRETS[0])
    admin = as_role(Role.ADMIN)
    return Desk(admin=admin, services=services, sandbox=sandbox, clock=clock)
