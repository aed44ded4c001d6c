"""People, client, keys and codes of the simulated identity provider.

Source: OpenID Connect Core 1.0 and Discovery 1.0, RFC 6749, RFC 7636, RFC 9207; checked
2026-11-30.
"""

import base64
import hashlib
import hmac
import json
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, KeySet

from dashboard.sandbox.clock import SimClock

CODE_LIFETIME = timedelta(minutes=1)
_TOKEN_LIFETIME = timedelta(minutes=10)
_ALGORITHM = "ES256"


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody who has an account at the provider.

    Attributes:
        sub: The provider's own name for them.
        email: None when it knows none.
        is_verified: What it says of the email; None when it says nothing.
    """

    sub: str
    name: str
    email: str | None
    is_verified: bool | None = True
    groups: tuple[str, ...] = ()


@dataclass(kw_only=True)
class Switches:
    """What the provider does wrong, until it is switched off.

    Attributes:
        keeps_session: It does not ask again, whatever `prompt` and `max_age` say.
        groups_in_userinfo: Groups and email are given by userinfo alone.
    """

    wrong_nonce: bool = False
    no_nonce: bool = False
    wrong_issuer: bool = False
    wrong_audience: bool = False
    two_audiences: bool = False
    expired: bool = False
    issued_ahead: bool = False
    unsigned: bool = False
    signed_with_secret: bool = False
    unknown_kid: bool = False
    wrong_key: bool = False
    wrong_subject_in_userinfo: bool = False
    wrong_sender: bool = False
    other_discovered_issuer: bool = False
    keeps_session: bool = False
    no_auth_time: bool = False
    groups_in_userinfo: bool = False


@dataclass(frozen=True, kw_only=True)
class Client:
    """An application that sends people here."""

    client_id: str
    client_secret: str
    redirect_uris: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class AuthorizeRequest:
    """An authorize request that was accepted.

    Attributes:
        is_again: Whether the person has to sign in again (`prompt=login`, `max_age=0`).
    """

    client_id: str
    redirect_uri: str
    scope: tuple[str, ...]
    state: str | None
    nonce: str | None
    challenge: str
    is_again: bool


@dataclass(kw_only=True)
class Code:
    """An authorization code; good for one exchange."""

    asked: AuthorizeRequest
    person: Person
    issued_at: datetime
    signed_in_at: datetime
    is_spent: bool = False


class RefusedError(Exception):
    """Shown to the person: the browser is not sent back."""


class TokenError(Exception):
    """An error of the token endpoint; its text is the OAuth code."""


PEOPLE = (
    Person(
        sub="idp-ada",
        name="Ada Admin",
        email="ada@example.com",
        groups=("zoom-admins", "everyone"),
    ),
    Person(
        sub="idp-hal",
        name="Hal Helpdesk",
        email="hal@example.com",
        groups=("helpdesk", "everyone"),
    ),
    Person(
        sub="idp-uma", name="Uma Unmapped", email="uma@example.com", groups=("sales",)
    ),
    Person(sub="idp-ned", name="Ned Noemail", email=None, groups=("helpdesk",)),
    Person(
        sub="idp-vic",
        name="Vic Unverified",
        email="vic@example.com",
        is_verified=False,
        groups=("helpdesk",),
    ),
    Person(
        sub="idp-adm",
        name="Same email as the demo's admin",
        email="admin@example.com",
        groups=("zoom-admins",),
    ),
)


@dataclass(kw_only=True)
class _State:
    people: dict[str, Person] = field(
        default_factory=lambda: {each.sub: each for each in PEOPLE}
    )
    clients: dict[str, Client] = field(default_factory=dict)
    codes: dict[str, Code] = field(default_factory=dict)
    access: dict[str, Person] = field(default_factory=dict)
    signed_in: dict[str, datetime] = field(default_factory=dict)
    switches: Switches = field(default_factory=Switches)


class ProviderWorld:
    """Everything the simulated provider knows; its methods are for many threads.

    Attributes:
        issuer: Its address, without a trailing slash; set when it listens.
    """

    def __init__(self, clock: SimClock) -> None:
        self.issuer = ""
        self._clock = clock
        self._lock = threading.RLock()
        self._state = _State()
        self._keys = [_new_key()]

    @property
    def switches(self) -> Switches:
        """What it does wrong now."""
        return self._state.switches

    @property
    def people(self) -> list[Person]:
        """Everybody who can sign in."""
        with self._lock:
            return list(self._state.people.values())

    def reset(self) -> None:
        """Forget everything but the people it begins with, and the keys."""
        with self._lock:
            self._state = _State()

    def switch(self, **changed: bool) -> Switches:
        """Turn faults on and off."""
        with self._lock:
            self._state.switches = replace(self._state.switches, **changed)
            return self._state.switches

    def add_client(
        self, *, client_id: str, client_secret: str, redirect_uris: list[str]
    ) -> Client:
        """Register an application, in place of one of that name."""
        client = Client(
            client_id=client_id,
            client_secret=client_secret,
            redirect_uris=tuple(redirect_uris),
        )
        with self._lock:
            self._state.clients[client_id] = client
        return client

    def set_person(self, sub: str, **changed: Any) -> Person:  # noqa: ANN401 - any field
        """Change a person, or add one."""
        with self._lock:
            known = self._state.people.get(sub) or Person(sub=sub, name=sub, email=None)
            if "groups" in changed:
                changed["groups"] = tuple(changed["groups"])
            self._state.people[sub] = replace(known, **changed)
            return self._state.people[sub]

    def rotate_keys(self, *, keep: bool = True) -> None:
        """Sign with a new key from now on; the old one stays published if kept."""
        with self._lock:
            self._keys = [_new_key(), *(self._keys if keep else [])]

    def jwks(self) -> dict[str, Any]:
        """Return the public keys."""
        with self._lock:
            return dict(KeySet(list(self._keys)).as_dict(private=False))

    def parse(self, query: Mapping[str, str]) -> AuthorizeRequest:
        """Check an authorize request.

        Raises:
            RefusedError: Unknown client, wrong redirect URI, no PKCE.
        """
        client = self._state.clients.get(query.get("client_id", ""))
        if client is None:
            raise RefusedError("This client is not registered here.")
        uri = query.get("redirect_uri", "")
        if uri not in client.redirect_uris:
            raise RefusedError(f"The redirect URL {uri} is not registered.")
        if query.get("response_type") != "code":
            raise RefusedError("Only the code flow is offered here.")
        scope = tuple(query.get("scope", "").split())
        if "openid" not in scope:
            raise RefusedError("The scope openid is missing.")
        challenge = query.get("code_challenge", "")
        if not challenge or query.get("code_challenge_method") != "S256":
            raise RefusedError("This client has to use PKCE with S256.")
        return AuthorizeRequest(
            client_id=client.client_id,
            redirect_uri=uri,
            scope=scope,
            state=query.get("state"),
            nonce=query.get("nonce"),
            challenge=challenge,
            is_again="login" in query.get("prompt", "").split()
            or query.get("max_age") == "0",
        )

    def allow(self, asked: AuthorizeRequest, sub: str) -> str:
        """Issue a code for a person, who signs in unless a sign-in of before counts."""
        with self._lock:
            person, now = self._state.people.get(sub), self._clock.now()
            if person is None:
                raise RefusedError("There is no such person here.")
            since = self._state.signed_in.get(sub)
            if since is None or (asked.is_again and not self.switches.keeps_session):
                since = self._state.signed_in[sub] = now
            code = secrets.token_urlsafe(24)
            self._state.codes[code] = Code(
                asked=asked, person=person, issued_at=now, signed_in_at=since
            )
            return code

    def exchange(
        self, client_id: str, client_secret: str, form: Mapping[str, str]
    ) -> dict[str, Any]:
        """Exchange a code for tokens.

        Raises:
            TokenError: Its text is the code of RFC 6749 5.2.
        """
        with self._lock:
            client = self._state.clients.get(client_id)
            if client is None or not hmac.compare_digest(
                client.client_secret.encode(), client_secret.encode()
            ):
                raise TokenError("invalid_client")
            if form.get("grant_type") != "authorization_code":
                raise TokenError("unsupported_grant_type")
            code = self._state.codes.get(form.get("code", ""))
            if code is None or code.is_spent:
                raise TokenError("invalid_grant")
            code.is_spent = True
            if (
                code.asked.client_id != client_id
                or form.get("redirect_uri") != code.asked.redirect_uri
                or self._clock.now() >= code.issued_at + CODE_LIFETIME
                or _challenge(form.get("code_verifier", "")) != code.asked.challenge
            ):
                raise TokenError("invalid_grant")
            access = secrets.token_urlsafe(24)
            self._state.access[access] = code.person
            return {
                "access_token": access,
                "token_type": "Bearer",
                "expires_in": int(_TOKEN_LIFETIME.total_seconds()),
                "scope": " ".join(code.asked.scope),
                "id_token": self._id_token(client, code, access),
            }

    def userinfo(self, access_token: str) -> dict[str, Any] | None:
        """Return what is known of the person; None for an unknown token."""
        with self._lock:
            person = self._state.access.get(access_token)
        if person is None:
            return None
        about = _about(person)
        if self.switches.wrong_subject_in_userinfo:
            about["sub"] = "idp-somebody-else"
        return about

    def _id_token(self, client: Client, code: Code, access_token: str) -> str:
        wrong, now = self.switches, self._clock.now()
        if wrong.expired:
            now -= timedelta(hours=1)
        if wrong.issued_ahead:
            now += timedelta(hours=1)
        audience: str | list[str] = client.client_id
        if wrong.wrong_audience:
            audience = "another-application"
        if wrong.two_audiences:
            audience = [client.client_id, "another-application"]
        claims: dict[str, Any] = {
            "iss": "https://evil.example.com" if wrong.wrong_issuer else self.issuer,
            "aud": audience,
            "iat": int(now.timestamp()),
            "exp": int((now + _TOKEN_LIFETIME).timestamp()),
            "auth_time": int(code.signed_in_at.timestamp()),
            "nonce": "another-nonce" if wrong.wrong_nonce else code.asked.nonce,
            "at_hash": _half_hash(access_token),
            "amr": ["pwd", "otp", "mfa"],
            **_about(code.person),
        }
        if wrong.no_nonce or claims["nonce"] is None:
            del claims["nonce"]
        if wrong.no_auth_time:
            del claims["auth_time"]
        if wrong.groups_in_userinfo:
            for name in ("groups", "email", "email_verified"):
                claims.pop(name, None)
        return self._signed(client, claims)

    def _signed(self, client: Client, claims: dict[str, Any]) -> str:
        if self.switches.unsigned:
            return f"{_part({'alg': 'none', 'typ': 'JWT'})}.{_part(claims)}."
        if self.switches.signed_with_secret:
            head = f"{_part({'alg': 'HS256', 'typ': 'JWT'})}.{_part(claims)}"
            mac = hmac.digest(client.client_secret.encode(), head.encode(), "sha256")
            return f"{head}.{_encoded(mac)}"
        key, kid = self._keys[0], str(self._keys[0].kid)
        if self.switches.unknown_kid:
            key = _new_key()
            kid = str(key.kid)
        if self.switches.wrong_key:
            key = _new_key()
        return jwt.encode({"alg": _ALGORITHM, "kid": kid}, claims, key)


def discovery(issuer: str, *, listens_on: str) -> dict[str, Any]:
    """Return the discovery document."""
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{listens_on}/authorize",
        "token_endpoint": f"{listens_on}/token",
        "userinfo_endpoint": f"{listens_on}/userinfo",
        "jwks_uri": f"{listens_on}/jwks",
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [_ALGORITHM],
        "scopes_supported": ["openid", "email", "profile", "groups"],
        "token_endpoint_auth_methods_supported": [
            "client_secret_basic",
            "client_secret_post",
        ],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
    }


def _about(person: Person) -> dict[str, Any]:
    about: dict[str, Any] = {"sub": person.sub, "name": person.name}
    if person.email is not None:
        about["email"] = person.email
        if person.is_verified is not None:
            about["email_verified"] = person.is_verified
    about["groups"] = list(person.groups)
    return about


def _new_key() -> ECKey:
    return ECKey.generate_key("P-256", {"use": "sig", "alg": _ALGORITHM}, auto_kid=True)


def _challenge(verifier: str) -> str:
    return _encoded(hashlib.sha256(verifier.encode()).digest())


def _half_hash(text: str) -> str:
    return _encoded(hashlib.sha256(text.encode()).digest()[:16])


def _part(content: Mapping[str, Any]) -> str:
    return _encoded(json.dumps(content).encode())


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
