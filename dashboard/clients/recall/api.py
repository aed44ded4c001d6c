"""Recall's API for Zoom OAuth, and a test of its webhook endpoint.

Numbers in brackets are sections of docs/contracts/recall.md. Source: 3, checked
2026-11-23; 3.6 and 3.7 checked 2026-11-25.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from itertools import pairwise
from typing import TypeVar
from uuid import UUID

import httpx2
from pydantic import BaseModel, ConfigDict, SecretStr

from dashboard.clients.http.client import HARMLESS, make_http, send
from dashboard.clients.recall.calls import Gate, RecallCalls
from dashboard.clients.recall.operations import Operation
from dashboard.clients.recall.replies import (
    AccessToken,
    CredentialStatus,
    Mapping,
    Page,
    RecallApp,
    RecallAppSecrets,
    RecallBot,
    RecallCredential,
    RecallLog,
    Stretch,
)

REGIONS: dict[str, str] = {
    "us-west-2": "https://us-west-2.recall.ai",
    "us-east-1": "https://us-east-1.recall.ai",
    "eu-central-1": "https://eu-central-1.recall.ai",
    "ap-northeast-1": "https://ap-northeast-1.recall.ai",
}
"""Region to base URL. Keys and ids are local to a region.

Source: docs/contracts/recall.md 1.1.
"""

REGION_LABELS: dict[str, str] = {
    "us-west-2": "US, pay as you go (us-west-2)",
    "us-east-1": "US, monthly plan (us-east-1)",
    "eu-central-1": "Europe, Frankfurt (eu-central-1)",
    "ap-northeast-1": "Japan, Tokyo (ap-northeast-1)",
}

_BOTS = "/api/v1/bot/"
_BOT_PAGES = 3
_APPS = "/api/v2/zoom-oauth-apps/"
_CREDENTIALS = "/api/v2/zoom-oauth-credentials/"
_APP_LOGS = "/api/v2/zoom-oauth-app-logs/"
_CREDENTIAL_LOGS = "/api/v2/zoom-oauth-credential-logs/"
_MAPPINGS = "/api/v2/zoom-meetings-to-credentials/"
_TIMEOUT_S = 5.0

T = TypeVar("T")


_SHORTEST_KEY = 8


def webhook_url(base_url: str, recall_app_id: UUID) -> str:
    """Return Recall's URL for an app's webhooks; no trailing slash (3.8)."""
    return f"{base_url.rstrip('/')}{_APPS}{recall_app_id}/webhook"


class Recall:
    """Calls Recall with one workspace's API key.

    Safe to use from many threads; many may share one `http`. Every method raises
    UpstreamError: 401 is a wrong key or region, 404 an ID of another workspace. Methods
    that change something take an idempotency key where Recall does: repeat a call with
    a lost answer with the same key, within the hour (1.8).
    """

    def __init__(
        self,
        base_url: str,
        api_key: SecretStr,
        *,
        http: httpx2.Client | None = None,
        gate: Gate | None = None,
    ) -> None:
        """Prepare calls for one workspace; the caller closes a client that it passes.

        Args:
            base_url: One of `REGIONS`, or a simulator's.
            api_key: Of that region.
            http: From `make_http`; created here when left out.
            gate: Counts the requests and may refuse one; none when left out.
        """
        self._calls = RecallCalls(base_url, api_key, http, gate)

    def close(self) -> None:
        """Close the connections, unless the caller passed them."""
        self._calls.close()

    def list_apps(self, *, client_id: str | None = None) -> Stretch[RecallApp]:
        """Return the workspace's apps, newest first, as far as they were read."""
        found, is_whole = self._calls.listed(
            Operation.APPS_LIST, _APPS, Page[RecallApp], {"client_id": client_id}
        )
        # Recall ignores a filter that it does not know.
        some = [app for app in found if client_id in (None, app.client_id)]
        return Stretch(results=some, is_whole=is_whole)

    def create_app(
        self,
        *,
        kind: str,
        client_id: str,
        client_secret: SecretStr,
        webhook_secret: SecretStr,
        idempotency_key: str,
    ) -> RecallApp:
        """Create a Zoom app in Recall, which does not check it at Zoom (3.1).

        Args:
            kind: "user_level" or "account_level"; it and `client_id` can't be changed.
            client_id: Zoom's.
            client_secret: Zoom's; at most 200 characters, as `webhook_secret`.
            webhook_secret: Zoom's secret token.
            idempotency_key: Stored before the call. Recall may have two apps with one
                client ID, so a lost answer is resolved by `list_apps`.
        """
        body = {
            "kind": kind,
            "client_id": client_id,
            "client_secret": client_secret.get_secret_value(),
            "webhook_secret": webhook_secret.get_secret_value(),
        }
        return self._calls.write(
            Operation.APPS_CREATE,
            "POST",
            _APPS,
            RecallApp,
            body=body,
            secrets=[client_secret, webhook_secret],
            idempotency_key=idempotency_key,
        )

    def get_app(self, app_id: UUID) -> RecallApp:
        """Return one app."""
        return self._calls.get(Operation.APPS_RETRIEVE, f"{_APPS}{app_id}/", RecallApp)

    def get_app_secrets(self, app_id: UUID) -> RecallAppSecrets:
        """Return one app with its secrets, if Recall shows them (3.1)."""
        return self._calls.get(
            Operation.APPS_RETRIEVE, f"{_APPS}{app_id}/", RecallAppSecrets
        )

    def update_app(
        self,
        app_id: UUID,
        *,
        client_secret: SecretStr | None = None,
        webhook_secret: SecretStr | None = None,
    ) -> RecallApp:
        """Replace either secret; may be repeated. Nothing else can be changed (3.4)."""
        given = {"client_secret": client_secret, "webhook_secret": webhook_secret}
        secrets = {name: value for name, value in given.items() if value is not None}
        body = {name: value.get_secret_value() for name, value in secrets.items()}
        return self._calls.write(
            Operation.APPS_UPDATE,
            "PATCH",
            f"{_APPS}{app_id}/",
            RecallApp,
            body=body,
            secrets=list(secrets.values()),
        )

    def create_credential(
        self,
        *,
        oauth_app: UUID,
        code: SecretStr,
        redirect_uri: str,
        code_verifier: SecretStr | None,
        idempotency_key: str,
    ) -> RecallCredential:
        """Hand Zoom's code to Recall, which exchanges it and stores the grant (3.5).

        The same user again returns the same credential (200 or 201), or in an older
        Recall a 400 whose `conflicting_id` names the Zoom user or account. The code is
        used up then, and a new consent is needed.

        Args:
            oauth_app: Recall's ID of the app.
            code: From Zoom; works once, for five minutes.
            redirect_uri: Exactly as in the authorize link.
            code_verifier: Of the link's challenge; None if it had none.
            idempotency_key: Derived from the code, so a repeat gets the same answer.
        """
        authorization = {"code": code.get_secret_value(), "redirect_uri": redirect_uri}
        secrets = [code]
        if code_verifier is not None:
            authorization["code_verifier"] = code_verifier.get_secret_value()
            secrets.append(code_verifier)
        body = {"oauth_app": str(oauth_app), "authorization_code": authorization}
        return self._calls.write(
            Operation.CREDENTIALS_CREATE,
            "POST",
            _CREDENTIALS,
            RecallCredential,
            body=body,
            secrets=secrets,
            idempotency_key=idempotency_key,
        )

    def create_held_credential(
        self,
        *,
        oauth_app: UUID,
        token_url: SecretStr,
        idempotency_key: str,
        user: str = "",
    ) -> RecallCredential:
        """Have Recall fetch a user's tokens at this address (5).

        Recall calls that address before it answers, so the token must be stored first.
        For an earlier credential of the same user see `create_credential`.

        Args:
            oauth_app: Recall's ID of the app.
            token_url: At most 200 characters; contains the key.
            idempotency_key: Of this address.
            user: The part of the address that names the user. It is no secret: Recall
                may name the same user in a conflict.
        """
        body = {
            "oauth_app": str(oauth_app),
            "access_token_callback_url": token_url.get_secret_value(),
        }
        return self._calls.write(
            Operation.CREDENTIALS_CREATE,
            "POST",
            _CREDENTIALS,
            RecallCredential,
            body=body,
            secrets=[token_url, *_secret_parts(token_url, user)],
            idempotency_key=idempotency_key,
        )

    def list_credentials(
        self,
        *,
        oauth_app: UUID | None = None,
        user_id: str | None = None,
        account_id: str | None = None,
        status: str | None = None,
    ) -> Stretch[RecallCredential]:
        """Return the matching credentials, newest first, as far as they were read.

        Args:
            oauth_app: Recall's ID of the app.
            user_id: Zoom's.
            account_id: Zoom's.
            status: "healthy" or "unhealthy".
        """
        filters = {
            "oauth_app": None if oauth_app is None else str(oauth_app),
            "user_id": user_id,
            "account_id": account_id,
            "status": status,
        }
        found, is_whole = self._calls.listed(
            Operation.CREDENTIALS_LIST, _CREDENTIALS, Page[RecallCredential], filters
        )
        # Checked again here: an ignored filter would return other users' credentials.
        some = [
            one
            for one in found
            if oauth_app in (None, one.oauth_app)
            and user_id in (None, one.user_id)
            and account_id in (None, one.account_id)
            and status in (None, one.status)
        ]
        return Stretch(results=some, is_whole=is_whole)

    def get_credential(self, credential_id: UUID) -> RecallCredential:
        """Return one credential."""
        return self._calls.get(
            Operation.CREDENTIALS_RETRIEVE,
            f"{_CREDENTIALS}{credential_id}/",
            RecallCredential,
        )

    def delete_credential(self, credential_id: UUID) -> None:
        """Delete Recall's record; the user still has the app in Zoom (3.5)."""
        path = f"{_CREDENTIALS}{credential_id}/"
        self._calls.do(Operation.CREDENTIALS_DESTROY, "DELETE", path)

    def access_token(self, credential_id: UUID) -> AccessToken:
        """Return a Zoom access token of a credential managed by Recall."""
        return self._calls.get(
            Operation.CREDENTIALS_ACCESS_TOKEN,
            f"{_CREDENTIALS}{credential_id}/access-token/",
            AccessToken,
        )

    def validate(self, credential_id: UUID) -> None:
        """Have Recall try the credential; `get_credential` returns the result."""
        path = f"{_CREDENTIALS}{credential_id}/validate/"
        self._calls.do(Operation.CREDENTIALS_VALIDATE, "POST", path)

    def sync_meetings(self, credential_id: UUID) -> None:
        """Start a resync of meetings; Recall says it is for debugging only (3.5)."""
        path = f"{_CREDENTIALS}{credential_id}/sync-meetings/"
        self._calls.do(Operation.CREDENTIALS_SYNC_MEETINGS, "POST", path)

    def check_key(self) -> None:
        """Make a read-only call: return if Recall accepts the key, raise otherwise."""
        # The one list without secrets or people.
        self._calls.get(Operation.LOGS_APPS, _APP_LOGS, Page[RecallLog])

    def app_logs(self, oauth_app: UUID) -> Stretch[RecallLog]:
        """Return the newest entries of an app's log: a page of them, or all."""
        pages = self._calls.pages(
            Operation.LOGS_APPS,
            _APP_LOGS,
            Page[RecallLog],
            {"oauth_app": str(oauth_app)},
        )
        return _newest(pages, at=_logged_at)

    def credential_logs(self, credential: UUID) -> Stretch[RecallLog]:
        """Return the newest entries of a credential's log: a page of them, or all."""
        pages = self._calls.pages(
            Operation.LOGS_CREDENTIALS,
            _CREDENTIAL_LOGS,
            Page[RecallLog],
            {"credential": str(credential)},
        )
        return _newest(pages, at=_logged_at)

    def mappings(
        self,
        *,
        credential: UUID | None = None,
        meeting_id: int | None = None,
        limit: int = 100,
    ) -> Stretch[Mapping]:
        """Return which credential is mapped to which meeting: the newest `limit`."""
        filters = {
            "credential": None if credential is None else str(credential),
            "meeting_id": None if meeting_id is None else str(meeting_id),
        }

        def is_wanted(one: Mapping) -> bool:
            return credential in (None, one.credential) and meeting_id in (
                None,
                one.meeting_id,
            )

        pages = self._calls.pages(
            Operation.LOGS_MAPPINGS, _MAPPINGS, Page[Mapping], filters
        )
        return _newest(pages, at=_synced_at, limit=limit, is_wanted=is_wanted)

    def mappings_synced(
        self, *, after: datetime, before: datetime | None = None, pages: int = 10
    ) -> Stretch[Mapping]:
        """Return what was mapped in a span of time, for all credentials at once.

        Args:
            after: Aware, inclusive.
            before: Aware, inclusive; None is now.
            pages: Read at most; each is a request.
        """
        filters = {
            "synced_at_after": after.isoformat(),
            "synced_at_before": None if before is None else before.isoformat(),
        }
        found: list[Mapping] = []
        page: Page[Mapping] | None = None
        for page in self._calls.pages(
            Operation.LOGS_MAPPINGS, _MAPPINGS, Page[Mapping], filters, most=pages
        ):
            fitting = [one for one in page.results if one.synced_at >= after]
            found += fitting
            is_ignored = len(fitting) < len(page.results)
            if is_ignored and _is_newest_first(page.results, _synced_at):
                return Stretch(results=found, is_whole=True)  # the others are older
        return Stretch(results=found, is_whole=page is None or page.next is None)

    def unhealthy_credentials(self, oauth_app: UUID) -> Stretch[RecallCredential]:
        """Return an app's credentials that Recall calls unhealthy; 20 pages at most."""
        filters = {"oauth_app": str(oauth_app), "status": CredentialStatus.UNHEALTHY}
        found: list[RecallCredential] = []
        page: Page[RecallCredential] | None = None
        for page in self._calls.pages(
            Operation.CREDENTIALS_LIST, _CREDENTIALS, Page[RecallCredential], filters
        ):
            found += page.results
        # Checked again here, in case Recall ignores the filter.
        unhealthy = [
            one
            for one in found
            if one.oauth_app == oauth_app and one.status is CredentialStatus.UNHEALTHY
        ]
        is_whole = page is None or page.next is None
        return Stretch(results=unhealthy, is_whole=is_whole)

    def create_bot(
        self, meeting_url: str, *, name: str, idempotency_key: str
    ) -> RecallBot:
        """Send a bot to a meeting, now (3.9); it costs what Recall bills for it.

        Args:
            meeting_url: Zoom's link; may hold the passcode.
            name: As participants see it, at most 100 characters.
            idempotency_key: Stored before the call: a repeat sends no second bot.

        Raises:
            UpstreamError: Status 507 when no bot is free.
        """
        return self._calls.write(
            Operation.BOTS_CREATE,
            "POST",
            _BOTS,
            RecallBot,
            body={"meeting_url": meeting_url, "bot_name": name},
            secrets=[SecretStr(meeting_url)],
            idempotency_key=idempotency_key,
        )

    def get_bot(self, bot_id: UUID) -> RecallBot:
        """Return one bot (3.9)."""
        return self._calls.get(Operation.BOTS_RETRIEVE, f"{_BOTS}{bot_id}/", RecallBot)

    def latest_bots(self) -> Stretch[RecallBot]:
        """Return the workspace's newest bots at Zoom, newest first (3.9).

        Recall's filter by link takes a whole link, with its passcode, so bots of one
        meeting are to be picked from these.
        """
        found: list[RecallBot] = []
        page: Page[RecallBot] | None = None
        for page in self._calls.pages(
            Operation.BOTS_LIST,
            _BOTS,
            Page[RecallBot],
            {"platform": "zoom"},
            most=_BOT_PAGES,
        ):
            found += page.results
        return Stretch(
            results=sorted(found, key=_began_at, reverse=True),
            is_whole=page is None or page.next is None,
            has_newest=_is_newest_first(found, _began_at),
        )


