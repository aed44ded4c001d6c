"""The product's own simulated Zoom and Recall as one `World`."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from dashboard.sandbox.clock import SimClock
from dashboard.sandbox.faults import Fault, FaultKind, Faults
from dashboard.sandbox.recall import RecallWorld, create_recall
from dashboard.sandbox.recall.credentials import run_due_syncs
from dashboard.sandbox.recall.records import App as RecallApp
from dashboard.sandbox.recall.records import Credential
from dashboard.sandbox.zoom import ZoomWorld, create_zoom
from dashboard.sandbox.zoom.records import Grant, Kind
from tests.independent.site import Calls, Served, serve
from tests.independent.world import Outage, PairAtZoom, TakenByRecall

_REGION = "us-east-1"
_FAULTS = "sandbox_faults"
_WEBHOOK = "/api/v2/zoom-oauth-apps/*/webhook"
_BROKEN = {
    Outage.ZOOM: ("zoom", Fault(kind=FaultKind.UNAVAILABLE)),
    Outage.ZOOM_LIMIT: (
        "zoom",
        Fault(kind=FaultKind.RATE_LIMITED_BARE, path="/v2/"),
    ),
    Outage.RECALL: ("recall", Fault(kind=FaultKind.UNAVAILABLE)),
    Outage.RECALL_MAPPINGS: (
        "recall",
        Fault(kind=FaultKind.UNAVAILABLE, path="/api/v2/zoom-meetings-to-credentials/"),
    ),
    Outage.RECEIVER: ("recall", Fault(kind=FaultKind.UNAVAILABLE, path=_WEBHOOK)),
    Outage.PORTAL: ("recall", Fault(kind=FaultKind.PAGE, path=_WEBHOOK)),
}


class _Follows(SimClock):
    """A clock that reads another one."""

    def __init__(self, of: Callable[[], datetime]) -> None:
        super().__init__()
        self._of = of

    def now(self) -> datetime:
        return self._of()


class _Noting:
    """Notes what an app answers."""

    def __init__(
        self, app: WSGIApplication, calls: Calls, now: Callable[[], datetime]
    ) -> None:
        self._app, self._calls, self._now = app, calls, now

    def __call__(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            self._calls.add(environ["PATH_INFO"], int(status[:3]), self._now())
            return start_response(status, headers, *rest)

        return self._app(environ, start)


class SimulatedWorld:
    """A `World` of `dashboard.sandbox`, which does nothing between its acts.

    Args:
        now: The clock of both.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        clock = _Follows(now)
        self.zoom = ZoomWorld(clock, allow_local=True)
        zoom = create_zoom(self.zoom)
        self._calls = Calls()
        self._zoom_site: Served = serve(_Noting(zoom, self._calls, now))
        self.recall = RecallWorld(clock, zoom_url=self.zoom_url, allow_local=True)
        self.recall.set_switches({"rate_limits": False})
        recall = create_recall(self.recall)
        self._recall_site: Served = serve(_Noting(recall, self._calls, now))
        self._faults: dict[str, Faults] = {
            "zoom": zoom.extensions[_FAULTS],
            "recall": recall.extensions[_FAULTS],
        }
        self._broken: set[Outage] = set()
        self.api_key = self.recall.add_workspace(_REGION).api_key

    @property
    def zoom_url(self) -> str:
        return self._zoom_site.url

    @property
    def recall_url(self) -> str:
        return self._recall_site.url

    def close(self) -> None:
        self._recall_site.close()
        self._zoom_site.close()
        self.zoom.close()

    def make_app(
        self, redirect_url: str, *, is_account_level: bool = False
    ) -> PairAtZoom:
        kind = Kind.ACCOUNT_LEVEL if is_account_level else Kind.USER_LEVEL
        app = self.zoom.add_app(redirect_url=redirect_url, published=True, kind=kind)
        return PairAtZoom(
            client_id=app.client_id,
            client_secret=app.client_secret,
            secret_token=app.secret_token,
        )

    def press_validate(self, client_id: str, url: str) -> bool:
        self.zoom.change_app(client_id, deauthorization_url=url)
        return self.zoom.validate(client_id, url).valid

    def rotate_secret_token(self, client_id: str) -> str:
        return self.zoom.regenerate_secret_token(client_id).secret_token

    def regenerate_client_secret(self, client_id: str) -> str:
        before = self.zoom.state.app(client_id).client_secret
        secret = _another(before)
        self.zoom.change_app(client_id, client_secret=secret)
        return secret

    def add_user(
        self,
        email: str,
        first_name: str,
        last_name: str,
        pmi: int,
        *,
        is_admin: bool = False,
    ) -> str:
        return self.zoom.add_user(
            email=email,
            first_name=first_name,
            last_name=last_name,
            pmi=pmi,
            role_name="Admin" if is_admin else "Member",
        ).id

    def allow(self, authorize_url: str, user_id: str) -> str:
        asked = dict(parse_qsl(urlsplit(authorize_url).query))
        del asked["response_type"]
        return self.zoom.authorize(user_id, **asked)

    def remove_app(self, client_id: str, user_id: str) -> None:
        self.zoom.uninstall(client_id, user_id)

    def end_grant(self, client_id: str, user_id: str) -> None:
        self.zoom.revoke_grant(client_id, user_id)

    def create_meeting(self, user_id: str) -> int:
        return self.zoom.create_meeting(user_id, topic="Weekly 🚒 call").id

    def change_pmi(self, user_id: str, pmi: int) -> None:
        self.zoom.change_pmi(user_id, pmi)

    def change_email(self, user_id: str, email: str) -> None:
        self.zoom.change_user(user_id, email=email)

    def begin(self, outage: Outage) -> None:
        self._broken.add(outage)
        self._break()

    def end(self, outage: Outage) -> None:
        self._broken.discard(outage)
        self._break()

    def _break(self) -> None:
        for who, faults in self._faults.items():
            found = (_BROKEN.get(each) for each in sorted(self._broken))
            faults.set([fault for each, fault in filter(None, found) if each == who])
        spent = Outage.RECALL_CREDIT in self._broken
        self.recall.set_switches({"credit_spent": spent})

    def change_webhook_secret_in_recall(self, client_id: str) -> None:
        app = self._app(client_id)
        app.webhook_secret = _another(app.webhook_secret)

    def unmap(self, meeting_id: int) -> None:
        for key in [each for each in self.recall.mappings if each[0] == meeting_id]:
            del self.recall.mappings[key]

    def delete_credential(self, client_id: str, user_id: str) -> None:
        found = self._credential(client_id, user_id)
        if found is not None:
            self.recall.remove_credential(found)

    def run_due(self) -> None:
        while self.zoom.deliver_due() + run_due_syncs(self.recall):
            pass

    def lives(self, client_id: str, user_id: str) -> bool:
        return any(self._living(client_id, user_id))

    def works(self, client_id: str, user_id: str) -> bool:
        found = self._credential(client_id, user_id)
        if found is None or found.access_token_callback_url is not None:
            return found is not None and self.lives(client_id, user_id)
        own = found.grant.refresh_token
        living = self._living(client_id, user_id)
        return any(each.refresh_token == own for each in living)

    def _living(self, client_id: str, user_id: str) -> Iterator[Grant]:
        now = self._now()
        for each in self.zoom.state.grants:
            is_theirs = (each.client_id, each.user_id) == (client_id, user_id)
            is_young = each.refresh_until is None or each.refresh_until > now
            if is_theirs and each.ended is None and is_young:
                yield each

    def is_pair_right_in_recall(self, client_id: str) -> bool:
        secret = self.zoom.state.app(client_id).client_secret
        return self._app(client_id).client_secret == secret

    def webhook_secret_in_recall(self, client_id: str) -> str:
        return self._app(client_id).webhook_secret

    def credential_of(self, client_id: str, user_id: str) -> str | None:
        found = self._credential(client_id, user_id)
        return None if found is None else found.status.value

    def mapped_to(self, meeting_id: int) -> str | None:
        found = [e for key, e in self.recall.mappings.items() if key[0] == meeting_id]
        if not found:
            return None
        newest = max(found, key=lambda each: each.synced_at)
        return self.recall.credentials[newest.credential].grant.user_id

    def zoom_secret(self, client_id: str) -> str:
        return self.zoom.state.app(client_id).secret_token

    def was_called(self, path: str, at: datetime) -> bool:
        return self._calls.has(path, at)

    def last_call(self, path: str) -> datetime | None:
        return self._calls.last(path)

    def taken(self) -> list[TakenByRecall]:
        return [
            TakenByRecall(at=each.at, body=each.body, status=each.status)
            for each in self.recall.received
        ]

    def _app(self, client_id: str) -> RecallApp:
        [found] = [e for e in self.recall.apps.values() if e.client_id == client_id]
        return found

    def _credential(self, client_id: str, user_id: str) -> Credential | None:
        for each in self.recall.credentials.values():
            if (each.app.client_id, each.grant.user_id) == (client_id, user_id):
                return each
        return None


def _another(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()[:22]
