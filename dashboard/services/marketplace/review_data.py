"""The data handling statement for Zoom's review, true of this dashboard. Pure.

What is said of keeping, sealing and deleting has to stay true of the code: see
docs/configuration.md (Retention), SECURITY.md, `vault` and `connection_acts`. Square
brackets are blanks that only the customer can fill.
"""

import re
from inspect import cleandoc

from dashboard.models.zoom_app import Routing
from dashboard.services.marketplace.console import Console
from dashboard.services.retention.pruning import DEAD_SHOWN_FOR


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
        ("What is kept", _USER),
        ("", _EVENTS.format(kept=kept, dead=dead) if is_relay else ""),
        ("", _OTHERS.format(kept=kept)),
        ("What is not kept", _NOT_KEPT),
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
    - Of each connected user: Zoom user ID and account ID, name, e-mail, personal
      meeting ID (PMI) and the one before it, the granted scopes as far as they are
      known, the state of the connection, and the numbers of the meetings matched to
      it. Kept while the user is connected.
""")
_EVENTS = flow("""
    - Each event that Zoom sends, as it came. Deleted {kept} after it arrived, once it
      is done; one that could not be handed on stays for {dead} after it was given up.
    - A sample of refused requests at the webhook address, by cause and by the
      sender's network address. Deleted after {kept}.
""")
_OTHERS = flow("""
    - Attempts to connect at Zoom, without any code or token. Those that made no
      connection are deleted after {kept}.
    - A log of what our own staff did, by their e-mail and network address. It names
      connections by ID, not by user.
""")
_NOT_KEPT = flow("""
    - Access tokens and refresh tokens. Recall.ai exchanges the authorization code and
      keeps the tokens; an access token that is fetched to read a user's profile is
      used once and not stored.
    - Recordings, transcripts and chats in Zoom. No scope for them is asked for.
""")
_SEALED = flow("""
    - Client secret, secret token, API keys{events} and the verifiers of a consent
      under way are encrypted with AES-256-GCM. Each value is bound to its place, so
      it does not open elsewhere. The keys are kept outside the database and can be
      rotated.
    - Names, e-mails, IDs and meeting numbers are stored in the database itself: [how
      its disk and its backups are encrypted].
""")
_VERIFIED = flow("""
    - Each event is verified with the secret token, over its exact bytes, before
      anything is done with it.
""")
_HTTPS = flow("""
    - The addresses that users and Zoom are given are https; Zoom and Recall.ai are
      called over https.
""")
_RECALL = flow("""
    - Recall.ai runs the meeting bots for us. It is given the app's client ID, client
      secret and secret token, and each user's authorization code.
""")
_HANDED_ON = "- All events are handed on to it byte for byte, as Zoom sent them."
_SENT_THERE = "- Zoom sends all events to it directly."
_BOTS = flow("""
    - With the tokens it lists the user's meetings, reads the PMI, and fetches join
      tokens for local recording.
    - What its bots record, and how long it is kept there: [your agreement with
      Recall.ai].
""")
_NOTICED = flow("""
    - When a user removes the app, Zoom's notice (app_deauthorized) marks the
      connection at once, and it is checked whether the grant still works.
""")
_NOTICED_THERE = flow("""
    - When a user removes the app, Zoom's notice (app_deauthorized) goes to Recall.ai.
      Each grant is checked regularly, so the removal is seen here as well.
""")
_DELETED = flow("""
    - Our staff then delete the connection: the credential at Recall.ai first, then
      all that is kept of the user [within how many days]. A user can ask for this at
      any time: [your contact].
""")
_EVENTS_GO = "- Events about the user go {kept} after they arrived."