def _secret_parts(token_url: SecretStr, user: str) -> Sequence[SecretStr]:
    """Return what could be a key in the address, which Recall may echo alone."""
    text = token_url.get_secret_value()
    url = httpx2.URL(text)
    parts = [
        *(value for _, value in url.params.multi_items()),
        *url.path.split("/"),
        url.password,
        text[-43:],
    ]
    return [
        SecretStr(part) for part in parts if len(part) >= _SHORTEST_KEY and part != user
    ]


def _synced_at(one: Mapping) -> datetime:
    return one.synced_at


def _began_at(one: RecallBot) -> datetime:
    return one.began_at


def _logged_at(one: RecallLog) -> datetime:
    return one.created_at


def _newest(
    pages: Iterable[Page[T]],
    *,
    at: Callable[[T], datetime],
    limit: int = 1,
    is_wanted: Callable[[T], bool] = lambda _: True,
) -> Stretch[T]:
    """Read a list until it is known to have the newest `limit` items, or to its end.

    The order of Recall's lists is not documented (1.4), so it is taken from the items.

    Args:
        pages: Read one after the other; each is a request.
        at: The instant that the list may be ordered by.
        limit: Of more, all that were read are returned, of a whole list too.
        is_wanted: Checked here too, in case Recall ignores the filter.
    """
    found: list[T] = []
    page: Page[T] | None = None
    is_ordered = False
    for page in pages:
        found += filter(is_wanted, page.results)
        is_ordered = _is_newest_first(found, at)
        if is_ordered and len(found) >= limit:
            break
    is_whole = page is None or page.next is None
    return Stretch(
        results=sorted(found, key=at, reverse=True),
        is_whole=is_whole,
        has_newest=is_whole or is_ordered,
    )


