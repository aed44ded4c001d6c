"""The review kit: texts for Zoom's review of one zoom app, with its own values. Pure.

What the review asks for: docs/contracts/recall.md 7.4 and docs/contracts/zoom.md 7,
checked 2026-11-29. The data handling statement is put together from how this zoom app
is set up: token storage, routing, scopes, retention, data deletion. What it says must
stay true of docs/configuration.md (Retention), docs/erasure.md, docs/custody.md and
SECURITY.md. Square brackets are blanks that only the customer can fill.
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


@dataclass(frozen=True, kw_only=True)
class Periods:
    """How long data stays, in whole days.

    Attributes:
        retention: A webhook that is done, and an attempt that connected nobody.
        deletion: From a user's removal of the app until their data is deleted.
    """

    retention: int
    deletion: int


def statement(console: Console, periods: Periods) -> str:
    """Return the data handling statement of a zoom app, as it is set up.

    Args:
        console: The zoom app's values.
        periods: How long data stays.
    """
    is_relay = console.routing is Routing.RELAY
    is_user = console.kind is Kind.USER_LEVEL
    is_here = console.custody is TokenCustody.DASHBOARD
    is_own = console.is_connected_elsewhere
    kept, gone = _days(periods.retention), _days(periods.deletion)
    dead = f"{DEAD_SHOWN_FOR.days} days"
    sealed = "".join(
        [", events" if is_relay else "", ", users' tokens" if is_here else ""]
    )
    parts = [
        ("What we store", _USER if is_user else _ACCOUNT),
        ("", _TOKENS if is_here else ""),
        ("", _EVENTS.format(kept=kept, dead=dead) if is_relay else ""),
        ("", _OTHERS.format(kept=kept)),
        ("", _OWN_TOKENS if is_own else ""),
        ("What we don't store", "" if is_here or is_own else _NO_TOKENS),
        ("", _JOIN_TOKENS),
        ("", _NO_RECORDINGS),
        ("Encryption", _SEALED.format(more=sealed)),
        ("", _VERIFIED if is_relay else ""),
        ("", _HTTPS if console.redirect_url.startswith("https://") else ""),
        ("How often Zoom's API is called", _CHECKS if is_user else _ACCOUNT_CHECKS),
        ("", _CALLS_OWN if is_own else _CALLS_HERE if is_here else _CALLS),
        ("", _LOG),
        ("", _NO_POLLING if is_relay else ""),
        (
            "Fourth party: Recall.ai",
            _RECALL_FETCHES if is_here or is_own else _RECALL,
        ),
        ("", _HANDED_ON if is_relay else _SENT_THERE),
        ("", _BOTS),
        ("", _OUTSIDE if console.joins_external else ""),
        ("", _RECORDS),
        ("Deletion", _REMOVED.format(gone=gone) if is_relay else _REMOVED_THERE),
        ("", _REVOKED if is_here else ""),
        ("", (_ASKED_ELSEWHERE if is_own else _ASKED_FOR).format(gone=gone)),
        ("", _STAYS),
        ("", _EVENTS_GO.format(kept=kept) if is_relay else ""),
    ]
    lines, title = [], ""
    for heading, text in parts:
        title = heading or title
        if text:
            lines.append(f"\n{title}\n{text}" if title else text)
            title = ""
    return "\n".join(lines).strip()


def _days(number: int) -> str:
    return "1 day" if number == 1 else f"{number} days"


_USER = flow("""
    - For each connected user: Zoom user ID and account ID, name, email, previous
      emails, current and previous personal meeting ID (PMI), the granted scopes if
      known, the state of the connection, the numbers of the meetings matched to it, and
      our own reference and tags for the user. Stored while the user is connected.
""")
_ACCOUNT = flow("""
    - For each connected Zoom account: its account ID, the granted scopes if known, the
      state of the connection, the numbers of the meetings matched to it, and our own
      reference and tags for the account.
    - For each of its users: Zoom user ID, name, email, previous emails, status, current
      and previous personal meeting ID (PMI). Stored while the account is connected.
""")
_TOKENS = flow("""
    - For each connection: the access token and the refresh token that Zoom issued to
      us. Stored while it lasts.
""")
_OWN_TOKENS = flow("""
    - For each connection: our own ID of the user, and the address on our own server
      where Recall.ai fetches its access token, encrypted. The tokens themselves are
      stored there: [how your server stores tokens, how they are encrypted, and when
      they are deleted].
