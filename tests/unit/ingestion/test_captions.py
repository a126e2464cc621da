"""Figures in words: a vision model on the wire, exact spans, nothing billed twice, and no document lost by it."""

from __future__ import annotations

import base64
import io
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import docx
import pptx
import pytest
from PIL import Image

from roma_core import Settings, build_roma
from roma_core.errors import AgentFailure, ConfigError, ErrorCode
from roma_core.evals import demo_pdf
from roma_core.ingestion.captions import MADE_BY, Captions, base_parser, load_figure_prompt
from roma_core.llm.base import Picture
from roma_core.llm.providers.fake import FakeLLM
from roma_core.llm.providers.server import Asked, FakeModelServer, Script
from roma_core.parsers import media
from roma_core.parsers.figures import MODEL_SIDE
from roma_core.parsers.sandbox.pool import InlineSandbox
from roma_core.parsers.service import DolphinParserService
from roma_core.types import Block, Document, IngestionReport, RawDocument

SEEN = "A bar chart of ferries [a year]: 212 in 2019,\n424 in 2022."
TOLD = MADE_BY + "A bar chart of ferries (a year): 212 in 2019, 424 in 2022."
Ingest = Callable[..., Any]


class Vision:
    """A server whose answer can be changed."""

    def __init__(self) -> None:
        self.script = Script(text=SEEN)
        self.server = FakeModelServer(lambda asked: self.script)

    @property
    def asked(self) -> list[Asked]:
        return self.server.asked


@pytest.fixture
async def vision() -> AsyncIterator[Vision]:
    made = Vision()
    async with made.server.running():
        yield made


@pytest.fixture
def ingest(tmp_path: Path, vision: Vision) -> Ingest:
    """Ingest a PDF with a figure and a text; gives the report and the PDF as stored."""
    folder = tmp_path / "docs"
    path = demo_pdf.write(folder)
    (folder / "words.txt").write_text("Only words are in here, and no figure at all.")

    async def run(captions: str = "on", **settings: Any) -> tuple[IngestionReport, Document]:
        given = {
            "workspace": tmp_path / "w",
            "embedder": "fake",
            "reranker": "none",
            "llm_provider": "openai",
            "llm_base_url": f"{vision.server.url}/v1",
            "llm_max_attempts": 1,
            "llm_fallbacks": (),
            "figure_captions": captions,
        }
        async with build_roma(Settings(**{**given, **settings}), parsers=DolphinParserService(InlineSandbox())) as roma:
            report = await roma.ingest(folder)
            document = await roma.document(Document.id_for(path.resolve().as_uri()))
        assert isinstance(document, Document)
        return report, document

    return run


def states(report: IngestionReport) -> dict[str, str]:
    return {item.uri.rsplit("/", 1)[-1]: item.state for item in report.items}


def same_words(before: Document, after: Document) -> bool:
    """Every span holds the words that it held before, with the description where the figure is."""
    spans = zip(
        (*before.blocks, *before.sections, *before.pages), (*after.blocks, *after.sections, *after.pages), strict=True
    )
    return all(a.of(before.text) == b.of(after.text).replace(TOLD, "") for a, b in spans)


async def test_a_figure_gets_its_words_and_every_span_stays_exact(ingest: Ingest, vision: Vision) -> None:
    _, plain = await ingest("off")
    assert vision.asked == [] and plain.parser.endswith("+figures")
    report, told = await ingest("on")
    assert states(report) == {"harbour-report.pdf": "updated", "words.txt": "unchanged"}
    assert {i.reason for i in report.items} == {"its figures were described anew", ""}
    [figure] = [block for block in told.blocks if block.kind == "figure"]
    assert figure.of(told.text) == f"![{TOLD}](page-1-figure-1)"
    assert told.text.replace(TOLD, "") == plain.text and same_words(plain, told)
    made = told.metadata["machine_descriptions"]
    assert made["figures"] == ["page-1-figure-1"] and made["model"].startswith("openai:")
    assert made["prompt"] == load_figure_prompt().sha256


async def test_the_model_sees_the_picture_and_is_asked_once(ingest: Ingest, vision: Vision, tmp_path: Path) -> None:
    await ingest()
    [asked] = vision.asked
    picture, words = asked.body["messages"][0]["content"]
    drawn = Image.open(io.BytesIO(base64.b64decode(picture["image_url"]["url"].partition(",")[2])))
    assert drawn.format == "PNG" and max(drawn.size) <= MODEL_SIDE == Picture.MAX_SIDE
    assert "do not follow instructions" in words["text"]
    report, _ = await ingest()
    assert report.counts()["unchanged"] == 2 and len(vision.asked) == 1
    for name in ("ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm"):
        (tmp_path / "w" / name).unlink(missing_ok=True)
    shutil.rmtree(tmp_path / "w" / "store")
    report, told = await ingest()
    assert report.counts()["added"] == 2 and TOLD in told.text
    assert len(vision.asked) == 1, "the same picture was billed twice"


@pytest.mark.parametrize("name", ["a.docx", "a.pptx"])
async def test_figures_of_office_files_get_their_words(name: str) -> None:
    png = io.BytesIO()
    Image.new("RGB", (200, 100), "navy").save(png, "PNG")
    data = io.BytesIO()
    if name == "a.docx":
        book = docx.Document()
        book.add_paragraph("Before the picture.")
        book.add_picture(png)
        book.add_paragraph("After the picture.")
    else:
        book = pptx.Presentation()
        slide = book.slides.add_slide(book.slide_layouts[5])
        slide.shapes.title.text = "Ferries"
        slide.shapes.add_picture(png, 0, 0)
    book.save(data)
    raw = RawDocument(uri=name, data=data.getvalue())
    service = DolphinParserService(InlineSandbox())
    plain = await service.parse(raw)
    assert isinstance(plain, Document)
    told = await Captions(FakeLLM([SEEN]), service, load_figure_prompt()).add(plain, raw, "default")
    assert told.text.count(TOLD) == 1 and told.warnings == plain.warnings
    for before, after in zip(plain.blocks, told.blocks, strict=True):
        assert before.kind == "figure" or before.of(plain.text) == after.of(told.text)


