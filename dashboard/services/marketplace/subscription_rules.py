"""Compares Zoom's event subscription with the expected one; explains refusals. Pure.

Source: docs/contracts/zoom.md 5.7 and Zoom's API description, checked 2026-11-25.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from dashboard.clients.http.error_words import APP_DISABLED, CLIENT_REFUSED
from dashboard.clients.zoom.subscriptions import Wanted, ZoomSubscription
from dashboard.errors import UpstreamError

BY_API = "openapi"
_SHOWN_URL = 120
_TOO_MANY = 429
_SERVER_SIDE = 500


class State(StrEnum):
    """What was last seen of the subscription made by API."""

    NONE = ""
    MATCHES = "matches"
    DIFFERS = "differs"
    NOT_ALLOWED = "not_allowed"
    UNREACHABLE = "unreachable"
    GONE = "gone"
    ASKING = "asking"  # somebody is at it; for two minutes nobody else may

    @property
    def word(self) -> str:
        """The state in words."""
        return _WORDS[self]

    @property
    def tone(self) -> str:
        """The status tone: "good", "waiting", "trouble" or "off"."""
        return _TONES[self]


_WORDS = {
    State.NONE: "None via API",
    State.MATCHES: "Matches",
    State.DIFFERS: "Differs",
    State.NOT_ALLOWED: "Not allowed",
    State.UNREACHABLE: "Unknown",
    State.GONE: "Deleted",
    State.ASKING: "Checking",
}
_TONES = {
    State.NONE: "off",
    State.MATCHES: "good",
    State.DIFFERS: "trouble",
    State.NOT_ALLOWED: "trouble",
    State.UNREACHABLE: "waiting",
    State.GONE: "trouble",
    State.ASKING: "waiting",
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the comparison.

    Attributes:
        found: What Zoom has; None while that is not known.
        told: The difference as a sentence; "" where there is none.
    """

    label: str
    wanted: str
    found: str | None = None
    told: str = ""

    @property
    def differs(self) -> bool:
        """Whether Zoom was seen to have something else."""
        return bool(self.told)


@dataclass(frozen=True, kw_only=True)
class Found:
    """What Zoom returned.

    Attributes:
        kept: Our subscription, or the console's with our URL.
        joined: How many of those asked about have joined it.
        asked: How many users or accounts were asked about.
        others: Further subscriptions to any of our events.
        certificates: How many the app's events have; None when that isn't known.
    """

    kept: ZoomSubscription | None
    joined: int
    asked: int
    others: Sequence[ZoomSubscription] = ()
    certificates: int | None = None


def expected(wanted: Wanted) -> Sequence[Row]:
    """Return the comparison before Zoom was asked."""
    return [
        Row(label="Webhook URL", wanted=wanted.url),
        Row(label="Events", wanted=_list(wanted.events)),
        Row(label="Subscribes", wanted=_SCOPES[wanted.scope]),
    ]


def matching(wanted: Wanted) -> Sequence[Row]:
    """Return the comparison of a subscription that was seen to match."""
    return [
        Row(label=row.label, wanted=row.wanted, found=row.wanted)
        for row in expected(wanted)
    ]


def compare(wanted: Wanted, found: Found) -> Sequence[Row]:
    """Return the comparison; without a subscription nothing is known."""
    kept = found.kept
    if kept is None:
        return expected(wanted)
    return [
        Row(
            label="Webhook URL",
            wanted=wanted.url,
            found=kept.url or "none",
            told="" if kept.url == wanted.url else f"Zoom sends to {_short(kept.url)}.",
        ),
        Row(
            label="Events",
            wanted=_list(wanted.events),
            found=_list(kept.events),
            told=_about_events(wanted, kept),
        ),
        _subscribes(wanted, kept, found),
        *_additions(kept, found.certificates),
        *_duplicates(wanted, found),
    ]


def _additions(
    kept: ZoomSubscription, certificates: int | None = None
) -> Sequence[Row]:
    """Return what Zoom adds to each event, if anything; it does no harm here."""
    rows = []
    if kept.auth_type.lower() not in ("", "none"):
        rows.append(
            Row(label="Sign-in to the URL", wanted="not needed", found=kept.auth_type)
        )
    if kept.has_custom_params:
        rows.append(Row(label="Parameters", wanted="not needed", found="added"))
    if certificates:
        number = "1" if certificates == 1 else f"{certificates:,}"
        rows.append(Row(label="Certificates", wanted="not needed", found=number))
    return rows


def overlaps(wanted: Wanted, found: Found) -> Sequence[str]:
    """Return a sentence for each other subscription to the same events."""
    return [
        f"Another subscription, created {_where(other)}, sends {_list(both)} to "
        f"{_short(other.url)}. If two overlap, the same event arrives twice."
        for other in found.others
        if (both := [name for name in wanted.events if name in other.events])
    ]


