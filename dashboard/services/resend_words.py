"""A preview in words, for the page and for the command line."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from dashboard.services.resend_previews import COUNTED, Preview
from dashboard.services.spans import age_words

_LEFT_OUT = (
    ("waiting", "wait to be sent to Recall already, so they need no resend"),
    ("under_way", "are about to be sent by another resend"),
    ("taken", "were taken by Recall since, by an earlier resend"),
    ("erased", "were erased: their users removed the app, and their bytes are gone"),
    ("kept", "were only kept: Zoom posts to Recall itself (direct routing)"),
)


def counted(preview: Preview) -> str:
    """Say how many would be sent: "10,000 webhooks"."""
    if preview.is_capped:
        return f"more than {COUNTED:,} webhooks"
    return f"{preview.total:,} webhook{'' if preview.total == 1 else 's'}"


def ages(preview: Preview, now: datetime) -> str:
    """Say how old Zoom's timestamps are: "37 min", "37 min to 26 h"; "" without any."""
    found = preview.ages(now)
    if found is None:
        return ""
    newest, oldest = (age_words(max(age, timedelta(seconds=1))) for age in found)
    return newest if newest == oldest else f"{newest} to {oldest}"


def left_out(preview: Preview) -> Sequence[tuple[int, str]]:
    """Return what matches and is not sent: how many and why."""
    reasons = [(getattr(preview, name), why) for name, why in _LEFT_OUT]
    return [(number, why) for number, why in reasons if number]


def warning(preview: Preview, now: datetime) -> str:
    """Say before it begins that Recall may refuse what is old; "" for nothing to send.

    Source: contracts/zoom.md 5.4 and recall.md 3.8, read 2026-11-23: neither documents
    how old a timestamp may be.
    """
    found = ages(preview, now)
    if not found:
        return ""
    return f"Recall may refuse them: their timestamps are {found} old."


UNALTERED = (
    "Each goes out byte for byte as it came, with Zoom's own timestamp and signature; "
    "nothing is signed anew. Originals and their attempts stay as they are."
)
