"""Your own references: what is taken, and where a user may be led back to."""

from uuid import uuid4

import pytest

from dashboard.errors import InvalidInputError
from dashboard.models.connection import ConnectAttempt, Connection
from dashboard.services.invitations import references
from tests.fixtures.connect import ConnectStage
from tests.fixtures.invitations import go, invite, reconnect_link
from tests.makers import NOON

ORIGINS = ["https://app.example.com", "https://app.example.com:8443"]


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://App.Example.com/done?a=1#x", "https://app.example.com"),
        ("https://app.example.com:443", "https://app.example.com"),
        ("https://app.example.com:8443/x", "https://app.example.com:8443"),
        ("http://localhost:3000/x", "http://localhost:3000"),
        ("http://[::1]:3000/", "http://[::1]:3000"),
        ("http://app.example.com/", None),
        ("http://localhost.evil.example/", None),
        ("https://app.example.com@evil.example/", None),
        ("https://user:pw@app.example.com/", None),
        ("https://app.example.com\\@evil.example/", None),
        ("https:/\\evil.example", None),
        ("//app.example.com/x", None),
        ("javascript:alert(1)", None),
        ("https://app.example.com:99999/", None),
        ("https://app.example.com:/", None),
        ("https://\u0430pp.example.com/", None),
        ("https://app.example.com\n.evil.example/", None),
        ("https://", None),
        ("https://[::1", None),
        ("", None),
    ],
)
def test_an_origin_is_scheme_host_and_port_and_nothing_else(
    url: str, origin: str | None
) -> None:
    assert references.origin_of(url) == origin


@pytest.mark.parametrize(
    "url",
    [
        "https://app.example.com.evil.example/",
        "https://evil.example/?https://app.example.com",
        "https://sub.app.example.com/",
        "https://app.example.com:444/",
        "/relative",
        "https://app.example.com/" + "x" * 500,
    ],
)
def test_the_way_back_leads_to_an_exact_origin_of_the_list(url: str) -> None:
    with pytest.raises(InvalidInputError) as raised:
        references.read_return_url(url, origins=ORIGINS)

    assert raised.value.field == "return_url"


def test_the_way_back_carries_status_and_connection_once_and_keeps_the_rest() -> None:
    back = references.way_back(
        "https://app.example.com/a?x=1&status=forged&y=#part",
        origins=ORIGINS,
        status="connected",
        connection="c-1",
    )

    assert back == (
        "https://app.example.com/a?x=1&y=&status=connected&connection=c-1#part"
    )
    assert references.way_back("https://a.example", origins=[], status="x") is None


@pytest.mark.parametrize("given", ["Vip, eu-west  vip", ["vip", "EU-West", " "]])
def test_tags_are_small_words_each_once(given: str | list[str]) -> None:
    assert references.read_tags(given) == "eu-west vip"


@pytest.mark.parametrize("given", ["a/b", "x" * 41, " ".join(map(str, range(11)))])
def test_other_tags_are_refused(given: str) -> None:
    with pytest.raises(InvalidInputError) as raised:
        references.read_tags(given)

    assert raised.value.field == "tags"


@pytest.mark.parametrize(
    "line", ["app.example.com", "https://app.example.com/path", "https://*.example.com"]
)
def test_the_list_of_origins_holds_origins_alone(line: str) -> None:
    with pytest.raises(InvalidInputError, match="is not an origin"):
        references.read_origins(f"https://ok.example\n{line}")


def test_what_of_a_plain_link_cannot_be_taken_is_left_out() -> None:
    found = references.lenient(
        "u-1", "a/b", "https://evil.example/", origins=["https://app.example.com"]
    )

    assert found == references.References(reference="u-1")


def an_attempt(*, invited: bool, reference: str, tags: str = "") -> ConnectAttempt:
    return ConnectAttempt(
        zoom_app_id=uuid4(),
        invitation_id=uuid4() if invited else None,
        state_hash="0",
        browser_hash="0",
        reference=reference,
        tags=tags,
        created_at=NOON,
        expires_at=NOON,
    )


def test_a_plain_link_never_replaces_what_a_personal_one_brought() -> None:
    row = Connection(zoom_app_id=uuid4(), connected_at=NOON, due_at=NOON)

    references.keep(row, an_attempt(invited=False, reference="claimed", tags="a"))
    claimed = (row.reference, row.is_reference_verified, row.tags)
    references.keep(row, an_attempt(invited=True, reference="u-1"))
    references.keep(row, an_attempt(invited=False, reference="forged", tags="b"))

    assert claimed == ("claimed", False, "a")
    assert (row.reference, row.is_reference_verified, row.tags) == ("u-1", True, "a")


def test_an_invitation_puts_its_references_on_the_connection(
    stage: ConnectStage,
) -> None:
    attempt = go(stage, invite(stage, user_ref="u-77"), stage.ana)

    assert attempt.connection_id is not None
    row = stage.connection(attempt.connection_id)
    assert (row.reference, row.is_reference_verified) == ("u-77", True)
    again = reconnect_link(stage, row).invitation
    assert again.user_ref == "u-77"
