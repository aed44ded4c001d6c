"""Recall's answers, parsed leniently and without their secrets.

Numbers in brackets are sections of docs/contracts/recall.md. Source: 3, checked
2026-11-23.
"""

import hashlib
import re
from datetime import UTC, datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Annotated, Generic, TypeVar
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
)

from dashboard.clients.http.scrubbing import scrub
from dashboard.errors import UpstreamError

T = TypeVar("T")

_LONGEST_CODE = 80
_LONGEST_MESSAGE = 300
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class CredentialStatus(StrEnum):
    """Recall's two values; unknown for any other or none (3.5)."""

    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    UNKNOWN = "unknown"


class MeetingSync(StrEnum):
    """Recall's four values; unknown for any other or none (3.5)."""

    NOT_STARTED = "not_started"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    FAILED = "failed"
    UNKNOWN = "unknown"


def _status(value: object) -> CredentialStatus:
    if isinstance(value, str) and value in set(CredentialStatus):
        return CredentialStatus(value)
    return CredentialStatus.UNKNOWN


def _sync(value: object) -> MeetingSync:
    if isinstance(value, str) and value in set(MeetingSync):
        return MeetingSync(value)
    return MeetingSync.UNKNOWN


def _in_utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    return value.astimezone(UTC)


def _words(value: object) -> str:
    return scrub(value) if isinstance(value, str) else ""


def _code(value: object) -> str:
    return value[:_LONGEST_CODE] if isinstance(value, str) else ""


def _message(value: object) -> str:
    return value[:_LONGEST_MESSAGE] if isinstance(value, str) else ""


def _meeting(value: object) -> int | None:
    """Return the meeting's number out of Recall's object for a link (3.9)."""
    number = value.get("meeting_id") if isinstance(value, dict) else None
    is_number = re.fullmatch("[0-9]{9,12}", str(number)) is not None
    return int(str(number)) if is_number else None


# Recall's documents show secrets in clear text; whether the live service masks them is
# not known (3.1). Zoom's own values are letters, digits, "-" and "_".
_MASK = re.compile("[*•●…]")
_STAND_INS = {"hidden", "masked", "none", "null", "redacted", "secret"}


def _shown(value: object) -> object:
    """Drop what can't be a secret: an empty value, a mask, the documented dummy "a"."""
    if not isinstance(value, str) or len(set(value.strip())) <= 1:
        return None
    word = value.strip().strip("<>[]()").lower()
    return None if _MASK.search(value) or word in _STAND_INS else value


def _key_hash(value: object) -> str | None:
    """Return a hash of the key in a token callback's URL; the URL is not kept."""
    if not isinstance(value, str) or not value:
        return None
    key = value.partition("?")[0].rpartition("/")[2]
    return hashlib.sha256(key.encode(errors="surrogatepass")).hexdigest()


Instant = Annotated[datetime, AfterValidator(_in_utc)]
ZoomId = Annotated[str, Field(min_length=1, max_length=64)]


class _Reply(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class RecallApp(_Reply):
    """A Zoom OAuth App. Its secrets come in clear text and are dropped here (3.1).

    Attributes:
        kind: "user_level" or "account_level".
        webhook_last_validation: When Zoom last validated Recall's URL, UTC; None
            means never.
    """

    id: UUID
    kind: str
    client_id: str
    webhook_last_validation: Instant | None = None
    created_at: Instant | None = None


class RecallAppSecrets(RecallApp):
    """The same with its secrets; only for taking over an app.

    Attributes:
        client_secret: None when Recall doesn't show it, or has a dummy.
        webhook_secret: The same of Zoom's secret token.
    """

    client_secret: Annotated[SecretStr | None, BeforeValidator(_shown)] = None
    webhook_secret: Annotated[SecretStr | None, BeforeValidator(_shown)] = None


class RecallCredential(_Reply):
    """One connected Zoom user or account (3.5).

    Only a hash of the token callback's URL is kept: it contains a secret (5).

    Attributes:
        oauth_app: Recall's id of the app.
        user_id: Zoom's; filled for user_level apps.
        account_id: Zoom's; filled for account_level apps. Both may be.
        callback_key_hash: SHA-256, hex, of the last path segment of the URL where
            Recall fetches tokens; None when Recall stores the grant itself.
    """

    model_config = ConfigDict(populate_by_name=True)

    id: UUID
    oauth_app: UUID
    status: Annotated[CredentialStatus, BeforeValidator(_status)] = (
        CredentialStatus.UNKNOWN
    )
    user_id: ZoomId | None = None
    account_id: ZoomId | None = None
    created_at: Instant | None = None
    callback_key_hash: Annotated[
        str | None,
        BeforeValidator(_key_hash),
        Field(validation_alias="access_token_callback_url"),
    ] = None
    meeting_sync_status: Annotated[MeetingSync, BeforeValidator(_sync)] = (
        MeetingSync.UNKNOWN
    )


class AccessToken(_Reply):
    """A Zoom access token: used at once, never stored."""

    token: Annotated[SecretStr, Field(min_length=1)]
    expires_at: Instant


class RecallLog(_Reply):
    """A warning or error in Recall's log of an app or a credential (3.6).

    Attributes:
        message: Without what looks like a secret, at most 300 characters.
    """

    message: Annotated[str, BeforeValidator(_words)] = ""
    created_at: Instant


class Mapping(_Reply):
    """A meeting number that Recall maps to a credential (3.7).

    Attributes:
        meeting_id: Zoom's number; more than 32 bits.
        credential: Recall's id.
    """

    meeting_id: Annotated[int, Field(gt=0, lt=2**63)]
    credential: UUID
    synced_at: Instant


class BotChange(_Reply):
    """A step of a bot (3.9).

    Attributes:
        code: "joining_call", "in_call_recording", "fatal" and others.
        sub_code: Why, such as "zoom_host_not_present"; "" when there is none.
        message: The same in words that may change; "" when there are none.
    """

    code: Annotated[str, BeforeValidator(_code)]
    sub_code: Annotated[str, BeforeValidator(_code)] = ""
    message: Annotated[str, BeforeValidator(_message)] = ""
    created_at: Instant


class RecallBot(_Reply):
    """A bot, and what has become of it so far, oldest first.

    Attributes:
        meeting_id: Zoom's number of the meeting it was sent to; None when Recall does
            not say it, as some days after the call.
    """

    id: UUID
    meeting_id: Annotated[int | None, BeforeValidator(_meeting)] = Field(
        default=None, validation_alias="meeting_url"
    )
    status_changes: list[BotChange] = []

    @property
    def began_at(self) -> datetime:
        """When its first step was; of none, long ago."""
        return min((one.created_at for one in self.status_changes), default=_LONG_AGO)


class Page(_Reply, Generic[T]):
    """A page of a list; `next` is the URL of the following one (1.4)."""

    results: list[T]
    next: str | None = None


class Stretch(_Reply, Generic[T]):
    """What was read of a list, newest first.

    Attributes:
        is_whole: Whether all of it was read.
        has_newest: Whether the newest items were read, without a gap.
    """

    results: list[T]
    is_whole: bool
    has_newest: bool = True

    def whole(self) -> list[T]:
        """Return all of the list.

        Raises:
            UpstreamError: Only a part of it was read.
        """
        if self.is_whole:
            return self.results
        raise UpstreamError(
            f"Recall's list is too long to be read whole: {len(self.results)} items "
            "were read. Nothing was changed.",
            service="Recall",
            status=HTTPStatus.OK,
        )
