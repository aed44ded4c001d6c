"""The simulators as processes of their own, and their control by HTTP."""

import os
import subprocess
import sys
import time
from datetime import datetime
from types import TracebackType
from typing import Any, Self

import httpx2

from dashboard.errors import SettingsError

_STARTS_WITHIN_S = 60.0
_PAUSE_S = 0.1


class Simulators:
    """Simulated Zoom, Recall and identity provider: started on entering, then ended.

    Attributes:
        zoom_url: Without a trailing slash, as `recall_url` and `oidc_url`.
        spare_api_key: A simulated key of a workspace that the story leaves unused.
    """

    def __init__(
        self, *, host: str, zoom_port: int, recall_port: int, oidc_port: int
    ) -> None:
        self.zoom_url = f"http://{host}:{zoom_port}"
        self.recall_url = f"http://{host}:{recall_port}"
        self.oidc_url = f"http://{host}:{oidc_port}"
        self.spare_api_key = ""
        self._arguments = [
            *("--host", host, "--empty", "--allow-local"),
            *("--zoom-port", str(zoom_port), "--recall-port", str(recall_port)),
            *("--oidc-port", str(oidc_port)),
        ]
        self._http = httpx2.Client(timeout=15)

    def __enter__(self) -> Self:
        """Start them and wait until they answer.

        Raises:
            SettingsError: They do not start, most likely because a port is taken.
        """
        self._process = subprocess.Popen(  # noqa: S603 - our own command
            [
                *(sys.executable, "-m", "dashboard.cli", "sandbox"),
                *self._arguments,
                *("--with-parent", str(os.getpid())),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(int(_STARTS_WITHIN_S / _PAUSE_S)):
            if self._process.poll() is not None:
                break
            urls = (self.zoom_url, self.recall_url, self.oidc_url)
            if all(map(self._is_up, urls)):
                self.spare_api_key = self.recall("workspaces", region="us-west-2")[
                    "api_key"
                ]
                return self
            time.sleep(_PAUSE_S)
        self.__exit__(None, None, None)
        raise SettingsError(
            "The simulated Zoom, Recall and identity provider did not start; is "
            "something else listening on their ports? Choose others with --zoom-port, "
            "--recall-port and --oidc-port."
        )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End them."""
        self._http.close()
        self._process.terminate()
        self._process.wait()

    def zoom(self, path: str, **body: object) -> Any:  # noqa: ANN401 - any JSON
        """Ask the simulated Zoom's control for something; return its JSON."""
        return self._post(self.zoom_url, path, body)

    def recall(self, path: str, **body: object) -> Any:  # noqa: ANN401 - any JSON
        """Ask the simulated Recall's control for something; return its JSON."""
        return self._post(self.recall_url, path, body)

    def oidc(self, path: str, **body: object) -> Any:  # noqa: ANN401 - any JSON
        """Ask the simulated identity provider's control for something."""
        return self._post(self.oidc_url, path, body)

    def set_clock(self, instant: datetime | None) -> None:
        """Move the time both share; None is real time."""
        text = None if instant is None else instant.isoformat()
        self._post(self.zoom_url, "clock", {"now": text})

    def _post(self, base_url: str, path: str, body: object) -> Any:  # noqa: ANN401
        answer = self._http.post(f"{base_url}/_sandbox/{path}", json=body)
        answer.raise_for_status()
        return answer.json()

    def _is_up(self, base_url: str) -> bool:
        try:
            return self._http.get(f"{base_url}/_sandbox/state").is_success
        except httpx2.TransportError:
            return False
