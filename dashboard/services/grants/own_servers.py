"""Tokens on the customer's own server: Recall fetches them there, and we watch it.

The customer has tokens already and answers Recall at an address of its own, one for
each user (docs/contracts/recall.md 5, checked 2026-11-30): the bare token, within 5 s,
at least 120 s left. We register the address at Recall after a test from here, and use
the same address for each health check; a token is used once and forgotten. Once a day
the server is asked for a user that doesn't exist, too.
"""

import json
import re
import uuid
from base64 import urlsafe_b64decode
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import partial
from http import HTTPStatus
from urllib.parse import quote, urlsplit
from uuid import UUID

from pydantic import SecretStr
from sqlalchemy import ColumnElement
from sqlmodel import Session, col, func, or_, select, update
from sqlmodel.sql.expression import SelectOfScalar

from dashboard.clients import public_url
from dashboard.clients.public_url import NoAnswer, PublicUrlAnswer
from dashboard.clients.recall.api import Recall
from dashboard.clients.recall.replies import AccessToken, RecallCredential
from dashboard.clients.zoom.api import ZoomUser
from dashboard.db import Database
from dashboard.db.statements import rows_changed
from dashboard.errors import (
    ConflictError,
    InvalidInputError,
    NotFoundError,
    UpstreamError,
)
from dashboard.models.connection import Connection
from dashboard.models.own_server import OwnCallback, OwnServer
from dashboard.models.zoom_app import Kind, TokenCustody, ZoomApp
from dashboard.services import audit, former_emails, urls
from dashboard.services.audit import Actor
from dashboard.services.former_emails import Change
from dashboard.services.recall import workspaces
from dashboard.services.recall.credentials import clear
from dashboard.services.runtime import Runtime
from dashboard.services.zoom_apps import apps, hosts
from dashboard.settings import Settings, public_url_trouble
from dashboard.threads import WorkerThreads
from dashboard.vault import Vault

USER = "{user}"
"""What stands for a user in the callback URL."""

LIMIT_S = 5.0
LEFT_AT_LEAST = timedelta(seconds=120)
CODE = "own_server"
"""`code` of the UpstreamError for a server that gave no usable token."""

_SERVICE = "Your token server"
_LONGEST_USER = 120
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{20,8192}", re.ASCII)
_BLANKS = re.compile(r"[\s\x00-\x1f\x7f]")
_NOT_WORKING = {HTTPStatus.UNAUTHORIZED, HTTPStatus.BAD_REQUEST}
_NOBODY = "nobody-"
_NO_URL = "This is not a URL: it begins with https:// and a host."
_NOT_CHECKED = "Registered at Recall; not checked yet."
_TESTED = "Your token server answered a test."


STRANGERS_EVERY = timedelta(hours=24)
"""How often the server is asked for a user that doesn't exist."""

_LOOKED_EVERY = timedelta(minutes=1)
_AT_ONCE = 2


class Trouble(StrEnum):
    """What is wrong with an answer of the customer's server."""

    NONE = ""
    SLOW = "slow"
    PRIVATE = "private"
    NO_ANSWER = "no_answer"
    REDIRECT = "redirect"
    STATUS = "status"
    PAGE = "page"
    JSON = "json"
    QUOTED = "quoted"
    BLANKS = "blanks"
    NO_TOKEN = "no_token"  # noqa: S105 - no password
    OTHER_APP = "other_app"
    ENDS_SOON = "ends_soon"
    REFUSED = "refused"
    OPEN = "open"
    UNKNOWN_USERS = "unknown_users"

    @property
    def sentence(self) -> str:
        """What is wrong, as a sentence without its end."""
        return _SENTENCES[self]


