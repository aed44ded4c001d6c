"""Cursors of the API: opaque, and of one list with one filter.

What a list's own cursor is wrapped in names that list, so one of another list, or one
that somebody made up, is refused instead of giving the first page again.
"""

import hashlib

from pydantic import BaseModel

from dashboard.web.api.problems import FieldProblem, ProblemError

_LENGTH = 12


def read(text: str | None, query: BaseModel) -> str | None:
    """Return the list's own cursor; None for the first page.

    Raises:
        ProblemError: It belongs to another list, or is none.
    """
    if text is None:
        return None
    mark, _, inner = text.partition(".")
    if not inner or mark != _mark(query, inner):
        raise ProblemError(
            422,
            "This cursor is not of this list with this filter. Begin without one.",
            code="invalid",
            errors=[FieldProblem(field="cursor", message="Not of this list.")],
        )
    return inner


def write(inner: str | int | None, query: BaseModel) -> str | None:
    """Return the cursor of the next page; None when there is none."""
    return None if inner is None else f"{_mark(query, str(inner))}.{inner}"


def _mark(query: BaseModel, inner: str) -> str:
    filters = query.model_dump_json(exclude={"cursor", "limit"})
    text = f"{type(query).__name__} {filters} {inner}"
    return hashlib.sha256(text.encode()).hexdigest()[:_LENGTH]
