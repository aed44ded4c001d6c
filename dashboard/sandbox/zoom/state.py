"""Everything the simulated Zoom holds, in memory, behind one lock."""

import random
import threading
from collections import deque
from datetime import datetime
from itertools import count

from dashboard.sandbox.clock import SimClock
from dashboard.sandbox.zoom import values
from dashboard.sandbox.zoom.records import (
    Code,
    Delivery,
    Grant,
    Mail,
    Meeting,
    Subscription,
    ZoomApp,
    ZoomUser,
)
from dashboard.sandbox.zoom.refusals import MissingError
from dashboard.sandbox.zoom.switches import Switches

_HISTORY = 10_000  # deliveries kept
_ORDER_SEED = 8  # any number: the varying key order of a run can be had again


class State:
    """The world's data; change it only while holding `lock`.

    Attributes:
        deliveries: The newest ones, oldest first.
        pending: Those of them that have a try ahead, by number.
        holds_next: Whether the next event waits to be overtaken.
        woken: Set when a delivery became due at once.
        account_id: The account that apps and users belong to unless said otherwise.
    """

    def __init__(self, clock: SimClock, *, allow_local: bool) -> None:
        self.clock = clock
        self.allow_local = allow_local
        self.lock = threading.RLock()
        self.woken = threading.Event()
        self.clear()

    def clear(self) -> None:
        """Forget everything; switches fall back, the clock stays."""
        with self.lock:
            self.account_id = values.account_id()
            self.apps: dict[str, ZoomApp] = {}
            self.users: dict[str, ZoomUser] = {}
            self.meetings: dict[int, Meeting] = {}
            self.codes: dict[str, Code] = {}
            self.grants: list[Grant] = []
            self.deliveries: deque[Delivery] = deque(maxlen=_HISTORY)
            self.pending: dict[int, Delivery] = {}
            self.holds_next = True
            self.mails: list[Mail] = []
            self.subscriptions: list[Subscription] = []
            self.switches = Switches()
            self.order = random.Random(_ORDER_SEED)  # noqa: S311 - no secret comes of it
            self._numbers = count(1)

    def now(self) -> datetime:
        """Return the simulated instant, aware, UTC."""
        return self.clock.now()

    def number(self) -> int:
        """Return the next delivery number."""
        return next(self._numbers)

    def app(self, client_id: str) -> ZoomApp:
        """Return the app.

        Raises:
            MissingError: There is none with this client id.
        """
        app = self.apps.get(client_id)
        if app is None:
            raise MissingError(f"There is no app with the client ID {client_id}.")
        return app

    def user(self, user_id: str) -> ZoomUser:
        """Return the user, deactivated ones included.

        Raises:
            MissingError: There is none with this id.
        """
        user = self.users.get(user_id)
        if user is None:
            raise MissingError(f"There is no user with the id {user_id}.")
        return user

    def meeting(self, meeting_id: int) -> Meeting:
        """Return the meeting.

        Raises:
            MissingError: There is none with this number.
        """
        meeting = self.meetings.get(meeting_id)
        if meeting is None:
            raise MissingError(f"There is no meeting with the number {meeting_id}.")
        return meeting

    def living_grant(self, client_id: str, user_id: str) -> Grant | None:
        """Return the one grant of this user to this app that still lives."""
        for grant in self.grants:
            mine = (grant.client_id, grant.user_id) == (client_id, user_id)
            if mine and grant.ended is None:
                return grant
        return None