_ABOUT_STRANGERS = {Trouble.OPEN, Trouble.UNKNOWN_USERS}
_SENTENCES = {
    Trouble.NONE: "answered with a token that works",
    Trouble.SLOW: "did not answer within 5 s, and Recall waits no longer",
    Trouble.PRIVATE: "has a private address, which Recall can't reach",
    Trouble.NO_ANSWER: "could not be reached",
    Trouble.REDIRECT: "redirects; enter the address that it redirects to",
    Trouble.STATUS: "answered {status} for this user",
    Trouble.PAGE: "answered with a web page in place of the token",
    Trouble.JSON: "answered with JSON; Recall takes the token alone, as plain text",
    Trouble.QUOTED: "put the token in quotes; Recall takes it without",
    Trouble.BLANKS: "put a line break or a space around the token; send it alone",
    Trouble.NO_TOKEN: "answered 200 with something that is no token; answer an error "
    "with its own status",
    Trouble.OTHER_APP: "gave a token of another Zoom app: its client ID is different",
    Trouble.ENDS_SOON: "gave a token with less than 120 s left, which Recall rejects",
    Trouble.REFUSED: "gave a token that Zoom rejects",
    Trouble.OPEN: "answers 200 for a user that doesn't exist; answer 404",
    Trouble.UNKNOWN_USERS: "fails for a user that doesn't exist; answer 404",
}


@dataclass(frozen=True, kw_only=True)
class Tested:
    """What one request to the customer's server came to.

    Attributes:
        status: HTTP's; 0 without an answer.
        token: With its end; None when there is trouble.
        profile: Zoom's answer to a call with it, if Zoom was asked.
    """

    trouble: Trouble
    took_ms: float
    status: int = 0
    token: AccessToken | None = None
    profile: ZoomUser | None = None

    @property
    def sentence(self) -> str:
        """What came of it."""
        said = self.trouble.sentence.format(status=self.status)
        return f"{_SERVICE} {said}."


@dataclass(frozen=True, kw_only=True)
class Page:
    """What is stored of an app's server, for its page.

    Attributes:
        server: None while no URL is set.
        users: Connections there; `failing` are those whose last test failed.
    """

    app: ZoomApp
    server: OwnServer | None
    users: int
    failing: Sequence[tuple[Connection, OwnCallback]]


def page(session: Session, zoom_app_id: UUID) -> Page:
    """Return what is stored; asks nobody.

    Raises:
        NotFoundError: There is no such zoom app.
    """
    app = apps.get(session, zoom_app_id)
    there = (
        col(Connection.zoom_app_id) == zoom_app_id,
        col(Connection.token_custody) == TokenCustody.OWN_SERVER,
    )
    users = session.exec(select(func.count()).select_from(Connection).where(*there))
    failing = (
        select(Connection, OwnCallback)
        .join(OwnCallback, col(OwnCallback.connection_id) == col(Connection.id))
        .where(*there, col(OwnCallback.problem) != "")
        .order_by(col(OwnCallback.tested_at).desc())
        .limit(20)
    )
    return Page(
        app=app,
        server=session.get(OwnServer, zoom_app_id),
        users=users.one(),
        failing=session.exec(failing).all(),
    )


def callback_of(session: Session, connection_id: UUID) -> OwnCallback | None:
    """Return where a connection's tokens are fetched, if that is not here."""
    return session.get(OwnCallback, connection_id)


def words(row: OwnCallback) -> str:
    """Return what the last test found, as a sentence."""
    if row.tested_at is None:
        return "Not tested yet."
    status = row.problem.partition(":")[2]
    trouble = Trouble(row.problem.partition(":")[0])
    return f"{_SERVICE} {trouble.sentence.format(status=status)}."


def about_strangers(row: OwnServer) -> str:
    """Return what the server answered for a user that doesn't exist, as a sentence.

    "" while that is as it must be, or was not tested.
    """
    if not row.strangers_problem:
        return ""
    return f"{_SERVICE} {Trouble(row.strangers_problem).sentence}."


