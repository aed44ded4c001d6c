"""One request for each cause of refusal, as it comes to Zoom's door."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from pydantic import SecretStr

from dashboard.models.zoom_app import Environment, ZoomApp
from dashboard.services.receiver.signatures import Cause, sign, signed_bytes
from tests.makers import SECRET_TOKEN, saved_app
from tests.web.doors import Door

PRODUCTION = SecretStr("test-secret-token-production")
SCRIBE = SecretStr("test-secret-token-scribe")
STRANGER = SecretStr("test-secret-token-stranger")
SECRETS = [
    each.get_secret_value() for each in (SECRET_TOKEN, PRODUCTION, SCRIBE, STRANGER)
]

# As Zoom spells it: compact, é and … raw, the fire engine as an uppercase pair.
BODY = (
    '{"event":"meeting.created","payload":{"account_id":"AbC","object":{"topic":'
    '"Café … \\uD83D\\uDE92","id":91234567890}},"event_ts":1760000100456}'
).encode()


@dataclass(kw_only=True)
class Stage:
    """The door of one zoom app, with its production pair and another one beside."""

    door: Door
    production_id: UUID
    scribe_id: UUID
    empty_id: UUID

    def post(self, secret: SecretStr, body: bytes = BODY, **over: Any) -> None:
        """Post `body`, signed with `secret` over `signed` or itself."""
        ahead: timedelta = over.pop("ahead", timedelta(0))
        timestamp = str(int((self.door.clock.now() + ahead).timestamp()))
        message = signed_bytes(timestamp, over.pop("signed", body))
        headers = {"x-zm-signature": sign(message, secret).decode()}
        headers |= over.pop("headers", {})
        over.setdefault("environ_overrides", {"REMOTE_ADDR": "203.0.113.7"})
        self.door.post(body, timestamp=timestamp, headers=headers, **over)

    def client_id(self, app_id: UUID) -> str:
        with self.door.database.reading() as session:
            return session.get_one(ZoomApp, app_id).client_id


@dataclass(frozen=True, kw_only=True)
class Case:
    """A cause, what makes it, and what must be said of it.

    Attributes:
        names: Which zoom app of the stage the explanation names, if any.
    """

    cause: Cause
    send: Callable[[Stage], None]
    seen: str
    mend: str
    names: str = ""


def a_stage(door: Door) -> Stage:
    with door.database.writing() as session:

        def another(secret: SecretStr, **over: Any) -> UUID:
            return saved_app(session, door.vault, secret_token=secret, **over)

        return Stage(
            door=door,
            production_id=another(PRODUCTION, environment=Environment.PRODUCTION),
            scribe_id=another(SCRIBE, name="Scribe"),
            empty_id=another(SecretStr(" "), name="Not set up yet"),
        )


def _while_rotating(stage: Stage) -> None:
    with stage.door.database.writing() as session:
        app = session.get_one(ZoomApp, stage.door.app_id)
        app.rotation_until = stage.door.clock.now() + timedelta(minutes=30)
        session.add(app)
    stage.post(STRANGER)


def _cut(stage: Stage) -> None:
    signed = stage.door.signed(BODY)
    stage.door.call(BODY[:-40], CONTENT_LENGTH=str(len(BODY)), **signed)


CASES = [
    Case(
        cause=Cause.SIGNATURE,
        send=lambda stage: stage.post(STRANGER),
        seen="was not made with the secret token stored here",
        mend="An admin copies Secret Token, not Verification Token",
    ),
    Case(
        cause=Cause.ROTATING,
        send=_while_rotating,
        seen="a rotation was begun: it may be made with the new one",
        mend="An admin enters the new secret token",
    ),
    Case(
        cause=Cause.OTHER_ENVIRONMENT,
        send=lambda stage: stage.post(PRODUCTION),
        seen="secret token of Notetaker (production): Zoom posts its webhooks to the "
        "URL of Notetaker (development)",
        mend="into the production field",
        names="production_id",
    ),
    Case(
        cause=Cause.OTHER_APP,
        send=lambda stage: stage.post(SCRIBE),
        seen="Signed with the secret token of Scribe (development)",
        mend="puts its own webhook URL",
        names="scribe_id",
    ),
    Case(
        cause=Cause.WHITE_SPACE,
        send=lambda stage: stage.post(SecretStr(f"{SECRETS[0]} ")),
        seen="The current secret token would match with a space behind it",
        mend="An admin copies Secret Token again",
    ),
    Case(
        cause=Cause.REWRITTEN,
        send=lambda stage: stage.post(
            SECRET_TOKEN, json.dumps(json.loads(BODY)).encode(), signed=BODY
        ),
        seen="A proxy wrote the JSON anew",
        mend="Whoever runs the proxy in front",
    ),
    Case(
        cause=Cause.LENGTH,
        send=_cut,
        seen=f"Content-Length says {len(BODY)} bytes and {len(BODY) - 40} arrived",
        mend="Whoever runs the proxy in front",
    ),
    Case(
        cause=Cause.MISSING_HEADER,
        send=lambda stage: stage.post(SECRET_TOKEN, headers={"x-zm-signature": None}),
        seen="x-zm-signature is absent",
        mend="Whoever runs the proxy in front",
    ),
    Case(
        cause=Cause.BAD_SIGNATURE,
        send=lambda stage: stage.post(SECRET_TOKEN, headers={"x-zm-signature": "v0="}),
        seen="x-zm-signature is not v0= and 64 hex digits",
        mend="Whoever runs the proxy in front",
    ),
    Case(
        cause=Cause.BAD_TIMESTAMP,
        send=lambda stage: stage.post(
            SECRET_TOKEN, headers={"x-zm-request-timestamp": "yesterday"}
        ),
        seen="x-zm-request-timestamp is not a whole number",
        mend="Whoever runs the proxy in front",
    ),
    Case(
        cause=Cause.FUTURE,
        send=lambda stage: stage.post(SECRET_TOKEN, ahead=timedelta(minutes=12)),
        seen="dated 12 minutes ahead of this server's clock",
        mend="Whoever runs this server sets its clock",
    ),
    Case(
        cause=Cause.TOO_OLD,
        send=lambda stage: stage.post(SECRET_TOKEN, ahead=timedelta(hours=-7)),
        seen="Signed rightly, but 7 hours ago; the limit is 6 hours",
        mend="Whoever runs this server checks its clock",
    ),
    Case(
        cause=Cause.NO_SECRET,
        send=lambda stage: stage.post(SCRIBE, path=f"/hooks/zoom/{stage.empty_id}"),
        seen="has no secret token",
        mend="An admin pastes it here",
    ),
    Case(
        cause=Cause.TOO_LARGE,
        send=lambda stage: stage.post(SECRET_TOKEN, b" " * (1024 * 1024 + 1)),
        seen="larger than 1 MiB",
        mend="nothing to mend",
    ),
    Case(
        cause=Cause.EMPTY,
        send=lambda stage: stage.post(SECRET_TOKEN, b""),
        seen="the body is empty",
        mend="Zoom sends nothing like it",
    ),
    Case(
        cause=Cause.MALFORMED,
        send=lambda stage: stage.post(SECRET_TOKEN, b"[1]"),
        seen="it is no JSON object",
        mend="Zoom sends nothing like it",
    ),
]
