"""Values pasted from a console: white space around them, and whether they are whole."""

from pydantic import SecretStr

from dashboard.errors import InvalidInputError

LONGEST = 200
"""Recall takes no more (docs/contracts/recall.md 3.1, checked 2026-11-23)."""

# Invisible characters that copying brings along and `str.strip()` leaves in place.
_INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff"


def trim(text: str) -> str:
    """Return the text without white space and invisible characters around it."""
    before = None
    while text != before:
        before, text = text, text.strip().strip(_INVISIBLE)
    return text


def trim_secret(secret: SecretStr) -> SecretStr:
    """Do the same to a secret."""
    return SecretStr(trim(secret.get_secret_value()))


def require_whole(text: str, *, label: str, field: str) -> None:
    """Refuse a trimmed value that cannot be what it should be.

    Lengths are not checked beyond Recall's limit: Zoom documents none.

    Raises:
        InvalidInputError: Empty, broken by white space, or too long. The message
            never holds the value.
    """
    if not text:
        raise InvalidInputError(f"The {label} is missing.", field=field)
    if len(text) > LONGEST:
        raise InvalidInputError(
            f"The {label} may have {LONGEST} characters; this has {len(text)}.",
            field=field,
        )
    if any(not char.isprintable() or char.isspace() for char in text):
        raise InvalidInputError(
            f"There is white space inside the {label}. Copy it again as a whole.",
            field=field,
        )
