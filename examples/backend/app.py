"""A customer's backend: sends a user to connect, receives events, asks for the rest."""

from dataclasses import dataclass, field

import httpx2
from flask import Flask, redirect, request
from flask.typing import ResponseReturnValue
from standardwebhooks import Webhook, WebhookVerificationError


@dataclass(kw_only=True)
class Config:
    dashboard: str  # its address
    token: str  # an API token: connections:read, invitations:write, tokens:read
    secret: str  # of the endpoint that `dashboard endpoint add` registered
    zoom_app_id: str
    own_url: str  # where users reach this backend; an allowed return address
    zoom_api: str = "https://api.zoom.us"
    events: dict[str, str] = field(default_factory=dict)  # your database: ID to type


def create_app(config: Config) -> Flask:
    app = Flask(__name__)
    bearer = {"Authorization": f"Bearer {config.token}"}
    api = httpx2.Client(base_url=f"{config.dashboard}/api/v1", headers=bearer)

    def connection_of(user: str) -> dict[str, object]:
        found = api.get("/connections", params={"reference": user}).raise_for_status()
        rows = [row for row in found.json()["data"] if row["is_reference_verified"]]
        return rows[0] if rows else {"id": "none", "state": "not_connected"}

    @app.get("/users/<user>/connect")
    def connect(user: str) -> ResponseReturnValue:
        asked = {"zoom_app_id": config.zoom_app_id, "reference": user}
        asked["return_url"] = f"{config.own_url}/users/{user}/zoom"
        made = api.post("/invitations", json=asked).raise_for_status()
        return redirect(made.json()["url"])

    @app.get("/users/<user>/zoom")  # where the button leads back; the query is no proof
    def state(user: str) -> ResponseReturnValue:
        return {"state": connection_of(user)["state"]}

    @app.get("/users/<user>/meeting-id")
    def meeting_id(user: str) -> ResponseReturnValue:
        token = api.get(f"/connections/{connection_of(user)['id']}/access-token")
        if token.is_error:  # problem+json: a sentence says who must do what
            return {"why": token.json()["detail"]}, 409
        zoom = {"Authorization": f"Bearer {token.json()['access_token']}"}
        me = httpx2.get(f"{config.zoom_api}/v2/users/me", headers=zoom)
        return {"meeting_id": me.raise_for_status().json()["pmi"]}

    @app.post("/events")
    def events() -> ResponseReturnValue:
        try:  # at least once: the same event may come again, with the same ID
            event = Webhook(config.secret).verify(request.data, dict(request.headers))
        except WebhookVerificationError:
            return "", 401
        return config.events.setdefault(event["id"], event["type"])

    return app
