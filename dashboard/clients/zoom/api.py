"""Zoom's REST API, as far as the integration needs it (docs/contracts/zoom.md 4)."""

import re
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import urlencode

import httpx2
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    model_validator,
)

from dashboard.clients.http.client import send
from dashboard.clients.zoom.hosts import ZoomHost

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]+")
_BETWEEN_DIGITS = re.compile(r"(?<=[0-9])[ -]+(?=[0-9])")
_NUMBER = re.compile(r"[0-9]{1,18}")
_LONGEST_NAME = 200
_LONGEST_EMAIL = 254
_LONGEST_ID = 64
_LONGEST_STATUS = 20
_PAGE_OF_USERS = 300  # Zoom's largest


def _clean(value: object) -> str:
    """Return a text that any database takes, "" for what is no text."""
    return _UNPRINTABLE.sub(" ", value).strip() if isinstance(value, str) else ""


def _name(value: object) -> str:
    return _clean(value)[:_LONGEST_NAME]


def _email(value: object) -> str:
    """Return it in lower case: Zoom spells it as it was typed, and so do people."""
    text = _clean(value).lower()
    return text if len(text) <= _LONGEST_EMAIL else ""


def _status(value: object) -> str:
    return _clean(value)[:_LONGEST_STATUS]


def _id(value: object) -> str | None:
    text = _clean(value)
    return text if 0 < len(text) <= _LONGEST_ID else None


def _pmi(value: object) -> int | None:
    """Return a PMI: a number now, a text in older specifications (4.1)."""
    text = _BETWEEN_DIGITS.sub("", str(value).strip())
    if isinstance(value, bool) or _NUMBER.fullmatch(text) is None:
        return None
    return int(text) or None


class ZoomUser(BaseModel):
    """The owner of a token, from `GET /v2/users/me`.

    Every field but `id` may be absent or odd (docs/contracts/zoom.md 4.1, checked
    2026-11-23).

    Attributes:
        id: Zoom's user id, at most 64 characters.
        email: In lower case; "" if Zoom did not say.
        display_name: Made from first and last name when absent; "" if all are.
        pmi: Personal meeting id, up to 11 digits.
        has_no_pmi: Whether Zoom said that there is none: 0 or -1.
        status: Zoom's word, at most 20 characters: "active"; "" if it did not say.
    """

    model_config = ConfigDict(
        frozen=True, extra="ignore", hide_input_in_errors=True, populate_by_name=True
    )

    id: str = Field(min_length=1, max_length=_LONGEST_ID)
    account_id: Annotated[str | None, BeforeValidator(_id)] = None
    email: Annotated[str, BeforeValidator(_email)] = ""
    display_name: Annotated[str, BeforeValidator(_name)] = ""
    pmi: Annotated[int | None, BeforeValidator(_pmi)] = None
    has_no_pmi: bool = False
    status: Annotated[str, BeforeValidator(_status)] = ""

    @model_validator(mode="before")
    @classmethod
    def _name_from_its_parts(cls, values: Any) -> Any:  # noqa: ANN401 - JSON of any shape
        if not isinstance(values, dict):
            return values
        is_none = str(values.get("pmi")).strip() in ("0", "-1")
        values = {**values, "has_no_pmi": is_none}
        if _clean(values.get("display_name")):
            return values
        parts = (_clean(values.get("first_name")), _clean(values.get("last_name")))
        return {**values, "display_name": " ".join(filter(None, parts))}


def _readable(value: object) -> object:
    """Return the users that have an id; one odd row must not hide the others."""
    if not isinstance(value, list):
        return value
    return [one for one in value if isinstance(one, dict) and _id(one.get("id"))]


class JoinToken(BaseModel):
    """Zoom's leave to record one meeting locally; lives 120 seconds, works once."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    token: SecretStr = Field(min_length=1)


class UserToken(BaseModel):
    """A user's token for a bot: ZAK, or on behalf of the user (OBF)."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    token: SecretStr = Field(min_length=1)


