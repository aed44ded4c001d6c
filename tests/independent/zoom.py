"""An independent Zoom: consent, tokens, users, meetings, and webhooks with retries."""

import base64
import hashlib
import hmac
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import urlencode

import httpx2
from werkzeug.http import http_date
from werkzeug.wrappers import Request, Response

from tests.independent.freedoms import Freedoms
from tests.independent.site import Now, Site, Words, compact, reply

ACCOUNT = "kQ8_account-of-all-XYZ0"
SIGNED_IN = "zoom_user"
"""The cookie in which a browser says which user is signed in at Zoom."""

_Row = TypeVar("_Row")
_CODE_FOR = timedelta(minutes=5)
_VALIDATES_EVERY = timedelta(hours=72)
_RETRIES = (timedelta(minutes=5), timedelta(minutes=20), timedelta(minutes=60))
_MOST_FAILURES = 6
_TIMEOUT_S = 3.0
_JOIN_TOKEN = "meeting:read:local_recording_token"
SCOPES = (
    _JOIN_TOKEN,
    "meeting:read:list_meetings",
    "meeting:read:meeting",
    "user:read:user",
)
ADMIN_SCOPES = (
    f"{_JOIN_TOKEN}:admin",
    "meeting:read:list_meetings:admin",
    "meeting:read:meeting:admin",
    "user:read:list_users:admin",
)


@dataclass(kw_only=True)
class User:
    id: str
    email: str
    first_name: str
    last_name: str
    pmi: int
    is_admin: bool = False


@dataclass(kw_only=True)
class App:
    """One credential pair of a Zoom app.

    Attributes:
        is_managed: By an admin, for the whole account.
    """

    client_id: str
    client_secret: str
    secret_token: str
    redirect_url: str
    is_published: bool
    is_managed: bool = False
    webhook_url: str | None = None
    is_subscribed: bool = False
    failures: int = 0
    validate_at: datetime | None = None


@dataclass(kw_only=True)
class Grant:
    """One living or ended authorization of a user."""

    client_id: str
    user_id: str
    scopes: tuple[str, ...]
    access: str
    access_ends_at: datetime
    refresh: str
    ended_at: datetime | None = None


@dataclass(kw_only=True)
class Code:
    client_id: str
    user_id: str
    redirect_uri: str
    challenge: str | None
    method: str
    made_at: datetime
    is_used: bool = False


@dataclass(kw_only=True)
class Meeting:
    number: int
    host_id: str
    topic: str


@dataclass(kw_only=True)
class Event:
    """An event on its way to one app's webhook URL.

    Attributes:
        results: The status of each attempt, 0 for none.
    """

    client_id: str
    name: str
    body: bytes
    made_at: datetime
    due_at: datetime
    results: list[int] = field(default_factory=list)
    is_over: bool = False


