"""An export is whole or says so, and no text in it is a formula in a spreadsheet."""

import json
import re
import unicodedata
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


BEGINS = {*"=+-@", "\u2212"} | {
    chr(n)
    for n in range(0x2000, 0xFFFF)
    if unicodedata.normalize("NFKC", chr(n)) in {*"=+-@"}
}
BLANK = ' \0\t\r\n\u00a0\ufeff\u200b"'
BEFORE = ["", " ", "\0", "\t", "\r", "\n", "\u00a0", "\ufeff", "\u200b", '"', ' "']
PARTED = ["", "x;", "x,", "x\t", "x\n", "x\r\n", 'x";"', "x|", "x; ", "x \t ", ";;"]


def exported(text: str) -> str:
    """Return the file of one cell, without the line of names."""
    lines = "".join(exports.csv_lines(["name"], [{"name": text}]))
    return lines.removeprefix("name\r\n").removesuffix("\r\n")


@pytest.mark.parametrize("begin", sorted(BEGINS), ids=ascii)
def test_no_cell_begins_a_formula_at_whatever_mark_cells_are_parted(begin: str) -> None:
    for parted in PARTED:
        for before in BEFORE:
            file = exported(f"{parted}{before}{begin}1+1")
            starts = {cell.strip(BLANK)[:1] for cell in re.split(r"[,;|\t\r\n]", file)}
            assert starts.isdisjoint(BEGINS), (parted, before, file)


@pytest.mark.parametrize("start", ["\t", "\r"], ids=ascii)
def test_a_cell_begins_with_no_tab_or_return(start: str) -> None:
    assert exported(f"{start}x").strip('"').startswith("'")


@given(st.text(alphabet=st.characters(codec="ascii", categories=["L", "N"])))
def test_a_plain_text_is_exported_as_it_is(text: str) -> None:
    assert exported(text).strip('"') == text


def test_numbers_keep_their_sign() -> None:
    assert "".join(exports.csv_lines(["n"], [{"n": -5}])) == "n\r\n-5\r\n"