class _UserPage(BaseModel):
    """A page of `GET /v2/users`; a user that cannot be read is left out."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    users: Annotated[list[ZoomUser], BeforeValidator(_readable)] = []
    next_page_token: Annotated[str, BeforeValidator(_clean)] = ""


class ZoomApi(ZoomHost):
    """Calls Zoom with tokens that are handed in and not kept.

    Safe to use from many threads.
    """

    def me(self, token: SecretStr) -> ZoomUser:
        """Return the token's owner. Needs the scope `user:read:user`.

        Raises:
            UpstreamError: `code` is Zoom's number as text: "124" for a token that is
                expired or revoked (also "201"), "4711" for a missing scope, which
                `detail` then names ("missing scopes: user:read:user").
        """
        return send(
            self._http,
            self._get("users/me", token),
            service="Zoom",
            as_=ZoomUser,
            secrets=[token],
        )

    def users(self, token: SecretStr, *, limit: int) -> list[ZoomUser]:
        """Return the active users of the token's account, at most `limit` of them.

        Needs the scope `user:read:list_users:admin` (docs/contracts/zoom.md 4.2 and
        docs/contracts/recall.md 7.1, checked 2026-11-25).

        Raises:
            UpstreamError: `code` is "4711" for a missing scope, which `detail` then
                names. Of a list that breaks off half-way nothing is returned.
        """
        found: list[ZoomUser] = []
        following = ""
        while len(found) < limit:
            query = {"page_size": str(_PAGE_OF_USERS), "status": "active"}
            if following:
                query["next_page_token"] = following
            page = send(
                self._http,
                self._get(f"users?{urlencode(query)}", token),
                service="Zoom",
                as_=_UserPage,
                secrets=[token],
            )
            found += page.users
            if not page.next_page_token or page.next_page_token == following:
                break
            following = page.next_page_token
        return found[:limit]

    def join_token(self, token: SecretStr, meeting_id: int) -> JoinToken:
        """Return a join token for local recording of one meeting of the token's owner.

        Changes nothing at Zoom: it ends by itself after 120 s. Needs the scope
        `meeting:read:local_recording_token` (docs/contracts/zoom.md 4.2, checked
        2026-11-23).

        Args:
            token: Access token of the host, or of the host's account.
            meeting_id: Number of a meeting that the host still has.

        Raises:
            UpstreamError: `code` is "4711" for a missing scope, which `detail` then
                names; "3001" when Zoom has no such meeting any more. Any other may be
                the host's or the account's own setting.
        """
        return send(
            self._http,
            self._get(f"meetings/{meeting_id}/jointoken/local_recording", token),
            service="Zoom",
            as_=JoinToken,
            secrets=[token],
        )

    def zak(self, token: SecretStr) -> SecretStr:
        """Return the ZAK of the token's owner, for a bot that joins outside meetings.

        Needs the scope `user:read:zak` (docs/contracts/zoom.md 3.7 and 4.2, checked
        2026-11-25).

        Raises:
            UpstreamError: `code` is "4711" for a missing scope, which `detail` names.
        """
        return self._user_token(self._get("users/me/zak", token), token)

    def obf(self, token: SecretStr, meeting_id: int | None = None) -> SecretStr:
        """Return a token to join meetings on behalf of the token's owner.

        Needs the scope `user:read:token` (docs/contracts/zoom.md 3.7 and 4.2, checked
        2026-11-29). Zoom's page names no `meeting_id`, an older description does.

        Args:
            token: Access token of the user.
            meeting_id: Number of the meeting to join; sent only when given.

        Raises:
            UpstreamError: `code` is "4711" for a missing scope, which `detail` names.
        """
        query = {"type": "onbehalf"}
        if meeting_id is not None:
            query["meeting_id"] = str(meeting_id)
        return self._user_token(self._get("users/me/token", token, query), token)

    def _user_token(self, request: httpx2.Request, token: SecretStr) -> SecretStr:
        found = send(
            self._http, request, service="Zoom", as_=UserToken, secrets=[token]
        )
        return found.token

    def _get(
        self, path: str, token: SecretStr, query: Mapping[str, str] | None = None
    ) -> httpx2.Request:
        return self._http.build_request(
            "GET",
            f"{self._base_url}/v2/{path}",
            params=query,
            headers={b"Authorization": f"Bearer {token.get_secret_value()}".encode()},
        )
