"""Vendors for client tests: simulated ones over HTTP, and malformed ones."""

import base64
import hashlib
import json
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import httpx2
import pytest
from pydantic import SecretStr

from dashboard.clients.http.client import make_http
from dashboard.clients.recall.api import Recall
from dashboard.clients.recall.replies import RecallApp
from dashboard.errors import UpstreamError
from dashboard.sandbox.serving import RunningSandbox

API_KEY = SecretStr("test-api-key-0001")
CLIENT_SECRET = SecretStr("test-client-secret-0001")
SECRET_TOKEN = SecretStr("test-secret-token-0001")
CODE = SecretStr("test-code-0001")
VERIFIER = SecretStr("test-code-verifier-0001-which-is-long-enough")
REDIRECT = "https://dashboard.example.com/oauth/zoom/callback"
HOST = "https://us-west-2.recall.ai"
AN_ID = UUID("11111111-2222-4333-8444-555555555555")

Handler = Callable[[httpx2.Request], httpx2.Response]


def answering(
    status: int = 200,
    body: object = b"",
    headers: dict[str, str] | None = None,
) -> Handler:
    """Answer every request alike; what is not bytes is sent as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return lambda _: httpx2.Response(status, content=content, headers=headers)


def failing(error: Exception) -> Handler:
    """Fail every request as the HTTP library would."""

    def fail(_: httpx2.Request) -> httpx2.Response:
        raise error

    return fail


def http_to(handler: Handler, base_url: str = HOST) -> httpx2.Client:
    return make_http(base_url, transport=httpx2.MockTransport(handler))


def recall_at(handler: Handler, api_key: SecretStr = API_KEY) -> Recall:
    """Make a Recall client whose vendor is a function; it needs no closing."""
    return Recall(HOST, api_key, http=http_to(handler))


def refusal_of(call: Callable[[], object]) -> UpstreamError:
    """Return the error a call ends with."""
    with pytest.raises(UpstreamError) as caught:
        call()
    return caught.value


def everything_in(error: UpstreamError) -> str:
    """Return all that a log, a page or a debugger could show of an error."""
    chained = [error.__cause__, error.__context__]
    shown = "".join(traceback.format_exception(error))
    return f"{error} {error!r} {error.args} {vars(error)} {shown} {chained}"


def challenge_of(verifier: SecretStr) -> str:
    digest = hashlib.sha256(verifier.get_secret_value().encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A zoom app at the simulated Zoom, registered at the simulated Recall."""

    sandbox: RunningSandbox
    recall: Recall
    client_id: str
    app: RecallApp

    def a_user(self, email: str = "ana@example.com") -> str:
        """Make a Zoom user; return the id."""
        return self.sandbox.zoom_world.add_user(email=email).id

    def a_code(self, user_id: str, verifier: SecretStr = VERIFIER) -> SecretStr:
        """Let the user allow the app at Zoom; return the code."""
        back = self.sandbox.zoom_world.authorize(
            user_id,
            client_id=self.client_id,
            redirect_uri=REDIRECT,
            state="a-state",
            code_challenge=challenge_of(verifier),
            code_challenge_method="S256",
        )
        return SecretStr(parse_qs(urlsplit(back).query)["code"][0])


def a_stage(sandbox: RunningSandbox) -> Iterator[Stage]:
    """Set the stage; closes its connections afterwards."""
    zoom_app = sandbox.zoom_world.add_app(
        client_secret=CLIENT_SECRET.get_secret_value(), redirect_url=REDIRECT
    )
    sandbox.recall_world.add_workspace(api_key=API_KEY.get_secret_value())
    recall = Recall(sandbox.recall_url, API_KEY)
    app = recall.create_app(
        kind="user_level",
        client_id=zoom_app.client_id,
        client_secret=CLIENT_SECRET,
        webhook_secret=SECRET_TOKEN,
        idempotency_key="the-first",
    )
    yield Stage(sandbox=sandbox, recall=recall, client_id=zoom_app.client_id, app=app)
    recall.close()
