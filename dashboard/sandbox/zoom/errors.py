"""Errors of the simulated Zoom's pages, OAuth endpoints and REST API."""


class RefusedError(Exception):
    """A page or the control API refuses a request; the message is one sentence."""


class MissingError(RefusedError):
    """There is no such app, user or meeting."""


class AuthorizeError(Exception):
    """The authorize page refuses a request.

    Attributes:
        code: Zoom's number (docs/contracts/zoom.md 2.4).
        message: `errorMessage` in the JSON answer.
        page: The sentence on the page.
    """

    def __init__(self, code: int, message: str, page: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.page = page


class TokenError(Exception):
    """The token endpoint refuses (docs/contracts/zoom.md 3.3)."""

    def __init__(self, error: str, reason: str, *, status: int = 400) -> None:
        super().__init__(reason)
        self.error = error
        self.reason = reason
        self.status = status


class ApiError(Exception):
    """The REST API refuses (docs/contracts/zoom.md 4.3).

    Attributes:
        errors: The list of `{field, message}` that comes with code 300.
        headers: Further response headers.
    """

    def __init__(
        self,
        status: int,
        code: int,
        message: str,
        *,
        errors: list[dict[str, str]] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.errors = errors
        self.headers = headers or {}
