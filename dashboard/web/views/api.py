"""`/api/v1`: what the customer's own software may ask and do.

Each function is an operation: its annotations are what it takes, its docstring is what
the document says of it. Everything that is said of a thing comes from the facts.
"""

from datetime import timedelta
from http import HTTPStatus
from uuid import NAMESPACE_OID, UUID, uuid5

from dashboard.db.columns import LARGEST_ID
from dashboard.errors import ConflictError, InvalidInputError, UpstreamError
from dashboard.models.invitation import Invitation
from dashboard.models.zoom_app import TokenCustody
from dashboard.models.zoom_app import ZoomApp as ZoomAppRow
from dashboard.services import events, urls
from dashboard.services.api_tokens.tokens import Scope
from dashboard.services.connections import actions, listing
from dashboard.services.connections.listing import Filters
from dashboard.services.explain import explain as explaining
from dashboard.services.facts import connections as connection_facts
from dashboard.services.facts import webhooks as webhook_facts
from dashboard.services.grants import refreshing
from dashboard.services.invitations import csv_import, invitations
from dashboard.services.paging import Place
from dashboard.services.resends import resends
from dashboard.services.status import zoom_app as zoom_app_status
from dashboard.services.webhook_log import log, redaction
from dashboard.services.webhook_log.search import WebhookFilter
from dashboard.services.zoom_apps import apps
from dashboard.web.api import bearer, cursors, drawing, shapes
from dashboard.web.api.operations import blueprint, operation, replay_id
from dashboard.web.context import actor, db, now, record, runtime

bp = blueprint("api", "/api/v1")

_CONNECTION = "/connections/<uuid:connection_id>"
_INVITATION = "/invitations/<uuid:invitation_id>"
_WEBHOOK = f"/webhooks/<int(max={LARGEST_ID}):webhook_id>"
_UPSTREAM = (HTTPStatus.CONFLICT, HTTPStatus.FAILED_DEPENDENCY)


@operation(
    bp, "/zoom-apps", Scope.ZOOM_APPS_READ, answers=shapes.ZoomAppPage, tag="Zoom apps"
)
def list_zoom_apps(query: shapes.NoQuery) -> shapes.ZoomAppPage:
    """List the zoom apps, by name, each with its state, clocks and set-up steps."""
    del query
    rows = apps.list_all(db())
    return shapes.ZoomAppPage(data=[_zoom_app(row) for row in rows], next_cursor=None)


@operation(
    bp,
    "/zoom-apps/<uuid:zoom_app_id>",
    Scope.ZOOM_APPS_READ,
    answers=shapes.ZoomApp,
    tag="Zoom apps",
)
def get_zoom_app(zoom_app_id: UUID, query: shapes.NoQuery) -> shapes.ZoomApp:
    """Show one zoom app: its state, both clocks, its set-up steps; no secrets."""
    del query
    return _zoom_app(apps.get(db(), zoom_app_id))


@operation(
    bp,
    "/connections",
    Scope.CONNECTIONS_READ,
    answers=shapes.ConnectionPage,
    tag="Connections",
)
def list_connections(query: shapes.ConnectionsQuery) -> shapes.ConnectionPage:
    """List connections, filtered as on the page; newest first unless sorted.

    "Has this user connected?" is `?reference=<your user ID>`: no row means no.
    """
    at = now()
    read = connection_facts.Reader(db(), now=at)
    filters = Filters(
        search=query.q or "",
        state=query.state,
        who=query.who_must_act,
        zoom_app_id=query.zoom_app_id,
        sync=query.meeting_sync,
        custody=query.token_storage,
        reference=(query.reference or "").strip(),
        tag=query.tag or "",
        email=(query.email or "").strip(),
        zoom_user_id=query.zoom_user_id or "",
        pmi=query.pmi,
        sort=query.sort,
        as_of=at,
    )
    page = listing.page(
        db(),
        filters,
        cursor=cursors.read(query.cursor, query),
        limit=query.limit,
        found=listing.narrow(db(), filters, read=read),
    )
    return shapes.ConnectionPage(
        data=[drawing.connection(row, read(row), now=at) for row in page.rows],
        next_cursor=cursors.write(page.older, query),
    )


