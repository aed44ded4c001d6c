"""Everything raised on purpose. Each message is fit for staff: it holds no secret."""

from dataclasses import dataclass

_WITH_A_REASON = {400, 403, 422}


class DashboardError(Exception):
    """What went wrong, in one sentence that a person can act on.

    Attributes:
        is_logged: Whether `dashboard.db` logs it: once, not for each failure.
    """

    is_logged = False


class SettingsError(DashboardError):
    """A setting is missing or wrong. The message names it, never its value."""


class VaultError(DashboardError):
    """A sealed value cannot be opened: wrong key, altered bytes, or another row's."""


class StorageError(DashboardError):
    """The database cannot take this write now; nothing was stored.

    Attributes:
        reason: For the log and the command line. It may hold the driver's own words,
            with host, port and user; never the password.
    """

    def __init__(self, message: str, *, reason: str | None = None) -> None:
        super().__init__(message)
        self.reason = reason or message


class DatabaseUnavailableError(StorageError):
    """The database does not answer or refuses to work; the log has the reason."""

    is_logged = True


class DatabaseBusyError(StorageError):
    """Another process holds the only writing connection to this SQLite file."""


class SchemaError(StorageError):
    """The database's tables are not those of this version."""


@dataclass
class NotFoundError(DashboardError):
    """There is no such row.

    Attributes:
        noun: What was looked for, in product words ("zoom app").
    """

    noun: str

    def __str__(self) -> str:
        """Name what is missing."""
        return f"There is no such {self.noun}."


class ForbiddenError(DashboardError):
    """The person signed in may not do this."""


class ConflictError(DashboardError):
    """Somebody or something else was faster, or it is there already."""


class InvalidInputError(DashboardError):
    """Typed input cannot be taken.

    Attributes:
        field: Name of the form field or command option it belongs to, or None.
    """

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class UpstreamError(DashboardError):
    """Zoom or Recall refused, failed, or answered what the contract does not know.

    The text never holds the answer's body, a token or a secret.

    Attributes:
        service: "Zoom" or "Recall".
        status: HTTP status, or None when there was no answer.
        retryable: Whether the same call may succeed later without a person.
        retry_after_s: What the answer asked us to wait, in seconds.
        code: The vendor's own error word (`invalid_grant`, `authentication_failed`).
        detail: The vendor's sentence, redacted, at most 300 characters.
        may_have_happened: The request may have been carried out though no proper
            answer came: settle by looking, never by doing it again with a new key.
        conflicting_id: Zoom user or account id that Recall names in a conflict.
        is_page: Whether a web page came: of a proxy, a firewall or another server.
    """

    def __init__(  # noqa: PLR0913 - facts of one refusal, all named
        self,
        message: str,
        *,
        service: str,
        status: int | None = None,
        retryable: bool = False,
        retry_after_s: float | None = None,
        code: str | None = None,
        detail: str | None = None,
        may_have_happened: bool = False,
        conflicting_id: str | None = None,
        is_page: bool = False,
    ) -> None:
        super().__init__(message)
        self.service = service
        self.status = status
        self.retryable = retryable
        self.retry_after_s = retry_after_s
        self.code = code
        self.detail = detail
        self.may_have_happened = may_have_happened
        self.conflicting_id = conflicting_id
        self.is_page = is_page

    @property
    def own_status(self) -> int | None:
        """The status if the vendor itself answered; None for a page in its place."""
        return None if self.is_page else self.status

    def message(self) -> str:
        """Return the sentence, and the vendor's own where a person needs it to act."""
        if not self.detail or self.status not in _WITH_A_REASON:
            return str(self)
        return f"{self} {self.service} said: {self.detail}"


CUT = "…"
"""The mark where a text was cut."""


class GrantLostError(DashboardError):
    """Zoom accepts a held grant no more: its user must reconnect."""


def words(error: UpstreamError) -> str:
    """Return what went wrong with what the vendor said, at most 500 characters."""
    said = str(error)
    if error.detail and error.detail not in said:
        said = f"{said.rstrip('.')}: {error.detail}"
    return shortened(said, 500)


def shortened(text: str, length: int) -> str:
    """Return at most so many characters; a cut is marked, not to be read as whole."""
    return text if len(text) <= length else f"{text[: length - 1]}{CUT}"


class SendError(DashboardError):
    """A message was not taken; one sentence, without the address's secrets.

    Attributes:
        is_final: Another try can't help: the recipient or the message was refused.
        may_have_arrived: The answer was lost after the message was handed in.
    """

    def __init__(
        self, message: str, *, is_final: bool = False, may_have_arrived: bool = False
    ) -> None:
        super().__init__(message)
        self.is_final = is_final
        self.may_have_arrived = may_have_arrived


class AuditBrokenError(DashboardError):
    """The audit log was altered; says where it breaks."""
