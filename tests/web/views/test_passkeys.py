"""Passkeys: added once, and refused for whatever is not exactly right."""

import json
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlmodel import select
from werkzeug.test import TestResponse

from dashboard.models.staff import Passkey, Role, StaffSession
from dashboard.services import audit
from dashboard.services.runtime import Runtime
from dashboard.services.staff import accounts
from tests.conftest import HTTPS, SignIn
from tests.fixtures.passkeys import Device
from tests.makers import FakeClock
from tests.web.views.test_second_factor import copy_of

HOST = "dashboard.example.com"


def add(browser: FlaskClient, device: Device, **over: str) -> TestResponse:
    options = browser.post("/account/passkeys/options").json
    assert options is not None
    form = {"name": "Laptop", "credential": device.make(options)}
    return browser.post("/account/passkeys", data=form | over)


def asked(browser: FlaskClient) -> dict[str, Any]:
    options = browser.post("/sign-in/passkey/options", base_url=HTTPS).json
    assert options is not None
    return dict(options)


def send(browser: FlaskClient, signed: str) -> TestResponse:
    data = {"prove-passkey": signed, "next": "/staff/"}
    return browser.post("/sign-in/passkey", data=data, base_url=HTTPS)


@pytest.fixture
def device() -> Device:
    return Device(host=HOST, origin=HTTPS, count=1)


@pytest.fixture
def added(as_role: SignIn, device: Device) -> FlaskClient:
    """An admin's browser, after the passkey was added in it."""
    admin = as_role(Role.ADMIN)
    assert add(admin, device).status_code == 200
    device.count += 1
    return admin


@pytest.mark.usefixtures("added")
def test_a_passkey_signs_in_alone(
    stranger: FlaskClient, device: Device, runtime: Runtime
) -> None:
    options = asked(stranger)

    answer = send(stranger, device.sign(options))

    assert options["userVerification"] == "required"
    assert options.get("allowCredentials", []) == []
    assert answer.location == "/staff/"
    assert stranger.get("/staff/").status_code == 200
    with runtime.database.reading() as session:
        [key] = session.exec(select(Passkey)).all()
        factors = {row.second_factor for row in session.exec(select(StaffSession))}
    assert (key.sign_count, key.name) == (2, "Laptop")
    assert "passkey" in factors


@pytest.mark.usefixtures("added")
@pytest.mark.parametrize(
    "lie",
    ["origin", "host", "unverified", "key", "unknown", "challenge", "count", "text"],
)
def test_what_is_not_exactly_right_opens_nothing(
    stranger: FlaskClient, device: Device, lie: str
) -> None:
    options = asked(stranger)
    signed = device.sign(options)
    if lie == "origin":
        signed = device.sign(options, origin="https://dashboard.example.org")
    elif lie == "host":
        device.host = "example.org"
        signed = device.sign(options)
    elif lie == "unverified":
        signed = device.sign(options, is_verified=False)
    elif lie in ("key", "unknown"):
        other = Device(host=HOST, origin=HTTPS, count=9)
        if lie == "key":
            other.credential_id = device.credential_id
        signed = other.sign(options)
    elif lie == "challenge":
        asked(stranger)  # the one that was signed is no longer the browser's
    elif lie == "count":  # a copy of the device, which has counted less
        device.count = 1
        signed = device.sign(options)
    elif lie == "text":
        signed = json.dumps({"id": 7, "response": []})

    answer = send(stranger, signed)

    assert answer.status_code == 422
    assert "No account here has this passkey" in answer.text
    assert stranger.get("/staff/").status_code == 303


@pytest.mark.usefixtures("added")
def test_a_copied_cookie_and_answer_are_worth_nothing_where_nothing_is_counted(
    app: Flask, stranger: FlaskClient, device: Device, runtime: Runtime
) -> None:
    with runtime.database.writing() as session:
        [key] = session.exec(select(Passkey)).all()
        key.sign_count = 0
        session.add(key)
    device.count = 0
    signed = device.sign(asked(stranger))
    thief = copy_of(app, stranger)

    first = send(stranger, signed)
    copied = send(thief, signed)

    assert (first.status_code, copied.status_code) == (303, 422)
    assert thief.get("/staff/", base_url=HTTPS).status_code == 303


