"""The newest message of each topic for each role, and how often; no clock, no threads.

A burst of events costs one drawing a second for each topic and each role (with the
same limits) that somebody watches, however many pages are open and events arrive.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

from dashboard.web.etags import tag_of
from dashboard.web.signin import Onlooker

_EVERY_S = 1.0
_AT_ONCE = 3
_LOOK_AGAIN_S = 60.0
"""Time alone changes a status (overdue, silent) without a row that says so."""


@dataclass(frozen=True)
class Fragment:
    """The live part of a page: the address that answers it, and its HTML."""

    address: str
    html: bytes


Draw = Callable[[str, Collection[Onlooker]], Mapping[Onlooker, Fragment]]
"""Draws what onlookers see of a topic; for one left out each page asks for itself."""


@dataclass(frozen=True)
class Message:
    """What a page is sent: HTML, or that it should ask for it.

    Attributes:
        body: Lines of one server-sent event, without its end.
        tag: The same for the same content, in any process.
        is_drawn: Whether the HTML is in it.
    """

    body: bytes
    tag: str
    is_drawn: bool


class RateLimit:
    """Three at once after a pause, then one a second; the last change is never lost."""

    def __init__(self) -> None:
        self._paid_until_s = 0.0

    @property
    def opens_at_s(self) -> float:
        """When the next update is allowed."""
        return self._paid_until_s - (_AT_ONCE - 1) * _EVERY_S

    def spend(self, now_s: float) -> None:
        """Count one update."""
        self._paid_until_s = max(self._paid_until_s, now_s) + _EVERY_S


@dataclass
class _Topic:
    rate: RateLimit = field(default_factory=RateLimit)
    version: str = ""
    drawn_at_s: float = 0.0
    messages: dict[Onlooker, Message] = field(default_factory=dict)


class Board:
    """Keeps the newest message of each topic and onlooker that somebody watches.

    Attributes:
        due_s: When to update it again though nothing changed; monotonic seconds.
        opens_s: Before this the rate limit allows no update of any topic.
    """

    def __init__(self, draw: Draw) -> None:
        self._draw = draw
        self._topics: dict[str, _Topic] = {}
        self.due_s = float("inf")
        self.opens_s = 0.0

    def update(
        self,
        watched: Iterable[tuple[str, Onlooker]],
        versions: Mapping[str, str],
        *,
        now_s: float,
    ) -> None:
        """Draw what changed as far as the limit allows; drop what nobody watches.

        Args:
            watched: Topics, and who watches them.
            versions: From `runtime.live.topics`, of all of these topics.
            now_s: Monotonic seconds.
        """
        who: dict[str, set[Onlooker]] = defaultdict(set)
        for name, onlooker in watched:
            who[name].add(onlooker)
        self._topics = {name: self._topics.get(name, _Topic()) for name in who}
        self.due_s = float("inf")
        for name, topic in self._topics.items():
            self._update(name, topic, who[name], versions[name], now_s)
        openings = [topic.rate.opens_at_s for topic in self._topics.values()]
        self.opens_s = min(openings, default=0.0)

    def message(self, topic: str, onlooker: Onlooker) -> Message:
        """Return the message for them; both are among those last watched."""
        return self._topics[topic].messages[onlooker]

    def _update(
        self, name: str, topic: _Topic, who: set[Onlooker], version: str, now_s: float
    ) -> None:
        has_changed = version != topic.version
        if topic.messages and has_changed and now_s < topic.rate.opens_at_s:
            self.due_s = min(self.due_s, topic.rate.opens_at_s)
        elif has_changed or now_s >= topic.drawn_at_s + _LOOK_AGAIN_S:
            topic.messages = {}
            topic.version, topic.drawn_at_s = version, now_s
            topic.rate.spend(now_s)
        self.due_s = min(self.due_s, topic.drawn_at_s + _LOOK_AGAIN_S)
        missing = who - topic.messages.keys()
        if missing:  # a page that has just opened does not wait
            drawn = self._draw(name, missing)
            for each in missing:
                topic.messages[each] = _message(name, topic.version, drawn.get(each))


def _message(topic: str, version: str, fragment: Fragment | None) -> Message:
    if fragment is None:
        tag = hashlib.sha256(version.encode()).hexdigest()[:40]
        return Message(f"event: changed\ndata: {topic}\n".encode(), tag, False)
    tag = tag_of(fragment.html)
    lines = [f"{topic} {fragment.address} {tag}".encode()]
    lines += fragment.html.splitlines()
    body = b"event: drawn\n" + b"".join(b"data: %b\n" % line for line in lines)
    return Message(body, tag, is_drawn=True)
