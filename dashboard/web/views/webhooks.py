"""The webhook log, one webhook, and what an admin may do with it."""

from collections.abc import Sequence
from typing import Any

from flask import (
    Blueprint,
    Response,
    flash,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue

from dashboard.db.columns import LARGEST_ID
from dashboard.errors import ConflictError, NotFoundError
from dashboard.models.connection import Connection
from dashboard.models.ids import new_id
from dashboard.models.webhook import Webhook
from dashboard.services import audit, urls
from dashboard.services.connections import listing
from dashboard.services.erasure.redaction import of_webhook
from dashboard.services.facts import webhooks as facts
from dashboard.services.facts import zoom_log
from dashboard.services.heartbeats import heartbeats
from dashboard.services.paging import Place
from dashboard.services.receiver import refusals
from dashboard.services.resends import resends
from dashboard.services.staff.permissions import Permission
from dashboard.services.webhook_log import log, redaction, search, story
from dashboard.services.webhook_log.log import Request, Trace
from dashboard.services.webhook_log.search import WebhookFilter
from dashboard.services.webhook_log.story import IntegrityFinding, steps
from dashboard.web import exports, htmx
from dashboard.web.access import requires
from dashboard.web.context import actor, db, now, runtime
from dashboard.web.forms.webhook import WebhookFilterForm, kept
from dashboard.web.pages.webhooks import (
    body_file,
    body_views,
    list_context,
    list_file,
    newer_words,
    refused_context,
)
from dashboard.web.paging import place, row_id

bp = Blueprint("webhooks", __name__, url_prefix="/webhooks")

_REVEALED = "webhook.revealed"

_ID = f"int(max={LARGEST_ID}):webhook_id"


@bp.get("/")
@requires(Permission.WEBHOOKS_READ, fresh=exports.is_asked)
def index() -> ResponseReturnValue:
    """List the log; `before` and `after` turn pages, `top` keeps what is being read.

    As CSV or JSON, the same filter gives all of it.
    """
    form = WebhookFilterForm(request.args)
    names = [] if htmx.wants_fragment() else search.event_names(db())
    form.choose_from(log.app_names(db()), names)
    is_valid = form.validate()
    filters, links = form.filters(), kept(request.args)
    if is_valid and exports.is_asked():
        kind = request.args["format"]
        return list_file(runtime().database, filters, kind, now=now())
    top = request.args.get("top", type=row_id)
    here = place() if top is None else Place(before=top + 1)
    page = log.page(db(), filters=filters, place=here)
    if here.after is not None and page.newer_after is None:
        return redirect(url_for(".index", **links))  # that is the first page again
    turned = {
        name: value
        for name in ("before", "after")
        if (value := request.args.get(name, type=row_id))
    }
    return htmx.page_or_fragment(
        "webhooks/index.html",
        "webhooks/partials/_list.html",
        status=200 if is_valid else 422,
        form=form,
        whose=_whose(filters),
        lost=zoom_log.of_last_day(db(), filters.zoom_app_id, now=now()),
        newer=newer_words(db(), filters, top),
        resend_url=url_for("resends.new", **links),
        state_of=facts.Reader(db(), now=now()),
        **list_context(db(), page, filters=filters, turned=turned, links=links),
    )


@bp.get("/refused")
@requires(Permission.WEBHOOKS_READ)
def refused_index() -> Response:
    """List the sample of refused requests, and how many there were for each cause."""
    form = WebhookFilterForm(request.args)
    form.choose_from(log.app_names(db()), [])
    form.validate()
    filters, links = form.filters(), kept(request.args)
    page = refusals.page(db(), place=place(), zoom_app_id=filters.zoom_app_id)
    return htmx.page_or_fragment(
        "webhooks/refused.html",
        "webhooks/partials/_refused.html",
        form=form,
        **refused_context(db(), page, filters=filters, links=links, now=now()),
    )


@bp.get(f"/<{_ID}>")
@requires(Permission.WEBHOOKS_READ)
def show(webhook_id: int) -> str:
    """Show one webhook with its body redacted."""
    return render_template("webhooks/show.html", **_context(webhook_id))


@bp.get(f"/<{_ID}>/verify")
@requires(Permission.WEBHOOKS_READ)
def verify(webhook_id: int) -> Response:
    """Check checksum and signature again; htmx asks for the results alone."""
    return htmx.page_or_fragment(
        "webhooks/show.html",
        "webhooks/partials/_verification.html",
        **_context(webhook_id, is_verified=True),
    )


@bp.get(f"/<{_ID}>/trace")
@requires(Permission.WEBHOOKS_READ)
def trace(webhook_id: int) -> Response:
    """Show its delivery so far: a live part of its page."""
    found = log.get(db(), webhook_id)
    return htmx.fragment("webhooks/partials/_trace.html", **_trace(found))


def _trace(found: Trace) -> dict[str, Any]:
    at = now()
    worker = heartbeats.find(db(), now=at)
    return {
        "trace": found,
        "state": facts.Reader(db(), now=at, is_worked=worker)(found.webhook),
        "steps": steps(found, now=at, worker=worker),
    }


@bp.get(f"/<{_ID}>/sent")
@requires(Permission.WEBHOOKS_READ)
def sent(webhook_id: int) -> Response:
    """Show what each attempt sent: the other live part."""
    found = log.get(db(), webhook_id)
    raw = _raw(found)
    return htmx.fragment(
        "webhooks/partials/_sent.html",
        trace=found,
        sent=story.sent(found, raw.names),
    )


@bp.post(f"/<{_ID}>/reveal")
@requires(Permission.WEBHOOKS_REVEAL, fresh=True)
def reveal(webhook_id: int) -> ResponseReturnValue:
    """Show the request exactly as received, or its body as a file; audited first."""
    found = log.get(db(), webhook_id)
    if erased := _erased(found.webhook):
        raise ConflictError(erased)
    with runtime().database.writing() as session:
        audit.record(
            session,
            actor(),
            _REVEALED,
            subject=_subject(found.webhook),
            now=now(),
        )
    if request.form.get("as") == "file":
        return body_file(_raw(found).body, name=_file_name(webhook_id))
    context = _context(webhook_id, is_revealed=True)
    return render_template("webhooks/show.html", **context)


@bp.post(f"/<{_ID}>/resend")
@requires(Permission.WEBHOOKS_RESEND)
def resend(webhook_id: int) -> Response:
    """Send it to Recall again as received: timestamp and signature stay Zoom's."""
    resends.begin_one(
        runtime(),
        webhook_id,
        resend_id=request.form.get("resend", type=row_id),
        actor=actor(),
    )
    flash("Queued for delivery to Recall.", "good")
    return htmx.go_to(url_for(".show", webhook_id=webhook_id))


def _whose(filters: WebhookFilter) -> Connection | None:
    if filters.connection_id is None:
        return None
    try:
        return listing.get(db(), filters.connection_id)
    except NotFoundError:
        return None  # the page says so


def _raw(trace: Trace) -> Request:
    """Return the request; empty once its data was deleted."""
    if trace.webhook.erased_at is not None:
        return Request(headers=[], body=b"")
    return log.request(db(), runtime().vault, trace.webhook.id)


def _erased(webhook: Webhook) -> str:
    return of_webhook(webhook.erased_at) if webhook.erased_at is not None else ""


def _findings(trace: Trace, raw: Request) -> Sequence[IntegrityFinding]:
    if trace.webhook.erased_at is not None:
        return ()
    return story.verify(db(), runtime().vault, trace, raw)


def _context(
    webhook_id: int, *, is_revealed: bool = False, is_verified: bool = False
) -> dict[str, Any]:
    found = log.get(db(), webhook_id)
    raw = _raw(found)
    url = urls.webhook_url(runtime().public_url, found.app.id)
    file = _file_name(webhook_id)
    return {
        **_trace(found),
        "sent": story.sent(found, raw.names),
        "findings": _findings(found, raw) if is_verified else None,
        "resend_id": new_id(now()),
        "age_min": int((now().timestamp() - found.webhook.sent_at_s) // 60),
        "headers": raw.headers if is_revealed else redaction.headers(raw.headers),
        "shown": None if is_revealed else redaction.body(raw.body),
        "erased": _erased(found.webhook),
        "reveals": audit.of_subject(db(), _REVEALED, _subject(found.webhook)),
        "views": body_views(raw.body, raw.headers, url=url, file=file)
        if is_revealed
        else None,
    }


def _subject(webhook: Webhook) -> str:
    """Name a webhook for the audit log."""
    return f"{webhook.event} {webhook.id}"


def _file_name(webhook_id: int) -> str:
    return f"webhook-{webhook_id}.json"
