"""The pages about the people who sign in."""

import pytest
from bs4 import BeautifulSoup

from dashboard.models.staff import Role
from dashboard.services.runtime import Runtime
from dashboard.services.staff import accounts
from dashboard.services.staff.permissions import APPOINTED_BY_ADMINS, CANNOT
from tests.conftest import HTTPS, PASSWORD, SignIn
from tests.makers import saved_app

NEW = {"email": "ben@example.com", "role": "support"}


def person_id(runtime: Runtime, email: str) -> str:
    with runtime.database.reading() as session:
        person = accounts.find_by_email(session, email)
        assert person is not None
        return str(person.id)


def test_an_admin_adds_a_person_and_it_is_audited(as_role: SignIn) -> None:
    admin = as_role(Role.ADMIN)

    answer = admin.post("/staff/", data=NEW)

    assert answer.status_code == 200
    assert f"{HTTPS}/password/" in answer.text
    assert "ben@example.com" in admin.get("/staff/").text
    assert "staff.added" in admin.get("/audit/?act=staff").text


@pytest.mark.parametrize(
    ("over", "sentence"),
    [
        ({"email": "no address"}, "This is not an email address."),
        ({"email": ""}, "Enter the email address."),
        ({"email": "admin@example.com"}, "already an account"),
    ],
    ids=["no e-mail", "empty", "there already"],
)
def test_bad_input_comes_back_with_a_sentence_and_what_was_typed(
    as_role: SignIn, over: dict[str, str], sentence: str
) -> None:
    answer = as_role(Role.ADMIN).post("/staff/", data=NEW | over)

    page = BeautifulSoup(answer.text, "html5lib")
    field = page.select_one("#email")
    assert answer.status_code == 422
    assert sentence in answer.text
    assert field is not None
    assert field.get("value") == (NEW | over)["email"]


def test_the_last_admin_cannot_be_stopped(as_role: SignIn, runtime: Runtime) -> None:
    admin = as_role(Role.ADMIN)
    mine = person_id(runtime, "admin@example.com")

    answer = admin.post(f"/staff/{mine}/disable")

    assert answer.status_code == 409
    assert "only admin" in answer.text
    assert admin.get("/staff/").status_code == 200


def test_a_person_who_is_stopped_is_signed_out_at_once(
    as_role: SignIn, runtime: Runtime
) -> None:
    admin, support = as_role(Role.ADMIN), as_role(Role.SUPPORT)
    theirs = person_id(runtime, "support@example.com")

    admin.post(f"/staff/{theirs}/disable")

    assert support.get("/webhooks/").location.startswith("/sign-in")


def test_a_new_role_holds_from_the_next_sign_in(
    as_role: SignIn, runtime: Runtime
) -> None:
    admin, support = as_role(Role.ADMIN), as_role(Role.SUPPORT)
    theirs = person_id(runtime, "support@example.com")

    admin.post(f"/staff/{theirs}/role", data={"role": "admin"})

    assert support.get("/staff/").status_code == 303
    support.post(
        "/sign-in",
        data={
            "email": "support@example.com",
            "password": PASSWORD.get_secret_value(),
        },
    )
    assert support.get("/staff/").status_code == 200


def test_an_unknown_person_is_404(as_role: SignIn) -> None:
    unknown = "00000000-0000-0000-0000-000000000000"

    assert as_role(Role.ADMIN).get(f"/staff/{unknown}").status_code == 404


AUDITORS_PAGE = "Auditors are independent of admins"


@pytest.mark.parametrize(
    "act",
    [
        *("role", "link", "unlock", "second-factor/remove", "disable", "enable"),
        *("sessions/end", "sessions/0123456789abcdef/end"),
    ],
)
def test_an_admin_changes_nothing_about_an_auditor(
    as_role: SignIn, runtime: Runtime, act: str
) -> None:
    admin, auditor = as_role(Role.ADMIN), as_role(Role.AUDITOR)
    theirs = person_id(runtime, "auditor@example.com")

    answer = admin.post(f"/staff/{theirs}/{act}", data={"role": "viewer"})
    page = admin.get(f"/staff/{theirs}").text

    assert answer.status_code == 403
    assert AUDITORS_PAGE in answer.text
    assert auditor.get("/audit/").status_code == 200
    assert f"/staff/{theirs}/" not in page


def test_an_admin_makes_no_auditor(as_role: SignIn, runtime: Runtime) -> None:
    admin, _ = as_role(Role.ADMIN), as_role(Role.SUPPORT)
    theirs = person_id(runtime, "support@example.com")

    added = admin.post("/staff/", data=NEW | {"role": "auditor"})
    changed = admin.post(f"/staff/{theirs}/role", data={"role": "auditor"})

    assert {added.status_code, changed.status_code} == {422}
    assert 'value="auditor"' not in admin.get("/staff/new").text


def test_the_forms_say_what_each_role_cannot_do(as_role: SignIn) -> None:
    page = BeautifulSoup(as_role(Role.ADMIN).get("/staff/new").text, "html5lib")
    notes = page.select_one("fieldset:has([name=role])")

    assert notes is not None
    said = " ".join(notes.text.split())
    for role in APPOINTED_BY_ADMINS:
        assert CANNOT[role] in said


def test_a_person_is_limited_to_chosen_zoom_apps_and_no_longer(
    as_role: SignIn, runtime: Runtime
) -> None:
    admin = as_role(Role.ADMIN)
    with runtime.database.writing() as session:
        app_id = saved_app(session, runtime.vault, name="Sales")
    admin.post("/staff/", data=NEW | {"zoom_apps": str(app_id)})
    theirs = person_id(runtime, "ben@example.com")

    shown = BeautifulSoup(admin.get(f"/staff/{theirs}").text, "html5lib")
    listed = admin.get("/staff/").text
    admin.post(f"/staff/{theirs}/role", data={"role": "operator"})

    assert shown.select_one(f"input[value='{app_id}'][checked]") is not None
    assert "Sales" in listed
    assert "Sales" not in admin.get("/staff/").text
    assert "limited to Sales" in admin.get("/audit/").text


def test_an_admin_cannot_be_limited(as_role: SignIn, runtime: Runtime) -> None:
    admin = as_role(Role.ADMIN)
    with runtime.database.writing() as session:
        app_id = saved_app(session, runtime.vault)

    answer = admin.post("/staff/", data=NEW | {"role": "admin", "zoom_apps": app_id})

    assert answer.status_code == 422
    assert "An admin sees every zoom app." in answer.text
