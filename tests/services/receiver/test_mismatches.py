"""What a signature that does not match is explained with, and what that may cost."""

import base64
import gzip
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from dashboard.models.zoom_app import Environment, Routing
from dashboard.services.receiver import mismatches, packing, signatures
from dashboard.services.receiver.keyring import AppCredentials, Neighbour
from dashboard.services.receiver.mismatches import (
    HMACS_A_REQUEST,
    Explanation,
    Mismatch,
)
from dashboard.services.receiver.signatures import Cause, NamedSecret

SECRET = "test-secret-token-0001"
TIMESTAMP = "1760000000"
BODY = b'{"event":"meeting.created","event_ts":1760000000123,"payload":{}}'
OWN = Neighbour(
    id=uuid4(),
    name="Notetaker",
    environment=Environment.DEVELOPMENT,
    client_id="simC-own",
    sealed=(),
)


def a_neighbour(number: int, **over: Any) -> Neighbour:
    values: dict[str, Any] = {
        "id": uuid4(),
        "name": f"App {number}",
        "environment": Environment.PRODUCTION,
        "client_id": f"simC-{number}",
        "sealed": (),
    }
    return Neighbour(**(values | over))


@dataclass
class Counting:
    """Signs as `signatures.sign` does, and knows how often."""

    calls: list[bytes] = field(default_factory=list)

    def __call__(self, message: bytes, secret: SecretStr) -> bytes:
        self.calls.append(message)
        return signatures.sign(message, secret)


def named(*texts: str) -> tuple[NamedSecret, ...]:
    names = ("current", "previous")
    return tuple(
        NamedSecret(name=name, secret=SecretStr(text))
        for name, text in zip(names, texts, strict=False)
    )


def explained(
    signed_with: str,
    *,
    stored: Sequence[str] = (SECRET,),
    others: Sequence[tuple[Neighbour, tuple[str, ...]]] = (),
    sign: Counting | None = None,
    **over: Any,
) -> Explanation | None:
    signed = over.pop("signed", BODY)
    body = over.pop("body", signed)
    message = signatures.signed_bytes(TIMESTAMP, signed)
    values: dict[str, Any] = {
        "app": AppCredentials(
            id=OWN.id,
            routing=Routing.RELAY,
            secrets=named(*stored),
            has_recall_app=True,
            version=1,
        ),
        "body": body,
        "timestamp": TIMESTAMP,
        "signature": signatures.sign(message, SecretStr(signed_with)).decode(),
        "declared_bytes": len(body),
        "encoding": "",
        "client_id": "",
    }
    secrets = {neighbour.id: texts for neighbour, texts in others}
    return mismatches.explain(
        Mismatch(**(values | over)),
        neighbours=[OWN, *(neighbour for neighbour, _ in others)],
        secrets_of=lambda neighbour: named(*secrets[neighbour.id]),
        sign=sign or Counting(),
    )


@pytest.mark.parametrize(
    ("signed_with", "stored", "words"),
    [
        (SECRET, f" {SECRET} ", "without the white space around it"),
        (f"{SECRET} ", SECRET, "with a space after it"),
        (f"{SECRET}\n", SECRET, "with a line break after it"),
    ],
)
def test_stray_white_space_in_a_secret_is_found(
    signed_with: str, stored: str, words: str
) -> None:
    found = explained(signed_with, stored=[stored])

    assert found is not None
    assert found.cause is Cause.WHITE_SPACE
    assert f"The current secret token would match {words}" in found.sentence
    assert SECRET not in found.sentence


def test_nothing_is_claimed_where_nothing_shows() -> None:
    other = a_neighbour(1)

    assert explained("stranger", others=[(other, ("theirs", "former"))]) is None


@pytest.mark.parametrize(
    ("name", "environment", "cause"),
    [
        ("notetaker ", Environment.PRODUCTION, Cause.OTHER_ENVIRONMENT),
        ("Other", Environment.PRODUCTION, Cause.OTHER_ENVIRONMENT),
        ("Other", Environment.DEVELOPMENT, Cause.OTHER_APP),
    ],
)
def test_another_zoom_app_is_named_with_its_environment(
    name: str, environment: Environment, cause: Cause
) -> None:
    other = a_neighbour(1, name=name, environment=environment)

    found = explained("theirs", others=[(other, ("theirs",))])

    assert found is not None
    assert found.cause is cause
    assert f"{name.strip()} ({environment.value})" in found.sentence
    assert f"/hooks/zoom/{other.id}" in found.sentence
    assert "theirs" not in found.sentence


