"""Settings: named when wrong, never shown."""

from itertools import chain
from pathlib import Path

import pytest
from pydantic import ValidationError

from dashboard.db import Database
from dashboard.errors import DashboardError, SettingsError, VaultError
from dashboard.sandbox.serving import RunningSandbox
from dashboard.services.encryption.keys import open_vault
from dashboard.settings import (
    Settings,
    load,
    new_key,
    public_url_doubt,
    public_url_trouble,
    read_or_make_file,
    redirect_url_trouble,
)
from tests.fixtures.ports import free_ports
from tests.fixtures.terminal import Terminal

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


@pytest.mark.parametrize("source", ["environment", "file"])
@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("DASHBOARD_METRICS_TOKN", "DASHBOARD_METRICS_TOKEN"),
        ("dashboard_public_ulr", "DASHBOARD_PUBLIC_URL"),
        ("DASHBOARD_SECRET_KYE_FILE", "DASHBOARD_SECRET_KEY_FILE"),
        ("DASHBOARD_INSTANCE", "DASHBOARD_INSTANCE_DIR"),
        ("DASHBOARD_WEBHOOK_BODY_RETENTION_DAYS", "DASHBOARD_WEBHOOK_RETENTION_DAYS"),
        ("DASHBOARD_QQQQQQ", None),
        ("DASHBOARD_", None),
    ],
)
def test_a_name_that_is_not_a_setting_is_refused_with_the_nearest_one(
    name: str,
    nearest: str | None,
    source: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if source == "environment":
        monkeypatch.setenv(name, "hunter2")
    else:
        (tmp_path / ".env").write_text(f"{name}=hunter2\n")

    with pytest.raises(SettingsError) as caught:
        load(instance=tmp_path)

    where = f" in {tmp_path}/.env" if source == "file" else ""
    hint = f"did you mean {nearest}?" if nearest else "see docs/configuration.md"
    assert str(caught.value) == f"{name.upper()}{where} is not a setting ({hint})"


def test_all_wrong_names_and_values_are_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DASHBOARD_ZOM_URL", "hunter2")
    monkeypatch.setenv("DASHBOARD_TRUSTED_PROXIES", "hunter2")
    (tmp_path / ".env").write_text(
        "DASHBOARD_RECAL_URL=hunter2\nDASHBOARD_NONSENSE=hunter2\nOTHER=hunter2\n"
    )

    with pytest.raises(SettingsError) as caught:
        load(instance=tmp_path)

    message = str(caught.value)
    assert message.count("is not a setting") == 3
    assert "DASHBOARD_TRUSTED_PROXIES: " in message
    assert "OTHER" not in message
    assert "hunter2" not in message
    assert "\n" not in message


@pytest.mark.parametrize("line", ["SECRET_KEY:hunter2", "SECRET_KEYhunter2"])
def test_a_line_without_an_equals_sign_is_refused_without_what_follows_the_name(
    line: str, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text(f"DASHBOARD_{line}\n")

    with pytest.raises(SettingsError, match=r"SECRET_KEY in .+ is not followed"):
        load(instance=tmp_path)


def test_names_are_read_in_upper_and_lower_case(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DASHBOARD_INSTANCE_DIR", raising=False)
    monkeypatch.setenv("dashboard_instance_dir", str(tmp_path))
    monkeypatch.setenv("Dashboard_Live_Streams", "3")
    (tmp_path / ".env").write_text("dashboard_webhook_retention_days=7\n")

    settings = load()

    assert settings.instance == tmp_path
    assert (settings.live_streams, settings.webhook_retention_days) == (3, 7)


def test_the_instance_folder_cannot_be_named_inside_itself(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DASHBOARD_INSTANCE_DIR=/srv/hunter2\n")

    with pytest.raises(SettingsError, match="set it in the environment") as caught:
        load(instance=tmp_path)

    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "words",
    [
        ("demo",),
        ("serve",),
        ("web",),
        ("worker",),
        ("db", "check"),
        ("db", "upgrade"),
        ("staff", "list"),
        ("zoom-app", "list"),
        ("keys", "rotate"),
        ("webhooks", "list"),
        ("explain", "ana@example.com"),
    ],
    ids=" ".join,
)
def test_a_name_that_is_not_a_setting_stops_every_command(
    words: tuple[str, ...], sandbox: RunningSandbox, tmp_path: Path
) -> None:
    terminal = Terminal(tmp_path, sandbox)
    if words == ("demo",):
        names = ("--port", "--zoom-port", "--recall-port")
        ports = map(str, free_ports(3))
        words += tuple(chain.from_iterable(zip(names, ports, strict=True)))

    run = terminal.run_apart if words[0] in {"demo", "serve"} else terminal.run
    refused = run(*words, DASHBOARD_METRICS_TOKN="hunter2")

    assert refused.returncode == 1
    assert refused.stdout == ""
    assert refused.stderr == (
        "dashboard: DASHBOARD_METRICS_TOKN is not a setting "
        "(did you mean DASHBOARD_METRICS_TOKEN?)\n"
    )
    assert not (tmp_path / "dashboard.db").exists()


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


@pytest.mark.parametrize(
    "url", ["http://localhost:8000", "http://127.0.0.1:8000", "https://[::1]"]
)
def test_zoom_accepts_this_machine_for_development_alone(url: str) -> None:
    trial = redirect_url_trouble(url, is_development=True, is_for_recall=False)
    by_recall = redirect_url_trouble(url, is_development=True, is_for_recall=True)
    live = redirect_url_trouble(url, is_development=False, is_for_recall=False)

    assert trial is None
    assert "Recall refuses" in str(by_recall)
    assert live == public_url_trouble(url)
    assert redirect_url_trouble(
        "https://10.0.0.4", is_development=True, is_for_recall=False
    )


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


@pytest.mark.parametrize(
    "name",
    [
        "SECRET_KEY",
        "ENCRYPTION_KEYS",
        "METRICS_TOKEN",
        "DATABASE_URL",
        "OIDC_CLIENT_SECRET",
    ],
)
@pytest.mark.parametrize("how", ["both", "missing", "empty", "long", "bytes"])
def test_a_secret_file_that_cannot_be_used_stops_the_start_without_its_text(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, how: str
) -> None:
    file = tmp_path / "secret"
    content = {"empty": b"\n", "long": b"hunter2" * 10_000, "bytes": b"hunter2\xff"}
    if how != "missing":
        file.write_bytes(content.get(how, b"hunter2hunter2hunter2"))
    monkeypatch.setenv(f"DASHBOARD_{name}_FILE", str(file))
    if how == "both":
        monkeypatch.setenv(f"DASHBOARD_{name}", "hunter2hunter2hunter2")

    with pytest.raises(SettingsError) as raised:
        load(instance=tmp_path)

    assert f"DASHBOARD_{name}_FILE" in str(raised.value)
    assert "hunter2" not in str(raised.value)


def test_a_secret_may_be_in_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text(" a secret of sixteen \n")
    monkeypatch.setenv("DASHBOARD_SECRET_KEY_FILE", str(tmp_path / "key"))

    found = load(instance=tmp_path).secret_key

    assert found is not None
    assert found.get_secret_value() == " a secret of sixteen "


@pytest.mark.parametrize(
    "given",
    [
        {"oidc_issuer": "https://idp.example.com"},
        {"oidc_only": True},
        {"oidc_name": "Sign in"},
        {"oidc_client_secret": "x", "oidc_client_id": "y"},
        {
            "oidc_issuer": "https://idp.example.com",
            "oidc_client_id": "x",
            "oidc_client_secret": "y",
            "oidc_role_claim": "groups",
        },
        {
            "oidc_issuer": "http://idp.example.com",
            "oidc_client_id": "x",
            "oidc_client_secret": "y",
        },
    ],
    ids=["issuer", "only", "name", "client", "claim", "http"],
)
def test_single_sign_on_that_is_not_whole_stops_the_start(
    tmp_path: Path, given: dict[str, object]
) -> None:
    with pytest.raises(SettingsError, match="DASHBOARD_OIDC_"):
        load(instance=tmp_path, **given)
