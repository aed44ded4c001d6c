"""Lists cut into pages by `page_size` and `next_page_token`.

Source: docs/contracts/zoom.md 4.2.
"""

import base64
import re

from flask import request

from dashboard.sandbox.zoom.refusals import ApiError

_LARGEST = 300
_USUAL = 30
_DIGITS = re.compile("[0-9]{1,3}")


def page(name: str, rows: list[dict[str, object]]) -> dict[str, object]:
    """Return the page this request asks for; its token is empty on the last.

    Raises:
        ApiError: 400 with code 300 for a wrong size or token.
    """
    size = _size()
    start = _offset(request.args.get("next_page_token", ""))
    end = start + size
    return {
        "page_size": size,
        "total_records": len(rows),
        "next_page_token": _token(end) if end < len(rows) else "",
        name: rows[start:end],
    }


def _size() -> int:
    text = request.args.get("page_size", str(_USUAL))
    if not _DIGITS.fullmatch(text) or not 1 <= int(text) <= _LARGEST:
        raise _invalid("page_size", f"Invalid field. At most {_LARGEST}.")
    return int(text)


def _token(offset: int) -> str:
    return base64.urlsafe_b64encode(f"sim-page-{offset:09}".encode()).decode()


def _offset(token: str) -> int:
    if not token:
        return 0
    try:
        text = base64.urlsafe_b64decode(token).decode()
        return int(text.removeprefix("sim-page-"))
    except ValueError:
        raise _invalid("next_page_token", "The next page token is invalid.") from None


def _invalid(field: str, message: str) -> ApiError:
    errors = [{"field": field, "message": message}]
    return ApiError(400, 300, "Validation Failed.", errors=errors)
