"""The scopes of each kind and style, and what a grant lacks."""

import pytest

from dashboard.models.zoom_app import Kind, ScopeStyle
from dashboard.services.zoom_apps import scopes
from tests.makers import AskingApp

USER, ACCOUNT = Kind.USER_LEVEL, Kind.ACCOUNT_LEVEL
GRANULAR, LEGACY = ScopeStyle.GRANULAR, ScopeStyle.LEGACY


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("style", list(ScopeStyle))
def test_every_scope_has_its_reason(kind: Kind, style: ScopeStyle) -> None:
    listed = scopes.list_for(AskingApp(kind, style))

    assert all(scope.why.endswith(".") for scope in listed)


@pytest.mark.parametrize("style", list(ScopeStyle))
def test_an_account_level_app_asks_for_admin_scopes_only(style: ScopeStyle) -> None:
    names = [scope.name for scope in scopes.list_for(AskingApp(ACCOUNT, style))]

    assert all("admin" in name.split(":") for name in names)


@pytest.mark.parametrize("style", list(ScopeStyle))
def test_a_user_level_app_asks_for_no_admin_scope(style: ScopeStyle) -> None:
    names = [scope.name for scope in scopes.list_for(AskingApp(USER, style))]

    assert not any("admin" in name.split(":") for name in names)


def test_a_full_grant_lacks_nothing() -> None:
    granted = set(scopes.missing(set(), AskingApp(USER, GRANULAR))) | {"user:read:zak"}

    assert scopes.missing(granted, AskingApp(USER, GRANULAR)) == []


def test_what_zoom_adds_by_itself_is_not_missed() -> None:
    granted = set(scopes.missing(set(), AskingApp(USER, GRANULAR)))

    assert "meeting:read:meeting" not in granted
    assert scopes.missing(granted, AskingApp(USER, GRANULAR)) == []


def test_a_scope_that_was_unticked_is_named() -> None:
    granted = {"meeting:read:local_recording_token", "meeting:read:list_meetings"}

    assert scopes.missing(granted, AskingApp(USER, GRANULAR)) == ["user:read:user"]


def test_an_empty_grant_lacks_every_required_scope_in_order() -> None:
    assert scopes.missing(set(), AskingApp(ACCOUNT, LEGACY)) == [
        "meeting_token:read:admin:local_recording",
        "meeting:read:admin",
        "user:read:admin",
    ]


def test_a_grant_from_before_the_move_to_granular_scopes_is_still_whole() -> None:
    old = {"meeting_token:read:local_recording", "meeting:read", "user:read"}

    assert scopes.missing(old, AskingApp(USER, GRANULAR)) == []


def test_an_admin_scope_does_not_stand_in_for_a_users_own() -> None:
    granted = {
        f"{name}:admin" for name in scopes.missing(set(), AskingApp(USER, GRANULAR))
    }

    assert len(scopes.missing(granted, AskingApp(USER, GRANULAR))) == 3


@pytest.mark.parametrize(
    ("kind", "style", "more"),
    [
        (USER, GRANULAR, {"user:read:token", "user:read:zak"}),
        (ACCOUNT, GRANULAR, {"user:read:token:admin", "user:read:zak:admin"}),
        (USER, LEGACY, {"user_zak:read"}),  # user:read covers the OBF token
        (ACCOUNT, LEGACY, set()),
    ],
)
def test_meetings_of_other_accounts_take_more_scopes(
    kind: Kind, style: ScopeStyle, more: set[str]
) -> None:
    inside, outside = (
        AskingApp(kind, style),
        AskingApp(kind, style, joins_external=True),
    )

    by_hand = [
        {one.name for one in scopes.list_for(app) if not one.is_added_by_zoom}
        for app in (inside, outside)
    ]

    assert by_hand[1] - by_hand[0] == more
    assert len(scopes.list_for(outside)) == len(
        {one.name for one in scopes.list_for(outside)}
    )


def test_only_an_app_that_joins_them_misses_their_scope() -> None:
    granted = set(scopes.missing(set(), AskingApp(USER, GRANULAR)))

    assert scopes.missing(granted, AskingApp(USER, GRANULAR, joins_external=True)) == [
        "user:read:token"
    ]
    assert (
        scopes.missing(
            granted | {"user:read"}, AskingApp(USER, GRANULAR, joins_external=True)
        )
        == []
    )