@operation(
    bp,
    _CONNECTION,
    Scope.CONNECTIONS_READ,
    answers=shapes.Connection,
    tag="Connections",
)
def get_connection(connection_id: UUID, query: shapes.NoQuery) -> shapes.Connection:
    """Show one connection: its state, the evidence, who must act and how."""
    del query
    return _connection(connection_id)


@operation(
    bp,
    _CONNECTION,
    Scope.CONNECTIONS_WRITE,
    method="PATCH",
    answers=shapes.Connection,
    tag="Connections",
)
def change_connection(
    connection_id: UUID, json: shapes.ConnectionChange
) -> shapes.Connection:
    """Change your own reference and tags of a connection; they count as verified."""
    with runtime().database.writing() as session:
        actions.change_references(
            session,
            connection_id,
            reference=json.reference,
            tags=json.tags,
            actor=actor(),
            now=now(),
        )
    return _connection(connection_id)


@operation(
    bp,
    _CONNECTION,
    Scope.CONNECTIONS_WRITE,
    method="DELETE",
    answers=None,
    status=HTTPStatus.NO_CONTENT,
    may=_UPSTREAM,
    tag="Connections",
)
def disconnect_connection(connection_id: UUID) -> tuple[str, int]:
    """Delete the credential in Recall and what is stored of the user here.

    Nothing is deleted here while Recall or Zoom can't be asked (424): repeat it then.
    """
    actions.disconnect(runtime(), connection_id, actor=actor())
    return "", HTTPStatus.NO_CONTENT


@operation(
    bp,
    f"{_CONNECTION}/check",
    Scope.CONNECTIONS_WRITE,
    method="POST",
    answers=shapes.Connection,
    may=_UPSTREAM,
    tag="Connections",
)
def check_connection(connection_id: UUID) -> shapes.Connection:
    """Check a connection now with a real call, and show it."""
    record("connection.checked", f"connection {connection_id}")
    actions.try_again(runtime(), connection_id, actor=actor())
    return _connection(connection_id)


@operation(
    bp,
    f"{_CONNECTION}/access-token",
    Scope.TOKENS_READ,
    answers=shapes.AccessToken,
    may=_UPSTREAM,
    policy=bearer.ACCESS_TOKENS,
    tag="Connections",
    is_tagged=False,
)
def get_access_token(connection_id: UUID, query: shapes.NoQuery) -> shapes.AccessToken:
    """Give a Zoom access token of a user whose tokens the dashboard stores.

    It has at least 120 seconds left. Each call is in the audit log. With token storage
    Recall, or your own server, there is none to give (409).
    """
    del query
    row = listing.get(db(), connection_id)
    if row.token_custody is not TokenCustody.DASHBOARD:
        raise ConflictError(
            "The dashboard does not store the tokens of this connection, so it has "
            "none to give."
        )
    record("connection.token_fetched", f"connection {connection_id}")
    live = refreshing.live_grant(runtime(), connection_id, at_least_s=_AT_LEAST_S)
    left_s = int((live.expires_at - now()) / timedelta(seconds=1))
    if left_s < refreshing.AT_LEAST_S:
        raise UpstreamError(
            "Zoom gave a token with less than 120 seconds left. Try again.",
            service="Zoom",
            retryable=True,
        )
    return shapes.AccessToken(
        access_token=live.token.get_secret_value(),
        token_type="Bearer",  # noqa: S106 - a kind, no password
        expires_at=live.expires_at,
        expires_in=left_s,
        scopes=(row.scopes or "").split(),
    )


_AT_LEAST_S = 125  # the rest is for the way


