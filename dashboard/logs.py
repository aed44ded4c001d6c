"""Logs for the operator: one line each on standard error, secrets removed.

Everything goes this way: our own events, the standard library's (Flask, Granian,
SQLAlchemy, asyncio), warnings, and what ends a thread.
"""

import logging
import re
import sys
import threading
import time
from collections.abc import Callable, Hashable, MutableMapping
from enum import StrEnum
from typing import Any

import structlog

_SECRET_WORDS = ("secret", "token", "password", "api_key", "code", "authorization")
_REMOVED = "(removed)"
_PARAMETERS = "code|state|token|secret|key|pwd|password"
_SAY_AGAIN_S = 60.0
_LONGEST = 32_768
"""Of one value, in characters: a trace that ends in a loop has megabytes."""

# Each begins with a literal and has a bounded or possessive part: linear in the text.
_SECRET_PLACES = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"(/connect/[^/\s?#]{1,200}/i/)[^/\s?#\"']++", rf"\1{_REMOVED}"),
        (r"(/password/)[^/\s?#\"']++", rf"\1{_REMOVED}"),
        (r"(/tokens/)[^/\s?#\"']++", rf"\1{_REMOVED}"),
        (rf"([?&][a-z_]{{0,40}}(?:{_PARAMETERS})=)[^&\s\"']++", rf"\1{_REMOVED}"),
        (r"(\bwhsec_)[A-Za-z0-9+/=_-]++", rf"\1{_REMOVED}"),
        (r"(\b[Bb]earer )[^\s\"']++", rf"\1{_REMOVED}"),
        (r"(://[^\s/:@]{0,200}:)[^\s/@]{1,200}@", rf"\1{_REMOVED}@"),
    )
)


