"""OpenDocument: tracked changes are read as asked, and a change of the format takes nothing out."""

from __future__ import annotations

import pytest

from roma_core.parsers.base import ParseOptions
from roma_core.parsers.opendocument import odt
from roma_core.types import Document, RawDocument
from tests.fixtures import make_office


def region(name: str, kind: str, content: str = "") -> str:
    info = "<office:change-info><text:p>by Ada</text:p></office:change-info>"
    return f'<text:changed-region text:id="{name}"><text:{kind}>{info}{content}</text:{kind}></text:changed-region>'


def change(kind: str, name: str) -> str:
    return f'<text:{kind} text:change-id="{name}"/>'


def read(regions: str, content: str, reading: str) -> Document:
    data = make_office.odf("text", f"<text:tracked-changes>{regions}</text:tracked-changes>{content}")
    return odt.parse(RawDocument(uri="a.odt", data=data), ParseOptions.model_validate({"tracked_changes": reading}))


OLD = region("old", "deletion", "<text:p>100</text:p>")
REGIONS = region("new", "insertion") + OLD + region("bold", "format-change")
FEE = (
    f"<text:p>The fee is {change('change', 'old')}"
    f"{change('change-start', 'new')}<text:span>25</text:span>0"
    f"{change('change-end', 'new')} euro"
    f"{change('change-start', 'bold')} in 2026{change('change-end', 'bold')}.</text:p>"
)


@pytest.mark.parametrize(
    ("reading", "text", "left_out"),
    [
        ("accepted", "The fee is 250 euro in 2026.", [("100", "deleted")]),
        ("original", "The fee is 100 euro in 2026.", [("250", "inserted")]),
        ("both", "The fee is {--100--}{++250++} euro in 2026.", []),
    ],
)
def test_tracked_changes_are_read_as_asked(reading: str, text: str, left_out: list[tuple[str, str]]) -> None:
    made = read(REGIONS, FEE, reading)
    assert made.text == text
    assert [(entry.text, entry.why) for entry in made.left_out] == left_out


def test_an_insertion_over_several_paragraphs_goes_and_what_follows_stays() -> None:
    content = (
        f"<text:p>Before{change('change-start', 'new')} one</text:p><text:p>two</text:p>"
        f"<text:p>three{change('change-end', 'new')} after 7.</text:p>"
    )
    made = read(region("new", "insertion"), content, "original")
    assert made.text == "Before\n\nafter 7."
    assert [entry.why for entry in made.left_out] == ["inserted"]
    assert all(word in made.left_out[0].text for word in ("one", "two", "three"))


def test_what_was_put_in_and_taken_out_again_is_in_neither_reading() -> None:
    content = (
        f"<text:p>a{change('change-start', 'new')}b{change('change', 'old')}c{change('change-end', 'new')}d</text:p>"
    )
    assert read(REGIONS, content, "original").text == "ad"
    assert read(REGIONS, content, "accepted").text == "abcd"


def test_insertions_inside_of_one_another_end_with_the_last() -> None:
    content = (
        f"<text:p>a{change('change-start', 'x')}b{change('change-start', 'y')}c{change('change-end', 'x')}d"
        f"{change('change-end', 'y')}e</text:p>"
    )
    made = read(region("x", "insertion") + region("y", "insertion"), content, "original")
    assert made.text == "ae"
    assert [(entry.text, entry.why) for entry in made.left_out] == [("bcd", "inserted")]
