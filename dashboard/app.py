"""The composition root: makes the runtime, then the app that shows them."""

from collections.abc import Callable
from functools import partial
from uuid import UUID

from flask import Flask
from flask_wtf.csrf import CSRFProtect
from httpx2 import Client
from jinja2 import StrictUndefined
from pydantic import SecretStr
from werkzeug.middleware.proxy_fix import ProxyFix

from dashboard.clients.http.client import make_http
from dashboard.clients.recall.api import REGIONS, Recall
from dashboard.clients.zoom.api import ZoomApi
from dashboard.clients.zoom.grants import ZoomGrants
from dashboard.clients.zoom.hosts import GOVERNMENT_OAUTH
from dashboard.clients.zoom.marketplace import ZoomMarketplace
from dashboard.clients.zoom.marketplace_apps import ZoomMarketplaceApps
from dashboard.clients.zoom.oauth import ZoomOAuth
from dashboard.clients.zoom.subscriptions import ZoomSubscriptions
from dashboard.clock import Clock
from dashboard.db import Database
from dashboard.models.staff import Staff, StaffSession
from dashboard.services.alerts import sending as alert_sending
from dashboard.services.alerts.rounds import Rounds
from dashboard.services.api_tokens import replays
from dashboard.services.audit import tallies
from dashboard.services.audit.sealing import AuditPruner, Sealer
from dashboard.services.audit.streaming import Streamer
from dashboard.services.bot_tests import runs as bot_runs
from dashboard.services.connect import attempts as connect_attempts
from dashboard.services.encryption.ages import NoteAges
from dashboard.services.encryption.keys import open_vault, session_key
from dashboard.services.endpoints import changes, validations
from dashboard.services.erasure import steps
from dashboard.services.grants import own_servers as own_servers_watch
from dashboard.services.grants import refreshing
from dashboard.services.grants.token_calls import TokenCalls
from dashboard.services.invitations.invitations import note_expired
from dashboard.services.marketplace import delivery_log as marketplace_log
from dashboard.services.probes.watcher import ProbeScheduler
from dashboard.services.recall.rate_limits import RateLimiter, Sweeper
from dashboard.services.receiver.writer import WebhookWriter
from dashboard.services.repair.repair import ClockWatch
from dashboard.services.resends import collecting
from dashboard.services.retention.pruning import Pruner
from dashboard.services.rotation import rotations
from dashboard.services.runtime import RecallFactory, Runtime
from dashboard.services.setup import checklist
from dashboard.services.staff import accounts, second_factors, sessions
from dashboard.services.staff.single_sign_on import SingleSignOn
from dashboard.services.status import contradictions, rhythm
from dashboard.services.sweep import events, keys, pairs, sweep
from dashboard.services.sweep.on_demand import OnDemandChecks
from dashboard.services.user_mail import mails
from dashboard.services.validation import schedule
from dashboard.settings import Settings
from dashboard.web import (
    access,
    assets,
    compression,
    context,
    errors,
    etags,
    filters,
    headers,
    navigation,
    proxies,
    request_log,
    signin,
    two_hosts,
)
from dashboard.web.api import operations
from dashboard.web.forms import base as forms
from dashboard.web.hooks.wsgi import WebhookMiddleware
from dashboard.web.hosts import HostMiddleware
from dashboard.web.live import fragments
from dashboard.web.live import watcher as live_pages
from dashboard.web.live.watcher import Watcher
from dashboard.web.token_endpoint import TokenMiddleware
from dashboard.web.views import (
    account,
    alert_channels,
    alerts,
    api,
    api_docs,
    api_tokens,
    app_creation,
    approvals,
    attempts,
    audit,
    bot_tests,
    connect,
    connect_button,
    connections,
    custody,
    delivery_log,
    domain,
    endpoints,
    erasures,
    explain,
    going_live,
    health,
    invitation,
    invitations,
    live,
    marketplace,
    metrics,
    overview,
    own_connection,
    own_servers,
    page_designs,
    passwords,
    recall_apps,
    resends,
    rotation,
    single_sign_on,
    webhooks,
    workspaces,
    zoom_apps,
)
from dashboard.web.views import sessions as session_views
from dashboard.web.views import settings as settings_views
from dashboard.web.views import signin as signin_views
from dashboard.web.views import staff as staff_views

