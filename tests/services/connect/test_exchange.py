"""Whose grant a code was for, in words that only its owner recognizes."""

import pytest

from dashboard.services.connect.exchange import GrantedProfile


@pytest.mark.parametrize(
    ("user_id", "account_id", "email", "masked"),
    [
        ("zUsErAna1", "zAcc1", "ana@example.com", "a***@example.com"),
        ("zUsErAna1", "zAcc1", "", "zUs***"),
        (None, "zAcc1", "", "zAc***"),
        (None, None, "", ""),
    ],
)
def test_a_rejected_account_is_named_masked(
    user_id: str | None, account_id: str | None, email: str, masked: str
) -> None:
    profile = GrantedProfile(user_id=user_id, account_id=account_id, email=email)

    assert profile.masked == masked
