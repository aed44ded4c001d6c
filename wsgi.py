"""For any WSGI server, on PostgreSQL: `wsgi:app`. Run `dashboard worker` beside it."""

from dashboard import logs
from dashboard.app import build_runtime, create_app
from dashboard.db import Database, revisions
from dashboard.serving import begin_web_chores
from dashboard.settings import load

settings = load()
logs.set_up(level=settings.log_level, form=settings.log_format)
database = Database(settings.sqlalchemy_url)
revisions.require_newest(database)
database.close()
runtime = build_runtime(settings, listens_on="http://127.0.0.1:8000")
app = create_app(runtime)
begin_web_chores(runtime)
