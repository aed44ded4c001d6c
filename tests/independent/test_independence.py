"""The independent Zoom and Recall share nothing with what they stand beside."""

import ast
import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.independent.freedoms import Freedoms
from tests.independent.pair import IndependentWorld
from tests.makers import FakeClock

OWN = ("freedoms", "site", "zoom", "recall", "world", "pair")
REDIRECT = "https://dashboard.example.com/oauth/zoom/callback"
VERIFIER = "v" * 43


@pytest.fixture
def world() -> Iterator[IndependentWorld]:
    made = IndependentWorld(FakeClock())
    yield made
    made.close()


@pytest.mark.parametrize("name", OWN)
def test_it_imports_nothing_of_the_product(name: str) -> None:
    source = Path(__file__).with_name(f"{name}.py").read_text()
    imported = [
        each.module or ""
        for each in ast.walk(ast.parse(source))
        if isinstance(each, ast.ImportFrom)
    ] + [
        alias.name
        for each in ast.walk(ast.parse(source))
        if isinstance(each, ast.Import)
        for alias in each.names
    ]
    assert [each for each in imported if each.startswith("dashboard")] == []


@pytest.mark.parametrize(("verifier", "status"), [(VERIFIER, 200), ("w" * 43, 400)])
def test_zoom_checks_the_code_verifier(
    world: IndependentWorld, verifier: str, status: int
) -> None:
    pair = world.make_app(REDIRECT)
    user = world.add_user("ana@example.com", "Ana", "Nowak", 5551234567)
    digest = hashlib.sha256(VERIFIER.encode()).digest()
    challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    back = world.allow(
        f"{world.zoom_url}/oauth/authorize?response_type=code"
        f"&client_id={pair.client_id}&redirect_uri={REDIRECT}"
        f"&code_challenge={challenge}&code_challenge_method=S256",
        user,
    )
    form = {
        "grant_type": "authorization_code",
        "code": back.partition("code=")[2],
        "redirect_uri": REDIRECT,
        "code_verifier": verifier,
    }
    answer = httpx2.post(
        f"{world.zoom_url}/oauth/token",
        data=form,
        auth=(pair.client_id, pair.client_secret),
    )
    assert answer.status_code == status


@pytest.mark.parametrize(
    ("is_managed", "seen"), [(True, [200, 200, 200]), (False, [400, 404, 404])]
)
def test_zoom_shows_an_admins_app_the_whole_account_and_a_users_app_its_user(
    world: IndependentWorld, *, is_managed: bool, seen: list[int]
) -> None:
    pair = world.make_app(REDIRECT, is_account_level=is_managed)
    admin = world.add_user("ana@example.com", "Ana", "Nowak", 5551234567, is_admin=True)
    member = world.add_user("bo@example.com", "Bo", "Berg", 5551234568)
    asked = (
        f"{world.zoom_url}/oauth/authorize?response_type=code"
        f"&client_id={pair.client_id}&redirect_uri={REDIRECT}"
    )
    form = {
        "grant_type": "authorization_code",
        "code": world.allow(asked, admin).partition("code=")[2],
        "redirect_uri": REDIRECT,
    }
    told = httpx2.post(
        f"{world.zoom_url}/oauth/token",
        data=form,
        auth=(pair.client_id, pair.client_secret),
    ).json()
    number = world.create_meeting(member)
    paths = (
        "users",
        f"users/{member}/meetings",
        f"meetings/{number}/jointoken/local_recording",
    )
    bearer = {"authorization": f"Bearer {told['access_token']}"}
    answers = [
        httpx2.get(f"{world.zoom_url}/v2/{each}", headers=bearer) for each in paths
    ]

    assert [each.status_code for each in answers] == seen


def test_drawn_freedoms_are_the_same_for_the_same_seed() -> None:
    assert Freedoms.drawn(7) == Freedoms.drawn(7)
    assert len({repr(Freedoms.drawn(seed)) for seed in range(20)}) == 20
