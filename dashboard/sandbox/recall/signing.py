"""Signatures on the simulated Recall's own requests (docs/contracts/recall.md 6)."""

import base64
import hashlib
import hmac
import secrets
from datetime import datetime, timedelta

from dashboard.sandbox.recall.records import VerificationSecret, Workspace

_OVERLAP = timedelta(hours=24)


def renew(workspace: Workspace, *, now: datetime) -> str:
    """Give the workspace a new verification secret; the old one signs for 24 h more."""
    for old in workspace.secrets:
        old.until = old.until or now + _OVERLAP
    # The prefix decodes from base64 like the rest of a real secret does.
    text = "whsec_" + base64.b64encode(b"simulated!" + secrets.token_bytes(23)).decode()
    workspace.secrets.append(VerificationSecret(text=text))
    return text


def headers(workspace: Workspace, body: bytes, *, now: datetime) -> dict[str, str]:
    """Return the three `webhook-` headers, or none before the first secret."""
    valid = [key for key in workspace.secrets if key.until is None or key.until > now]
    if not valid:
        return {}
    message_id = "msg_sim" + secrets.token_urlsafe(18)
    timestamp = str(int(now.timestamp()))
    text = f"{message_id}.{timestamp}.".encode() + body
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(_signature(key.text, text) for key in valid),
    }


def _signature(secret: str, text: bytes) -> str:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, text, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()
