"""Texts for Zoom's review of one zoom app, filled with its own values. Pure.

What the review asks for: docs/contracts/recall.md 7.4 and docs/contracts/zoom.md 7,
checked 2026-11-25. Square brackets are blanks that only the customer can fill.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from dashboard.models.zoom_app import Environment, Kind, TokenCustody
from dashboard.services.marketplace import console as consoles
from dashboard.services.marketplace import review_data
from dashboard.services.marketplace.console import Console
from dashboard.services.marketplace.review_data import flow
from dashboard.services.zoom_apps import scopes
from dashboard.services.zoom_apps.scopes import Scope


@dataclass(frozen=True, kw_only=True)
class Block:
    """One text to paste.

    Attributes:
        hint: For the admin, not to be pasted; "" when there is nothing to say.
    """

    key: str
    title: str
    text: str
    hint: str = ""


@dataclass(frozen=True, kw_only=True)
class Address:
    """One URL that Zoom's forms ask for.

    Attributes:
        needs: What has to be there.
        value: Ours; None for the customer's own, and while it is not known.
    """

    label: str
    needs: str
    value: str | None = None


@dataclass(frozen=True, kw_only=True)
class ReviewTexts:
    """Everything to paste."""

    scopes: Sequence[Block]
    blocks: Sequence[Block]
    addresses: Sequence[Address]


def texts(
    console: Console, *, custody: TokenCustody, retention_days: int
) -> ReviewTexts:
    """Return the texts of a zoom app.

    Args:
        console: Its values.
        custody: Who keeps the tokens. Data handling is told for `recall` alone.
        retention_days: How long a webhook that is done is kept.
    """
    blocks = [_notes(console), _test_plan(console)]
    if custody is TokenCustody.RECALL:
        blocks.insert(1, _data(console, retention_days))
    return ReviewTexts(
        scopes=[
            _scope(scope)
            for scope in scopes.list_for(console.kind, console.scope_style)
        ],
        blocks=blocks,
        addresses=_addresses(console),
    )


def _scope(scope: Scope) -> Block:
    without = scope.reasons.without
    if not without.startswith("Zoom"):
        without = without[0].lower() + without[1:]
    hint = "" if scope.is_required else "Zoom adds it by itself."
    if scope.is_for_sdk:
        hint = "Only where the same Zoom app has the Meeting SDK; Zoom adds it then."
    return Block(
        key=f"scope-{scope.name.replace(':', '-')}",
        title=scope.name,
        text=f"{scope.reasons.reviewer} Without it: {without}",
        hint=hint,
    )


def _notes(console: Console) -> Block:
    is_user = console.kind is Kind.USER_LEVEL
    text = _NOTES.format(
        connect_url=console.connect_url,
        redirect_url=console.redirect_url,
        who="any Zoom user" if is_user else "an admin of a Zoom account",
    )
    tests_with = (
        "Zoom's reviewer can use the development app as it is."
        if console.environment is Environment.DEVELOPMENT
        else "Every grant is given to this app, not to the development one."
    )
    return Block(
        key="notes",
        title="Notes for the reviewer",
        text=text,
        hint=f"Fill in how a bot is sent in your product. {tests_with}",
    )


def _data(console: Console, retention_days: int) -> Block:
    return Block(
        key="data",
        title="Data handling statement",
        text=review_data.statement(console, retention_days),
        hint="Fill in the brackets. Nothing is deleted by itself when a user removes "
        "the app: agree who presses Disconnect, and within how many days.",
    )


def _test_plan(console: Console) -> Block:
    cases = _CASES.format(connect_url=console.connect_url).split("\n")
    if console.kind is Kind.ACCOUNT_LEVEL:
        cases.insert(1, _NO_ADMIN)
    numbered = (f"{number}. {case}" for number, case in enumerate(cases, start=1))
    return Block(
        key="test-plan",
        title="Test plan",
        text="\n".join(["Test plan", "", *numbered]),
        hint="A video of these steps beside the text is advised.",
    )


def _addresses(console: Console) -> Sequence[Address]:
    return [
        Address(
            label="OAuth redirect URL",
            needs="Where Zoom sends the browser back; also the only entry of the allow "
            "list.",
            value=console.redirect_url,
        ),
        Address(
            label="Direct landing page",
            needs="Where a user begins: the hosted connect page.",
            value=console.connect_url,
        ),
        Address(
            label="Event notification endpoint",
            needs=f"Takes {' and '.join(consoles.EVENTS)}.",
            value=console.webhook_url,
        ),
        Address(
            label="Deauthorization endpoint",
            needs="The same URL again, pasted by hand: no field of the manifest is "
            "known to hold it.",
            value=console.webhook_url,
        ),
        Address(
            label="Privacy policy",
            needs="Yours. It has to name the Zoom data that is kept, for how long, and "
            "Recall.ai as a recipient.",
        ),
        Address(
            label="Terms of use", needs="Yours. They have to cover the use of bots."
        ),
        Address(
            label="Support",
            needs="Yours. It has to say how a user reaches you, without signing in.",
        ),
        Address(
            label="Documentation",
            needs="Yours. It has to say how to add the app, how to use it, how to "
            "remove it, and what is deleted then.",
        ),
    ]


_NOTES = flow("""
    How to test this app

    1. Open {connect_url} in a browser. No account with us is needed. The page says
       who asks, what is read and why.
    2. Press Connect Zoom, sign in as {who} and allow the app. Zoom sends the browser
       back to {redirect_url}.
    3. The page then says that the account is connected, and by which name and e-mail.
    4. Schedule a meeting in Zoom as that user. Zoom sends meeting.created, and the
       meeting is matched to its host.
    5. Start the meeting and have a bot join it: [how a bot is sent in your product].
       It records without a prompt to the host; Zoom shows everybody that the meeting
       is being recorded.
    6. Remove the app in Zoom's App Marketplace, under Manage > Added Apps. Open the
       first link again: the user can connect anew.
""")
_CASES = flow("""
    Sign in to our product: [address and test account]. Open {connect_url}: it names
      the app and says what is read and why.
    Press Connect Zoom and allow: the page says that the account is connected.
    Press Connect Zoom and decline: the page says that nothing was connected and how to
      start again.
    Add the app from Zoom's own link (Local Test or Marketplace): the page explains how
      to connect, and no code is exchanged.
    Schedule a meeting: Zoom sends meeting.created.
    Change the personal meeting ID in Zoom's profile: Zoom sends user.updated.
    Send a bot to an instant meeting of the connected user: it joins, is listed among
      the participants, and recording starts without a prompt to the host.
    Remove the bot: the recording ends.
    Remove the app in Zoom and connect again: it works as the first time.
""")
_NO_ADMIN = (
    "As a user who is no admin, press Connect Zoom: Zoom says that an admin is needed."
)
