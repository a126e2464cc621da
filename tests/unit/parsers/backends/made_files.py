"""One small document in every format that backends read: a heading, a sentence, a list, a table, on known pages."""

from __future__ import annotations

import io
import zipfile

HEADING = "Tides of Quellfeld"
SENTENCE = "The tide turns twice a day and the ferry waits for it."
ROWS = [["Month", "Metres"], ["May", "3.4"], ["June", "2.9"]]


def make_docx() -> bytes:
    import docx

    document = docx.Document()
    document.add_heading(HEADING, 1)
    document.add_paragraph(SENTENCE)
    document.add_paragraph("Bring a lamp", style="List Bullet")
    document.add_paragraph("Bring a rope", style="List Bullet")
    table = document.add_table(len(ROWS), 2)
    for row, texts in zip(table.rows, ROWS, strict=True):
        for cell, text in zip(row.cells, texts, strict=True):
            cell.text = text
    document.sections[0].header.paragraphs[0].text = "Harbour office"
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def make_pptx() -> bytes:
    from pptx import Presentation
    from pptx.util import Inches

    presentation = Presentation()
    first = presentation.slides.add_slide(presentation.slide_layouts[5])
    first.shapes.title.text = HEADING
    lower = first.shapes.add_textbox(Inches(1), Inches(5), Inches(5), Inches(1))
    lower.text_frame.text = "Below the sentence"
    upper = first.shapes.add_textbox(Inches(1), Inches(2), Inches(5), Inches(1))
    upper.text_frame.text = SENTENCE
    first.notes_slide.notes_text_frame.text = "Speak slowly"
    second = presentation.slides.add_slide(presentation.slide_layouts[6])
    table = second.shapes.add_table(len(ROWS), 2, Inches(1), Inches(1), Inches(5), Inches(2)).table
    for y, row in enumerate(ROWS):
        for x, text in enumerate(row):
            table.cell(y, x).text = text
    buffer = io.BytesIO()
    presentation.save(buffer)
    return buffer.getvalue()


def make_xlsx() -> bytes:
    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = HEADING
    for row in ROWS:
        sheet.append(row)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def make_csv() -> bytes:
    return "\n".join(",".join(row) for row in ROWS).encode()


def make_pdf() -> bytes:
    from reportlab.lib.pagesizes import A4
    from reportlab.pdfgen import canvas

    buffer = io.BytesIO()
    page = canvas.Canvas(buffer, pagesize=A4)
    page.setFont("Helvetica", 20)
    page.drawString(72, 760, HEADING)
    page.setFont("Helvetica", 10)
    page.drawString(72, 700, SENTENCE)
    page.showPage()
    page.setFont("Helvetica", 10)
    for y, row in enumerate(ROWS):
        for x, text in enumerate(row):
            page.rect(72 + 120 * x, 700 - 24 * y, 120, 24)
            page.drawString(78 + 120 * x, 708 - 24 * y, text)
    page.drawString(72, 500, "After the table.")
    page.showPage()
    page.save()
    return buffer.getvalue()


def make_html() -> bytes:
    cells = "".join("<tr>" + "".join(f"<td>{text}</td>" for text in row) + "</tr>" for row in ROWS)
    return (
        f"<!doctype html><html><head><title>{HEADING}</title></head><body><h1>{HEADING}</h1><p>{SENTENCE}</p>"
        f"<ul><li>Bring a lamp</li><li>Bring a rope</li></ul><table>{cells}</table></body></html>"
    ).encode()


def make_epub() -> bytes:
    container = (
        '<?xml version="1.0"?><container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">'
        '<rootfiles><rootfile full-path="book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
    )
    package = (
        '<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id">'
        '<metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:identifier id="id">tides</dc:identifier>'
        f"<dc:title>{HEADING}</dc:title><dc:language>en</dc:language></metadata><manifest>"
        '<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>'
        '<item id="one" href="one.xhtml" media-type="application/xhtml+xml"/></manifest>'
        '<spine><itemref idref="one"/></spine></package>'
    )
    navigation = (
        '<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"><body>'
        '<nav epub:type="toc"><ol><li><a href="one.xhtml">One</a></li></ol></nav></body></html>'
    )
    chapter = make_html().decode().replace("<!doctype html><html>", '<html xmlns="http://www.w3.org/1999/xhtml">')
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("mimetype", "application/epub+zip")
        archive.writestr("META-INF/container.xml", container)
        archive.writestr("book.opf", package)
        archive.writestr("nav.xhtml", navigation)
        archive.writestr("one.xhtml", chapter)
    return buffer.getvalue()


def make_eml() -> bytes:
    return (
        f"From: a@example.org\r\nTo: b@example.org\r\nSubject: {HEADING}\r\nMIME-Version: 1.0\r\n"
        f"Content-Type: text/plain; charset=utf-8\r\n\r\n{SENTENCE}\r\n"
    ).encode()


def make_markdown() -> bytes:
    table = "\n".join("| " + " | ".join(row) + " |" for row in [ROWS[0], ["---", "---"], *ROWS[1:]])
    return f"# {HEADING}\n\n{SENTENCE}\n\n- Bring a lamp\n- Bring a rope\n\n{table}\n".encode()


MAKERS = {
    "docx": make_docx,
    "pptx": make_pptx,
    "xlsx": make_xlsx,
    "csv": make_csv,
    "pdf": make_pdf,
    "html": make_html,
    "epub": make_epub,
    "eml": make_eml,
    "md": make_markdown,
}
