"""Values the simulated Zoom makes up: of real length, plainly simulated."""

import base64
import hashlib
import hmac
import json
import secrets

_SIGNING_KEY = secrets.token_bytes(32)


def client_id() -> str:
    """Return 22 characters of base64url, `simC` first (docs/contracts/zoom.md 1)."""
    return _tagged("simC", 22)


def client_secret() -> str:
    """Return 32 characters, `simS` first."""
    return _tagged("simS", 32)


def secret_token() -> str:
    """Return 22 characters of base64url, `simT` first (docs/contracts/zoom.md 1)."""
    return _tagged("simT", 22)


def verification_token() -> str:
    """Return the legacy token of the `authorization` header, `simV` first."""
    return _tagged("simV", 22)


def plain_token() -> str:
    """Return the 22 characters of a url_validation challenge."""
    return _tagged("simP", 22)


def account_id() -> str:
    """Return 22 characters, `simA` first."""
    return _tagged("simA", 22)


def user_id() -> str:
    """Return 22 characters, `simU` first."""
    return _tagged("simU", 22)


def code() -> str:
    """Return an authorization code of 40 characters.

    Source: docs/contracts/zoom.md 1: 32 to 64.
    """
    return _tagged("simCode_", 40)


def opaque(length: int = 22) -> str:
    """Return any other identifier of `length` characters."""
    return _tagged("sim", length)


def pmi() -> int:
    """Return a personal meeting id of ten digits."""
    return 5_550_000_000 + secrets.randbelow(9_999_999)


def meeting_number() -> int:
    """Return a meeting id of eleven digits."""
    return 90_000_000_000 + secrets.randbelow(9_999_999_999)


def meeting_uuid() -> str:
    """Return 16 random bytes as padded base64, which may hold `/` and `+`."""
    return base64.b64encode(secrets.token_bytes(16)).decode()


def token(
    client: str, user: str | None, account: str, *, issued: int, expires: int
) -> str:
    """Return a signed JWT shaped like Zoom's tokens (docs/contracts/zoom.md 3.2).

    Args:
        client: Client id of the app it is issued to.
        user: Zoom user id; None for a token of the app itself.
        account: Zoom account id.
        issued: Whole seconds since the epoch.
        expires: The same.
    """
    header: dict[str, object] = {"alg": "HS512", "v": "2.0", "kid": "simulated"}
    payload: dict[str, object] = {
        "ver": 10,
        "auid": secrets.token_hex(16),
        "code": opaque(),
        "iss": f"zm:cid:{client}",
        "gno": 0,
        "type": 0,
        "tid": 0,
        "aud": "https://oauth.zoom.us",
        "uid": user or client,
        "nbf": issued,
        "exp": expires,
        "iat": issued,
        "aid": account,
        "jti": secrets.token_hex(16),
    }
    signed = f"{_part(header)}.{_part(payload)}"
    digest = hmac.new(_SIGNING_KEY, signed.encode(), hashlib.sha512).digest()
    return f"{signed}.{_base64url(digest)}"


def _tagged(tag: str, length: int) -> str:
    return tag + secrets.token_urlsafe(length)[: length - len(tag)]


def _part(value: dict[str, object]) -> str:
    return _base64url(json.dumps(value, separators=(",", ":")).encode())


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
