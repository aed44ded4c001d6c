"""OpenID Connect: where to send the browser, and who came back.

Code flow with PKCE (RFC 7636, S256) and a nonce. Authlib's own Flask client needs the
`requests` library; its parts are used here with the client of `clients.http` instead
(docs/decisions/0025-single-sign-on.md).
"""

import base64
import hmac
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar
from urllib.parse import quote_plus, urlsplit

import httpx2
import structlog
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import (
    ClaimError,
    ExpiredTokenError,
    InvalidKeyIdError,
    JoseError,
    UnsupportedAlgorithmError,
)
from joserfc.jwk import JWKRegistry, Key, KeySet
from joserfc.jws import JWSRegistry
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from dashboard.clients.http.client import HARMLESS, Service, make_http, send
from dashboard.errors import DashboardError, UpstreamError

_SERVICE: Service = "The identity provider"
_ALGORITHMS = frozenset(
    {
        *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
        *("ES256", "ES384", "ES512", "EdDSA", "Ed25519"),
    }
)
"""Signatures by a key pair alone: not `none`, and not with the client secret."""

_FRESH_S = 3600.0
"""How long the provider's addresses and keys are used without asking again."""

_STALE_S = 24 * 3600.0
"""How long they are used while the provider does not give newer ones."""

_KEYS_AGAIN_S = 60.0
"""A key that is not known is asked for at most this often."""

_AFTER_FAILURE_S = 5.0
"""While the provider is down it is asked this often, not for each person."""

_LEEWAY_S = 120
"""How far the clocks may differ."""

_LAST_TIME = 2**34
"""In seconds; what is later is no time of a sign-in."""

_LONGEST_SUBJECT = 255
_MOST_KEYS = 100
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_CLOCKS = frozenset({"iat", "nbf", "auth_time"})

_log = structlog.get_logger()
T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)


class SingleSignOnError(DashboardError):
    """A sign-in by the identity provider was refused: one sentence for the person.

    Attributes:
        cause: A short name for the log and the audit log; nothing of a token.
        is_outage: Whether the provider did not answer as it should.
    """

    def __init__(self, cause: str, message: str, *, is_outage: bool = False) -> None:
        super().__init__(message)
        self.cause = cause
        self.is_outage = is_outage


@dataclass(frozen=True, kw_only=True)
class SignInAttempt:
    """What one sign-in at the provider is bound to; kept in the browser.

    Attributes:
        verifier: Of PKCE.
    """

    state: str
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    redirect_uri: str


@dataclass(frozen=True, kw_only=True)
class Identity:
    """A person, as the provider identified them.

    Attributes:
        subject: The provider's own name for the person; never given to another.
        email: "" when the provider gave none.
        is_email_verified: Whether the provider says that it is the person's.
        claims: Everything it says of the person.
        proven_at: When the person proved there who they are; None: it does not say.
    """

    issuer: str
    subject: str
    email: str
    is_email_verified: bool
    claims: Mapping[str, Any] = field(repr=False)
    proven_at: datetime | None = None


class _Metadata(BaseModel):
    """The discovery document."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    scopes_supported: list[str] = Field(default_factory=list)
    id_token_signing_alg_values_supported: list[str] = Field(
        default_factory=lambda: ["RS256"]
    )
    token_endpoint_auth_methods_supported: list[str] = Field(
        default_factory=lambda: ["client_secret_basic"]
    )
    authorization_response_iss_parameter_supported: bool = False


class _Keys(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    keys: list[dict[str, Any]] = Field(max_length=_MOST_KEYS)


class _Tokens(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    id_token: SecretStr
    access_token: SecretStr | None = None


class _UserInfo(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow", hide_input_in_errors=True)

    sub: str


class _Cached(Generic[T]):
    """Something of the provider's, asked for again when it is old."""

    def __init__(self, ask: Callable[[], T], monotonic: Callable[[], float]) -> None:
        self._ask = ask
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._value: T | None = None
        self._got_s = float("-inf")
        self._failed_s = float("-inf")
        self._error: SingleSignOnError | None = None

    def get(self, *, newer_than_s: float = _FRESH_S) -> T:
        """Return it, at most so old where the provider answers.

        Raises:
            SingleSignOnError: The provider does not answer, and there is none that
                may still be used.
        """
        with self._lock:
            now_s = self._monotonic()
            if self._value is not None and now_s < self._got_s + newer_than_s:
                return self._value
            if now_s >= self._failed_s + _AFTER_FAILURE_S:
                try:
                    self._value, self._got_s = self._ask(), now_s
                    self._error = None
                except SingleSignOnError as why:
                    self._failed_s, self._error = self._monotonic(), why
            if self._value is not None and now_s < self._got_s + _STALE_S:
                return self._value
            error = self._error or _is_down()
        raise SingleSignOnError(error.cause, str(error), is_outage=error.is_outage)


