"""The simulated Recall from outside: its control API and the apps it knows."""

from collections.abc import Sequence
from typing import Any

import httpx2

from tests.makers import CLIENT_SECRET, SECRET_TOKEN

RECEIVER = "/api/v2/zoom-oauth-apps/"
# A network away: whatever strikes a worker finds deliveries under way.
_USUAL = {"kind": "slow", "path": RECEIVER, "seconds": 0.1}


class Recall:
    """Speaks to a simulated Recall over HTTP; safe to use from any thread."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx2.Client(base_url=url, timeout=60, trust_env=False)

    def add_app(self, region: str, *, client_id: str) -> str:
        """Make a workspace with one zoom app; return the app's id."""
        made = self._control("workspaces", {"region": region})
        app = self._http.post(
            "/api/v2/zoom-oauth-apps/",
            headers={"Authorization": f"Token {made['api_key']}"},
            json={
                "kind": "user_level",
                "client_id": client_id,
                "client_secret": CLIENT_SECRET.get_secret_value(),
                "webhook_secret": SECRET_TOKEN.get_secret_value(),
            },
        )
        app.raise_for_status()
        return str(app.json()["id"])

    def strike(self, kind: str, apps: Sequence[str], *, seconds: float = 1.0) -> None:
        """Let every webhook for these apps meet a fault, until `mend`."""
        struck = [
            {"kind": kind, "path": RECEIVER + app, "seconds": seconds} for app in apps
        ]
        self._control("faults", [*struck, _USUAL])

    def refuse(self, status: int) -> None:
        """Answer every webhook with a status, until `mend`; it is noted even so."""
        self._control("switches", {"webhook_answer": status})

    def mend(self) -> None:
        """End every fault; an answer takes its usual time again."""
        self._control("faults", [_USUAL])
        self._control("switches", {"webhook_answer": "ok"})

    def digests(self) -> dict[str, dict[int, int]]:
        """Return how often each body was received, by SHA-256 and answered status."""
        answer = self._http.get("/_sandbox/received/digests")
        answer.raise_for_status()
        return {
            digest: {int(status): times for status, times in counted.items()}
            for digest, counted in answer.json().items()
        }

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _control(self, path: str, body: object) -> Any:
        answer = self._http.post(f"/_sandbox/{path}", json=body)
        answer.raise_for_status()
        return answer.json()