@pytest.mark.usefixtures("added")
def test_a_challenge_is_good_for_five_minutes(
    stranger: FlaskClient, device: Device, clock: FakeClock
) -> None:
    signed = device.sign(asked(stranger))
    clock.advance(minutes=5, seconds=1)

    assert send(stranger, signed).status_code == 422


def test_a_deactivated_person_has_no_passkey(
    added: FlaskClient, as_role: SignIn, stranger: FlaskClient, runtime: Runtime
) -> None:
    other = Device(host=HOST, origin=HTTPS, count=1)
    support = as_role(Role.SUPPORT)
    add(support, other)
    with runtime.database.writing() as session:
        person = accounts.find_by_email(session, "support@example.com")
        assert person is not None
        accounts.disable(
            session, person, actor=audit.COMMAND_LINE, now=runtime.clock.now()
        )
    other.count += 1

    answer = send(stranger, other.sign(asked(stranger)))

    assert added.get("/staff/").status_code == 200
    assert answer.status_code == 422


def test_a_passkey_is_stored_once_and_for_one_person(
    added: FlaskClient, as_role: SignIn, device: Device
) -> None:
    again = add(added, device)
    theirs = add(as_role(Role.SUPPORT), device)

    assert (again.status_code, theirs.status_code) == (422, 422)
    assert "stored already" in again.text


def test_what_answers_another_challenge_is_not_stored(
    as_role: SignIn, device: Device, runtime: Runtime
) -> None:
    admin = as_role(Role.ADMIN)
    made = device.make({"challenge": "bm90IHRoaXMgb25l"})

    answer = add(admin, device, credential=made)

    assert answer.status_code == 422
    assert "Nothing was stored" in answer.text
    with runtime.database.reading() as session:
        assert session.exec(select(Passkey)).all() == []


def test_a_persons_passkey_is_renamed_and_removed_by_them_alone(
    added: FlaskClient, as_role: SignIn, runtime: Runtime
) -> None:
    support = as_role(Role.SUPPORT)
    with runtime.database.reading() as session:
        [key] = session.exec(select(Passkey)).all()
    url = f"/account/passkeys/{key.id}"

    foreign = [
        support.post(f"{url}/rename", data={"name": "Mine"}).status_code,
        support.post(f"{url}/remove").status_code,
    ]
    renamed = added.post(f"{url}/rename", data={"name": "Phone"})
    named = "Phone" in added.get("/account").text
    removed = added.post(f"{url}/remove")

    assert foreign == [404, 404]
    assert (renamed.status_code, named, removed.status_code) == (303, True, 303)
    with runtime.database.reading() as session:
        assert session.exec(select(Passkey)).all() == []


def test_a_stale_session_adds_no_passkey_and_is_asked_before_the_form(
    as_role: SignIn, device: Device, runtime: Runtime
) -> None:
    admin = as_role(Role.ADMIN)
    with runtime.database.writing() as session:
        [row] = session.exec(select(StaffSession)).all()
        row.proven_at = None
        session.add(row)

    form = admin.get("/account/second-factor")
    answer = add(admin, device)

    assert form.location == "/account/prove?next=/account/second-factor"
    assert answer.status_code == 422
    assert "Confirm it" in answer.text
    with runtime.database.reading() as session:
        assert session.exec(select(Passkey)).all() == []


def test_another_persons_passkey_proves_nothing(
    added: FlaskClient, as_role: SignIn, device: Device, runtime: Runtime
) -> None:
    support = as_role(Role.SUPPORT)
    with runtime.database.writing() as session:
        for row in session.exec(select(StaffSession)).all():
            row.proven_at = None
            session.add(row)

    def prove(browser: FlaskClient) -> int:
        options = browser.post("/account/prove/passkey/options").json
        assert options is not None
        device.count += 1
        signed = {"prove-passkey": device.sign(options)}
        return browser.post("/account/prove", data=signed).status_code

    assert prove(support) == 422
    assert support.get("/connections/?format=csv").status_code == 303
    assert prove(added) == 303
    assert added.get("/connections/?format=csv").status_code == 200
