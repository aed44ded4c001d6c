"""Proof: what left for Recall is what came from Zoom, and it came from Zoom."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

from sqlmodel import Session

from dashboard.models.webhook import Attempt, Webhook
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.receiver.signatures import NamedSecret, signing_secret, usable
from dashboard.services.webhook_log.log import Request
from dashboard.services.webhook_log.story import names
from dashboard.services.webhook_log.traces import Trace
from dashboard.vault import Vault


@dataclass(frozen=True, kw_only=True)
class Sent:
    """What one attempt sent, beside what came in.

    Attributes:
        name: "Attempt 2".
        is_equal: Whether the bytes are those that came; None when none were sent.
        sentence: The same in words.
        passed: Names of Zoom's headers that went along, sorted.
        dropped: Names of those that did not.
    """

    attempt: Attempt
    name: str
    is_equal: bool | None
    sentence: str
    passed: Sequence[str]
    dropped: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was computed anew; `tone` is "good", "waiting" or "trouble"."""

    tone: str
    sentence: str


def sent(trace: Trace, header_names: Sequence[str]) -> Sequence[Sent]:
    """Return what each attempt sent, oldest first.

    Args:
        trace: The webhook with its attempts.
        header_names: Of the stored request, lower case; they may repeat.
    """
    return [
        _sent(trace.webhook, each, name, header_names) for each, name in names(trace)
    ]


def verify(
    session: Session, vault: Vault, trace: Trace, request: Request
) -> Sequence[Finding]:
    """Compute checksum and signature anew over the stored bytes.

    Shows no secret and nothing of the body. The age of the timestamp is not judged: it
    was, when the webhook arrived.
    """
    app = session.get_one(ZoomApp, trace.app.id)
    return [
        *_bytes(trace.webhook, request.body),
        _signature(trace.webhook, app, request, secrets=_secrets(vault, app)),
    ]


def _sent(
    webhook: Webhook, attempt: Attempt, name: str, header_names: Sequence[str]
) -> Sent:
    passed = set(attempt.headers_passed.split())
    is_equal: bool | None = None
    if not attempt.sent_sha256:
        sentence = "No bytes left: it failed before."
    elif not attempt.sent_bytes:
        # Attempts of the first version did not note how many.
        is_equal = attempt.sent_sha256 == webhook.body_sha256
        sentence = "The same checksum as came in; the length was not noted then."
    else:
        is_equal = (attempt.sent_sha256, attempt.sent_bytes) == (
            webhook.body_sha256,
            webhook.body_bytes,
        )
        sentence = f"The same {attempt.sent_bytes:,} bytes as came in."
    if is_equal is False:
        sentence = "Other bytes than came in: this is a fault of the dashboard."
    return Sent(
        attempt=attempt,
        name=name,
        is_equal=is_equal,
        sentence=sentence,
        passed=sorted(passed),
        dropped=sorted(set(header_names) - passed) if passed else (),
    )


def _bytes(webhook: Webhook, body: bytes) -> Iterator[Finding]:
    digest = sha256(body).hexdigest()
    if (digest, len(body)) == (webhook.body_sha256, webhook.body_bytes):
        yield Finding(
            tone="good",
            sentence=f"The stored body has {len(body):,} bytes and the SHA-256 that "
            "was noted when it arrived.",
        )
    else:
        yield Finding(
            tone="trouble",
            sentence=f"The stored body has {len(body):,} bytes and the SHA-256 "
            f"{digest}; {webhook.body_bytes:,} bytes and another SHA-256 were noted "
            "when it arrived. Something else than the dashboard changed the database.",
        )


def _signature(
    webhook: Webhook,
    app: ZoomApp,
    request: Request,
    *,
    secrets: Sequence[NamedSecret],
) -> Finding:
    headers = dict(request.headers)
    if not {"x-zm-request-timestamp", "x-zm-signature"} <= headers.keys():
        return Finding(
            tone="trouble",
            sentence="The signature or its timestamp is not among the stored headers, "
            "so it cannot be computed anew.",
        )
    made_it = signing_secret(request.headers, request.body, secrets)
    if made_it is not None:
        return Finding(
            tone="good",
            sentence="Zoom's signature over the stored bytes matches the "
            f"{made_it.name} secret token.",
        )
    if app.secret_token_set_at > webhook.received_at:
        return Finding(
            tone="waiting",
            sentence="Zoom's signature matches no secret token that is kept here now. "
            f"It matched the {webhook.verdict} one on arrival, and the secret token "
            f"was replaced at {app.secret_token_set_at:%Y-%m-%d %H:%M:%S} UTC, after "
            "that: the one that made it is gone, so this can no longer be shown.",
        )
    if webhook.verdict == "previous" and app.previous_secret_token is None:
        return Finding(
            tone="waiting",
            sentence="Zoom's signature matched the previous secret token on arrival. "
            "That one is not kept any more, so this can no longer be shown.",
        )
    return Finding(
        tone="trouble",
        sentence="Zoom's signature matches no secret token that is kept here now, "
        f"though it matched the {webhook.verdict} one on arrival and the secret "
        "token was not replaced since. The stored request is not the one that came.",
    )


def _secrets(vault: Vault, app: ZoomApp) -> list[NamedSecret]:
    found = []
    for name, column, sealed in (
        ("current", "secret_token", app.secret_token),
        ("previous", "previous_secret_token", app.previous_secret_token),
    ):
        if sealed:
            secret = vault.open_text(
                sealed, table="zoom_app", column=column, row=app.id
            )
            found.append(NamedSecret(name=name, secret=secret))
    return usable(found)
