"""Exports: each format carries quote, source, place, offsets and hash, and nothing of others runs or loads."""

from __future__ import annotations

import io
import re
import zipfile
from datetime import UTC, datetime

import pytest
from markdown_it import MarkdownIt

from roma_core.errors import InputError
from roma_core.transcripts import FILE_FORMATS, SourceDocument, Transcript, TranscriptTurn, make_file, write_transcript
from roma_core.types import Citation, CitationVerdict, Statement, TailorOutput

HASH = "0a" * 32
HOSTILE = (
    "![x](https://attacker.example/leak.png) <script>alert(1)</script> <img src=x onerror=alert(1)> "
    "[press](javascript:alert(1)) <https://attacker.example> \u202egnp.exe &lt;b&gt; \x07bell"
)


def cite(
    marker: int, quote: str, *, start: int = 100, place: str = "page 3", verdict: CitationVerdict = "verbatim"
) -> Citation:
    return Citation(
        marker=marker,
        chunk_id="c",
        document_id=f"d{marker}",
        uri=f"https://example.org/{marker}.pdf",
        title=f"Rope bridges {marker}",
        place=place,
        start=start,
        end=start + len(quote),
        quote=quote,
        answer_start=0,
        answer_end=1,
        verdict=verdict,
    )


def make_transcript(answer: str, *citations: Citation, **fields: object) -> Transcript:
    output = TailorOutput(answer=answer, citations=citations, **fields)  # type: ignore[arg-type]
    sources = {
        citation.document_id: SourceDocument(
            id=citation.document_id, title=citation.title, author="Ada Kern, Bo Li", date="1902-03", content_sha256=HASH
        )
        for citation in citations
    }
    return Transcript(
        title="How long is the bridge?",
        turns=(TranscriptTurn(question="How long is the bridge?", output=output),),
        sources=sources,
        exported_at=datetime(2026, 1, 2, tzinfo=UTC),
        base_url="http://127.0.0.1:8000",
    )


BRIDGE = make_transcript("It **spans** 48 metres [1].", cite(1, "The bridge spans 48 metres."))


def read_pdf(data: bytes) -> str:
    import pypdfium2

    document = pypdfium2.PdfDocument(data)
    return "\n".join(page.get_textpage().get_text_bounded() for page in document)


def read_docx(data: bytes) -> tuple[str, str]:
    """Return the XML of the body and of the footnotes."""
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        return file.read("word/document.xml").decode(), file.read("word/footnotes.xml").decode()


def read_text(data: bytes, file_format: str) -> str:
    if file_format == "pdf":
        return read_pdf(data)
    if file_format == "docx":
        return re.sub(r"<[^>]*>", "", "".join(read_docx(data)))
    return data.decode().replace("\\", "")


@pytest.mark.parametrize("file_format", FILE_FORMATS)
def test_a_footnote_has_quote_source_place_offsets_and_hash(file_format: str) -> None:
    text = read_text(write_transcript(BRIDGE, file_format), file_format)  # type: ignore[arg-type]
    words = "".join(text.split())
    for fact in (
        "The bridge spans 48 metres.",
        "Rope bridges 1",
        "page 3",
        "100-127",
        HASH,
        "https://example.org/1.pdf",
    ):
        assert "".join(fact.split()) in words, f"{file_format} lacks {fact}"


@pytest.mark.parametrize("file_format", ["docx", "pdf", "md"])
def test_the_words_of_others_are_words(file_format: str) -> None:
    hostile = make_transcript(f"{HOSTILE} [1]", cite(1, HOSTILE, place=HOSTILE))
    data = write_transcript(hostile.model_copy(update={"title": HOSTILE}), file_format)  # type: ignore[arg-type]
    text = read_text(data, file_format)
    assert "\u202e" not in text and "\x07" not in text, "controls are shown"
    assert "[U+202E]" in text and "<script>" in text.replace("&lt;", "<").replace("&gt;", ">")
    if file_format == "pdf":
        assert b"/JavaScript" not in data and b"/JS" not in data and b"/Launch" not in data
        assert b"leak.png" not in data, "a picture is its words"
    elif file_format == "docx":
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            relations = file.read("word/_rels/document.xml.rels").decode()
        assert "attacker.example" not in re.sub(r"https://attacker\.example\"", "", relations), "links, no pictures"
        assert "javascript" not in relations and "leak.png" not in relations
    else:
        html = MarkdownIt("commonmark", {"html": True}).render(data.decode())
        assert not re.search(r"<(?:script|img)|href=\"javascript", html)


def test_markers_become_footnotes_and_code_stays_code() -> None:
    text = write_transcript(make_transcript("Long [1], `x[1]` and [1].", cite(1, "Long.")), "md").decode()
    assert "Long[^1], `x[1]` and[^1]." in text and text.count("[^1]:") == 1


def test_footnotes_are_numbered_through_a_conversation() -> None:
    turn = BRIDGE.turns[0]
    text = write_transcript(BRIDGE.model_copy(update={"turns": (turn, turn)}), "md").decode()
    assert "metres[^1]." in text and "metres[^2]." in text and "[^2]: “The bridge" in text


