"""A simulated Recall on a bench: its client, its world, a stand-in for Zoom."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import httpx2
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from dashboard.sandbox.clock import SimClock
from dashboard.sandbox.recall import RecallWorld, create_recall

NOON = datetime(2026, 11, 23, 12, 0, 5, tzinfo=UTC)
SECRET_TOKEN = "test-secret-token-0001"
ZOOM = "https://zoom.test"
REDIRECT = "https://dashboard.example/connect/callback"
APPS = "/api/v2/zoom-oauth-apps/"
CREDENTIALS = "/api/v2/zoom-oauth-credentials/"
MAPPINGS = "/api/v2/zoom-meetings-to-credentials/"


def a_token(user: str = "user-1", **claims: Any) -> str:
    """A Zoom access token in the form of a JWT that nobody signed."""
    payload = {
        "iss": "zm:cid:test-client-id",
        "uid": user,
        "aid": "account-1",
        "exp": int((NOON + timedelta(hours=1)).timestamp()),
        **claims,
    }
    parts = [{"alg": "none"}, payload]
    texts = [base64.urlsafe_b64encode(json.dumps(part).encode()) for part in parts]
    return ".".join([*(text.decode().rstrip("=") for text in texts), "c2ln"])


Answer = Callable[[httpx2.Request], httpx2.Response]


@dataclass
class ZoomStandIn:
    """Just enough of Zoom, and of customers' servers, to connect and to sync.

    Any code is good and is for the user of the same name. `answers` maps the path of
    a request to an answer that replaces the usual one.
    """

    answers: dict[str, Answer] = field(default_factory=dict)
    requests: list[httpx2.Request] = field(default_factory=list)
    meetings: list[int] = field(default_factory=lambda: [84731728293])
    user: str = "user-1"
    issued: int = 0

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        path = request.url.path
        if path in self.answers:
            return self.answers[path](request)
        match path:
            case "/oauth/token":
                return self._token(request)
            case "/v2/users/me":
                body = {"id": self.user, "account_id": "account-1", "pmi": 5551234567}
                return httpx2.Response(200, json=body)
            case "/v2/users":
                users = [{"id": "user-1", "pmi": 5551234567}, {"id": "user-2"}]
                return httpx2.Response(200, json={"users": users})
            case _:
                return self._meetings(request)

    def _token(self, request: httpx2.Request) -> httpx2.Response:
        form = parse_qs(request.content.decode())
        self.user = form.get("code", [self.user])[0]
        self.issued += 1
        body = {
            "access_token": a_token(self.user, jti=self.issued),
            "refresh_token": f"refresh-{self.issued}",
            "expires_in": 3600,
            "token_type": "bearer",
            "scope": "user:read:user",
        }
        return httpx2.Response(200, json=body)

    def _meetings(self, request: httpx2.Request) -> httpx2.Response:
        """Page through the meetings one by one."""
        at = int(request.url.params.get("next_page_token", "0"))
        found = [{"id": number} for number in self.meetings[at : at + 1]]
        more = str(at + 1) if at + 1 < len(self.meetings) else ""
        return httpx2.Response(200, json={"meetings": found, "next_page_token": more})

    def paths(self) -> list[str]:
        """The paths asked for so far."""
        return [request.url.path for request in self.requests]


def refused(status: int, **body: Any) -> Answer:
    """An answer that is always the same."""
    return lambda _: httpx2.Response(status, json=body)


def plain(text: str, status: int = 200) -> Answer:
    """A customer's token callback."""
    return lambda _: httpx2.Response(status, text=text)


@dataclass
class Bench:
    """One simulated Recall, its clock standing near noon."""

    zoom: ZoomStandIn
    world: RecallWorld
    http: FlaskClient
    key: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Token {self.key}"}

    def get(self, path: str, **query: Any) -> TestResponse:
        return self.http.get(path, headers=self.headers, query_string=query)

    def post(self, path: str, body: Any = None, **headers: str) -> TestResponse:
        sent = {**self.headers, **{k.replace("_", "-"): v for k, v in headers.items()}}
        return self.http.post(path, json=body, headers=sent)

    def switch(self, **values: Any) -> None:
        self.world.set_switches(values)

    def app(self, **changed: Any) -> dict[str, Any]:
        body = {
            "kind": "user_level",
            "client_id": "test-client-id",
            "client_secret": "test-client-secret",
            "webhook_secret": SECRET_TOKEN,
            **changed,
        }
        return dict(self.post(APPS, body).get_json())

    def connecting(
        self, app_id: str, code: str = "user-1", **headers: str
    ) -> TestResponse:
        body = {
            "oauth_app": app_id,
            "authorization_code": {"code": code, "redirect_uri": REDIRECT},
        }
        return self.post(CREDENTIALS, body, **headers)

    def credential(self, code: str = "user-1", **app: Any) -> dict[str, Any]:
        return dict(self.connecting(self.app(**app)["id"], code).get_json())

    def read(self, credential: dict[str, Any]) -> dict[str, Any]:
        return dict(self.get(f"{CREDENTIALS}{credential['id']}/").get_json())

    def webhook(
        self,
        app_id: str,
        event: dict[str, Any] | bytes,
        *,
        secret: str = SECRET_TOKEN,
        sent_at: datetime | None = None,
    ) -> TestResponse:
        """Post an event as Zoom would, signed."""
        raw = event if isinstance(event, bytes) else json.dumps(event).encode()
        at = str(int((sent_at or self.world.clock.now()).timestamp()))
        text = b"v0:" + at.encode() + b":" + raw
        digest = hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()
        headers = {
            "x-zm-request-timestamp": at,
            "x-zm-signature": f"v0={digest}",
            "Content-Type": "application/json; charset=utf-8",
        }
        return self.http.post(f"{APPS}{app_id}/webhook", data=raw, headers=headers)


def a_recall(*, allow_local: bool = False) -> Bench:
    """A simulated Recall with one workspace."""
    zoom, clock = ZoomStandIn(), SimClock()
    clock.set(NOON)
    world = RecallWorld(
        clock,
        zoom_url=ZOOM,
        allow_local=allow_local,
        transport=httpx2.MockTransport(zoom),
    )
    key = world.add_workspace().api_key
    return Bench(zoom, world, create_recall(world).test_client(), key)
