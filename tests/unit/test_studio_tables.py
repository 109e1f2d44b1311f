"""What the pages write and read as text: CSV, attributes, sizes."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retinue.studio.elements.amounts import dollars, in_bytes
from retinue.studio.elements.attributes import BadLine, read, sent, written
from retinue.studio.elements.passages import marked
from retinue.studio.pages.usage.spreadsheet import as_csv

SCALARS = st.text(st.characters(exclude_categories=["C", "Z"]), max_size=20) | st.booleans() | st.integers(-9999, 9999)


@given(st.lists(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=9), min_size=2)))
def test_a_spreadsheet_reads_what_was_written_and_computes_nothing(rows: list[list[str]]) -> None:
    text = as_csv(rows).decode("utf-8-sig")
    read_again = list(csv.reader(io.StringIO(text, newline="")))
    assert [[one.removeprefix("'") for one in row] for row in read_again] == [
        [one.removeprefix("'") for one in row] for row in rows
    ]
    assert not any(one.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) for row in read_again for one in row)


def test_csv_has_plain_numbers_and_quotes() -> None:
    assert as_csv([["=1+1", 'a "b", c', -3, 1e-7, 2.0]]) == '\ufeff\'=1+1,"a ""b"", c",-3,0.0000001,2\r\n'.encode()


@given(st.dictionaries(st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=9), SCALARS, max_size=5))
def test_attributes_are_read_as_they_are_written(attributes: dict[str, str | bool | int | float]) -> None:
    again = read(written(attributes))
    assert again == attributes
    assert {key: type(value) for key, value in again.items()} == {key: type(one) for key, one in attributes.items()}


def test_attributes_that_people_write() -> None:
    found = read('year: 2024\nrate：0.5\n\n draft: true \ncode: "007"\nurl: http://a:1\n版本: 三')
    assert found == {"year": 2024, "rate": 0.5, "draft": True, "code": "007", "url": "http://a:1", "版本": "三"}
    assert sent({"year": 2024.0, "rate": 0.5}) == {"year": 2024, "rate": 0.5}
    for line in ("no colon", ": no key"):
        with pytest.raises(BadLine, match=line.strip()):
            read(line)


def test_a_text_in_parts() -> None:
    places = [{"start_index": 0, "end_index": 2}, {"start_index": 4, "end_index": 6}]
    parts = [(one["text"], one.get("marked", False)) for one in marked("ab🙂cdefg", places)]
    assert parts == [("ab", True), ("🙂c", False), ("de", True), ("fg", False)]
    assert marked("ab", []) == [{"text": "ab"}]


def test_sizes_and_amounts() -> None:
    assert [in_bytes(one) for one in (0, 999, 1_000, 123_456, 5_000_000_000_000)] == [
        "0 B", "999 B", "1.0 KB", "123 KB", "5.0 TB"
    ]  # fmt: skip
    assert [dollars(one) for one in (0, 1234.5, 0.25, 0.000001)] == ["0.00", "1,234.50", "0.2500", "0.000001"]
