"""What changed is named, old and new; every column of a setting is ruled."""

from typing import Any
from uuid import uuid4

import pytest

from dashboard.db import Database
from dashboard.models.staff import Role, Staff
from dashboard.models.workspace import Workspace
from dashboard.models.zoom_app import PageDesign, TokenCustody
from dashboard.services import audit
from dashboard.services.audit.changes import unpacked
from dashboard.services.audit.settings_changed import SETTINGS
from dashboard.vault import Vault
from tests.fixtures.audit import AUDIT_LOG
from tests.makers import NOON, a_workspace, a_zoom_app

ADMIN = audit.Actor(name="admin@example.com")

NOT_NAMED = {
    "key, or who it belongs to": """
        workspace.id zoom_app.id page_design.zoom_app_id own_server.zoom_app_id
        domain_proof.id staff.id invitation.id invitation.zoom_app_id
        invitation.connection_id alert_channel.id
        endpoint.id endpoint.kind endpoint.zoom_app_id
    """,
    "a secret; its fingerprint is named": """
        workspace.api_key workspace.verification_secret zoom_app.client_secret
        zoom_app.secret_token zoom_app.previous_secret_token own_server.url
        endpoint.url endpoint.secret endpoint.previous_secret
        page_design.logo staff.password_hash invitation.token_hash
        alert_channel.url
    """,
    "follows from the secret": """
        workspace.api_key_length workspace.api_key_set_at
        workspace.verification_secret_length workspace.verification_secret_set_at
        zoom_app.client_secret_length zoom_app.client_secret_set_at
        zoom_app.secret_token_length zoom_app.secret_token_set_at
        page_design.logo_type endpoint.previous_until
    """,
    "what was found out or is due, no setting": """
        workspace.mappings_due_at workspace.mappings_seen_at workspace.mappings_read_at
        workspace.verdict workspace.verdict_reason workspace.checked_at
        workspace.verdict_since workspace.key_due_at zoom_app.verdict
        zoom_app.verdict_reason zoom_app.checked_at zoom_app.verdict_since
        zoom_app.pair_due_at zoom_app.pair_doubted_at zoom_app.recall_created_at
        zoom_app.create_key zoom_app.rotation_until zoom_app.subscription_id
        zoom_app.subscription_state zoom_app.subscription_reason
        zoom_app.subscription_checked_at zoom_app.version domain_proof.file_seen_at
        domain_proof.tag_seen_at staff.last_sign_in_at invitation.opened_at
        own_server.strangers_tested_at own_server.strangers_problem
        alert_channel.digest_on alert_channel.failing_since alert_channel.trouble
        alert_channel.last_sent_at
        endpoint.failing_since endpoint.delivered_at
        zoom_app.validation_said
    """,
    "who and when is the entry itself": """
        workspace.created_at zoom_app.created_at page_design.changed_at
        own_server.set_at own_server.set_by domain_proof.set_at domain_proof.set_by
        staff.created_at invitation.created_at invitation.made_by invitation.ended_at
        alert_channel.created_at alert_channel.created_by
        endpoint.created_at endpoint.created_by endpoint.paused_by
    """,
    "how a person has pages shown, which concerns nobody else": """
        staff.theme staff.time_zone
    """,
    "personal data of the user": """
        invitation.zoom_user_id invitation.user_ref invitation.email
        invitation.tried_as invitation.tags invitation.return_url
    """,
}


def test_every_column_of_a_setting_is_named_or_ruled_out() -> None:
    ruled = {name for names in NOT_NAMED.values() for name in names.split()}
    named = {
        f"{_table(model).name}.{column}"
        for model, columns in SETTINGS.items()
        for column in columns
    }
    there = {
        f"{_table(model).name}.{column.name}"
        for model in SETTINGS
        for column in _table(model).columns
    }

    assert not named & ruled
    assert there == named | ruled


def test_no_secret_is_named() -> None:
    for model, columns in SETTINGS.items():
        kinds = {name: _table(model).columns[name].type for name in columns}
        assert not [name for name, kind in kinds.items() if "LargeBinary" in repr(kind)]


def _table(model: Any) -> Any:
    return model.__table__


def changes_of(database: Database) -> list[dict[str, tuple[str, str]]]:
    with database.reading() as session:
        return [dict(unpacked(entry.changes)) for entry in session.exec(AUDIT_LOG)]


@pytest.fixture
def workspace(database: Database, vault: Vault) -> Workspace:
    made = a_workspace(vault)
    with database.writing() as session:
        session.add(made)
    return made


def test_a_switched_off_requirement_is_named_old_and_new(
    database: Database, workspace: Workspace
) -> None:
    for value in (True, False):
        with database.writing() as session:
            row = session.get_one(Workspace, workspace.id)
            row.requires_signature = value
            session.add(row)
            session.flush()  # a query may do so before the entry is recorded
            audit.record(session, ADMIN, "workspace.changed", subject="w", now=NOON)

    assert changes_of(database) == [
        {"signature required": ("no", "yes")},
        {"signature required": ("yes", "no")},
    ]


def test_what_did_not_change_in_the_end_is_not_named(
    database: Database, workspace: Workspace
) -> None:
    with database.writing() as session:
        row = session.get_one(Workspace, workspace.id)
        for name in ("another", workspace.name):
            row.name = name
            session.add(row)
            session.flush()
        audit.record(session, ADMIN, "workspace.changed", subject="w", now=NOON)

    assert changes_of(database) == [{}]


def test_what_is_new_is_named(database: Database, vault: Vault) -> None:
    with database.writing() as session:
        app = a_zoom_app(vault)
        session.add(app)
        audit.record(session, ADMIN, "zoom_app.created", subject="a", now=NOON)
        session.flush()
        session.add(PageDesign(zoom_app_id=app.id, contact="it@a.org", changed_at=NOON))

    [found] = changes_of(database)
    assert found["token storage"] == ("none", TokenCustody.RECALL.value)
    assert found["contact"] == ("none", "it@a.org")
    assert found["client secret (fingerprint)"] == ("none", app.client_secret_print)


def test_a_role_is_named_old_and_new(database: Database) -> None:
    person = Staff(
        id=uuid4(),
        email="ben@example.com",
        role=Role.SUPPORT,
        password_hash="secret hash",
        created_at=NOON,
    )
    with database.writing() as session:
        session.add(person)
    with database.writing() as session:
        row = session.get_one(Staff, person.id)
        row.role, row.password_hash = Role.ADMIN, "another hash"
        session.add(row)
        audit.record(session, ADMIN, "staff.role_changed", subject="ben", now=NOON)

    assert changes_of(database) == [{"role": ("support", "admin")}]


def test_changes_of_a_failed_act_are_not_named_in_the_next(
    database: Database, workspace: Workspace
) -> None:
    def fail() -> None:
        with database.writing() as session:
            session.get_one(Workspace, workspace.id).name = "never"
            session.flush()
            raise RuntimeError("it failed")

    with pytest.raises(RuntimeError):
        fail()
    with database.writing() as session:
        audit.record(session, ADMIN, "workspace.changed", subject="w", now=NOON)

    assert changes_of(database) == [{}]


def test_explicit_changes_stay(database: Database, workspace: Workspace) -> None:
    said = audit.changed({"a": 1, "b": None, "c": [2, 1]}, {"a": 2, "b": "", "c": [3]})
    with database.writing() as session:
        session.get_one(Workspace, workspace.id).name = "other"
        audit.record(
            session, ADMIN, "workspace.changed", subject="w", now=NOON, changes=said
        )

    assert changes_of(database) == [{"a": ("1", "2"), "c": ("1, 2", "3")}]
