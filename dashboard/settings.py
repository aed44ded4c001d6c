"""The only reader of the environment. Names are fixed; see docs/configuration.md."""

import base64
import binascii
import difflib
import ipaddress
import os
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.utils import parseaddr
from enum import Enum, StrEnum
from pathlib import Path
from typing import Self
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from pydantic import (
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
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
_FILE = "_FILE"
_FROM_FILES = frozenset(
    {
        *("secret_key", "encryption_keys", "metrics_token", "database_url"),
        *("oidc_client_secret", "smtp_url"),
    }
)
"""Settings that may name a file instead, as `DASHBOARD_SECRET_KEY_FILE`."""

_LARGEST_FILE_BYTES = 64 * 1024
_KEY_BYTES = 32
SHORTEST_SECRET_KEY = 16
AUDIT_STREAMS = ("file", "syslog", "syslog+tcp")
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


class SecondFactor(StrEnum):
    """Who must have a second factor; others may."""

    SECRETS = "secrets"
    EVERYONE = "everyone"
    NONE = "none"


class Settings(BaseSettings):
    """What the operator decides. Secrets are `SecretStr` from here to their use.

    Attributes:
        public_url: Where browsers, Zoom and Recall reach the dashboard; no trailing
            slash. None: the address it listens on.
        hosted_url: Where the pages for people who connect are, on a host of their own;
            None: on that of the public URL.
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
        event_retention_days: How long an event for the customer's software, and what
            came of its delivery, is kept.
        audit_retention_days: How long an entry of the audit log is kept.
        secret_reminder_days: How old a key or secret may be before *Needs attention*
            asks for another; 0: any age.
        audit_stream: Where entries are written to as well: file:///path,
            syslog://host:port or syslog+tcp://host:port.
        event_age_limit_s: How old a signed event may be, in seconds. Zoom's retries
            end about 85 minutes after the first attempt (docs/contracts/zoom.md 5.6),
            but deliveries days late were seen (5.4).
        refused_sample: How many refused requests are kept for each zoom app.
        allow_private_endpoints: Whether the customer's own servers may be called by
            http and at private addresses: for trials on one machine.
        require_second_factor: Who must have one; None: those who may see or change
            secrets, if the public URL is HTTPS.
        session_idle_minutes: After so long without anything that the person did,
            they sign in again.
        session_hours: After so long they do in any case.
        oidc_issuer: The identity provider for single sign-on; None: there is none.
        oidc_name: What the button says.
        oidc_role_claim: Where its answer names groups or roles.
        oidc_role_map: Which of them has which role here; see `parse_role_map`.
        oidc_allowed_domains: Of email addresses, comma separated; "" for any.
        oidc_only: Whether passwords are refused.
        smtp_url: The mail server: smtps://user:password@host, or smtp:// (STARTTLS);
            None: no mail is sent. `mail_server` has its parts.
        smtp_from: The address, or `Name <address>`, that mail comes from.
        live_streams: How many live pages a process serves at once; the rest poll.
        log_level: The least severe events that are logged.
        log_format: One JSON object a line, or `key=value`.
        instance: The folder of generated files.
    """

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX, extra="ignore", hide_input_in_errors=True
    )

    public_url: str | None = None
    hosted_url: str | None = None
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
    event_retention_days: int = Field(default=30, ge=1)
    audit_retention_days: int = Field(default=730, ge=30)
    secret_reminder_days: int = Field(default=365, ge=0, le=36_500)
    audit_stream: str | None = None
    event_age_limit_s: int = Field(default=7 * 86_400, ge=95 * 60)
    refused_sample: int = Field(default=500, ge=1, le=100_000)
    allow_private_endpoints: bool = False
    require_second_factor: SecondFactor | None = None
    session_idle_minutes: int = Field(default=60, ge=1, le=24 * 60)
    session_hours: int = Field(default=12, ge=1, le=7 * 24)
    oidc_issuer: str | None = None
    oidc_client_id: str = ""
    oidc_client_secret: SecretStr | None = None
    oidc_name: str = Field(default="", max_length=60)
    oidc_role_claim: str = ""
    oidc_role_map: str = ""
    oidc_allowed_domains: str = ""
    oidc_only: bool = False
    smtp_url: SecretStr | None = None
    smtp_from: str = Field(default="", max_length=320)
    live_streams: int = Field(default=1000, ge=0, le=10_000)
    log_level: Level = Level.INFO
    log_format: Format = Format.JSON
    instance: Path = Field(default_factory=instance_dir)

    @field_validator(
        "public_url", "hosted_url", "zoom_url", "zoom_api_url", "recall_url"
    )
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

    @field_validator("audit_stream")
    @classmethod
    def _a_known_stream(cls, value: str | None) -> str | None:
        if not value:
            return None
        parts = urlsplit(value)
        is_file = parts.scheme == "file" and not parts.netloc and len(parts.path) > 1
        is_host = parts.scheme in AUDIT_STREAMS[1:] and parts.hostname
        if not (is_file or (is_host and _has_port(parts))):
            raise ValueError(
                "must be like file:///path, syslog://host:514 or syslog+tcp://host:514"
            )
        return value

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

    @field_validator("log_level", "log_format", "require_second_factor", mode="before")
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

    @field_validator("oidc_issuer")
    @classmethod
    def _an_issuer(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None:
            return None
        cls._an_origin(value)
        parts = urlsplit(value)
        is_trial = info.data.get("allow_private_endpoints")
        if not (
            is_trial or parts.scheme == "https" or _is_loopback(str(parts.hostname))
        ):
            raise ValueError("must be https")
        return value

    @field_validator("oidc_role_map")
    @classmethod
    def _whole_pairs(cls, value: str) -> str:
        parse_role_map(value)
        return value

    @model_validator(mode="after")
    def _whole_single_sign_on(self) -> Self:
        secret = self.oidc_client_secret
        needed = {
            "OIDC_ISSUER": self.oidc_issuer,
            "OIDC_CLIENT_ID": self.oidc_client_id,
            "OIDC_CLIENT_SECRET": secret and secret.get_secret_value(),
        }
        others = (
            *(self.oidc_name, self.oidc_role_claim, self.oidc_role_map),
            *(self.oidc_allowed_domains, self.oidc_only),
        )
        missing = [f"{_PREFIX}{name}" for name, value in needed.items() if not value]
        if missing and (any(needed.values()) or any(others)):
            raise ValueError(f"single sign-on also needs {' and '.join(missing)}")
        if bool(self.oidc_role_claim) != bool(self.oidc_role_map):
            raise ValueError(
                f"{_PREFIX}OIDC_ROLE_CLAIM and {_PREFIX}OIDC_ROLE_MAP go together: set "
                "both, or neither"
            )
        return self

    @field_validator("smtp_url")
    @classmethod
    def _a_mail_server(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None or not value.get_secret_value().strip():
            return None
        parse_mail_server(value)
        return value

    @field_validator("smtp_from")
    @classmethod
    def _a_sender(cls, value: str) -> str:
        if value.strip():
            sender_of(value)
        return value.strip()

    @model_validator(mode="after")
    def _whole_mail(self) -> Self:
        if (self.smtp_url is None) != (not self.smtp_from):
            missing = "SMTP_URL" if self.smtp_url is None else "SMTP_FROM"
            raise ValueError(f"to send mail, {_PREFIX}{missing} is needed too")
        return self

    @property
    def mail_server(self) -> "MailServer | None":
        """The parts of `smtp_url`; None when no mail is sent."""
        return None if self.smtp_url is None else parse_mail_server(self.smtp_url)

    @model_validator(mode="after")
    def _two_hosts(self) -> Self:
        if self.hosted_url is None:
            return self
        named = f"{_PREFIX}HOSTED_URL"
        if self.public_url is None:
            raise ValueError(f"{named} also needs {_PREFIX}PUBLIC_URL")
        panel, hosted = urlsplit(self.public_url), urlsplit(self.hosted_url)
        if panel.scheme != hosted.scheme:
            raise ValueError(f"{named} and {_PREFIX}PUBLIC_URL must both be https")
        if origin(self.public_url) == origin(self.hosted_url):
            raise ValueError(f"{named} must name another host than {_PREFIX}PUBLIC_URL")
        if panel.path or hosted.path:
            raise ValueError(f"{named} and {_PREFIX}PUBLIC_URL must have no path then")
        return self

    @property
    def email_domains(self) -> frozenset[str]:
        """The domains that single sign-on lets in, in lower case; empty for any."""
        named = self.oidc_allowed_domains.lower().split(",")
        return frozenset(each.strip().lstrip("@") for each in named if each.strip())

    @property
    def sqlalchemy_url(self) -> str:
        """The database's address; may hold a password, so it is never shown."""
        return self.database_url or f"sqlite:///{self.instance / 'dashboard.db'}"


def origin(url: str) -> tuple[str, int]:
    """Return the host and port of a URL in one form."""
    parts = urlsplit(url)
    usual = 443 if parts.scheme == "https" else 80
    return (parts.hostname or "").rstrip("."), parts.port or usual


@dataclass(frozen=True, kw_only=True)
class Effective:
    """A setting as it holds in this process, fit to be shown.

    Attributes:
        name: In the environment.
        value: Of a secret only whether it is set.
        is_set: Whether it was set, or this is the default.
    """

    name: str
    value: str
    is_set: bool


def effective(settings: Settings) -> list[Effective]:
    """Return every setting in the order of docs/configuration.md, without secrets."""
    return [
        Effective(
            name=f"{_PREFIX}{name.upper()}" if name != "instance" else _INSTANCE_DIR,
            value=_shown(name, getattr(settings, name)),
            is_set=name in settings.model_fields_set,
        )
        for name in Settings.model_fields
    ]


def _shown(name: str, value: object) -> str:
    match value:
        case None | "":
            return "not set"
        case SecretStr():
            return "set"
        case _ if name == "database_url":  # it may hold a password, also in its query
            return f"{make_url(str(value)).get_backend_name()}, set"
        case bool():
            return "true" if value else "false"
        case Enum():
            return str(value.value)
        case _:
            return str(value)


def load(**overrides: object) -> Settings:
    """Read the environment and `instance/.env`.

    Raises:
        SettingsError: One line that names each wrong value and each name that is not
            a setting. It never shows a value.
    """
    env_file = Path(str(overrides.get("instance") or instance_dir())) / ".env"
    wrong = list(_unknown_names(env_file))
    texts = {**_read_files(env_file, wrong), **overrides}
    try:
        settings = Settings(_env_file=env_file, **texts)  # type: ignore[arg-type]  # pydantic checks what the caller passes
    except ValidationError as error:
        for item in error.errors(include_input=False, include_url=False):
            named = [f"{_PREFIX}{str(name).upper()}" for name in item["loc"][:1]]
            wrong.append(": ".join([*named, item["msg"].removeprefix("Value error, ")]))
    if wrong:
        raise SettingsError("; ".join(wrong))
    return settings


def secret_files(instance: Path) -> list[Path]:
    """Return the files that settings name as `DASHBOARD_SECRET_KEY_FILE` does."""
    env_file = instance / ".env"
    values = {
        **DotEnvSettingsSource(Settings, env_file=env_file).env_vars,
        **EnvSettingsSource(Settings).env_vars,
    }
    named = (values.get(_file_name(each)) for each in sorted(_FROM_FILES))
    return [Path(each) for each in named if each]


def _read_files(env_file: Path, wrong: list[str]) -> dict[str, str]:
    """Return the settings that files hold; what is wrong with one is added."""
    values = {
        **DotEnvSettingsSource(Settings, env_file=env_file).env_vars,
        **EnvSettingsSource(Settings).env_vars,
    }
    texts = {}
    for name in sorted(_FROM_FILES):
        whole = f"{_PREFIX}{name}".lower()
        path = values.get(_file_name(name))
        if path is None:
            continue
        if whole in values:
            wrong.append(
                f"{whole.upper()} and {whole.upper()}{_FILE} are both set: unset one"
            )
            continue
        try:
            texts[name] = _read_file(Path(path))
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or str(error)
            wrong.append(f"{whole.upper()}{_FILE} can't be read: {why}")
    return texts


def _file_name(name: str) -> str:
    return f"{_PREFIX}{name}{_FILE}".lower()


def _read_file(path: Path) -> str:
    """Return a file's text without its last line end.

    Raises:
        OSError, ValueError: It cannot be read, or is no text for a setting.
    """
    with path.open("rb") as file:
        raw = file.read(_LARGEST_FILE_BYTES + 1)
    if len(raw) > _LARGEST_FILE_BYTES:
        raise ValueError("it is too long")
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = ""
    if not text.strip():
        raise ValueError("it is empty, or not text")
    return text.removesuffix("\n").removesuffix("\r")


def _unknown_names(env_file: Path) -> Iterator[str]:
    """Name the nearest setting for each `DASHBOARD_` name that is not one.

    Upper and lower case are the same, as in pydantic-settings.
    """
    known = {f"{_PREFIX}{name.upper()}" for name in Settings.model_fields}
    known = known - {f"{_PREFIX}INSTANCE"} | {_INSTANCE_DIR}
    known |= {f"{_PREFIX}{name.upper()}{_FILE}" for name in _FROM_FILES}
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


class MailTls(StrEnum):
    """How a connection to the mail server is encrypted."""

    TLS = "tls"
    STARTTLS = "starttls"
    NONE = "none"


@dataclass(frozen=True, kw_only=True)
class MailServer:
    """Where mail is handed in.

    Attributes:
        user: "" for no login; so is `password`.
        tls: Without any a password is never sent, but on this machine.
    """

    host: str
    port: int
    tls: MailTls
    user: str
    password: SecretStr


_MAIL_PORTS = {MailTls.TLS: 465, MailTls.STARTTLS: 587, MailTls.NONE: 25}


def parse_mail_server(url: SecretStr) -> MailServer:
    """Return the parts of a mail server's address.

    Raises:
        ValueError: It is no such address, or would send a password unencrypted. It
            shows nothing of the address.
    """
    try:
        parts = urlsplit(url.get_secret_value().strip())
        port = parts.port
    except ValueError:
        raise ValueError(_NO_MAIL_SERVER) from None
    asked = parse_qs(parts.query, keep_blank_values=True)
    is_known = not asked or (set(asked) == {"tls"} and len(asked["tls"]) == 1)
    if (
        parts.scheme not in ("smtp", "smtps")
        or not parts.hostname
        or port == 0
        or parts.path.strip("/")
        or parts.fragment
        or not is_known
    ):
        raise ValueError(_NO_MAIL_SERVER)
    tls = MailTls.NONE if _is_loopback(parts.hostname) else MailTls.STARTTLS
    if parts.scheme == "smtps":
        tls = MailTls.TLS
    elif asked:
        if asked["tls"][0] not in (MailTls.STARTTLS, MailTls.NONE):
            raise ValueError("has an unknown ?tls=: starttls and none are known")
        tls = MailTls(asked["tls"][0])
    if parts.password and tls is MailTls.NONE and not _is_loopback(parts.hostname):
        raise ValueError(
            "would send the password unencrypted: use smtps://, or leave out ?tls=none"
        )
    return MailServer(
        host=parts.hostname,
        port=port or _MAIL_PORTS[tls],
        tls=tls,
        user=unquote(parts.username or ""),
        password=SecretStr(unquote(parts.password or "")),
    )


_NO_MAIL_SERVER = (
    "must be like smtps://user:password@host:465 or smtp://user:password@host:587"
)


def sender_of(text: str) -> Address:
    """Return the sender of `Name <address>` or of an address.

    Raises:
        ValueError: It is neither.
    """
    name, address = parseaddr(text.strip() if text.isprintable() else "")
    try:
        found = Address(name, addr_spec=address)
    except (ValueError, HeaderParseError, IndexError):
        found = Address()
    if not (found.username and found.domain):
        raise ValueError(
            "must be an email address, or like Dashboard <dashboard@example.com>"
        )
    return found


def parse_role_map(text: str) -> list[tuple[str, str]]:
    """Return the claim values with their roles, in the order in which they count.

    `zoom-admins=admin,helpdesk=support`; what follows the last `=` is the role.

    Raises:
        ValueError: Something else is written, or a value twice.
    """
    pairs = []
    for part in filter(str.strip, text.split(",")):
        value, equals, role = part.rpartition("=")
        if not (equals and value.strip() and role.strip()):
            raise ValueError("must be written as group=role,group=role")
        pairs.append((value.strip(), role.strip().lower()))
    if len({value for value, _ in pairs}) < len(pairs):
        raise ValueError("names a group twice")
    return pairs


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
