"""`/_sandbox/…`: JSON control of the simulated Zoom, for tests and the demo."""

from collections.abc import Callable, Mapping
from datetime import datetime

from flask import Blueprint, Response, current_app, jsonify, request
from pydantic import AwareDatetime, TypeAdapter, ValidationError, validate_call
from pydantic_core import to_jsonable_python
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from dashboard.sandbox.faults import Fault, Faults
from dashboard.sandbox.zoom.errors import AuthorizeError, MissingError, RefusedError
from dashboard.sandbox.zoom.world import ZoomWorld

FAULTS = "sandbox_faults"


def blueprint(world: ZoomWorld) -> Blueprint:
    """Return the routes under `/_sandbox`; `app.extensions[FAULTS]` must be there."""
    bp = Blueprint("control", __name__, url_prefix="/_sandbox")
    bp.register_error_handler(RefusedError, _refused)
    bp.register_error_handler(AuthorizeError, _refused)
    bp.register_error_handler(ValidationError, _invalid)
    _add_state(bp, world)
    _add_conditions(bp, world)
    _add_records(bp, world)
    return bp


def _add_state(bp: Blueprint, world: ZoomWorld) -> None:
    state = world.state

    @bp.post("/reset")
    def reset() -> Response:
        world.reset()
        _faults().set([])
        return jsonify(reset=True)

    @bp.get("/state")
    def show() -> Response:
        with state.lock:
            return _json(
                {
                    "simulated": True,
                    "now": state.now(),
                    "switches": state.switches,
                    "apps": list(state.apps.values()),
                    "users": list(state.users.values()),
                    "meetings": list(state.meetings.values()),
                    "codes": list(state.codes.values()),
                    "grants": state.grants,
                    "deliveries": list(state.deliveries),
                    "mails": state.mails,
                    "subscriptions": state.subscriptions,
                }
            )

    @bp.get("/deliveries")
    def deliveries() -> Response:
        with state.lock:
            return _json(list(state.deliveries))


def _add_conditions(bp: Blueprint, world: ZoomWorld) -> None:
    state = world.state

    @bp.post("/clock")
    def clock() -> Response:
        body = _body()
        if set(body) == {"advance_s"}:
            state.clock.advance(TypeAdapter(float).validate_python(body["advance_s"]))
        elif set(body) == {"now"}:
            state.clock.set(_instant(body["now"]))
        else:
            raise RefusedError("Give either `now` or `advance_s`.")
        state.wake_sender.set()
        return _json({"now": state.now()})

    @bp.post("/faults")
    def faults() -> Response:
        new = TypeAdapter(list[Fault]).validate_python(_read())
        _faults().set(new)
        return jsonify(set=len(new))

    @bp.post("/switches")
    def switches() -> Response:
        return _json(world.switch(**_body()))

    @bp.post("/do/<action>")
    def do(action: str) -> Response:
        method = _actions(world).get(action)
        if method is None:
            raise RefusedError(f"There is no action {action}.")
        return _json(validate_call(method)(**_body()))


def _add_records(bp: Blueprint, world: ZoomWorld) -> None:
    @bp.post("/apps")
    def add_app() -> tuple[Response, int]:
        return _json(world.add_app(**_body())), 201

    @bp.post("/apps/<client_id>")
    def change_app(client_id: str) -> Response:
        return _json(world.change_app(client_id, **_body()))

    @bp.post("/users")
    def add_user() -> tuple[Response, int]:
        return _json(world.add_user(**_body())), 201

    @bp.post("/users/<user_id>")
    def change_user(user_id: str) -> Response:
        return _json(world.change_user(user_id, **_body()))


def _actions(world: ZoomWorld) -> Mapping[str, Callable[..., object]]:
    """Return the actions of `POST /_sandbox/do/<action>`; JSON keys are arguments."""
    methods: list[Callable[..., object]] = [
        world.activate_user,
        world.authorize,
        world.change_pmi,
        world.create_meeting,
        world.deactivate_user,
        world.delete_meeting,
        world.deliver_due,
        world.end_meeting,
        world.install,
        world.issue_marketplace_token,
        world.regenerate_secret_token,
        world.revoke_grant,
        world.start_meeting,
        world.uninstall,
        world.update_meeting,
        world.validate,
    ]
    return {method.__name__: method for method in methods}


def _faults() -> Faults:
    faults: Faults = current_app.extensions[FAULTS]
    return faults


def _read() -> object:
    try:
        return request.get_json()
    except (BadRequest, UnsupportedMediaType):
        raise RefusedError("The body must be JSON.") from None


def _body() -> dict[str, object]:
    body = _read()
    if not isinstance(body, dict):
        raise RefusedError("The body must be a JSON object.")
    return body


def _instant(value: object) -> datetime | None:
    return TypeAdapter(AwareDatetime | None).validate_python(value)


def _json(value: object) -> Response:
    return jsonify(to_jsonable_python(value))


def _refused(error: RefusedError | AuthorizeError) -> tuple[Response, int]:
    status = 404 if isinstance(error, MissingError) else 400
    return jsonify(error=str(error)), status


def _invalid(error: ValidationError) -> tuple[Response, int]:
    first = error.errors(include_input=False, include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return jsonify(error=f"{where or 'The value'}: {first['msg']}."), 400
