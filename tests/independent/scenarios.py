"""Scenarios that are written, not drawn: each once showed what was not so."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from types import MappingProxyType

from tests.independent.model import Model
from tests.independent.world import Outage

Say = Callable[[str], None]

_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def _wait(model: Model, amount: timedelta, say: Say) -> None:
    step = max(amount / 12, 5 * _MINUTE)
    model.pass_time(amount, step=timedelta(seconds=round(step.total_seconds())))
    model.read(f"{amount}", say)


def secret_token_regenerated(model: Model, say: Say) -> None:
    """Zoom signs with a secret token that the dashboard does not have."""
    model.rotate_token()
    for _ in range(4):
        model.meet()
        model.settle()
        _wait(model, 15 * _MINUTE, say)
    _wait(model, 5 * _HOUR, say)
    model.put_right()
    model.settle()
    _wait(model, _HOUR, say)


def other_secret_in_recall(model: Model, say: Say) -> None:
    """Recall rejects what is signed with Zoom's secret token."""
    model.change_in_recall()
    model.meet()
    model.settle()
    _wait(model, 30 * _MINUTE, say)
    _wait(model, 6 * _HOUR, say)
    model.put_right()
    model.settle()
    _wait(model, _HOUR, say)


def no_worker(model: Model, say: Say) -> None:
    """The worker dies; then a user's authorization ends."""
    model.meet()
    model.settle()
    model.kill_worker()
    model.meet()
    model.settle()
    _wait(model, 6 * _MINUTE, say)
    model.end_grant()
    _wait(model, 3 * _HOUR, say)
    model.start_worker()
    model.settle()
    _wait(model, 20 * _MINUTE, say)


def client_secret_regenerated(model: Model, say: Say) -> None:
    """Zoom refuses the pair of the app; after a day it is put right."""
    model.rotate_secret()
    model.settle()
    _wait(model, 2 * _HOUR, say)
    _wait(model, 28 * _HOUR, say)
    model.put_right()
    model.settle()
    _wait(model, 2 * _HOUR, say)


def portal_before_recall(model: Model, say: Say) -> None:
    """What answers in Recall's place says 200, with a web page."""
    model.begin(Outage.PORTAL)
    model.meet()
    model.settle()
    _wait(model, _HOUR, say)
    model.put_right()
    model.settle()
    _wait(model, _HOUR, say)


def disconnected_by_staff(model: Model, say: Say) -> None:
    model.disconnect()
    model.settle()
    _wait(model, 6 * _MINUTE, say)
    _wait(model, 8 * _HOUR, say)


def mappings_not_listed(model: Model, say: Say) -> None:
    """Recall maps a meeting, and its list of mappings fails."""
    model.begin(Outage.RECALL_MAPPINGS)
    model.meet()
    model.settle()
    _wait(model, 30 * _MINUTE, say)
    model.check_now()
    model.settle()
    model.read("check now", say)


def clock_was_ahead(model: Model, say: Say) -> None:
    """The host's clock is days ahead while things are seen, then right again."""
    model.go_ahead()
    model.settle()
    model.test_now()
    model.press_validate()
    model.settle()
    model.set_right()
    model.settle()
    model.rotate_token()
    model.end_grant()
    model.meet()
    model.settle()
    model.read("put right", say)
    _wait(model, 2 * _HOUR, say)
    _wait(model, 30 * _HOUR, say)
    _wait(model, 120 * _HOUR, say)


def clock_was_behind(model: Model, say: Say) -> None:
    """The host's clock falls behind; meanwhile a user and a secret change."""
    model.meet()
    model.settle()
    model.set_wrong(-3 * _DAY)
    model.settle()
    model.end_grant()
    model.change_in_recall()
    _wait(model, 2 * _HOUR, say)
    model.rotate_secret()
    _wait(model, 5 * _HOUR, say)
    model.set_right()
    model.settle()
    model.read("put right", say)
    _wait(model, 2 * _HOUR, say)
    model.put_right()
    model.settle()
    _wait(model, 30 * _HOUR, say)


def authorization_ended(model: Model, say: Say) -> None:
    """Zoom says nothing to anybody when an authorization ends."""
    model.end_grant()
    model.settle()
    _wait(model, 90 * _MINUTE, say)
    _wait(model, 4 * _HOUR, say)


def meeting_forgotten(model: Model, say: Say) -> None:
    """Recall lists a meeting no longer."""
    model.meet()
    model.settle()
    _wait(model, 20 * _MINUTE, say)
    model.unmap()
    model.settle()
    _wait(model, _HOUR, say)
    _wait(model, 28 * _HOUR, say)


def zoom_is_down(model: Model, say: Say) -> None:
    """Zoom answers nobody for days; then it does again."""
    model.meet()
    model.settle()
    model.begin(Outage.ZOOM)
    model.settle()
    _wait(model, 3 * _HOUR, say)
    _wait(model, 30 * _HOUR, say)
    _wait(model, 120 * _HOUR, say)
    model.put_right()
    model.settle()
    _wait(model, 2 * _HOUR, say)


def restored(model: Model, say: Say) -> None:
    """A backup takes the database's place, from before a user and new secrets came."""
    model.meet()
    model.settle()
    model.back_up()
    model.rotate_token()
    model.put_right()
    model.new_user()
    model.end_grant()
    model.settle()
    _wait(model, 3 * _HOUR, say)
    model.restore()
    model.read("the restore", say)
    model.settle()
    model.meet()
    model.settle()
    _wait(model, 2 * _HOUR, say)
    _wait(model, 30 * _HOUR, say)
    model.put_right()
    model.settle()
    _wait(model, _HOUR, say)


SCENARIOS: Mapping[str, Callable[[Model, Say], None]] = MappingProxyType(
    {
        each.__name__: each
        for each in (
            secret_token_regenerated,
            other_secret_in_recall,
            no_worker,
            client_secret_regenerated,
            portal_before_recall,
            disconnected_by_staff,
            mappings_not_listed,
            clock_was_ahead,
            clock_was_behind,
            authorization_ended,
            meeting_forgotten,
            zoom_is_down,
            restored,
        )
    }
)


def play(name: str, model: Model, say: Say) -> None:
    """Play one of them, a quarter of an hour after the set-up."""
    model.pass_time(15 * _MINUTE, step=5 * _MINUTE)
    SCENARIOS[name](model, say)
