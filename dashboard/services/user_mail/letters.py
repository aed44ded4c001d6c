"""The words of a mail to a user, as text and HTML, in the design of the hosted page."""

from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from html import escape
from typing import Any

from dashboard.clients import mail
from dashboard.models.user_mail import Letter
from dashboard.models.zoom_app import Kind, PageDesign, ZoomApp
from dashboard.services.connect import page_designs

_LOGO = "logo"


def compose(  # noqa: PLR0913 - what a mail is made of, all named
    letter: Letter,
    app: ZoomApp,
    row: PageDesign | None,
    *,
    link: str,
    expires_at: datetime,
    sender: Address,
    to: str,
    reference: str,
) -> EmailMessage:
    """Return the mail.

    Args:
        letter: What it is.
        app: Which zoom app asks.
        row: The design of its hosted page, if it has one.
        link: The link; it is a secret.
        expires_at: Of the link.
        sender: Whom it comes from.
        to: The recipient.
        reference: Stays the same when the mail is sent again.
    """
    design = page_designs.shown(row)
    name = design.organisation or app.name
    paragraphs = [*_opening(letter, app, name), *design.paragraphs]
    closing = [f"The link is for you alone and works until {expires_at:%d %B %Y}."]
    if design.contact:
        closing.append(f"Questions? {design.contact}")
    closing.append("If you don't want this mail, reply to say so, or ignore it.")
    button = "Reconnect Zoom" if letter is Letter.RECONNECT else "Connect Zoom"
    message = EmailMessage(policy=mail.POLICY)
    message["Subject"] = " ".join(_subject(letter, name).split())
    message["From"] = Address(name, addr_spec=sender.addr_spec)
    message["To"] = Address(addr_spec=to)
    message["Message-ID"] = f"<{reference}@{sender.domain}>"
    message["List-Unsubscribe"] = f"<mailto:{sender.addr_spec}?subject=unsubscribe>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(
        "\n\n".join([*paragraphs, f"{button}: {link}", *closing]) + "\n"
    )
    has_logo = bool(row is not None and row.logo)
    message.add_alternative(
        _html(name, paragraphs, button, link, closing, has_logo=has_logo),
        subtype="html",
    )
    if row is not None and row.logo:
        main, _, sub = (row.logo_type or "image/png").partition("/")
        html: Any = message.get_payload(1)  # the alternative added above
        html.add_related(row.logo, main, sub, cid=f"<{_LOGO}>")
    return message


def _subject(letter: Letter, name: str) -> str:
    match letter:
        case Letter.INVITATION:
            return f"{name}: connect your Zoom account"
        case Letter.REMINDER:
            return f"Reminder: {name} asks you to connect your Zoom account"
        case Letter.RECONNECT:
            return f"{name}: please connect your Zoom account again"


def _opening(letter: Letter, app: ZoomApp, name: str) -> list[str]:
    is_user = app.kind is Kind.USER_LEVEL
    account = "your Zoom account" if is_user else "the Zoom account you administer"
    meetings = "your meetings" if is_user else "meetings in it"
    if letter is Letter.RECONNECT:
        said = (
            f"Zoom no longer accepts the authorization that you gave {name}, so its "
            f"meeting bot can't record {meetings} without asking. Please connect again."
        )
    else:
        said = (
            f"{name} would like to work with {account}, so that its meeting bot can "
            f"record {meetings} without asking the host each time."
        )
    return [said]


def _html(  # noqa: PLR0913 - the parts of a page
    name: str,
    paragraphs: list[str],
    button: str,
    link: str,
    closing: list[str],
    *,
    has_logo: bool,
) -> str:
    said = "".join(f"<p>{escape(each)}</p>" for each in paragraphs)
    small = "".join(f"<p>{escape(each)}</p>" for each in closing)
    logo = (
        f'<img src="cid:{_LOGO}" alt="{escape(name)}" style="max-height:64px">'
        if has_logo
        else ""
    )
    return (
        '<!doctype html><html lang="en"><body style="font-family:sans-serif;'
        f'max-width:32rem;margin:1rem auto;color:#1f2937">{logo}{said}'
        f'<p><a href="{escape(link)}" style="display:inline-block;padding:.6rem 1rem;'
        f'background:#1d4ed8;color:#ffffff;text-decoration:none;border-radius:4px">'
        f'{escape(button)}</a></p><div style="font-size:.85rem;color:#4b5563">{small}'
        "</div></body></html>"
    )
