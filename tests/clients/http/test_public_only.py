"""Only public addresses are connected to, whatever a name resolves to, and when."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from dashboard.clients import public_url
from dashboard.clients.delivery import Answer, Endpoints, Failure
from dashboard.clients.http import public_only
from dashboard.clients.http.client import make_http
from dashboard.clients.http.public_only import (
    AddressInfo,
    PublicOnly,
    is_public,
    url_problem,
)
from dashboard.clients.public_url import NoAnswer

NOT_PUBLIC = [
    "0.0.0.0",  # noqa: S104 - none is bound
    "10.1.2.3",
    "100.64.0.1",
    "127.0.0.1",
    "127.8.8.8",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.9",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "64:ff9b::7f00:1",
    "64:ff9b::808:808",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:808:808::",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fe80::1%lo",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
    "not an address",
]
PUBLIC = ["8.8.8.8", "1.1.1.1", "172.32.0.1", "2606:4700::1111", "2a00:1450::1"]


class Names(AbstractResolver):
    """A name server of our own: each look-up takes the next answer, then the last."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    def next(self) -> list[str]:
        self.asked += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=each,
                port=port,
                family=_family(each),
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for each in self.next()
        ]

    def info(self, host: str, port: int) -> list[AddressInfo]:
        return [
            (_family(each), socket.SOCK_STREAM, 6, "", (each, port))
            for each in self.next()
        ]

    async def close(self) -> None:
        pass


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


@contextmanager
def listening() -> Iterator[tuple[int, list[bytes]]]:
    """Count what connects, and answer 200; give the port and what came."""
    came: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        ended = threading.Event()

        def serve() -> None:
            while True:
                line = server.accept()[0]
                with line:
                    if ended.is_set():
                        return
                    line.settimeout(5)
                    came.append(line.recv(65536))
                    line.sendall(
                        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"
                        b"Connection: close\r\n\r\n"
                    )

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1], came
        finally:
            ended.set()
            socket.create_connection(server.getsockname()).close()
            thread.join()


def post(url: str, names: Names, *, is_private_allowed: bool = False) -> Answer:
    async def run() -> Answer:
        async with Endpoints(
            is_private_allowed=is_private_allowed, resolver=names
        ) as endpoints:
            return await endpoints.post(url, body=b"{}", headers={"x-a": "b"})

    return asyncio.run(run())


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_an_address_that_is_not_public_is_known(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_known(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address", [each for each in NOT_PUBLIC if each != "not an address"]
)
def test_a_name_that_resolves_to_a_private_address_is_refused(address: str) -> None:
    answer = post("https://hooks.example.com/in", Names([address]))
    assert answer.failure is Failure.PRIVATE


def test_nothing_connects_to_a_private_address_behind_a_name() -> None:
    with listening() as (port, came):
        names = Names(["127.0.0.1"])
        answer = post(f"https://hooks.example.com:{port}/in", names)
        assert (answer.failure, came, names.asked) == (Failure.PRIVATE, [], 1)


def test_a_name_that_rebinds_after_its_check_is_refused() -> None:
    """The first look-up is public, the one that is connected to is not."""
    checked = Names(["8.8.8.8"], ["127.0.0.1"])
    assert checked.next() == ["8.8.8.8"]
    with listening() as (port, came):
        answer = post(f"https://hooks.example.com:{port}/in", checked)
        assert (answer.failure, came) == (Failure.PRIVATE, [])


def test_each_new_connection_is_checked_again() -> None:
    with listening() as (port, came):
        names = Names(["127.0.0.1"])

        async def run() -> list[Answer]:
            async with Endpoints(is_private_allowed=False, resolver=names) as endpoints:
                url = f"https://hooks.example.com:{port}/in"
                return [
                    await endpoints.post(url, body=b"{}", headers={}) for _ in range(3)
                ]

        assert {each.failure for each in asyncio.run(run())} == {Failure.PRIVATE}
        assert came == []


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::1]", "localhost", "127.1", "2130706433", "0x7f.0.0.1"]
)
def test_a_private_address_written_as_a_literal_is_refused(host: str) -> None:
    with listening() as (port, came):
        answer = post(f"https://{host}:{port}/in", Names(["127.0.0.1"]))
        assert answer.failure in {Failure.PRIVATE, Failure.ADDRESS}
        assert came == []


def test_http_is_refused_unless_private_endpoints_are_allowed() -> None:
    names = Names(["127.0.0.1"])
    with listening() as (port, came):
        url = f"http://hooks.example.com:{port}/in"
        assert post(url, names).failure is Failure.PRIVATE
        assert came == []
        answer = post(url, names, is_private_allowed=True)
        assert (answer.status, answer.failure, len(came)) == (200, None, 1)
        assert b"x-a: b" in came[0]


