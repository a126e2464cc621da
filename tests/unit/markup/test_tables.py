"""Pipe tables: rows, header and caption at exact offsets, and the span that cites a row with both."""

from __future__ import annotations

import pytest

from roma_core.markup.tables import (
    MOST_FRAMED_CHARS,
    frame_rows,
    read_cited_words,
    read_tables,
    skip_rows,
    split_cells,
)
from roma_core.types import Block, Document

HEAD = "| Boat | Berths |\n|---|---|\n"
ROWS = "| Gull | 4 |\n| Heron | 6 |"


def document(text: str, *captions: str) -> Document:
    places = [(text.index(caption), text.index(caption) + len(caption)) for caption in captions]
    blocks = tuple(Block(start=start, end=end, kind="caption") for start, end in places)
    return Document(
        id="d", uri="file:///boats.md", title="Boats", text=text, content_sha256="", parser="x", blocks=blocks
    )


def framed(held: Document, words: str, least: int = 0, most: int | None = None) -> str:
    start = held.text.index(words)
    span = frame_rows(held, start, start + len(words), least, len(held.text) if most is None else most)
    return held.text[slice(*span)]


@pytest.mark.parametrize(
    ("above", "caption"),
    [
        ("Table 2: Boats for hire\n\n", "Table 2: Boats for hire"),
        ("Tabelle 1 Boote\n", "Tabelle 1 Boote"),
        ("**Boats for hire:**\n", "Boats for hire:"),
        ("### Boats for hire\n\n", "Boats for hire"),
    ],
)
def test_a_line_above_that_names_a_table_is_its_caption(above: str, caption: str) -> None:
    held = document(f"Some words.\n\n{above}{HEAD}{ROWS}\n")
    [table] = read_tables(held)
    assert table.caption == caption
    assert held.text[slice(*table.find_span(table.rows[:1]))].startswith(above.partition("\n")[0])


@pytest.mark.parametrize("above", ["Some words.\n\n", "Table 2: Boats\n\n\n\n", ""])
def test_other_lines_and_far_ones_are_no_caption(above: str) -> None:
    [table] = read_tables(document(f"{above}{HEAD}{ROWS}"))
    assert (table.caption, table.captioned_by) == ("", None)


def test_a_caption_that_the_parser_found_needs_no_word_of_its_own() -> None:
    held = document(f"What we let\n\n{HEAD}{ROWS}\n\nAfter the table.", "What we let")
    [table] = read_tables(held)
    assert table.caption == "What we let"


@pytest.mark.parametrize("captions", [(), ("Table 3. Boats for hire",)])
def test_a_caption_below_counts_where_none_stands_above(captions: tuple[str, ...]) -> None:
    held = document(f"Some words.\n\n{HEAD}{ROWS}\n\nTable 3. Boats for hire\n\nMore words.", *captions)
    [table] = read_tables(held)
    assert table.caption == "Table 3. Boats for hire"
    assert framed(held, "Gull | 4") == f"{HEAD}{ROWS}\n\nTable 3. Boats for hire"


def test_a_caption_between_two_tables_belongs_to_the_one_below() -> None:
    held = document(f"{HEAD}{ROWS}\n\nTable 2: Ropes\n\n| Rope | Length |\n|---|---|\n| blue | 9 m |\n")
    assert [table.caption for table in read_tables(held)] == ["", "Table 2: Ropes"]


@pytest.mark.parametrize(
    ("order", "captions"), [("cTcT", ["Boats of 2024", "Boats of 2025"]), ("TcTc", ["Boats of 2024", "Boats of 2025"])]
)
def test_captions_stand_where_those_of_most_tables_do(order: str, captions: list[str]) -> None:
    parts, blocks, names = [], [], iter(captions)
    at = 0
    for kind in order:
        part = next(names) if kind == "c" else f"{HEAD}{ROWS}"
        parts.append(part)
        blocks.append(Block(start=at, end=at + len(part), kind="caption" if kind == "c" else "table"))
        at += len(part) + 2
    held = document("\n\n".join(parts)).model_copy(update={"blocks": tuple(blocks)})
    assert [table.caption for table in read_tables(held)] == captions


def test_a_row_is_framed_by_caption_and_header() -> None:
    held = document(f"Before.\n\nTable 2: Boats for hire\n\n{HEAD}{ROWS}\n\nAfter.")
    assert framed(held, "Heron | 6") == f"Table 2: Boats for hire\n\n{HEAD}{ROWS}"
    assert framed(held, "Gull | 4") == f"Table 2: Boats for hire\n\n{HEAD}| Gull | 4 |"
    assert framed(held, "Boat | Berths") == "Table 2: Boats for hire\n\n| Boat | Berths |"


def test_a_caption_outside_of_the_bounds_is_left_out() -> None:
    text = f"Table 2: Boats for hire\n\n{HEAD}{ROWS}"
    held = document(text)
    assert framed(held, "Gull | 4", least=text.index("| Boat")) == f"{HEAD}| Gull | 4 |"


@pytest.mark.parametrize("cut", ["| Gull", "|---"])
def test_a_row_whose_header_lies_outside_of_the_bounds_stays_alone(cut: str) -> None:
    text = f"Table 2: Boats for hire\n\n{HEAD}{ROWS}"
    assert framed(document(text), "Heron | 6", least=text.index(cut)) == "Heron | 6"


def test_rows_without_a_rule_have_no_header() -> None:
    assert framed(document("| Gull | 4 |\n| Heron | 6 |"), "Heron | 6") == "Heron | 6"


@pytest.mark.parametrize("words", ["Some words.", "4 |\n| Heron | 6 |\n\nAfter"])
def test_what_is_no_row_is_left_as_it_is(words: str) -> None:
    assert framed(document(f"Some words.\n\n{HEAD}{ROWS}\n\nAfter."), words) == words


def test_a_row_far_below_its_header_is_quoted_alone() -> None:
    rows = "\n".join(f"| boat {number:03} | {number} |" for number in range(400))
    held = document(f"Table 2: Boats\n\n{HEAD}{rows}")
    assert framed(held, "boat 399 | 399") == "boat 399 | 399"
    quote = framed(held, "boat 050 | 50")
    assert quote.startswith("Table 2: Boats\n\n| Boat") and quote.endswith("| boat 050 | 50 |")
    assert len(quote) <= MOST_FRAMED_CHARS


def test_the_words_that_a_table_is_cited_for_are_its_last_row() -> None:
    assert read_cited_words(f"Table 2: Boats\n\n{HEAD}{ROWS}") == "| Heron | 6 |"
    assert read_cited_words("The gull has four berths.") == "The gull has four berths."


def test_a_long_table_is_shown_by_its_head_and_its_last_row() -> None:
    head, rows = f"Table 2: Boats\n\n{HEAD}", "| Gull | 4 |\n| Tern | 5 |\n| Heron | 6 |"
    assert skip_rows(head + rows) == f"{head}| … |\n| Heron | 6 |"
    assert skip_rows(head + ROWS) == head + ROWS
    assert skip_rows("| no header |\nOther words.") == "| no header |\nOther words."
    below = head + rows + "\n\nTable 1. The cited row may be any."
    assert skip_rows(below) == below


@pytest.mark.parametrize("line", ["| a \\| b | c |", "a \\| b | c"])
def test_cells_are_split_at_bars_that_are_not_escaped(line: str) -> None:
    assert split_cells(line) == ("a | b", "c")
