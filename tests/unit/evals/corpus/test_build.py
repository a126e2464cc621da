"""The frozen corpus: the same bytes everywhere, in formats that ROMA's own parsers and other readers open."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from pathlib import Path

import pytest

from roma_core.errors import EvalError
from roma_core.evals.corpus.build import (
    FILES,
    WEB,
    build_corpus,
    corpus_digest,
    corpus_sources,
    find_datasets,
    read_corpus,
)
from roma_core.evals.corpus.manuscript import read_manuscript
from roma_core.evals.corpus.office import write_docx, write_pptx, write_xlsx
from roma_core.evals.corpus.opendocument import write_odt
from roma_core.evals.corpus.packing import number_of, pack
from roma_core.evals.corpus.pdf import write_pdf
from roma_core.evals.corpus.texts import write_epub, write_ipynb, write_rtf

TEXT = """---
title: "Tides: a note"
author: Ada Reyne
date: 2024-03-12
---
# Tides

The sea rises twice a day.

| Place | Metres |
| --- | --- |
| Quay | 4.2 |
| Slip | 3.50 |

- first point
- second point

![A buoy on its side](buoy.png)

# After

Größe & Tiefe.
"""
MANUSCRIPT = read_manuscript(TEXT)


def no_picture(name: str) -> bytes:
    return (find_datasets() / "corpus" / "pictures" / "parking.png").read_bytes()


@pytest.fixture(scope="module")
def built() -> dict[str, bytes]:
    return read_corpus(find_datasets())


def test_the_corpus_is_the_one_that_was_pinned(built: dict[str, bytes]) -> None:
    assert corpus_digest(built) == (find_datasets() / "corpus.sha256").read_text().split()[0]


def test_the_corpus_has_300_documents_in_every_format(built: dict[str, bytes]) -> None:
    web = built[WEB].count(b"WARC-Type: response")
    packed = sum(
        len(zipfile.ZipFile(io.BytesIO(data)).namelist()) for name, data in built.items() if name.endswith("zip")
    )
    names = [Path(name) for name in built if name.startswith(FILES)]
    assert len(names) + web + packed >= 300
    formats = {path.suffix for path in names}
    wanted = "md txt html pdf docx pptx xlsx csv tsv epub eml ipynb rtf odt ods json jsonl yaml toml tex org rst"
    assert {f".{name}" for name in f"{wanted} adoc srt vtt mbox zip png jpg xml wiki ics py".split()} <= formats
    assert sum(map(len, built.values())) < 15 * 1024 * 1024


def test_a_second_build_touches_nothing(tmp_path: Path) -> None:
    paths = build_corpus(tmp_path)
    inodes = [path.stat().st_ctime_ns for path in paths if path.suffix == ".docx"]
    before = {path: path.read_bytes() for path in paths}
    assert build_corpus(tmp_path) == paths
    assert {path: path.read_bytes() for path in paths} == before and inodes


@pytest.mark.parametrize("left", ["__pycache__/dues.cpython-311.pyc", ".DS_Store", "Thumbs.db"])
def test_what_pip_and_file_managers_leave_in_the_folder_is_no_document(
    tmp_path: Path, built: dict[str, bytes], left: str
) -> None:
    shutil.copytree(find_datasets(), tmp_path / "datasets")
    (tool,) = (tmp_path / "datasets" / "corpus").rglob("dues.py")
    other = tool.parent / left
    other.parent.mkdir(exist_ok=True)
    other.write_bytes(b"compiled")
    assert read_corpus(tmp_path / "datasets") == built


def test_a_changed_text_is_refused(tmp_path: Path) -> None:
    source = find_datasets()
    copy = tmp_path / "datasets"
    shutil.copytree(source / "corpus", copy / "corpus")
    shutil.copy(source / "corpus.sha256", copy)
    changed = copy / "corpus" / "drive" / "keys.csv"
    changed.write_text(changed.read_text().replace("K1", "K9"))
    with pytest.raises(EvalError, match="differ from those that were pinned"):
        build_corpus(tmp_path / "out", copy)


def test_named_documents_are_found_below_files_and_in_the_archive(tmp_path: Path) -> None:
    build_corpus(tmp_path)
    sources = corpus_sources(tmp_path, ["keys.csv", "www.skerrin.example/index.html", "nothing.md"])
    assert [source.rpartition("/")[2] for source in sources] == ["keys.csv", WEB]
    assert corpus_sources(tmp_path, ["nothing.md"]) == []
    assert corpus_sources(tmp_path)[0] == str(tmp_path / FILES)


def test_a_manuscript_has_facts_blocks_and_parts() -> None:
    assert (MANUSCRIPT.title, MANUSCRIPT.author, MANUSCRIPT.date) == ("Tides: a note", "Ada Reyne", "2024-03-12")
    assert [block.kind for block in MANUSCRIPT.blocks] == [
        "heading",
        "text",
        "table",
        "list",
        "figure",
        "heading",
        "text",
    ]
    assert [heading for heading, _ in MANUSCRIPT.parts()] == ["Tides", "After"]


def test_a_number_that_would_lose_its_zeros_stays_text() -> None:
    assert number_of("4.2") == 4.2 and number_of("12") == 12
    assert number_of("3.50") is None and number_of("1 280") is None and number_of("Quay") is None


def test_an_archive_depends_on_its_parts_alone() -> None:
    assert pack({"a": "1", "b": b"2"}) == pack({"a": "1", "b": b"2"})
    (info,) = zipfile.ZipFile(io.BytesIO(pack({"a": "1"}))).infolist()
    assert info.date_time == (1980, 1, 1, 0, 0, 0) and info.compress_type == zipfile.ZIP_STORED


def test_other_readers_open_the_word_file() -> None:
    docx = pytest.importorskip("docx")
    document = docx.Document(io.BytesIO(write_docx(MANUSCRIPT, no_picture)))
    assert document.core_properties.author == "Ada Reyne" and document.core_properties.title == "Tides: a note"
    assert [p.text for p in document.paragraphs if p.style.name.lower() == "heading 1"] == ["Tides", "After"]
    assert document.tables[0].cell(1, 1).text == "4.2" and len(document.inline_shapes) == 1


def test_other_readers_open_the_workbook() -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.load_workbook(io.BytesIO(write_xlsx(MANUSCRIPT)))
    assert book.sheetnames == ["Tides", "After"]
    assert [[cell.value for cell in row] for row in book["Tides"].iter_rows()][1:] == [["Quay", 4.2], ["Slip", "3.50"]]


def test_other_readers_open_the_pdf() -> None:
    pdfplumber = pytest.importorskip("pdfplumber")
    with pdfplumber.open(io.BytesIO(write_pdf(MANUSCRIPT, no_picture))) as file:
        text = "\n".join(page.extract_text() for page in file.pages)
        assert file.metadata["Author"] == "Ada Reyne" and file.pages[0].images
    assert "The sea rises twice a day." in text and "Größe & Tiefe." in text


def test_a_scan_holds_no_letter_of_text() -> None:
    scan = read_manuscript("---\ntitle: Scan\nscan: x.png\n---\n# Scan\n")
    pdfplumber = pytest.importorskip("pdfplumber")
    with pdfplumber.open(io.BytesIO(write_pdf(scan, no_picture))) as file:
        assert file.pages[0].extract_text() == "" and file.pages[0].images


def test_slides_books_and_notebooks_hold_the_words() -> None:
    pptx = zipfile.ZipFile(io.BytesIO(write_pptx(MANUSCRIPT, no_picture)))
    assert b'descr="A buoy on its side"' in pptx.read("ppt/slides/slide1.xml")
    epub = zipfile.ZipFile(io.BytesIO(write_epub(MANUSCRIPT)))
    assert "Größe &amp; Tiefe." in epub.read("OEBPS/chapter2.xhtml").decode()
    odt = zipfile.ZipFile(io.BytesIO(write_odt(MANUSCRIPT, no_picture)))
    assert odt.namelist()[0] == "mimetype" and b"second point" in odt.read("content.xml")
    notebook = json.loads(write_ipynb(MANUSCRIPT))
    assert notebook["nbformat"] == 4 and notebook["cells"][0]["source"] == "# Tides"
    assert rb"Gr\u246?\u223?e" in write_rtf(MANUSCRIPT)