def save_url(
    runtime: Runtime, zoom_app_id: UUID, typed: SecretStr, *, actor: Actor
) -> None:
    """Store the callback URL of an app's server; commits. Asks nobody.

    Connections keep the URL that Recall has of them.

    Raises:
        NotFoundError: There is no such zoom app.
        InvalidInputError: Recall could not be given this URL; nothing was saved.
    """
    url = SecretStr(typed.get_secret_value().strip())
    problem = _url_problem(
        url.get_secret_value(),
        is_private_allowed=runtime.settings.allow_private_endpoints,
    )
    if problem:
        raise InvalidInputError(f"{problem} Nothing was saved.", field="url")
    now = runtime.clock.now()
    with runtime.database.writing() as session:
        app = apps.lock(session, zoom_app_id)
        row = session.get(OwnServer, zoom_app_id) or OwnServer(
            zoom_app_id=zoom_app_id, url=b"", host="", set_at=now, set_by=""
        )
        row.url = runtime.vault.seal_text(
            url, table="own_server", column="url", row=zoom_app_id
        )
        row.host = (urlsplit(url.get_secret_value()).hostname or "")[:255]
        row.set_at, row.set_by = now, actor.name
        row.strangers_tested_at, row.strangers_problem = None, ""
        session.add(row)
        subject = f"{apps.full_name(app)}: {row.host}"
        audit.record(session, actor, "own_server.saved", subject=subject, now=now)


def _url_problem(url: str, *, is_private_allowed: bool) -> str:
    """Return why Recall could not call this URL for each user; "" if it could."""
    try:
        parts, template = urlsplit(url.replace(USER, "user")), urlsplit(url)
    except ValueError:  # brackets around what is no IPv6 address
        return _NO_URL
    is_url = parts.scheme in ("http", "https") and bool(parts.hostname)
    is_once = url.count(USER) == 1 and USER in f"{template.path}?{template.query}"
    is_short = len(url) - len(USER) < urls.LONGEST_URL
    wrong = (
        (not is_url, _NO_URL),
        (_BLANKS.search(url), "The URL holds a space or a line break."),
        (
            parts.username is not None or parts.fragment,
            "The URL holds a user or a fragment, which Recall can't be given.",
        ),
        (not is_once, f"The URL must hold {USER} once, in the path or the query."),
        (
            not is_short,
            f"The URL is longer than Recall takes ({urls.LONGEST_URL} characters).",
        ),
    )
    found = next((words for is_so, words in wrong if is_so), "")
    if found or is_private_allowed:
        return found
    trouble = public_url_trouble(f"{parts.scheme}://{parts.netloc}")
    return f"The URL can't be used: {trouble}." if trouble else ""


def add_user(
    runtime: Runtime, zoom_app_id: UUID, user: str, *, actor: Actor
) -> Connection:
    """Test a user's callback, register it at Recall and store the connection; commits.

    Args:
        runtime: All of them.
        zoom_app_id: Which.
        user: What stands for the user in the callback URL.
        actor: For the audit log.

    Raises:
        NotFoundError: There is no such zoom app.
        ConflictError: No URL is set, the tokens are stored elsewhere, or the app is not
            in Recall.
        InvalidInputError: The test failed, or Recall refused; nothing was stored.
    """
    user = user.strip()
    if not user or len(user) > _LONGEST_USER or _BLANKS.search(user):
        raise InvalidInputError(
            "Enter one user as your server knows them, without spaces.", field="user"
        )
    with runtime.database.reading() as session:
        app = apps.get(session, zoom_app_id)
        template = _template(session, runtime.vault, app)
        recall, oauth_app = workspaces.recall_of(runtime, session, app)
    url = _filled(template, user)
    if len(url.get_secret_value()) > urls.LONGEST_URL:
        raise InvalidInputError(
            f"With this user the URL is longer than Recall takes ({urls.LONGEST_URL} "
            "characters). Nothing was stored.",
            field="user",
        )
    tested = test(runtime, app, template, url)
    if tested.trouble:
        raise InvalidInputError(f"{tested.sentence} Nothing was stored.", field="user")
    try:
        credential = _registered(recall, oauth_app, app.kind, url, user)
    except UpstreamError as error:
        raise InvalidInputError(
            f"{error.message()} Nothing was stored.", field="user"
        ) from None
    return _stored(
        runtime,
        app,
        url,
        user=user,
        tested=tested,
        credential=credential,
        actor=actor,
    )


