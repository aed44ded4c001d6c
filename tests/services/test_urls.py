"""The addresses of Zoom's and Recall's consoles."""

import pytest

from dashboard.models.zoom_app import Environment, ZoomCloud
from dashboard.services import urls
from dashboard.settings import Settings


@pytest.mark.parametrize(
    ("zoom_url", "console"),
    [
        ("https://zoom.us", "https://marketplace.zoom.us/user/build"),
        ("https://zoomgov.com", "https://marketplace.zoomgov.com/user/build"),
        ("http://127.0.0.1:8001", "http://127.0.0.1:8001/marketplace/apps/abc"),
    ],
)
def test_zooms_console_is_the_host_s_own(zoom_url: str, console: str) -> None:
    settings = Settings(zoom_url=zoom_url)

    assert urls.zoom_console_url(settings, "abc") == console


def test_an_app_of_zoom_for_government_is_found_in_its_console() -> None:
    settings = Settings(zoom_url="https://zoom.us")

    assert urls.zoom_console_url(settings, "abc", ZoomCloud.GOVERNMENT) == (
        "https://marketplace.zoomgov.com/user/build"
    )


@pytest.mark.parametrize(
    ("cloud", "environment", "host", "mode"),
    [
        (ZoomCloud.COMMERCIAL, Environment.DEVELOPMENT, "zoom.us", "dev"),
        (ZoomCloud.GOVERNMENT, Environment.PRODUCTION, "zoomgov.com", "prod"),
    ],
)
def test_an_app_of_which_zooms_id_is_known_is_opened_itself(
    cloud: ZoomCloud, environment: Environment, host: str, mode: str
) -> None:
    settings = Settings(zoom_url="https://zoom.us")

    found = urls.zoom_console_url(
        settings, "abc", cloud, app_id="Ab-1_x", environment=environment
    )

    page = "develop/applications/Ab-1_x/information"
    assert found == f"https://marketplace.{host}/{page}?mode={mode}"


def test_the_simulator_is_opened_at_its_list_while_the_app_is_not_known() -> None:
    settings = Settings(zoom_url="http://127.0.0.1:8001")

    assert urls.zoom_console_url(settings) == "http://127.0.0.1:8001/marketplace/"


def test_recalls_console_is_the_region_s_own() -> None:
    real, simulated = Settings(), Settings(recall_url="http://127.0.0.1:8002")

    assert urls.recall_console_url(real, "us-east-1") == (
        "https://us-east-1.recall.ai/dashboard/developers/api-keys"
    )
    assert urls.recall_console_url(simulated, "us-east-1") == "http://127.0.0.1:8002/"
