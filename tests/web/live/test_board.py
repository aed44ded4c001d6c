"""What is told of a topic: drawn once for a role and version, at a bounded limit."""

from collections.abc import Collection, Iterable
from uuid import UUID

import pytest

from dashboard.models.staff import Role
from dashboard.web.live.board import Board, Fragment, RateLimit
from dashboard.web.signin import Onlooker

ADMIN = ("overview", Onlooker(Role.ADMIN))
SUPPORT = ("overview", Onlooker(Role.SUPPORT))


class Artist:
    """Draws what it is told to, and notes for whom."""

    def __init__(self) -> None:
        self.html = b"<p>\r\none\n</p>"
        self.drawn: list[tuple[str, Onlooker]] = []

    def __call__(
        self, topic: str, onlookers: Collection[Onlooker]
    ) -> dict[Onlooker, Fragment]:
        self.drawn += [(topic, each) for each in onlookers]
        if topic != "overview":
            return {}
        return dict.fromkeys(onlookers, Fragment(f"/{topic}", self.html))


@pytest.fixture
def artist() -> Artist:
    return Artist()


@pytest.fixture
def board(artist: Artist) -> Board:
    return Board(artist)


def update(
    board: Board, version: str, now_s: float, *watched: tuple[str, Onlooker]
) -> None:
    named = {topic: version for topic, _ in watched or [ADMIN]}
    board.update(watched or [ADMIN], named, now_s=now_s)


def opened(instants: Iterable[float]) -> Collection[float]:
    limit, found = RateLimit(), []
    for now_s in instants:
        if now_s >= limit.opens_at_s:
            limit.spend(now_s)
            found.append(now_s)
    return found


def test_the_pace_is_three_at_once_and_then_one_a_second() -> None:
    assert opened([10, 10, 10, 10, 10.9, 11, 11.9, 12.5, 13]) == [
        *(10, 10, 10),
        *(11, 12.5, 13),
    ]


def test_a_rest_is_worth_three_at_once_and_no_more() -> None:
    assert opened([0, 100, 100, 100, 100]) == [0, 100, 100, 100]


def test_the_same_version_is_drawn_once_for_a_role(
    board: Board, artist: Artist
) -> None:
    for now_s in range(10):
        update(board, "1", now_s, ADMIN, ADMIN, SUPPORT)

    assert set(artist.drawn) == {ADMIN, SUPPORT}
    assert len(artist.drawn) == 2


def test_a_thousand_changes_in_ten_seconds_are_drawn_a_dozen_times(
    board: Board, artist: Artist
) -> None:
    for number in range(1000):
        update(board, str(number), 100 + number / 100)

    assert len(artist.drawn) == 12


def test_the_last_of_a_burst_is_never_lost(board: Board, artist: Artist) -> None:
    for number in range(5):
        artist.html = b"%d" % number
        update(board, str(number), 100)
    said = board.message(*ADMIN)

    update(board, "4", board.due_s)

    assert b"data: 2\n" in said.body
    assert b"data: 4\n" in board.message(*ADMIN).body


def test_nobody_need_look_while_no_topic_may_be_told_of(board: Board) -> None:
    other = ("webhooks", Onlooker(Role.ADMIN))
    for number in range(3):
        board.update([ADMIN], {"overview": str(number)}, now_s=100)
    alone = board.opens_s
    board.update([ADMIN, other], {"overview": "2", "webhooks": "1"}, now_s=100)

    assert (alone, board.opens_s) == (101, 99)


def test_who_opens_a_page_in_a_burst_does_not_wait(
    board: Board, artist: Artist
) -> None:
    for number in range(5):
        update(board, str(number), 100)

    update(board, "5", 100, ADMIN, SUPPORT)

    assert artist.drawn.count(SUPPORT) == 1
    assert board.message(*SUPPORT).is_drawn


def test_a_status_that_time_alone_changed_is_drawn_within_a_minute(
    board: Board, artist: Artist
) -> None:
    update(board, "1", 0)
    before = board.message(*ADMIN).tag
    artist.html = b"overdue"

    update(board, "1", board.due_s)

    assert board.due_s == 120
    assert board.message(*ADMIN).tag != before


def test_how_long_ago_a_thing_was_is_no_news(board: Board, artist: Artist) -> None:
    artist.html = b"<time data-ago>1 s ago</time>"
    update(board, "1", 0)
    before = board.message(*ADMIN).tag
    artist.html = b"<time data-ago>2 s ago</time>"

    update(board, "2", 10)

    assert len(artist.drawn) == 2
    assert board.message(*ADMIN).tag == before


def test_html_of_several_lines_is_one_event(board: Board) -> None:
    update(board, "1", 0)

    head, *lines = board.message(*ADMIN).body.splitlines()

    assert head == b"event: drawn"
    assert lines[0].startswith(b"data: overview /overview ")
    assert lines[1:] == [b"data: <p>", b"data: one", b"data: </p>"]


def test_of_what_cannot_be_drawn_only_the_name_is_told(board: Board) -> None:
    update(board, "1", 0, ("webhooks", Onlooker(Role.ADMIN)))

    message = board.message("webhooks", Onlooker(Role.ADMIN))

    assert (message.body, message.is_drawn) == (
        b"event: changed\ndata: webhooks\n",
        False,
    )


def test_people_with_other_limits_are_sent_other_messages(
    board: Board, artist: Artist
) -> None:
    limited = ("overview", Onlooker(Role.SUPPORT, frozenset({UUID(int=1)})))

    update(board, "1", 0, SUPPORT, limited)

    assert set(artist.drawn) == {SUPPORT, limited}


def test_what_nobody_watches_is_forgotten(board: Board, artist: Artist) -> None:
    update(board, "1", 0)
    update(board, "1", 0, ("webhooks", Onlooker(Role.ADMIN)))

    update(board, "1", 0)

    assert artist.drawn.count(ADMIN) == 2
