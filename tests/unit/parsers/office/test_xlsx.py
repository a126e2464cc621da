"""Spreadsheets: a section a sheet, one table with its header found, values as shown, the row of every offset."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roma_core.errors import ErrorCode, ParserError
from roma_core.parsers import tables
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.office import number_format, sheets, spreadsheet, xlsx
from roma_core.parsers.text import delimited
from roma_core.types import Document, RawDocument
from tests.fixtures import make_office as make


def raw(data: bytes, name: str = "book.xlsx") -> RawDocument:
    return RawDocument(uri=f"file:///{name}", data=data)


def read(data: bytes) -> Document:
    return xlsx.parse(raw(data), ParseOptions())


STYLES = (
    '<numFmts><numFmt numFmtId="170" formatCode="#,##0.00&quot; EUR&quot;"/><numFmt numFmtId="171" formatCode="mmm yyyy"/></numFmts>'
    '<cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="10"/><xf numFmtId="170"/><xf numFmtId="171"/></cellXfs>'
)


def test_parse_xlsx_to_markdown_table() -> None:
    sheet = (
        '<sheetData><row r="1"><c r="A1" t="s"><v>0</v></c></row>'
        '<row r="3"><c r="A3" t="s"><v>1</v></c><c r="B3" t="inlineStr"><is><t>Day</t></is></c><c r="C3" t="str"><v>Share</v></c>'
        '<c r="D3" t="inlineStr"><is><t>Sum</t></is></c><c r="E3" t="inlineStr"><is><t>Month</t></is></c></row>'
        '<row r="4"><c r="A4" t="inlineStr"><is><t>North</t></is></c><c r="B4" s="1"><v>45292</v></c><c r="C4" s="2"><v>0.125</v></c>'
        '<c r="D4" s="3"><f>1+1</f><v>1234.5</v></c><c r="E4" s="4"><v>45292</v></c></row>'
        '<row r="5"><c r="B5" t="b"><v>1</v></c><c r="C5" t="e"><v>#DIV/0!</v></c><c r="D5"><f>SUM(D4)</f></c>'
        '<c r="E5" t="d"><v>2024-02-01T00:00:00</v></c></row></sheetData>'
        '<mergeCells><mergeCell ref="A1:E1"/><mergeCell ref="A4:A5"/></mergeCells>'
    )
    strings = "<si><t>Regional results</t></si><si><r><t>Reg</t></r><r><t>ion</t></r><rPh><t>guide</t></rPh></si>"
    document = read(
        make.xlsx({"Q2": sheet, "Old": make.rows(["a", "b"], [1, 2])}, styles=STYLES, strings=strings, hidden="Old")
    )
    assert document.text == (
        "## Q2\n\nRegional results\n\n"
        "| Region | Day | Share | Sum | Month |\n| --- | --- | --- | --- | --- |\n"
        "| North | 2024-01-01 | 12.50% | 1,234.50 EUR | Jan 2024 |\n"
        "| North | TRUE | #DIV/0! | =SUM(D4) | 2024-02-01 |\n\n"
        "## Old (hidden)\n\n| a | b |\n| --- | --- |\n| 1 | 2 |"
    )
    at = document.text.index
    assert document.place(at("Regional")) == "sheet “Q2”, row 1"
    assert document.place(at("Share")) == "sheet “Q2”, row 3"
    assert document.place(at("1,234")) == "sheet “Q2”, row 4"
    assert document.place(at("TRUE")) == "sheet “Q2”, row 5"
    assert document.place(at("| 1 |")) == "sheet “Old”, row 2"
    assert document.title == "book" and document.metadata["sheets"] == ["Q2", "Old"]


def test_cells_far_apart_cost_nothing() -> None:
    sheet = '<sheetData><row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>2</v></c></row></sheetData>'
    document = read(make.xlsx({"Far": sheet + '<mergeCells><mergeCell ref="A1:XFD1048576"/></mergeCells>'}))
    assert document.text == "## Far\n\n1\n\n2"
    assert document.place(document.text.index("2")) == "sheet “Far”, row 1048576"


def test_files_of_openpyxl_with_comments_and_charts() -> None:
    import openpyxl
    from openpyxl.chart import BarChart, Reference
    from openpyxl.comments import Comment

    book = openpyxl.Workbook()
    sheet = book.active
    for line in (["Year", "Ducks"], [2023, 10], [2024, 12]):
        sheet.append(line)
    sheet["B3"].comment = Comment("Checked", "Ann")
    chart = BarChart()
    chart.title = "Ducks by year"
    chart.add_data(Reference(sheet, min_col=2, min_row=1, max_row=3), titles_from_data=True)
    sheet.add_chart(chart, "D2")
    buffer = io.BytesIO()
    book.save(buffer)
    text = read(buffer.getvalue()).text
    assert "| Year | Ducks |\n| --- | --- |\n| 2023 | 10 |\n| 2024 | 12 |" in text
    assert "Comment on B3 by Ann: Checked" in text
    assert "Ducks by year" in text


def test_threaded_comments_replace_their_copies() -> None:
    parts = {
        "xl/worksheets/_rels/sheet1.xml.rels": make.relations(r1="threadedComment:../t.xml", r2="comments:../c.xml"),
        "xl/t.xml": '<a><c ref="A1" personId="p1"><text>Why?</text></c></a>',
        "xl/c.xml": f'<comments xmlns="{make.S}"><authors><author>Bob</author></authors><commentList><comment ref="A1" authorId="0">'
        '<text><t>[Threaded comment] copy</t></text></comment><comment ref="B2" authorId="0"><text><t>Bob: old</t></text></comment>'
        "</commentList></comments>",
        "xl/persons/person.xml": '<l><person id="p1" displayName="Ann"/></l>',
    }
    document = read(make.xlsx({"S": make.rows(["x", "y"], [1, 2])}, parts))
    assert document.text.endswith("Comment on A1 by Ann: Why?\n\nComment on B2 by Bob: old")


def write(*lines: dict[int, str], merges: tuple[sheets.Merge, ...] = ()) -> str:
    builder = sheets.DocumentBuilder(raw(b"x"), ParseOptions(), "test")
    sheets.write_cells(builder, {y: line for y, line in enumerate(lines) if line}, merges)
    return builder.build().text


def line(*texts: str, at: int = 0) -> dict[int, str]:
    return {at + i: text for i, text in enumerate(texts) if text}


def test_tables_side_by_side_and_below_each_other_are_told_apart() -> None:
    text = write(
        line("a", "b") | line("x", "y", at=3),
        line("1", "2") | line("8", "9", at=3),
        {},
        {},
        line("p", "q"),
        line("3", "4"),
        {},
        line("name", "city"),
        line("Ann", "Rome"),
    )
    heads = [part.split("\n")[0] for part in text.split("\n\n")]
    assert heads == ["| a | b |", "| x | y |", "| p | q |", "| name | city |"]


def test_a_blank_row_or_column_does_not_tear_a_table() -> None:
    text = write(line("Item", "", "Sum"), line("tea", "", "1"), {}, line("milk", "", "2"))
    assert text == "| Item | Sum |\n| --- | --- |\n| tea | 1 |\n|  |  |\n| milk | 2 |"


def test_titles_above_and_notes_below_a_table_are_text() -> None:
    note = "(a) Figures of the former year are restated for the new segments."
    text = write(
        line("Report"), line("Name", "Age", "City"), line("Ann", "31", "Rome"), line("Bob", "40", "Oslo"), line(note)
    )
    assert text.startswith("Report\n\n| Name | Age | City |") and text.endswith(f"| Bob | 40 | Oslo |\n\n{note}")


filled = st.dictionaries(
    st.integers(0, 12),
    st.dictionaries(st.integers(0, 6), st.sampled_from(["x", "word", "12", "3.5", "a|b"]), min_size=1),
    min_size=1,
)


@given(filled)
def test_every_cell_is_kept_and_its_row_is_told(cells: dict[int, dict[int, str]]) -> None:
    named = {y: {x: f"{text}@{y}.{x}" for x, text in line.items()} for y, line in cells.items()}
    builder = sheets.DocumentBuilder(raw(b"x"), ParseOptions(), "test")
    sheets.write_cells(builder, named)
    document = builder.build()
    for y, texts in named.items():
        for text in texts.values():
            found = document.text.replace("\\|", "|").count(f"{text} ") + document.text.replace("\\|", "|").count(
                f"{text}\n"
            )
            assert found or document.text.replace("\\|", "|").endswith(text)
            where = (
                document.text.index(text.replace("|", "\\|"))
                if text.replace("|", "\\|") in document.text
                else document.text.index(text)
            )
            assert document.row_at(where) == y + 1


@pytest.mark.parametrize(
    ("value", "code", "shown"),
    [
        (0.125, "0.0%", "12.5%"),
        (12553, "#,##0", "12,553"),
        (-5.5, "#,##0.0;(#,##0.0)", "(5.5)"),
        (1234.5, '"$"#,##0.00', "$1,234.50"),
        (1234.5, "[$€-407] #,##0.00", "€ 1,234.50"),
        (0, '_-* #,##0_-;-* #,##0_-;_-* "-"_-;_-@_-', "-"),
        (-3, "_-* #,##0_-;-* #,##0_-", "-3"),
        (5.0, "General", "5"),
        (0.1 + 0.2, "General", "0.3"),
        (1e300, "0.00", "1E+300"),
        (44927, "m/d/yyyy", "2023-01-01"),
        (44927.5, "dd.mm.yyyy hh:mm:ss", "2023-01-01 12:00:00"),
        (44927, "mmm-yy", "Jan-23"),
        (44927, "dddd, d mmmmm", "Sunday, 1 J"),
        (0.75, "h:mm AM/PM", "6:00 PM"),
        (0.5208449, "hh:mm:ss", "12:30:01"),
        (1.5, "[h]:mm:ss", "36:00:00"),
        (-1.5, "[mm]", "-2160"),
        (1234567, '0.0,,"M"', "1.2M"),
        (0.00012, "0.00E+00", "1.20E-04"),
        (2.5, "0", "3"),
        (7, "000", "007"),
        (3, "0.##", "3"),
        (5, '[>3]"big";"small"', "big"),
        (1, '[>3]"big";"small"', "small"),
        (5, '[<=3]0;[<>5]00;[=5]"five"', "five"),
        (2.5, "# ?/?", "2.5"),
        (-0.001, "0.0", "0.0"),
        (12, '0.00\\ "kg"', "12.00 kg"),
        (61, "d/m", "1/3"),
        (1, "d/m", "1/1"),
        (9e6, "d/m/yyyy", "9000000"),
        (5, "", "5"),
    ],
)
def test_numbers_are_shown_as_excel_shows_them(value: float, code: str, shown: str) -> None:
    assert number_format.show(value, code) == shown


@given(st.floats(allow_nan=False, allow_infinity=False), st.text(alphabet='0#?.,%E+-/dmyhs:;[]"\\_*@ Ga', max_size=12))
def test_no_format_can_break_a_value(value: float, code: str) -> None:
    assert isinstance(number_format.show(value, code), str)


def test_references() -> None:
    assert [xlsx.column_of(c) for c in ("A", "Z", "AA", "xfd")] == [0, 25, 26, 16383]
    assert xlsx.area("B2:$C$4") == (1, 1, 3, 2) and xlsx.area("C4:B2") is None and xlsx.area("A1") is None


CSV = [
    ("name;age\nAnn;31\n", ";", ["| name | age |", "| Ann | 31 |"]),
    ("a\tb\n1\t2\n", "\t", ["| 1 | 2 |"]),
    ('a,b\n"x, y","two\nlines"\n', ",", ["| x, y | two<br>lines |"]),
    ("only one column\nper row\n", "", ["| only one column |", "| per row |"]),
    ('a,b\nfive" pipe,2\n3,4\n', ",", ['| five" pipe | 2 |', "| 3 | 4 |"]),
    ("a|b|c\n1|2|3\n", "|", ["| 1 | 2 | 3 |"]),
]


@pytest.mark.parametrize(("text", "delimiter", "lines"), CSV)
def test_csv_delimiters(text: str, delimiter: str, lines: list[str]) -> None:
    document = delimited.parse(raw(text.encode(), "t.csv"), ParseOptions())
    assert document.metadata["delimiter"] == delimiter
    assert set(lines) <= set(document.text.split("\n"))


def test_csv_rows_of_any_length_keep_their_numbers() -> None:
    document = delimited.parse(
        raw("Report,,\n\nname,age,city\nAnn,31,Rome,extra\nBob\n".encode("utf-16"), "t.csv"), ParseOptions()
    )
    assert document.text == (
        "Report\n\n| name | age | city |  |\n| --- | --- | --- | --- |\n| Ann | 31 | Rome | extra |\n| Bob |  |  |  |"
    )
    assert document.place(document.text.index("Bob")) == "row 5"
    assert document.warnings
    with pytest.raises(ParserError):
        delimited.parse(raw(b",,\n,,\n", "t.csv"), ParseOptions())


ODS = (
    '<table:table table:name="Q1" table:style-name="hid"><table:table-row><table:table-cell table:number-columns-spanned="2">'
    "<text:p>Both</text:p></table:table-cell><table:covered-table-cell/><table:table-cell><text:p>c</text:p></table:table-cell></table:table-row>"
    '<table:table-row table:number-rows-repeated="2"><table:table-cell office:value="1.5"><text:p>1,50 €</text:p><office:annotation>'
    '<text:p>no</text:p></office:annotation></table:table-cell><table:table-cell table:number-columns-repeated="2"><text:p>x</text:p>'
    '</table:table-cell><table:table-cell table:number-columns-repeated="16000"/></table:table-row>'
    '<table:table-row table:number-rows-repeated="1048570"><table:table-cell/></table:table-row></table:table>'
)


def test_ods_shows_its_own_texts() -> None:
    styles = '<style:style style:name="hid"><style:table-properties table:display="false"/></style:style>'
    document = spreadsheet.parse_ods(raw(make.odf("spreadsheet", ODS, styles=styles), "t.ods"), ParseOptions())
    assert document.text == (
        "## Q1 (hidden)\n\n| Both | Both | c |\n| --- | --- | --- |\n| 1,50 € | x | x |\n| 1,50 € | x | x |"
        "\n\nComment on A2: no"
    )
    assert document.place(document.text.rindex("1,50")) == "sheet “Q1”, row 3"


def test_values_without_formats_and_calamine() -> None:
    from datetime import date, datetime, time, timedelta

    values = [True, 2.0, datetime.fromisoformat("2024-01-02"), date(2024, 1, 2), time(3, 4), timedelta(hours=1), "x"]
    shown = ["TRUE", "2", "2024-01-02", "2024-01-02", "03:04:00", "1:00:00", "x"]
    assert [spreadsheet._value(v) for v in values] == shown
    data = make.xlsx({"S": make.rows(["a", "b"], [1, 2], first=3)}, hidden="S")
    document = spreadsheet.parse_calamine(raw(data), ParseOptions())
    assert document.text == "## S (hidden)\n\n| a | b |\n| --- | --- |\n| 1 | 2 |"
    assert document.place(document.text.index("| 1")) == "sheet “S”, row 4"


@pytest.mark.parametrize(
    ("parse", "data", "code"),
    [
        (xlsx.parse, b"PK", ErrorCode.PARSER_MALFORMED),
        (xlsx.parse, make.packed({"xl/workbook.xml": ""}), ErrorCode.PARSER_MALFORMED),
        (xlsx.parse, make.xlsx({"S": "<sheetData/>"}), ErrorCode.PARSER_EMPTY),
        (spreadsheet.parse_xls, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 600, ErrorCode.PARSER_MALFORMED),
        (spreadsheet.parse_calamine, b"nothing", ErrorCode.PARSER_MALFORMED),
        (spreadsheet.parse_ods, b"PK", ErrorCode.PARSER_MALFORMED),
        (spreadsheet.parse_ods, make.odf("text", ""), ErrorCode.PARSER_MALFORMED),
        (spreadsheet.parse_ods, make.odf("spreadsheet", ""), ErrorCode.PARSER_EMPTY),
        (
            spreadsheet.parse_ods,
            make.packed({"content.xml": "<a/>", "META-INF/manifest.xml": "<m><encryption-data/></m>"}),
            ErrorCode.PARSER_ENCRYPTED,
        ),
        (spreadsheet.parse_ods, make.packed({"mimetype": "x"}), ErrorCode.PARSER_MALFORMED),
        (delimited.parse, b" \n", ErrorCode.PARSER_EMPTY),
    ],
)
def test_broken_files_are_typed_failures(parse: object, data: bytes, code: ErrorCode) -> None:
    with pytest.raises(ParserError) as error:
        parse(raw(data), ParseOptions())  # type: ignore[operator]
    assert error.value.code is code


def test_a_bad_sheet_costs_that_sheet_alone_and_too_many_cells_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    data = make.xlsx({"A": make.rows(["x", "y"]), "B": "<broken"})
    document = read(data)
    assert document.text.startswith("## A") and "'B'" in document.warnings[0]
    monkeypatch.setattr(tables, "MAX_CELLS", 3)
    with pytest.raises(ParserError) as error:
        read(make.xlsx({"A": make.rows(["x", "y"], ["z", "w"])}))
    assert error.value.code is ErrorCode.PARSER_EMPTY or error.value.code is ErrorCode.PARSER_TOO_LARGE


def test_hidden_rows_and_columns_are_named_and_chart_sheets_and_links_are_read() -> None:
    import openpyxl
    from openpyxl.chart import BarChart, Reference

    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Q2"
    for row in (["Name", "Salary", "Link"], ["Ada", 4200, "site"], ["Bob", 3100, "plain"]):
        sheet.append(row)
    sheet.row_dimensions[3].hidden = sheet.column_dimensions["B"].hidden = True
    sheet["C2"].hyperlink = "https://a.example/x"
    chart = BarChart()
    chart.title = "Pay by person"
    chart.add_data(Reference(sheet, min_col=2, min_row=1, max_row=3), titles_from_data=True)
    book.create_chartsheet("Chart").add_chart(chart)
    data = io.BytesIO()
    book.save(data)
    document = read(data.getvalue())
    assert "Hidden row: 3. Hidden column: B." in document.text
    assert "| Bob | 3100 | plain |" in document.text
    assert "| Ada | 4200 | [site](https://a.example/x) |" in document.markdown()
    assert document.place(document.text.index("Pay by person")).startswith("sheet “Chart”")