def _template(session: Session, vault: Vault, app: ZoomApp) -> SecretStr:
    if app.token_custody is not TokenCustody.OWN_SERVER:
        raise ConflictError("The tokens of this app are not on your own server.")
    row = session.get(OwnServer, app.id)
    if row is None:
        raise ConflictError("Enter the callback URL of your token server first.")
    return vault.open_text(row.url, table="own_server", column="url", row=app.id)


def _filled(template: SecretStr, user: str) -> SecretStr:
    return SecretStr(template.get_secret_value().replace(USER, quote(user, safe=""), 1))


def test(runtime: Runtime, app: ZoomApp, template: SecretStr, url: SecretStr) -> Tested:
    """Ask the customer's server as Recall does, then Zoom, then for a stranger."""
    tested = fetch(runtime.settings, app, url, now=runtime.clock.now())
    if tested.token is None:
        return tested
    try:
        profile = hosts.of_cloud(runtime.zoom, app.zoom_cloud).me(tested.token.token)
    except UpstreamError as error:
        if error.own_status in _NOT_WORKING and error.code == "124":
            return _troubled(Trouble.REFUSED, tested.took_ms, tested.status)
        profile = None  # an outage, or a scope that is missing: the check says so
    trouble = _about_strangers(runtime.settings, template)
    if trouble is not Trouble.NONE:
        return _troubled(trouble, tested.took_ms, tested.status)
    return Tested(
        trouble=Trouble.NONE,
        took_ms=tested.took_ms,
        status=tested.status,
        token=tested.token,
        profile=profile,
    )


def _about_strangers(settings: Settings, template: SecretStr) -> Trouble:
    """Ask for a user that doesn't exist: only a 4xx is right."""
    answer = _call(settings, _filled(template, f"{_NOBODY}{uuid.uuid4().hex[:12]}"))
    if answer.no_answer is not None:
        return _NO_ANSWER.get(answer.no_answer, Trouble.NO_ANSWER)
    if answer.status == HTTPStatus.OK:
        return Trouble.OPEN
    is_refused = (
        HTTPStatus.BAD_REQUEST <= answer.status < HTTPStatus.INTERNAL_SERVER_ERROR
    )
    return Trouble.NONE if is_refused else Trouble.UNKNOWN_USERS


def fetch(settings: Settings, app: ZoomApp, url: SecretStr, *, now: datetime) -> Tested:
    """Ask the customer's server for one token, as Recall does."""
    return judge(_call(settings, url), client_id=app.client_id, now=now)


def _call(settings: Settings, url: SecretStr) -> PublicUrlAnswer:
    return public_url.call(
        url.get_secret_value(),
        limit_s=LIMIT_S,
        is_private_allowed=settings.allow_private_endpoints,
    )


def judge(answer: PublicUrlAnswer, *, client_id: str, now: datetime) -> Tested:
    """Return what an answer is to Recall. Pure.

    Args:
        answer: What came back.
        client_id: Zoom's, of the app that the token must be of.
        now: Aware.
    """
    trouble = _trouble(answer)
    if trouble is not Trouble.NONE:
        return _troubled(trouble, answer.took_ms, answer.status)
    token = answer.body.decode("ascii")
    claims = _claims(token)
    issuer, ends = claims.get("iss"), claims.get("exp")
    is_of_an_app = isinstance(issuer, str) and issuer.startswith("zm:cid:")
    if is_of_an_app and issuer != f"zm:cid:{client_id}":
        return _troubled(Trouble.OTHER_APP, answer.took_ms, answer.status)
    expires_at = now + timedelta(hours=1)
    if isinstance(ends, int):
        with suppress(OverflowError, OSError, ValueError):
            expires_at = datetime.fromtimestamp(ends, UTC)
    if expires_at - now < LEFT_AT_LEAST:
        return _troubled(Trouble.ENDS_SOON, answer.took_ms, answer.status)
    return Tested(
        trouble=Trouble.NONE,
        took_ms=answer.took_ms,
        status=answer.status,
        token=AccessToken(token=SecretStr(token), expires_at=expires_at),
    )