@operation(
    bp,
    f"{_CONNECTION}/reconnect-links",
    Scope.INVITATIONS_WRITE,
    method="POST",
    answers=shapes.MadeInvitation,
    status=HTTPStatus.CREATED,
    tag="Invitations",
)
def create_reconnect_link(
    connection_id: UUID, json: shapes.NewReconnectLink
) -> tuple[shapes.MadeInvitation, int]:
    """Create the link that renews one connection; earlier ones of it are revoked."""
    with runtime().database.writing() as session:
        row = listing.get(session, connection_id)
        made = invitations.reconnect_link(
            session, row, return_url=json.return_url, actor=actor(), now=now()
        )
        app = apps.get(session, row.zoom_app_id)
        drawn = _made(made.invitation, app, made.secret)
    return drawn, HTTPStatus.CREATED


@operation(
    bp,
    "/invitations",
    Scope.INVITATIONS_WRITE,
    answers=shapes.InvitationPage,
    tag="Invitations",
)
def list_invitations(query: shapes.InvitationsQuery) -> shapes.InvitationPage:
    """List invitations and reconnect links, newest first; never their addresses."""
    at = now()
    page = invitations.page(
        db(),
        invitations.Filters(
            state=query.state,
            zoom_app_id=query.zoom_app_id,
            reference=(query.reference or "").strip(),
        ),
        cursor=cursors.read(query.cursor, query),
        limit=query.limit,
    )
    return shapes.InvitationPage(
        data=[drawing.invitation(row, now=at) for row in page.rows],
        next_cursor=cursors.write(page.older, query),
    )


@operation(
    bp,
    "/invitations",
    Scope.INVITATIONS_WRITE,
    method="POST",
    answers=shapes.MadeInvitation,
    status=HTTPStatus.CREATED,
    may=(HTTPStatus.NOT_FOUND,),
    tag="Invitations",
)
def create_invitation(
    json: shapes.NewInvitation,
) -> tuple[shapes.MadeInvitation, int]:
    """Create a link for one person, and give its address: this once.

    With an email only the Zoom account with this email can use it.
    """
    apps.get(db(), json.zoom_app_id)  # one that this token sees
    if not (json.email or "").strip() and not (json.reference or "").strip():
        raise InvalidInputError("Give an email or a reference.", field="email")
    wanted = csv_import.one(
        json.email or "",
        json.reference or "",
        " ".join(json.tags),
        json.return_url or "",
    )
    key = replay_id()
    with runtime().database.writing() as session:
        app = apps.get(session, json.zoom_app_id)
        [made] = invitations.make(
            session,
            app,
            [wanted],
            days=json.expires_days,
            batch=uuid5(NAMESPACE_OID, key) if key else None,
            actor=actor(),
            now=now(),
        )
        drawn = _made(made.invitation, app, made.secret)
    return drawn, HTTPStatus.CREATED


@operation(
    bp,
    _INVITATION,
    Scope.INVITATIONS_WRITE,
    answers=shapes.Invitation,
    tag="Invitations",
)
def get_invitation(invitation_id: UUID, query: shapes.NoQuery) -> shapes.Invitation:
    """Show how far the invited person has come."""
    del query
    return drawing.invitation(invitations.get(db(), invitation_id), now=now())


@operation(
    bp,
    f"{_INVITATION}/revoke",
    Scope.INVITATIONS_WRITE,
    method="POST",
    answers=shapes.Invitation,
    tag="Invitations",
)
def revoke_invitation(invitation_id: UUID) -> shapes.Invitation:
    """Take a link back; one that is used, expired or revoked is not changed (409)."""
    with runtime().database.writing() as session:
        row = invitations.revoke(session, invitation_id, actor=actor(), now=now())
        return drawing.invitation(row, now=now())


