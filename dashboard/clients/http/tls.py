"""Outgoing TLS: the same on every machine, whatever its Python and OpenSSL decide.

Every client takes its context here. Debian's Python, for one, sets no lowest version
and leaves it to the system's OpenSSL, which may allow TLS 1.0.
"""

import re
import ssl
from functools import lru_cache
from pathlib import Path

import httpx2

from dashboard.errors import SettingsError

_LOWEST = ssl.TLSVersion.TLSv1_2
_SECURITY_LEVEL = 2
"""OpenSSL's: keys of 112 bits of security at least, no SHA-1 in signatures."""

_HASHED_NAME = re.compile(r"[0-9a-f]{8}\.\d+", re.IGNORECASE)


@lru_cache
def context(*, trust_env: bool) -> ssl.SSLContext:
    """Return the context that believes the system's authorities; read once.

    Args:
        trust_env: Whether `SSL_CERT_FILE` and `SSL_CERT_DIR` replace them.

    Raises:
        SettingsError: What these two name cannot be read.
    """
    try:
        return pinned(httpx2.create_ssl_context(trust_env=trust_env))
    except OSError:  # ssl.SSLError is one
        raise SettingsError(
            "The certificates that SSL_CERT_FILE or SSL_CERT_DIR names can't be read. "
            "Correct the variable, or unset it to use the system's."
        ) from None


def pinned(made: ssl.SSLContext) -> ssl.SSLContext:
    """Raise a context's lowest version and security level to ours; never lower one."""
    made.minimum_version = max(made.minimum_version, _LOWEST)
    if made.security_level < _SECURITY_LEVEL:
        made.set_ciphers(f"DEFAULT:@SECLEVEL={_SECURITY_LEVEL}")
    return made


def missing_authorities() -> str | None:
    """Say so when there is no authority to believe: every call would fail."""
    if context(trust_env=True).cert_store_stats()["x509_ca"]:
        return None
    folder = ssl.get_default_verify_paths().capath  # read when needed, so not counted
    if folder and any(_HASHED_NAME.fullmatch(each.name) for each in _files(folder)):
        return None
    return (
        "No certificate authorities were found, so no https call can succeed. Install "
        "the system's (Debian: ca-certificates) or set SSL_CERT_FILE."
    )


def _files(folder: str) -> list[Path]:
    try:
        return list(Path(folder).iterdir())
    except OSError:
        return []
