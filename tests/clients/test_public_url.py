"""What a challenge to our own address meets on its way, over real sockets."""

import socket
import ssl
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from dashboard.clients import public_url
from dashboard.clients.public_url import NoAnswer, PublicUrlAnswer
from tests.fixtures import certificates
from tests.fixtures.ports import free_ports

LIMIT_S = 0.4
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"

Talk = Callable[[socket.socket], None]


@contextmanager
def server(talk: Talk, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """Take connections one after the other and let `talk` have each; give the port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        ended = threading.Event()

        def serve() -> None:
            while not ended.is_set():
                with suppress(OSError), listening.accept()[0] as line:
                    line.settimeout(5)
                    if tls is None:
                        talk(line)
                    else:
                        with tls.wrap_socket(line, server_side=True) as wrapped:
                            talk(wrapped)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            ended.set()
            socket.create_connection(listening.getsockname()).close()
            thread.join()


def reads(line: socket.socket) -> bytes:
    """Read a request: `ask` sends a body that ends like this."""
    came = b""
    while not came.endswith(b'"}'):
        part = line.recv(65536)
        if not part:
            raise ConnectionAbortedError
        came += part
    return came


def answers(answer: bytes) -> Talk:
    def talk(line: socket.socket) -> None:
        reads(line)
        line.sendall(answer)

    return talk


def ask(
    url: str, *, limit_s: float = LIMIT_S, tls: ssl.SSLContext | None = None
) -> PublicUrlAnswer:
    return public_url.challenge(
        url,
        body=b'{"event":"endpoint.url_validation"}',
        timestamp="1",
        signature="v0=0",
        user_agent="Zoom Marketplace/1.0a (test)",
        limit_s=limit_s,
        tls=tls,
    )


def test_it_posts_what_zoom_posts_and_gives_the_answer_back() -> None:
    came: list[bytes] = []

    def talk(line: socket.socket) -> None:
        came.append(reads(line))
        line.sendall(OK)

    with server(talk) as port:
        answer = ask(f"http://127.0.0.1:{port}/hooks/zoom/1", limit_s=5)

    head, _, body = came[0].partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    assert lines[0] == b"post /hooks/zoom/1 http/1.1"
    assert {
        b"x-zm-request-timestamp: 1",
        b"x-zm-signature: v0=0",
        b"content-type: application/json; charset=utf-8",
        b"user-agent: zoom marketplace/1.0a (test)",
    } <= set(lines)
    assert body == b'{"event":"endpoint.url_validation"}'
    assert (answer.no_answer, answer.status, answer.body) == (None, 200, b"{}")
    assert answer.took_ms > 0


def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    moved = b"HTTP/1.1 301 Moved\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"
    with server(answers(moved)) as port:
        answer = ask(f"http://127.0.0.1:{port}/", limit_s=5)

    assert (answer.status, answer.headers["location"]) == (301, "/elsewhere")


def test_nobody_listens() -> None:
    assert ask(f"http://127.0.0.1:{free_ports(1)[0]}/").no_answer is NoAnswer.REFUSED


def test_a_name_that_nobody_knows() -> None:
    # A machine without any name server cannot even tell.
    expected = {NoAnswer.NO_NAME, NoAnswer.NO_LOOK_UP}

    assert ask("https://dashboard.invalid/", limit_s=30).no_answer in expected


def test_no_connection_comes_about_in_time() -> None:
    with (
        socket.create_server(("127.0.0.1", 0), backlog=0) as listening,
        # The queue is full then, and the system drops who else knocks.
        socket.create_connection(listening.getsockname()),
    ):
        answer = ask(f"http://127.0.0.1:{listening.getsockname()[1]}/")

    assert answer.no_answer is NoAnswer.NO_CONNECTION


def _silent(line: socket.socket) -> None:
    reads(line)
    line.recv(1)


def _trickling(line: socket.socket) -> None:
    """Send each piece in time, and the whole of it long after the limit."""
    reads(line)
    line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Long: ")
    for _ in range(60):
        line.sendall(b"x")
        threading.Event().wait(0.05)
    line.sendall(b"\r\n\r\n")


@pytest.mark.parametrize("talk", [_silent, _trickling])
def test_an_answer_that_is_not_whole_in_time_is_too_slow(talk: Talk) -> None:
    with server(talk) as port:
        answer = ask(f"http://127.0.0.1:{port}/")

    assert answer.no_answer is NoAnswer.TOO_SLOW


@pytest.mark.parametrize(
    ("answer", "trouble"),
    [
        (b"", NoAnswer.BROKEN_OFF),
        (OK[:-1], NoAnswer.BROKEN_OFF),
        (b"SSH-2.0-OpenSSH_9.2\r\n", NoAnswer.BROKEN_OFF),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n" + b"x" * 70000,
            NoAnswer.TOO_LONG,
        ),
    ],
)
def test_half_an_answer_and_far_too_much(answer: bytes, trouble: NoAnswer) -> None:
    with server(answers(answer)) as port:
        assert ask(f"http://127.0.0.1:{port}/", limit_s=5).no_answer is trouble


def test_an_address_that_cannot_be_called() -> None:
    assert ask("ftp://127.0.0.1/").no_answer is NoAnswer.ADDRESS


def test_the_proxy_that_this_server_goes_out_by(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{free_ports(1)[0]}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)

    assert ask("https://dashboard.example.com/").no_answer is NoAnswer.WAY_OUT


ROOT = certificates.make("Test root", is_authority=True)
MIDDLE = certificates.make("Test middle", by=ROOT, is_authority=True)


@pytest.mark.parametrize(
    ("leaf", "trouble"),
    [
        (certificates.make("localhost", by=ROOT), None),
        (certificates.make("localhost"), NoAnswer.SELF_SIGNED),
        (certificates.make("localhost", by=MIDDLE), NoAnswer.CHAIN),
        (certificates.expired("localhost", by=ROOT), NoAnswer.EXPIRED),
        (certificates.not_yet("localhost", by=ROOT), NoAnswer.NOT_YET),
        (certificates.make("www.example.com", by=ROOT), NoAnswer.OTHER_NAME),
    ],
    ids=lambda value: value.value if isinstance(value, NoAnswer) else "",
)
def test_what_is_wrong_with_a_certificate_is_told_apart(
    tmp_path: Path, leaf: certificates.Made, trouble: NoAnswer | None
) -> None:
    shown = certificates.serving(tmp_path, leaf)
    with server(answers(OK), shown) as port:
        answer = ask(
            f"https://localhost:{port}/",
            limit_s=5,
            tls=certificates.believing(ROOT),
        )

    assert answer.no_answer is trouble


def test_the_missing_middle_was_all_that_was_wrong(tmp_path: Path) -> None:
    leaf = certificates.make("localhost", by=MIDDLE)
    with server(answers(OK), certificates.serving(tmp_path, leaf, MIDDLE)) as port:
        believing = certificates.believing(ROOT)
        answer = ask(f"https://localhost:{port}/", limit_s=5, tls=believing)

    assert (answer.no_answer, answer.status) == (None, 200)


def test_by_default_the_systems_authorities_are_believed_and_no_others(
    tmp_path: Path,
) -> None:
    leaf = certificates.make("localhost", by=ROOT)
    with server(answers(OK), certificates.serving(tmp_path, leaf)) as port:
        assert ask(f"https://localhost:{port}/", limit_s=5).no_answer is NoAnswer.CHAIN


def test_a_server_that_knows_old_tls_only(tmp_path: Path) -> None:
    shown = certificates.serving(tmp_path, certificates.make("localhost", by=ROOT))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        shown.minimum_version = ssl.TLSVersion.TLSv1_1
        shown.maximum_version = ssl.TLSVersion.TLSv1_1
    shown.set_ciphers("DEFAULT:@SECLEVEL=0")
    with server(answers(OK), shown) as port:
        assert (
            ask(f"https://localhost:{port}/", limit_s=5).no_answer is NoAnswer.OLD_TLS
        )


def test_a_port_where_no_tls_is_spoken() -> None:
    def talk(line: socket.socket) -> None:
        line.recv(1000)
        line.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    with server(talk) as port:
        assert ask(f"https://localhost:{port}/", limit_s=5).no_answer is NoAnswer.NO_TLS
