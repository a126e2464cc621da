"""What makes a line a heading, and of which level."""

from __future__ import annotations

from dataclasses import replace

import pytest

from roma_core.parsers.pdf.blocks import Item, Kind
from roma_core.parsers.pdf.headings import Entry, body_size, mark_headings
from roma_core.parsers.pdf.page import Style
from tests.fixtures.make_lines import BOLD, PLAIN, line, page, sized

LONG = "The keeper of the lighthouse wrote down the weather four times a day, and his notebooks are kept in the chapel."
SANS = replace(PLAIN, face="Sans")
ITALIC = replace(PLAIN, italic=True, face="Serif-Italic")


def block(text: str, style: Style = PLAIN, top: float = 100, kind: Kind = "paragraph", **fields: object) -> Item:
    lines = [line(part, 50, top + 1.2 * style.size * n, style) for n, part in enumerate(text.split("\n"))]
    rect = (50, top, max(part.x1 for part in lines), lines[-1].bottom)
    return Item(kind, fields.pop("page", 1), rect, lines, **fields)


def marked(*items: Item, outline: tuple[Entry, ...] = (), body_bold: bool = False) -> list[tuple[int, str]]:
    found = list(items)
    mark_headings(found, outline, 10.0, body_bold)
    return [(item.level, item.text) for item in found if item.kind == "heading"]


def alone(text: str, style: Style = PLAIN, **fields: object) -> bool:
    """Whether ``text`` before a paragraph is taken for a heading."""
    return bool(marked(block(text, style, **fields), block(LONG, top=150)))


@pytest.mark.parametrize(
    ("text", "style"),
    [
        ("The Harbour", sized(PLAIN, 14)),
        ("The Harbour", BOLD),
        ("The Harbour\nin winter", BOLD),
        ("2.1 On the fares of the ferry.", BOLD),
        ("2.1 Fares", ITALIC),
        ("2.1 Fares", sized(PLAIN, 10.5)),
        ("RULES OF THE PIER", PLAIN),
    ],
)
def test_lines_set_apart_are_headings(text, style):
    assert alone(text, style)


@pytest.mark.parametrize(
    ("text", "style"),
    [
        ("The Harbour", PLAIN),
        ("harbour dues", BOLD),
        ("Please note:", BOLD),
        ("We saw the ferry.", BOLD),
        ("Three\nbold\nlines", BOLD),
        ("A note that goes on\nand on over three\nlines and has an end.", sized(PLAIN, 14)),
        ("one\ntwo\nthree\nfour\nfive", sized(PLAIN, 14)),
        ("12.40 7.10 9.80", sized(PLAIN, 14)),
        ("Figure 3. The harbour", sized(PLAIN, 14)),
        ("The harbour, the pier,", sized(PLAIN, 14)),
        ("fare = km / 2;", sized(PLAIN, 14)),
        ("Harbour . . . . . . . . 12", sized(PLAIN, 14)),
        ("(of the pier)", BOLD),
        ("2.1 Fares of the ferry that\nare longer than a line", ITALIC),
        ("x" * 230, sized(PLAIN, 14)),
        ("7", sized(PLAIN, 14)),
    ],
)
def test_other_lines_are_not(text, style):
    assert not alone(text, style)


def test_in_bold_documents_bold_tells_nothing():
    assert marked(block("The Harbour", BOLD), block(LONG, BOLD, 150), body_bold=True) == []


def test_capitals_lead_prose_or_are_no_heading():
    assert marked(block("RULES OF THE PIER"), block("Short.", top=150)) == []
    assert marked(block(LONG), block("RULES OF THE PIER", top=150)) == []


def test_a_font_of_its_own_tells_a_heading_that_prose_follows():
    assert alone("The Harbour", SANS, slack=0.5)
    assert not alone("The Harbour", SANS, slack=0.0)
    assert not alone("the harbour", SANS, slack=0.5)
    assert marked(block("The Harbour", SANS, slack=0.5), block(LONG, SANS, 150)) == []
    assert marked(block("The Harbour", SANS, slack=0.5), block("Short.", top=150)) == []
    assert marked(block("The Harbour", SANS, slack=0.5), block(LONG, top=150, region=1)) == []
    assert marked(block(LONG), block("The Harbour", SANS, 150, slack=0.5)) == []


def test_numbered_lines_of_a_list_may_be_headings_but_bullets_never():
    assert alone("1. History", sized(PLAIN, 14), kind="list")
    assert alone("(2) History", sized(PLAIN, 14), kind="list")
    assert not alone("• History", sized(PLAIN, 14), kind="list")
    assert not alone(f"1. {LONG}", sized(PLAIN, 11.5), kind="list")


def test_the_outline_names_headings_that_type_does_not_and_gives_their_level():
    items = [block("Introduction"), block("1 Methods", top=130), block("Results", top=160, page=3)]
    outline = (
        Entry("Introduction", 1, 1),
        Entry("Methods", 2, None),
        Entry("Results", 1, 1),  # stands two pages further on: not this one
        Entry("-", 1, 1),
        Entry("Missing", 1, 1),
    )
    assert marked(*items, outline=outline) == [(1, "Introduction"), (2, "1 Methods")]


def test_each_entry_of_the_outline_names_one_heading():
    items = [block("Summary"), block("Summary", top=130, page=2)]
    assert len(marked(*items, outline=(Entry("Summary", 1, 1),))) == 1
    assert len(marked(*map(replace, items), outline=(Entry("Summary", 1, 1), Entry("Summary", 1, 2)))) == 2


def test_headings_set_like_one_of_the_outline_have_its_level():
    items = [block("History", sized(BOLD, 14)), block(LONG, top=130), block("Rules", sized(BOLD, 14), 160)]
    assert marked(*items, outline=(Entry("History", 3, 1),)) == [(3, "History"), (3, "Rules")]


def test_levels_follow_size_and_number():
    items = [
        block("The Report", sized(BOLD, 20)),
        block("1 History", sized(BOLD, 14), 130),
        block("1.1 Lighthouse", sized(BOLD, 14), 160),
        block("1.1.1 Keeper", BOLD, 190),
        block("2 Rules", sized(BOLD, 14), 220),
    ]
    assert [level for level, _ in marked(*items)] == [1, 2, 3, 4, 2]


def test_sizes_that_hardly_differ_are_one_rank():
    items = [block("One", sized(BOLD, 14)), block("Two", sized(BOLD, 13.5), 150), block("Three", sized(BOLD, 12), 200)]
    assert [level for level, _ in marked(*items)] == [1, 1, 2]


def test_a_title_on_several_lines_is_one_heading():
    one, two = block("The Report of", sized(BOLD, 20)), block("The Harbour Office", sized(BOLD, 20), 126)
    assert marked(one, two) == [(1, "The Report of The Harbour Office")]
    assert one.rect == (50, 100, two.rect[2], 146)


def test_titles_that_are_apart_or_numbered_stay_two():
    style = sized(BOLD, 20)
    assert len(marked(block("The Report", style), block("The Office", style, 180))) == 2
    assert len(marked(block("1 Report", style), block("2 Office", style, 126))) == 2
    assert len(marked(block("The Report", style), block("The Office", style, 126, page=2))) == 2


def test_the_body_is_what_most_letters_are_set_in():
    plain = page(1, (LONG, 50, 100))
    assert body_size([plain]) == (10.0, False)
    assert body_size([page(1, ("word", 50, 100)), page(2, (LONG, 50, 100), style=sized(BOLD, 9.1))]) == (9.0, True)
    assert body_size([]) == (10.0, False)
