"""Settings: named when wrong, never shown."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from dashboard.db import Database
from dashboard.errors import DashboardError, SettingsError, VaultError
from dashboard.services.encryption.keys import open_vault
from dashboard.settings import (
    Settings,
    load,
    new_key,
    public_url_doubt,
    public_url_trouble,
    read_or_make_file,
)

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("secret_key", "short-hunter2"),
        ("encryption_keys", "hunter2"),
        ("public_url", "hunter2"),
        ("database_url", "hunter2"),
        ("database_url", "mysql://hunter2@host/name"),
        ("database_url", "postgresql+psycopg2://hunter2@host/name"),
        ("trusted_proxies", "hunter2"),
        ("recall_url", "https://user:hunter2@host"),
        ("public_url", "https://host:hunter2"),
        ("public_url", "https://host:70000/hunter2"),
        ("event_age_limit_s", "60"),
    ],
)
def test_a_wrong_value_is_named_and_not_shown(
    name: str, value: str, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError) as caught:
        load(instance=tmp_path, **{name: value})

    assert f"DASHBOARD_{name.upper()}" in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_refusal_itself_holds_no_value() -> None:
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate({"secret_key": "hunter2"})

    assert "hunter2" not in str(caught.value)


def test_the_env_file_of_the_instance_is_read(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DASHBOARD_WEBHOOK_RETENTION_DAYS=7\n")

    assert load(instance=tmp_path).webhook_retention_days == 7


@pytest.mark.parametrize("name", sorted(set(Settings.model_fields) - {"instance"}))
def test_every_setting_is_documented(name: str) -> None:
    documented = (ROOT / "docs" / "configuration.md").read_text()

    assert f"`DASHBOARD_{name.upper()}`" in documented


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("http://dashboard.example.com", "https"),
        ("https://localhost:8000", "localhost"),
        ("https://127.0.0.1", "IP address"),
        ("https://[::1]:8000", "IP address"),
        ("https://10.0.0.4", "private IP address"),
        ("https://192.168.1.10", "private IP address"),
        ("https://[fd00::1]", "private IP address"),
        ("https://127.0.0.1:8000", "loopback"),
        ("https://169.254.10.1", "link-local"),
        ("https://[fe80::1]", "link-local"),
        ("https://0.0.0.0", "no IP address that can be called"),
        ("https://93.184.216.34", "it is an IP address"),
        ("https://LOCALHOST", "localhost"),
        ("https://app.localhost.", "localhost"),
        ("https://dashboard", "without a dot"),
        ("https://dashboard.local", ".local are not known"),
        ("https://dashboard.corp.internal", ".internal are not known"),
        ("https://me@dashboard.example.com", "more than an address"),
        ("https://dashboard.example.com/?a=b", "more than an address"),
    ],
)
def test_an_address_that_zoom_would_refuse_is_said(url: str, word: str) -> None:
    assert word in str(public_url_trouble(url))


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("https://dashboard.example.com:8443", "port 8443"),
        ("https://Dashboard.example.com", "upper case"),
        ("https://dashboard.example.com/zoom", "path"),
        ("https://dashboard.example.com:443/", None),
        ("https://dashboard.example.com", None),
    ],
)
def test_what_nobody_documents_about_an_address_is_a_doubt(
    url: str, word: str | None
) -> None:
    doubt = public_url_doubt(url)

    assert doubt is None if word is None else word in str(doubt)
    assert public_url_trouble(url) is None


def test_a_good_address_has_no_trouble() -> None:
    assert public_url_trouble("https://dashboard.example.com") is None


def test_a_generated_key_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "key"

    first, was_made = read_or_make_file(path, "one")
    second, again = read_or_make_file(path, "two")

    assert (first, was_made, second, again) == ("one", True, "one", False)
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_same_key_opens_the_database_again(
    sqlite: Database, tmp_path: Path
) -> None:
    settings = load(instance=tmp_path)
    sealed = open_vault(settings, sqlite).seal(b"v", table="t", column="c", row=1)

    again = open_vault(settings, sqlite)

    assert again.open(sealed, table="t", column="c", row=1) == b"v"


def test_another_key_stops_the_start(sqlite: Database, tmp_path: Path) -> None:
    open_vault(load(instance=tmp_path), sqlite)

    with pytest.raises(VaultError, match="Put the former key back") as caught:
        open_vault(load(instance=tmp_path, encryption_keys=new_key()), sqlite)

    assert "\n" not in str(caught.value)


def test_a_lost_key_stops_the_start_instead_of_being_made_anew(
    sqlite: Database, tmp_path: Path
) -> None:
    open_vault(load(instance=tmp_path), sqlite)
    (tmp_path / "encryption_keys").unlink()

    with pytest.raises(DashboardError, match="There is no encryption key"):
        open_vault(load(instance=tmp_path), sqlite)

    assert not (tmp_path / "encryption_keys").exists()
