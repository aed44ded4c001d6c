"""A visitor of the hosted connect page: a browser without a screen."""

import re
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import httpx2

from dashboard.demo.simulators import Simulators
from dashboard.errors import DashboardError
from dashboard.services import urls
from dashboard.services.runtime import Runtime
from dashboard.services.zoom_apps import apps

_TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')


def connect(
    runtime: Runtime, world: Simulators, *, zoom_app_id: UUID, zoom_user_id: str
) -> None:
    """Open the page, press the button, allow at Zoom and come back.

    Raises:
        DashboardError: The page does not lead to Zoom.
    """
    with runtime.database.reading() as session:
        slug = apps.get(session, zoom_app_id).slug
    url = urls.connect_url(runtime.public_url, slug)
    with httpx2.Client(timeout=30) as browser:
        page = browser.get(url)
        token = _TOKEN.search(page.text)
        if token is None:
            raise DashboardError("The connect page shows no form.")
        left = browser.post(
            url, data={"csrf_token": token[1]}, headers={"Referer": url}
        )
        question = dict(parse_qsl(urlsplit(left.headers["Location"]).query))
        question.pop("response_type")
        back = world.zoom("do/authorize", user_id=zoom_user_id, **question)
        browser.get(back, follow_redirects=True)
