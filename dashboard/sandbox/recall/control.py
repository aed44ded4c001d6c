"""The control API of the simulated Recall: for tests and the demo, not for clients."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, current_app, jsonify, request
from flask.typing import ResponseReturnValue
from pydantic import TypeAdapter

from dashboard.sandbox.faults import Fault, Faults
from dashboard.sandbox.recall.here import RefusalError, world

FAULTS = "sandbox_faults"

blueprint = Blueprint("control", __name__, url_prefix="/_sandbox")


@blueprint.post("/reset")
def reset() -> ResponseReturnValue:
    """Forget everything and clear the faults."""
    world().reset()
    _faults().set([])
    return jsonify({})


@blueprint.get("/state")
def state() -> ResponseReturnValue:
    """Show the whole world."""
    return jsonify(world().state())


@blueprint.get("/received")
def received() -> ResponseReturnValue:
    """Show what the webhook receiver got, of one app or of all."""
    return jsonify(world().received_by(request.args.get("app")))


@blueprint.get("/received/digests")
def digests() -> ResponseReturnValue:
    """Count what the receiver ever got by SHA-256 of the body and by its answer.

    The list above forgets the oldest of many; this forgets nothing.
    """
    return jsonify(world().digests_by_status())


@blueprint.get("/calls")
def calls() -> ResponseReturnValue:
    """Count what was asked by workspace and operation, with the peak of any 60 s."""
    return jsonify(world().throttle.tallies())


@blueprint.post("/workspaces")
def workspaces() -> ResponseReturnValue:
    """Make a workspace, or find it by its key; renew its verification secret."""
    body = _body(dict)
    return jsonify(_said(lambda: _workspace(**body)))


@blueprint.post("/clock")
def clock() -> ResponseReturnValue:
    """Set or advance the clock that both simulators share."""
    body = _body(dict)
    _said(lambda: _move_clock(body))
    return jsonify(now=world().clock.now().isoformat())


@blueprint.post("/faults")
def faults() -> ResponseReturnValue:
    """Replace all faults."""
    body = _body(list)
    struck = _said(lambda: TypeAdapter(list[Fault]).validate_python(body))
    _faults().set(struck)
    return jsonify(len(struck))


@blueprint.post("/switches")
def switches() -> ResponseReturnValue:
    """Set switches by name and show all."""
    body = _body(dict)
    return jsonify(_said(lambda: world().set_switches(body)))


@blueprint.post("/run-due")
def run_due() -> ResponseReturnValue:
    """Do the background work of one tick now."""
    return jsonify(done=world().run_due())


def _body(kind: type) -> Any:  # noqa: ANN401 - a JSON document
    body = request.get_json(silent=True)
    if not isinstance(body, kind):
        raise RefusalError(400, {"detail": f"Send a JSON {kind.__name__}."})
    return body


def _said(act: Callable[[], Any]) -> Any:  # noqa: ANN401 - what `act` returns
    """Return what `act` returns, its complaints as a 400 with a sentence."""
    try:
        return act()
    except (ValueError, TypeError, KeyError) as error:
        raise RefusalError(400, {"detail": str(error)}) from None


def _workspace(
    region: str = "us-west-2",
    api_key: str | None = None,
    *,
    verification: bool = False,
) -> dict[str, str | None]:
    made = world().add_workspace(region, api_key)
    if verification:
        world().renew_verification_secret(made.api_key)
    return made.as_json()


def _move_clock(body: dict[str, Any]) -> None:
    its_clock = world().clock
    if "advance_s" in body:
        its_clock.advance(float(body["advance_s"]))
        return
    text = body["now"]
    instant = None if text is None else datetime.fromisoformat(text)
    if instant is not None and instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    its_clock.set(instant)


def _faults() -> Faults:
    found: Faults = current_app.extensions[FAULTS]
    return found
