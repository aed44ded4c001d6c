"""The simulated Zoom as one object, for its pages, APIs and tests."""

from dataclasses import dataclass
from datetime import datetime

import httpx2

from dashboard.sandbox.clock import SimClock
from dashboard.sandbox.zoom import (
    apps,
    domains,
    manifest,
    oauth,
    subscriptions,
    users,
    webhooks,
)
from dashboard.sandbox.zoom.records import Meeting, Subscription, ZoomApp, ZoomUser
from dashboard.sandbox.zoom.state import State, Switches
from dashboard.sandbox.zoom.subscriptions import SubscriptionRequest
from dashboard.sandbox.zoom.webhooks import ValidationResult


class ZoomWorld:
    """All actions on the simulated Zoom; safe to use in any thread.

    Returned records are not copies: they change with the state.

    Attributes:
        state: The data, for reading.
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
            allow_local: Whether to accept http, localhost and IP addresses.
            transport: Replaces the network for sent webhooks.
        """
        self.state = State(clock, allow_local=allow_local)
        self._http = webhooks.make_client(transport)

    @property
    def switches(self) -> Switches:
        """The current switches."""
        return self.state.switches

    def reset(self) -> None:
        """Delete everything and reset the switches; the clock is not changed."""
        self.state.clear()

    def close(self) -> None:
        """Close the HTTP client; nothing can be sent afterwards."""
        self._http.close()

    def switch(self, **values: object) -> Switches:
        """Set switches by name; raises ValidationError and changes nothing if wrong."""
        with self.state.lock:
            now = {**self.state.switches.model_dump(), **values}
            self.state.switches = Switches.model_validate(now)
            return self.state.switches

    def add_app(self, **fields: object) -> ZoomApp:
        """Create an app; see `apps.add`."""
        with self.state.lock:
            return apps.add(self.state, fields)

    def change_app(self, client_id: str, **fields: object) -> ZoomApp:
        """Change an app's fields; see `apps.change`."""
        with self.state.lock:
            return apps.change(self.state, client_id, fields)

    def enable_publishing(self, client_id: str) -> ZoomApp:
        """Publish an app; see `apps.enable_publishing`."""
        with self.state.lock:
            return apps.enable_publishing(self.state, client_id)

    def verify_domain(self, base_url: str, method: domains.Method) -> bool:
        """Look for the account's code on a host; see `domains.verify`."""
        return domains.verify(self._http, base_url, self.state.domain_code, method)

    def regenerate_secret_token(self, client_id: str) -> ZoomApp:
        """Replace the secret token; the old one stays readable on the app."""
        with self.state.lock:
            return apps.regenerate_secret_token(self.state, client_id)

    def add_user(self, **fields: object) -> ZoomUser:
        """Create a user; only `email` has no default."""
        with self.state.lock:
            return users.add_user(self.state, fields)

    def change_user(self, user_id: str, **fields: object) -> ZoomUser:
        """Change a profile and publish `user.updated` with what changed."""
        with self.state.lock:
            return users.change_user(self.state, user_id, fields)

    def change_pmi(self, user_id: str, pmi: int) -> ZoomUser:
        """Change the personal meeting id and publish `user.updated`."""
        return self.change_user(user_id, pmi=pmi)

    def deactivate_user(self, user_id: str) -> ZoomUser:
        """Deactivate a user and publish `user.deactivated`."""
        with self.state.lock:
            return users.set_active(self.state, user_id, active=False)

    def activate_user(self, user_id: str) -> ZoomUser:
        """Activate a user and publish `user.activated`."""
        with self.state.lock:
            return users.set_active(self.state, user_id, active=True)

    def uninstall(self, client_id: str, user_id: str) -> None:
        """Remove an app from a user; see `users.uninstall`."""
        with self.state.lock:
            users.uninstall(self.state, client_id, user_id)

    def authorize(self, user_id: str, **params: str) -> str:
        """Allow an authorize request as the page does.

        Args:
            user_id: The user who allows it.
            params: Its query: `client_id`, `redirect_uri`, `state`, ...

        Returns:
            The callback URL with the code.
        """
        with self.state.lock:
            query = {"response_type": "code", **params}
            asked = oauth.parse_request(self.state, query)
            return oauth.allow(self.state, asked, user_id)

    def install(self, client_id: str, user_id: str) -> str:
        """Add an app from the Marketplace: the callback URL, without state."""
        with self.state.lock:
            return oauth.install(self.state, client_id, user_id)

    def revoke_grant(self, client_id: str, user_id: str) -> bool:
        """Revoke a grant; return whether there was one."""
        with self.state.lock:
            return oauth.end_grant(self.state, client_id, user_id, "revoked")

    def create_meeting(self, user_id: str, **fields: object) -> Meeting:
        """Schedule a meeting (`topic`, `start_time`, `duration`, `use_pmi`, `type`).

        Publishes `meeting.created`. All fields have defaults; times are aware.
        """
        with self.state.lock:
            return users.create_meeting(self.state, user_id, fields)

    def update_meeting(
        self,
        meeting_id: int,
        topic: str | None = None,
        start_time: datetime | None = None,
    ) -> Meeting:
        """Change a meeting and publish `meeting.updated`."""
        with self.state.lock:
            return users.update_meeting(
                self.state, meeting_id, topic=topic, start_time=start_time
            )

    def delete_meeting(self, meeting_id: int) -> None:
        """Delete a meeting and publish `meeting.deleted`."""
        with self.state.lock:
            users.delete_meeting(self.state, meeting_id)

    def start_meeting(self, meeting_id: int) -> None:
        """Publish `meeting.started`."""
        with self.state.lock:
            users.start_meeting(self.state, meeting_id)

    def end_meeting(self, meeting_id: int) -> None:
        """Publish `meeting.ended`."""
        with self.state.lock:
            users.end_meeting(self.state, meeting_id)

    def validate(self, client_id: str, url: str | None = None) -> ValidationResult:
        """Press **Validate** and wait for the result; see `webhooks.validate`."""
        return webhooks.validate(self.state, self._http, client_id, url)

    def create_app(self, name: str, document: object) -> ZoomApp:
        """Create an app from a manifest; see `manifest.create_app`."""
        return manifest.create_app(self.state, self._http, name, document)

    def issue_marketplace_token(self, scopes: list[str] | None = None) -> str:
        """Issue a token for the API about apps; see `oauth.issue_marketplace_token`."""
        with self.state.lock:
            return oauth.issue_marketplace_token(
                self.state, oauth.MARKETPLACE_SCOPES if scopes is None else scopes
            )

    def import_manifest(self, client_id: str, document: object) -> ZoomApp:
        """Import a manifest into an app; see `manifest.import_manifest`."""
        return manifest.import_manifest(self.state, self._http, client_id, document)

    def subscribe(self, app: ZoomApp, request: SubscriptionRequest) -> Subscription:
        """Create an event subscription; see `subscriptions.create`."""
        return subscriptions.create(self.state, self._http, app, request)

    def change_subscription(self, app: ZoomApp, request: SubscriptionRequest) -> None:
        """Change an event subscription; see `subscriptions.change`."""
        subscriptions.change(self.state, self._http, app, request)

    def deliver_due(self) -> int:
        """Send all events and validation requests that are due; return how many.

        Returns when all have been answered.
        """
        sent = webhooks.revalidate_due(self.state, self._http)
        return sent + webhooks.send_due(self.state, self._http)


_USERS = (
    ("ana@example.com", "Ana", "Nowak", "Owner"),
    ("ben@example.com", "Ben", "Okafor", "Member"),
    ("chloe@example.com", "Chloé", "Martin", "Member"),
)


@dataclass(frozen=True, kw_only=True)
class Seeded:
    """Result of `seed`; the app has no redirect or webhook URL yet."""

    app: ZoomApp
    users: list[ZoomUser]


def seed(world: ZoomWorld) -> Seeded:
    """Add a user-level development app and three users of its developer's account."""
    users = [
        world.add_user(email=email, first_name=first, last_name=last, role_name=role)
        for email, first, last, role in _USERS
    ]
    return Seeded(app=world.add_app(name="Recorder"), users=users)
