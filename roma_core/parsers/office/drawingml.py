"""DrawingML, the part that DOCX and PPTX share: charts, diagrams, pictures and their descriptions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from roma_core.parsers import tables
from roma_core.parsers.builder import DocumentBuilder, ListItem
from roma_core.parsers.office.number_format import show
from roma_core.parsers.office.ooxml import Package, R, local, walk

A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
C = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
DGM = "{http://schemas.openxmlformats.org/drawingml/2006/diagram}"


def description(element: Any) -> str:
    """Return the description that the author (or Office) gave a drawing: its alternative text, else its title."""
    for node in element.iter():
        if local(node) in {"docPr", "cNvPr"}:
            return str(node.get("descr") or node.get("title") or "")
    return ""


def pictures(element: Any, package: Package, part: str) -> Iterator[str]:
    """Names of the image files that a drawing shows; "" for one that is missing."""
    relations = package.relations(part)
    for node in element.iter():
        name = local(node)
        if name in {"blip", "imagedata"}:
            relation = relations.get(node.get(f"{R}embed") or node.get(f"{R}link") or node.get(f"{R}id") or "")
            yield relation.target if relation else ""


def write_drawing(builder: DocumentBuilder, element: Any, package: Package, part: str) -> None:
    """Append what a drawing carries: a chart's data, a diagram's texts, pictures with their description."""
    relations = package.relations(part)
    for node in walk(element, "chart", "relIds"):
        relation = relations.get(node.get(f"{R}id") or node.get(f"{R}dm") or "")
        root = package.part(relation.target) if relation and not relation.external else None
        if root is None:
            continue
        if local(node) == "chart":
            write_chart(builder, root)
        else:
            builder.list([ListItem(text) for text in diagram_texts(root)])
    alt = description(element)
    for name in pictures(element, package, part):
        builder.figure(alt, name)


def write_chart(builder: DocumentBuilder, root: Any) -> None:
    """A chart as its title and the table of its data."""
    title = chart_title(root)
    if title:
        builder.paragraph(title, "caption")
    builder.table(chart_rows(root))


def chart_title(root: Any) -> str:
    """Return the title of a chart on one line; empty when it has none."""
    title = root.find(f".//{C}chart/{C}title")
    return " ".join("".join(t.text or "" for t in title.iter(f"{A}t")).split()) if title is not None else ""


def chart_rows(root: Any) -> tables.Grid:
    """Categories down, series across; points that have no category are numbered."""
    series = list(root.iter(f"{C}ser"))
    if not series:
        return []
    names = [_label(one.find(f"{C}tx")) or f"Series {i}" for i, one in enumerate(series, start=1)]
    categories: dict[int, str] = {}
    columns: list[dict[int, str]] = []
    for one in series:
        for tag in ("cat", "xVal"):
            categories = {**_points(one.find(f"{C}{tag}")), **categories}
        columns.append(_points(one.find(f"{C}val")) or _points(one.find(f"{C}yVal")))
    indexes = sorted({*categories, *(i for column in columns for i in column)})
    body = [[categories.get(i, str(i + 1)), *(column.get(i, "") for column in columns)] for i in indexes]
    return [["", *names], *body] if body else []


def _label(element: Any) -> str:
    return " ".join(_points(element).values()) if element is not None else ""


def _points(element: Any) -> dict[int, str]:
    """Cached values by index; the levels of a category with several are joined, outermost first."""
    values: dict[int, str] = {}
    if element is None:
        return values
    for literal in element.iterchildren(f"{C}v"):
        values[0] = literal.text or ""
    usual = element.findtext(f".//{C}formatCode") or ""
    for level in [*element.iter(f"{C}lvl")] or [element]:
        for point in level.iter(f"{C}pt"):
            index = point.get("idx") or ""
            value = _write_number((point.findtext(f"{C}v") or "").strip(), point.get("formatCode") or usual)
            if index.isdecimal() and value:
                inner = values.get(int(index))
                values[int(index)] = f"{value} / {inner}" if inner else value
    return values


def _write_number(value: str, code: str) -> str:
    """A number in its format, so that shares and dates are read as the chart shows them."""
    if not code or code.lower() == "general":
        return value
    try:
        return show(float(value), code)
    except (ValueError, OverflowError):
        return value


def diagram_texts(root: Any) -> list[str]:
    """Texts of a SmartArt diagram's points."""
    found = ("".join(t.text or "" for t in point.iter(f"{A}t")) for point in root.iter(f"{DGM}pt"))
    return [text for text in found if text.strip()]
