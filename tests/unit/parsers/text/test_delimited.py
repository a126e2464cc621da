"""Each field of a CSV file decides for itself if it is quoted."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roma_core.parsers.base import ParseOptions
from roma_core.parsers.text.delimited import parse, read_records
from roma_core.types import RawDocument

INCHES = 'A1,"5"" pipe","blue, matt"\nA2,3" valve,"red, gloss"\n'
UNCLOSED = 'a,"b\nc,d\n"e, f",g'
BROKEN_LINE = '"two\nlines",x\n3" y,z'


@pytest.mark.parametrize(
    ("text", "records"),
    [
        (INCHES, [["A1", '5" pipe', "blue, matt"], ["A2", '3" valve', "red, gloss"]]),
        (UNCLOSED, [["a", '"b'], ["c", "d"], ["e, f", "g"]]),
        (BROKEN_LINE, [["two\nlines", "x"], ['3" y', "z"]]),
        ('say "hi",1\n2,"a, b"', [['say "hi"', "1"], ["2", "a, b"]]),
        ('"","",\n,,"x"y', [["", "", ""], ["", "", '"x"y']]),
    ],
)
def test_a_stray_quote_quotes_nothing(text: str, records: list[list[str]]) -> None:
    assert [record for record in read_records(text, ",") if record != [""]] == records


@pytest.mark.parametrize("first", ["sep=;", '"sep=;"', "SEP=;"])
def test_the_separator_line_names_the_delimiter_and_is_no_row(first: str) -> None:
    document = parse(RawDocument(uri="a.csv", data=f"{first}\nname;amount\nAnna;12,50\n".encode()), ParseOptions())
    assert document.text == "| name | amount |\n| --- | --- |\n| Anna | 12,50 |"


CELL = st.text(alphabet=st.sampled_from('abc ,;"\n\t1'), max_size=12).map(str.strip)


@given(st.lists(st.lists(CELL, min_size=2, max_size=4), min_size=1, max_size=6), st.sampled_from(",;\t"))
def test_what_csv_writes_is_read_back(rows: list[list[str]], delimiter: str) -> None:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(rows)
    assert [record for record in read_records(out.getvalue(), delimiter) if record] in (rows, [*rows, [""]])


@pytest.mark.parametrize(
    ("text", "table"),
    [
        ('name,quote\nA,"He said \\"hi\\", ok"\nB,x\n', '| A | He said "hi", ok |'),
        ("id,text\n1,'a, b'\n2,'c'\n", "| 1 | a, b |"),
        ("1,5;2,5;3,5\n4,5;5,5;6,5\n7,5;8,5;9,5\n", "| 4,5 | 5,5 | 6,5 |"),
        ('id,path\n1,"C:\\dir\\"\n2,"D:\\x"\n', "| 1 | C:\\dir\\\\ |"),
        ("id,name\n1,O'Neil\n2,'t Hart\n", "| 2 | 't Hart |"),
    ],
    ids=["escaped quotes", "single quotes", "decimal commas", "a backslash at the end", "apostrophes"],
)
def test_the_dialect_is_that_of_the_fields(text: str, table: str) -> None:
    document = parse(RawDocument(uri="a.csv", data=text.encode()), ParseOptions())
    assert table in document.text and not document.warnings


def test_rows_are_held_against_the_header_of_the_table_not_against_lines_above_it() -> None:
    data = b"# exported 2024\n\nid,val\n1,2\n3,4\n"
    assert parse(RawDocument(uri="a.csv", data=data), ParseOptions()).warnings == ()
