"""Pictures by the words that stand with them, each with the way that found it."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from PIL import Image

from roma_core.app import Roma, build_roma
from roma_core.cli import main
from roma_core.errors import AgentFailure
from roma_core.llm.providers.fake import FakeLLM
from roma_core.pictures import PictureHit, list_pictures
from roma_core.settings import Settings
from roma_core.types import Block, Document
from tests.clip_pair import make_clip_pair

HARBOUR = (
    "# Harbour\n\nThe harbour was dredged in 1911.\n\n![A chart of the inner basin](chart.png)\n\n"
    "Freighters moor at the northern quay.\n"
)
FOX = "# Animals\n\nFoxes hunt voles.\n\n![a red fox in snow](fox.jpg)\n\nIt waits for hours.\n"
PLAIN = "# Walls\n\nWalls are built of brick and mortar.\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "documents").mkdir()
    for name, text in {"harbour": HARBOUR, "fox": FOX, "walls": PLAIN}.items():
        (tmp_path / "documents" / f"{name}.md").write_text(text, encoding="utf-8")
    return tmp_path / "documents"


@pytest.fixture
async def roma(tmp_path: Path, folder: Path) -> AsyncIterator[Roma]:
    settings = Settings(workspace=tmp_path / "w", embedder="fake", reranker="fake", planner="off")
    async with build_roma(settings, llm=FakeLLM()) as made:
        await made.ingest(folder)
        yield made


async def search(roma: Roma, text: str) -> tuple[PictureHit, ...]:
    found = await roma.search_pictures(text)
    assert not isinstance(found, AgentFailure), found
    return found


@pytest.mark.parametrize(
    ("asked", "name", "way"),
    [
        ("a red fox in snow", "fox.jpg", "alt"),
        ("where do freighters moor", "chart.png", "paragraph beside it"),
        ("inner basin", "chart.png", "alt"),
    ],
)
async def test_a_picture_is_found_by_its_words_and_the_way_is_said(roma: Roma, asked: str, name: str, way: str) -> None:
    first = (await search(roma, asked))[0]
    assert first.picture.name == name
    assert first.ways[0] == way
    document = await roma.document(first.picture.document_id)
    assert isinstance(document, Document)
    assert document.text[first.picture.start : first.picture.end].startswith("![")


async def test_only_pictures_are_found(roma: Roma) -> None:
    assert {hit.picture.name for hit in await search(roma, "brick and mortar walls")} <= {"fox.jpg", "chart.png"}
    assert all("brick" not in hit.picture.text for hit in await search(roma, "brick"))


def made(text: str, blocks: list[Block], **fields: str) -> Document:
    base = {"id": "d", "uri": "file:///d.pdf", "title": "D", "content_sha256": "", "parser": "pdf/1"}
    return Document.model_validate({**base, "text": text, "blocks": blocks, **fields})


def test_caption_description_and_text_inside_are_ways_of_their_own() -> None:
    parts = ["![Two curves](p1.png)", "Figure 3: Growth of yeast", "pH 7", "The yeast grew fast."]
    text = "\n\n".join(parts)
    spans = [(text.index(part), text.index(part) + len(part)) for part in parts]
    boxes = [(0, 0, 1, 0.5), None, (0.1, 0.1, 0.2, 0.2), (0, 0.6, 1, 0.8)]
    kinds = ("figure", "caption", "paragraph", "paragraph")
    blocks = [
        Block(start=start, end=end, kind=kind, page=1, box=box)
        for (start, end), kind, box in zip(spans, kinds, boxes, strict=True)
    ]
    (picture,) = list_pictures(made(text, blocks, parser="pdf/1+figures:0a1b2c3d"))
    assert picture.words["description"] == "Two curves"
    assert picture.words["caption"] == "Figure 3: Growth of yeast"
    assert picture.words["text in it"] == "pH 7"


def test_the_text_read_in_an_image_file_is_the_pictures_own() -> None:
    text = "Invoice 4711"
    document = made(text, [Block(start=0, end=len(text), kind="paragraph")], media_type="image/png")
    (picture,) = list_pictures(document)
    assert picture.words == {"text in it": text}


def test_a_file_name_is_no_description_and_code_holds_no_picture() -> None:
    text = "![IMG_0001.JPG](IMG_0001.JPG)\n\n![x](y.png)"
    blocks = [Block(start=0, end=29, kind="figure"), Block(start=31, end=len(text), kind="code")]
    (picture,) = list_pictures(made(text, blocks))
    assert picture.words == {}


def test_the_command_lists_pictures(tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--workspace", str(tmp_path / "cli")]
    assert main(["ingest", str(folder), *where]) == 0
    capsys.readouterr()
    assert main(["search", "--images", "a red fox in snow", "--json", *where]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found[0]["picture"]["name"] == "fox.jpg"
    assert found[0]["ways"][0] == "alt"


# What a model sees


def draw(colour: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), colour).save(buffer, "PNG")
    return buffer.getvalue()


def make_odt(path: Path, pictures: dict[str, bytes]) -> None:
    """Write an ODT file with a paragraph and the pictures."""
    frame = (
        '<text:p><draw:frame><svg:desc>A field</svg:desc><draw:image xlink:href="Pictures/{}"/></draw:frame></text:p>'
    )
    frames = "".join(frame.format(name) for name in pictures)
    names = " ".join(
        f'xmlns:{prefix}="urn:oasis:names:tc:opendocument:xmlns:{uri}:1.0"'
        for prefix, uri in {"office": "office", "text": "text", "draw": "drawing", "svg": "svg-compatible"}.items()
    )
    content = (
        f'<office:document-content {names} xmlns:xlink="http://www.w3.org/1999/xlink"><office:body><office:text>'
        f"<text:p>A report about the harbour.</text:p>{frames}</office:text></office:body></office:document-content>"
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.text")
        archive.writestr("content.xml", content)
        for name, data in pictures.items():
            archive.writestr(f"Pictures/{name}", data)


@pytest.fixture
def seeing(tmp_path: Path) -> Settings:
    pair = make_clip_pair(tmp_path / "models")
    return Settings(workspace=tmp_path / "w", embedder="fake", reranker="fake", planner="off", image_embedder=str(pair))


async def test_a_picture_without_words_is_found_by_its_pixels(seeing: Settings, folder: Path) -> None:
    (folder / "sunset.png").write_bytes(draw("red"))
    (folder / "sea.png").write_bytes(draw("blue"))
    async with build_roma(seeing, llm=FakeLLM()) as roma:
        report = await roma.ingest(folder)
        assert report.counts()["added"] == 5, report.items
        first = (await search(roma, "something blue"))[0]
        assert (first.picture.name, first.ways) == ("sea.png", ("pixels",))
        assert first.picture.place == "page 1"
        document = await roma.document(first.picture.document_id)
        assert isinstance(document, Document)
        assert document.text[first.picture.start : first.picture.end].startswith("![")
        assert "sea.png" in first._repr_html_()
        assert (await roma.ingest(folder)).counts()["unchanged"] == 5
        red = await roma.search_pictures("red", filters={"uri": [(folder / "sea.png").as_uri()]})
        assert isinstance(red, tuple)
        assert {hit.picture.name for hit in red} <= {"sea.png"}


async def test_pictures_inside_of_documents_are_seen_and_broken_ones_are_named(seeing: Settings, folder: Path) -> None:
    make_odt(folder / "report.odt", {"a.png": draw("green"), "b.png": b"\x89PNG\r\n\x1a\nbroken"})
    async with build_roma(seeing, llm=FakeLLM()) as roma:
        report = await roma.ingest(folder)
        assert report.counts()["failed"] == 0, report.items
        first = (await search(roma, "green"))[0]
        assert (first.picture.name, first.ways[-1]) == ("a.png", "pixels")
        document = await roma.document(first.picture.document_id)
        assert isinstance(document, Document)
        assert [(entry.text, entry.why) for entry in document.left_out] == [("b.png", "unreadable_picture")]


async def test_a_picture_of_a_document_that_is_gone_is_not_found(seeing: Settings, folder: Path) -> None:
    (folder / "sea.png").write_bytes(draw("blue"))
    async with build_roma(seeing, llm=FakeLLM()) as roma:
        await roma.ingest(folder)
        assert (await search(roma, "blue"))[0].picture.name == "sea.png"
        await roma.forget((folder / "sea.png").as_uri())
        assert all(hit.picture.name != "sea.png" for hit in await search(roma, "blue"))


async def test_a_model_that_is_switched_on_later_sees_what_is_stored(seeing: Settings, folder: Path) -> None:
    make_odt(folder / "report.odt", {"a.png": draw("green")})
    blind = seeing.replace(image_embedder="none")
    async with build_roma(blind, llm=FakeLLM()) as roma:
        await roma.ingest(folder)
        assert all("pixels" not in hit.ways for hit in await search(roma, "green"))
    async with build_roma(seeing, llm=FakeLLM()) as roma:
        await roma.ingest(folder)
        assert (await search(roma, "green"))[0].ways[-1] == "pixels"


async def test_words_and_pixels_together_come_first(seeing: Settings, folder: Path) -> None:
    (folder / "sunset.png").write_bytes(draw("red"))
    async with build_roma(seeing, llm=FakeLLM()) as roma:
        await roma.ingest(folder)
        names = [hit.picture.name for hit in await search(roma, "a red fox in snow")]
    assert set(names[:2]) == {"fox.jpg", "sunset.png"}
