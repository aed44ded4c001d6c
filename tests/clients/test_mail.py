"""Mail is handed in over a real connection; each refusal is a sentence."""

import socket
import threading
from email.message import EmailMessage

import pytest
from aiosmtpd.smtp import AuthResult
from pydantic import SecretStr

from dashboard.clients import mail
from dashboard.errors import SendError
from dashboard.settings import MailTls, parse_mail_server
from tests.fixtures.mailbox import mailbox
from tests.fixtures.ports import free_ports


def a_message() -> EmailMessage:
    message = EmailMessage(policy=mail.POLICY)
    message["From"], message["To"] = "a@example.com", "ops@example.com"
    message["Subject"], message["Message-ID"] = "Hello", "<1@example.com>"
    message.set_content("Hello, öps.")
    return message


def sent(url: str) -> None:
    mail.send(parse_mail_server(SecretStr(url)), a_message())


def test_a_message_arrives() -> None:
    with mailbox() as box:
        sent(box.url)

    assert box.subjects == ["Hello"]
    assert box.recipients == ["ops@example.com"]
    assert "öps" in box.messages[0].get_content()


@pytest.mark.parametrize(
    ("reply", "is_final"),
    [("550 5.1.1 no such user", True), ("450 4.2.0 try later", False)],
)
def test_a_refused_recipient_is_said(reply: str, is_final: bool) -> None:  # noqa: FBT001 - a parameter
    with mailbox() as box:
        box.refuses["ops@example.com"] = reply
        with pytest.raises(SendError, match=reply[4:]) as caught:
            sent(box.url)

    assert caught.value.is_final is is_final


@pytest.mark.parametrize(
    ("reply", "is_final"), [("554 5.7.1 spam", True), ("451 4.3.0 later", False)]
)
def test_a_refused_message_is_said(reply: str, is_final: bool) -> None:  # noqa: FBT001 - a parameter
    with mailbox() as box:
        box.answers = [reply]
        with pytest.raises(SendError) as caught:
            sent(box.url)

    assert caught.value.is_final is is_final


def test_no_server_is_said() -> None:
    with pytest.raises(SendError, match="can't be reached"):
        sent(f"smtp://127.0.0.1:{free_ports(1)[0]}")


def test_a_wrong_password_is_said_without_it() -> None:
    def refuse(*_: object) -> AuthResult:
        return AuthResult(success=False, handled=False)

    with mailbox(authenticator=refuse, auth_require_tls=False) as box:
        url = box.url.replace("://", "://bot:hunter2-secret@")
        with pytest.raises(SendError, match="refuses the login") as caught:
            sent(url)

    assert "hunter2" not in str(caught.value)


def test_a_server_without_starttls_gets_nothing() -> None:
    with mailbox() as box:
        with pytest.raises(SendError, match="STARTTLS"):
            sent(f"{box.url}?tls=starttls")

        assert box.messages == []


def test_a_server_that_says_a_little_for_ever_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mail, "LIMIT_S", 0.5)
    listening = socket.create_server(("127.0.0.1", 0))
    is_over = threading.Event()

    def drip() -> None:
        connection, _ = listening.accept()
        with connection:
            connection.sendall(b"220 hello\r\n")
            while not is_over.wait(0.05):
                try:
                    connection.sendall(b"250-more\r\n")
                except OSError:
                    return

    thread = threading.Thread(target=drip, daemon=True)
    thread.start()
    try:
        with pytest.raises(SendError):
            sent(f"smtp://127.0.0.1:{listening.getsockname()[1]}")
    finally:
        is_over.set()
        thread.join()
        listening.close()


@pytest.mark.parametrize(
    ("url", "tls", "port"),
    [
        ("smtps://u:p@mail.example.com", MailTls.TLS, 465),
        ("smtp://u:p@mail.example.com", MailTls.STARTTLS, 587),
        ("smtp://mail.example.com?tls=none", MailTls.NONE, 25),
        ("smtp://127.0.0.1:2525", MailTls.NONE, 2525),
        ("smtp://localhost", MailTls.NONE, 25),
    ],
)
def test_an_address_is_read(url: str, tls: MailTls, port: int) -> None:
    found = parse_mail_server(SecretStr(url))

    assert (found.tls, found.port) == (tls, port)


def test_what_is_escaped_in_an_address_is_read() -> None:
    found = parse_mail_server(SecretStr("smtps://a%40b.example:p%2Fw@mail.example.com"))

    assert found.user == "a@b.example"
    assert found.password.get_secret_value() == "p/w"


@pytest.mark.parametrize(
    "url",
    [
        "mail.example.com",
        "http://mail.example.com",
        "smtp://",
        "smtp://host:99999",
        "smtp://host/path",
        "smtp://host?tls=yes",
        "smtp://host?x=1",
        "smtp://u:hunter2@host?tls=none",
    ],
)
def test_another_address_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(ValueError, match=r"must be|would send|unknown") as caught:
        parse_mail_server(SecretStr(url))

    assert "hunter2" not in str(caught.value)
