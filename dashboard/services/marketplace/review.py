"""The review kit: texts for Zoom's review of one zoom app, with its own values. Pure.

What the review asks for: docs/contracts/recall.md 7.4 and docs/contracts/zoom.md 7,
checked 2026-11-25. What is said of storing, encrypting and deleting must stay true of
the code: see docs/configuration.md (Retention), SECURITY.md and `vault`. Square
brackets
    are
blanks that only the customer can fill.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from inspect import cleandoc

from dashboard.models.zoom_app import Environment, Kind, Routing, TokenCustody
from dashboard.services.marketplace import console as consoles
from dashboard.services.marketplace.console import Console
from dashboard.services.retention.pruning import DEAD_SHOWN_FOR
from dashboard.services.zoom_apps import scopes
from dashboard.services.zoom_apps.scopes import Scope


def flow(text: str) -> str:
    """Return a text without its indent; indented lines continue the one before."""
    return re.sub(r"\n +", " ", cleandoc(text))


def statement(console: Console, retention_days: int) -> str:
    """Return the statement of a zoom app whose tokens Recall keeps.

    Args:
        console: The zoom app's values.
        retention_days: How long a webhook that is done is kept.
    """
    is_relay = console.routing is Routing.RELAY
    is_https = console.redirect_url.startswith("https://")
    kept = "1 day" if retention_days == 1 else f"{retention_days} days"
    dead = f"{DEAD_SHOWN_FOR.days} days"
    parts = [
        ("What we store", _USER),
        ("", _EVENTS.format(kept=kept, dead=dead) if is_relay else ""),
        ("", _OTHERS.format(kept=kept)),
        ("What we don't store", _NOT_KEPT),
        ("Encryption", _SEALED.format(events=", events" if is_relay else "")),
        ("", _VERIFIED if is_relay else ""),
        ("", _HTTPS if is_https else ""),
        ("Fourth party: Recall.ai", _RECALL),
        ("", _HANDED_ON if is_relay else _SENT_THERE),
        ("", _BOTS),
        ("Deletion", _NOTICED if is_relay else _NOTICED_THERE),
        ("", _DELETED),
        ("", _EVENTS_GO.format(kept=kept) if is_relay else ""),
    ]
    lines = [f"\n{title}\n{text}" if title else text for title, text in parts if text]
    return "\n".join(lines).strip()


_USER = flow("""
    - For each connected user: Zoom user ID and account ID, name, email, current and
      previous personal meeting ID (PMI), the granted scopes if known, the state of the
      connection, and the numbers of the meetings matched to it. Stored while the user
      is connected.
""")
_EVENTS = flow("""
    - Each event that Zoom sends, unchanged. Deleted {kept} after it arrived, once it
      is processed. An event that could not be delivered is stored for {dead} after the
      last attempt.
    - A sample of rejected requests to the webhook URL, by cause and by the sender's
      network address. Deleted after {kept}.
""")
_OTHERS = flow("""
    - Attempts to connect Zoom, without any code or token. Attempts that created no
      connection are deleted after {kept}.
    - An audit log of our own staff's actions, with their email and network address. It
      names connections by ID, not by user.
""")
_NOT_KEPT = flow("""
    - Access tokens and refresh tokens. Recall.ai exchanges the authorization code and
      stores the tokens. An access token fetched to read a user's profile is used once
      and not stored.
    - Recordings, transcripts and chats in Zoom. No scope for them is requested.
""")
_SEALED = flow("""
    - Client secret, secret token, API keys{events} and the verifiers of pending
      authorizations are encrypted with AES-256-GCM. Each value is bound to its row and
      column. The keys are stored outside the database and can be rotated.
    - Names, emails, IDs and meeting numbers are stored in the database itself: [how
      its disk and its backups are encrypted].
""")
_VERIFIED = flow("""
    - Each event's signature is verified over its exact bytes before it is used.
""")
_HTTPS = flow("""
    - All URLs for users and Zoom use https, and so do all calls to Zoom and
      Recall.ai.
""")
_RECALL = flow("""
    - Recall.ai runs the meeting bots for us. It receives the app's client ID,
      client secret and secret token, and each user's authorization code.
""")
_HANDED_ON = "- All events are forwarded to it byte for byte, as Zoom sent them."
_SENT_THERE = "- Zoom sends all events to it directly."
_BOTS = flow("""
    - With the tokens it lists the user's meetings, reads the PMI, and fetches join
      tokens for local recording.
    - What its bots record, and how long Recall.ai stores it: [your agreement with
      Recall.ai].
