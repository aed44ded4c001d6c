"""Hands mail to the operator's mail server: SMTP with TLS, STARTTLS or on this machine.

Returns within a limit of time whatever the server does.
"""

import smtplib
import socket
import ssl
from contextlib import suppress
from email import policy
from email.message import EmailMessage
from http import HTTPStatus
from threading import Timer

from dashboard.clients.http.scrubbing import scrub
from dashboard.clients.http.tls import context
from dashboard.errors import SendError
from dashboard.settings import MailServer, MailTls

POLICY = policy.SMTP.clone(max_line_length=400)
"""Of a message: a subject of one sentence stays on one line."""

_STEP_S = 15.0
"""The longest that one answer is awaited."""

LIMIT_S = 45.0
"""The longest that handing in one message may take."""

_FINAL = HTTPStatus.INTERNAL_SERVER_ERROR
"""From 500 on a reply is final, in SMTP as well (RFC 5321, 4.2.1)."""


def send(server: MailServer, message: EmailMessage) -> None:
    """Hand in one message to one recipient.

    Args:
        server: From the settings.
        message: With From, To and Message-ID.

    Raises:
        SendError: It was not taken; names the server and what it said.
    """
    where = f"{server.host}:{server.port}"
    try:
        with _connected(server) as smtp:
            timer = Timer(LIMIT_S, _cut, [smtp])
            timer.daemon = True
            timer.start()
            try:
                _hand_in(server, smtp, message)
            finally:
                timer.cancel()
    except SendError:
        raise
    except smtplib.SMTPAuthenticationError as error:
        said = _said(server, error.smtp_error)
        raise SendError(
            f"The mail server {where} refuses the login: {said}. An operator checks "
            "DASHBOARD_SMTP_URL."
        ) from None
    except smtplib.SMTPServerDisconnected:
        raise SendError(
            f"The mail server {where} broke off the connection.", may_have_arrived=True
        ) from None
    except smtplib.SMTPResponseException as error:
        said = _said(server, error.smtp_error)
        is_final = error.smtp_code >= _FINAL and isinstance(
            error, smtplib.SMTPDataError
        )
        raise SendError(
            f"The mail server {where} refuses the mail: {error.smtp_code} {said}.",
            is_final=is_final,
        ) from None
    except smtplib.SMTPNotSupportedError:
        raise SendError(
            f"The mail server {where} doesn't offer what DASHBOARD_SMTP_URL asks for: "
            "STARTTLS or a login."
        ) from None
    except ssl.SSLError as error:
        reason = getattr(error, "verify_message", "") or error.reason or "no TLS"
        raise SendError(
            f"The connection to the mail server {where} can't be encrypted: {reason}."
        ) from None
    except TimeoutError:
        raise SendError(
            f"The mail server {where} doesn't answer in time.", may_have_arrived=True
        ) from None
    except (OSError, smtplib.SMTPException, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise SendError(
            f"The mail server {where} can't be reached: {reason}."
        ) from None


def _connected(server: MailServer) -> smtplib.SMTP:
    """Connect, encrypted before anything is said, or as soon as STARTTLS is."""
    name = socket.gethostname() or "localhost"
    tls = context(trust_env=True)
    if server.tls is MailTls.TLS:
        return smtplib.SMTP_SSL(
            server.host,
            server.port,
            local_hostname=name,
            timeout=_STEP_S,
            context=tls,
        )
    smtp = smtplib.SMTP(server.host, server.port, local_hostname=name, timeout=_STEP_S)
    if server.tls is MailTls.STARTTLS:
        try:
            smtp.starttls(context=tls)
        except BaseException:
            smtp.close()
            raise
    return smtp


def _hand_in(server: MailServer, smtp: smtplib.SMTP, message: EmailMessage) -> None:
    if server.user:
        smtp.login(server.user, server.password.get_secret_value())
    try:
        smtp.send_message(message)
    except smtplib.SMTPRecipientsRefused as error:
        code, said = next(iter(error.recipients.values()))
        raise SendError(
            f"The mail server refuses the recipient: {code} {_said(server, said)}.",
            is_final=code >= _FINAL,
        ) from None


def _cut(smtp: smtplib.SMTP) -> None:
    """Break off a connection whose server keeps saying a little."""
    sock = smtp.sock
    if sock is not None:
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)


def _said(server: MailServer, said: bytes | str) -> str:
    text = said.decode(errors="replace") if isinstance(said, bytes) else said
    return scrub(text, [server.password]).rstrip(".") or "without a reason"
