"""Files of Word and PowerPoint from before 2007: text, tables, notes, what is hidden, and the newest version."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from pathlib import Path

import pytest

from roma_core.errors import AgentFailure, ErrorCode
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.sandbox.pool import InlineSandbox
from roma_core.parsers.service import DolphinParserService
from roma_core.types import Document, RawDocument
from tests.fixtures import make_doc as make
from tests.fixtures import make_office


def read(name: str, data: bytes, **options: object) -> Document | AgentFailure:
    service = DolphinParserService(InlineSandbox())
    return asyncio.run(service.parse(RawDocument(uri=name, data=data), ParseOptions.model_validate(options)))


def document(name: str, data: bytes, **options: object) -> Document:
    made = read(name, data, **options)
    assert isinstance(made, Document), made
    return made


def test_word_paragraphs_headings_lists_and_tables_are_read() -> None:
    made = document(
        "a.doc",
        make.doc(
            [
                make.Paragraph("Report 2003", style=1),
                make.Paragraph("Größe 1.234,50 € и 漢字"),
                make.Paragraph("first 11", properties=make.LIST),
                make.Paragraph("second 12", properties=make.LIST),
                *make.row("Name", "Value"),
                *make.row("Alpha", "41"),
                make.Paragraph("After."),
            ]
        ),
    )
    assert made.text == (
        "# Report 2003\n\nGröße 1.234,50 € и 漢字\n\n- first 11\n- second 12\n\n"
        "| Name | Value |\n| --- | --- |\n| Alpha | 41 |\n\nAfter."
    )
    assert made.parser == "doc/1" and any("numbers of automatic lists" in warning for warning in made.warnings)


def test_word_notes_stand_by_their_marks_and_raised_numbers_stay_raised() -> None:
    made = document(
        "n.doc",
        make.doc(
            [make.Paragraph("Debt\x02 is 10", ("6", make.RAISED), " euro.")], notes=["Of 2003."], headers="Draft 7"
        ),
    )
    assert made.text == "Debt[^1] is 10⁶ euro.\n\n[^1]: Of 2003."
    assert [(entry.text, entry.why) for entry in made.left_out] == [("Draft 7", "furniture")]


def test_word_fields_show_their_result_and_links_keep_their_address() -> None:
    made = document("f.doc", make.doc([make.Paragraph('See \x13HYPERLINK "https://example.org/x"\x14the page 5\x15.')]))
    assert made.text == "See the page 5."
    assert [link.url for link in made.links] == ["https://example.org/x"]


@pytest.mark.parametrize(
    ("reading", "text", "left_out"),
    [
        ("accepted", "The fee is 250 euro.", [("100", "deleted"), ("secret", "hidden")]),
        ("original", "The fee is 100 euro.", [("250", "inserted"), ("secret", "hidden")]),
        ("both", "The fee is {--100--}{++250++} euro.", [("secret", "hidden")]),
    ],
)
def test_word_tracked_changes_are_read_as_asked(reading: str, text: str, left_out: list[tuple[str, str]]) -> None:
    paragraph = make.Paragraph(
        "The fee is ", ("100", make.DELETED), ("250", make.INSERTED), " euro.", ("secret", make.HIDDEN)
    )
    made = document("t.doc", make.doc([paragraph]), tracked_changes=reading)
    assert made.text == text
    assert [(entry.text, entry.why) for entry in made.left_out] == left_out


def test_word_files_that_cannot_be_read_say_what_to_do() -> None:
    old = read("o.doc", make.doc([make.Paragraph("x")], version=100))
    locked = read("l.doc", make.doc([make.Paragraph("x")], flags=0x0300))
    broken = read("c.doc", make.doc([make.Paragraph("x")], flags=0))
    assert isinstance(old, AgentFailure) and old.code == ErrorCode.PARSER_UNSUPPORTED and ".docx" in old.message
    assert isinstance(locked, AgentFailure) and locked.code == ErrorCode.PARSER_ENCRYPTED
    assert isinstance(broken, AgentFailure) and broken.code == ErrorCode.PARSER_MALFORMED


def test_slides_are_read_as_they_stand_in_their_newest_version() -> None:
    made = document(
        "s.ppt",
        make.ppt(
            [
                make.text_shape("right 22", (3000, 500, 5000, 900)),
                make.text_shape("Quarter 1", (100, 50, 5000, 300), kind=0),
                make.text_shape("left 11", (100, 500, 2500, 900)),
            ],
            [make.text_shape("one\rtwo", (100, 500, 2500, 900), kind=1)],
            old=[make.text_shape("replaced 99", (0, 0, 9, 9))],
            notes="Say 44",
        ),
    )
    assert made.text == "# Quarter 1\n\nleft 11\n\nright 22\n\nSay 44\n\n- one\n- two"
    assert [page.number for page in made.pages] == [1, 2]
    assert [section.title for section in made.sections] == ["Quarter 1", "Notes", "Slide 2"]


def test_a_damaged_presentation_is_reported_as_such() -> None:
    data = make.ppt([make.text_shape("words", (0, 0, 9, 9))])
    made = read("c.ppt", data.replace(b"\xf5\x0f", b"\x00\x00"))
    cut = read("c.ppt", data[:1500])
    assert isinstance(made, AgentFailure) and made.code == ErrorCode.PARSER_MALFORMED
    assert isinstance(cut, AgentFailure) and "damaged" in cut.message


def test_pieces_that_lie_over_one_another_are_read_once_and_the_rest_is_damage() -> None:
    paragraph = make.Paragraph("Words 41.")
    size = len("Words 41.") + 1
    made = document("p.doc", make.doc([paragraph], pieces=[(size, 2 * make.PAGE)] * 1000))
    assert made.text.count("Words 41.") < 500
    assert any("damaged" in warning for warning in made.warnings)


def test_a_word_file_whose_pieces_go_backwards_keeps_what_is_before_and_warns() -> None:
    paragraph = make.Paragraph("Words 41.")
    pieces = [(len("Words 41.") + 1, 2 * make.PAGE), (-5, 2 * make.PAGE)]
    made = document("p.doc", make.doc([paragraph], pieces=pieces))
    assert made.text == "Words 41." and any("damaged" in warning for warning in made.warnings)


def test_a_word_file_that_is_shorter_than_its_pieces_say_warns() -> None:
    made = document("p.doc", make.doc([make.Paragraph("Words 41.")], pieces=[(90_000, 2 * make.PAGE)]))
    assert isinstance(made, Document) and any("damaged" in warning for warning in made.warnings)


def test_notes_whose_places_go_backwards_are_not_read_again_and_again() -> None:
    body = make.Paragraph("\x02" * 50 + "Words 41.")
    made = document("n.doc", make.doc([body], notes=["Of 2003."], note_limits=[0, 60] * 25, body_size=0))
    assert made.text.count("Words 41.") <= 2


def test_fields_inside_of_fields_end() -> None:
    made = document("f.doc", make.doc([make.Paragraph("\x13\x14a" * 5000 + "\x15" * 5000)]))
    assert made.text == "a" * 5000


def test_a_slide_that_is_listed_again_is_read_once() -> None:
    made = document("a.ppt", make.ppt([make.text_shape("one 11", (0, 0, 9, 9))], again=3))
    assert made.text == "one 11"


def test_a_record_that_claims_more_than_its_parent_ends_with_it() -> None:
    inner = make.text_shape("inside 5", (0, 0, 9, 9))
    for _ in range(30):
        inner = make.overreaching(inner)
    made = document("o.ppt", make.ppt([inner, make.text_shape("after 6", (0, 500, 9, 600))]))
    assert made.text.count("inside 5") == 1 and made.text.count("after 6") == 1


def test_shapes_that_say_they_are_a_table_of_millions_of_cells_are_read_as_lines() -> None:
    option = make.container(0xF004, make.record(0xF122, b"\x9f\x03\x01\x00\x00\x00", instance=1))
    cells = [make.text_shape(f"c{n}", (n, n, 30_000, 30_000)) for n in range(300)]
    made = document("g.ppt", make.ppt([make.container(0xF003, option, *cells)]))
    assert [made.text.count(f"c{n}\n") for n in range(0, 299, 50)] == [1] * 6


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice is not installed")
def test_files_that_libreoffice_wrote_hold_the_same_words(tmp_path: Path) -> None:
    body = make_office.p("Erster Absatz 1.234,50") + make_office.p("Zweiter 22", properties='<w:outlineLvl w:val="0"/>')
    source = tmp_path / "source.docx"
    source.write_bytes(make_office.docx(body))
    command = ["soffice", f"-env:UserInstallation=file://{tmp_path}/profile", "--headless", "--convert-to", "doc"]
    subprocess.run([*command, "--outdir", str(tmp_path), str(source)], check=True, timeout=200, capture_output=True)
    written = tmp_path / "source.doc"
    if not written.exists():
        pytest.skip("LibreOffice is installed without its Writer")
    assert document("w.doc", written.read_bytes()).text == "Erster Absatz 1.234,50\n\n# Zweiter 22"
