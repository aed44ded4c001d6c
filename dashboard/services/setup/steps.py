"""The words of a set-up: its ticks, and where the next thing is done.

They stand in the order in which they can come: Zoom sends events about connected users
only, and a join token needs a mapped meeting.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from dashboard.models.zoom_app import Routing


class StepKey(StrEnum):
    """The ticks, in their order; `ZOOM_VALIDATED` is there with routing direct only."""

    PAIR = "pair"
    RECALL_APP = "recall_app"
    CHALLENGE = "challenge"
    RECALL_VALIDATED = "recall_validated"
    ZOOM_VALIDATED = "zoom_validated_recall"
    USER = "user"
    EVENT = "event"
    DELIVERY = "delivery"
    MAPPING = "mapping"
    SCOPES = "scopes"


class Target(StrEnum):
    """Where the next thing is done; the page knows its address and its words."""

    CHECK = "check"
    EDIT = "edit"
    RECALL_APP = "recall_app"
    WEBHOOKS = "webhooks"
    PROBE = "probe"
    UPDATE_IN_RECALL = "update_in_recall"
    CONNECT = "connect"
    CONNECTION = "connection"
    LOG = "log"


_SEEN_HERE = (
    StepKey.CHALLENGE,
    StepKey.RECALL_VALIDATED,
    StepKey.EVENT,
    StepKey.DELIVERY,
)
_LISTED = {
    Routing.RELAY: tuple(key for key in StepKey if key is not StepKey.ZOOM_VALIDATED),
    # What never comes by here cannot be seen here.
    Routing.DIRECT: tuple(key for key in StepKey if key not in _SEEN_HERE),
}
_TITLES = {
    StepKey.PAIR: "Client ID and secret belong together",
    StepKey.RECALL_APP: "App exists in Recall",
    StepKey.CHALLENGE: "Zoom validated the webhook URL",
    StepKey.RECALL_VALIDATED: "Recall accepts the secret token",
    StepKey.ZOOM_VALIDATED: "Zoom validated Recall's webhook URL",
    StepKey.USER: "First user connected",
    StepKey.EVENT: "First event arrived",
    StepKey.DELIVERY: "First event taken by Recall",
    StepKey.MAPPING: "First meeting mapped",
    StepKey.SCOPES: "All scopes granted",
}


@dataclass(frozen=True, kw_only=True)
class SetupStep:
    """One thing to see, and its evidence.

    Attributes:
        is_done: It was seen, and nothing seen since speaks against it.
        at: When it was first seen; stays known in trouble.
        proof: What was seen then; "" while nothing was.
        remark: What is seen now that is not as it should be; "" when all is well.
        tone: "trouble" or "waiting" with a remark.
        next: The one thing to do; "" when it is done.
        target: Where to do it, where there is a place.
        pmi: Personal meeting id that belongs to the proof.
        connection_id: What the target is about, when it is a connection.
    """

    key: StepKey
    is_done: bool
    at: datetime | None = None
    proof: str = ""
    remark: str = ""
    tone: str | None = None
    next: str = ""
    target: Target | None = None
    pmi: int | None = None
    connection_id: UUID | None = None

    @property
    def title(self) -> str:
        """What is to be seen."""
        return _TITLES[self.key]


@dataclass(frozen=True, kw_only=True)
class Checklist:
    """All ticks of one zoom app."""

    steps: Sequence[SetupStep]

    @property
    def done(self) -> int:
        """How many are done."""
        return sum(step.is_done for step in self.steps)

    @property
    def is_complete(self) -> bool:
        """Whether there is nothing left to do."""
        return self.done == len(self.steps)

    @property
    def words(self) -> str:
        """How far it is: "7 of 9 seen"."""
        return f"{self.done} of {len(self.steps)} seen"

    @property
    def next(self) -> SetupStep | None:
        """The one to turn to: the first in trouble, else the first not done."""
        undone = [step for step in self.steps if not step.is_done]
        trouble = [step for step in undone if step.tone == "trouble"]
        return next(iter([*trouble, *undone]), None)


def listed(routing: Routing) -> Sequence[StepKey]:
    """Return the ticks that an app of this routing can reach, in their order."""
    return _LISTED[routing]