""")
_CALLS_OWN = flow("""
    - Our own server refreshes the tokens: [how often].
    - Recall.ai lists the user's meetings with access tokens that it gets from us.
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
_NO_TOKENS = flow("""
    - Access tokens and refresh tokens. Recall.ai exchanges the authorization code and
      stores the tokens. An access token fetched to check a user's connection is used
      once and not stored.
""")
_JOIN_TOKENS = flow("""
    - Tokens with which a bot joins or records a meeting. They are fetched when a bot
      needs one, and to test that fetching works, and then dropped.
""")
_NO_RECORDINGS = flow("""
    - Recordings, transcripts and chats in Zoom. No scope for them is requested.
""")
_SEALED = flow("""
    - Client secret, secret token, API keys{more} and the verifiers of pending
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
_CHECKS = flow("""
    - About once an hour for each connected user, less often with thousands of users:
      one call to read the profile (GET /users/me), to see that the authorization still
      works and that the personal meeting ID is current. Until its first success, one
      call to fetch a join token, which is dropped.
""")
_ACCOUNT_CHECKS = flow("""
    - About once an hour for each connected account: the list of its users (GET /users),
      300 a call, to see that the authorization still works and that the personal
      meeting IDs are current. Until its first success, one call to fetch a join token,
      which is dropped.
""")
_CALLS = flow("""
    - Recall.ai refreshes the tokens and lists the user's meetings.
""")
_CALLS_HERE = flow("""
    - Once in the life of an access token: one refresh.
    - Recall.ai lists the user's meetings with access tokens that it gets from us.
""")
_LOG = flow("""
    - Once an hour at most, while the webhook URL is not validated: the log of failed
      deliveries, with the app's own token (GET /marketplace/apps/.../webhook_logs).
""")
_NO_POLLING = flow("""
    - New meetings and changed profiles arrive as events. No call polls for them.
""")
_RECALL = flow("""
    - Recall.ai runs the meeting bots for us. It receives the app's client ID,
      client secret and secret token, and each user's authorization code.
""")
_RECALL_FETCHES = flow("""
    - Recall.ai runs the meeting bots for us. It receives the app's client ID,
      client secret and secret token. It gets a user's access token from us each time
      it needs one, and neither authorization codes nor refresh tokens.
""")
_HANDED_ON = "- All events are forwarded to it byte for byte, as Zoom sent them."
_SENT_THERE = "- Zoom sends all events to it directly."
_BOTS = flow("""
    - With the tokens it lists the user's meetings, reads the PMI, and fetches join
      tokens for local recording.
""")
_OUTSIDE = flow("""
    - For meetings that another account hosts, a token to join on behalf of the user is
      fetched.
""")
_RECORDS = flow("""
    - What its bots record, and how long Recall.ai stores it: [your agreement with
      Recall.ai].
""")
_REMOVED = flow("""
    - When a user removes the app, Zoom's app_deauthorized event makes us check the
      authorization at once. As soon as that confirms the removal, the credential at
      Recall.ai and all stored data of the user are deleted automatically, within
      {gone} of the removal.
""")
_REMOVED_THERE = flow("""
    - When a user removes the app, Zoom's app_deauthorized event goes to Recall.ai.
      Our regular check of each authorization notices it as well, and our staff then
      delete the connection [within how many days].
""")
_REVOKED = flow("""
    - When a user or our staff disconnect, the authorization is revoked at Zoom and the
      stored tokens are deleted.
""")
_ASKED_FOR = flow("""
    - A user can disconnect at any time on the page where they connected, or ask us:
      [your contact]. The same data is then deleted automatically within {gone}.
""")
_ASKED_ELSEWHERE = flow("""
    - A user can disconnect [where in your product], or ask us: [your contact]. The same
      data is then deleted automatically within {gone}.
""")
_STAYS = flow("""
    - A record stays that and when data was deleted. It names no user.
""")
_EVENTS_GO = flow("""
    - Events about the user are deleted with the rest, and any other event {kept}
      after it arrived.
""")


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


def texts(console: Console, periods: Periods) -> ReviewTexts:
    """Return the texts of a zoom app.

    Args:
        console: Its values.
        periods: How long data stays.
    """
    return ReviewTexts(
        scopes=[_scope(scope) for scope in scopes.list_for(console)],
        blocks=[_notes(console), _data(console, periods), _test_plan(console)],
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
        connect_url=_connects_at(console),
        redirect_url=_OWN_REDIRECT
        if console.is_connected_elsewhere
        else console.redirect_url,
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


def _data(console: Console, periods: Periods) -> Block:
    return Block(
        key="data",
        title="Data handling statement",
        text=statement(console, periods),
        hint="Put together from this app's token storage, routing and scopes, and from "
        "this dashboard's retention. Fill in the brackets.",
    )


def test_cases(console: Console) -> Sequence[str]:
    """Return the steps of the test plan; fit for a public page."""
    cases = _CASES.format(connect_url=_connects_at(console)).split("\n")
    if console.kind is Kind.ACCOUNT_LEVEL:
        cases.insert(1, _NO_ADMIN)
    return cases


def _test_plan(console: Console) -> Block:
    cases = [_SIGN_IN, *test_cases(console)]
    numbered = (f"{number}. {case}" for number, case in enumerate(cases, start=1))
    return Block(
        key="test-plan",
        title="Test plan",
        text="\n".join(["Test plan", "", *numbered]),
        hint="We recommend adding a video of these steps. The test plan without your "
        f"sign-in is public at {console.connect_url}/test-plan, for Zoom's release "
        "notes.",
    )


def _connects_at(console: Console) -> str:
    return _OWN_PAGE if console.is_connected_elsewhere else console.connect_url


def _addresses(console: Console) -> Sequence[Address]:
    is_own = console.is_connected_elsewhere
    return [
        Address(
            label="OAuth redirect URL",
            needs="Your product's own. Where Zoom sends the browser back."
            if is_own
            else "Where Zoom sends the browser back. Also the only entry of the allow "
            "list.",
            value=None if is_own else console.redirect_url,
        ),
        Address(
            label="Direct landing page",
            needs="Where users start: the page of your product where they connect Zoom."
            if is_own
            else "Where users start: the hosted connect page.",
            value=None if is_own else console.connect_url,
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
            needs="How to add, use and remove the app, and what is deleted then: a "
            "public page of this dashboard, or yours.",
            value=f"{console.connect_url}/help",
        ),
        Address(
            label="Test plan",
            needs="For the release notes. Public, without your sign-in.",
            value=f"{console.connect_url}/test-plan",
        ),
    ]


_OWN_PAGE = "the page of our product where users connect Zoom"
_OWN_REDIRECT = "our product"
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
_SIGN_IN = "Sign in to our product: [address and test account]."
_CASES = flow("""
    Open {connect_url}: it names the app and says what is read and why.
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
