"""An export that cannot begin is an error; one that breaks off says so at its end."""

import csv
import io
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


@pytest.mark.parametrize(
    "begins",
    ["=", "+", "-", "@", "\uff1d", "\uff0b", "\ufe66", "\u207a", "\u208c", "\u2212"],
)
@pytest.mark.parametrize(
    "before", ["", " ", "\t", '"', "'", "\0", "\u200b", "\n", "a,", "a; ", "a|", "a\r"]
)
def test_no_cell_begins_a_formula(begins: str, before: str) -> None:
    name = f"{before}{begins}cmd()"

    lines = exports.csv_lines(["name"], [{"name": name}])

    [_, [cell]] = csv.reader(io.StringIO("".join(lines)))
    assert "\0" not in cell
    assert f"'{begins}cmd()" in cell


@pytest.mark.parametrize("name", ["Ana-Maria O'Neil", "a+b@example.com", "1-2", "C=B"])
def test_a_name_that_begins_no_formula_stays(name: str) -> None:
    lines = exports.csv_lines(["name"], [{"name": name}])

    assert list(csv.reader(io.StringIO("".join(lines)))) == [["name"], [name]]
