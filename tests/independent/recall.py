"""An independent Recall: apps, credentials, mappings, logs, and its webhook URL."""

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

import httpx2
from werkzeug.wrappers import Request, Response

from tests.independent.freedoms import Freedoms
from tests.independent.site import Now, Site, Words, reply

_API = "/api/v2/"
_BOTS = "/api/v1/bot/"
_REPLAYED_FOR = timedelta(hours=1)
_CALLBACK_TIMEOUT_S = 5.0
_MIN_LEFT = timedelta(seconds=120)
_ACCOUNT_LEVEL, _JWT_PARTS = "account_level", 3
_NO_TOKEN = "Unable to fetch a Zoom access token for this credential."


@dataclass(kw_only=True)
class App:
    id: str
    kind: str
    client_id: str
    client_secret: str
    webhook_secret: str
    created_at: datetime
    validated_at: datetime | None = None


@dataclass(kw_only=True)
class Credential:
    """One connected user, or the account of an admin who connected it.

    Attributes:
        account_id: Of the account; None for a user.
        errors: Failures in a row.
        synced: How its last sync went.
    """

    id: str
    app_id: str
    user_id: str
    callback_url: str | None
    created_at: datetime
    account_id: str | None = None
    access: str = ""
    access_ends_at: datetime | None = None
    refresh: str = ""
    is_healthy: bool = True
    errors: int = 0
    synced: str = "not_started"


@dataclass(kw_only=True)
class Mapping:
    meeting_id: int
    credential_id: str
    synced_at: datetime


@dataclass(kw_only=True)
class Change:
    """A step of a bot."""

    code: str
    at: datetime
    sub_code: str | None = None
    message: str | None = None


@dataclass(kw_only=True)
class Bot:
    """A bot that somebody's software sent.

    Attributes:
        meeting_id: None once Recall has forgotten it.
    """

    id: str
    meeting_id: int | None
    changes: list[Change]


@dataclass(kw_only=True)
class Log:
    of: str
    message: str
    at: datetime


@dataclass(kw_only=True)
class Taken:
    """A webhook that came to the webhook URL of an app."""

    app_id: str
    at: datetime
    body: bytes
    status: int


class _ZoomRefusedError(Exception):
    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


@dataclass(kw_only=True)
class _Stored:
    at: datetime
    response: tuple[int, bytes, str]