_BLUEPRINTS = [
    overview.bp,
    alerts.bp,
    alert_channels.bp,
    zoom_apps.bp,
    going_live.bp,
    rotation.bp,
    custody.bp,
    own_servers.bp,
    marketplace.bp,
    delivery_log.bp,
    approvals.bp,
    app_creation.bp,
    domain.bp,
    bot_tests.bp,
    page_designs.bp,
    connect_button.bp,
    connections.bp,
    invitations.bp,
    attempts.bp,
    explain.bp,
    erasures.bp,
    webhooks.bp,
    resends.bp,
    endpoints.bp,
    workspaces.bp,
    recall_apps.bp,
    staff_views.bp,
    audit.bp,
    account.bp,
    settings_views.bp,
    api_tokens.bp,
    api.bp,
    api_docs.bp,
    signin_views.bp,
    passwords.bp,
    single_sign_on.bp,
    session_views.bp,
    connect.bp,
    invitation.bp,
    own_connection.bp,
    live.bp,
    health.bp,
    metrics.bp,
]

_MAX_FORM_BYTES = 2 * 1024 * 1024


def build_runtime(
    settings: Settings,
    *,
    listens_on: str,
    clock: Clock | None = None,
    database: Database | None = None,
) -> Runtime:
    """Make everything with a lifetime; the database must have its tables.

    Args:
        settings: From `settings.load()`.
        listens_on: The address served, used while no public URL is set.
        clock: The demo's own; real time otherwise.
        database: One that is open already; that of the settings otherwise.

    Raises:
        SettingsError, VaultError, StorageError: One line, fit for standard error.
    """
    changes.watch()
    clock = clock or Clock()
    database = database or Database(settings.sqlalchemy_url)
    vault = open_vault(settings, database)
    zoom_oauth, zoom = ZoomOAuth(settings.zoom_url), ZoomApi(settings.zoom_api_url)
    zoom_grants = ZoomGrants(settings.zoom_url)
    zoom_subscriptions = ZoomSubscriptions(settings.zoom_api_url)
    zoom_marketplace = ZoomMarketplace(settings.zoom_api_url)
    zoom_marketplace_apps = ZoomMarketplaceApps(settings.zoom_api_url)
    pools = {
        region: make_http(settings.recall_url or host)
        for region, host in REGIONS.items()
    }
    single = SingleSignOn.of(settings)
    return Runtime(
        settings=settings,
        public_url=settings.public_url or listens_on,
        clock=clock,
        database=database,
        vault=vault,
        zoom_oauth=zoom_oauth,
        zoom=zoom,
        zoom_grants=zoom_grants,
        recall=_recall_factory(settings, pools, RateLimiter(database, clock)),
        zoom_subscriptions=zoom_subscriptions,
        zoom_marketplace=zoom_marketplace,
        zoom_marketplace_apps=zoom_marketplace_apps,
        writer=WebhookWriter(database, vault, clock, settings),
        single_sign_on=single,
        closing=[
            *([single.provider.close] if single else []),
            zoom_oauth.close,
            zoom.close,
            zoom_grants.close,
            zoom_subscriptions.close,
            zoom_marketplace.close,
            zoom_marketplace_apps.close,
            *(one.close for one in pools.values()),
        ],
    )


def create_app(runtime: Runtime) -> Flask:
    """Make the app: pages behind Flask, Zoom's door in front of it."""
    app = request_log.LoggedFlask(__name__, static_folder=None)
    is_https = runtime.public_url.startswith("https://")
    app.config.update(
        SECRET_KEY=session_key(runtime.settings),
        # A cookie of this prefix is the host's own: no sibling sub-domain can set it.
        SESSION_COOKIE_NAME="__Host-dashboard" if is_https else "dashboard",
        SESSION_COOKIE_PATH="/",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=is_https,
        MAX_CONTENT_LENGTH=_MAX_FORM_BYTES,
        WTF_CSRF_TIME_LIMIT=None,
    )
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True

    compression.install(app)
    request_log.install(app)
    context.install(app, runtime)
    lifetime = sessions.Lifetime.of(runtime.settings)
    signin.install(app, _find_session(runtime, lifetime), lifetime)
    two_hosts.install(
        app,
        public_url=runtime.public_url,
        hosted_url=runtime.settings.hosted_url,
        home=overview.home,
    )
    csrf = CSRFProtect(app)
    csrf.exempt(api.bp)  # no cookie is read there, so there is nothing to forge
    headers.install(
        app,
        public_url=runtime.public_url,
        zoom_urls=(runtime.settings.zoom_url, GOVERNMENT_OAUTH),
        image_hosts=[each for each in (runtime.settings.hosted_url,) if each],
        with_subdomains=runtime.settings.hsts_include_subdomains,
    )
    errors.install(app)
    forms.install(app)
    assets.install(app)
    filters.install(app, runtime.clock)
    app.jinja_env.globals["single_sign_on"] = single_sign_on.offered
    navigation.install(app)
    etags.install(app)
    proxies.install(app, trusted=runtime.settings.trusted_proxies)
    draw = fragments.drawing(app, runtime.public_url)
    watcher = Watcher(
        runtime.database,
        runtime.settings,
        draw=draw,
        clock=runtime.clock,
        when_watched=partial(_note_watched, runtime),
    )
    live_pages.install(app, watcher)
    checks = OnDemandChecks(runtime)
    runtime.stopping.append(checks.close)
    explain.install(app, checks)
    operations.install(app)
    for blueprint in _BLUEPRINTS:
        app.register_blueprint(blueprint)
    access.install(app)

    app.wsgi_app = HostMiddleware(app.wsgi_app)  # type: ignore[method-assign]  # as below
    always = bare_headers(runtime)
    app.wsgi_app = WebhookMiddleware(app.wsgi_app, runtime, always=always)  # type: ignore[method-assign]  # Flask's own way to wrap
    app.wsgi_app = TokenMiddleware(app.wsgi_app, TokenCalls(runtime), always=always)  # type: ignore[method-assign]  # as above
    hops = runtime.settings.trusted_proxies
    if hops:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]  # as above
            app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops
        )
    return app