@operation(
    bp, "/webhooks", Scope.WEBHOOKS_READ, answers=shapes.WebhookPage, tag="Webhooks"
)
def list_webhooks(query: shapes.WebhooksQuery) -> shapes.WebhookPage:
    """List the webhooks received from Zoom, newest first, without their content."""
    inner = cursors.read(query.cursor, query)
    found = log.page(
        db(),
        filters=WebhookFilter(
            zoom_app_id=query.zoom_app_id,
            connection_id=query.connection_id,
            event=query.event,
            outcome=query.outcome,
            meeting_id=query.meeting_id,
            zoom_user_id=query.zoom_user_id,
        ),
        place=Place(before=None if inner is None else int(inner), limit=query.limit),
    )
    read = webhook_facts.Reader(db(), now=now())
    return shapes.WebhookPage(
        data=[drawing.webhook(row.webhook, read(row.webhook)) for row in found.rows],
        next_cursor=cursors.write(found.older_before, query),
    )


@operation(
    bp, _WEBHOOK, Scope.WEBHOOKS_READ, answers=shapes.WebhookDetail, tag="Webhooks"
)
def get_webhook(webhook_id: int, query: shapes.NoQuery) -> shapes.WebhookDetail:
    """Show one webhook with its body redacted, and each attempt to deliver it."""
    del query
    trace = log.get(db(), webhook_id)
    raw = b""
    if trace.webhook.erased_at is None:
        raw = log.request(db(), runtime().vault, webhook_id).body
    fact = webhook_facts.Reader(db(), now=now())(trace.webhook)
    return drawing.webhook_detail(trace, fact, redaction.body(raw))


@operation(
    bp,
    f"{_WEBHOOK}/resend",
    Scope.WEBHOOKS_RESEND,
    method="POST",
    answers=shapes.Resend,
    status=HTTPStatus.ACCEPTED,
    tag="Webhooks",
)
def resend_webhook(webhook_id: int) -> tuple[shapes.Resend, int]:
    """Send a webhook to Recall again as received: Zoom's signature stays."""
    resend_id = resends.begin_one(runtime(), webhook_id, resend_id=None, actor=actor())
    return drawing.resend(resend_id, webhook_id), HTTPStatus.ACCEPTED


@operation(
    bp,
    "/explain",
    Scope.CONNECTIONS_READ,
    method="POST",
    answers=shapes.Explanation,
    tag="Explain",
)
def explain(json: shapes.Question) -> shapes.Explanation:
    """Explain why a bot got no token, from what is stored; nobody is asked."""
    found = explaining.explain(db(), runtime().vault, json.text, now=now())
    return drawing.explanation(found)


@operation(bp, "/events", Scope.EVENTS_READ, answers=shapes.EventPage, tag="Events")
def list_events(query: shapes.EventsQuery) -> shapes.EventPage:
    """Read the feed of events, oldest first: for those who can't receive webhooks.

    Keep `next_cursor` and ask again with it: nothing is missed or comes twice.
    Without a cursor it begins at the oldest that is kept.
    """
    after = cursors.read(query.cursor, query)
    rows = events.page(
        db(),
        after=0 if after is None else int(after),
        limit=query.limit,
        kinds=[] if query.type is None else [str(query.type)],
    )
    last = rows[-1].number if rows else after
    return shapes.EventPage(
        data=[drawing.event(row) for row in rows],
        next_cursor=str(cursors.write(last or "0", query)),
    )


def _zoom_app(row: ZoomAppRow) -> shapes.ZoomApp:
    report = zoom_app_status.report(
        db(),
        row.id,
        settings=runtime().settings,
        public_url=runtime().public_url,
        now=now(),
    )
    return drawing.zoom_app(
        report, return_origins=row.return_origins, retired_at=row.retired_at
    )


def _connection(connection_id: UUID) -> shapes.Connection:
    at = now()
    row = listing.get(db(), connection_id)
    return drawing.connection(row, connection_facts.of(db(), row, now=at), now=at)


def _made(row: Invitation, app: ZoomAppRow, secret: str) -> shapes.MadeInvitation:
    url = urls.invitation_url(runtime().hosted_url, app.slug, secret)
    return drawing.made_invitation(row, url, now=now())
