"""Lists of people to invite, as people paste them."""

import pytest

from dashboard.services.invitations import csv_import
from dashboard.services.invitations.invitations import Wanted

ANA = Wanted(email="ana@example.com", user_ref="u-1")
ANA_ALONE = Wanted(email="ana@example.com", user_ref="")
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
        ("Ana Nowak <ana@example.com>; Bo B <bo@example.com>", [ANA_ALONE, BO]),
        ("Nowak, Ana <ana@example.com>;\n<bo@example.com>;", [ANA_ALONE, BO]),
        ('"Nowak, Ana" <ana@example.com>, bo@example.com', [ANA_ALONE, BO]),
        ("ana@example.com; bo@example.com;", [ANA_ALONE, BO]),
        ("sep=;\nemail;user_ref\nana@example.com;u-1", [ANA]),
        ('"sep=,"\r\nana@example.com,u-1', [ANA]),
        ("Email Address,Name\nana@example.com,Ana;Nowak\n", [ANA_ALONE]),
        ("Name\tE-Mail-Adresse\tUser ID\nAna\tana@example.com\tu-1", [ANA]),
        ("First Name,Email Address [Required]\nBo,bo@example.com", [BO]),
    ],
    ids=[
        *("header", "other order", "tabs, no header", "spaces", "own ids", "quotes"),
        *("Outlook", "comma in a name", "commas", "one line", "sep", "sep quoted"),
        *("spaced header", "German header", "Google"),
    ],
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
        ("Ana <ana@example.com>; Bo", "Line 1: This is not an email address."),
        ("Ana <ana@example.com>; Bo <bo>", "Line 1: This is not an email address."),
        ("a" * 300 + "@example.com", "Line 1: This is not an email address."),
        (
            '"a@example.com\n' + "b@example.com\n" * 11_000,
            "Line 1: A quotation mark",
        ),
    ],
    ids=[
        *("nothing", "header alone", "no e-mail", "twice", "id twice", "long", "NUL"),
        *("no address", "no address in brackets", "too long"),
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


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("has_mark", [True, False])
def test_a_file_is_read_as_excel_saves_it(codec: str, has_mark: bool) -> None:  # noqa: FBT001 - a case
    text = "Email Address\tUser ID\r\nana@example.com\tu-1\r\n"

    raw = ("\ufeff" * has_mark + text).encode(codec)

    assert list(csv_import.parse(csv_import.decode(raw)).wanted) == [ANA]


def test_a_list_of_any_length_is_read_no_further_than_it_may_be() -> None:
    for text in ("x\n" * 250_000, "<a@b.c>" * 70_000, "a" * 500_000, ";" * 500_000):
        assert len(csv_import.parse(text).errors) == 1
