"""XLSX: every sheet with its values as shown, merged cells, comments, charts; hidden sheets marked.

Read from the XML: python-calamine knows no number formats and aborts the process on a sheet whose cells lie far apart,
openpyxl hangs on some files and reads strict ones empty.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import isfinite
from pathlib import PurePosixPath
from typing import Any

from roma_core.errors import ParserError
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.builder import DocumentBuilder, file_name
from roma_core.parsers.hyperlinks import link_text
from roma_core.parsers.office.drawingml import A, write_drawing
from roma_core.parsers.office.number_format import BUILTIN, show
from roma_core.parsers.office.ooxml import Package, R, Relation, local, walk
from roma_core.parsers.office.sheets import Merge, Sheet, check_count, write_sheet
from roma_core.types import Document, RawDocument

S = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_REFERENCE = re.compile(r"\$?([A-Za-z]{1,3})\$?(\d{1,7})")
_HYPERLINK = re.compile(r'\s*HYPERLINK\(\s*"([^"]+)"')
MAX_COLUMNS = 16_384
MAX_LINKED = 10_000
"""Rows of a range that one hyperlink covers."""
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")


def parse(raw: RawDocument, options: ParseOptions) -> Document:
    """Raises ``MALFORMED``, ``EMPTY`` and ``TOO_LARGE``."""
    package = Package(raw.data)
    metadata = dict(package.properties())
    builder = DocumentBuilder(raw, options, "xlsx", title=metadata.get("title"), metadata=metadata)
    builder.title = builder.title or raw.title or file_name(raw.uri)
    main = package.main("xl/workbook.xml")
    workbook = Workbook.read(package, main)
    builder.metadata["sheets"] = [name for name, _, _ in workbook.sheets]
    count = 0
    for name, part, hidden in workbook.sheets:
        try:
            sheet = read_sheet(package, part, workbook, name, hidden)
        except ParserError as error:
            builder.warn(f"Sheet {name!r} cannot be read: {error.message}")
            continue
        count += sum(map(len, sheet.cells.values()))
        check_count(count)
        _write(builder, package, part, sheet)
    embedded = package.embedded()
    if embedded:
        builder.metadata["parts"] = len(embedded)
    for embedded_name in embedded:
        builder.leave_out(PurePosixPath(embedded_name).name, "attachment", place="embedded file")
    return builder.build()


def _write(builder: DocumentBuilder, package: Package, part: str, sheet: Sheet) -> None:
    comments = list(_comments(package, part))
    if sheet.cells or comments or package.related(part, "drawing"):
        write_sheet(builder, sheet)
    for place, author, text, date in comments:
        builder.comment(author, text, place=place, date=date)
    for name in package.related(part, "drawing"):
        root = package.part(name)
        for anchor in root if root is not None else ():
            for body in walk(anchor, "txBody"):
                builder.paragraph("\n".join(_text(p) for p in body.iterchildren(f"{A}p")))
            write_drawing(builder, anchor, package, name)


@dataclass
class Workbook:
    """Parts that the sheets of a workbook share."""

    sheets: list[tuple[str, str, bool]] = field(default_factory=list)
    """Name, part and whether it is hidden."""
    strings: list[str] = field(default_factory=list)
    formats: list[str] = field(default_factory=list)
    """Number format of each cell style."""
    epoch_1904: bool = False

    @classmethod
    def read(cls, package: Package, main: str) -> Workbook:
        root = package.part(main)
        if root is None:
            raise ParserError("The workbook's main part is empty; save it again in Excel.")
        relations = package.relations(main)
        properties = root.find(f"{S}workbookPr")
        made = cls(epoch_1904=properties is not None and properties.get("date1904") in {"1", "true"})
        for entry in root.iter(f"{S}sheet"):
            relation = relations.get(entry.get(f"{R}id") or "")
            if relation is not None and relation.kind in {"worksheet", "chartsheet"}:
                hidden = (entry.get("state") or "visible") != "visible"
                made.sheets.append((entry.get("name") or "Sheet", relation.target, hidden))
        made.strings = [_text(entry) for entry in _entries(package, main, "sharedStrings", "si")]
        made.formats = _formats(package, main)
        return made

    def shown(self, number: float, style: str | None) -> str:
        index = int(style) if style and style.isdecimal() else -1
        code = self.formats[index] if 0 <= index < len(self.formats) else "General"
        return show(number, code, self.epoch_1904)


def _entries(package: Package, main: str, kind: str, tag: str) -> Iterator[Any]:
    for name in package.related(main, kind)[:1]:
        yield from package.stream(name, f"{S}{tag}")


def _formats(package: Package, main: str) -> list[str]:
    root = package.part(next(iter(package.related(main, "styles")), None))
    if root is None:
        return []
    own = {entry.get("numFmtId"): entry.get("formatCode") or "General" for entry in root.iter(f"{S}numFmt")}
    styles = root.find(f"{S}cellXfs")
    codes = (entry.get("numFmtId") or "0" for entry in (styles if styles is not None else ()))
    return [own.get(code) or BUILTIN.get(int(code) if code.isdecimal() else 0, "General") for code in codes]


def _text(element: Any) -> str:
    """Text of a string with runs; what is read aloud beside it (phonetic guides) is left out."""
    return "".join(t.text or "" for t in walk(element, "t", "rPh") if local(t) == "t")


def read_sheet(package: Package, part: str, workbook: Workbook, name: str, hidden: bool) -> Sheet:
    """Cells and merged ranges of a sheet. Rows and cells without a reference follow the ones before them."""
    sheet = Sheet(name, hidden=hidden)
    row = -1
    count = 0
    for element in package.stream(part, f"{S}row", f"{S}mergeCell", f"{S}col", f"{S}hyperlink"):
        kind = local(element)
        if kind == "mergeCell":
            merge = area(element.get("ref") or "")
            sheet.merges += [merge] if merge else []
        elif kind == "col":
            _note_columns(sheet, element)
        elif kind == "hyperlink":
            _link(sheet, element, package.relations(part))
        if kind != "row":
            continue
        number = element.get("r") or ""
        row = int(number) - 1 if number.isdecimal() and 0 < int(number) <= 1_048_576 else row + 1
        if element.get("hidden") in {"1", "true"}:
            sheet.hidden_rows.add(row)
        column = -1
        for cell in element.iterchildren(f"{S}c"):
            place = _REFERENCE.fullmatch(cell.get("r") or "")
            column = column_of(place[1]) if place else column + 1
            sheet.put(row, column, _with_own_link(cell_text(cell, workbook), cell.findtext(f"{S}f")))
            count += 1
        check_count(count)
    return sheet


def _note_columns(sheet: Sheet, element: Any) -> None:
    first, last = element.get("min") or "", element.get("max") or ""
    if element.get("hidden") in {"1", "true"} and first.isdecimal() and last.isdecimal():
        sheet.hidden_columns.update(range(int(first) - 1, min(int(last), MAX_COLUMNS)))


def _link(sheet: Sheet, element: Any, relations: Mapping[str, Relation]) -> None:
    """Link the cells of a range to the address that their hyperlink leads to."""
    relation = relations.get(element.get(f"{R}id") or "")
    reference = element.get("ref") or ""
    place = area(reference if ":" in reference else f"{reference}:{reference}")
    if relation is None or not relation.external or place is None:
        return
    top, left, bottom, right = place
    for row in range(top, min(bottom, top + MAX_LINKED) + 1):
        line = sheet.cells.get(row, {})
        for column in [column for column in line if left <= column <= right]:
            line[column] = link_text(line[column], relation.target)


def _with_own_link(text: str, formula: str | None) -> str:
    """Return a cell's text, linked where its formula is ``HYPERLINK("address", ...)``."""
    found = _HYPERLINK.match(formula) if formula and "HYPERLINK" in formula else None
    return link_text(text, found[1]) if found else text