class Recall:
    """One Recall with one workspace.

    Args:
        now: The clock.
        freedoms: What the contracts leave open.
        zoom_url: Where Zoom is; no trailing slash.
        seed: Decides the ids.

    Attributes:
        without_credit: Whether every call but the webhook URL gets 402.
        mappings_fail: Whether the list of mappings gets 503.
    """

    def __init__(
        self, now: Now, freedoms: Freedoms, *, zoom_url: str, seed: int = 0
    ) -> None:
        self._now, self._free, self._words = now, freedoms, Words(seed + 1)
        self._zoom = httpx2.Client(base_url=zoom_url, timeout=5.0)
        self._lock = threading.RLock()
        self._first_answers: dict[tuple[str, str], _Stored] = {}
        self.api_key = self._words.word(40)
        self.apps: dict[str, App] = {}
        self.credentials: dict[str, Credential] = {}
        self.mappings: dict[int, Mapping] = {}
        self.logs: list[Log] = []
        self.bots: list[Bot] = []
        self.taken: list[Taken] = []
        self.without_credit = False
        self.mappings_fail = False
        self.receiver_outage: Callable[[Request], Response] | None = None
        self.site = Site(now=now, answer=self._answer).start()

    def close(self) -> None:
        self.site.close()
        self._zoom.close()

    # What Recall does on its own.

    def sync_due(self) -> int:
        """Run the syncs that wait; return how many."""
        with self._lock:
            waiting = [
                each
                for each in self.credentials.values()
                if each.synced in {"not_started", "in_progress"}
            ]
            for credential in waiting:
                self._sync(credential)
        return len(waiting)

    def send_bot(self, meeting_id: int | None, *changes: Change) -> Bot:
        """Let a bot go through these steps."""
        made = Bot(id=self._words.uuid(), meeting_id=meeting_id, changes=list(changes))
        with self._lock:
            self.bots.append(made)
        return made

    def _sync(self, credential: Credential) -> None:
        try:
            token = self._token(credential)
            users, hosts = [], ["me"]
            if credential.account_id is not None:
                users = self._list("users", "/v2/users", token)
                hosts = [str(each["id"]) for each in users]
            paths = [f"/v2/users/{each}/meetings" for each in hosts]
            numbers = [
                int(each["id"])
                for path in paths
                for each in self._list("meetings", path, token)
            ]
        except _ZoomRefusedError as error:
            credential.synced = "failed"
            self._note(credential.id, f"Meeting sync failed: {error}")
            return
        if self._free.is_pmi_mapped:
            own = users or [self._me(token)]
            numbers += [int(each["pmi"]) for each in own]
        if self._free.unmaps_deleted:
            for mapping in list(self.mappings.values()):
                if mapping.credential_id == credential.id:
                    del self.mappings[mapping.meeting_id]
        for number in numbers:
            self._map(number, credential)
        credential.synced = "completed"

    def _map(self, number: int, credential: Credential) -> None:
        self.mappings.pop(number, None)  # the newest is last
        self.mappings[number] = Mapping(
            meeting_id=number, credential_id=credential.id, synced_at=self._now()
        )

    # Zoom.

    def _ask_zoom(self, method: str, path: str, **rest: Any) -> Any:
        try:
            answer = self._zoom.request(method, path, **rest)
        except httpx2.TransportError:
            raise _ZoomRefusedError(503, "Zoom could not be reached.") from None
        try:
            said = answer.json()
        except ValueError:
            said = None
        if answer.status_code != 200 or not isinstance(said, dict):
            words = answer.text[:200] if self._free.repeats_zoom else _NO_TOKEN
            raise _ZoomRefusedError(answer.status_code, words)
        return said

    def _ask_for_token(self, app: App, **form: str) -> dict[str, Any]:
        pair = (app.client_id, app.client_secret)
        said: dict[str, Any] = self._ask_zoom(
            "POST", "/oauth/token", data=form, auth=pair
        )
        return said

    def _me(self, token: str) -> dict[str, Any]:
        headers = {"authorization": f"Bearer {token}"}
        said: dict[str, Any] = self._ask_zoom("GET", "/v2/users/me", headers=headers)
        return said

    def _list(self, name: str, path: str, token: str) -> list[dict[str, Any]]:
        """Read a list of Zoom's to its end."""
        found: list[dict[str, Any]] = []
        more = ""
        while True:
            said = self._ask_zoom(
                "GET",
                path,
                params={"page_size": 2, "next_page_token": more},
                headers={"authorization": f"Bearer {token}"},
            )
            found += said[name]
            more = said["next_page_token"]
            if not more:
                return found

    def _token(self, credential: Credential) -> str:
        """Return a token that works for a while; Zoom, or the customer, is asked."""
        if credential.callback_url is not None:
            return self._fetch(credential.callback_url)
        ends_at = credential.access_ends_at
        if ends_at is not None and ends_at - self._now() > _MIN_LEFT:
            # Whether the grant still lives shows only in a call made with the token.
            return credential.access
        said = self._ask_for_token(
            self.apps[credential.app_id],
            grant_type="refresh_token",
            refresh_token=credential.refresh,
        )
        self._keep(credential, said)
        return credential.access

    def _keep(self, credential: Credential, said: dict[str, Any]) -> None:
        credential.access = said["access_token"]
        credential.refresh = said["refresh_token"]
        lasts = timedelta(seconds=said["expires_in"])
        credential.access_ends_at = self._now() + lasts

    def _fetch(self, url: str) -> str:
        try:
            answer = httpx2.get(url, timeout=_CALLBACK_TIMEOUT_S)
        except httpx2.TransportError:
            raise _ZoomRefusedError(503, "The token callback did not answer.") from None
        if answer.status_code != 200:
            raise _ZoomRefusedError(400, _NO_TOKEN)
        return answer.text

    def _failed(self, credential: Credential, error: _ZoomRefusedError) -> None:
        self._note(credential.id, str(error))
        credential.errors += 1
        if credential.errors >= self._free.errors_to_unhealthy:
            credential.is_healthy = False

    def _note(self, of: str, message: str) -> None:
        self.logs.append(Log(of=of, message=message[:2000], at=self._now()))

    # HTTP.

    def _answer(self, request: Request) -> Response:
        path = request.path
        if path.startswith(f"{_API}zoom-oauth-apps/") and path.endswith("/webhook"):
            outage = self.receiver_outage
            return self._receive(request) if outage is None else outage(request)
        is_known = path.startswith((_API, _BOTS))
        if not is_known or not path.endswith("/"):
            return reply(404, {"detail": "Not found."})
        if self._key_of(request) != self.api_key:
            detail = "Invalid API token. Check the region."
            return reply(401, {"code": "authentication_failed", "detail": detail})
        if self.without_credit:
            return reply(402, {"detail": "Insufficient credit balance."})
        key = request.headers.get("Idempotency-Key")
        if key is None or request.method == "GET":
            return self._route(request)
        return self._once((key, path), lambda: self._route(request))

    def _once(self, identity: tuple[str, str], run: Callable[[], Response]) -> Response:
        stored = self._first_answers.get(identity)
        if stored is not None and self._now() - stored.at < _REPLAYED_FOR:
            status, body, kind = stored.response
            return Response(body, status, content_type=kind)
        response = run()
        kept = (response.status_code, response.get_data(), response.content_type or "")
        self._first_answers[identity] = _Stored(at=self._now(), response=kept)
        return response

    @staticmethod
    def _key_of(request: Request) -> str:
        return request.headers.get("authorization", "").removeprefix("Token ")

    def _route(self, request: Request) -> Response:
        if request.path == _BOTS and request.method == "GET":
            return self._list_bots(request)
        path = request.path.removeprefix(_API).strip("/").split("/")
        with self._lock:
            match request.method, path:
                case "GET", ["zoom-oauth-apps"]:
                    return self._reply_with(request, self._apps_for(request))
                case "POST", ["zoom-oauth-apps"]:
                    return self._create_app(request)
                case method, ["zoom-oauth-apps", app_id]:
                    return self._one_app(method, app_id, request)
                case "GET", ["zoom-oauth-credentials"]:
                    return self._reply_with(request, self._credentials_for(request))
                case "POST", ["zoom-oauth-credentials"]:
                    return self._connect(request)
                case method, ["zoom-oauth-credentials", credential_id, *rest]:
                    return self._one_credential(method, credential_id, rest)
                case "GET", ["zoom-oauth-app-logs"]:
                    return self._reply_with(request, self._logs(request, "oauth_app"))
                case "GET", ["zoom-oauth-credential-logs"]:
                    return self._reply_with(request, self._logs(request, "credential"))
                case "GET", ["zoom-meetings-to-credentials"]:
                    if self.mappings_fail:
                        return Response(status=503)
                    return self._reply_with(request, self._mappings_for(request))
                case _:
                    return reply(404, {"detail": "Not found."})

    def _list_bots(self, request: Request) -> Response:
        """Answer a page with a number, as the older API does."""
        with self._lock:
            shown = [self._shown_bot(each) for each in self.bots]
        if request.args.get("platform", "zoom") != "zoom":
            shown = []
        if self._free.newest_first:
            shown.reverse()
        size, number = self._free.page_size, int(request.args.get("page", "1"))
        start = (number - 1) * size

        def at(page: int) -> str:
            return f"{self.site.url}{_BOTS}?platform=zoom&page={page}"

        body = {
            "count": len(shown),
            "next": at(number + 1) if start + size < len(shown) else None,
            "previous": at(number - 1) if number > 1 else None,
            "results": shown[start : start + size],
        }
        return reply(200, body)

    def _shown_bot(self, bot: Bot) -> dict[str, Any]:
        changes = [
            {
                "code": each.code,
                "sub_code": each.sub_code,
                "message": each.message,
                "created_at": self._time(each.at),
            }
            for each in bot.changes
        ]
        if self._free.latest_change_first:
            changes.reverse()
        place: dict[str, Any] | None = None
        if bot.meeting_id is not None:
            number = bot.meeting_id
            place = {
                "meeting_id": str(number) if self._free.meeting_as_text else number,
                "meeting_password": "p4ss",
                "platform": "zoom",
            }
        return {
            "id": bot.id,
            "bot_name": "Somebody's notetaker",
            "meeting_url": place,
            "status_changes": changes,
            "recordings": [],
        }

    def _reply_with(self, request: Request, rows: Sequence[dict[str, Any]]) -> Response:
        ordered = list(reversed(rows)) if self._free.newest_first else list(rows)
        asked = request.args.get("ordering")
        if asked in {"created_at", "synced_at"}:
            ordered = list(rows)
        elif asked in {"-created_at", "-synced_at"}:
            ordered = list(reversed(rows))
        start = int(request.args.get("cursor", "c0").removeprefix("c"))
        size = self._free.page_size
        query = {key: value for key, value in request.args.items() if key != "cursor"}

        def at(place: int) -> str:
            words = "&".join(
                f"{k}={v}" for k, v in {"cursor": f"c{place}", **query}.items()
            )
            return f"{self.site.url}{request.path}?{words}"

        body = {
            "results": ordered[start : start + size],
            "next": at(start + size) if start + size < len(ordered) else None,
            "previous": at(max(0, start - size)) if start else None,
        }
        return reply(200, body)

    def _apps_for(self, request: Request) -> list[dict[str, Any]]:
        wanted = request.args
        return [
            self._shown_app(each)
            for each in self.apps.values()
            if wanted.get("client_id", each.client_id) == each.client_id
            and wanted.get("kind", each.kind) == each.kind
        ]

    def _create_app(self, request: Request) -> Response:
        body = _json(request)
        names = ("kind", "client_id", "client_secret", "webhook_secret")
        wrong = {
            name: ["This field is required."]
            for name in names
            if not isinstance(body.get(name), str) or not body[name]
        }
        if wrong:
            return reply(400, wrong)
        app = App(
            id=self._words.uuid(),
            created_at=self._now(),
            **{name: body[name] for name in names},
        )
        self.apps[app.id] = app
        return reply(201, self._shown_app(app))

    def _one_app(self, method: str, app_id: str, request: Request) -> Response:
        app = self.apps.get(app_id)
        if app is None:
            return reply(404, {"detail": "Not found."})
        match method:
            case "GET":
                return reply(200, self._shown_app(app))
            case "PATCH":
                body = _json(request)
                app.client_secret = body.get("client_secret", app.client_secret)
                app.webhook_secret = body.get("webhook_secret", app.webhook_secret)
                return reply(200, self._shown_app(app))
            case "DELETE":
                del self.apps[app_id]
                for each in list(self.credentials.values()):
                    if each.app_id == app_id:
                        self.delete(each)
                return Response(status=204)
            case _:
                return reply(405, {"detail": "Method not allowed."})

    def _shown_app(self, app: App) -> dict[str, Any]:
        masked = self._free.masks_secrets
        return {
            "id": app.id,
            "kind": app.kind,
            "client_id": app.client_id,
            "client_secret": "****" if masked else app.client_secret,
            "webhook_secret": "****" if masked else app.webhook_secret,
            "webhook_last_validation": self._time(app.validated_at),
            "created_at": self._time(app.created_at),
        }

    def _credentials_for(self, request: Request) -> list[dict[str, Any]]:
        wanted = request.args
        found = []
        for each in self.credentials.values():
            shown = {**self._shown(each)}
            values = {"oauth_app": each.app_id, **shown}
            filters = (
                *("oauth_app", "user_id", "account_id"),
                *("status", "meeting_sync_status"),
            )
            if all(
                wanted.get(name, values.get(name)) == values.get(name)
                for name in filters
            ):
                found.append(shown)
        return found

    def _shown(self, each: Credential) -> dict[str, Any]:
        body: dict[str, Any] = {
            "id": each.id,
            "oauth_app": each.app_id,
            "status": "healthy" if each.is_healthy else "unhealthy",
            "user_id": each.user_id if each.account_id is None else None,
            "created_at": self._time(each.created_at),
            "meeting_sync_status": each.synced,
            "access_token_callback_url": each.callback_url,
            "account_id": each.account_id,
        }
        if not self._free.omits_optional:
            return body
        return {name: value for name, value in body.items() if value is not None}

    def _connect(self, request: Request) -> Response:
        body = _json(request)
        app = self.apps.get(str(body.get("oauth_app")))
        if app is None:
            return reply(400, {"oauth_app": ["Object does not exist."]})
        said: dict[str, Any] | None = None
        url = body.get("access_token_callback_url")
        try:
            if url is not None:
                token = self._fetch(str(url))
            else:
                given = body.get("authorization_code") or {}
                form = {
                    name: given[name]
                    for name in ("code", "redirect_uri", "code_verifier")
                    if name in given
                }
                said = self._ask_for_token(app, grant_type="authorization_code", **form)
                token = said["access_token"]
            user_id, account_id = self._owner(app, token)
        except _ZoomRefusedError as error:
            self._note(app.id, f"Credential not created: {error}")
            words = str(error) if self._free.repeats_zoom else "Zoom refused the code."
            return reply(400, {"detail": words})
        existing = self._existing(app, user_id, account_id)
        if existing is not None and self._free.reconnect == "conflict":
            return _conflict(user_id, account_id)
        credential = existing or Credential(
            id=self._words.uuid(),
            app_id=app.id,
            user_id=user_id,
            account_id=account_id,
            callback_url=url,
            created_at=self._now(),
        )
        credential.user_id = user_id
        credential.callback_url = url
        credential.is_healthy, credential.errors = True, 0
        credential.synced = "not_started"
        if said is not None:
            self._keep(credential, said)
        self.credentials[credential.id] = credential
        status = self._free.reconnect_status if existing is not None else 201
        return reply(status, self._shown(credential))

    def _owner(self, app: App, token: str) -> tuple[str, str | None]:
        """Return whose a token is: a user, and of an account-level app the account."""
        try:
            me = self._me(token)
        except _ZoomRefusedError:
            parts = token.split(".")
            if app.kind != _ACCOUNT_LEVEL or len(parts) != _JWT_PARTS:
                raise
            claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=="))
            me = {"id": claims["uid"], "account_id": claims["aid"]}
        account_id = me["account_id"] if app.kind == _ACCOUNT_LEVEL else None
        return me["id"], account_id

    def _existing(
        self, app: App, user_id: str, account_id: str | None
    ) -> Credential | None:
        """Return an app's credential of a user, or of an account if it is for one."""
        is_whole = app.kind == _ACCOUNT_LEVEL
        for each in self.credentials.values():
            mine = each.account_id if is_whole else each.user_id
            if (each.app_id, mine) == (app.id, account_id if is_whole else user_id):
                return each
        return None

    def _one_credential(
        self, method: str, credential_id: str, rest: list[str]
    ) -> Response:
        credential = self.credentials.get(credential_id)
        if credential is None:
            return reply(404, {"detail": "Not found."})
        match method, rest:
            case "GET", []:
                return reply(200, self._shown(credential))
            case "DELETE", []:
                self.delete(credential)
                return Response(status=204)
            case "GET", ["access-token"]:
                return self._access_token(credential)
            case "POST", ["validate"]:
                self._validate(credential)
                return Response(status=200)
            case "POST", ["sync-meetings"]:
                credential.synced = "in_progress"
                return Response(status=200)
            case _:
                return reply(404, {"detail": "Not found."})

    def delete(self, credential: Credential) -> None:
        del self.credentials[credential.id]
        for mapping in list(self.mappings.values()):
            if mapping.credential_id == credential.id:
                del self.mappings[mapping.meeting_id]

    def _access_token(self, credential: Credential) -> Response:
        if not credential.is_healthy:
            return reply(400, {"detail": "This credential is not active."})
        try:
            token = self._token(credential)
        except _ZoomRefusedError as error:
            self._failed(credential, error)
            return reply(400, {"detail": str(error)})
        credential.errors = 0
        ends_at = credential.access_ends_at or self._now() + timedelta(minutes=30)
        return reply(200, {"token": token, "expires_at": self._time(ends_at)})

    def _validate(self, credential: Credential) -> None:
        try:
            if credential.callback_url is None:
                said = self._ask_for_token(
                    self.apps[credential.app_id],
                    grant_type="refresh_token",
                    refresh_token=credential.refresh,
                )
                self._keep(credential, said)
            else:
                self._fetch(credential.callback_url)
        except _ZoomRefusedError as error:
            credential.is_healthy = False
            self._note(credential.id, f"Validation failed: {error}")
            return
        credential.is_healthy, credential.errors = True, 0

    def _mappings_for(self, request: Request) -> list[dict[str, Any]]:
        wanted = request.args
        return [
            {
                "meeting_id": each.meeting_id,
                "credential": each.credential_id,
                "synced_at": self._time(each.synced_at),
            }
            for each in self.mappings.values()
            if wanted.get("credential", each.credential_id) == each.credential_id
            and wanted.get("meeting_id", str(each.meeting_id)) == str(each.meeting_id)
        ]

    def _logs(self, request: Request, name: str) -> list[dict[str, Any]]:
        of = request.args.get(name)
        return [
            {name: each.of, "message": each.message, "created_at": self._time(each.at)}
            for each in self.logs
            if each.of == of
        ]

    def _time(self, at: datetime | None) -> str | None:
        if at is None:
            return None
        hours = self._free.expires_at_offset
        return at.astimezone(timezone(timedelta(hours=hours))).isoformat()

    # The webhook URL.

    def _receive(self, request: Request) -> Response:
        app_id = request.path.split("/")[-2]
        with self._lock:
            response = self._take(app_id, request)
            self.taken.append(
                Taken(
                    app_id=app_id,
                    at=self._now(),
                    body=request.get_data(),
                    status=response.status_code,
                )
            )
        return response

    def _take(self, app_id: str, request: Request) -> Response:
        app = self.apps.get(app_id)
        if app is None:
            return reply(404, {"detail": "Not found."})
        raw = request.get_data()
        timestamp = request.headers.get("x-zm-request-timestamp", "")
        signed = b"v0:" + timestamp.encode() + b":" + raw
        expected = f"v0={_hex(app.webhook_secret, signed)}"
        given = request.headers.get("x-zm-signature", "")
        if not hmac.compare_digest(expected, given):
            self._note(app.id, "A webhook had a signature that does not match.")
            return reply(self._free.refused_status, {"detail": "Invalid signature."})
        event = json.loads(raw)
        if event["event"] == "endpoint.url_validation":
            if self._free.keeps_last_validation:
                app.validated_at = self._now()
            plain = event["payload"]["plainToken"]
            encrypted = _hex(app.webhook_secret, plain.encode())
            return reply(200, {"plainToken": plain, "encryptedToken": encrypted})
        self._act_on(app, event)
        return Response(status=self._free.receiver_status)

    def _act_on(self, app: App, event: dict[str, Any]) -> None:
        payload = event["payload"]
        account_id = payload.get("account_id")
        match event["event"]:
            case "meeting.created":
                host = self._existing(app, payload["object"]["host_id"], account_id)
                if host is not None:
                    self._map(payload["object"]["id"], host)
            case "app_deauthorized":
                gone = self._existing(app, payload["user_id"], account_id)
                if gone is not None:
                    gone.is_healthy = False
            case "user.updated" if self._free.is_pmi_mapped:
                user = self._existing(app, payload["object"]["id"], account_id)
                if user is not None and "pmi" in payload["object"]:
                    self._map(int(payload["object"]["pmi"]), user)


def _conflict(user_id: str, account_id: str | None) -> Response:
    whose, named = "user", {"conflicting_zoom_user_id": user_id}
    if account_id is not None:
        whose, named = "account", {"conflicting_zoom_account_id": account_id}
    detail = f"A credential for this Zoom {whose} exists already."
    return reply(400, {"detail": detail, **named})


def _json(request: Request) -> dict[str, Any]:
    found = json.loads(request.get_data() or b"{}")
    return found if isinstance(found, dict) else {}


def _hex(secret: str, signed: bytes) -> str:
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
