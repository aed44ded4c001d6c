"""`dashboard serve` over real connections: pages, forms, files, odd requests."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.fixtures.hooks import event
from tests.fixtures.serve import EMAIL, LONG_S, PASSWORD, Front, answer, cookies

MOST_BYTES = 2 * 1024 * 1024


@pytest.fixture(scope="module")
def front(
    tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path
) -> Iterator[Front]:
    made = Front(tmp_path_factory.mktemp("front"), migrated_sqlite).start()
    yield made
    made.kill()


def chunked(*parts: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (*parts, b""))


def test_a_page_comes_with_its_headers(front: Front) -> None:
    response, body = front.send("GET /sign-in HTTP/1.1")

    assert response.status == 200
    assert b"csrf_token" in body
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["content-length"] == str(len(body))
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert response.headers["cache-control"] == "no-store"
    assert re.fullmatch("[0-9a-f]{12}", response.headers["x-request-id"])
    assert response.headers["content-encoding"] is None


def test_a_page_is_zipped_for_who_can_read_it(front: Front) -> None:
    response, body = front.send("GET /sign-in HTTP/1.1", "Accept-Encoding: gzip")

    assert response.headers["content-encoding"] == "gzip"
    assert body.startswith(b"\x1f\x8b")


def test_a_form_signs_in_with_its_token_and_not_without(front: Front) -> None:
    form = {"email": EMAIL, "password": PASSWORD}
    with httpx2.Client(base_url=front.url) as browser:
        token = front.form(browser)

        refused = browser.post("/sign-in", data=form, headers=front.origin)
        taken = browser.post("/sign-in", data=form | token, headers=front.origin)
        page = browser.get("/")

    assert refused.status_code == 400
    assert (taken.status_code, taken.headers["location"]) == (303, "/")
    assert "HttpOnly" in taken.headers["set-cookie"]
    assert page.status_code == 200


def test_a_form_in_chunks_is_read(front: Front) -> None:
    with httpx2.Client(base_url=front.url) as browser:
        form = {**front.form(browser), "email": EMAIL, "password": "wrong"}
        line = f"Cookie: {cookies(browser)}"
    encoded = "&".join(f"{key}={value}" for key, value in form.items()).encode()

    response, body = front.send(
        "POST /sign-in HTTP/1.1",
        line,
        f"Referer: {front.url}/sign-in",
        "Content-Type: application/x-www-form-urlencoded",
        "Transfer-Encoding: chunked",
        body=chunked(encoded[:10], encoded[10:]),
    )

    assert response.status == 422
    assert b"Incorrect email or password" in body


def test_cookies_on_lines_of_their_own_are_one_header(front: Front) -> None:
    cookie = front.cookie()

    assert front.send("GET / HTTP/1.1", "Cookie: a=1", cookie)[0].status == 200


def test_a_form_too_large_is_refused_declared_or_not(front: Front) -> None:
    kind = "Content-Type: application/x-www-form-urlencoded"

    declared, _ = front.send(
        "POST /sign-in HTTP/1.1", kind, f"Content-Length: {MOST_BYTES + 1}"
    )
    found, _ = front.send(
        "POST /sign-in HTTP/1.1",
        kind,
        "Transfer-Encoding: chunked",
        body=chunked(*[b"a" * 65_536] * 32, b"a"),
    )

    assert (declared.status, found.status) == (413, 413)


def test_a_file_is_cached_by_its_name_and_known_by_its_tag(front: Front) -> None:
    page = front.send("GET /sign-in HTTP/1.1")[1].decode()
    [path] = re.findall(r'href="(/static/app\.css\?v=[^"]+)"', page)

    first, body = front.send(f"GET {path} HTTP/1.1")
    again, nothing = front.send(
        f"GET {path} HTTP/1.1", f"If-None-Match: {first.headers['etag']}"
    )

    assert (first.status, len(body)) == (200, int(first.headers["content-length"]))
    assert "max-age=31536000" in first.headers["cache-control"]
    assert (again.status, nothing) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]


def test_a_head_has_the_length_and_no_body(front: Front) -> None:
    whole, _ = front.send("GET /static/app.js HTTP/1.1")
    with front.connect() as line:
        line.sendall(front.written("HEAD /static/app.js HTTP/1.1"))
        line.sendall(front.written("GET /healthz HTTP/1.1"))
        head, nothing = answer(line, "HEAD")

    assert (head.status, nothing) == (200, b"")
    assert head.headers["content-length"] == whole.headers["content-length"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/nothing-here", 404),
        ("/static/app%2Ecss", 200),
        ("/static/app%252Ecss", 404),  # decoded once, not twice
        ("/static/%2e%2e/settings.py", 404),
        ("/static/%252e%252e/settings.py", 404),
        ("/caf\u00e9/\u2026/%C3%A9/%FF", 404),
        ("/sign-in?next=\u2026&x=%C3%A9&y=%FF", 200),
        ("//example.com/", 404),
        ("/%68ooks/zoom/x", 404),
    ],
)
def test_a_path_means_what_it_says(front: Front, path: str, status: int) -> None:
    assert front.send(f"GET {path} HTTP/1.1")[0].status == status


def test_a_query_arrives_as_written(front: Front) -> None:
    body = front.send("GET /sign-in?next=/webhooks%3Fq%3D%C3%A9%26r=1 HTTP/1.1")[1]

    assert 'value="/webhooks?q=\u00e9&amp;r=1"' in body.decode()


@pytest.mark.parametrize(
    "line",
    [
        b"X-Own: caf\xe9",
        b"Cookie: dashboard=\xff\xfe",
        b"User-Agent: \xc3\xa9",
        b"X_Forwarded_For: 192.0.2.66",
        b"Cookie: " + b"a" * 8000,
    ],
)
def test_an_odd_header_is_no_error(front: Front, line: bytes) -> None:
    assert front.send("GET /sign-in HTTP/1.1", line)[0].status == 200
    head, lines = front.webhook(event())
    assert front.send(head, *lines, line, body=event())[0].status == 200


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"NONSENSE\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\n: no name\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"a: b\r\n" * 500 + b"\r\n", 431),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    ],
    ids=["no HTTP", "no name", "too many headers", "too long an address"],
)
def test_what_the_server_itself_refuses_is_answered_with_nothing(
    front: Front, sent: bytes, status: int
) -> None:
    """As SECURITY.md says: without our headers, and with nothing of the dashboard."""
    with front.connect() as line:
        line.sendall(sent)
        response, body = answer(line)

    assert (response.status, body) == (status, b"")
    assert {name.lower() for name, _ in response.getheaders()} <= {
        "connection",
        "content-length",
        "date",
    }


def test_http_1_0_is_answered_and_its_line_closed(front: Front) -> None:
    with front.connect() as line:
        line.sendall(front.written("GET /sign-in HTTP/1.0", host=False))
        response, body = answer(line)

        assert response.status == 200
        assert len(body) == int(response.headers["content-length"])
        assert line.recv(1) == b""


def test_a_line_is_kept_for_more_pages_and_webhooks(front: Front) -> None:
    head, lines = front.webhook(event(7))
    with front.connect() as line:
        statuses = []
        for _ in range(3):
            line.sendall(front.written("GET /sign-in HTTP/1.1"))
            statuses.append(answer(line)[0].status)
            line.sendall(front.written(head, *lines, body=event(7)))
            statuses.append(answer(line, "POST")[0].status)

    assert statuses == [200] * 6


def test_expect_100_is_told_to_go_on_unless_it_is_too_large(front: Front) -> None:
    expect = "Expect: 100-continue"
    head, lines = front.webhook(event(8))
    with front.connect() as line:
        line.sendall(front.written(head, *lines, expect))
        assert line.recv(12) == b"HTTP/1.1 100"
        assert line.recv(100) == b" Continue\r\n\r\n"
        line.sendall(event(8))
        assert answer(line, "POST")[0].status == 200
    with front.connect() as line:
        line.sendall(front.written(head, expect, "Content-Length: 9999999"))
        assert line.recv(12) == b"HTTP/1.1 413"


def test_what_follows_a_body_is_the_next_request(front: Front) -> None:
    head, lines = front.webhook(event(9))
    with front.connect() as line:
        line.sendall(front.written(head, *lines, body=event(9) + b"GET / HTTP/1.1\r\n"))
        assert answer(line, "POST")[0].status == 200
    assert 9 in front.stored()


def test_a_length_beside_chunks_counts_for_nothing(front: Front) -> None:
    head, lines = front.webhook(event(10))
    coded = [*lines, "Transfer-Encoding: chunked"]

    assert front.send(head, *coded, body=chunked(event(10)))[0].status == 200
    large = chunked(*[b" " * 65_536] * 17)
    assert front.send(head, *coded, body=large)[0].status == 413


def test_half_sent_bodies_delay_neither_a_webhook_nor_a_page(front: Front) -> None:
    lines = [front.connect() for _ in range(300)]
    for number, line in enumerate(lines):
        path = f"/hooks/zoom/{front.app_id}" if number % 2 else "/sign-in"
        line.sendall(
            front.written(f"POST {path} HTTP/1.1", "Content-Length: 99", body=b"half")
        )

    assert front.post_webhook(event(11)) == 200
    assert front.send("GET /sign-in HTTP/1.1")[0].status == 200
    for line in lines:
        line.setblocking(False)
        with pytest.raises(BlockingIOError):  # they wait still
            line.recv(1)
        line.close()


def test_senders_that_do_not_wait_for_the_answer_break_nothing(front: Front) -> None:
    for number in range(20, 40):
        head, lines = front.webhook(event(number))
        with front.connect() as line:
            line.sendall(front.written(head, *lines, body=event(number)))

    # Answered by nobody, so owed by nobody: but most are there, and the rest come.
    assert front.post_webhook(event(40)) == 200
    assert front.stored() & set(range(20, 40))


def test_a_connection_that_says_nothing_is_closed(front: Front) -> None:
    quiet = [front.connect() for _ in range(3)]
    quiet[1].sendall(b"GET / HT")
    quiet[2].sendall(front.written("GET /healthz HTTP/1.1"))
    assert answer(quiet[2])[0].status == 200

    for line in quiet:  # or the time-out of the socket ends the test
        line.settimeout(LONG_S)
        while line.recv(4096):  # an answer 408 may come first
            pass
        line.close()


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/hooks/zoom/{app}", 413),
        ("/hooks/zoom/01234567-89ab-cdef-0123-456789abcdef", 404),
        ("/hooks/elsewhere", 404),
        ("/tokens/abcdefghijklmnopqrstuvwxyz", 405),
        ("/sign-in", 413),
    ],
)
@pytest.mark.parametrize("in_chunks", [False, True], ids=["a length", "chunks"])
def test_a_sender_that_writes_ten_mebibytes_first_reads_the_answer(
    front: Front, path: str, status: int, *, in_chunks: bool
) -> None:
    size = 10 * 1024 * 1024
    lines = ["Transfer-Encoding: chunked"] if in_chunks else [f"Content-Length: {size}"]
    body = chunked(*[b" " * 65_536] * 160) if in_chunks else b" " * size

    found, _ = front.send(
        f"POST {path.format(app=front.app_id)} HTTP/1.1", *lines, body=body
    )

    assert found.status == status
    assert found.headers["x-content-type-options"] == "nosniff"
