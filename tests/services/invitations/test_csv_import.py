"""Lists of people to invite, as people paste them."""

import pytest

from dashboard.services.invitations import csv_import
from dashboard.services.invitations.invitations import Wanted

ANA = Wanted(email="ana@example.com", user_ref="u-1")
BO = Wanted(email="bo@example.com", user_ref="")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("email,user_ref\nana@example.com,u-1\nbo@example.com,\n", [ANA, BO]),
        ("user_ref;E-Mail\r\nu-1;Ana@Example.com\r\n", [ANA]),
        ("ana@example.com\tu-1\nbo@example.com", [ANA, BO]),
        ("\ufeffemail,user_ref\n\n ana@example.com , u-1 \n\n", [ANA]),
        ("user_ref\nu-7\n", [Wanted(user_ref="u-7")]),
        ('"ana@example.com","u-1"', [ANA]),
    ],
    ids=["header", "other order", "tabs, no header", "spaces", "own ids", "quotes"],
)
def test_a_list_is_read_in_the_forms_people_have_it(
    text: str, expected: list[Wanted]
) -> None:
    found = csv_import.parse(text)

    assert (list(found.wanted), list(found.errors)) == (expected, [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "Line 1: The list is empty."),
        ("email\n", "Line 1: The list is empty."),
        ("email\nana@example.com\nnobody", "Line 3: This is not an email address."),
        ("a@example.com\nb@example.com\nA@example.com", "Line 3: a@example.com is"),
        ("email,user_ref\n,u-1\n,u-1", "Line 3: u-1 is already on line 2."),
        ("email,user_ref\nana@example.com," + "x" * 201, "Line 2: Your user ID"),
        ("email,user_ref\n,a\x00b", "Line 2: Your user ID can have"),
        (
            '"a@example.com\n' + "b@example.com\n" * 11_000,
            "Line 1: A quotation mark",
        ),
    ],
    ids=[
        *("nothing", "header alone", "no e-mail", "twice", "id twice", "long", "NUL"),
        "open quotation mark",
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, expected: str) -> None:
    [trouble] = csv_import.parse(text).errors

    assert str(trouble).startswith(expected)


def test_an_e_mail_may_be_your_own_id_as_well() -> None:
    text = "ana@example.com,ana@example.com\nbo@example.com,cy@example.com"

    found = csv_import.parse(f"{text}\ncy@example.com,")

    assert [one.email for one in found.wanted][-1] == "cy@example.com"
    assert found.errors == []


def test_a_list_that_is_too_long_is_refused() -> None:
    text = "\n".join(f"user{n}@example.com" for n in range(csv_import.MOST + 1))

    [trouble] = csv_import.parse(text).errors

    assert "at most 2,000" in trouble.sentence