def test_a_redirect_is_not_followed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, listening() as (other, came):
        port = server.getsockname()[1]

        def serve() -> None:
            with server.accept()[0] as line:
                line.recv(65536)
                line.sendall(
                    f"HTTP/1.1 307 X\r\nLocation: http://127.0.0.1:{other}/\r\n"
                    "Content-Length: 0\r\n\r\n".encode()
                )

        thread = threading.Thread(target=serve)
        thread.start()
        answer = post(
            f"http://127.0.0.1:{port}/in", Names(["127.0.0.1"]), is_private_allowed=True
        )
        thread.join()
        assert (answer.status, came) == (307, [])


def test_a_name_is_checked_before_a_proxy_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with listening() as (port, came):
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("no_proxy", "")
        answer = post("https://hooks.localhost.example.com/in", Names(["8.8.8.8"]))
        assert answer.failure is not Failure.PRIVATE  # unknown here: the proxy decides
        assert came[0].startswith(b"CONNECT hooks.localhost.example.com:443")
        came.clear()

        async def private(_: str) -> None:
            raise public_only.PrivateAddressError

        monkeypatch.setattr("dashboard.clients.delivery.require_public", private)
        answer = post("https://hooks.example.com/in", Names(["8.8.8.8"]))
        assert (answer.failure, came) == (Failure.PRIVATE, [])


def test_a_name_that_resolves_to_a_private_address_is_none_for_a_proxy() -> None:
    with pytest.raises(public_only.PrivateAddressError):
        asyncio.run(public_only.require_public("https://localhost/in"))


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_the_vendors_client_can_be_kept_to_public_addresses(address: str) -> None:
    names = Names([address])
    with listening() as (port, came):
        url = f"http://hooks.example.com:{port}"
        only = PublicOnly(resolve=names.info)
        with (
            make_http(url, public_only=only) as http,
            pytest.raises(httpx2.ConnectError, match="not a public one"),
        ):
            http.get("/in")
        assert (came, names.asked) == ([], 1)


def test_the_vendors_client_connects_to_the_address_that_was_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One look-up: what it found is connected to, so there is nothing to rebind."""
    monkeypatch.setattr(public_only, "is_public", lambda _: True)
    names = Names(["127.0.0.1"], ["8.8.8.8"])
    with listening() as (port, came):
        url = f"http://hooks.example.com:{port}"
        with make_http(url, public_only=PublicOnly(resolve=names.info)) as http:
            assert http.get("/in").status_code == 200
        assert (len(came), names.asked) == (1, 1)
        assert f"Host: hooks.example.com:{port}".encode().lower() in came[0].lower()


def test_a_public_address_beside_a_private_one_is_the_one_connected_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(public_only, "is_public", lambda address: address != "10.0.0.1")
    names = Names(["10.0.0.1", "127.0.0.1"])
    with listening() as (port, _):
        url = f"http://hooks.example.com:{port}"
        with make_http(url, public_only=PublicOnly(resolve=names.info)) as http:
            assert http.get("/in").status_code == 200


def test_a_token_server_at_a_private_address_is_not_called() -> None:
    with listening() as (port, came):
        url = f"http://127.0.0.1:{port}/tokens"
        answer = public_url.call(url, limit_s=2, is_private_allowed=False)
        assert (answer.no_answer, came) == (NoAnswer.PRIVATE, [])


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("hooks.example.com", "not a URL"),
        ("ftp://hooks.example.com", "not a URL"),
        ("https://", "not a URL"),
        ("https://[::1", "not a URL"),
        ("https://a.example.com:99999/", "not a URL"),
        ("https://a.example.com/\n", "not a URL"),
        ("https://b\u00fccher.example/", "not a URL"),
        ("https://a.example.com/a b", "a space"),
        ("https://a.example.com/" + "a" * 2000, "longer than"),
        ("https://user:secret@a.example.com/", "a user"),
        ("https://a.example.com/#part", "a fragment"),
        ("http://a.example.com/", "http://"),
        ("https://localhost/", "private address"),
        ("https://app.localhost/", "private address"),
        ("https://intranet/", "private address"),
        ("https://10.0.0.1/", "private address"),
        ("https://[::ffff:8.8.8.8]/", "private address"),
        ("https://printer.local/", "private address"),
    ],
)
def test_a_url_that_could_not_be_posted_to_is_refused_when_entered(
    url: str, words: str
) -> None:
    assert words in url_problem(url, is_private_allowed=False)
    if words in {"private address", "http://"}:
        assert url_problem(url, is_private_allowed=True) == ""


@pytest.mark.parametrize(
    "url", ["https://a.example.com/in?key=1", "https://8.8.8.8:8443/"]
)
def test_a_public_url_is_accepted(url: str) -> None:
    assert url_problem(url, is_private_allowed=False) == ""