def _trouble(answer: PublicUrlAnswer) -> Trouble:
    """Return what is wrong with the form of an answer."""
    if answer.no_answer is not None:
        return _NO_ANSWER.get(answer.no_answer, Trouble.NO_ANSWER)
    status = answer.status
    if status != HTTPStatus.OK:
        is_redirect = HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST
        return Trouble.REDIRECT if is_redirect else Trouble.STATUS
    text = answer.body.decode("utf-8", "replace")
    bare = text.strip()
    wrong = (
        (answer.is_page, Trouble.PAGE),
        (bare.startswith(("{", "[")), Trouble.JSON),
        (bare.startswith(('"', "'")), Trouble.QUOTED),
        (not _TOKEN.fullmatch(bare), Trouble.NO_TOKEN),
        (bare != text, Trouble.BLANKS),
    )
    return next((trouble for is_so, trouble in wrong if is_so), Trouble.NONE)


_NO_ANSWER = {
    NoAnswer.TOO_SLOW: Trouble.SLOW,
    NoAnswer.NO_CONNECTION: Trouble.SLOW,
    NoAnswer.PRIVATE: Trouble.PRIVATE,
}


def _claims(token: str) -> dict[str, object]:
    """Return what a token says of itself; nothing when it is opaque."""
    payload = token.partition(".")[2].partition(".")[0]
    try:
        found = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _troubled(trouble: Trouble, took_ms: float, status: int) -> Tested:
    return Tested(trouble=trouble, took_ms=took_ms, status=status)


def _registered(
    recall: Recall, oauth_app: UUID, kind: Kind, url: SecretStr, user: str
) -> RecallCredential:
    """Have Recall fetch a user's tokens there, past an older credential of theirs.

    Raises:
        UpstreamError: Recall refused, or didn't answer.
    """
    key = uuid.uuid4().hex
    for last in (False, True):
        try:
            return recall.create_held_credential(
                oauth_app=oauth_app, token_url=url, idempotency_key=key, user=user
            )
        except UpstreamError as error:
            if last:
                raise
            if clear(recall, oauth_app, kind, error):
                key = uuid.uuid4().hex
            elif not error.may_have_happened:
                raise
    raise AssertionError("the last try returns or raises")


def _stored(  # noqa: PLR0913 - the facts of one user
    runtime: Runtime,
    app: ZoomApp,
    url: SecretStr,
    *,
    user: str,
    tested: Tested,
    credential: RecallCredential,
    actor: Actor,
) -> Connection:
    """Store the connection and its callback; commits."""
    now, profile = runtime.clock.now(), tested.profile
    user_id = credential.user_id if profile is None else profile.id
    account_id = credential.account_id if profile is None else profile.account_id
    with runtime.database.writing() as session:
        row = _same(session, app, credential, user_id, account_id)
        if row is None:
            row = Connection(zoom_app_id=app.id, connected_at=now, due_at=now)
            row.token_reason = _NOT_CHECKED
            row.token_evidence = _TESTED
        else:
            row.reconnected_at, row.deauthorized_at = now, None
        row.token_custody = TokenCustody.OWN_SERVER
        row.recall_credential_id = credential.id
        if app.kind is Kind.USER_LEVEL:
            row.zoom_user_id = user_id or row.zoom_user_id
        row.zoom_account_id = account_id or row.zoom_account_id
        former = row.email
        if profile is not None:
            row.display_name = profile.display_name or row.display_name
            row.email = profile.email or row.email
        row.due_at, row.lease_until = now, None
        row.claim += 1
        session.add(row)
        session.flush()
        change = Change(former=former, current=row.email)
        former_emails.keep(session, row.id, [change], at=now)
        held = session.get(OwnCallback, row.id) or OwnCallback(
            connection_id=row.id, url=b"", user=""
        )
        held.url = runtime.vault.seal_text(
            url, table="own_callback", column="url", row=row.id
        )
        held.user, held.tested_at = user, now
        held.problem, held.took_ms = "", tested.took_ms
        session.add(held)
        subject = f"{apps.full_name(app)}: {row.id}"
        audit.record(session, actor, "own_server.user_added", subject=subject, now=now)
        return row


