"""What of a passage can be quoted alone."""

from __future__ import annotations

import pytest

from roma_core.types import Chunk, ScoredChunk
from roma_core.writers.extractive.units import quotable_units


@pytest.mark.parametrize(
    ("text", "quotes"),
    [
        ("name: plover\nport: 9300\nlicence: MIT", ["name: plover", "port: 9300", "licence: MIT"]),
        ("The plover:\nwaits for the tide.", ["The plover:\nwaits for the tide."]),
        ("name: plover\nThe bird waits for the tide.", ["name: plover\nThe bird waits for the tide."]),
        ("One: two three.", ["One: two three."]),
    ],
)
def test_lines_of_names_and_values_are_quoted_line_by_line(text: str, quotes: list[str]) -> None:
    chunk = Chunk(id="c", document_id="d", uri="file:///a.json", title="a", text=text, start=5, end=5 + len(text))
    units = quotable_units([ScoredChunk(chunk=chunk, score=1.0, rank=1, retriever="test")])
    assert [unit.quote for unit in units] == quotes
    assert [text[unit.sentence.start : unit.sentence.end] for unit in units] == quotes
    assert [unit.document_place[1] - 5 for unit in units] == [unit.sentence.start for unit in units]
