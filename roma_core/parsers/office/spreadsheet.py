"""The older and the other spreadsheets: XLS (xlrd), XLSB (python-calamine), ODS (its own XML)."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any

from roma_core.errors import ErrorCode, ParserError
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.builder import DocumentBuilder, file_name
from roma_core.parsers.hyperlinks import link_text
from roma_core.parsers.office.number_format import general, show
from roma_core.parsers.office.ooxml import local
from roma_core.parsers.office.sheets import Sheet, SheetComment, check_count, write_sheet
from roma_core.parsers.opendocument.odf import OFFICE, TABLE, Odf, text_of
from roma_core.types import Document, RawDocument

MAX_COLUMNS = 16_384
MAX_REPEATED = 1_000
"""Filled rows or cells that one ODS element may stand for; more are the end of a sheet painted in one colour."""


def parse_xls(raw: RawDocument, options: ParseOptions) -> Document:
    """XLS. Raises ``MALFORMED``, ``ENCRYPTED``, ``EMPTY`` and ``TOO_LARGE``."""
    import xlrd
    from xlrd.compdoc import CompDocError
    from xlrd.formula import FormulaError

    data = raw.data
    try:
        book = xlrd.open_workbook(file_contents=data, formatting_info=True, logfile=io.StringIO())
    except xlrd.XLRDError as error:
        if "encrypt" in str(error).lower() or "password" in str(error).lower():
            raise ParserError(
                "The workbook is protected by a password; save it without one.", ErrorCode.PARSER_ENCRYPTED
            ) from error
        return parse_calamine(raw, options)
    except (
        CompDocError,
        FormulaError,
        struct.error,
        IndexError,
        AssertionError,
        ValueError,
        KeyError,
        NotImplementedError,
    ):
        return parse_calamine(raw, options)
    return _write(raw, options, "xls", (_xls_sheet(book, sheet) for sheet in book.sheets()))


def _write(raw: RawDocument, options: ParseOptions, name: str, sheets: Iterator[Sheet]) -> Document:
    builder = DocumentBuilder(raw, options, name, title=raw.title or file_name(raw.uri))
    count = 0
    names = []
    for sheet in sheets:
        names.append(sheet.name)
        count += sum(map(len, sheet.cells.values()))
        check_count(count)
        if sheet.cells or sheet.comments:
            write_sheet(builder, sheet)
    builder.metadata["sheets"] = names
    return builder.build()


def _xls_sheet(book: Any, source: Any) -> Sheet:
    sheet = Sheet(source.name, hidden=bool(source.visibility))
    sheet.merges = [(top, left, bottom - 1, right - 1) for top, bottom, left, right in source.merged_cells]
    sheet.hidden_rows = {y for y, info in source.rowinfo_map.items() if info.hidden}
    sheet.hidden_columns = {x for x, info in source.colinfo_map.items() if info.hidden}
    for y in range(source.nrows):
        for x in range(source.row_len(y)):
            link = source.hyperlink_map.get((y, x))
            text = _xls_text(book, source.cell(y, x))
            sheet.put(y, x, link_text(text, link.url_or_path) if isinstance(link and link.url_or_path, str) else text)
    return sheet


def _xls_text(book: Any, cell: Any) -> str:
    import xlrd

    if cell.ctype in {xlrd.XL_CELL_NUMBER, xlrd.XL_CELL_DATE}:
        styles, formats = book.xf_list, book.format_map
        index = cell.xf_index if cell.xf_index is not None and cell.xf_index < len(styles) else None
        known = formats.get(styles[index].format_key) if index is not None else None
        return show(cell.value, known.format_str if known else "General", book.datemode == 1)
    if cell.ctype == xlrd.XL_CELL_BOOLEAN:
        return "TRUE" if cell.value else "FALSE"
    if cell.ctype == xlrd.XL_CELL_ERROR:
        return str(xlrd.error_text_from_code.get(cell.value, "#ERROR"))
    return str(cell.value)


def parse_calamine(raw: RawDocument, options: ParseOptions) -> Document:
    """XLSB, and XLS that xlrd does not read: values without their formats. Raises as ``parse_xls``."""
    from python_calamine import CalamineError, CalamineWorkbook, PasswordError, SheetVisibleEnum

    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(raw.data))
        sheets = [
            _calamine_sheet(book, meta.name, meta.visible != SheetVisibleEnum.Visible) for meta in book.sheets_metadata
        ]
    except PasswordError as error:
        raise ParserError(
            "The workbook is protected by a password; save it without one.", ErrorCode.PARSER_ENCRYPTED
        ) from error
    except (CalamineError, OSError, ValueError) as error:
        raise ParserError("The workbook is damaged; save it again in Excel, as .xlsx.") from error
    return _write(raw, options, "spreadsheet", iter(sheets))


def _calamine_sheet(book: Any, name: str, hidden: bool) -> Sheet:
    source = book.get_sheet_by_name(name)
    sheet = Sheet(name, hidden=hidden)
    check_count(source.height * source.width // 100)
    for y, row in enumerate(source.iter_rows()):
        for x, value in enumerate(row):
            sheet.put(y, x, _value(value))
    if source.merged_cell_ranges:
        sheet.merges = [(a, b, c, d) for (a, b), (c, d) in source.merged_cell_ranges]
    return sheet


def _value(value: object) -> str:
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float):
        return general(value)
    if isinstance(value, datetime):
        return value.isoformat(" ").removesuffix(" 00:00:00")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return str(value)
    return str(value)


def parse_ods(raw: RawDocument, options: ParseOptions) -> Document:
    """ODS: its cells hold the text that is shown. Raises ``MALFORMED``, ``ENCRYPTED``, ``EMPTY`` and ``TOO_LARGE``."""
    package = Odf(raw.data)
    tables = package.body("spreadsheet").iterchildren(f"{TABLE}table")
    document = _write(raw, options, "ods", (_ods_sheet(table, package) for table in tables))
    return document.model_copy(update={"metadata": {**package.metadata(), **document.metadata}})


def _ods_sheet(table: Any, package: Odf) -> Sheet:
    style = table.get(f"{TABLE}style-name") or ""
    sheet = Sheet(table.get(f"{TABLE}name") or "Sheet", hidden=style in package.hidden_tables())
    x = 0
    for column in table.iter(f"{TABLE}table-column"):
        times = _repeat(column, "number-columns-repeated")
        if column.get(f"{TABLE}visibility") in {"collapse", "filter"}:
            sheet.hidden_columns.update(range(x, min(x + times, MAX_COLUMNS)))
        x += times
    y = 0
    for row in table.iter(f"{TABLE}table-row"):
        times = _repeat(row, "number-rows-repeated")
        filled = list(_ods_cells(row))
        for dy in range(min(times, MAX_REPEATED) if filled else 0):
            for x, text, height, width in filled:
                sheet.put(y + dy, x, text)
                if height > 1 or width > 1:
                    sheet.merges.append((y + dy, x, y + dy + height - 1, x + width - 1))
            if row.get(f"{TABLE}visibility") in {"collapse", "filter"}:
                sheet.hidden_rows.add(y + dy)
        sheet.comments += _ods_comments(row, y)
        y += times
    return sheet


def _ods_comments(row: Any, y: int) -> Iterator[SheetComment]:
    for comment in row.iter(f"{OFFICE}annotation"):
        cell = comment.getparent()
        x = sum(_repeat(before, "number-columns-repeated") for before in cell.itersiblings(preceding=True))
        facts = {local(child): child.text for child in comment}
        yield SheetComment(y, x, facts.get("creator"), text_of(comment), facts.get("date"))


def _ods_cells(row: Any) -> Iterator[tuple[int, str, int, int]]:
    """Column, text, rows and columns spanned of each filled cell."""
    x = 0
    for cell in row.iterchildren(f"{TABLE}table-cell", f"{TABLE}covered-table-cell"):
        times = _repeat(cell, "number-columns-repeated")
        text = text_of(cell) or cell.get(f"{OFFICE}value") or ""
        if text and not cell.tag.endswith("covered-table-cell"):
            height, width = _repeat(cell, "number-rows-spanned"), _repeat(cell, "number-columns-spanned")
            for dx in range(min(times, MAX_REPEATED)):
                yield x + dx, text, height, width
        x += times


def _repeat(element: Any, name: str) -> int:
    text = element.get(f"{TABLE}{name}") or "1"
    return min(int(text), 1 << 24) if text.isdecimal() and int(text) > 0 else 1
