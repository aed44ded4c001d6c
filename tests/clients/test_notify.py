"""Services are reached with apprise, at public addresses alone, and redirects end."""

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from pydantic import SecretStr

from dashboard.clients import notify
from dashboard.errors import InvalidInputError, SendError

WORDS = {"title": "Hello", "body": "Text", "tone": "warning"}


class Hooks:
    """A web server that keeps what it is posted."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.status, self.location = 200, ""
        hooks = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                hooks.bodies.append(json.loads(self.rfile.read(length)))
                self.send_response(hooks.status)
                if hooks.location:
                    self.send_header("Location", hooks.location)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        self.url = notify.webhook_url(f"http://127.0.0.1:{self.port}/hook?x=1")


@pytest.fixture
def hooks() -> Iterator[Hooks]:
    made = Hooks()
    thread = threading.Thread(target=made.server.serve_forever, args=(0.05,))
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


def sent(url: SecretStr, **over: Any) -> None:
    given: dict[str, Any] = {**WORDS, "is_private_allowed": True, **over}
    notify.send(url, **given)


def test_a_webhook_gets_json_with_what_is_said_beside_it(hooks: Hooks) -> None:
    sent(hooks.url, extras={":id": "alert-message-1", ":kind": "validation"})

    [body] = hooks.bodies
    assert (body["title"], body["message"]) == ("Hello", "Text")
    assert (body["id"], body["kind"]) == ("alert-message-1", "validation")


def test_a_private_address_gets_nothing(hooks: Hooks) -> None:
    with pytest.raises(SendError, match="private network"):
        sent(hooks.url, is_private_allowed=False)

    assert hooks.bodies == []


def test_a_name_that_leads_to_a_private_address_gets_nothing(
    hooks: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve(monkeypatch, "public.example.com", ["127.0.0.1"])
    url = notify.webhook_url(f"http://public.example.com:{hooks.port}/")

    with pytest.raises(SendError, match="private network"):
        sent(url, is_private_allowed=False)

    assert hooks.bodies == []


def test_a_name_is_looked_up_once_for_the_check_and_the_connection(
    hooks: Hooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = resolve(monkeypatch, "rebinds.example.com", ["203.0.113.1", "127.0.0.1"])
    url = notify.webhook_url(f"http://rebinds.example.com:{hooks.port}/")
    monkeypatch.setattr(notify, "is_public", lambda text: text != "127.0.0.1")

    with pytest.raises(SendError):
        sent(url, is_private_allowed=False)

    assert asked == ["203.0.113.1"]
    assert hooks.bodies == []


def resolve(
    monkeypatch: pytest.MonkeyPatch, host: str, addresses: list[str]
) -> list[str]:
    """Have a name lead to one address after the other; return those that were given."""
    real, left, given = socket.getaddrinfo, list(addresses), []

    def look_up(name: str, port: int, *rest: Any) -> list[Any]:
        if name != host:
            return list(real(name, port, *rest))
        found = left.pop(0) if len(left) > 1 else left[0]
        given.append(found)
        place = (found, port)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", place)]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return given


def test_a_redirect_is_not_followed(hooks: Hooks) -> None:
    hooks.status, hooks.location = 307, f"http://127.0.0.1:{hooks.port}/other"

    with pytest.raises(SendError):
        sent(hooks.url)

    assert len(hooks.bodies) == 1


def test_a_refusal_is_said_with_its_reason(hooks: Hooks) -> None:
    hooks.status = 404

    with pytest.raises(SendError, match=r"404|Not Found"):
        sent(hooks.url)


def test_a_reason_holds_no_secret_of_the_address(hooks: Hooks) -> None:
    hooks.status = 500
    url = SecretStr(f"json://127.0.0.1:{hooks.port}/very-secret-path-1234567890")

    with pytest.raises(SendError) as caught:
        sent(url)

    assert "very-secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["mailto://user:pass@example.com", "syslog://", "nothing://x", "text", ""]
)
def test_what_is_not_reached_by_http_is_refused(url: str) -> None:
    with pytest.raises(InvalidInputError):
        notify.require_usable(SecretStr(url))


@pytest.mark.parametrize(
    ("text", "is_public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::1", True),
        ("10.1.2.3", False),
        ("127.0.0.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),  # noqa: S104 - an address
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::a00:1", False),
        ("2002:a00:1::1", False),
        ("nonsense", False),
    ],
)
def test_which_addresses_are_public(text: str, is_public: bool) -> None:  # noqa: FBT001 - a parameter
    assert notify.is_public(text) is is_public
