"""Takes secrets out of what a vendor says, before anybody else sees it.

Vendors echo what they were sent (docs/contracts/recall.md 1.7, checked 2026-11-23).
"""

import json
import re
from collections.abc import Iterable
from html import escape
from urllib.parse import quote, quote_plus

from pydantic import SecretStr

LONGEST_DETAIL = 300
"""Characters kept of a vendor's sentence."""

_REMOVED = "[removed]"
_SHORTEST_ANYWHERE = 4
# What looks like a credential, whoever sent it: a JWT, Recall's verification secret,
# and any unbroken run too long for an id (UUIDs have 36 characters, Zoom's ids 22).
_LIKE_A_SECRET = re.compile(
    r"eyJ[\w-]{5,}(?:\.[\w-]*){0,2}|whsec_[\w+/=-]+|[\w+=-]{40,}", re.ASCII
)
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def scrub(text: str, secrets: Iterable[SecretStr] = ()) -> str:
    """Return `text` on one line, capped, without `secrets` in any usual spelling.

    Not caught: a vendor that echoes only a part of a secret.
    """
    values = {value for secret in secrets for value in _spellings(secret)}
    for value in sorted(values, key=len, reverse=True):
        pattern = re.escape(value)
        if len(value) < _SHORTEST_ANYWHERE:
            # Recall takes a dummy such as "a" for a secret (docs/contracts/recall.md
            # 3.1).
            pattern = rf"(?<!\w){pattern}(?!\w)"
        text = re.sub(pattern, _REMOVED, text, flags=re.IGNORECASE)
    text = _LIKE_A_SECRET.sub(_REMOVED, text)
    text = " ".join(_UNPRINTABLE.sub(" ", text).split())
    if len(text) > LONGEST_DETAIL:
        return text[: LONGEST_DETAIL - 1] + "…"
    return text


def _spellings(secret: SecretStr) -> set[str]:
    plain = secret.get_secret_value()
    both = {plain, plain.strip()}
    written = {
        spell(value)
        for value in both
        for spell in (quote, quote_plus, escape, _quoted_whole, _in_json)
    }
    return {value for value in both | written if value}


def _quoted_whole(value: str) -> str:
    return quote(value, safe="")


def _in_json(value: str) -> str:
    return json.dumps(value)[1:-1]