def proxied(**dumped: Any) -> bytes:
    return json.dumps(json.loads(FULL), **dumped).encode()


FULL = (
    '{"payload":{"object":{"topic":"Café … \\uD83D\\uDE92 ✅","id":91234567890,'
    '"share":0.5,"none":null,"list":[],"quote":"\\"\\n"}},"event":"meeting.created"}'
).encode()


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(proxied(), id="a Python proxy"),
        pytest.param(proxied(indent=2), id="indented"),
        pytest.param(
            proxied(ensure_ascii=False, separators=(",", ":")),
            id="JSON.stringify: a raw emoji",
        ),
        pytest.param(FULL.replace(b"D83D\\uDE92", b"d83d\\ude92"), id="lower case hex"),
        pytest.param(FULL + b"\n", id="a line break behind it"),
        pytest.param(b"\xef\xbb\xbf" + FULL, id="a byte order mark"),
        pytest.param(FULL.decode().encode("utf-16"), id="another encoding"),
    ],
)
def test_a_body_that_a_proxy_spelled_anew_is_found(body: bytes) -> None:
    found = explained(SECRET, signed=FULL, body=body, stored=["newer", SECRET])

    assert found is not None
    assert found.cause is Cause.REWRITTEN
    assert "matches the previous secret token" in found.sentence


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"hello", id="no JSON"),
        pytest.param(b"\xff\xfe\x00", id="no text"),
        pytest.param(b'{"a":' * 5000, id="deep and open"),
        pytest.param(b"[" * 5000 + b"]" * 5000, id="deep"),
        pytest.param(b'{"a":"\\ud800"}', id="half a pair"),
        pytest.param(b'{"a":' + b"9" * 5000 + b"}", id="5,000 digits"),
        pytest.param(b'{"a":NaN}', id="not a number"),
    ],
)
def test_what_cannot_be_spelled_as_zoom_does_is_no_error(body: bytes) -> None:
    assert mismatches.zooms_spelling(body) is None
    assert explained("stranger", body=body) is None


def test_a_body_of_another_length_than_declared_costs_nothing() -> None:
    counting = Counting()

    found = explained("stranger", declared_bytes=400, sign=counting)

    assert found is not None
    assert found.cause is Cause.LENGTH
    assert f"Content-Length says 400 bytes, but {len(BODY)} arrived" in found.sentence
    assert counting.calls == []


def test_one_request_never_costs_more_than_its_budget() -> None:
    counting = Counting()
    crowd: list[tuple[Neighbour, tuple[str, ...]]] = [
        (a_neighbour(number), ("theirs", "former")) for number in range(300)
    ]
    crowd[7] = (crowd[7][0], ("theirs",))  # the budget ends between two of one app

    found = explained(
        "stranger",
        signed=proxied(),
        stored=[f" {SECRET}", " former"],
        others=crowd,
        sign=counting,
        client_id="simC-7",
    )

    assert found is None
    assert len(counting.calls) == HMACS_A_REQUEST


def test_a_large_body_is_not_looked_into() -> None:
    counting = Counting()

    found = explained("stranger", signed=b" " * (64 * 1024 + 1), sign=counting)

    assert found is None
    assert counting.calls == []


@pytest.mark.parametrize(
    ("likely", "client_id"),
    [
        pytest.param(a_neighbour(0), "simC-0", id="named by the clientid header"),
        pytest.param(a_neighbour(0, name="NOTETAKER"), "", id="the same name"),
    ],
)
def test_the_likeliest_zoom_app_is_tried_first(
    likely: Neighbour, client_id: str
) -> None:
    counting = Counting()
    crowd = [(a_neighbour(number), ("x", "y")) for number in range(1, 300)]

    found = explained(
        "theirs",
        others=[*crowd, (likely, ("theirs",))],
        sign=counting,
        client_id=client_id,
    )

    assert found is not None
    assert str(likely.id) in found.sentence
    assert len(counting.calls) == 1


