"""`/_sandbox/…`: JSON control of the simulated Recall, for tests and the demo."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, current_app, jsonify, request
from flask.typing import ResponseReturnValue
from pydantic import TypeAdapter

from dashboard.sandbox.faults import Fault, Faults
from dashboard.sandbox.recall import credentials
from dashboard.sandbox.recall.requests import RefusalError, current_world

FAULTS = "sandbox_faults"

blueprint = Blueprint("control", __name__, url_prefix="/_sandbox")


@blueprint.post("/reset")
def reset() -> ResponseReturnValue:
    """Delete everything and clear the faults."""
    current_world().reset()
    _faults().set([])
    return jsonify({})


@blueprint.get("/state")
def state() -> ResponseReturnValue:
    """Return all data."""
    return jsonify(current_world().state())


@blueprint.get("/received")
def received() -> ResponseReturnValue:
    """Return the requests to the webhook receiver, of one app or of all."""
    return jsonify(current_world().received_by(request.args.get("app")))


@blueprint.get("/received/digests")
def digests() -> ResponseReturnValue:
    """Return counts of the events received, by SHA-256 of the body and status."""
    return jsonify(current_world().digests_by_status())


@blueprint.get("/calls")
def calls() -> ResponseReturnValue:
    """Return calls by workspace and operation, and the most in any 60 seconds."""
    return jsonify(current_world().rate_limiter.counts())


@blueprint.post("/workspaces")
def workspaces() -> ResponseReturnValue:
    """Create a workspace, or find it by its API key; renew its secret."""
    body = _body(dict)
    return jsonify(_checked(lambda: _workspace(**body)))


@blueprint.post("/clock")
def clock() -> ResponseReturnValue:
    """Set or advance the clock that both simulators share."""
    body = _body(dict)
    _checked(lambda: _move_clock(body))
    return jsonify(now=current_world().clock.now().isoformat())


@blueprint.post("/faults")
def faults() -> ResponseReturnValue:
    """Replace all faults."""
    body = _body(list)
    new = _checked(lambda: TypeAdapter(list[Fault]).validate_python(body))
    _faults().set(new)
    return jsonify(len(new))


@blueprint.post("/switches")
def switches() -> ResponseReturnValue:
    """Set switches by name and return all."""
    body = _body(dict)
    return jsonify(_checked(lambda: current_world().set_switches(body)))


@blueprint.post("/run-due")
def run_due() -> ResponseReturnValue:
    """Advance the meeting syncs now."""
    return jsonify(done=credentials.run_due_syncs(current_world()))


def _body(kind: type) -> Any:  # noqa: ANN401 - a JSON document
    body = request.get_json(silent=True)
    if not isinstance(body, kind):
        raise RefusalError(400, {"detail": f"Send a JSON {kind.__name__}."})
    return body


def _checked(act: Callable[[], Any]) -> Any:  # noqa: ANN401 - what `act` returns
    """Return what `act` returns; its errors become a 400 with a sentence."""
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
    workspace = current_world().add_workspace(region, api_key)
    if verification:
        current_world().renew_verification_secret(workspace.api_key)
    return workspace.as_json()


def _move_clock(body: dict[str, Any]) -> None:
    sim_clock = current_world().clock
    if "advance_s" in body:
        sim_clock.advance(float(body["advance_s"]))
        return
    text = body["now"]
    instant = None if text is None else datetime.fromisoformat(text)
    if instant is not None and instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    sim_clock.set(instant)


def _faults() -> Faults:
    found: Faults = current_app.extensions[FAULTS]
    return found
