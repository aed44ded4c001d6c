"""The only reader of the environment. Names are fixed; see docs/configuration.md."""

import base64
import binascii
import difflib
import ipaddress
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    SettingsConfigDict,
)
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from dashboard.errors import SettingsError
from dashboard.logs import Format, Level

_PREFIX = "DASHBOARD_"
_INSTANCE_DIR = "DASHBOARD_INSTANCE_DIR"
_KEY_BYTES = 32
SHORTEST_SECRET_KEY = 16
# Reserved (RFC 2606, 6761, 6762, 8375; ICANN for .internal), or commonly used at home.
_PRIVATE_ENDS = (
    *(".local", ".internal", ".home.arpa", ".lan", ".home", ".corp", ".intranet"),
    *(".test", ".example", ".invalid", ".onion"),
)


def instance_dir() -> Path:
    """Return the folder of the default database, generated keys and `.env`.

    `DASHBOARD_INSTANCE_DIR`, else `instance/` at the project's root, else in the
    working directory when the package is installed elsewhere.
    """
    named = EnvSettingsSource(Settings).env_vars.get(_INSTANCE_DIR.lower())
    if named:
        return Path(named).absolute()
    root = Path(__file__).resolve().parents[1]
    if (root / "pyproject.toml").exists():
        return root / "instance"
    return Path.cwd() / "instance"