def bare_headers(runtime: Runtime) -> headers.Lines:
    """Return the headers of every answer that is given in front of Flask."""
    with_subdomains = runtime.settings.hsts_include_subdomains
    return headers.bare(runtime.public_url, with_subdomains=with_subdomains)


def _recall_factory(
    settings: Settings, pools: dict[str, Client], budgets: RateLimiter
) -> RecallFactory:
    def make(region: str, api_key: SecretStr, /, *, yields: bool = False) -> Recall:
        base_url = settings.recall_url or REGIONS[region]
        gate = budgets.gate(region, api_key, yields=yields)
        return Recall(base_url, api_key, http=pools[region], gate=gate)

    return make


def _note_watched(runtime: Runtime, zoom_app_ids: frozenset[UUID]) -> None:
    with runtime.database.writing() as session:
        schedule.record_open_pages(session, zoom_app_ids, now=runtime.clock.now())


def _find_session(runtime: Runtime, lifetime: sessions.Lifetime) -> signin.Find:
    def find(secret: str) -> tuple[StaffSession, Staff, signin.Limits] | None:
        with runtime.database.reading() as session:
            now = runtime.clock.now()
            found = sessions.find(session, secret, lifetime=lifetime, now=now)
            if found is None:
                return None
            row, staff = found
            return row, staff, accounts.limits_of(session, staff)

    return find


def web_chores(runtime: Runtime) -> list[Callable[[], int]]:
    """Return what a web process does about once a second, with a worker or without.

    Were no worker there while a clock is set, what is dated ahead would become proof in
    time.
    """
    return [ClockWatch(runtime)]


def chores(runtime: Runtime) -> list[Callable[[], int]]:
    """Return the worker's periodic work; each does a little and says how much."""
    return [
        ClockWatch(runtime),
        partial(collecting.run_due, runtime),
        partial(events.read_some, runtime),
        partial(checklist.record_new, runtime),
        partial(rotations.run_due, runtime),
        partial(note_expired, runtime.database, runtime.clock),
        partial(
            sessions.forget_ended,
            runtime.database,
            sessions.Lifetime.of(runtime.settings),
            runtime.clock,
        ),
        partial(replays.forget_old, runtime.database, runtime.clock),
        partial(second_factors.forget_expired, runtime.database, runtime.clock),
        NoteAges(runtime.database, runtime.vault, runtime.clock, runtime.settings),
        partial(connect_attempts.note_expired, runtime.database, runtime.clock),
        refreshing.DueRefreshes(runtime),
        own_servers_watch.DailyTests(runtime),
        partial(pairs.run_due, runtime),
        partial(keys.run_due, runtime),
        sweep.Sweep(runtime),
        partial(bot_runs.run_due, runtime),
        partial(steps.run_due, runtime),
        Sweeper(runtime.database, runtime.clock),
        Pruner(runtime),
        partial(tallies.record_counted, runtime.database, runtime.clock),
        Streamer(runtime.database, runtime.clock, runtime.settings.audit_stream),
        Sealer(runtime.database, runtime.vault, runtime.clock),
        AuditPruner(runtime.database, runtime.vault, runtime.clock, runtime.settings),
        rhythm.RhythmRecorder(runtime),
        contradictions.Contradictions(runtime.database, runtime.clock),
        validations.ValidationChanges(runtime),
        marketplace_log.AutomaticReading(runtime),
        ProbeScheduler(runtime),
        Rounds(runtime),
        alert_sending.sender(runtime),
        mails.sender(runtime),
    ]
