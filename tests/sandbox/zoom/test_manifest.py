"""App manifests: validated, imported, exported (docs/contracts/zoom.md 12)."""

import json
from typing import Any

import pytest

from dashboard.sandbox.zoom import ZoomWorld
from dashboard.sandbox.zoom import manifest as manifests
from dashboard.sandbox.zoom.errors import RefusedError
from dashboard.sandbox.zoom.records import ZoomApp
from tests.fixtures.simulated_zoom import (
    CALLBACK,
    HOOK,
    Endpoint,
    a_user,
    a_world,
    an_app,
    tokens,
    web,
)

API = "/v2/marketplace/apps"
SCOPES = ["meeting:read:list_meetings", "meeting:read:meeting", "user:read:user"]


def a_manifest(**oauth: Any) -> dict[str, Any]:
    return {
        "display_information": {"display_name": "Notetaker"},
        "oauth_information": {
            "usage": "USER_OPERATION",
            "development_redirect_uri": f"{CALLBACK}/new",
            "oauth_allow_list": [f"{CALLBACK}/new"],
            "strict_mode": True,
            "scopes": [{"scope": name, "optional": False} for name in SCOPES],
            **oauth,
        },
        "features": {
            "products": [],
            "event_subscription": {
                "enable": True,
                "events": [
                    {
                        "subscription_name": "Recall",
                        "event_types": ["meeting.created", "user.updated"],
                        "event_usage": "EVENT_FOR_USER",
                        "development_webhook_url": HOOK,
                        "development_event_custom_header": None,
                    }
                ],
            },
        },
    }


def without(manifest: dict[str, Any], *path: str) -> dict[str, Any]:
    part = manifest
    for name in path[:-1]:
        part = part[name]
    del part[path[-1]]
    return manifest


def with_subscription(**over: Any) -> dict[str, Any]:
    manifest = a_manifest()
    manifest["features"]["event_subscription"]["events"][0].update(over)
    return manifest


def one_scope(name: str, *, optional: object = False) -> dict[str, Any]:
    return a_manifest(scopes=[{"scope": name, "optional": optional}])


