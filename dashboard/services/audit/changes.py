"""What changed, old and new, in words; pure."""

import json
from collections.abc import Mapping
from datetime import datetime
from enum import Enum

from dashboard.db.columns import storable

Changes = Mapping[str, tuple[str, str]]

_LONGEST = 200


def changed(before: Mapping[str, object], after: Mapping[str, object]) -> Changes:
    """Return what differs, by name, with its old and new text.

    Both hold the same names, as a person reads them. Secrets do not belong in it: give
    a fingerprint, or nothing.
    """
    pairs = {
        name: (_words(before.get(name)), _words(value)) for name, value in after.items()
    }
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def packed(changes: Changes | None) -> str:
    """Return the changes as they are stored."""
    if not changes:
        return ""
    plain = {name: list(pair) for name, pair in changes.items()}
    return storable(json.dumps(plain, ensure_ascii=False))


def unpacked(text: str) -> Changes:
    """Return stored changes; nothing when a data deletion left no JSON."""
    try:
        return {name: (old, new) for name, (old, new) in json.loads(text).items()}
    except (ValueError, AttributeError, TypeError):
        return {}


def _words(value: object) -> str:
    match value:
        case None | "":
            return "none"
        case bool():
            return "yes" if value else "no"
        case datetime():
            return value.isoformat(timespec="seconds").replace("+00:00", "Z")
        case Enum():
            return str(value.value)
        case str():
            text = value
        case list() | tuple() | set() | frozenset():
            text = ", ".join(sorted(str(each) for each in value)) or "none"
        case _:
            text = str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
