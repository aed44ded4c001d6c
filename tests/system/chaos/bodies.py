"""Events as Zoom might write them, awkward to whoever parses and writes them again."""

import random
from dataclasses import dataclass
from hashlib import sha256

_EVENTS = (
    "meeting.created",
    "meeting.updated",
    "meeting.started",
    "meeting.participant_joined",
    "recording.completed",
    "user.updated",
)
# Raw BMP characters, escaped pairs in capitals, escapes that need not be, a line
# separator and an escaped NUL: each is other bytes once it was parsed.
_TOPICS = (
    "Übung … \\uD83D\\uDE92",
    "会議 \\u4F1A\\u8B70 一",
    "a\\/b \\u0061\\u0062 “c”",
    "caf\\u00e9 cafe\u0301 \u2028\u00a0",
    "\\u0000 inside",
    'quoted \\"twice\\" and \\\\ back',
    "plain",
)
# Parsed they are no longer what they were, or no text at all (a lone surrogate): such
# bodies are the same event only when their bytes are.
_ODD = ("1.0", "1e2", "-0", "0.10", "12345678901234567890123", '"\\uD83D alone"')
_GAPS = ("", "", " ", "\n", "  ")
_TWICE, _ODD_SHARE = 0.05, 0.2


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One event and its bytes.

    Attributes:
        number: Tells it from every other of the run.
        bodies: Its spellings; a few have two, as overlapping subscriptions might send.
    """

    number: int
    bodies: tuple[bytes, ...]

    @property
    def digests(self) -> tuple[str, ...]:
        """SHA-256 of each spelling, hex."""
        return tuple(sha256(body).hexdigest() for body in self.bodies)


def make(run: str, number: int, draw: random.Random) -> Event:
    """Return an event no other number of this run has, of 0.3 to 3 KB."""
    zoom_id = str(draw.randrange(10**10, 10**11))
    about = {
        "uuid": f'"{run}-{number}=="',
        "id": draw.choice((f'"{zoom_id}"', zoom_id)),
        "host_id": f'"zUsEr{draw.randrange(10**6):017d}"',
        "topic": f'"{draw.choice(_TOPICS)}"',
        "agenda": '"' + "x" * draw.randrange(2500) + '"',
    }
    outer = {
        "event": f'"{draw.choice(_EVENTS)}"',
        "event_ts": str(1_760_000_000_000 + number),
    }
    spellings = 2 if draw.random() < _TWICE else 1
    if spellings == 1 and draw.random() < _ODD_SHARE:
        about["odd"] = draw.choice(_ODD)
    bodies = tuple(_spelled(outer, about, draw) for _ in range(spellings))
    return Event(number=number, bodies=bodies)


def _spelled(
    outer: dict[str, str], about: dict[str, str], draw: random.Random
) -> bytes:
    payload = {"account_id": '"AbCdEfGhIjKlMnOpQrStUv"', "object": _object(about, draw)}
    return _object({**outer, "payload": _object(payload, draw)}, draw).encode()


def _object(members: dict[str, str], draw: random.Random) -> str:
    names = list(members)
    draw.shuffle(names)
    gap = draw.choice(_GAPS)
    return "{" + ",".join(f'{gap}"{name}":{gap}{members[name]}' for name in names) + "}"
