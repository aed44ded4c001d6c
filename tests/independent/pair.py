"""The independent Zoom and Recall as one `World`."""

import hashlib
from datetime import datetime
from urllib.parse import urlsplit

import httpx2
from werkzeug.wrappers import Request, Response

from tests.independent.freedoms import Freedoms
from tests.independent.recall import App as RecallApp
from tests.independent.recall import Credential, Recall
from tests.independent.site import Now
from tests.independent.world import Outage, PairAtZoom, TakenByRecall
from tests.independent.zoom import SIGNED_IN, Zoom

_PAGE = "<!DOCTYPE html><h1>Welcome, please log in</h1>"


class IndependentWorld:
    """A `World` of `zoom.Zoom` and `recall.Recall`.

    Args:
        now: The clock of both.
        freedoms: What the contracts leave open.
        seed: Decides ids and tokens.
    """

    def __init__(
        self, now: Now, freedoms: Freedoms | None = None, *, seed: int = 0
    ) -> None:
        freedoms = freedoms or Freedoms()
        self.zoom = Zoom(now, freedoms, seed=seed)
        self.recall = Recall(now, freedoms, zoom_url=self.zoom_url, seed=seed)
        self.api_key = self.recall.api_key

    @property
    def zoom_url(self) -> str:
        return self.zoom.site.url

    @property
    def recall_url(self) -> str:
        return self.recall.site.url

    def close(self) -> None:
        self.recall.close()
        self.zoom.close()

    def make_app(
        self, redirect_url: str, *, is_account_level: bool = False
    ) -> PairAtZoom:
        app = self.zoom.make_app(redirect_url, is_managed=is_account_level)
        return PairAtZoom(
            client_id=app.client_id,
            client_secret=app.client_secret,
            secret_token=app.secret_token,
        )

    def press_validate(self, client_id: str, url: str) -> bool:
        return self.zoom.validate(client_id, url)

    def rotate_secret_token(self, client_id: str) -> str:
        return self.zoom.rotate_secret_token(client_id)

    def regenerate_client_secret(self, client_id: str) -> str:
        return self.zoom.regenerate_client_secret(client_id)

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
            email, first_name, last_name, pmi, is_admin=is_admin
        ).id

    def allow(self, authorize_url: str, user_id: str) -> str:
        parts = urlsplit(authorize_url)
        answer = httpx2.get(
            f"{self.zoom_url}{parts.path}?{parts.query}", cookies={SIGNED_IN: user_id}
        )
        assert answer.status_code == 302, answer.text
        return str(answer.headers["location"])

    def remove_app(self, client_id: str, user_id: str) -> None:
        self.zoom.remove_app(client_id, user_id)

    def end_grant(self, client_id: str, user_id: str) -> None:
        self.zoom.end_grant(client_id, user_id)

    def create_meeting(self, user_id: str) -> int:
        return self.zoom.create_meeting(user_id).number

    def change_pmi(self, user_id: str, pmi: int) -> None:
        self.zoom.change_pmi(user_id, pmi)

    def change_email(self, user_id: str, email: str) -> None:
        self.zoom.change_email(user_id, email)

    def begin(self, outage: Outage) -> None:
        self._switch(outage, is_on=True)

    def end(self, outage: Outage) -> None:
        self._switch(outage, is_on=False)

    def _switch(self, outage: Outage, *, is_on: bool) -> None:
        match outage:
            case Outage.ZOOM:
                self.zoom.site.outage = _unavailable if is_on else None
            case Outage.ZOOM_LIMIT:
                self.zoom.over_daily_limit = is_on
            case Outage.RECALL:
                self.recall.site.outage = _unavailable if is_on else None
            case Outage.RECALL_MAPPINGS:
                self.recall.mappings_fail = is_on
            case Outage.RECALL_CREDIT:
                self.recall.without_credit = is_on
            case Outage.RECEIVER:
                self.recall.receiver_outage = _unavailable if is_on else None
            case Outage.PORTAL:
                self.recall.receiver_outage = _portal if is_on else None

    def change_webhook_secret_in_recall(self, client_id: str) -> None:
        app = self._app(client_id)
        app.webhook_secret = hashlib.sha256(app.webhook_secret.encode()).hexdigest()[
            :22
        ]

    def unmap(self, meeting_id: int) -> None:
        self.recall.mappings.pop(meeting_id, None)

    def delete_credential(self, client_id: str, user_id: str) -> None:
        found = self._credential(client_id, user_id)
        if found is not None:
            self.recall.delete(found)

    def run_due(self) -> None:
        while self.zoom.send_due() + self.recall.sync_due():
            pass

    def lives(self, client_id: str, user_id: str) -> bool:
        return self.zoom.lives(client_id, user_id)

    def works(self, client_id: str, user_id: str) -> bool:
        found = self._credential(client_id, user_id)
        if found is None or found.callback_url is not None:
            return found is not None and self.lives(client_id, user_id)
        return self.zoom.knows(client_id, user_id, found.refresh)

    def is_pair_right_in_recall(self, client_id: str) -> bool:
        secret = self.zoom.apps[client_id].client_secret
        return self._app(client_id).client_secret == secret

    def webhook_secret_in_recall(self, client_id: str) -> str:
        return self._app(client_id).webhook_secret

    def credential_of(self, client_id: str, user_id: str) -> str | None:
        found = self._credential(client_id, user_id)
        if found is None:
            return None
        return "healthy" if found.is_healthy else "unhealthy"

    def mapped_to(self, meeting_id: int) -> str | None:
        found = self.recall.mappings.get(meeting_id)
        return (
            None
            if found is None
            else self.recall.credentials[found.credential_id].user_id
        )

    def zoom_secret(self, client_id: str) -> str:
        return self.zoom.apps[client_id].secret_token

    def was_called(self, path: str, at: datetime) -> bool:
        sites = self.zoom.site, self.recall.site
        return any(each.calls.has(path, at) for each in sites)

    def last_call(self, path: str) -> datetime | None:
        sites = self.zoom.site, self.recall.site
        found = (each.calls.last(path) for each in sites)
        return max(filter(None, found), default=None)

    def taken(self) -> list[TakenByRecall]:
        return [
            TakenByRecall(at=each.at, body=each.body, status=each.status)
            for each in self.recall.taken
        ]

    def _app(self, client_id: str) -> RecallApp:
        [found] = [e for e in self.recall.apps.values() if e.client_id == client_id]
        return found

    def _credential(self, client_id: str, user_id: str) -> Credential | None:
        apps = {e.id for e in self.recall.apps.values() if e.client_id == client_id}
        for each in self.recall.credentials.values():
            if each.app_id in apps and each.user_id == user_id:
                return each
        return None


def _unavailable(_: Request) -> Response:
    return Response("<h1>503</h1>", 503, content_type="text/html")


def _portal(_: Request) -> Response:
    return Response(_PAGE, 200, content_type="text/html")
