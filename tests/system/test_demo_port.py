"""The demo has its port from its first moment until the dashboard listens there."""

import errno
import socket
from typing import Any, Self

import pytest

from dashboard import demo, serving
from dashboard.demo import story
from dashboard.errors import SettingsError
from tests.fixtures.ports import free_ports


class Simulators:
    """Stands for the simulated Zoom and Recall, which are not asked here."""

    zoom_url = recall_url = oidc_url = "http://127.0.0.1:9"
    spare_api_key = ""

    def __init__(self, **_: object) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def set_clock(self, _at: object) -> None:
        pass

    def oidc(self, _path: str, **_: object) -> None:
        pass


class Story:
    """Stands for a story in which nothing happens."""

    def __init__(self, *_: object) -> None:
        pass

    def settle(self) -> None:
        pass


def tried(port: int) -> int:
    """Listen on the port as another program would; return the error's number."""
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError as error:
        return error.errno or -1
    return 0


@pytest.fixture
def ports(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> dict[str, int]:
    monkeypatch.setenv("DASHBOARD_INSTANCE_DIR", str(tmp_path))
    monkeypatch.setattr(demo, "Simulators", Simulators)
    names = ("port", "zoom_port", "recall_port", "oidc_port")
    return dict(zip(names, free_ports(4), strict=True))


def test_no_other_program_gets_the_port_while_the_demo_prepares(
    ports: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []

    def attempt(*_: object, **__: object) -> None:
        found.append(tried(ports["port"]))

    monkeypatch.setattr(demo, "_empty", attempt)
    monkeypatch.setattr(story, "Story", Story)
    for name in ("_beginning", "_everyday", "_trouble", "_last_hour"):
        monkeypatch.setattr(story, name, attempt)
    monkeypatch.setattr(serving, "serve", attempt)

    demo.run(host="127.0.0.1", **ports)

    assert found[:-1] == [errno.EADDRINUSE] * 5
    assert found[-1] == 0  # the dashboard itself can listen


def test_a_port_that_is_taken_is_said_before_anything_is_prepared(
    ports: dict[str, int],
) -> None:
    with (
        socket.create_server(("127.0.0.1", ports["port"])),
        pytest.raises(SettingsError, match="choose another port with --port"),
    ):
        demo.run(host="127.0.0.1", **ports)


def test_the_port_is_free_again_after_a_demo_that_failed(
    ports: dict[str, int],
) -> None:
    with (
        socket.create_server(("127.0.0.1", ports["zoom_port"])),
        pytest.raises(SettingsError, match="--zoom-port"),
    ):
        demo.run(host="127.0.0.1", **ports)

    assert tried(ports["port"]) == 0