def test_secrets_are_opened_only_when_their_turn_comes() -> None:
    opened: list[str] = []
    crowd = [a_neighbour(number) for number in range(300)]

    def secrets_of(neighbour: Neighbour) -> tuple[NamedSecret, ...]:
        opened.append(neighbour.name)
        return named("theirs")

    mismatch = Mismatch(
        app=AppCredentials(
            id=OWN.id,
            routing=Routing.RELAY,
            secrets=named(SECRET),
            has_recall_app=True,
            version=1,
        ),
        body=BODY,
        timestamp=TIMESTAMP,
        signature="v0=" + "0" * 64,
        declared_bytes=None,
        encoding="",
        client_id="",
    )
    mismatches.explain(mismatch, neighbours=[OWN, *crowd], secrets_of=secrets_of)

    assert len(opened) == HMACS_A_REQUEST - 2  # two went into white space


def test_the_name_of_a_zoom_app_stays_on_its_line() -> None:
    other = a_neighbour(1, name="Two\nlines" + "x" * 80)

    found = explained("theirs", others=[(other, ("theirs",))])

    assert found is not None
    assert found.sentence.count("\n") == 1
    assert len(found.sentence) < 500


def deflated(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


PACKINGS = [
    (gzip.compress(BODY, mtime=0), "gzip", "compressed (gzip)"),
    (gzip.compress(BODY, mtime=0), "", "compressed (gzip)"),
    (zlib.compress(BODY), "", "compressed (deflate)"),
    (zlib.compress(BODY), "deflate", "with content-encoding deflate"),
    (deflated(BODY), "Deflate", "with content-encoding deflate"),
    (base64.b64encode(BODY), "", "as base64"),
    (b'"%b"' % base64.b64encode(BODY), "", "as base64"),
    (base64.urlsafe_b64encode(BODY).rstrip(b"="), "", "as base64"),
    (base64.encodebytes(BODY).replace(b"\n", b""), "", "as base64"),
    (
        base64.b64encode(gzip.compress(BODY, mtime=0)),
        "",
        "compressed (gzip) and as base64",
    ),
    (urlencode({"payload": BODY}).encode(), "", "as a form with the field payload"),
    (urlencode({"a": 1, "d<>": BODY}).encode(), "", "as a form with the field d"),
]


@pytest.mark.parametrize(
    ("body", "encoding", "how"), PACKINGS, ids=range(len(PACKINGS))
)
@pytest.mark.parametrize("secret", [SECRET, "another"])
def test_a_packed_body_is_named_as_such_and_never_as_a_wrong_secret(
    body: bytes, encoding: str, how: str, secret: str
) -> None:
    found = explained(secret, signed=BODY, body=body, encoding=encoding)

    assert found is not None
    assert found.cause is Cause.PACKED
    assert f"it arrived {how}." in found.sentence
    proof = "Unpacked, it matches the current secret token."
    assert (proof in found.sentence) == (secret == SECRET)
    assert len(found.sentence) <= 500


@pytest.mark.parametrize(
    ("body", "encoding"), [(b"\x28\xb5\x2f\xfd", "zstd"), (b"\x0b\x02", "br")]
)
def test_a_packing_that_cannot_be_undone_is_named_all_the_same(
    body: bytes, encoding: str
) -> None:
    found = explained(SECRET, signed=BODY, body=body, encoding=encoding)

    assert found is not None
    assert f"with content-encoding {encoding}. Zoom never" in found.sentence


@pytest.mark.parametrize("body", [BODY, b" " + BODY, b"[1]", b"", b"hello", b"a=b"])
@pytest.mark.parametrize("encoding", ["", "identity"])
def test_what_is_not_packed_is_not_called_so(body: bytes, encoding: str) -> None:
    assert packing.find(body, encoding) is None


def test_a_body_that_unpacks_to_gigabytes_is_not_unpacked() -> None:
    found = packing.find(gzip.compress(b" " * (packing.MOST_BYTES * 8)))

    assert found == packing.Packed(how="compressed (gzip)", body=None)


@given(st.binary(max_size=400), st.text(max_size=30))
def test_any_bytes_can_be_looked_at(body: bytes, encoding: str) -> None:
    found = packing.find(body, encoding)

    assert found is None or len(found.how) < 80
