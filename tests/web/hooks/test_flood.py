"""A flood of forged requests: counted, not stored, and in nobody's way."""

import pytest
from sqlmodel import col, func, select

from dashboard.models.webhook import Refusal, RefusalCount, Webhook
from dashboard.settings import Settings
from tests.fixtures.hooks import HooksClient, door, event

__all__ = ["door"]

FORGED = 2400
GENUINE_EVERY = 40
SAMPLE = 30


@pytest.fixture
def narrow(door: HooksClient) -> HooksClient:
    """Keep fewer refused requests than the flood has, and write them often."""
    instance = door.writer.settings.instance
    door.writer.settings = Settings(instance=instance, refused_sample=SAMPLE)
    return door


def forged(door: HooksClient, number: int) -> dict[str, str]:
    """Give the two headers of one of four sorts of forgery."""
    right = door.signed(event(number))
    signature = right["HTTP_X_ZM_SIGNATURE"]
    altered = f"{signature[:-1]}{'0' if signature[-1] != '0' else '1'}"
    return (
        right | {"HTTP_X_ZM_SIGNATURE": altered},
        right | {"HTTP_X_ZM_SIGNATURE": "v0=nothing"},
        {"HTTP_X_ZM_SIGNATURE": altered},
        right | {"HTTP_X_ZM_REQUEST_TIMESTAMP": "soon"},
    )[number % 4]


def test_a_forged_flood_neither_fills_the_disk_nor_keeps_a_genuine_event_out(
    narrow: HooksClient,
) -> None:
    forged_statuses: set[str] = set()
    genuine_statuses: list[str] = []
    for number in range(FORGED):
        narrow.clock.advance(milliseconds=2)
        body = event(number)
        length = str(len(body))
        headers = forged(narrow, number)
        forged_statuses.add(narrow.call(body, CONTENT_LENGTH=length, **headers))
        if number % GENUINE_EVERY == 0:
            signed = narrow.signed(body)
            genuine_statuses.append(narrow.call(body, CONTENT_LENGTH=length, **signed))
            narrow.writer.flush()
    narrow.writer.flush()

    with narrow.database.reading() as session:
        kept = session.exec(select(func.count()).select_from(Refusal)).one()
        counted = session.exec(select(func.sum(col(RefusalCount.requests)))).one()
        stored = session.exec(select(func.count()).select_from(Webhook)).one()
    assert forged_statuses == {"401"}
    assert genuine_statuses == ["200"] * (FORGED // GENUINE_EVERY)
    assert (stored, counted) == (FORGED // GENUINE_EVERY, FORGED)
    assert kept == SAMPLE
