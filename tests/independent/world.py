"""What a Zoom and a Recall can do, in acts that both pairs understand.

One story, and one model, run against every `World`: `simulated.SimulatedWorld` is the
product's own pair, `pair.IndependentWorld` the one of this folder.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


@dataclass(frozen=True, kw_only=True)
class PairAtZoom:
    """What the app's page in the Marketplace shows."""

    client_id: str
    client_secret: str
    secret_token: str


@dataclass(frozen=True, kw_only=True)
class TakenByRecall:
    """A request to Recall's webhook URL."""

    at: datetime
    body: bytes
    status: int


class Outage(StrEnum):
    """Something that stops working until it is put right."""

    ZOOM = "zoom"  # every request gets 503
    ZOOM_LIMIT = "zoom_limit"  # the API answers 429
    RECALL = "recall"  # every request gets 503
    RECALL_MAPPINGS = "recall_mappings"  # the list of mappings gets 503
    RECALL_CREDIT = "recall_credit"  # every API call gets 402
    RECEIVER = "receiver"  # Recall's webhook URL gets 503
    PORTAL = "portal"  # Recall's webhook URL gets 200 with a web page


class World(Protocol):
    """A Zoom and a Recall with one clock.

    Attributes:
        api_key: Of the workspace in Recall, which is in us-east-1.
    """

    api_key: str

    @property
    def zoom_url(self) -> str: ...

    @property
    def recall_url(self) -> str: ...

    def close(self) -> None: ...

    # The owner of the app, at Zoom.

    def make_app(
        self, redirect_url: str, *, is_account_level: bool = False
    ) -> PairAtZoom:
        """Make a published app."""
        ...

    def press_validate(self, client_id: str, url: str) -> bool: ...

    def rotate_secret_token(self, client_id: str) -> str: ...

    def regenerate_client_secret(self, client_id: str) -> str: ...

    # Users, at Zoom.

    def add_user(
        self,
        email: str,
        first_name: str,
        last_name: str,
        pmi: int,
        *,
        is_admin: bool = False,
    ) -> str:
        """Return the user's ID."""
        ...

    def allow(self, authorize_url: str, user_id: str) -> str:
        """Allow what is asked for; return the URL that Zoom sends the browser to."""
        ...

    def remove_app(self, client_id: str, user_id: str) -> None:
        """Remove the app, which Zoom reports."""
        ...

    def end_grant(self, client_id: str, user_id: str) -> None:
        """End the authorization, which Zoom does not report."""
        ...

    def create_meeting(self, user_id: str) -> int: ...

    def change_pmi(self, user_id: str, pmi: int) -> None: ...

    def change_email(self, user_id: str, email: str) -> None: ...

    # What breaks, at Zoom and at Recall.

    def begin(self, outage: Outage) -> None: ...

    def end(self, outage: Outage) -> None: ...

    def change_webhook_secret_in_recall(self, client_id: str) -> None:
        """Somebody enters another secret token in Recall."""
        ...

    def unmap(self, meeting_id: int) -> None:
        """Recall forgets whose meeting it is."""
        ...

    def delete_credential(self, client_id: str, user_id: str) -> None:
        """Somebody deletes the user's credential in Recall."""
        ...

    # Time.

    def run_due(self) -> None:
        """Send the webhooks that are due, validate URLs, and sync meetings."""
        ...

    # What is really so.

    def lives(self, client_id: str, user_id: str) -> bool:
        """Whether the user's authorization works at Zoom, whoever has its tokens."""
        ...

    def works(self, client_id: str, user_id: str) -> bool:
        """Whether Recall's credential has the tokens of an authorization that works.

        Consent replaces the earlier authorization at Zoom. If Recall then can't finish,
        its credential keeps the tokens of the one that ended.
        """
        ...

    def is_pair_right_in_recall(self, client_id: str) -> bool: ...

    def webhook_secret_in_recall(self, client_id: str) -> str: ...

    def credential_of(self, client_id: str, user_id: str) -> str | None:
        """Return the status of the user's credential in Recall; None without one."""
        ...

    def mapped_to(self, meeting_id: int) -> str | None:
        """Return the Zoom user whose meeting it is for Recall."""
        ...

    def zoom_secret(self, client_id: str) -> str:
        """Return the secret token that Zoom signs with."""
        ...

    def was_called(self, path: str, at: datetime) -> bool:
        """Whether a request for a path that begins so got a 2xx at that instant."""
        ...

    def last_call(self, path: str) -> datetime | None:
        """Return when a path that begins so got its last 2xx."""
        ...

    def taken(self) -> list[TakenByRecall]:
        """Return what came to Recall's webhook URL."""
        ...


Make = Callable[[Callable[[], datetime]], World]
