"""Outlook messages and binary workbooks, made by the project's own writer of compound files."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from roma_core.parsers import media
from roma_core.parsers.sandbox.pool import InlineSandbox
from roma_core.parsers.service import DolphinParserService
from roma_core.types import Document, RawDocument
from tests.fixtures import make_ole as make
from tests.fixtures.make_xlsb import xlsb

SENT = datetime(2026, 3, 4, 9, 30, tzinfo=UTC)
HEAD: dict[int, str | bytes | int | datetime] = {
    0x001A: "IPM.Note",
    0x0037: "Heron count — lake Ü",
    0x0C1A: "Ada Reed",
    0x0C1F: "ada@a.example",
    0x0039: SENT,
}
TO: list[make.Properties] = [{0x3001: "Ben Marsh", 0x39FE: "ben@a.example", 0x3003: "ben@a.example", 0x0C15: 1}]


def read(name: str, data: bytes) -> Document:
    document = asyncio.run(DolphinParserService(InlineSandbox()).parse(RawDocument(uri=f"file:///{name}", data=data)))
    assert isinstance(document, Document), document
    return document


def test_a_message_says_who_wrote_what_when_and_what_was_attached() -> None:
    body = "Dear Ben,\r\n\r\nforty-seven pairs this year.\r\n\r\n> how many?\r\n"
    files: list[make.Properties] = [
        {0x3707: "counts 2026.csv", 0x370E: "text/csv", 0x3705: 1, 0x3701: b"lake,pairs\n" * 500, 0x0E20: 5500},
        {0x3704: "map.png", 0x3705: 1, 0x3701: b"\x89PNG", 0x0E20: 4},
    ]
    document = read("mail.msg", make.msg({**HEAD, 0x1000: body}, TO, files))
    assert document.media_type == media.MSG and document.title == "Heron count — lake Ü"
    assert document.text.startswith(
        '# Heron count — lake Ü\n\nFrom: "Ada Reed" <ada@a.example>\nTo: Ben Marsh <ben@a.example>'
    )
    assert "Date: 2026-03-04 09:30:00" in document.text
    assert "\n\nforty-seven pairs this year.\n\n> how many?\n\n" in document.text
    assert "- counts 2026.csv (text/csv, 5500 bytes)" in document.text
    assert document.metadata["attachments"][0].startswith("counts 2026.csv")
    assert document.sections[0].kind == "message" and document.place(40).startswith("message “Heron count")


def test_a_message_in_html_keeps_its_table_and_its_links() -> None:
    page = (
        "<html><body><p>See <a href='https://a.example/map'>the map</a>.</p><table><tr><th>Lake</th><th>Pairs</th></tr>"
    )
    page += "<tr><td>Ü</td><td>47</td></tr></table></body></html>"
    document = read("mail.msg", make.msg({**HEAD, 0x3FDE: 65001, 0x1013: page.encode()}, TO))
    assert "| Lake | Pairs |\n| --- | --- |\n| Ü | 47 |" in document.text
    assert "[the map](https://a.example/map)" in document.markdown() and "https" not in document.text


def test_xls_shows_dates_shares_and_amounts_as_excel_does() -> None:
    cells: list[tuple[int, int, str | float, int]] = [
        (0, 0, "Sales by quarter", 0),
        (2, 0, "Quarter", 0), (2, 1, "Ends", 0), (2, 2, "Share", 0), (2, 3, "Amount", 0),
        (3, 0, "Q1", 0), (3, 1, 46112.0, 1), (3, 2, 0.125, 2), (3, 3, 12500.5, 3),
        (4, 0, "Ü|b", 0), (4, 1, 46203.0, 1), (4, 2, 0.5, 2), (4, 3, -3.0, 3),
    ]  # fmt: skip
    formats = ["yyyy-mm-dd", "0.0%", "#,##0.00"]
    data = make.xls({"Q2": cells, "Notes": [(0, 0, "draft", 0)]}, formats, hidden=["Notes"], merges=[(0, 0, 0, 3)])
    document = read("sales.xls", data)
    assert document.media_type == media.XLS
    assert "Sales by quarter" in document.text
    assert "| Quarter | Ends | Share | Amount |\n| --- | --- | --- | --- |\n" in document.text
    assert "| Q1 | 2026-03-31 | 12.5% | 12,500.50 |" in document.text
    assert "| Ü\\|b | 2026-06-30 | 50.0% | -3.00 |" in document.text
    assert next(s.title for s in document.sections if s.kind == "sheet") == "Q2"
    assert "hidden" in document.text and "draft" in document.text
    assert document.place(document.text.index("12,500.50")) == "sheet “Q2”, row 4"


def test_xlsb_gives_its_values_and_marks_hidden_sheets() -> None:
    rows: list[list[str | float | bool]] = [["Lake", "Pairs", "Open"], ["Ü|b", 47.0, True], ["Alder", 12.25, False]]
    document = read("counts.xlsb", xlsb({"Counts": rows, "Old": [["before"]]}, hidden=["Old"]))
    assert document.media_type == media.XLSB
    assert (
        "| Lake | Pairs | Open |\n| --- | --- | --- |\n| Ü\\|b | 47 | TRUE |\n| Alder | 12.25 | FALSE |"
        in document.text
    )
    assert document.place(document.text.index("12.25")) == "sheet “Counts”, row 3"
    assert "hidden" in document.text and "before" in document.text


@pytest.mark.parametrize("size", [0, 63, 4095, 4096, 70_000])
def test_streams_of_any_size_survive_the_writer(size: int) -> None:
    import io

    import olefile

    data = bytes(n % 251 for n in range(size))
    with olefile.OleFileIO(io.BytesIO(make.compound({"a": {"inner stream": data}, "b": b"x" * 100}))) as ole:
        assert ole.openstream("a/inner stream").read() == data
        assert ole.openstream("b").read() == b"x" * 100
        assert not ole.parsing_issues
