"""The page of the settings: every name, no secret."""

import re
from datetime import timedelta
from typing import Any

import pytest
from bs4 import BeautifulSoup
from pydantic import SecretStr

from dashboard import settings
from dashboard.models.staff import Role
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.runtime import Runtime
from dashboard.settings import Settings
from tests.conftest import SignIn
from tests.makers import FakeClock, saved_app


@pytest.mark.parametrize("role", [Role.ADMIN, Role.AUDITOR])
def test_every_setting_is_listed_by_its_name(as_role: SignIn, role: Role) -> None:
    page = as_role(role).get("/settings/").text

    names = {f"DASHBOARD_{name.upper()}" for name in Settings.model_fields}
    names = names - {"DASHBOARD_INSTANCE"} | {"DASHBOARD_INSTANCE_DIR"}
    assert set(re.findall(r"<code[^>]*>(DASHBOARD_\w+)</code>", page)) == names


def test_what_is_unsafe_is_said_above_them(as_role: SignIn) -> None:
    page = as_role(Role.AUDITOR).get("/settings/").text

    assert ">Unsafe<" in page
    said = page.index("The encryption keys are generated in")
    assert said < page.index("DASHBOARD_DATABASE_URL")


@pytest.mark.parametrize(("role", "links"), [(Role.ADMIN, 2), (Role.AUDITOR, 0)])
def test_keys_and_secrets_are_listed_with_their_ages(
    as_role: SignIn, runtime: Runtime, clock: FakeClock, role: Role, links: int
) -> None:
    with runtime.database.writing() as session:
        app = session.get_one(ZoomApp, saved_app(session, runtime.vault))
        app.client_secret_set_at = clock.now() - timedelta(days=400)

    page = BeautifulSoup(as_role(role).get("/settings/").text, "html5lib")

    card = page.select_one("#secrets")
    assert card is not None
    rows = [row.get_text(" ", strip=True) for row in card.select("tbody tr")]
    assert rows[0].startswith("Client secret Notetaker, development")
    assert rows[0].endswith("Replace it")
    assert [row.endswith("In use") for row in rows[1:]] == [True] * (len(rows) - 1)
    assert len(card.select("a[href^='/zoom-apps/']")) == links


def test_no_secret_is_shown() -> None:
    secret = "hunter2-hunter2-hunter2"
    given: dict[str, Any] = {
        name: SecretStr(secret)
        for name, field in Settings.model_fields.items()
        if "SecretStr" in str(field.annotation)
    }
    url = f"postgresql://ana:{secret}@db.example.com/x?password={secret}"
    made = Settings.model_construct(database_url=url, **given)

    shown = {each.name: each for each in settings.effective(made)}

    assert len(given) >= 3
    assert secret not in str(shown)
    assert shown["DASHBOARD_DATABASE_URL"].value == "postgresql, set"
    assert shown["DASHBOARD_SECRET_KEY"].value == "set"
    assert not shown["DASHBOARD_LOG_FORMAT"].is_set
    assert shown["DASHBOARD_LOG_FORMAT"].value == "json"