def _same(
    session: Session,
    app: ZoomApp,
    credential: RecallCredential,
    user_id: str | None,
    account_id: str | None,
) -> Connection | None:
    query = select(Connection).where(col(Connection.zoom_app_id) == app.id)
    by_user = app.kind is Kind.USER_LEVEL
    zoom_id = user_id if by_user else account_id
    if zoom_id is not None:
        key = Connection.zoom_user_id if by_user else Connection.zoom_account_id
        found = session.exec(query.where(col(key) == zoom_id).with_for_update()).first()
        if found is not None:
            return found
    same = col(Connection.recall_credential_id) == credential.id
    return session.exec(query.where(same).with_for_update()).first()


def token(runtime: Runtime, connection_id: UUID) -> AccessToken:
    """Return a connection's token from the customer's server; commits what came.

    Raises:
        UpstreamError: The server gave none that works for Recall; `code` is CODE.
    """
    with runtime.database.reading() as session:
        row = session.get_one(Connection, connection_id)
        app = session.get_one(ZoomApp, row.zoom_app_id)
        url = _url_of(session, runtime.vault, connection_id)
    now = runtime.clock.now()
    tested = fetch(runtime.settings, app, url, now=now)
    _store_test(runtime.database, connection_id, tested, now=now)
    if tested.token is None:
        raise UpstreamError(
            tested.sentence,
            service=_SERVICE,
            status=HTTPStatus.BAD_REQUEST,
            code=CODE,
        )
    return tested.token


def _store_test(
    database: Database, connection_id: UUID, tested: Tested, *, now: datetime
) -> None:
    """Store what a test found; commits."""
    with database.writing() as session:
        row = session.get(OwnCallback, connection_id)
        if row is None:
            return
        row.tested_at, row.took_ms = now, tested.took_ms
        at = f":{tested.status}" if tested.trouble is Trouble.STATUS else ""
        row.problem = f"{tested.trouble.value}{at}"
        session.add(row)


def test_again(runtime: Runtime, connection_id: UUID) -> Tested:
    """Test one connection's callback, a stranger's too; commits what came.

    Raises:
        NotFoundError: There is no such connection.
        ConflictError: Its tokens are not on the customer's server.
    """
    with runtime.database.reading() as session:
        row = session.get(Connection, connection_id)
        if row is None:
            raise NotFoundError("connection")
        app = session.get_one(ZoomApp, row.zoom_app_id)
        url = _url_of(session, runtime.vault, connection_id)
        template = _template(session, runtime.vault, app)
    tested = test(runtime, app, template, url)
    now = runtime.clock.now()
    _store_test(runtime.database, connection_id, tested, now=now)
    is_about_strangers = tested.trouble in _ABOUT_STRANGERS
    if is_about_strangers or tested.trouble is Trouble.NONE:
        _store_strangers(runtime.database, app.id, tested.trouble, now=now)
    return tested