def judge(wanted: Wanted, found: Found, *, was_made: bool) -> tuple[State, str]:
    """Return the state and its reason, one or two sentences.

    Args:
        wanted: What it should be.
        found: What Zoom has.
        was_made: Whether one made from here is on record.
    """
    if found.kept is None:
        if was_made:
            return State.GONE, (
                "The subscription created from here was deleted in Zoom. Press "
                "Create in Zoom to create it again."
            )
        return State.NONE, "Zoom has no event subscription with this webhook URL."
    by_hand = ""
    if found.kept.source != BY_API:
        by_hand = " It was created in Zoom's console and can only be changed there."
    told = [row.told for row in compare(wanted, found) if row.told]
    if told:
        return State.DIFFERS, " ".join(told) + by_hand
    return State.MATCHES, "Zoom sends both events to this webhook URL." + by_hand


def refused(error: UpstreamError, before: State) -> tuple[State, str]:
    """Return the state and reason after a refusal of Zoom's API.

    Args:
        error: What the client raised.
        before: What was known until then; a failed challenge does not change it.
    """
    said = f" Zoom said: {error.detail}" if error.detail else ""
    if error.code == "1701":
        return before, (
            "Zoom's validation request to the webhook URL was not answered correctly "
            "within 3 s, so nothing was created or changed. Activity on the app's page "
            f"shows whether the request arrived.{said}"
        )
    if why := _NOT_ALLOWED.get(error.code or ""):
        return State.NOT_ALLOWED, f"{why}{said}"
    has_words = error.code is not None or error.detail is not None
    status = error.status
    is_final = status is not None and status != _TOO_MANY and status < _SERVER_SIDE
    if is_final and has_words:
        return State.NOT_ALLOWED, f"{error}{said}"
    return State.UNREACHABLE, f"{error}{said}"


def refused_token(error: UpstreamError) -> tuple[State, str]:
    """Return the state and reason when Zoom gave the app no token of its own."""
    state, reason = refused(error, State.UNREACHABLE)
    is_of_app = error.code in {"invalid_client", APP_DISABLED, CLIENT_REFUSED}
    if state is State.NOT_ALLOWED and not is_of_app:
        said = f" Zoom said: {error.detail}" if error.detail else ""
        reason = (
            "Zoom gives this app no token of its own (client_credentials), so its "
            f"subscription can't be created via API.{said}"
        )
    return state, reason


_SCOPES = {
    "user": "the users who connected",
    "account": "every user of the connected account",
}
_NOT_ALLOWED = {
    "4711": "The app's own token lacks the scope for event subscriptions. Zoom adds it "
    "to General apps automatically; older apps may not have it.",
    "1602": "An event is not allowed because the app lacks its scope. Add the scopes "
    "listed in the set-up in Zoom, then try again.",
    "1300": "A user or account has not authorized the app, or has removed it.",
    "1002": "A user or account has not authorized the app, or has removed it.",
    "1003": "A user lacks the permission to subscribe to these events in Zoom.",
    APP_DISABLED: "Zoom has switched this app off. Activate it in Zoom's Marketplace, "
    "then try again.",
    "invalid_client": "Zoom rejects this client ID and client secret. Fix the "
    "credentials first.",
}


def _subscribes(wanted: Wanted, kept: ZoomSubscription, found: Found) -> Row:
    label, words = "Subscribes", _SCOPES[wanted.scope]
    if kept.scope and kept.scope != wanted.scope:
        return Row(
            label=label,
            wanted=words,
            found=_SCOPES.get(kept.scope, kept.scope),
            told=f"It subscribes {_SCOPES.get(kept.scope, kept.scope)}.",
        )
    absent = found.asked - found.joined
    if absent == 0:
        return Row(label=label, wanted=words, found=words)
    who = "account" if wanted.scope == "account" else "user"
    return Row(
        label=label,
        wanted=words,
        found=f"{found.joined} of the {found.asked} who connected last",
        told=f"{absent} of the last {found.asked} to connect "
        f"{'has' if absent == 1 else 'have'} not joined it, so no event of "
        f"{f'that {who}' if absent == 1 else f'those {who}s'} is sent.",
    )


def _duplicates(wanted: Wanted, found: Found) -> list[Row]:
    same = [other for other in found.others if other.url == wanted.url]
    if not same:
        return []
    return [
        Row(
            label="With this URL",
            wanted="one subscription",
            found=f"{len(same) + 1} subscriptions",
            told=f"{len(same) + 1} subscriptions send to this URL, so the same event "
            "arrives more than once.",
        )
    ]


def _about_events(wanted: Wanted, kept: ZoomSubscription) -> str:
    missing = [name for name in wanted.events if name not in kept.events]
    more = sorted(set(kept.events) - set(wanted.events))
    parts = []
    if missing:
        parts.append(f"Zoom does not send {_list(missing)}.")
    if more:
        parts.append(f"It also sends {_list(more)}, which nothing here uses.")
    return " ".join(parts)


def _where(other: ZoomSubscription) -> str:
    return "via API" if other.source == BY_API else "in Zoom's console"


def _list(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


def _short(url: str) -> str:
    return url if len(url) <= _SHOWN_URL else url[: _SHOWN_URL - 1] + "…"