""")
_NOTICED = flow("""
    - When a user removes the app, Zoom's app_deauthorized event marks the
      connection at once, and we check whether the authorization still works.
""")
_NOTICED_THERE = flow("""
    - When a user removes the app, Zoom's app_deauthorized event goes to Recall.ai.
      Each authorization is checked regularly, so we notice the removal as well.
""")
_DELETED = flow("""
    - Our staff then delete the connection: the credential at Recall.ai first, then
      all stored data of the user [within how many days]. Users can request this at any
      time: [your contact].
""")
_EVENTS_GO = "- Events about the user are deleted {kept} after they arrived."


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
        scopes=[_scope(scope) for scope in scopes.list_for(console)],
        blocks=blocks,
        addresses=_addresses(console),
    )


def _scope(scope: Scope) -> Block:
    without = scope.reasons.without
    if not without.startswith("Zoom"):
        without = without[0].lower() + without[1:]
    hint = "Zoom adds it automatically." if scope.is_added_by_zoom else ""
    if scope.is_for_sdk:
        hint = "Only if the same Zoom app uses the Meeting SDK; Zoom adds it then."
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
        else "Users authorize this app, not the development one."
    )
    return Block(
        key="notes",
        title="Notes for the reviewer",
        text=text,
        hint=f"Fill in how bots are sent in your product. {tests_with}",
    )


def _data(console: Console, retention_days: int) -> Block:
    return Block(
        key="data",
        title="Data handling statement",
        text=statement(console, retention_days),
        hint="Fill in the brackets. Nothing is deleted automatically when a user "
        "removes the app: decide who presses Disconnect, and within how many days.",
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
        hint="We recommend adding a video of these steps.",
    )


def _addresses(console: Console) -> Sequence[Address]:
    return [
        Address(
            label="OAuth redirect URL",
            needs="Where Zoom sends the browser back. Also the only entry of the allow "
            "list.",
            value=console.redirect_url,
        ),
        Address(
            label="Direct landing page",
            needs="Where users start: the hosted connect page.",
            value=console.connect_url,
        ),
        Address(
            label="Event notification endpoint",
            needs=f"Receives {' and '.join(consoles.EVENTS)}.",
            value=console.webhook_url,
        ),
        Address(
            label="Deauthorization endpoint",
            needs="The same URL. Paste it by hand: the manifest has no known field for "
            "it.",
            value=console.webhook_url,
        ),
        Address(
            label="Privacy policy",
            needs="Yours. It must name the Zoom data that is stored, for how long, and "
            "Recall.ai as a recipient.",
        ),
        Address(label="Terms of use", needs="Yours. They must cover the use of bots."),
        Address(
            label="Support",
            needs="Yours. It must say how users reach you without signing in.",
        ),
        Address(
            label="Documentation",
            needs="Yours. It must say how to add, use and remove the app, and what is "
            "deleted then.",
        ),
    ]


_NOTES = flow("""
    How to test this app

    1. Open {connect_url} in a browser. No account with us is needed. The page says
       who is asking, what is read and why.
    2. Press Connect Zoom, sign in as {who} and allow the app. Zoom sends the browser
       back to {redirect_url}.
    3. The page then shows that the account is connected, with its name and email.
    4. Schedule a meeting in Zoom as that user. Zoom sends meeting.created, and the
       meeting is matched to its host.
    5. Start the meeting and have a bot join it: [how a bot is sent in your product].
       It records without a prompt to the host. Zoom shows everyone that the meeting
       is being recorded.
    6. Remove the app in Zoom's App Marketplace, under Manage > Added Apps. Open the
       first link again: the user can reconnect.
""")
_CASES = flow("""
    Sign in to our product: [address and test account]. Open {connect_url}: it names
      the app and says what is read and why.
    Press Connect Zoom and allow: the page says that the account is connected.
    Press Connect Zoom and decline: the page says that nothing was connected and how to
      try again.
    Add the app from Zoom's own link (Local Test or Marketplace): the page explains how
      to connect, and no code is exchanged.
    Schedule a meeting: Zoom sends meeting.created.
    Change the personal meeting ID in Zoom's profile: Zoom sends user.updated.
    Send a bot to an instant meeting of the connected user: it joins, is listed among
      the participants, and recording starts without a prompt to the host.
    Remove the bot: the recording ends.
    Remove the app in Zoom and reconnect: it works as the first time.
""")
_NO_ADMIN = (
    "As a user who is not an admin, press Connect Zoom: Zoom says an admin is required."
)
