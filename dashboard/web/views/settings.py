"""The settings that this process runs with, without their secrets."""

from flask import Blueprint, render_template

from dashboard import settings
from dashboard.services.encryption import ages
from dashboard.services.host import config_check
from dashboard.services.staff.permissions import Permission
from dashboard.web.access import requires
from dashboard.web.context import db, now, runtime

bp = Blueprint("settings", __name__, url_prefix="/settings")


@bp.get("/", strict_slashes=False)
@requires(Permission.SETTINGS_READ)
def index() -> str:
    """List every setting: its value, and whether that is the default."""
    its = runtime()
    days = runtime().settings.secret_reminder_days
    secrets = ages.all_of(db())
    return render_template(
        "settings/index.html",
        secrets=secrets,
        old=ages.old(secrets, days=days, now=now()),
        reminder_days=days,
        rows=settings.effective(its.settings),
        database=its.database.place,
        public_url=its.public_url,
        unsafe=config_check.unsafe(its.settings, its.database, now=its.clock.now()),
    )
