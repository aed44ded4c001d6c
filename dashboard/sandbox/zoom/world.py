"""The simulated Zoom as one object: what its pages, APIs and tests act on."""

from datetime import datetime

import httpx2

from dashboard.sandbox.clock import SimClock
from dashboard.sandbox.zoom import (
    apps,
    consent,
    grants,
    importing,
    meetings,
    people,
    subscribing,
    validation,
    webhooks,
)
from dashboard.sandbox.zoom.records import Meeting, Subscription, ZoomApp, ZoomUser
from dashboard.sandbox.zoom.state import State
from dashboard.sandbox.zoom.subscribing import Asked
from dashboard.sandbox.zoom.switches import Switches
from dashboard.sandbox.zoom.validation import Verdict


class ZoomWorld:
    """Everything anyone can do to the simulated Zoom; safe to use from any thread.

    Records handed out are the living ones: they change as the world does.

    Attributes:
        state: The data itself, for reading.
    """

    def __init__(
        self,
        clock: SimClock,
        *,
        allow_local: bool = False,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        """Start empty.

        Args:
            clock: The simulators' time.
            allow_local: Whether http, localhost and IP addresses pass where the real
                Zoom refuses them.
            transport: Stands in for the network when webhooks are sent.
        """
        self.state = State(clock, allow_local=allow_local)
        self._http = webhooks.client(transport)

    @property
    def switches(self) -> Switches:
        """The switches as they stand."""
        return self.state.switches

    def reset(self) -> None:
        """Forget everything and put the switches back; the clock stays."""
        self.state.clear()

    def close(self) -> None:
        """Let go of the HTTP client; the world cannot send afterwards."""
        self._http.close()

    def switch(self, **values: object) -> Switches:
        """Set switches by name; raises ValidationError and changes nothing if wrong."""
        with self.state.lock:
            now = {**self.state.switches.model_dump(), **values}
            self.state.switches = Switches.model_validate(now)
            return self.state.switches

    def add_app(self, **fields: object) -> ZoomApp:
        """Make an app; see `apps.add`."""
        with self.state.lock:
            return apps.add(self.state, fields)

    def change_app(self, client_id: str, **fields: object) -> ZoomApp:
        """Change an app's fields; see `apps.change`."""
        with self.state.lock:
            return apps.change(self.state, client_id, fields)

    def regenerate_secret_token(self, client_id: str) -> ZoomApp:
        """Replace the secret token; the old one stays readable on the app."""
        with self.state.lock:
            return apps.regenerate_secret_token(self.state, client_id)

    def add_user(self, **fields: object) -> ZoomUser:
        """Make a user; `email` is needed, the rest is made up if left out."""
        with self.state.lock:
            return people.add(self.state, fields)

    def change_user(self, user_id: str, **fields: object) -> ZoomUser:
        """Change a profile and publish `user.updated` with what changed."""
        with self.state.lock:
            return people.change(self.state, user_id, fields)

    def change_pmi(self, user_id: str, pmi: int) -> ZoomUser:
        """Change the personal meeting id and publish `user.updated`."""
        return self.change_user(user_id, pmi=pmi)

    def deactivate_user(self, user_id: str) -> ZoomUser:
        """Deactivate a user and publish `user.deactivated`."""
        with self.state.lock:
            return people.set_active(self.state, user_id, active=False)

    def activate_user(self, user_id: str) -> ZoomUser:
        """Activate a user and publish `user.activated`."""
        with self.state.lock:
            return people.set_active(self.state, user_id, active=True)

    def uninstall(self, client_id: str, user_id: str) -> None:
        """Remove an app from a user; see `people.uninstall`."""
        with self.state.lock:
            people.uninstall(self.state, client_id, user_id)

    def authorize(self, user_id: str, **params: str) -> str:
        """Allow an authorize request as the page would.

        Args:
            user_id: Who allows it.
            params: Its query: `client_id`, `redirect_uri`, `state`, ...

        Returns:
            The URL of the callback, with the code.
        """
        with self.state.lock:
            question = consent.read(self.state, {"response_type": "code", **params})
            return consent.allow(self.state, question, user_id)

    def install(self, client_id: str, user_id: str) -> str:
        """Add an app from the Marketplace: the callback URL, without state."""
        with self.state.lock:
            return consent.install(self.state, client_id, user_id)

    def revoke_grant(self, client_id: str, user_id: str) -> bool:
        """End a grant as if it were revoked; tell whether one lived."""
        with self.state.lock:
            return grants.end(self.state, client_id, user_id, "revoked")

    def create_meeting(self, user_id: str, **fields: object) -> Meeting:
        """Schedule a meeting (`topic`, `start_time`, `duration`, `use_pmi`, `type`).

        Publishes `meeting.created`. What is left out is made up; times are aware.
        """
        with self.state.lock:
            return meetings.create(self.state, user_id, fields)

    def update_meeting(
        self,
        meeting_id: int,
        topic: str | None = None,
        start_time: datetime | None = None,
    ) -> Meeting:
        """Change a meeting and publish `meeting.updated`."""
        with self.state.lock:
            return meetings.update(
                self.state, meeting_id, topic=topic, start_time=start_time
            )

    def delete_meeting(self, meeting_id: int) -> None:
        """Delete a meeting and publish `meeting.deleted`."""
        with self.state.lock:
            meetings.delete(self.state, meeting_id)

    def start_meeting(self, meeting_id: int) -> None:
        """Publish `meeting.started`."""
        with self.state.lock:
            meetings.start(self.state, meeting_id)

    def end_meeting(self, meeting_id: int) -> None:
        """Publish `meeting.ended`."""
        with self.state.lock:
            meetings.end(self.state, meeting_id)

    def validate(self, client_id: str, url: str | None = None) -> Verdict:
        """Press *Validate* and wait for the outcome; see `validation.validate`."""
        return validation.validate(self.state, self._http, client_id, url)

    def import_manifest(self, client_id: str, manifest: object) -> ZoomApp:
        """Fill an app's fields from a manifest; see `importing.take`."""
        return importing.take(self.state, self._http, client_id, manifest)

    def subscribe(self, app: ZoomApp, asked: Asked) -> Subscription:
        """Make an event subscription as the API does; see `subscribing.create`."""
        return subscribing.create(self.state, self._http, app, asked)

    def change_subscription(self, app: ZoomApp, asked: Asked) -> None:
        """Change one made by API; see `subscribing.change`."""
        subscribing.change(self.state, self._http, app, asked)

    def deliver_due(self) -> int:
        """Send everything due at the simulated time, challenges included.

        Returns:
            How many requests were sent. Returns once all have been answered.
        """
        sent = validation.repeat_due(self.state, self._http)
        return sent + webhooks.send_due(self.state, self._http)
