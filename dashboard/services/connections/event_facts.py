"""What the dashboard itself learns from an event. Lenient, and touches no database.

Source of the payloads' shapes: docs/contracts/zoom.md 6, checked 2026-11-25.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from dashboard.clients.zoom.api import ZoomUser
from dashboard.models.webhook import Webhook
from dashboard.services.receiver.events import BECAME, load
from dashboard.services.webhook_log.story import event_at

_LONGEST_TIME = 40


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """What a `user.updated` says is new; empty is what it does not say.

    Attributes:
        at: When it changed, by Zoom's clock, and never after the arrival.
        pmi: Personal meeting id.
        has_no_pmi: Whether it says that the user has none now.
        former_email: The one before, if it says that.
    """

    at: datetime
    pmi: int | None
    display_name: str
    email: str
    has_no_pmi: bool = False
    former_email: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Removal:
    """What an `app_deauthorized` says.

    Attributes:
        at: When the user removed the app, as `Profile.at`.
        client_id: Of the app that was removed; "" when it does not say.
    """

    at: datetime
    client_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Became:
    """What an event says that a user became: "deactivated".

    Attributes:
        at: When, as `Profile.at`.
        word: One of `events.BECAME`.
    """

    at: datetime
    word: str


Fact = Profile | Removal | Became


def read(webhook: Webhook, body: bytes) -> Fact | None:
    """Return what a stored event of `events.READ_HERE` says; None if it makes no sense.

    Never raises. Whom it is about is in the webhook's own columns.
    """
    payload = _payload(body)
    if payload is None:
        return None
    is_about = webhook.zoom_user_id or webhook.zoom_account_id
    if webhook.event == "app_deauthorized" and is_about:
        client_id = payload.get("client_id")
        said = _time(payload.get("deauthorization_time"))
        return Removal(
            at=_happened_at(webhook, payload, said),
            client_id=client_id if isinstance(client_id, str) else "",
        )
    if webhook.zoom_user_id is None:
        return None
    became = BECAME.get(webhook.event)
    if became is not None:
        return Became(at=_happened_at(webhook, payload), word=became)
    return _profile(webhook, payload)


def _profile(webhook: Webhook, payload: dict[str, Any]) -> Profile | None:
    about = payload.get("object")
    if not isinstance(about, dict):
        return None
    # Only what changed is there: a first name alone is not a name.
    if not (about.get("first_name") and about.get("last_name")):
        about = {k: v for k, v in about.items() if not k.endswith("_name")} | {
            "display_name": about.get("display_name")
        }
    try:
        user = ZoomUser.model_validate({**about, "id": webhook.zoom_user_id})
    except ValidationError:
        return None
    return Profile(
        at=_happened_at(webhook, payload),
        pmi=user.pmi,
        has_no_pmi=user.has_no_pmi,
        display_name=user.display_name,
        email=user.email,
        former_email=_former_email(webhook, payload) if user.email else "",
    )


def _former_email(webhook: Webhook, payload: dict[str, Any]) -> str:
    before = payload.get("old_object")
    if not isinstance(before, dict):
        return ""
    try:
        user = ZoomUser.model_validate(
            {"email": before.get("email"), "id": webhook.zoom_user_id}
        )
    except ValidationError:
        return ""
    return user.email


def _payload(body: bytes) -> dict[str, Any] | None:
    found = load(body)
    payload = found.get("payload") if isinstance(found, dict) else None
    return payload if isinstance(payload, dict) else None


def _happened_at(
    webhook: Webhook, payload: dict[str, Any], said: datetime | None = None
) -> datetime:
    """Return the best time there is; Zoom signs with that of the event (5.4)."""
    at = (
        said
        or event_at(webhook.event_ts)
        or event_at(_whole(payload.get("event_ts")))
        or event_at(_whole(payload.get("time_stamp")))
        or datetime.fromtimestamp(webhook.sent_at_s, UTC)
    )
    # A time in the future would win over all events until then.
    return min(at, webhook.received_at)


def _whole(value: object) -> int | None:
    return value if type(value) is int else None


def _time(value: object) -> datetime | None:
    if not isinstance(value, str) or len(value) > _LONGEST_TIME:
        return None
    try:
        at = datetime.fromisoformat(value)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
