"""Masks are as long as what they hide, in every field of a document."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from roma_core.privacy import MASK, DocumentScreen, PrivacyPolicy, mask_text
from roma_core.settings import PrivacySettings
from roma_core.types import Block, Document, Link, Page, Section

SPANS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=6)
EVERYTHING = DocumentScreen(PrivacyPolicy(PrivacySettings(policy=("secrets=mask", "numbers=mask")).rules))
PIECES = st.sampled_from(
    ["ada@example.org", "4111 1111 1111 1111", "DE89 3704 0044 0532 0130 00", "+49 30 1234567", "12345678Z",
     "Call 030 1234567", "-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----", "ＡＤＡ＠example.org",
     "10.1.2.3", "\u200b", "\r\n", "| a | b |", "a\nb", "ordinary words", "\u00a0", "𝟒𝟏𝟏𝟏", "é", "\u2028"]
)  # fmt: skip


@given(text=st.text(max_size=60), spans=SPANS)
def test_a_mask_changes_no_length_and_no_line(text: str, spans: list[tuple[int, int]]) -> None:
    masked = mask_text(text, [(start, end) for start, end in spans if start < end])
    hidden = {at for start, end in spans if start < end for at in range(start, end)}
    assert len(masked) == len(text)
    assert len(masked.splitlines()) == len(text.splitlines())
    for at, (shown, was) in enumerate(zip(masked, text, strict=True)):
        assert shown == was or (at in hidden and shown == MASK)


@given(pieces=st.lists(PIECES, max_size=12), joint=st.sampled_from([" ", "\n\n", ", "]), cut=st.integers(0, 400))
def test_every_offset_into_a_masked_document_stays_true(pieces: list[str], joint: str, cut: int) -> None:
    text = joint.join(pieces)
    middle = min(cut, len(text))
    document = Document(
        id="d",
        uri="file:///d.md",
        title="",
        text=text,
        content_sha256="0",
        parser="text/1",
        pages=(Page(number=1, start=0, end=middle), Page(number=2, start=middle, end=len(text))),
        blocks=(Block(kind="paragraph", start=0, end=middle), Block(kind="table", start=middle, end=len(text), row=1)),
    )
    screened = EVERYTHING.screen(document, "default")
    masked = screened.document
    assert len(masked.text) == len(text)
    assert (masked.pages, masked.blocks) == (document.pages, document.blocks)
    hidden = {at for finding in screened.findings for at in range(finding.start, finding.end)}
    for at, (shown, was) in enumerate(zip(masked.text, text, strict=True)):
        assert shown == (MASK if at in hidden and was not in "\n\r\u2028" else was)
    assert masked.blocks[1].row_at(len(text), masked.text) == document.blocks[1].row_at(len(text), text)


@given(pieces=st.lists(PIECES, max_size=12))
def test_a_masked_text_holds_nothing_more_to_find(pieces: list[str]) -> None:
    document = Document(
        id="d", uri="file:///d.md", title="", text="\n\n".join(pieces), content_sha256="0", parser="text/1"
    )
    once = EVERYTHING.screen(document, "default").document
    assert EVERYTHING.screen(once, "default").document.text == once.text


def test_title_headings_links_and_metadata_are_masked() -> None:
    text = "# Ada, ada@example.org\n\nWrite to me."
    document = Document(
        id="d",
        uri="file:///d.md",
        title="Ada, ada@example.org",
        text=text,
        content_sha256="0",
        parser="markdown/1",
        sections=(Section(title="Ada, ada@example.org", level=1, start=0, end=len(text)),),
        links=(
            Link(start=7, end=22, url="mailto:ada@example.org"),
            Link(start=30, end=32, url="https://example.org/"),
        ),
        metadata={"subject": "to ada@example.org", "list": [{"phone": "+49 30 1234567"}], "pages": 3},
        warnings=("could not read ada@example.org",),
    )
    masked = EVERYTHING.screen(document, "default").document
    assert "ada@example.org" not in masked.model_dump_json()
    assert "1234567" not in masked.model_dump_json()
    assert masked.title == masked.sections[0].title == "Ada, " + MASK * 15
    assert [link.url for link in masked.links] == ["https://example.org/"]
    assert masked.metadata["pages"] == 3