class DailyTests:
    """The worker's chore: asks each app's server for a user that doesn't exist.

    Once a day for each, in threads of its own; each is claimed by its time.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._threads = WorkerThreads[UUID]("own server", at_once=_AT_ONCE)
        self._ran_at: datetime | None = None

    def __call__(self) -> int:
        """Begin the tests that are due; return how many; commits."""
        now, database = self._runtime.clock.now(), self._runtime.database
        if self._ran_at is not None and abs(now - self._ran_at) < _LOOKED_EVERY:
            return 0
        self._ran_at = now
        with database.reading() as session:
            due = session.exec(_due(now).limit(self._threads.room)).all()
        begun = 0
        for app_id in due:
            with database.writing() as session:
                is_it = col(OwnServer.zoom_app_id) == app_id
                claim = update(OwnServer).where(is_it, _is_old(now))
                claimed = session.exec(claim.values(strangers_tested_at=now))
            if rows_changed(claimed):
                self._threads.begin(app_id, partial(self._test, app_id))
                begun += 1
        return begun

    def wait(self, patience_s: float) -> None:
        """Return when what was begun has ended, or after so many seconds."""
        self._threads.wait(patience_s)

    def close(self) -> None:
        """Begin no more."""
        self._threads.close()

    def _test(self, app_id: UUID) -> None:
        runtime = self._runtime
        with runtime.database.reading() as session:
            template = _template(session, runtime.vault, apps.get(session, app_id))
        trouble = _about_strangers(runtime.settings, template)
        _store_strangers(runtime.database, app_id, trouble, now=runtime.clock.now())


def _due(now: datetime) -> SelectOfScalar[UUID]:
    return (
        select(OwnServer.zoom_app_id)
        .join(ZoomApp, col(ZoomApp.id) == col(OwnServer.zoom_app_id))
        .where(
            col(ZoomApp.token_custody) == TokenCustody.OWN_SERVER,
            col(ZoomApp.retired_at).is_(None),
            _is_old(now),
        )
        .order_by(col(OwnServer.strangers_tested_at), col(OwnServer.zoom_app_id))
    )


def _is_old(now: datetime) -> ColumnElement[bool]:
    tested_at = col(OwnServer.strangers_tested_at)
    return or_(tested_at.is_(None), tested_at <= now - STRANGERS_EVERY)


def _store_strangers(
    database: Database, zoom_app_id: UUID, trouble: Trouble, *, now: datetime
) -> None:
    """Store what the server answered for a user that doesn't exist; commits."""
    with database.writing() as session:
        row = session.get(OwnServer, zoom_app_id)
        if row is not None:
            row.strangers_tested_at, row.strangers_problem = now, trouble.value
            session.add(row)


def _url_of(session: Session, vault: Vault, connection_id: UUID) -> SecretStr:
    held = session.get(OwnCallback, connection_id)
    if held is None:
        raise UpstreamError(
            "The dashboard has no callback URL of this connection. Add the user again.",
            service=_SERVICE,
            status=HTTPStatus.BAD_REQUEST,
            code=CODE,
        )
    return vault.open_text(
        held.url, table="own_callback", column="url", row=connection_id
    )


def register(runtime: Runtime, connection_id: UUID) -> UUID:
    """Register a connection's callback at Recall again; commits.

    The caller holds the connection's lease.

    Returns:
        Recall's ID of the credential.

    Raises:
        ConflictError: The Zoom app is not in Recall.
        UpstreamError: Recall refused or didn't answer; may be repeated.
    """
    with runtime.database.reading() as session:
        row = session.get_one(Connection, connection_id)
        app = session.get_one(ZoomApp, row.zoom_app_id)
        recall, oauth_app = workspaces.recall_of(runtime, session, app)
        url = _url_of(session, runtime.vault, connection_id)
        user = session.get_one(OwnCallback, connection_id).user
    made = _registered(recall, oauth_app, app.kind, url, user)
    with runtime.database.writing() as session:
        row = session.get_one(Connection, connection_id)
        row.recall_credential_id = made.id
        session.add(row)
    return made.id
