"""The audit log: a filtered list, as a page, CSV or JSON."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from dashboard.models.audit import AuditEntry
from dashboard.services.audit import acts, reading
from dashboard.services.audit.changes import Changes, unpacked
from dashboard.services.audit.reading import Filters, Target
from dashboard.services.staff.permissions import Permission
from dashboard.web import access, exports
from dashboard.web.access import requires
from dashboard.web.context import db, runtime
from dashboard.web.forms.audit import AuditFilterForm, kept
from dashboard.web.paging import place

bp = Blueprint("audit", __name__, url_prefix="/audit")

_COLUMNS = (
    *("number", "id", "at", "who", "act", "subject", "address", "times"),
    *("changes", "hash"),
)
_PAGES: Mapping[str, tuple[str, str]] = {
    "connection": ("connections.show", "connection_id"),
    "resend": ("resends.show", "resend_id"),
    "staff": ("staff.edit", "staff_id"),
    "webhook": ("webhooks.show", "webhook_id"),
    "workspace": ("workspaces.edit", "workspace_id"),
    "zoom_app": ("zoom_apps.show", "zoom_app_id"),
}


@bp.get("/")
@requires(Permission.AUDIT_READ, fresh=exports.is_asked)
def index() -> ResponseReturnValue:
    """List the entries, newest first; the query string filters all three forms."""
    form = AuditFilterForm(request.args)
    is_valid = form.validate()
    filters, links = form.filters(), kept(request.args)
    if is_valid and exports.is_asked():
        rows = _rows(reading.everything(runtime().database, filters))
        return exports.respond(request.args["format"], "audit", _COLUMNS, rows)
    found = reading.page(db(), filters, place())
    targets = reading.targets(db(), found.rows)
    page = render_template(
        "audit/index.html",
        form=form,
        entries=found.rows,
        words=acts.words,
        changes=_changes(found.rows),
        links={
            key: _address(target)
            for key, target in targets.items()
            if _may_open(target)
        },
        is_filtered=filters != Filters(),
        newer_url=_at(links, after=found.newer_after),
        older_url=_at(links, before=found.older_before),
        csv_url=url_for(".index", **links, format="csv"),
        json_url=url_for(".index", **links, format="json"),
    )
    return page, 200 if is_valid else 422


def _at(links: Mapping[str, Any], **where: Any) -> str | None:  # noqa: ANN401 - of `url_for`
    if None in where.values():
        return None
    return url_for(".index", **links, **where)


def _may_open(target: Target) -> bool:
    """Whether the page of what an entry is about opens to its reader."""
    needed = access.needs(_PAGES[target.kind][0])
    return needed is not None and bool(current_user.can(needed))


def _address(target: Target) -> str:
    endpoint, name = _PAGES[target.kind]
    values: dict[str, Any] = {name: target.key}
    return url_for(endpoint, **values)


def _changes(rows: Iterable[AuditEntry]) -> Mapping[int, Changes]:
    return {row.id: unpacked(row.changes) for row in rows if row.changes}


def _rows(found: Iterable[AuditEntry]) -> Iterator[dict[str, object]]:
    for row in found:
        yield {
            "number": row.seq,
            "id": row.id,
            "at": row.at,
            "who": row.actor,
            "act": row.act,
            "subject": row.subject,
            "address": row.address,
            "times": row.times,
            "changes": row.changes,
            "hash": row.hash,
        }
