"""Mail to users: an invitation arrives as its page looks, a refusal is shown."""

from concurrent.futures import wait
from datetime import timedelta

import pytest
from sqlmodel import col, select

from dashboard.errors import InvalidInputError
from dashboard.models.alert import MessageOutcome
from dashboard.models.invitation import Invitation
from dashboard.models.user_mail import UserMail
from dashboard.models.zoom_app import PageDesign, ZoomApp
from dashboard.services import audit
from dashboard.services.invitations import invitations
from dashboard.services.invitations.invitations import Made, Wanted
from dashboard.services.user_mail import mails
from tests.fixtures.alerts import Desk, box, desk

__all__ = ["box", "desk"]

PNG = b"\x89PNG not really"


def invite(desk: Desk, *emails: str, remind_days: int = 0) -> list[Made]:
    with desk.runtime.database.writing() as session:
        made = invitations.make(
            session,
            session.get_one(ZoomApp, desk.app_id),
            [Wanted(email=email, user_ref="u-1") for email in emails],
            actor=audit.THE_DASHBOARD,
            now=desk.clock.now(),
        )
        mails.write(
            session,
            desk.runtime.vault,
            made,
            remind_days=remind_days,
            now=desk.clock.now(),
        )
    return list(made)


def send(desk: Desk) -> None:
    sender = mails.sender(desk.runtime)
    while sender():
        wait(list(sender._running))
    sender.close()


def rows(desk: Desk) -> list[UserMail]:
    with desk.runtime.database.reading() as session:
        return list(session.exec(select(UserMail).order_by(col(UserMail.id))))


def test_an_invitation_arrives_as_text_and_html(desk: Desk) -> None:
    with desk.runtime.database.writing() as session:
        session.add(
            PageDesign(
                zoom_app_id=desk.app_id,
                organisation="Acme <b>",
                intro="We record calls.",
                contact="help@acme.example",
                logo=PNG,
                logo_type="image/png",
                logo_print="1",
                changed_at=desk.clock.now(),
            )
        )
    [made] = invite(desk, "ana@example.com")

    send(desk)

    [mail] = desk.box.messages
    text = mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]  # it has both
    html = mail.get_body(("html",)).get_content()  # type: ignore[union-attr]  # as above
    assert mail["To"] == "ana@example.com"
    assert mail["From"].addresses[0].addr_spec == "dashboard@example.com"
    assert mail["List-Unsubscribe"]
    for part in (text, html):
        assert f"/i/{made.secret}" in part
        assert "We record calls." in part
        assert "help@acme.example" in part
    assert "Acme &lt;b&gt;" in html
    assert [
        each.get_content() for each in mail.walk() if "png" in each.get_content_type()
    ] == [PNG]


def test_a_refusal_is_shown_on_the_invitation(desk: Desk) -> None:
    desk.box.refuses["gone@example.com"] = "550 5.1.1 no such user"
    [made] = invite(desk, "gone@example.com")

    send(desk)

    with desk.runtime.database.reading() as session:
        shown = mails.newest(session, [made.invitation.id])[made.invitation.id]
    assert shown.outcome is MessageOutcome.DEAD
    assert "550 5.1.1 no such user" in shown.trouble


def test_the_secret_of_a_link_is_kept_only_until_it_is_sent(desk: Desk) -> None:
    [made] = invite(desk, "ana@example.com")
    [before] = rows(desk)
    assert before.secret is not None
    assert made.secret.encode() not in before.secret

    send(desk)

    assert [each.secret for each in rows(desk)] == [None]


def test_a_mail_that_fails_is_sent_again_with_the_same_id(desk: Desk) -> None:
    desk.box.answers = ["451 4.3.0 later"]
    invite(desk, "ana@example.com")
    send(desk)
    desk.clock.advance(minutes=1)
    send(desk)

    assert [each["Message-ID"] for each in desk.box.messages] == [
        f"<user-mail-{rows(desk)[0].id}@example.com>"
    ]


def test_who_has_not_opened_the_link_is_reminded_once(desk: Desk) -> None:
    invite(desk, "ana@example.com", remind_days=3)
    send(desk)
    desk.clock.advance(days=4)
    send(desk)
    desk.clock.advance(days=4)
    send(desk)

    assert [each.split(":")[0] for each in desk.box.subjects] == [
        "Notetaker",
        "Reminder",
    ]


@pytest.mark.parametrize("ends", ["opened", "revoked", "expired"])
def test_who_needs_no_reminder_gets_none(desk: Desk, ends: str) -> None:
    [made] = invite(desk, "ana@example.com", remind_days=3)
    send(desk)
    with desk.runtime.database.writing() as session:
        now = desk.clock.now()
        if ends == "opened":
            invitations.opened(session, made.invitation.id, now=now)
        elif ends == "revoked":
            actor = audit.THE_DASHBOARD
            invitations.revoke(session, made.invitation.id, actor=actor, now=now)
        else:
            row = session.get_one(Invitation, made.invitation.id)
            row.expires_at = now + timedelta(days=1)
            session.add(row)
    desk.clock.advance(days=4)

    send(desk)

    assert len(desk.box.messages) == 1
    assert rows(desk)[-1].outcome is MessageOutcome.DROPPED
    assert rows(desk)[-1].secret is None


def test_who_has_no_email_gets_none(desk: Desk) -> None:
    invite(desk, "")

    assert rows(desk) == []


def test_without_a_mail_server_it_is_refused(desk: Desk) -> None:
    settings = desk.runtime.settings.model_copy(update={"smtp_url": None})

    with pytest.raises(InvalidInputError, match="DASHBOARD_SMTP_URL"):
        mails.require_server(settings)


def test_a_mail_goes_with_its_link(desk: Desk) -> None:
    [made] = invite(desk, "ana@example.com")
    with desk.runtime.database.writing() as session:
        session.delete(session.get_one(Invitation, made.invitation.id))

    assert rows(desk) == []