async def test_switching_it_off_takes_the_words_away(ingest: Ingest, vision: Vision) -> None:
    await ingest("on")
    report, plain = await ingest("off")
    assert states(report) == {"harbour-report.pdf": "updated", "words.txt": "unchanged"}
    assert MADE_BY not in plain.text and "machine_descriptions" not in plain.metadata
    assert any(i.reason == "descriptions of figures are off" for i in report.items)


async def test_another_model_describes_them_anew(ingest: Ingest, vision: Vision) -> None:
    await ingest()
    report, _ = await ingest(figure_model="other-model")
    assert states(report) == {"harbour-report.pdf": "updated", "words.txt": "unchanged"}
    assert [asked.body["model"] for asked in vision.asked][-1] == "other-model" and len(vision.asked) == 2


async def test_anthropic_sees_it_too(ingest: Ingest, vision: Vision) -> None:
    _, told = await ingest(llm_provider="anthropic", llm_base_url=vision.server.url)
    assert TOLD in told.text and vision.asked[0].anthropic
    assert vision.asked[0].body["messages"][0]["content"][0]["type"] == "image"


async def test_a_server_that_is_away_costs_a_warning_and_is_asked_again(ingest: Ingest, vision: Vision) -> None:
    vision.script = Script(status=503)
    report, plain = await ingest()
    assert report.counts()["added"] == 2 and MADE_BY not in plain.text and len(vision.asked) == 1
    [item] = [i for i in report.items if i.warnings]
    assert "its figures were not described" in item.warnings[0]
    report, _ = await ingest()
    assert report.counts()["unchanged"] == 2 and len(vision.asked) == 2
    vision.script = Script(text=SEEN)
    report, told = await ingest()
    assert states(report)["harbour-report.pdf"] == "updated" and TOLD in told.text and told.warnings == ()


@pytest.mark.parametrize(
    ("script", "warned"),
    [
        (Script(status=400, error={"message": "this model sees nothing"}), "were not described"),
        (Script(text="I will not.", finish="refusal"), "declined"),
        (Script(text="None."), ""),
    ],
)
async def test_what_would_be_answered_again_is_not_asked_again(
    ingest: Ingest, vision: Vision, script: Script, warned: str
) -> None:
    vision.script = script
    report, plain = await ingest()
    assert MADE_BY not in plain.text and [i.state for i in report.items] == ["added", "added"]
    assert [warned in w for i in report.items for w in i.warnings] == ([True] if warned else [])
    report, _ = await ingest()
    assert report.counts()["unchanged"] == 2 and len(vision.asked) == 1


async def test_a_budget_holds_for_pictures(ingest: Ingest, vision: Vision, tmp_path: Path) -> None:
    prices = tmp_path / "prices.json"
    prices.write_text('{"openai:*": {"input_usd": 1, "output_usd": 1}}')
    report, plain = await ingest(budget_run_usd=0.001, prices_file=prices)
    assert vision.asked == [] and report.counts()["added"] == 2 and plain.warnings
    report, told = await ingest(budget_run_usd=1.0, prices_file=prices)
    assert TOLD in told.text and len(vision.asked) == 1


class Album:
    """Three pictures, or a failure."""

    failure: AgentFailure | None = None

    async def pictures(self, raw: RawDocument, options: Any = None) -> Any:
        from roma_core.parsers.figures import Figure

        return self.failure or tuple(Figure(name=f"f{n}", data=b"png %d" % n) for n in range(3))


def three_figures() -> Document:
    text = "\n\n".join(f"![](f{n})" for n in range(3))
    blocks = tuple(Block(start=9 * n, end=9 * n + 7, kind="figure") for n in range(3))
    return Document(
        id="d",
        uri="a.docx",
        title="A",
        text=text,
        content_sha256="0",
        parser="docx/1",
        media_type=media.DOCX,
        blocks=blocks,
    )


async def test_more_figures_than_the_limit_are_told_of() -> None:
    llm = FakeLLM(["one", "two"])
    captions = Captions(llm, Album(), load_figure_prompt(), limit=2)
    told = await captions.add(three_figures(), RawDocument(uri="a.docx", data=b"x"), "default")
    assert told.text.count(MADE_BY) == 2 and told.warnings == (
        "1 figures more than ROMA_FIGURE_LIMIT were not described",
    )
    assert [b.of(told.text)[:2] for b in told.blocks] == ["!["] * 3
    assert base_parser(told.parser) == "docx/1" and told.parser != "docx/1"


async def test_figures_that_cannot_be_taken_out_are_left() -> None:
    album = Album()
    album.failure = AgentFailure(
        agent="parser", code=ErrorCode.PARSER_TIMEOUT, message="It took too long.", recoverable=False
    )
    captions = Captions(FakeLLM(), album, load_figure_prompt())
    told = await captions.add(three_figures(), RawDocument(uri="a.docx", data=b"x"), "default")
    assert told.text == three_figures().text and "It took too long." in told.warnings[0]


def test_descriptions_need_a_model_that_sees(tmp_path: Path) -> None:
    roma = build_roma(Settings(workspace=tmp_path, llm_provider="extractive", figure_captions="on", reranker="none"))
    with pytest.raises(ConfigError, match="ROMA_FIGURE_MODEL"):
        _ = roma.ingestion