WRONG = {
    "no object": ([], "/"),
    "no name": (without(a_manifest(), "display_information"), "/display_information"),
    "name of 50": (
        a_manifest() | {"display_information": {"display_name": "x" * 50}},
        "/display_information",
    ),
    "usage": (a_manifest(usage="ACCOUNT_OPERATION"), "/oauth_information/usage"),
    "admin scope": (
        one_scope("user:read:user:admin"),
        "/oauth_information/scopes[0]",
    ),
    "user scope": (
        a_manifest(usage="ADMIN_MANAGEMENT"),
        "/oauth_information/scopes[0]",
    ),
    "app-owned scope": (
        one_scope("marketplace:write:event_subscription"),
        "/oauth_information/scopes[0]",
    ),
    "classic scope": (one_scope("user:read"), "/oauth_information/scopes[0]"),
    "all optional": (
        one_scope("user:read:user", optional=True),
        "/oauth_information/scopes",
    ),
    "product": (
        a_manifest() | {"features": {"products": ["ZOOM"]}},
        "/features/products",
    ),
    "home without product": (
        a_manifest()
        | {"features": {"products": [], "development_home_uri": "https://x.example"}},
        "/features/development_home_uri",
    ),
    "event": (
        with_subscription(event_types=["meeting.exploded"]),
        "/features/event_subscription/events[0]/event_types",
    ),
    "event usage": (
        with_subscription(event_usage="EVENT_FOR_ALL"),
        "/features/event_subscription/events[0]/event_usage",
    ),
    "header": (
        with_subscription(production_event_custom_header={"custom_header_type": 9}),
        "/features/event_subscription/events[0]/production_event_custom_header",
    ),
}
ACCEPTED = {
    "whole": a_manifest(),
    "no redirect": without(
        a_manifest(), "oauth_information", "development_redirect_uri"
    ),
    "unknown key": a_manifest() | {"astrology": 1},
    "no features": without(a_manifest(), "features"),
    "scope twice": a_manifest(scopes=[{"scope": "user:read:user"}] * 2),
    "the text false": a_manifest(
        scopes=[
            {"scope": "user:read:user", "optional": "false"},
            {"scope": "user:read:email", "optional": False},
        ]
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_each_problem_is_named_with_its_setting(case: str) -> None:
    manifest, setting = WRONG[case]

    said = manifests.validation_answer(manifest)

    assert (said["ok"], said["error"]) == (False, "invalid_manifest")
    first = said["errors"][0]  # type: ignore[index]
    assert first["setting"].startswith(setting)
    assert first["message"]


@pytest.mark.parametrize("case", ACCEPTED)
def test_the_validation_accepts_more_than_it_should(case: str) -> None:
    assert manifests.validation_answer(ACCEPTED[case]) == {
        "ok": True,
        "error": "",
        "errors": None,
    }


def an_access_token(world: ZoomWorld, *scopes: str) -> dict[str, str]:
    """Return the headers of a user whose token has these scopes."""
    app = an_app(world, name="Manager", scopes=list(scopes))
    granted = tokens(world, app, a_user(world, email="dev@example.com"))
    return {"Authorization": f"Bearer {granted['access_token']}"}


def test_an_invalid_manifest_is_answered_200_as_well(world: ZoomWorld) -> None:
    headers = an_access_token(world, "marketplace:read:app")

    answers = [
        web(world).post(
            f"{API}/manifest/validate", json={"manifest": manifest}, headers=headers
        )
        for manifest in (a_manifest(), {})
    ]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert [answer.get_json()["ok"] for answer in answers] == [True, False]


def test_a_token_without_the_scope_is_refused(world: ZoomWorld) -> None:
    headers = an_access_token(world, "user:read:user")

    answer = web(world).post(f"{API}/manifest/validate", json={}, headers=headers)

    assert answer.get_json()["code"] == 4711


def test_an_update_fills_the_app_and_an_export_gives_it_back(
    endpoint: Endpoint, world: ZoomWorld
) -> None:
    headers = an_access_token(world, "marketplace:read:app", "marketplace:write:app")
    app = an_app(world)
    path = f"{API}/{app.app_id}/manifest"

    put = web(world).put(path, json={"manifest": a_manifest()}, headers=headers)
    exported = web(world).get(path, headers=headers).get_json()["manifest"]

    assert (put.status_code, put.data) == (200, b"")
    assert (app.name, app.redirect_url) == ("Notetaker", f"{CALLBACK}/new")
    assert (app.scopes, app.webhook_url, app.strict_mode) == (SCOPES, HOOK, True)
    assert app.validated_at is not None
    assert [request.url for request in endpoint.requests] == [HOOK]
    assert manifests.find_problems(exported) == []
    assert exported["oauth_information"]["oauth_allow_list"] == [f"{CALLBACK}/new"]


def test_a_url_that_fails_validation_changes_nothing() -> None:
    world = a_world(Endpoint(secret="another"))
    app = an_app(world)
    before = app.model_dump()

    page = web(world).post(
        f"/marketplace/apps/{app.client_id}/manifest",
        data={"manifest": json.dumps(a_manifest())},
    )

    assert page.status_code == 422
    assert "URL validation failed" in page.text
    assert app.model_dump() == before


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        ("{", "not JSON"),
        (json.dumps(a_manifest(usage="SOMETHING")), "usage"),
        (json.dumps(a_manifest(oauth_allow_list="text")), "wrong type"),
        (json.dumps(a_manifest(development_redirect_uri="http://x")), "https"),
    ],
)
def test_the_page_says_what_is_wrong_with_a_manifest(
    world: ZoomWorld, app: ZoomApp, manifest: str, said: str
) -> None:
    before = app.model_dump()

    page = web(world).post(
        f"/marketplace/apps/{app.client_id}/manifest", data={"manifest": manifest}
    )

    assert page.status_code == 422
    assert said in page.text
    assert app.model_dump() == before


def test_classic_scopes_are_neither_imported_nor_exported(world: ZoomWorld) -> None:
    headers = an_access_token(world, "marketplace:read:app")
    app = an_app(world, scopes=["user:read", "meeting:read"])

    exported = web(world).get(f"{API}/{app.app_id}/manifest", headers=headers)
    imported = web(world).post(
        f"/marketplace/apps/{app.client_id}/manifest",
        data={"manifest": json.dumps(a_manifest())},
    )

    assert exported.status_code == 404
    assert "granular scope" in exported.get_json()["message"]
    assert imported.status_code == 422


def test_only_a_draft_app_has_a_manifest() -> None:
    world = a_world(Endpoint())
    app = an_app(world, published=True)

    with pytest.raises(RefusedError, match="Draft General app"):
        manifests.export_manifest(app)
    with pytest.raises(RefusedError, match="Draft General app"):
        world.import_manifest(app.client_id, a_manifest())