class IdentityProvider:
    """Sends people to the provider and reads who comes back; for many threads.

    Args:
        issuer: As in `DASHBOARD_OIDC_ISSUER`.
        client_id: Likewise, as `client_secret`.
        role_claim: Asked for as a scope where the provider has one of that name, and
            looked for in its answer about the person; "" for none.
        http: From `make_http`; made here when left out.
        monotonic: Seconds, for how old the provider's addresses and keys are.
    """

    def __init__(  # noqa: PLR0913 - all named, and two have a usual value
        self,
        *,
        issuer: str,
        client_id: str,
        client_secret: SecretStr,
        role_claim: str = "",
        http: httpx2.Client | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.issuer = issuer
        self._client_id = client_id
        self._client_secret = client_secret
        self._role_claim = role_claim
        self._http = http or make_http(issuer)
        self._metadata = _Cached(self._ask_metadata, monotonic)
        self._keys = _Cached(self._ask_keys, monotonic)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def address(self, attempt: SignInAttempt, *, again: bool = False) -> str:
        """Return where to send the browser.

        Args:
            attempt: What comes back is compared with it.
            again: Whether the person is to prove again who they are.

        Raises:
            SingleSignOnError: The provider does not answer.
        """
        metadata = self._discovered()
        scope = "openid email profile"
        if self._role_claim in set(metadata.scopes_supported) - set(scope.split()):
            scope = f"{scope} {self._role_claim}"
        extra = {"prompt": "login", "max_age": "0"} if again else {}
        return str(
            prepare_grant_uri(
                metadata.authorization_endpoint,
                self._client_id,
                "code",
                redirect_uri=attempt.redirect_uri,
                scope=scope,
                state=attempt.state,
                nonce=attempt.nonce,
                code_challenge=create_s256_code_challenge(attempt.verifier),  # type: ignore[no-untyped-call]  # Authlib ships no types
                code_challenge_method="S256",
                **extra,
            )
        )

    def identify(
        self,
        attempt: SignInAttempt,
        answer: Mapping[str, str],
        *,
        now: datetime,
        proven_since: datetime | None = None,
    ) -> Identity:
        """Return who came back.

        Args:
            attempt: The one that the answer's state names.
            answer: The query that the browser brought.
            now: For the token's times.
            proven_since: When they had to prove themselves at the provider again; an
                earlier proof is refused, and an answer that names no time.

        Raises:
            SingleSignOnError: The provider refused or does not answer, or what it
                sent is not an answer to this attempt.
        """
        metadata = self._discovered()
        self._check_sender(metadata, answer)
        if "error" in answer:
            raise _refused(answer["error"])
        code = answer.get("code", "")
        if not code:
            raise _wrong("code", "sent no code")
        tokens = self._exchange(metadata, attempt, code)
        claims = self._verified(metadata, tokens, attempt, now=now)
        known = dict(claims)
        if self._lacks(known) and metadata.userinfo_endpoint and tokens.access_token:
            about = self._userinfo(metadata.userinfo_endpoint, tokens.access_token)
            if about.sub != claims["sub"]:
                raise _wrong("userinfo", "answered about another person")
            known = {**about.model_dump(), **known}
        identity = _identity(self.issuer, known)
        if proven_since is not None:
            _require_new_proof(identity, proven_since)
        return identity

    def _lacks(self, claims: Mapping[str, Any]) -> bool:
        wanted = ["email", *([self._role_claim] if self._role_claim else [])]
        return any(claim_values(claims, name) == [] for name in wanted)

    def _check_sender(self, metadata: _Metadata, answer: Mapping[str, str]) -> None:
        """Refuse another provider's answer (RFC 9207)."""
        said = answer.get("iss")
        must_say = metadata.authorization_response_iss_parameter_supported
        if (said is None and must_say) or said not in (None, metadata.issuer):
            raise _wrong("issuer", "is not the one that sent this answer")

    def _exchange(
        self, metadata: _Metadata, attempt: SignInAttempt, code: str
    ) -> _Tokens:
        fields, headers = {"client_id": self._client_id}, dict(_FORM)
        secret = self._client_secret.get_secret_value()
        if "client_secret_basic" in metadata.token_endpoint_auth_methods_supported:
            # RFC 6749 2.3.1: both are form-encoded first.
            pair = f"{quote_plus(self._client_id)}:{quote_plus(secret)}"
            encoded = base64.b64encode(pair.encode()).decode()
            headers["Authorization"] = f"Basic {encoded}"
        else:
            fields["client_secret"] = secret
        body = prepare_token_request(
            "authorization_code",
            redirect_uri=attempt.redirect_uri,
            code=code,
            code_verifier=attempt.verifier,
            **fields,
        )
        request = self._http.build_request(
            "POST",
            metadata.token_endpoint,
            content=body,
            headers=headers,
            extensions={HARMLESS: True},
        )
        try:
            return send(
                self._http,
                request,
                service=_SERVICE,
                as_=_Tokens,
                secrets=[self._client_secret, SecretStr(code)],
            )
        except UpstreamError as error:
            refusal = error
        _log.warning(
            "single_sign_on.no_token", status=refusal.status, code=_word(refusal.code)
        )
        if refusal.code == "invalid_client":
            raise SingleSignOnError(
                "client",
                "The identity provider does not accept the dashboard's client ID and "
                "secret. An admin has to correct DASHBOARD_OIDC_CLIENT_ID and "
                "DASHBOARD_OIDC_CLIENT_SECRET.",
            )
        if refusal.code == "invalid_grant":
            raise SingleSignOnError(
                "code",
                "The identity provider does not accept this sign-in any more: it was "
                "used already or took too long. Sign in again.",
            )
        raise _is_down()

    def _verified(
        self,
        metadata: _Metadata,
        tokens: _Tokens,
        attempt: SignInAttempt,
        *,
        now: datetime,
    ) -> CodeIDToken:
        claims, cause = None, ""
        try:
            token = self._decoded(metadata, tokens.id_token.get_secret_value())
            claims = CodeIDToken(
                token.claims,
                token.header,
                {
                    "iss": {"essential": True, "value": metadata.issuer},
                    "aud": {"essential": True, "value": self._client_id},
                },
                {
                    "nonce": attempt.nonce,
                    "client_id": self._client_id,
                    "access_token": _text(tokens.access_token),
                },
            )
            claims.validate(now=int(now.timestamp()), leeway=_LEEWAY_S)
            cause = _wrong_text(claims, attempt)
        except (JoseError, ValueError, TypeError, KeyError, RecursionError) as error:
            cause = _cause(error)
        if cause or claims is None:
            raise _untrusted(cause)  # outside: what was caught holds the token
        return claims

    def _decoded(self, metadata: _Metadata, raw: str) -> jwt.Token:
        """Read a token whose signature is right; a new key is asked for once."""
        offered = set(metadata.id_token_signing_alg_values_supported)
        accepted = sorted(offered & _ALGORITHMS)
        if not accepted:
            raise UnsupportedAlgorithmError
        registry = JWSRegistry(algorithms=accepted, strict_check_header=False)
        try:
            return jwt.decode(raw, self._keys.get(), registry=registry)
        except InvalidKeyIdError:
            keys = self._keys.get(newer_than_s=_KEYS_AGAIN_S)
            return jwt.decode(raw, keys, registry=registry)

    def _userinfo(self, url: str, access_token: SecretStr) -> _UserInfo:
        request = self._http.build_request(
            "GET",
            url,
            headers={"Authorization": f"Bearer {access_token.get_secret_value()}"},
        )
        return self._ask(request, _UserInfo, secrets=[access_token])

    def _discovered(self) -> _Metadata:
        return self._metadata.get()

    def _ask_metadata(self) -> _Metadata:
        url = f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"
        found = self._ask(self._http.build_request("GET", url), _Metadata)
        if found.issuer.rstrip("/") != self.issuer.rstrip("/"):
            raise SingleSignOnError(
                "issuer",
                "The identity provider calls itself by another name than "
                "DASHBOARD_OIDC_ISSUER. An admin has to correct the setting.",
            )
        addresses = (
            *(found.authorization_endpoint, found.token_endpoint, found.jwks_uri),
            found.userinfo_endpoint or found.token_endpoint,
        )
        scheme = urlsplit(self.issuer).scheme
        if any(urlsplit(each).scheme not in ("https", scheme) for each in addresses):
            raise SingleSignOnError(
                "metadata",
                "The identity provider names addresses that are not https, so it was "
                "not used. Its operator has to correct its discovery document.",
            )
        return found

    def _ask_keys(self) -> KeySet:
        url = self._discovered().jwks_uri
        found = self._ask(self._http.build_request("GET", url), _Keys)
        return KeySet([key for each in found.keys if (key := _public(each))])

    def _ask(
        self,
        request: httpx2.Request,
        as_: type[M],
        *,
        secrets: list[SecretStr] | None = None,
    ) -> M:
        try:
            return send(
                self._http, request, service=_SERVICE, as_=as_, secrets=secrets or []
            )
        except UpstreamError as error:
            status = error.status
        # Its host is in the settings; its words stay out of the log.
        _log.warning("single_sign_on.no_answer", path=request.url.path, status=status)
        raise _is_down()


def claim_values(claims: Mapping[str, Any], name: str) -> list[str]:
    """Return the values of a claim as texts; a dot leads into an object.

    A claim whose own name has dots comes first.
    """
    found: Any = claims.get(name)
    if found is None and "." in name:
        found = claims
        for part in name.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
    values = found if isinstance(found, list) else [found]
    return [each for each in values if isinstance(each, str) and each]


def _require_new_proof(identity: Identity, since: datetime) -> None:
    """Refuse a proof that is older than the question, as far as clocks agree."""
    proven_at = identity.proven_at
    if proven_at is None or proven_at < since - timedelta(seconds=_LEEWAY_S):
        raise SingleSignOnError(
            "old_proof",
            "The identity provider did not ask you to sign in again, so nothing is "
            "confirmed. Use another way, or tell an admin: the provider has to honour "
            "max_age and send auth_time.",
        )


def _identity(issuer: str, claims: Mapping[str, Any]) -> Identity:
    email, verified = claims.get("email"), claims.get("email_verified")
    said = claims.get("auth_time")
    proven_at = None
    if isinstance(said, int) and 0 < said < _LAST_TIME:
        proven_at = datetime.fromtimestamp(said, UTC)
    return Identity(
        issuer=issuer,
        subject=claims["sub"],
        email=email if isinstance(email, str) else "",
        is_email_verified=verified is True or verified == "true",
        claims=claims,
        proven_at=proven_at,
    )


def _public(found: dict[str, Any]) -> Key | None:
    """Read one key; None for one that signs no token or is of an unknown kind."""
    if found.get("use", "sig") != "sig" or found.get("kty") not in ("RSA", "EC", "OKP"):
        return None
    try:
        return JWKRegistry.import_key(found)
    except (JoseError, ValueError, TypeError, KeyError):
        return None


def _wrong_text(claims: CodeIDToken, attempt: SignInAttempt) -> str:
    """Name the claim that is no text as it must be; "" for none."""
    subject, nonce = claims["sub"], claims.get("nonce")
    if (
        not isinstance(subject, str)
        or not 0 < len(subject) <= _LONGEST_SUBJECT
        or not subject.isprintable()
    ):
        return "sub"
    # Compared again: an empty nonce would not have been.
    if not isinstance(nonce, str) or not hmac.compare_digest(
        nonce.encode(), attempt.nonce.encode()
    ):
        return "nonce"
    return ""


def _cause(error: Exception) -> str:
    match error:
        case ExpiredTokenError():
            return "expired"
        case ClaimError():
            return error.claim
        case InvalidKeyIdError():
            return "kid"
        case UnsupportedAlgorithmError():
            return "alg"
        case JoseError():
            return error.error
        case _:
            return "malformed"


def _text(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()


def _word(code: str | None) -> str:
    """Return an error code of OAuth, and nothing else a server may have put there."""
    known = {"invalid_client", "invalid_grant", "invalid_request", "access_denied"}
    return code if code in known else "other"


def _refused(code: str) -> SingleSignOnError:
    if code == "access_denied":
        return SingleSignOnError(
            "access_denied",
            "The identity provider did not let you in, or you cancelled. Sign in "
            "again, or ask its admin to give you access to the dashboard.",
        )
    if code in ("login_required", "interaction_required", "consent_required"):
        return SingleSignOnError(
            code, "The identity provider asks you to sign in there first. Try again."
        )
    if code in ("server_error", "temporarily_unavailable"):
        return _is_down()
    return SingleSignOnError(
        "refused",
        "The identity provider refused the dashboard's request. An admin has to check "
        "the client and its redirect URL there.",
    )


def _is_down() -> SingleSignOnError:
    return SingleSignOnError(
        "unreachable",
        "The identity provider does not answer as it should. Nothing was changed; try "
        "again in a few minutes.",
        is_outage=True,
    )


def _wrong(cause: str, what: str) -> SingleSignOnError:
    return SingleSignOnError(
        cause,
        f"The identity provider {what}, so you are not signed in. Try again; if it "
        "happens again, tell an admin.",
    )


_UNTRUSTED = {
    "expired": "sent a proof that has expired",
    "nonce": "sent the proof of another sign-in",
    "iss": "sent a proof that another provider issued",
    "aud": "sent a proof for another application",
    "azp": "sent a proof for another application",
    "kid": "signed its proof with a key that it does not publish",
    "alg": "signed its proof in a way that is not accepted",
    "bad_signature": "sent a proof whose signature is not its own",
}


def _untrusted(cause: str) -> SingleSignOnError:
    if cause in _CLOCKS:
        return SingleSignOnError(
            "clock",
            "The clocks of the identity provider and the dashboard differ too much, so "
            "you are not signed in. An admin has to correct them.",
        )
    return _wrong(cause, _UNTRUSTED.get(cause, "sent a proof that can't be read"))
