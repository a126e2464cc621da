"""One document of each format with five statements that are to be found in it, each on another page or section."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from html import escape
from pathlib import Path

SUBJECTS = ("sluice", "beacon", "granary", "ferry", "quarry")
FILLER = (
    "Records of the parish are kept in the tower and may be seen on market days. "
    "Nobody remembers who began them, and the first leaves are lost. "
    "What is told here was copied by three hands in different years. "
)


def statement(kind: str, number: int) -> str:
    """Return a statement that stands in one document alone."""
    return f"The {SUBJECTS[number]} of {kind.title()}ford was finished in {1840 + 7 * number} by {20 + number} masons."


def paragraphs(kind: str) -> list[tuple[str, list[str]]]:
    """Return sections with a heading and paragraphs; the statement stands in the middle of its section."""
    return [
        (f"{SUBJECTS[n].title()} of {kind}", [FILLER * 2, f"{FILLER}{statement(kind, n)} {FILLER}", FILLER * 2])
        for n in range(len(SUBJECTS))
    ]


def make_pdf(kind: str) -> bytes:
    from reportlab.lib.styles import getSampleStyleSheet
    from reportlab.platypus import PageBreak, Paragraph, SimpleDocTemplate

    styles = getSampleStyleSheet()
    story = []
    for heading, texts in paragraphs(kind):
        story += [Paragraph(heading, styles["Heading1"]), *(Paragraph(text, styles["BodyText"]) for text in texts)]
        story.append(PageBreak())
    file = io.BytesIO()
    SimpleDocTemplate(file, title=f"Chronicle in {kind}").build(story)
    return file.getvalue()


def make_docx(kind: str) -> bytes:
    import docx

    word = docx.Document()
    for heading, texts in paragraphs(kind):
        word.add_heading(heading, 1)
        for text in texts:
            word.add_paragraph(text)
    file = io.BytesIO()
    word.save(file)
    return file.getvalue()


def make_pptx(kind: str) -> bytes:
    import pptx

    deck = pptx.Presentation()
    for heading, texts in paragraphs(kind):
        slide = deck.slides.add_slide(deck.slide_layouts[1])
        slide.shapes.title.text = heading
        slide.placeholders[1].text = "\n".join(texts)
    file = io.BytesIO()
    deck.save(file)
    return file.getvalue()


def make_xlsx(kind: str) -> bytes:
    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["Building", "Told", "Folio"])
    for number in range(len(SUBJECTS)):
        for row in range(8):
            sheet.append([f"{SUBJECTS[number]} {row}", FILLER.split(". ")[row % 3], number * 10 + row])
        sheet.append([SUBJECTS[number], statement(kind, number), number * 10 + 9])
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def make_html(kind: str) -> bytes:
    return f"<html><head><title>Chronicle in {kind}</title></head><body>{_body(kind)}</body></html>".encode()


def _body(kind: str) -> str:
    sections = [
        f"<h2>{escape(heading)}</h2>" + "".join(f"<p>{escape(text)}</p>" for text in texts)
        for heading, texts in paragraphs(kind)
    ]
    return "".join(sections)


def make_epub(kind: str) -> bytes:
    names = [f"c{number}.xhtml" for number in range(len(SUBJECTS))]
    items = "".join(f'<item id="{name}" href="{name}" media-type="application/xhtml+xml"/>' for name in names)
    spine = "".join(f'<itemref idref="{name}"/>' for name in names)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as book:
        book.writestr("mimetype", "application/epub+zip")
        book.writestr(
            "META-INF/container.xml",
            '<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
            '<rootfile full-path="book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>',
        )
        book.writestr(
            "book.opf",
            '<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id"><metadata '
            f'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>Chronicle in {kind}</dc:title>'
            '<dc:identifier id="id">x</dc:identifier><dc:language>en</dc:language></metadata>'
            f"<manifest>{items}</manifest><spine>{spine}</spine></package>",
        )
        for name, (heading, texts) in zip(names, paragraphs(kind), strict=True):
            body = f"<h1>{escape(heading)}</h1>" + "".join(f"<p>{escape(text)}</p>" for text in texts)
            page = f'<html xmlns="http://www.w3.org/1999/xhtml"><head><title>{heading}</title></head><body>{body}</body></html>'
            book.writestr(name, page)
    return file.getvalue()


MAKERS: dict[str, Callable[[str], bytes]] = {
    "pdf": make_pdf,
    "docx": make_docx,
    "pptx": make_pptx,
    "xlsx": make_xlsx,
    "epub": make_epub,
    "html": make_html,
}


def write_documents(folder: Path) -> list[Path]:
    """Write a document of each format."""
    folder.mkdir(parents=True, exist_ok=True)
    paths: list[Path] = []
    for kind, make in MAKERS.items():
        path = folder / f"chronicle.{kind}"
        path.write_bytes(make(kind))
        paths.append(path)
    return paths
