"""What a request of the simulated Recall stands in: its world and its caller."""

from typing import Any, cast

from flask import Flask, current_app, g, jsonify, request
from flask.typing import ResponseReturnValue

from dashboard.sandbox.recall.records import Workspace
from dashboard.sandbox.recall.world import RecallWorld

_KEY = "recall_world"


class RefusalError(Exception):
    """Ends a request with another answer than success.

    Attributes:
        status: HTTP status.
        body: JSON of the answer.
        headers: Further headers.
    """

    def __init__(self, status: int, body: dict[str, Any], **headers: str | int) -> None:
        super().__init__(f"{status}")
        self.status = status
        self.body = body
        self.headers = {
            name.replace("_", "-"): str(value) for name, value in headers.items()
        }


class FieldsError(RefusalError):
    """400 with a map of field to messages, in the form the switch asks for."""

    def __init__(self, fields: dict[str, Any]) -> None:
        if world().switches.error_envelope == "invalid_request_data":
            body = {
                "code": "invalid_request_data",
                "message": "The request data is invalid.",
                "errors": fields,
            }
        else:
            body = fields
        super().__init__(400, body)


def settle(app: Flask, its_world: RecallWorld) -> None:
    """Give the app its world, once, before the first request."""
    app.extensions[_KEY] = its_world


def world() -> RecallWorld:
    """Return the world of this app."""
    return cast("RecallWorld", current_app.extensions[_KEY])


def caller() -> Workspace:
    """Return the workspace whose API key came with this request."""
    return cast("Workspace", g.workspace)


def not_found() -> RefusalError:
    """Return the answer to an id that is not the caller's (our choice of body)."""
    return RefusalError(404, {"code": "not_found", "detail": "Not found."})


def refuse(error: RefusalError) -> ResponseReturnValue:
    """Answer with a refusal; Flask's error handler for it."""
    return jsonify(error.body), error.status, error.headers


def raw_body() -> bytes:
    """Return the request's exact bytes, leaving the connection fit for the next."""
    return request.get_data()