def cell_text(cell: Any, workbook: Workbook) -> str:
    """A cell as shown; a formula that was never computed shows itself."""
    kind = cell.get("t") or "n"
    value: str | None = cell.findtext(f"{S}v")
    if kind == "inlineStr":
        inline = cell.find(f"{S}is")
        return _text(inline) if inline is not None else ""
    if value is None or value == "":
        formula = cell.findtext(f"{S}f")
        return f"={formula}" if formula else ""
    if kind == "s":
        index = int(value) if value.strip().isdecimal() else -1
        return workbook.strings[index] if 0 <= index < len(workbook.strings) else ""
    if kind == "b":
        return "TRUE" if value.strip() in {"1", "true"} else "FALSE"
    if kind == "d":
        return value.replace("T00:00:00", "").replace("T", " ")
    return _number(value, cell.get("s"), workbook) if kind == "n" else value


def _number(value: str, style: str | None, workbook: Workbook) -> str:
    if not _NUMBER.fullmatch(value.strip()):
        return value
    number = float(value)
    return workbook.shown(number, style) if isfinite(number) else value


def column_of(letters: str) -> int:
    """A -> 0, B -> 1, ... XFD -> 16383."""
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1


def area(reference: str) -> Merge | None:
    """``A1:B2`` as first row, first column, last row, last column; None for anything else."""
    ends = [_REFERENCE.fullmatch(end) for end in reference.split(":")]
    if len(ends) != 2 or ends[0] is None or ends[1] is None:
        return None
    (left, top), (right, bottom) = ((column_of(end[1]), int(end[2]) - 1) for end in ends if end)
    return (top, left, bottom, right) if top <= bottom and left <= right else None


def _comments(package: Package, part: str) -> Iterator[tuple[str, str, str, str | None]]:
    """Place, author, text and date of the comments; of a threaded one its copy in the old form is left out."""
    threaded: set[str] = set()
    people = _people(package)
    for name in package.related(part, "threadedComment"):
        root = package.part(name)
        for comment in root if root is not None else ():
            place = comment.get("ref") or ""
            threaded.add(place)
            texts = [child.text or "" for child in comment if local(child) == "text"]
            yield place, people.get(comment.get("personId") or "", ""), " ".join(texts).strip(), comment.get("dT")
    for name in package.related(part, "comments"):
        root = package.part(name)
        authors = [a.text or "" for a in root.iter(f"{S}author")] if root is not None else []
        for comment in root.iter(f"{S}comment") if root is not None else ():
            place, index = comment.get("ref") or "", comment.get("authorId") or ""
            if place not in threaded:
                author = authors[int(index)] if index.isdecimal() and int(index) < len(authors) else ""
                text = " ".join(_text(comment).split())
                yield place, author, text.removeprefix(f"{author}:").strip() if author else text, None


def _people(package: Package) -> dict[str, str]:
    root = package.part("xl/persons/person.xml")
    found = root if root is not None else ()
    return {person.get("id") or "": person.get("displayName") or "" for person in found if local(person)}
