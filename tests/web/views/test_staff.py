"""The pages about the people who sign in."""

import pytest
from bs4 import BeautifulSoup

from dashboard.models.staff import Role
from dashboard.services.runtime import Runtime
from dashboard.services.staff import accounts
from tests.conftest import PASSWORD, SignIn

NEW = {"email": "ben@example.com", "role": "support", "password": "a long password"}


def person_id(runtime: Runtime, email: str) -> str:
    with runtime.database.reading() as session:
        person = accounts.find_by_email(session, email)
        assert person is not None
        return str(person.id)


def test_an_admin_adds_a_person_and_it_is_audited(as_role: SignIn) -> None:
    admin = as_role(Role.ADMIN)

    answer = admin.post("/staff/", data=NEW)

    assert answer.status_code == 303
    assert "ben@example.com" in admin.get("/staff/").text
    assert "staff.added" in admin.get("/audit/?act=staff").text


@pytest.mark.parametrize(
    ("over", "sentence"),
    [
        ({"email": "no address"}, "This is not an email address."),
        ({"email": ""}, "Enter the email address."),
        ({"password": "short"}, "Use a password of 10 to"),
        ({"email": "admin@example.com"}, "already an account"),
    ],
    ids=["no e-mail", "empty", "short password", "there already"],
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
    assert NEW["password"] not in answer.text


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