class Settings(BaseSettings):
    """What the operator decides. Secrets are `SecretStr` from here to their use.

    Attributes:
        public_url: Where browsers, Zoom and Recall reach the dashboard; no trailing
            slash. None: the address it listens on.
        database_url: SQLAlchemy URL; SQLite in `instance/` by default.
        secret_key: Signs session cookies. Generated into `instance/` when unset.
        encryption_keys: 32 bytes each, URL-safe base64, newest first.
        zoom_url: Zoom's authorize and token host; no trailing slash.
        zoom_api_url: Zoom's API host without `/v2`.
        recall_url: When set, used for every workspace instead of its region's host.
        metrics_token: Bearer token of `/metrics`; the address is 404 without one.
        trusted_proxies: How many proxies in front may set `X-Forwarded-*`.
        hsts_include_subdomains: Whether browsers are to use HTTPS below the public
            URL's host too.
        webhook_retention_days: How long a webhook that is done is kept.
        event_age_limit_s: How old a signed event may be, in seconds. Zoom's retries
            end about 85 minutes after the first attempt (docs/contracts/zoom.md 5.6),
            but deliveries days late were seen (5.4).
        refused_sample: How many refused requests are kept for each zoom app.
        allow_private_endpoints: Whether the customer's own servers may be called by
            http and at private addresses: for trials on one machine.
        live_streams: How many live pages a process serves at once; the rest poll.
        log_level: The least severe events that are logged.
        log_format: One JSON object a line, or `key=value`.
        instance: The folder of generated files.
    """

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX, extra="ignore", hide_input_in_errors=True
    )

    public_url: str | None = None
    database_url: str | None = None
    secret_key: SecretStr | None = None
    encryption_keys: SecretStr | None = None
    zoom_url: str = "https://zoom.us"
    zoom_api_url: str = "https://api.zoom.us"
    recall_url: str | None = None
    metrics_token: SecretStr | None = None
    trusted_proxies: int = Field(default=0, ge=0, le=10)
    hsts_include_subdomains: bool = False
    webhook_retention_days: int = Field(default=30, ge=1)
    event_age_limit_s: int = Field(default=7 * 86_400, ge=95 * 60)
    refused_sample: int = Field(default=500, ge=1, le=100_000)
    allow_private_endpoints: bool = False
    live_streams: int = Field(default=1000, ge=0, le=10_000)
    log_level: Level = Level.INFO
    log_format: Format = Format.JSON
    instance: Path = Field(default_factory=instance_dir)

    @field_validator("public_url", "zoom_url", "zoom_api_url", "recall_url")
    @classmethod
    def _an_origin(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must be a URL like https://host")
        if parts.query or parts.fragment or parts.username is not None:
            raise ValueError("must hold no user, query or fragment")
        if not _has_port(parts):
            raise ValueError("must name a port from 1 to 65535, or none")
        return value.rstrip("/")

    @field_validator("database_url")
    @classmethod
    def _a_known_database(cls, value: str | None) -> str | None:
        try:
            driver = None if value is None else make_url(value).drivername
        except (ArgumentError, ValueError):
            driver = "unreadable"
        if driver not in (None, "sqlite", "postgresql", "postgresql+psycopg"):
            raise ValueError("must begin with postgresql:// or sqlite:///")
        return value

    @field_validator("log_level", "log_format", mode="before")
    @classmethod
    def _in_any_case(cls, value: object) -> object:
        return value.strip().lower() if isinstance(value, str) else value

    @field_validator("secret_key")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < SHORTEST_SECRET_KEY:
            raise ValueError(f"must have at least {SHORTEST_SECRET_KEY} characters")
        return value

    @field_validator("encryption_keys")
    @classmethod
    def _whole_keys(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            parse_keys(value.get_secret_value())
        return value

    @property
    def sqlalchemy_url(self) -> str:
        """The database's address; may hold a password, so it is never shown."""
        return self.database_url or f"sqlite:///{self.instance / 'dashboard.db'}"


def load(**overrides: object) -> Settings:
    """Read the environment and `instance/.env`.

    Raises:
        SettingsError: One line that names each wrong value and each name that is not
            a setting. It never shows a value.
    """
    env_file = Path(str(overrides.get("instance") or instance_dir())) / ".env"
    wrong = list(_unknown_names(env_file))
    try:
        settings = Settings(_env_file=env_file, **overrides)  # type: ignore[arg-type]  # pydantic checks what the caller passes
    except ValidationError as error:
        wrong += [
            f"{_PREFIX}{str(item['loc'][0]).upper()}: "
            f"{item['msg'].removeprefix('Value error, ')}"
            for item in error.errors(include_input=False, include_url=False)
        ]
    if wrong:
        raise SettingsError("; ".join(wrong))
    return settings


def _unknown_names(env_file: Path) -> Iterator[str]:
    """Name the nearest setting for each `DASHBOARD_` name that is not one.

    Upper and lower case are the same, as in pydantic-settings.
    """
    known = {f"{_PREFIX}{name.upper()}" for name in Settings.model_fields}
    known = known - {f"{_PREFIX}INSTANCE"} | {_INSTANCE_DIR}
    sources = {
        "": EnvSettingsSource(Settings).env_vars,
        f" in {env_file}": DotEnvSettingsSource(Settings, env_file=env_file).env_vars,
    }
    for where, values in sources.items():
        for name in sorted(values):
            full = name.upper()
            if where and full == _INSTANCE_DIR:
                yield f"{full}{where} has no effect: set it in the environment"
            elif full.startswith(_PREFIX) and full not in known:
                has_value = values[name] is not None
                yield _unknown_name(full, where, known, has_value=has_value)


def _unknown_name(name: str, where: str, known: set[str], *, has_value: bool) -> str:
    [shown] = re.findall(r"\A\w+", name, re.ASCII)
    if not has_value:  # without "=", what follows the name may be a secret
        begins = [each for each in known if name.startswith(each)]
        return f"{max(begins, key=len, default=shown)}{where} is not followed by ="
    near = difflib.get_close_matches(
        shown.removeprefix(_PREFIX), [each.removeprefix(_PREFIX) for each in known], n=1
    )
    hint = f"did you mean {_PREFIX}{near[0]}?" if near else "see docs/configuration.md"
    return f"{shown}{where} is not a setting ({hint})"


def parse_keys(text: str) -> list[bytes]:
    """Return the keys in `text`, newest first.

    Raises:
        ValueError: One of them is not 32 bytes of URL-safe base64.
    """
    keys = []
    for number, part in enumerate(text.split(","), start=1):
        try:
            key = base64.b64decode(part.strip(), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if len(key) != _KEY_BYTES:
            raise ValueError(f"key {number} is not 32 bytes of URL-safe base64")
        keys.append(key)
    return keys


def new_key() -> str:
    """Return a fresh encryption key, 32 bytes as URL-safe base64."""
    return base64.urlsafe_b64encode(secrets.token_bytes(_KEY_BYTES)).decode()


def read_or_make_file(path: Path, make: str) -> tuple[str, bool]:
    """Return the text of a generated file and whether it was made now, mode 0600.

    Of two processes that make it at once both return what the first one wrote.

    Raises:
        SettingsError: It can't be read or made, or is not text.
    """
    try:
        was_made = not path.exists() and _make_file(path, make)
        return path.read_text().strip(), was_made
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise SettingsError(f"{path} can't be used: {reason}.") from None


def _make_file(path: Path, text: str) -> bool:
    """Write a file whole or not at all; False when it is there already."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(draft)
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    return True


def _has_port(parts: SplitResult) -> bool:
    """Whether its port is one, or there is none."""
    try:
        return parts.port != 0
    except ValueError:
        return False


def public_url_trouble(url: str) -> str | None:
    """Say why Zoom and Recall would refuse this address, or None if they would not.

    Source: docs/contracts/zoom.md 5.1 and 2.4, docs/contracts/recall.md 1.6; checked
    2026-11-23.
    """
    parts = urlsplit(url)
    found = _trouble_with_host((parts.hostname or "").rstrip("."))
    if found is not None:
        return found
    if parts.username is not None or parts.query or parts.fragment:
        return "it holds more than an address: a user, a query or a fragment"
    if parts.scheme != "https":
        return "it is not https, which Zoom asks for"
    return None


def redirect_url_trouble(
    url: str, *, is_development: bool, is_for_recall: bool
) -> str | None:
    """Say why this redirect URL can't be used, or None if it can.

    Zoom accepts localhost and loopback addresses for development, plain http included;
    Recall refuses them (docs/contracts/zoom.md 2.4, docs/contracts/recall.md 1.6 and
    3.2; checked 2026-11-29).

    Args:
        url: With its scheme.
        is_development: Whether the client ID is a development one.
        is_for_recall: Whether Recall is given the URL, because it exchanges the code.
    """
    if not (is_development and _is_loopback((urlsplit(url).hostname or "").lower())):
        return public_url_trouble(url)
    if is_for_recall:
        return (
            "it is this machine's own address, which Zoom accepts for development and "
            "Recall refuses"
        )
    return None


def public_url_doubt(url: str) -> str | None:
    """Say what about this address may go wrong, though nobody documents that it does.

    Zoom documents no rule for ports (docs/contracts/zoom.md 5.1) and was seen comparing
    redirect URLs letter by letter (2.4); checked 2026-11-23.
    """
    parts = urlsplit(url)
    named = parts.netloc.rpartition("@")[2]
    if named != named.lower():
        return "its host has upper case letters, and Zoom compares letter by letter"
    if parts.port not in (None, 443):
        return f"it names port {parts.port}; whether Zoom calls others than 443 is open"
    if parts.path.strip("/"):
        return "it has a path, and the dashboard answers at the root of its host"
    return None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _trouble_with_host(host: str) -> str | None:
    try:
        return _trouble_with_ip(ipaddress.ip_address(host))
    except ValueError:
        pass  # it is a name
    if host == "localhost" or host.endswith(".localhost"):
        return "it is localhost, which Zoom and Recall cannot reach"
    if "." not in host:
        return "it is a name without a dot, which is known inside a network only"
    if host.endswith(_PRIVATE_ENDS):
        end = host.rpartition(".")[2]
        return f"names that end in .{end} are not known on the internet"
    return None


def _trouble_with_ip(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    kind = "an IP address"
    if address.is_unspecified:
        kind = "no IP address that can be called"
    elif address.is_loopback:
        kind = "this machine's own IP address (loopback)"
    elif address.is_link_local:
        kind = "an IP address of one network segment (link-local)"
    elif not address.is_global:
        kind = "a private IP address"
    return f"it is {kind}; Zoom and Recall ask for a host name"
