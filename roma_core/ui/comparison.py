"""Files as several backends read them: a table of what each one has, and pages with the boxes of all side by side."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from roma_core.display import Html
from roma_core.errors import AgentFailure
from roma_core.parsers.backends import BackendReport
from roma_core.parsers.base import ParseOptions
from roma_core.types import Document
from roma_core.ui.pages import COLOURS, SHEET_STYLE, Area, number_blocks, render_sheet

if TYPE_CHECKING:
    from roma_core.app import Roma
    from roma_core.parsers.backends.comparison import FileComparison, ReadingDifference

MOST_PICTURES = 12
"""Files of a report whose first page is drawn: those that differ most."""
STYLE = (
    SHEET_STYLE
    + """
.roma-comparison { font: 14px/1.45 system-ui, sans-serif; }
.roma-comparison table { border-collapse: collapse; margin: .5rem 0; }
.roma-comparison td, .roma-comparison th { border: 1px solid #8886; padding: .1em .5em; text-align: left; }
.roma-comparison .sides { display: flex; gap: 1rem; flex-wrap: wrap; }
.roma-comparison .sides > * { flex: 1 1 18rem; min-width: 0; max-width: 34rem; }
.roma-comparison b.number { background: var(--kind); color: #fff; border-radius: 3px; padding: 0 .35em;
  font: 600 10px/1.4 system-ui, sans-serif; }
"""
)


async def compare_page(roma: Roma, path: str | Path, backends: Sequence[str], page: int = 1) -> Html:
    """Return one page of a file once for each backend, with numbered boxes in its reading order.

    Example::

        await compare_page(roma, "report.pdf", ["own", "pdfplumber"], page=2)
    """
    place = Path(path)
    png = await roma.page_image(place, page)
    sides = [await _side(roma, place, backend, page, png if isinstance(png, bytes) else None) for backend in backends]
    return Html(f'<style>{STYLE}</style><div class="roma-comparison"><div class="sides">{"".join(sides)}</div></div>')


async def draw_comparison(roma: Roma, path: str | Path, report: BackendReport) -> Html:
    """Return a report as a page: totals, each file's differences, and pictures of those that differ most."""
    paths = {file.uri: _place_of(Path(path), file.uri) for file in report.files}
    pictured = {file.uri for file in sorted(report.files, key=_count_differences, reverse=True)[:MOST_PICTURES]}
    parts = [_table(report.totals())]
    for file in report.files:
        parts.append(f"<h2>{escape(file.uri)}</h2>")
        parts += [f"<p>{escape(one.backend)}: {escape(one.failure)}</p>" for one in file.readings if one.failure]
        parts += [_table(_difference_rows(difference)) for difference in file.differences if not difference.is_same]
        if file.uri in pictured and _count_differences(file):
            names = [one.backend for one in file.readings if not one.failure]
            parts.append(await compare_page(roma, paths[file.uri], names))
    return Html(f'<style>{STYLE}</style><div class="roma-comparison">{"".join(parts)}</div>')


def _place_of(root: Path, uri: str) -> Path:
    return root if root.is_file() else root / uri


async def _side(roma: Roma, place: Path, backend: str, page: int, png: bytes | None) -> str:
    head = f"<h3>{escape(backend)}</h3>"
    document = await roma.parse(place, ParseOptions(backend=backend, pages=(page,)))
    if isinstance(document, AgentFailure):
        return f"<div>{head}<p>{escape(document.message)}</p></div>"
    areas = _areas(document, page)
    if png is not None and areas:
        return f"<div>{head}{render_sheet(png, areas, f'Page {page} as {backend} reads it')}</div>"
    return f"<div>{head}<pre>{escape(document.text[:2000])}</pre></div>"


def _areas(document: Document, page: int) -> list[Area]:
    areas: list[Area] = []
    for mark in number_blocks(document):
        if mark.block.box is not None and mark.block.page == page:
            title = f"{mark.number} · {mark.block.kind}"
            areas.append(Area(mark.block.box, COLOURS[mark.block.kind], title, mark.number))
    return areas


def _count_differences(file: FileComparison) -> int:
    return sum(
        parts.total
        for difference in file.differences
        for side in (difference.only_first, difference.only_other)
        for parts in side.values()
    )


def _difference_rows(difference: ReadingDifference) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for measure, parts in difference.only_first.items():
        other = difference.only_other[measure]
        rows.append(
            {
                "measure": measure,
                f"only {difference.first}": parts.total,
                f"such as ({difference.first})": ", ".join(parts.examples),
                f"only {difference.other}": other.total,
                f"such as ({difference.other})": ", ".join(other.examples),
            }
        )
    return rows


def _table(rows: Sequence[dict[str, object]]) -> str:
    if not rows:
        return ""
    head = "".join(f"<th>{escape(name)}</th>" for name in rows[0])
    body = "".join("<tr>" + "".join(map(_cell, row.values())) + "</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def _cell(value: object) -> str:
    return f"<td>{'–' if value is None else escape(str(value)[:400])}</td>"