def _is_newest_first(items: Sequence[T], at: Callable[[T], datetime]) -> bool:
    """Whether the order of these can only be newest first."""
    times = [at(one) for one in items]
    is_falling = all(one >= following for one, following in pairwise(times))
    return is_falling and len(times) > 1 and times[0] > times[-1]


class ChallengeAnswer(BaseModel):
    """The two keys Zoom asks for (docs/contracts/zoom.md 5.5, checked 2026-11-23)."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    plainToken: str  # noqa: N815 - Zoom's own spelling
    encryptedToken: str  # noqa: N815 - as above


def challenge(
    base_url: str, recall_app_id: UUID, *, body: bytes, timestamp: str, signature: str
) -> ChallengeAnswer:
    """Post a signed `endpoint.url_validation` to Recall's webhook URL of an app.

    What Recall answers is not published; Zoom needs these two keys within 3 s, so
    whatever passes for Zoom passes here (docs/contracts/recall.md 3.8, checked
    2026-11-23).

    Args:
        base_url: Recall's host of the workspace.
        recall_app_id: Recall's id of the app.
        body: Raw request bytes, as signed.
        timestamp: Whole seconds since the epoch, as signed.
        signature: `v0=` and 64 hex digits.

    Raises:
        UpstreamError: No answer, a refusal, or another shape.
    """
    with make_http(base_url, timeout_s=_TIMEOUT_S) as http:
        request = http.build_request(
            "POST",
            webhook_url(base_url, recall_app_id),
            content=body,
            headers={
                "Content-Type": "application/json; charset=utf-8",
                "x-zm-request-timestamp": timestamp,
                "x-zm-signature": signature,
            },
            extensions={HARMLESS: True},
        )
        return send(http, request, service="Recall", as_=ChallengeAnswer)
