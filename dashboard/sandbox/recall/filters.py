"""Query parameters of the lists, refused as django-filter refuses them.

A parameter nobody knows is ignored; an empty one counts as absent.
"""

import uuid
from datetime import UTC, datetime
from enum import StrEnum

from flask import request

from dashboard.sandbox.recall.here import FieldsError


def text(name: str) -> str | None:
    """Return a parameter as it came."""
    return request.args.get(name) or None


def identity(name: str) -> str | None:
    """Return a UUID parameter in lower case.

    Raises:
        FieldsError: It is no UUID.
    """
    value = text(name)
    try:
        return value and str(uuid.UUID(value))
    except ValueError:
        raise FieldsError({name: ["Enter a valid UUID."]}) from None


def number(name: str) -> int | None:
    """Return a whole-number parameter.

    Raises:
        FieldsError: It is no number.
    """
    value = text(name)
    try:
        return None if value is None else int(value)
    except ValueError:
        raise FieldsError({name: ["Enter a number."]}) from None


def choice(name: str, among: type[StrEnum]) -> str | None:
    """Return a parameter that is one of an enumeration.

    Raises:
        FieldsError: It is another word.
    """
    value = text(name)
    if value is None or value in set(among):
        return value
    said = f"Select a valid choice. {value} is not one of the available choices."
    raise FieldsError({name: [said]})


def within(name: str, instant: datetime | None) -> bool:
    """Whether an instant lies between `<name>_after` and `<name>_before`, inclusive.

    Raises:
        FieldsError: A bound is no ISO 8601 date-time.
    """
    after, before = _instant(f"{name}_after"), _instant(f"{name}_before")
    if instant is None:
        return after is None and before is None
    return (after is None or instant >= after) and (before is None or instant <= before)


def _instant(name: str) -> datetime | None:
    value = text(name)
    if value is None:
        return None
    try:
        instant = datetime.fromisoformat(value)
    except ValueError:
        raise FieldsError({name: ["Enter a valid date/time."]}) from None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
