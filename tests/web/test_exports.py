"""An export that cannot begin is an error; one that breaks off says so at its end."""

import json
from collections.abc import Iterator

import pytest

from dashboard.errors import StorageError
from dashboard.web import exports


def rows(number: int) -> Iterator[dict[str, object]]:
    for each in range(number):
        yield {"id": each}
    raise StorageError("The database can't be reached.")


@pytest.mark.parametrize("export", [exports.csv_file, exports.json_list])
def test_what_fails_at_its_first_row_is_an_error(export: object) -> None:
    assert callable(export)

    with pytest.raises(StorageError):
        export("things", ["id"], rows(0))


@pytest.mark.parametrize("number", [1, 2, 5])
def test_what_breaks_off_says_so_at_its_end(number: int) -> None:
    as_csv = exports.csv_file("things", ["id"], rows(number)).get_data(as_text=True)
    as_json = exports.json_list("things", ["id"], rows(number)).get_data(as_text=True)

    lines = as_csv.splitlines()
    assert lines[: number + 1] == ["id", *map(str, range(number))]
    assert "incomplete" in lines[-1]
    found = json.loads(as_json)
    assert [each["id"] for each in found["things"]] == list(range(number))
    assert "incomplete" in found["error"]
