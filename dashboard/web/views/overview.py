"""The first page: what needs attention, then each zoom app in short."""

from collections.abc import Sequence

from flask import Blueprint, Response
from flask.typing import ResponseReturnValue

from dashboard.services.facts import connections as facts
from dashboard.services.heartbeats import heartbeats
from dashboard.services.heartbeats.heartbeats import WorkerStatus
from dashboard.services.marketplace import domain
from dashboard.services.staff.permissions import Permission
from dashboard.services.status import attention, overview
from dashboard.services.status.overview import AppOverview
from dashboard.web import charts, htmx, navigation, proxies
from dashboard.web.access import requires
from dashboard.web.charts import Hour, HourBars, Part, PartsBar
from dashboard.web.context import db, gathered, now, runtime
from dashboard.web.pages import hosted

bp = Blueprint("overview", __name__)


def home() -> Response | None:
    """Return the public home page while Zoom's domain check looks for its tag."""
    row = domain.find(db())
    if row is None or not row.tag:
        return None
    return hosted.page("domain/home.html", 200, app=None, tag=row.tag)


def _first_page() -> ResponseReturnValue:
    """Lead to the first page of this person: this one is where signing in leads."""
    return htmx.go_to(navigation.first_page())


@bp.get("/")
@requires(Permission.OVERVIEW_READ, for_strangers=home, for_others=_first_page)
def index() -> Response:
    """Show the overview, live."""
    worker = heartbeats.find(db(), now=now())
    apps = gathered("apps", lambda: overview.list_apps(db(), now=now(), worker=worker))
    return htmx.page_or_fragment(
        "overview/index.html",
        "overview/partials/_live.html",
        apps=apps,
        items=_items(apps, worker),
        hours={each.app.id: _hours(each) for each in apps},
        states={each.app.id: _states(each) for each in apps},
    )


def _items(
    apps: Sequence[AppOverview], worker: WorkerStatus
) -> Sequence[attention.Item]:
    public_url = runtime().public_url
    return gathered(
        "items",
        lambda: attention.items(
            db(),
            apps,
            public_url=public_url,
            now=now(),
            worker=worker,
            has_unnamed_proxy=proxies.is_unnamed_seen(),
            secret_reminder_days=runtime().settings.secret_reminder_days,
            vault=runtime().vault,
        ),
    )


def _hours(each: AppOverview) -> HourBars:
    return charts.hour_bars(
        [
            Hour(
                starts_at=hour.starts_at,
                count=hour.received + hour.refused,
                trouble=hour.dead + hour.refused,
            )
            for hour in each.traffic.hours
        ]
    )


def _states(each: AppOverview) -> PartsBar:
    parts = [
        Part(
            label=facts.WORDS[shown].lower().replace("recall", "Recall"),
            tone=tone,
            count=each.connections[shown],
        )
        for shown, tone in facts.TONES.items()
    ]
    return charts.parts_bar(parts, "connections")
