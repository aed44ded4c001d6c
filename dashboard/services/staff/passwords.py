"""Passwords: which are taken, and how they are hashed and verified.

Hashing takes a core and 64 MB for a moment. It is refused inside a writing transaction.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from pydantic import SecretStr
from zxcvbn import zxcvbn

from dashboard import transactions
from dashboard.errors import ConflictError, InvalidInputError

SHORTEST = 12
LONGEST = 1024
NONE_YET = ""
"""The hash of a person who has not chosen a password yet: none matches it."""

HASHER = PasswordHasher()
"""Argon2id with the costs that its library recommends."""

_LOOKED_AT = 72
"""So much of a password is rated: more makes no weak one of it."""

_GOOD_SCORE = 3
"""Of 4: safe from someone who has stolen a slow hash; more than 10^8 guesses."""

_LEFT = 8
"""So many letters and digits must be left without the person's own words."""

_PRODUCT = ("dashboard", "zoom", "recall", "recallai", "meeting", "notetaker")
_WORD = re.compile(r"[^\W_]{3,40}")

_VERIFIED_AT_ONCE = 3
_verifying = BoundedSemaphore(_VERIFIED_AT_ONCE)
"""Each verification takes 64 MB and a core; strangers decide how many are asked for."""

_VERIFY_WAIT_S = 5.0
_hasher = HASHER
# Verified against when there is no hash, so that an unknown email costs a guesser as
# much time as a known one.
_unknown_hash = _hasher.hash("no account has this password")


def hash_with(hasher: PasswordHasher) -> None:
    """Hash passwords at other costs from now on, in this process."""
    global _hasher, _unknown_hash  # noqa: PLW0603 - one for the process
    _hasher = hasher
    _unknown_hash = hasher.hash("no account has this password")


def require_good(password: SecretStr, *, email: str) -> None:
    """Refuse a password that is short, common, or made of the person's own words.

    Raises:
        InvalidInputError: Says why.
    """
    text = password.get_secret_value()
    if not SHORTEST <= len(text) <= LONGEST:
        raise InvalidInputError(
            f"Use a password of {SHORTEST} to {LONGEST} characters.", field="password"
        )
    own = [email.lower(), *_WORD.findall(email.lower()), *_PRODUCT]
    rated = zxcvbn(text[:_LOOKED_AT], user_inputs=own)
    if _is_of_words(text, own):
        reason = "It is made of words of the email address or of this product"
    elif rated["score"] < _GOOD_SCORE:
        warning = str(rated["feedback"]["warning"] or "")
        reason = warning.rstrip(".") or "It is predictable"
    else:
        return
    raise InvalidInputError(
        f"This password is easy to guess. {reason}. Add several unrelated words, or "
        "use a password manager.",
        field="password",
    )


def _is_of_words(text: str, own: Sequence[str]) -> bool:
    """Whether little is left of a password without these words."""
    left = text.lower()
    for word in own:
        left = left.replace(word, "")
    without = "".join(filter(str.isalnum, left))
    return len(left) < len(text) and len(without) < _LEFT


def hashed(password: SecretStr) -> str:
    """Return the hash of a password."""
    transactions.require_none("hashing a password")
    return _hasher.hash(password.get_secret_value())


def verified(known: str, password: SecretStr) -> str | None:
    """Return the hash at today's costs if the password matches it, or None.

    Costs one hash whether or not there is one to match.

    Raises:
        ConflictError: Too many are being verified at this moment.
    """
    transactions.require_none("verifying a password")
    with _one_of_few():
        if not _matches(known or _unknown_hash, password) or not known:
            return None
        return hashed(password) if _hasher.check_needs_rehash(known) else known


@contextmanager
def _one_of_few() -> Iterator[None]:
    if not _verifying.acquire(timeout=_VERIFY_WAIT_S):
        raise ConflictError("Many people are signing in. Try again in a moment.")
    try:
        yield
    finally:
        _verifying.release()


def _matches(known: str, password: SecretStr) -> bool:
    try:
        return _hasher.verify(known, password.get_secret_value()[:LONGEST])
    except (VerificationError, InvalidHashError):
        return False
