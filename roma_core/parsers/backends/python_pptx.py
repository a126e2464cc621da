"""PPTX by python-pptx: the shapes of each slide from top to bottom, its tables, charts and notes."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from typing import Any

from roma_core.parsers.backends.base import BackendBlock
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.tables import Grid
from roma_core.types import Box, RawDocument


def read(raw: RawDocument, options: ParseOptions) -> Iterator[BackendBlock]:
    """Yield the blocks of each slide, a slide being a page."""
    from pptx import Presentation

    presentation = Presentation(io.BytesIO(raw.data))
    width, height = presentation.slide_width or 1, presentation.slide_height or 1
    for number, slide in enumerate(presentation.slides, start=1):
        title = slide.shapes.title
        for shape in _in_order(slide.shapes):
            is_title = title is not None and shape.shape_id == title.shape_id
            yield from _shape(shape, number, _box(shape, width, height), is_title=is_title)
        if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
            yield BackendBlock("notes", slide.notes_slide.notes_text_frame.text, page=number)


def _in_order(shapes: Iterable[Any]) -> list[Any]:
    """Return the shapes from top to bottom, those of a group in its place; placeholders without a place come first."""
    ordered = sorted(shapes, key=lambda shape: (shape.top or 0, shape.left or 0))
    flat: list[Any] = []
    for shape in ordered:
        flat += _in_order(shape.shapes) if hasattr(shape, "shapes") else [shape]
    return flat


def _shape(shape: Any, page: int, box: Box | None, *, is_title: bool) -> Iterator[BackendBlock]:
    if shape.has_text_frame and shape.text_frame.text.strip():
        text = shape.text_frame.text.replace("\v", "\n")
        if is_title:
            yield BackendBlock("heading", text, page=page, box=box, section="slide")
        else:
            yield BackendBlock("paragraph", text, page=page, box=box)
    elif getattr(shape, "has_table", False):
        rows = [[cell.text for cell in row.cells] for row in shape.table.rows]
        yield BackendBlock("table", page=page, box=box, rows=rows)
    elif getattr(shape, "has_chart", False):
        yield _chart(shape, page, box)


def _chart(shape: Any, page: int, box: Box | None) -> BackendBlock:
    """Return the chart's data, or its name as left out where the library does not know its kind."""
    try:
        rows = _chart_rows(shape.chart)
    except ValueError:
        return BackendBlock("figure", shape.name, page=page, left_out="unknown_object")
    return BackendBlock("table", page=page, box=box, rows=rows)


def _chart_rows(chart: Any) -> Grid:
    plot = chart.plots[0]
    series = list(plot.series)
    rows: Grid = [["", *(one.name for one in series)]]
    for at, category in enumerate(plot.categories):
        values = [one.values[at] if at < len(one.values) else None for one in series]
        rows.append([str(category), *("" if value is None else f"{value:g}" for value in values)])
    return rows


def _box(shape: Any, width: int, height: int) -> Box | None:
    if None in (shape.left, shape.top, shape.width, shape.height):
        return None
    left, top = shape.left / width, shape.top / height
    right, bottom = left + shape.width / width, top + shape.height / height
    x0, y0, x1, y1 = (min(1.0, max(0.0, value)) for value in (left, top, right, bottom))
    return x0, y0, x1, y1