class Zoom:
    """One Zoom with one account.

    Args:
        now: The clock.
        freedoms: What the contracts leave open.
        seed: Decides the ids and tokens.

    Attributes:
        events: All that was ever sent, or is still to be sent.
    """

    def __init__(self, now: Now, freedoms: Freedoms, *, seed: int = 0) -> None:
        self._now, self._free, self._words = now, freedoms, Words(seed)
        self._lock = threading.RLock()
        self._http = httpx2.Client(timeout=_TIMEOUT_S, follow_redirects=False)
        self.apps: dict[str, App] = {}
        self.users: dict[str, User] = {}
        self.grants: list[Grant] = []
        self.codes: dict[str, Code] = {}
        self.meetings: dict[int, Meeting] = {}
        self.events: list[Event] = []
        self.over_daily_limit = False
        self.forbids_recording: set[str] = set()
        self.site = Site(now=now, answer=self._answer).start()

    def close(self) -> None:
        self.site.close()
        self._http.close()

    # What the app's owner does in the Marketplace.

    def make_app(
        self, redirect_url: str, *, is_published: bool = True, is_managed: bool = False
    ) -> App:
        app = App(
            client_id=self._words.word(22),
            client_secret=self._words.word(32),
            secret_token=self._words.word(22),
            redirect_url=redirect_url,
            is_published=is_published,
            is_managed=is_managed,
        )
        self.apps[app.client_id] = app
        return app

    def rotate_secret_token(self, client_id: str) -> str:
        self.apps[client_id].secret_token = self._words.word(22)
        return self.apps[client_id].secret_token

    def regenerate_client_secret(self, client_id: str) -> str:
        self.apps[client_id].client_secret = self._words.word(32)
        return self.apps[client_id].client_secret

    def validate(self, client_id: str, url: str) -> bool:
        """Press *Validate*, and save the URL if it passed."""
        app = self.apps[client_id]
        passed = self._challenge(app, url)
        if passed:
            app.webhook_url, app.is_subscribed, app.failures = url, True, 0
            app.validate_at = self._now() + _VALIDATES_EVERY
        return passed

    # What users do.

    def add_user(
        self,
        email: str,
        first_name: str,
        last_name: str,
        pmi: int,
        *,
        is_admin: bool = False,
    ) -> User:
        user = User(
            id=f"{self._words.word(20)}-_",
            email=email,
            first_name=first_name,
            last_name=last_name,
            pmi=pmi,
            is_admin=is_admin,
        )
        self.users[user.id] = user
        return user

    def remove_app(self, client_id: str, user_id: str) -> None:
        """Remove the app as its user; Zoom reports it for published apps only."""
        self.end_grant(client_id, user_id)
        app = self.apps[client_id]
        if not app.is_published:
            return
        made_at = self._now()
        milliseconds = round(made_at.timestamp() * 1000)
        payload: dict[str, Any] = {
            "user_id": user_id,
            "account_id": ACCOUNT,
            "client_id": client_id,
            "deauthorization_time": made_at.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "signature": self._words.word(64),
        }
        envelope: dict[str, Any] = {"event": "app_deauthorized", "payload": payload}
        match self._free.removal_ts:
            case "top":
                envelope["event_ts"] = milliseconds
            case "payload":
                payload["event_ts"] = milliseconds
            case "absent":
                pass
        self._emit(app, envelope)

    def end_grant(self, client_id: str, user_id: str) -> None:
        """End the authorization without a word to anybody."""
        for grant in self._living(client_id, user_id):
            grant.ended_at = self._now()

    def lives(self, client_id: str, user_id: str) -> bool:
        return bool(self._living(client_id, user_id))

    def knows(self, client_id: str, user_id: str, refresh: str) -> bool:
        """Whether a refresh token is the one of an authorization that lives."""
        found = self._living(client_id, user_id)
        return any(each.refresh == refresh for each in found)

    def create_meeting(self, user_id: str, topic: str = "Weekly 🚒 call") -> Meeting:
        meeting = Meeting(number=self._words.number(11), host_id=user_id, topic=topic)
        self.meetings[meeting.number] = meeting
        user = self.users[user_id]
        self._tell_of(
            user_id,
            "meeting.created",
            {
                "account_id": ACCOUNT,
                "operator": user.email,
                "operator_id": user_id,
                "object": {
                    "uuid": self._words.word(22) + "==",
                    "id": meeting.number,
                    "host_id": user_id,
                    "topic": topic,
                    "type": 2,
                    "start_time": self._now().strftime("%Y-%m-%dT%H:%M:%SZ"),
                    "duration": 60,
                    "timezone": "UTC",
                    "join_url": f"https://us02web.zoom.us/j/{meeting.number}?pwd=x1",
                    "password": "x1",
                    "pmi": str(user.pmi),
                },
            },
        )
        return meeting

    def delete_meeting(self, number: int) -> None:
        del self.meetings[number]

    def change_pmi(self, user_id: str, pmi: int) -> None:
        before, self.users[user_id].pmi = self.users[user_id].pmi, pmi
        self._tell_of_change(user_id, {"pmi": pmi}, {"pmi": before})

    def change_email(self, user_id: str, email: str) -> None:
        before, self.users[user_id].email = self.users[user_id].email, email
        self._tell_of_change(user_id, {"email": email}, {"email": before})

    def _tell_of_change(
        self, user_id: str, new: dict[str, Any], old: dict[str, Any]
    ) -> None:
        payload: dict[str, Any] = {
            "account_id": ACCOUNT,
            "operator": self.users[user_id].email,
            "operator_id": user_id,
            "object": {"id": user_id, **new},
            "time_stamp": round(self._now().timestamp() * 1000),
        }
        if self._free.old_object:
            payload["old_object"] = {"id": user_id, **old}
        self._tell_of(user_id, "user.updated", payload)

    # What Zoom does on its own.

    def send_due(self) -> int:
        """Send every event that is due, and validate URLs; return how many requests."""
        sent = 0
        for app in list(self.apps.values()):
            due = app.validate_at is not None and app.validate_at <= self._now()
            if due and app.webhook_url is not None and app.failures < _MOST_FAILURES:
                sent += 1
                self._validate_again(app, app.webhook_url)
        for event in [each for each in self.events if not each.is_over]:
            while not event.is_over and event.due_at <= self._now():
                sent += 1
                self._send(event)
        return sent

    def _validate_again(self, app: App, url: str) -> None:
        app.validate_at = self._now() + _VALIDATES_EVERY
        app.failures = 0 if self._challenge(app, url) else app.failures + 1
        app.is_subscribed = app.failures < _MOST_FAILURES

    def _challenge(self, app: App, url: str) -> bool:
        plain = self._words.word(22)
        body = {
            "event": "endpoint.url_validation",
            "event_ts": round(self._now().timestamp() * 1000),
            "payload": {"plainToken": plain},
        }
        answer = self._post(app, url, compact(body), self._now())
        if answer is None or answer.status_code != 200:
            return False
        try:
            said = answer.json()
        except ValueError:
            return False
        expected = _hex(app.secret_token, plain)
        return bool(said == {"plainToken": plain, "encryptedToken": expected})

    def _send(self, event: Event) -> None:
        app = self.apps[event.client_id]
        if app.webhook_url is None or not app.is_subscribed:
            event.is_over = True
            return
        signed_at = event.made_at if self._free.retry_keeps_time else self._now()
        answer = self._post(app, app.webhook_url, event.body, signed_at)
        status = 0 if answer is None else answer.status_code
        event.results.append(status)
        tries = len(event.results)
        is_final = 200 <= status < 500  # neither 3xx nor 4xx is ever retried
        if is_final or tries > len(_RETRIES):
            event.is_over = True
        else:
            event.due_at += _RETRIES[tries - 1]

    def _post(
        self, app: App, url: str, body: bytes, at: datetime
    ) -> httpx2.Response | None:
        timestamp = str(int(at.timestamp()))
        signature = _hex(app.secret_token, b"v0:%b:%b" % (timestamp.encode(), body))
        headers = {
            self._free.tracking_header: f"v=2.0;rid=WEB_{self._words.word(32)}",
            "x-zm-signature": f"v0={signature}",
            "x-zm-request-timestamp": timestamp,
            "user-agent": "Zoom Marketplace/1.0a",
            "content-type": "application/json; charset=utf-8",
        }
        if self._free.sends_client_id:
            headers["clientid"] = app.client_id
        try:
            return self._http.post(url, content=body, headers=headers)
        except httpx2.TransportError:
            return None

    def _tell_of(self, user_id: str, name: str, payload: dict[str, Any]) -> None:
        milliseconds = round(self._now().timestamp() * 1000)
        for app in self.apps.values():
            granted = [each for each in self.grants if each.client_id == app.client_id]
            is_granted = any(each.ended_at is None for each in granted)
            if is_granted if app.is_managed else self.lives(app.client_id, user_id):
                body = {"event": name, "event_ts": milliseconds, "payload": payload}
                self._emit(app, body)

    def _emit(self, app: App, envelope: dict[str, Any]) -> None:
        if app.webhook_url is None or not app.is_subscribed:
            return
        event = Event(
            client_id=app.client_id,
            name=str(envelope["event"]),
            body=compact(envelope),
            made_at=self._now(),
            due_at=self._now(),
        )
        self.events.append(event)

    # HTTP.

    def _answer(self, request: Request) -> Response:
        with self._lock:
            response = self._route(request)
        response.headers["x-zm-trackingid"] = f"WEB_{self._words.word(24)}"
        return response

    def _route(self, request: Request) -> Response:
        routes: dict[tuple[str, str], Callable[[Request], Response]] = {
            ("GET", "/oauth/authorize"): self._authorize,
            ("POST", "/oauth/token"): self._token,
            ("POST", "/oauth/revoke"): self._revoke,
        }
        found = routes.get((request.method, request.path))
        if found is not None:
            return found(request)
        if request.method == "GET" and request.path.startswith("/v2/"):
            return self._api(request, request.path.removeprefix("/v2/").split("/"))
        return reply(
            404, {"code": 2300, "message": "This API endpoint is not recognized."}
        )

    def _authorize(self, request: Request) -> Response:
        """Allow at once, as the user whose cookie came."""
        asked = request.args
        app = self.apps.get(asked.get("client_id", ""))
        if app is None:
            return _page_error(4702, "Invalid client_id")
        if asked.get("redirect_uri") != app.redirect_url:
            return _page_error(4700, "Invalid redirect url")
        user = self.users.get(request.cookies.get(SIGNED_IN, ""))
        if user is None or asked.get("response_type") != "code":
            return Response("Sign in", 200, content_type="text/html")
        if app.is_managed and not user.is_admin:
            words = "Ask the admin of your account to add this app."
            return Response(words, 200, content_type="text/html")
        text = self._words.word(40)
        self.codes[text] = Code(
            client_id=app.client_id,
            user_id=user.id,
            redirect_uri=app.redirect_url,
            challenge=asked.get("code_challenge"),
            method=asked.get("code_challenge_method", "plain"),
            made_at=self._now(),
        )
        query = {"code": text} | ({"state": asked["state"]} if "state" in asked else {})
        where = f"{app.redirect_url}?{urlencode(query)}"
        return Response(status=302, headers={"location": where})

    def _token(self, request: Request) -> Response:
        app = self._client(request)
        if app is None:
            return reply(
                self._free.invalid_client_status,
                {
                    "reason": "Invalid client_id or client_secret",
                    "error": "invalid_client",
                },
            )
        match request.form.get("grant_type"):
            case "authorization_code":
                return self._exchange(app, request)
            case "refresh_token":
                return self._refresh(app, request.form.get("refresh_token", ""))
            case "client_credentials" if self._free.app_token:
                body = {"access_token": self._words.word(48), "token_type": "bearer"}
                return reply(200, body | {"expires_in": self._free.expires_in})
            case _:
                return reply(
                    400,
                    {
                        "reason": "unsupported grant type",
                        "error": "unsupported_grant_type",
                    },
                )

    def _client(self, request: Request) -> App | None:
        given = request.authorization
        if given is None or given.type != "basic":
            return None
        app = self.apps.get(given.username or "")
        if app is None:
            return None
        is_right = hmac.compare_digest(app.client_secret, given.password or "")
        return app if is_right else None

    def _exchange(self, app: App, request: Request) -> Response:
        form = request.form
        code = self.codes.get(form.get("code", ""))
        bad = reply(
            400,
            {
                "reason": "Invalid authorization code",
                "error": self._free.bad_code_error,
            },
        )
        if code is None or code.is_used or code.client_id != app.client_id:
            return bad
        if self._now() - code.made_at > _CODE_FOR:
            return bad
        if form.get("redirect_uri") != code.redirect_uri:
            return reply(
                400, {"reason": "Redirect uri mismatch", "error": "invalid_request"}
            )
        if code.challenge is not None and not _proves(
            code, form.get("code_verifier", "")
        ):
            return bad
        code.is_used = True
        self.end_grant(app.client_id, code.user_id)
        grant = Grant(
            client_id=app.client_id,
            user_id=code.user_id,
            scopes=ADMIN_SCOPES if app.is_managed else SCOPES,
            access="",
            access_ends_at=self._now(),
            refresh="",
        )
        self.grants.append(grant)
        return self._issue(grant)

    def _refresh(self, app: App, refresh: str) -> Response:
        for grant in self.grants:
            is_known = grant.client_id == app.client_id and grant.refresh == refresh
            if is_known and grant.ended_at is None:
                return self._issue(grant)
        error = self._free.dead_grant_error
        return reply(400, {"reason": "Invalid Token!", "error": error})

    def _issue(self, grant: Grant) -> Response:
        grant.access, grant.refresh = self._access(grant), self._words.word(180)
        lasts = timedelta(seconds=self._free.expires_in)
        grant.access_ends_at = self._now() + lasts
        body: dict[str, Any] = {
            "access_token": grant.access,
            "token_type": "bearer",
            "refresh_token": grant.refresh,
            "expires_in": self._free.expires_in,
            "scope": " ".join(reversed(grant.scopes)),
        }
        if self._free.api_url:
            body["api_url"] = self.site.url
        return reply(200, body)

    def _access(self, grant: Grant) -> str:
        """Return a new access token: opaque, or a JWT with whose it is."""
        if not self._free.has_claims:
            return self._words.word(180)
        claims = compact({"aid": ACCOUNT, "uid": grant.user_id})
        middle = base64.urlsafe_b64encode(claims).rstrip(b"=").decode()
        return f"{self._words.word(20)}.{middle}.{self._words.word(80)}"

    def _revoke(self, request: Request) -> Response:
        app = self._client(request)
        if app is None:
            status = self._free.invalid_client_status
            return reply(
                status, {"reason": "Invalid client", "error": "invalid_client"}
            )
        for grant in self.grants:
            if grant.access == request.form.get("token") and grant.ended_at is None:
                grant.ended_at = self._now()
        return reply(200, {"status": "success"})

    def _api(self, request: Request, path: list[str]) -> Response:
        if self.over_daily_limit:
            midnight = (self._now() + timedelta(days=1)).replace(hour=0, minute=0)
            message = "You have reached the maximum daily rate limit for this API."
            headers = {
                "X_RateLimit_Type": "Daily-limit",
                "Retry_After": midnight.strftime("%Y-%m-%dT%H:%M:00Z"),
                "Date": http_date(self._now()),
            }
            return reply(429, {"code": 429, "message": message}, **headers)
        grant = self._bearer(request)
        if grant is None:
            return reply(401, {"code": 124, "message": "Invalid access token."})
        match path:
            case ["users"]:
                return self._list_users(request, grant)
            case ["users", whose, *what]:
                return self._about_user(request, grant, whose, what)
            case ["meetings", number, "jointoken", "local_recording"]:
                return self._join_token(number, grant)
            case ["meetings", number]:
                meeting = self._seen(number, grant)
                if meeting is None:
                    return _no_meeting(number)
                return reply(200, {"id": meeting.number, "host_id": meeting.host_id})
            case _:
                return reply(404, {"code": 2300, "message": "Not recognized."})

    def _about_user(
        self, request: Request, grant: Grant, whose: str, what: list[str]
    ) -> Response:
        is_managed = self.apps[grant.client_id].is_managed
        user_id = grant.user_id if whose == "me" else whose
        seen = {each.id: each for each in self._reach(grant)}
        if user_id not in seen:
            return reply(404, {"code": 1001, "message": "User does not exist."})
        match what:
            case [] if is_managed and not self._free.admin_has_profile:
                return self._scoped(grant, "user:read:user:admin")
            case []:
                profile = self._profile(seen[user_id], is_managed=is_managed)
                return reply(200, profile)
            case ["meetings"]:
                return self._meetings_of(request, seen[user_id])
            case ["zak"]:
                return self._scoped(grant, "user:read:zak")
            case ["token"]:
                return self._scoped(grant, "user:read:token")
            case _:
                return reply(404, {"code": 2300, "message": "Not recognized."})

    def _list_users(self, request: Request, grant: Grant) -> Response:
        if "user:read:list_users:admin" not in grant.scopes:
            return self._scoped(grant, "user:read:list_users:admin")
        shown, more = _page(request, list(self.users.values()))
        users = [self._profile(each) for each in shown]
        return reply(200, {"users": users, "next_page_token": more})

    def _profile(self, user: User, *, is_managed: bool = False) -> dict[str, Any]:
        pmi: int | str = str(user.pmi) if self._free.pmi_as_text else user.pmi
        body: dict[str, Any] = {
            "id": user.id,
            "email": user.email,
            "first_name": user.first_name,
            "last_name": user.last_name,
            "pmi": pmi,
            "type": 2,
        }
        if self._free.me_has_account or is_managed:
            body["account_id"] = ACCOUNT
        return body

    def _meetings_of(self, request: Request, user: User) -> Response:
        own = [each for each in self.meetings.values() if each.host_id == user.id]
        shown, more = _page(request, own)
        meetings = [{"id": each.number, "topic": each.topic} for each in shown]
        return reply(200, {"meetings": meetings, "next_page_token": more})

    def _scoped(self, grant: Grant, scope: str) -> Response:
        if scope in grant.scopes:
            return reply(200, {"token": self._words.word(60)})
        code = self._free.missing_scope_code
        named = "" if code == 4700 else f":[{scope}]"
        message = f"Invalid access token, does not contain scopes{named}."
        return reply(400, {"code": code, "message": message})

    def _join_token(self, number: str, grant: Grant) -> Response:
        personal = [each.id for each in self._reach(grant) if str(each.pmi) == number]
        meeting = self._seen(number, grant)
        hosts = personal if meeting is None else [meeting.host_id]
        if not hosts:
            return _no_meeting(number)
        if hosts[0] in self.forbids_recording:
            message = "Local recording is disabled for this host."
            return reply(400, {"code": 3000, "message": message})
        return reply(200, {"token": self._words.word(90), "expire_in": 120})

    def _reach(self, grant: Grant) -> list[User]:
        """Return whose meetings a token may see."""
        if self.apps[grant.client_id].is_managed:
            return list(self.users.values())
        return [self.users[grant.user_id]]

    def _seen(self, number: str, grant: Grant) -> Meeting | None:
        meeting = self.meetings.get(int(number)) if number.isdigit() else None
        hosts = {each.id for each in self._reach(grant)}
        return meeting if meeting is not None and meeting.host_id in hosts else None

    def _bearer(self, request: Request) -> Grant | None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            return None
        for grant in self.grants:
            is_his = grant.access == token and grant.ended_at is None
            if is_his and grant.access_ends_at > self._now():
                return grant
        return None

    def _living(self, client_id: str, user_id: str) -> list[Grant]:
        return [
            each
            for each in self.grants
            if each.ended_at is None
            and (each.client_id, each.user_id) == (client_id, user_id)
        ]


def _page(request: Request, rows: list[_Row]) -> tuple[list[_Row], str]:
    """Return a page of them, and the token of the next."""
    size = min(int(request.args.get("page_size", "30")), 300)
    start = int(request.args.get("next_page_token") or "0")
    more = str(start + size) if start + size < len(rows) else ""
    return rows[start : start + size], more


def _proves(code: Code, verifier: str) -> bool:
    if not 43 <= len(verifier) <= 128:
        return False
    if code.method == "plain":
        return verifier == code.challenge
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == code.challenge


def _hex(secret: str, signed: str | bytes) -> str:
    raw = signed.encode() if isinstance(signed, str) else signed
    return hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()


def _no_meeting(number: str) -> Response:
    return reply(404, {"code": 3001, "message": f"Meeting does not exist: {number}."})


def _page_error(code: int, message: str) -> Response:
    body = {"status": False, "errorCode": code, "errorMessage": message, "result": None}
    return reply(400, body)