class Level(StrEnum):
    """The least severe events that are logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Format(StrEnum):
    """How a line is written."""

    JSON = "json"
    TEXT = "text"


def set_up(*, level: Level = Level.INFO, form: Format = Format.JSON) -> None:
    """Send structlog and the standard library's logs to standard error.

    Args:
        level: The least severe events of ours; of libraries, warnings at least.
        form: JSON, or `key=value`. Either way one line for each event.
    """
    number = getattr(logging, level.name)
    before: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    after = [_without_secrets, *_written(form)]
    structlog.configure(
        processors=[*before, structlog.processors.format_exc_info, *after],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                *before,
                structlog.stdlib.add_logger_name,
                structlog.processors.format_exc_info,
            ],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *after,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(number, logging.WARNING))
    logging.captureWarnings(capture=True)
    threading.excepthook = _thread_ended


class Outage:
    """Logs a failure that goes on: the first, each minute that it lasts, and its end.

    Thread-safe. Ending costs one look while nothing failed.

    Args:
        logger: Of the module whose failure it is.
        first: Event of the first failure.
        still: Event of a later one, with `failures` and `since_s`.
        over: Event of the end, a warning, likewise.
        level: Of the first and the later ones.
        calm_s: How long there must be no failure before it is over: among thousands
            of requests a few may succeed meanwhile.
        is_logged: Whether to log at all, or only to count.
        monotonic: Seconds that pass, whatever the clock is set to.

    Attributes:
        failures: How many there were in the life of this process.
    """

    def __init__(  # noqa: PLR0913 - three names and three choices
        self,
        logger: Any,  # noqa: ANN401 - structlog's own type
        first: str,
        still: str,
        over: str,
        *,
        level: Level = Level.ERROR,
        calm_s: float = 0.0,
        is_logged: bool = True,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.failures = 0
        self._monotonic = monotonic
        self._log = logger
        self._events = (first, still, over)
        self._level = level.value
        self._calm_s = calm_s
        self._is_logged = is_logged
        self._lock = threading.Lock()
        self._began_s: float | None = None
        self._began_with = 0
        self._said_s = self._failed_s = 0.0

    def record(self, **facts: object) -> None:
        """Count a failure; `facts` go with its line, if it is logged."""
        now_s = self._monotonic()
        with self._lock:
            self.failures += 1
            self._failed_s = now_s
            is_first = self._began_s is None
            if self._began_s is None:
                self._began_s, self._began_with = now_s, self.failures - 1
            elif now_s - self._said_s < _SAY_AGAIN_S:
                return
            self._said_s = now_s
            since_s, failures = now_s - self._began_s, self.failures - self._began_with
        if not self._is_logged:
            return
        if not is_first:
            facts |= {"failures": failures, "since_s": round(since_s)}
        say = getattr(self._log, self._level)
        say(self._events[0 if is_first else 1], **facts)

    def end(self, *, since: int | None = None) -> None:
        """Note a success.

        Args:
            since: `failures` when what succeeded began. It proves nothing once there
                was another.
        """
        if self._began_s is None or since not in (None, self.failures):
            return
        now_s = self._monotonic()
        with self._lock:
            if self._began_s is None or now_s - self._failed_s < self._calm_s:
                return
            since_s = now_s - self._began_s
            failures = self.failures - self._began_with
            self._began_s = None
        if self._is_logged:
            self._log.warning(
                self._events[2], failures=failures, since_s=round(since_s, 1)
            )


class Outages:
    """An `Outage` for each key: what one sender causes does not hide the others.

    Thread-safe.

    Args:
        logger: As `Outage`'s.
        names: Its three events.
        level: As `Outage`'s.
        calm_s: As `Outage`'s.
        monotonic: As `Outage`'s.
    """

    def __init__(
        self,
        logger: Any,  # noqa: ANN401 - structlog's own type
        *names: str,
        level: Level = Level.WARNING,
        calm_s: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._logger, self._names, self._level = logger, names, level
        self._calm_s, self._monotonic = calm_s, monotonic
        self._found: dict[Hashable, Outage] = {}

    def record(self, key: Hashable, /, **facts: object) -> None:
        """Count a failure of this key; there are few keys, none of a stranger's."""
        found = self._found.get(key) or self._found.setdefault(key, self._new())
        found.record(**facts)

    def end(self) -> None:
        """Note that there was none now; of which key makes no difference."""
        for each in tuple(self._found.values()):
            each.end()

    def _new(self) -> Outage:
        first, still, over = self._names
        return Outage(
            self._logger,
            *(first, still, over),
            level=self._level,
            calm_s=self._calm_s,
            monotonic=self._monotonic,
        )


SERVER = {
    "handlers": {},
    "loggers": {
        name: {"handlers": [], "propagate": True}
        for name in ("_granian", "granian.access")
    },
}
"""For Granian's `log_dictconfig`: its loggers write as all others do."""


def masked(text: str) -> str:
    """Return the text without the secrets that an address or a header may hold."""
    text = text[:_LONGEST]
    for pattern, replacement in _SECRET_PLACES:
        text = pattern.sub(replacement, text)
    return text


def _thread_ended(hook: threading.ExceptHookArgs) -> None:
    if hook.exc_type is SystemExit or hook.exc_value is None:
        return
    structlog.get_logger(__name__).error(
        "thread.ended",
        thread=hook.thread.name if hook.thread else "",
        exc_info=hook.exc_value,
    )


def _written(form: Format) -> list[Any]:
    if form is Format.JSON:
        return [structlog.processors.JSONRenderer()]
    return [
        structlog.processors.LogfmtRenderer(
            key_order=["timestamp", "level", "event"], bool_as_flag=False
        )
    ]


def _without_secrets(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    # The last net, not the rule: nobody is to log a secret in the first place.
    for key, value in event.items():
        if any(word in key.lower() for word in _SECRET_WORDS):
            event[key] = _REMOVED
        elif isinstance(value, str):
            event[key] = masked(value)
        elif isinstance(value, (list, tuple, dict)):
            event[key] = masked(str(value))
    return event
