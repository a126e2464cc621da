"""The lines that ROMA writes around quotes: declared by their writer, found in the answer, never guessed from words."""

from __future__ import annotations

import pytest

from roma_core.markup import Frame, collect_frame, find_frame, join_piece, read_statements

LINES = ("The sources disagree on the number, the newest first:", "“Fares” (2024-03-01):", "Table 1. Fares, no VAT:")


def statements(answer: str, lines: tuple[str, ...] = LINES) -> list[str]:
    frame = find_frame(answer, lines)
    return [answer[claim.start : claim.end] for claim in read_statements(answer, frame=frame)]


def test_declared_lines_state_nothing() -> None:
    answer = (
        "The sources disagree on the number, the newest first:\n\n“Fares” (2024-03-01):\n\nA ticket costs 3 euros. [1]"
    )
    assert statements(answer) == ["A ticket costs 3 euros."]


def test_a_declared_line_of_several_sentences_states_nothing() -> None:
    assert statements("Table 1. Fares, no VAT:\n\nA ticket costs 3 euros. [1]") == ["A ticket costs 3 euros."]


@pytest.mark.parametrize(
    "said",
    [
        "The sources disagree on the number, the newest first: it is 9.",
        "The sources disagree on the number, the oldest first:",
        "It is so: “Fares” (2024-03-01):",
        "“Fares” (2024-03-02):",
    ],
)
def test_a_line_that_says_more_or_something_else_is_a_statement(said: str) -> None:
    assert statements(said) == [said]


def test_words_that_no_writer_declared_are_statements() -> None:
    assert statements("Not answered by these sources: who built it?", ()) != []


def test_a_line_with_a_marker_is_never_frame() -> None:
    assert statements("Fares: [1]", ("Fares: [1]",)) == ["Fares: [1]"]


def test_frame_stays_frame_behind_a_break() -> None:
    pieces = ["One. [1]", join_piece("\n\n", Frame("Fares:")), join_piece(" ", "Two. [2]")]
    assert "".join(pieces) == "One. [1]\n\nFares: Two. [2]"
    assert collect_frame(pieces) == ("Fares:",)
