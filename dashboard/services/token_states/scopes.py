"""What a grant lacks: by a refusal of Zoom's, or by the scopes that are known.

Source: docs/contracts/zoom.md 3.5 and 4.3, checked 2026-11-25.
"""

import re
from collections.abc import Sequence

from dashboard.errors import UpstreamError, words
from dashboard.models.connection import TokenState
from dashboard.models.zoom_app import Kind, ScopeStyle
from dashboard.services.token_states.findings import Finding
from dashboard.services.zoom_apps import scopes

_CODE = "4711"
_SCOPE = re.compile(r"[a-z_]+(?::[a-z_0-9]+)+")


def lacking(granted: str, kind: Kind, style: ScopeStyle) -> Finding | None:
    """Return what is missing of the scopes a grant is known to have; None if nothing.

    Args:
        granted: Scope names, space separated.
        kind: Of the zoom app.
        style: Of the zoom app: in whose names what is required is told.
    """
    missing = scopes.missing(frozenset(granted.split()), kind, style)
    if not missing:
        return None
    return _lacks(
        ", ".join(missing), "Zoom told the granted scopes with the tokens it gave."
    )


def scopes_in(text: str | None) -> Sequence[str]:
    """Return the scope names in a sentence of Zoom's, sorted, each once."""
    return sorted(set(_SCOPE.findall(text or "")))


def missing_scopes(error: UpstreamError, kind: Kind) -> Finding | None:
    """Return what a refusal says of scopes, as the kind of app names them.

    None when it was refused for another reason.
    """
    if not lacks_scopes(error):
        return None
    names = scopes_in(words(error))
    is_account = kind is Kind.ACCOUNT_LEVEL
    own = [name for name in names if (":admin" in name) is is_account]
    listed = ", ".join(own or names) or "a scope it needs"
    return _lacks(listed, f"Zoom refused a real call: {words(error)}")


def _lacks(listed: str, evidence: str) -> Finding:
    return Finding(
        state=TokenState.MISSING_SCOPES,
        reason=(
            f"The grant lacks {listed}. Add it to the app in Zoom's Marketplace "
            "if it is not there, then let the user reconnect and leave it ticked."
        ),
        evidence=evidence,
    )


def lacks_scopes(error: UpstreamError) -> bool:
    """Whether Zoom refused for want of a scope."""
    return error.code == _CODE
