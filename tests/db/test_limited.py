"""A limited reader sees the rows of its zoom apps, however it asks."""

from uuid import UUID, uuid4

import pytest
from sqlalchemy import Table, func, text
from sqlmodel import SQLModel, col, select

from dashboard.db import Database
from dashboard.db.limited import NOTHING, LimitedDatabase, condition
from dashboard.models.webhook import Webhook
from dashboard.models.zoom_app import ZoomApp
from dashboard.services.paging import Place
from dashboard.services.webhook_log import log, search
from dashboard.vault import Vault
from tests.makers import a_webhook, saved_app


@pytest.fixture
def apps(database: Database, vault: Vault) -> tuple[UUID, UUID]:
    """Two zoom apps; the second has one webhook more."""
    with database.writing() as session:
        mine = saved_app(session, vault, client_id="mine")
        other = saved_app(session, vault, client_id="other")
        session.flush()
        for app_id, number in ((mine, 2), (other, 3)):
            app = session.get_one(ZoomApp, app_id)
            session.add_all(a_webhook(app, event=f"of.{app_id}") for _ in range(number))
    return mine, other


@pytest.mark.parametrize("table", SQLModel.metadata.sorted_tables, ids=str)
def test_every_table_is_ruled(table: Table) -> None:
    assert condition(table) != NOTHING


def test_entities_columns_texts_and_recursive_queries_are_all_limited(
    database: Database, apps: tuple[UUID, UUID]
) -> None:
    mine, other = apps
    with LimitedDatabase(database, [mine]).reading() as session:
        assert [app.id for app in session.exec(select(ZoomApp))] == [mine]
        assert session.get(ZoomApp, other) is None
        table = SQLModel.metadata.tables["webhook"]
        counted = select(func.count()).select_from(table)
        assert session.connection().execute(counted).scalar_one() == 2
        spelt = text("SELECT count(*) FROM webhook WHERE event LIKE :e")
        assert session.execute(spelt, {"e": "of.%"}).scalar_one() == 2
        assert search.event_names(session) == [f"of.{mine}"]
        twice = select(Webhook.id).where(
            col(Webhook.zoom_app_id).in_(select(ZoomApp.id))
        )
        assert len(session.exec(twice).all()) == 2


def test_a_list_turns_its_pages_within_the_limit(
    database: Database, apps: tuple[UUID, UUID]
) -> None:
    with LimitedDatabase(database, [apps[1]]).reading() as session:
        page = log.page(session, filters=search.WebhookFilter(), place=Place())

    assert {row.webhook.zoom_app_id for row in page.rows} == {apps[1]}
    assert len(page.rows) == 3


def test_limited_to_none_is_to_nothing(
    database: Database, apps: tuple[UUID, UUID]
) -> None:
    with LimitedDatabase(database, []).reading() as session:
        assert session.exec(select(ZoomApp)).all() == []
        assert session.exec(select(func.count()).select_from(Webhook)).one() == 0
    assert apps


def test_the_whole_database_goes_on_seeing_everything(
    database: Database, apps: tuple[UUID, UUID]
) -> None:
    limited = LimitedDatabase(database, [uuid4()])
    with limited.reading() as one, database.reading() as all_of_it:
        assert one.exec(select(ZoomApp)).all() == []
        assert len(all_of_it.exec(select(ZoomApp)).all()) == len(apps)
    with limited.writing() as session:  # web/limits.py rules what is written
        assert len(session.exec(select(ZoomApp)).all()) == len(apps)
