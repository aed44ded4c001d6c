"""What is really so, since when, and what a page may say of it.

The oracle reads no page and no database: it asks the world after each act, and knows
what it did itself.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.independent.world import World

GREEN_FOR = timedelta(minutes=75)
"""How long a connection that broke may be green: while the token that was seen lasts,
and the few minutes until the check after it."""

MAPPED_FOR = timedelta(hours=26)
LISTED_FOR = timedelta(minutes=65)
"""How long Explain may say that Recall has a mapping: as read within the hour."""

EVER = timedelta.max
"""For what says as of when it was seen, and cannot be seen anew."""

PAIR_FOR = timedelta(hours=26)
ROUND = timedelta(hours=97)
"""72 hours until Zoom's next challenge, and a day of grace."""

JUMP_FOR = timedelta(hours=23)
REFUSED_LEAST = 3
REFUSED_FOR = timedelta(minutes=20)
SKEW = timedelta(minutes=2)


@dataclass(kw_only=True)
class Truth:
    """One thing that is so or not, through time."""

    is_so: bool = False
    changes: list[tuple[datetime, bool]] = field(default_factory=list)

    def note(self, now: datetime, *, is_so: bool) -> None:
        if is_so != self.is_so or not self.changes:
            self.is_so = is_so
            self.changes.append((now, is_so))

    @property
    def false_since(self) -> datetime | None:
        return None if self.is_so or not self.changes else self.changes[-1][0]

    def was_so(self, at: datetime) -> bool:
        """Whether it was so at that instant, or until it, or from it on."""
        value = False
        for changed_at, is_so in self.changes:
            if changed_at > at:
                break
            value = is_so or (changed_at == at)
        return value


@dataclass(kw_only=True)
class Person:
    """A Zoom user.

    Attributes:
        path: Of the page of their last connection; "" if they never had one.
        is_here: The dashboard has a connection of them.
        works: A bot could get a token.
        left: Why they left, if they did: "removed" or "staff".
        connected: How often they came back from Zoom with their consent.
        is_lost: The only copy of their tokens is an older one.
    """

    user_id: str
    email: str
    path: str = ""
    is_here: bool = False
    works: Truth = field(default_factory=Truth)
    lives: Truth = field(default_factory=Truth)
    left: str = ""
    connected: int = 0
    is_lost: bool = False

    @property
    def changes_no_more(self) -> bool:
        """Whether they left, and all that was theirs has ended."""
        is_known = bool(self.works.changes)
        return is_known and not (self.is_here or self.lives.is_so or self.works.is_so)


@dataclass(kw_only=True)
class Oracle:
    """All of it.

    Attributes:
        zoom_signs_ours: Zoom signs with the secret token that the dashboard has.
        recall_has_ours: Recall has the dashboard's secret token, and answers.
        zoom_reaches_recall: Zoom signs with the secret token that Recall has, and it
            answers; with routing direct.
        pair: Recall has the pair that Zoom accepts.
        pair_here: The dashboard has it.
        secret_here: The secret token that was entered last.
        client_secret_here: The client secret that was entered last.
        app_is_right: Tokens can be had: no admin has anything to do about them.
        removals: How often a user removed the app.
        disconnects: How often staff disconnected somebody.
        invited: By email, whoever got a link.
    """

    world: World
    client_id: str
    secret_here: str
    client_secret_here: str
    client_secret: str
    people: list[Person] = field(default_factory=list)
    meetings: dict[int, Person] = field(default_factory=dict)
    made_at: dict[int, datetime] = field(default_factory=dict)
    mapped: dict[int, Truth] = field(default_factory=dict)
    zoom_signs_ours: Truth = field(default_factory=Truth)
    recall_has_ours: Truth = field(default_factory=Truth)
    zoom_reaches_recall: Truth = field(default_factory=Truth)
    pair: Truth = field(default_factory=Truth)
    pair_here: Truth = field(default_factory=Truth)
    app_is_right: Truth = field(default_factory=Truth)
    removals: int = 0
    disconnects: int = 0
    invited: dict[str, Person] = field(default_factory=dict)
    is_receiver_up: bool = True
    has_outage: bool = False

    def note(self, now: datetime) -> None:
        """Ask the world what is so now."""
        world, client_id = self.world, self.client_id
        for each in self.people:
            if each.changes_no_more:
                continue
            lives = world.lives(client_id, each.user_id)
            works = world.works(client_id, each.user_id)
            each.lives.note(now, is_so=lives)
            each.works.note(now, is_so=works)
        secret = world.zoom_secret(client_id)
        self.zoom_signs_ours.note(now, is_so=secret == self.secret_here)
        is_right = world.webhook_secret_in_recall(client_id) == self.secret_here
        self.recall_has_ours.note(now, is_so=is_right and self.is_receiver_up)
        is_same = world.webhook_secret_in_recall(client_id) == secret
        self.zoom_reaches_recall.note(now, is_so=is_same and self.is_receiver_up)
        self.pair.note(now, is_so=world.is_pair_right_in_recall(client_id))
        self.pair_here.note(now, is_so=self.client_secret_here == self.client_secret)
        is_right = self.pair.is_so and self.pair_here.is_so and not self.has_outage
        self.app_is_right.note(now, is_so=is_right)
        for number, host in self.meetings.items():
            is_his = world.mapped_to(number) == host.user_id
            self.mapped.setdefault(number, Truth()).note(now, is_so=is_his)
