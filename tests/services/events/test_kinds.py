"""What docs/events.md says of each event is what the code sends."""

import json
import re
from pathlib import Path
from uuid import uuid4

import jsonschema
import pytest

from dashboard.models.event import Event
from dashboard.services.events import kinds, outbox
from dashboard.services.events.kinds import KINDS
from tests.makers import NOON

DOCUMENT = Path(__file__).parents[3] / "docs" / "events.md"


def documented() -> dict[str, object]:
    """Return the schema under each heading that names an event."""
    sections = re.split(r"^### `", DOCUMENT.read_text(), flags=re.MULTILINE)[1:]
    found: dict[str, object] = {}
    for section in sections:
        name = section.partition("`")[0]
        (block,) = re.findall(r"```json\n(.*?)```", section, flags=re.DOTALL)
        found[name] = json.loads(block)
    return found


def test_the_document_has_the_schema_of_each_event_and_no_other() -> None:
    assert documented() == {
        name: kinds.data_schema(kind) for name, kind in KINDS.items()
    }


@pytest.mark.parametrize("name", KINDS)
def test_a_message_fits_its_schema(name: str) -> None:
    kind = KINDS[name]
    values = {
        field: uuid4() if "UUID" in str(info.annotation) else "7"
        for field, info in kind.model_fields.items()
    }
    row = Event(
        id=7,
        kind=name,
        data=kind.model_validate(values).model_dump_json(),
        refs='{"reference": "user-7", "tags": ["pro"]}',
        at=NOON,
    )
    said = json.loads(outbox.message(row))
    checker = jsonschema.Draft202012Validator(
        kinds.schema(kind), format_checker=jsonschema.FormatChecker()
    )
    checker.validate(said)
    assert said["timestamp"] == "2026-11-23T12:00:00.000Z"
    with pytest.raises(jsonschema.ValidationError):
        checker.validate(said | {"type": "another"})


def test_every_event_has_a_sentence_and_another_name() -> None:
    assert all(kind.about.endswith(".") for kind in KINDS.values())
    assert list(KINDS) == [kind.kind for kind in KINDS.values()]
    assert len(KINDS) == 14
