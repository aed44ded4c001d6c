"""Two days of two Zoom apps, in simulated time."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from pydantic import SecretStr
from werkzeug.serving import WSGIRequestHandler, make_server

from dashboard.app import create_app
from dashboard.demo import actions
from dashboard.demo.actions import Story
from dashboard.demo.people import PEOPLE, Fate, Person
from dashboard.demo.simulators import Simulators
from dashboard.models.zoom_app import Environment, Routing
from dashboard.services.probes import recall_webhook
from dashboard.services.runtime import Runtime

_TICK = timedelta(minutes=15)

# Chance of a meeting in a quarter of an hour, by hour of the day (UTC).
_BUSY = [
    *([0.02] * 7),
    *(0.3, 0.6, 0.8, 0.8, 0.7, 0.4, 0.7, 0.8, 0.7, 0.5, 0.3),
    *([0.05] * 6),
]


def play(runtime: Runtime, world: Simulators, listener: socket.socket) -> None:
    """Play the whole story; afterwards the simulators are at real time again."""
    with _serving(runtime, listener):
        story = Story(runtime, world)
        _beginning(story)
        _everyday(story)
        _trouble(story)
        _last_hour(story)
        world.set_clock(None)
        runtime.clock.set(None)
        story.settle()


def _beginning(story: Story) -> None:
    api_key = SecretStr(story.world.recall("workspaces", region="us-east-1")["api_key"])
    story.at(story.now)
    story.set_up(Environment.DEVELOPMENT, "Notetaker trial", api_key)
    story.at(story.now + timedelta(minutes=20))
    story.set_up(Environment.PRODUCTION, "Notetaker", api_key)
    story.link()
    actions.invite(story.runtime, story.apps[Environment.PRODUCTION])
    story.make_by_hand("Pilot", api_key)


def _everyday(story: Story) -> None:
    coming = [one for one in PEOPLE if one.fate is not Fate.EXPIRES]
    while story.now < story.end - timedelta(hours=3):
        story.at(story.now + _TICK)
        if coming and story.chance.random() < 0.5:  # noqa: PLR2004 - every other tick
            story.join(coming.pop(0))
        if story.connected and story.chance.random() < _BUSY[story.now.hour]:
            story.meet(story.chance.choice(story.connected[:7]))
        _weather(story)
    for person in coming:
        story.join(person)


def _weather(story: Story) -> None:
    """Let Recall be down for an hour a day ago, and Zoom send twice for another."""
    hours_left = (story.end - story.now) / timedelta(hours=1)
    is_down = 22 < hours_left <= 23  # noqa: PLR2004 - one hour
    story.world.recall("switches", webhook_answer=503 if is_down else "ok")
    if is_down:
        story.meet(story.connected[0])
    is_double = 7 < hours_left <= 8  # noqa: PLR2004 - one hour
    story.world.zoom("switches", duplicate=is_double)
    if is_double:
        story.meet(story.connected[3])


def _trouble(story: Story) -> None:
    story.at(story.end - timedelta(hours=2, minutes=40))
    actions.abandon(story.runtime, story.apps[Environment.PRODUCTION])
    story.forge(requests=14)
    with _rejecting(story):
        story.meet(story.connected[1])
    # Routing "direct" without changing Zoom's console: stored, not forwarded.
    story.route(Environment.DEVELOPMENT, Routing.DIRECT)
    story.meet(next(one for one in story.connected if one.is_tester))
    story.route(Environment.DEVELOPMENT, Routing.RELAY)
    story.at(story.end - timedelta(hours=2))
    for person in _with_fate(Fate.REMOVES_APP):
        story.remove_app(person)
    story.swap_secret_in_recall(Environment.DEVELOPMENT)


@contextmanager
def _rejecting(story: Story) -> Iterator[None]:
    """Let Recall reject events alone; it passes the dashboard's tests."""
    switch = story.world.recall
    switch("switches", webhook_answer=422, webhook_answer_to="events")
    yield
    switch("switches", webhook_answer="ok", webhook_answer_to="all")


def _last_hour(story: Story) -> None:
    # What Recall rejected more than an hour ago is tried once more, and has failed.
    with _rejecting(story):
        story.at(story.end - timedelta(minutes=95))
    story.at(story.end - timedelta(minutes=57))
    for person in _with_fate(Fate.EXPIRES):
        story.join(person)
    testers = [one for one in story.connected if one.is_tester]
    story.at(story.end - timedelta(minutes=30))
    story.meet(testers[0])
    story.meet(story.connected[2])
    story.check()
    story.at(story.end - timedelta(minutes=2))
    recall_webhook.probe(story.runtime, story.apps[Environment.PRODUCTION])
    recall_webhook.probe(story.runtime, story.apps[Environment.DEVELOPMENT])
    story.world.recall("switches", refresh_ahead=False)
    for person in _with_fate(Fate.EXPIRES):
        story.look_at(person)
    story.world.recall("switches", refresh_ahead=True)
    story.world.zoom("switches", rate_limit="qps")
    for person in _with_fate(Fate.ZOOM_BUSY):
        story.look_at(person)
    story.world.zoom("switches", rate_limit="off")
    story.meet(story.connected[0])


def _with_fate(fate: Fate) -> list[Person]:
    return [person for person in PEOPLE if person.fate is fate]


class _Quiet(WSGIRequestHandler):
    """The story's own server keeps no request log."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


@contextmanager
def _serving(runtime: Runtime, listener: socket.socket) -> Iterator[None]:
    """Serve the dashboard to the simulators and visitors while the story plays."""
    host, port = listener.getsockname()[:2]
    server = make_server(
        host,
        port,
        create_app(runtime),
        threaded=True,
        request_handler=_Quiet,
        fd=listener.fileno(),
    )
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
