"""What refusals of a call with a Marketplace token mean, a sentence each. Pure."""

from http import HTTPStatus

from dashboard.clients.http.error_words import SCOPES_MISSING
from dashboard.clients.zoom.marketplace_apps import ManifestProblem
from dashboard.errors import UpstreamError

_NOT_DRAFT = "1500"
_BY_HAND = "do it by hand."


def refused(error: UpstreamError, *, safe: str) -> str:
    """Return what a refusal means and what is safe.

    Args:
        error: What the client raised.
        safe: What was not changed, as a sentence.
    """
    said = f" Zoom said: {error.detail}" if error.detail else ""
    if error.code == SCOPES_MISSING:
        return (
            "This token may not do that: it lacks a scope. Add marketplace:read:app:"
            "admin and marketplace:write:app:admin to the app that issues it, and get "
            f"a new token. {safe}{said}"
        )
    if error.own_status == HTTPStatus.UNAUTHORIZED and _is_denied(error):
        return f"Zoom does not let this account do that by API: {_BY_HAND} {safe}{said}"
    if error.own_status == HTTPStatus.UNAUTHORIZED:
        return (
            "Zoom does not accept this token. It is valid for an hour: get a new one. "
            f"{safe}{said}"
        )
    if error.code == _NOT_DRAFT or error.own_status == HTTPStatus.NOT_FOUND:
        return (
            "Zoom has no draft app with this ID: it was deleted or published, or it "
            f"belongs to another account. {safe}{said}"
        )
    return f"{error} {safe}{said}"


def lost(name: str) -> str:
    """Return what to do when Zoom's answer to a creation was lost."""
    return (
        f"Zoom's answer was lost, so it may have created the app. Look for “{name}” "
        "among your apps in Zoom: enter its credentials here as an OAuth app you have, "
        "or delete it there and try again. Nothing was stored here."
    )


def invalid(problem: ManifestProblem) -> str:
    """Return what Zoom would not take of a manifest."""
    where = f"{problem.setting}: " if problem.setting else ""
    return (
        f"Zoom would reject the manifest ({where}{problem.message or 'no reason'}). "
        "Nothing was created."
    )


def _is_denied(error: UpstreamError) -> bool:
    return "denied" in (error.detail or "").lower()
