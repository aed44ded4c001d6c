"""Which secret token made a webhook's signature, told by its bytes. Pure.

A row's `verdict` says what matched on arrival; after a change of the secret token the
same word means another one, and for about a second a process may not know of the
change. The bytes always tell.
"""

import hmac
from collections.abc import Iterable, Sequence
from enum import StrEnum

from dashboard.services.receiver.keyring import AppCredentials
from dashboard.services.receiver.signatures import (
    NamedSecret,
    sign,
    signed_bytes,
    usable,
)

Headers = Iterable[tuple[str, str]]


class Stand(StrEnum):
    """How the secret token that made a signature stands to the one Recall was given."""

    GIVEN = "given"  # it is the same, as far as is known
    NEWER = "newer"  # Recall is yet to be given it
    UNPROVEN = "unproven"  # the former one, and Zoom was not seen using Recall's
    FORMER = "former"  # one that Zoom was seen to have left


def signer(
    headers: Headers, body: bytes, secrets: Sequence[NamedSecret]
) -> NamedSecret | None:
    """Return which of the secret tokens signed a stored request; None: none of them.

    Args:
        headers: (name, value) as stored, names lower case.
        body: Raw request bytes, as they came.
        secrets: Tried in order.
    """
    named = dict(headers)
    timestamp = named.get("x-zm-request-timestamp", "")
    presented = named.get("x-zm-signature", "").encode(errors="replace")
    message = signed_bytes(timestamp, body)
    for each in usable(secrets):
        if hmac.compare_digest(sign(message, each.secret), presented):
            return each
    return None


def stand(app: AppCredentials, headers: Headers, body: bytes) -> Stand:
    """Return what Recall refusing the signature of this webhook can be due to."""
    change = app.change
    if change is None or not any(each.name == "current" for each in app.secrets):
        return Stand.GIVEN
    made_it = signer(headers, body, app.secrets)
    if made_it is not None and made_it.name == "current":
        return Stand.GIVEN if change.is_in_recall else Stand.NEWER
    if not change.is_in_recall:
        return Stand.GIVEN  # Recall should still have what made it
    return Stand.FORMER if change.is_seen else Stand.UNPROVEN