def test_a_statement_without_a_source_and_one_that_was_taken_out_are_told() -> None:
    answer = "It is long. It was built [1]."
    statements = (
        Statement(start=0, end=11, verdict="unsupported"),
        Statement(start=12, end=28, verdict="verbatim", markers=(1,)),
    )
    removed = (Statement(start=0, end=0, verdict="unsupported", text="Elephants came."),)
    transcript = make_transcript(answer, cite(1, "It was built."), statements=statements, removed=removed)
    for file_format in ("md", "docx", "pdf"):
        text = read_text(write_transcript(transcript, file_format), file_format)  # type: ignore[arg-type]
        assert "no source" in text and "Elephants came." in text and "1 of 3 statements proven" in text


def test_an_answer_that_was_interrupted_says_so() -> None:
    turn = TranscriptTurn(question="How long?", state="interrupted", words="The bri")
    transcript = BRIDGE.model_copy(update={"turns": (turn,)})
    for file_format in ("md", "docx", "pdf"):
        text = read_text(write_transcript(transcript, file_format), file_format)  # type: ignore[arg-type]
        assert "ROMA was restarted while it wrote this answer." in text and "The bri" in text


def test_a_docx_has_footnotes_of_word_and_runs_from_the_right_where_its_words_do() -> None:
    transcript = make_transcript("| a | b |\n|--|--:|\n| 1 [1] | 2 |\n\n- الجسر طويل [1]", cite(1, "الجسر طويل"))
    body, footnotes = read_docx(write_transcript(transcript, "docx"))
    assert body.count('<w:footnoteReference w:id="1"/>') == 2
    assert footnotes.count('<w:footnote w:id="1">') == 1 and "<w:bidi/>" in footnotes
    assert "<w:bidi/>" in body and "<w:rtl/>" in body and '<w:jc w:val="right"/>' in body


def test_roma_reads_the_docx_that_it_writes() -> None:
    import docx

    word = docx.Document(io.BytesIO(write_transcript(BRIDGE, "docx")))
    assert [paragraph.text for paragraph in word.paragraphs][-1] == "It spans 48 metres."
    assert word.core_properties.title == "How long is the bridge?"


def test_a_pdf_embeds_fonts_for_its_scripts() -> None:
    words = "Мост. Γέφυρα. पुल लंबा है। สะพานยาว. ✓ 😀"
    data = write_transcript(make_transcript(f"{words} الجسر [1]", cite(1, words)), "pdf")
    text = read_pdf(data)
    for word in ("Мост", "Γέφυρα", "สะพานยาว", "✓", "😀"):
        assert word in text
    assert data.count(b"/FontFile2") >= 5


def test_a_pdf_goes_on_over_pages() -> None:
    cell = "plank " * 900
    answer = f"| a | b |\n|--|--|\n| {cell} | 2 [1] |\n\n{'Long paragraph. ' * 400}\n\n```\n{'x' * 500}\n```"
    import pypdfium2

    pages = pypdfium2.PdfDocument(write_transcript(make_transcript(answer, cite(1, "Q " * 3000)), "pdf"))
    text = "".join(page.get_textpage().get_text_bounded() for page in pages)
    assert len(pages) > 3
    assert text.count("plank") == 900 and text.count("Long") == 400 and text.count("x") >= 500


def test_letters_that_no_font_has_are_an_error_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("roma_core.transcripts.fonts.FOLDERS", ())
    with pytest.raises(InputError, match="fonts-noto-cjk"):
        write_transcript(make_transcript("桥长四十八米 [1]", cite(1, "桥")), "pdf")


def test_bibtex_is_read_by_a_parser() -> None:
    bibtexparser = pytest.importorskip("bibtexparser")
    title = "Rope & {braces} 50 % of $x_1$"
    citations = (cite(1, "Costs {are} \\high."), cite(2, "Other"))
    citations = (citations[0].model_copy(update={"title": title}), citations[1])
    transcript = make_transcript("A [1]. B [2].", *citations)
    sources = {**transcript.sources, "d1": transcript.sources["d1"].model_copy(update={"title": title})}
    library = bibtexparser.parse_string(
        write_transcript(transcript.model_copy(update={"sources": sources}), "bib").decode()
    )
    assert not library.failed_blocks
    first, second = library.entries
    assert first["title"] == r"{Rope \& \{braces\} 50 \% of \$x\_1\$}"
    assert first["author"] == "{Ada Kern} and {Bo Li}" and first["year"] == "1902"
    assert (second["url"], second["checksum"]) == ("https://example.org/2.pdf", f"sha256:{HASH}")


def test_two_documents_of_one_name_have_two_keys() -> None:
    twins = (cite(1, "A"), cite(2, "B").model_copy(update={"title": "Rope bridges 1"}))
    text = write_transcript(make_transcript("A [1]. B [2].", *twins), "bib").decode()
    assert len(set(re.findall(r"@\w+\{([^,]+),", text))) == 2


def test_a_file_has_a_name_of_plain_letters() -> None:
    assert make_file(BRIDGE, "md").name == "how-long-is-the-bridge.md"
    assert make_file(BRIDGE.model_copy(update={"title": "الجسر"}), "md").name == "answer.md"
