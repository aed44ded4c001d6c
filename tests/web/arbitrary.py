"""Anything that may come to Zoom's door, and what became of it there."""

import hashlib
import io
from dataclasses import dataclass
from typing import Any
from wsgiref.types import StartResponse

from hypothesis import strategies as st
from pydantic import SecretStr
from sqlmodel import col, func, select

from dashboard.models.webhook import Webhook, WebhookBody
from tests.makers import NOON
from tests.web.doors import Door

CHALLENGE = "endpoint.url_validation"

# What a server hands over: bytes of a header decoded as latin-1.
latin = st.text(st.characters(max_codepoint=255), max_size=40)
headers = st.dictionaries(
    st.from_regex(r"\AHTTP_[A-Z0-9_]{1,20}\Z")
    | st.sampled_from(
        [
            *("HTTP_CLIENTID", "HTTP_USER_AGENT", "HTTP_HOST", "HTTP_COOKIE"),
            *("HTTP_AUTHORIZATION", "HTTP_X_FORWARDED_FOR", "HTTP_CONTENT_ENCODING"),
            *("HTTP_TRANSFER_ENCODING", "HTTP_CONTENT_LENGTH", "HTTP_EXPECT"),
            *("CONTENT_TYPE", "QUERY_STRING", "REMOTE_ADDR", "HTTP_"),
        ]
    ),
    latin | st.just("9" * 5000) | st.just("x" * 100_000),
    max_size=6,
)
lengths = (
    st.integers(-5, 400).map(str)
    | st.integers(0, 10**30).map(str)
    | st.sampled_from(["", "9" * 5000, "1e3", "0x10", " 5", "5 ", "+5", "٣", "²"])
    | latin
)
proofs = st.tuples(
    st.none() | latin | st.from_regex(r"\Av0=[0-9a-f]{64}\Z"),
    st.none()
    | latin
    | st.from_regex(r"\A[0-9]{1,13}\Z")
    | st.sampled_from([str(int(NOON.timestamp())), "9" * 5000]),
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([10**400, -(10**20), 0.1, -0.0, 1e308])
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(["\0", "\ud800", "🚒", "\u2028", "x" * 5000])
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
events = st.text(max_size=90) | st.sampled_from(
    ["meeting.created", "user.updated", "app_deauthorized", "recording.completed"]
)
payloads = values | st.fixed_dictionaries(
    {},
    optional={
        "account_id": values,
        "user_id": values,
        "operator": values,
        "plainToken": values,
        "object": values
        | st.fixed_dictionaries({}, optional={"id": values, "host_id": values}),
    },
)
objects = st.fixed_dictionaries(
    {}, optional={"event": events | values, "event_ts": values, "payload": payloads}
).filter(lambda found: found.get("event") != CHALLENGE)
spellings = st.fixed_dictionaries(
    {
        "indent": st.none() | st.integers(0, 2),
        "separators": st.sampled_from([(",", ":"), (", ", ": "), (" ,\t", "\r\n:")]),
    }
)
blanks = st.sampled_from(["", " ", "\n", "\t ", "\u00a0"]).map(SecretStr)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the sender got."""

    status: str
    mimetype: str
    body: bytes


def ask(door: Door, body: bytes, environ: dict[str, Any]) -> Answer:
    """Call the receiver once; whatever it raises is raised here."""
    said: list[tuple[str, dict[str, str]]] = []

    def start_response(status: str, found: list[tuple[str, str]], *_: object) -> Any:
        said.append((status, dict(found)))

    began: StartResponse = start_response
    base = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": door.path,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
    }
    receiver: Any = door.client.application
    answer = b"".join(receiver({**base, **environ}, began))
    ((status, found),) = said
    assert found["Content-Length"] == str(len(answer))
    return Answer(
        status=status[:3],
        mimetype=found.get("Content-Type", "").partition(";")[0],
        body=answer,
    )


def count(door: Door) -> int:
    """Count what is stored: a 200 is committed before it is given."""
    with door.database.reading() as session:
        return session.exec(select(func.count()).select_from(Webhook)).one()


def newest_body(door: Door, sent: bytes) -> bytes:
    """Open the stored bytes of the webhook whose hash is that of `sent`."""
    digest = hashlib.sha256(sent).hexdigest()
    with door.database.reading() as session:
        found = session.exec(
            select(WebhookBody)
            .join(Webhook, col(Webhook.id) == col(WebhookBody.webhook_id))
            .where(col(Webhook.body_sha256) == digest)
        ).one()
    return door.vault.open(
        found.body, table="webhook_body", column="body", row=found.webhook_id
    )
