"""The parse explorer over real files: a page with boxes, pages by a slider, formats without pages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from roma_core import Settings, build_roma
from roma_core.app import Roma
from roma_core.errors import ErrorCode, ParserError
from roma_core.evals import demo_pdf
from roma_core.parsers.sandbox.pool import InlineSandbox
from roma_core.parsers.service import DolphinParserService
from roma_core.ui.explorer import explore


@pytest.fixture
async def roma(tmp_path: Path) -> AsyncIterator[Roma]:
    async with build_roma(Settings(workspace=tmp_path), parsers=DolphinParserService(InlineSandbox())) as made:
        yield made


@pytest.fixture
def report(tmp_path: Path) -> Path:
    return demo_pdf.write(tmp_path)


def test_the_report_is_the_same_at_every_run(report: Path, tmp_path: Path) -> None:
    before = report.stat().st_mtime_ns
    assert demo_pdf.write(tmp_path).stat().st_mtime_ns == before and report.read_bytes() == demo_pdf.report()
    report.write_bytes(b"damaged")
    assert demo_pdf.write(tmp_path).read_bytes() == demo_pdf.report()


async def test_a_page_with_its_boxes(roma: Roma, report: Path) -> None:
    view = await explore(roma, report)
    kinds = {block.kind for block in view.document.blocks}
    assert {"heading", "paragraph", "list", "table", "figure", "caption"} <= kinds
    html = view._repr_html_()
    assert "data:image/png;base64,iVBOR" in html and html.count('class="area"') == html.count('class="block"') == 11
    table = view.to_frame()
    assert len(table) == len(view.document.blocks)
    assert all(view.document.text[r.start : r.end].startswith(r.words) for r in table.itertuples())


async def test_the_slider_turns_the_pages(roma: Roma, report: Path) -> None:
    view = await explore(roma, report, page=2)
    slider, shown = view.widget().children
    assert slider.options == (1, 2) and slider.value == 2 and "Weather and upkeep" in shown.value
    slider.value = 1
    slider.value = 2
    slider.value = 1
    await asyncio.gather(*view._drawing)
    assert "What we found" in shown.value and "Weather and upkeep" not in shown.value


async def test_formats_without_pages_show_their_blocks(roma: Roma, tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text("# Title\n\nWords <b>here</b>.\n")
    view = await explore(roma, path, rendered=True)
    assert "<h1>Title</h1>" in view._repr_html_() and "<img" not in view._repr_html_()
    assert list(view.widget().children[0].options) == [1]


async def test_what_cannot_be_shown_is_said(roma: Roma, report: Path, tmp_path: Path) -> None:
    with pytest.raises(ParserError, match="no page 3: the file has pages 1 to 2"):
        await explore(roma, report, page=3)
    (tmp_path / "empty.txt").write_text("")
    with pytest.raises(ParserError) as caught:
        await explore(roma, tmp_path / "empty.txt")
    assert caught.value.code is ErrorCode.PARSER_EMPTY
