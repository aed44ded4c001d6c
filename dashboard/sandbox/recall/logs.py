"""The lists without ids: logs (docs/contracts/recall.md 3.6) and mappings (3.7)."""

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

from dashboard.sandbox.recall import filters, paging
from dashboard.sandbox.recall.here import caller, world
from dashboard.sandbox.recall.records import LogEntry

blueprint = Blueprint("logs", __name__, url_prefix="/api/v2")


@blueprint.get("/zoom-oauth-app-logs/")
def apps() -> ResponseReturnValue:
    """List warnings about apps."""
    return _entries(world().app_logs, about="oauth_app")


@blueprint.get("/zoom-oauth-credential-logs/")
def credentials() -> ResponseReturnValue:
    """List warnings about credentials."""
    return _entries(world().credential_logs, about="credential")


@blueprint.get("/zoom-meetings-to-credentials/")
def mappings() -> ResponseReturnValue:
    """List which credential answers for which meeting number."""
    credential = filters.identity("credential")
    meeting_id = filters.number("meeting_id")
    its_world = world()
    with its_world.lock:
        found = [
            one
            for one in its_world.mappings.values()
            if one.workspace is caller()
            and credential in (None, one.credential)
            and meeting_id in (None, one.meeting_id)
            and filters.within("synced_at", one.synced_at)
        ]
        return jsonify(paging.page(found, ordering="synced_at"))


def _entries(entries: list[LogEntry], *, about: str) -> ResponseReturnValue:
    subject = filters.identity(about)
    with world().lock:
        found = [
            one
            for one in entries
            if one.workspace is caller()
            and subject in (None, one.subject)
            and filters.within("created_at", one.created_at)
        ]
        return jsonify(paging.page(found, ordering="created_at"))
