"""Which passwords are taken."""

import pytest
from pydantic import SecretStr

from dashboard.errors import InvalidInputError
from dashboard.services.staff import passwords

EMAIL = "Ana.Nowak@brightwater-films.example"


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("short", "12 to 1024 characters"),
        ("elevenchars", "12 to 1024 characters"),
        ("k" * 1025, "12 to 1024 characters"),
        ("password1234", "easy to guess"),
        ("qwertyuiopasdf", "commonly used password"),
        ("123456789012", "easy to guess"),
        ("aaaaaaaaaaaa", "Repeats"),
        ("abcabcabcabc", "Repeats"),
        ("iloveyou2024", "easy to guess"),
        ("Ana.Nowak@brightwater-films.example", "words of the email address"),
        ("ana.nowak1234", "words of the email address"),
        ("brightwater12", "words of the email address"),
        ("dashboard-zoom", "words of the email address"),
        ("Ana-Nowak-brightwater", "words of the email address"),
        ("Zoom Recall Dashboard 2026", "words of the email address"),
    ],
)
def test_a_weak_password_is_refused_with_the_reason(password: str, reason: str) -> None:
    with pytest.raises(InvalidInputError, match=reason) as caught:
        passwords.require_good(SecretStr(password), email=EMAIL)

    assert caught.value.field == "password"
    assert password not in str(caught.value)


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery",
        "kZ8s0v1Qpw2x",
        "gXq4tN7w" * 128,
        "zoom through a quiet harbour",
        "säule-mönch-öltank-7",
    ],
)
def test_a_good_password_is_taken(password: str) -> None:
    passwords.require_good(SecretStr(password), email=EMAIL)


def test_no_hash_matches_before_a_password_is_chosen() -> None:
    guesses = ("", "no account has this password", "x")

    assert not any(
        passwords.verified(passwords.NONE_YET, SecretStr(guess)) for guess in guesses
    )
