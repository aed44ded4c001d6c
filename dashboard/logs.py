"""Logs for the operator: one line each on standard error, secrets removed.

Everything goes this way: our own events, the standard library's (Flask, Granian,
SQLAlchemy, asyncio), warnings, and what ends a thread.
"""

import logging
import re
import sys
import threading
from collections.abc import MutableMapping
from enum import StrEnum
from typing import Any

import structlog

_SECRET_WORDS = ("secret", "token", "password", "api_key", "code", "authorization")
_REMOVED = "(removed)"
_PARAMETERS = "code|state|token|secret|key|pwd|password"
_LONGEST = 32_768
"""Of one value, in characters: a trace that ends in a loop has megabytes."""

# Each begins with a literal and has a bounded or possessive part: linear in the text.
_SECRET_PLACES = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"(/connect/[^/\s?#]{1,200}/i/)[^/\s?#\"']++", rf"\1{_REMOVED}"),
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
