"""A simulated Zoom in the state a test wants, and an endpoint that it posts to."""

import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import httpx2
from flask.testing import FlaskClient

from dashboard.sandbox.clock import SimClock
from dashboard.sandbox.zoom import ZoomWorld, create_zoom
from dashboard.sandbox.zoom.records import ZoomApp, ZoomUser
from dashboard.sandbox.zoom.signing import encrypted_token

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
CALLBACK = "https://dash.example.com/oauth/zoom/callback"
HOOK = "https://dash.example.com/hooks/zoom/1"
SECRET = "test-secret-token-0001"


@dataclass
class Endpoint:
    """Answers challenges rightly and events with `answers`, then 200.

    `meanwhile` is done while the sender waits for each answer.
    """

    secret: str = SECRET
    requests: list[httpx2.Request] = field(default_factory=list)
    answers: deque[httpx2.Response | Exception] = field(default_factory=deque)
    meanwhile: Callable[[], object] = lambda: None

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        self.meanwhile()
        if self.answers:
            answer = self.answers.popleft()
            if isinstance(answer, Exception):
                raise answer
            return answer
        if b"endpoint.url_validation" not in request.content:
            return httpx2.Response(200)
        plain = json.loads(request.content)["payload"]["plainToken"]
        token = encrypted_token(self.secret, plain)
        return httpx2.Response(200, json={"plainToken": plain, "encryptedToken": token})

    def events(self) -> list[dict[str, object]]:
        """Return the bodies received, challenges left out."""
        bodies = [json.loads(request.content) for request in self.requests]
        return [b for b in bodies if b["event"] != "endpoint.url_validation"]


def a_world(
    endpoint: Endpoint | None = None, *, allow_local: bool = False
) -> ZoomWorld:
    """Return an empty world at noon whose network is `endpoint`."""
    clock = SimClock()
    clock.set(NOON)
    transport = httpx2.MockTransport(endpoint or Endpoint())
    return ZoomWorld(clock, allow_local=allow_local, transport=transport)


def an_app(world: ZoomWorld, **fields: object) -> ZoomApp:
    """Add an app with redirect URL and secret token."""
    return world.add_app(**{"redirect_url": CALLBACK, "secret_token": SECRET, **fields})


def a_user(world: ZoomWorld, **fields: object) -> ZoomUser:
    """Add Ana."""
    return world.add_user(**{"email": "ana@example.com", **fields})


def a_code(world: ZoomWorld, app: ZoomApp, user: ZoomUser, **params: str) -> str:
    """Let the user allow the app; return the code."""
    asked = {"client_id": app.client_id, "redirect_uri": CALLBACK, **params}
    return query(world.authorize(user.id, **asked))["code"]


def tokens(
    world: ZoomWorld, app: ZoomApp, user: ZoomUser, **params: str
) -> dict[str, str]:
    """Let the user allow the app and exchange the code; return the answer."""
    code = a_code(world, app, user, **params)
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": CALLBACK,
    }
    answer = web(world).post("/oauth/token", data=form, auth=pair(app))
    assert answer.status_code == 200, answer.text
    body: dict[str, str] = answer.get_json()
    return body


def a_subscriber(world: ZoomWorld, **fields: object) -> tuple[ZoomApp, ZoomUser]:
    """Return an app with a validated webhook URL and a user who added it."""
    app, user = an_app(world, **fields), a_user(world, role_name="Admin")
    tokens(world, app, user)
    assert world.validate(app.client_id, HOOK).valid
    return app, user


def pair(app: ZoomApp) -> tuple[str, str]:
    """Return the app's credentials for Basic authentication."""
    return app.client_id, app.client_secret


def web(world: ZoomWorld) -> FlaskClient:
    """Return a browser or program that talks to the simulated Zoom."""
    return create_zoom(world).test_client()


def query(url: str) -> dict[str, str]:
    """Return a URL's query."""
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
