"""What is unsafe is said, and what is safe is not."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from dashboard.db import Database
from dashboard.services.host import config_check
from dashboard.settings import SecondFactor, Settings, load
from tests.makers import FakeClock

SAFE: dict[str, Any] = {
    "public_url": "https://zoom.example.com",
    "trusted_proxies": 1,
    "encryption_keys": SecretStr("A" * 43 + "="),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "instance"
    made.mkdir(mode=0o700)
    return made


def unsafe(database: Database, folder: Path, **settings: Any) -> list[str]:
    made = Settings(_env_file=None, instance=folder, **{**SAFE, **settings})
    return config_check.unsafe(made, database, now=FakeClock().now())


def test_nothing_is_said_of_a_safe_server(sqlite: Database, folder: Path) -> None:
    assert unsafe(sqlite, folder) == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"public_url": None}, "DASHBOARD_PUBLIC_URL is not set"),
        ({"public_url": "http://zoom.example.com"}, "not https"),
        ({"public_url": "https://10.0.0.1"}, "a private IP address"),
        ({"public_url": "https://zoom.example.com:8443"}, "names port 8443"),
        ({"trusted_proxies": 0}, "DASHBOARD_TRUSTED_PROXIES is 0"),
        ({"require_second_factor": SecondFactor.NONE}, "a stolen password is enough"),
        ({"allow_private_endpoints": True}, "DASHBOARD_ALLOW_PRIVATE_ENDPOINTS"),
        ({"metrics_token": SecretStr("short")}, "may be guessed"),
        ({"log_level": "debug"}, "DASHBOARD_LOG_LEVEL is debug"),
        ({"encryption_keys": None}, "beside the database"),
    ],
)
def test_an_unsafe_setting_is_said(
    sqlite: Database, folder: Path, changed: dict[str, Any], said: str
) -> None:
    assert said in "\n".join(unsafe(sqlite, folder, **changed))


def test_what_others_may_read_is_said_with_the_command(
    sqlite: Database, folder: Path
) -> None:
    folder.chmod(0o750)
    (folder / "encryption_keys").write_text("key")
    (folder / "encryption_keys").chmod(0o640)
    (folder / "secret_key").write_text("key")
    (folder / "secret_key").chmod(0o600)

    of_folder, of_files = unsafe(sqlite, folder)

    assert of_folder.endswith(f"Run: chmod 700 {folder}")
    assert of_files.endswith(f"Run: chmod 600 {folder / 'encryption_keys'}")


def test_a_file_that_a_setting_names_is_looked_at(
    sqlite: Database, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = folder.parent / "token"
    file.write_text("x" * 40)
    file.chmod(0o644)
    monkeypatch.setenv("DASHBOARD_METRICS_TOKEN_FILE", str(file))
    made = load(instance=folder, **SAFE)

    [said] = config_check.unsafe(made, sqlite, now=FakeClock().now())

    assert said.endswith(f"Run: chmod 600 {file}")


def test_postgresql_is_asked_for_its_clock_its_room_and_the_role(
    postgresql: Database, folder: Path, clock: FakeClock
) -> None:
    with postgresql.reading() as session:
        theirs = session.connection().exec_driver_sql("SELECT now()").scalar_one()
    clock.set(theirs)
    made = Settings(_env_file=None, instance=folder, **SAFE)
    found = "\n".join(config_check.unsafe(made, postgresql, now=clock.now()))
    assert "superuser of PostgreSQL" in found
    assert "has room for" in found
    assert "clock" not in found
    assert "not encrypted" not in found  # it is on this machine

    clock.set(theirs + timedelta(minutes=2))
    found = "\n".join(config_check.unsafe(made, postgresql, now=clock.now()))
    assert "This machine's clock and PostgreSQL's differ by 1" in found
