"""Text, Markdown and encodings: the words are kept as they are, the places in them are exact."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roma_core.errors import ErrorCode, ParserError
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.text import encodings, markdown
from roma_core.parsers.text import plain as text
from roma_core.types import Document, RawDocument


def read(data: bytes | str, parser: object = text, uri: str = "notes.txt") -> Document:
    raw = RawDocument(uri=uri, data=data.encode() if isinstance(data, str) else data)
    return parser.parse(raw, ParseOptions())  # type: ignore[attr-defined]


JAPANESE = "これは日本語の文章です。東京は大きい。"
CHINESE = "这是一个中文句子，我们在测试编码。北京是首都。"
TRADITIONAL = "這是一個中文句子，我們在測試編碼。臺北是首都。"
KOREAN = "이것은 한국어 문장입니다. 서울은 수도입니다."
RUSSIAN = "Привет, как дела? Это русский текст для проверки. Он достаточно длинный."
GERMAN = "Größe und Höhe, naïve cafés “quoted” – dash; und noch etwas mehr Text. " * 2


@pytest.mark.parametrize(
    ("words", "encoding"),
    [
        *[(GERMAN, e) for e in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252")],
        *[("plain words", e) for e in ("utf-32-le", "utf-32-be", "utf-16-le", "ascii")],
        *[(JAPANESE, e) for e in ("cp932", "euc_jp", "utf-8")],
        ("名前,年齢,住所\n佐藤太郎,30,東京", "cp932"),
        (CHINESE, "gb18030"),
        (TRADITIONAL, "big5"),
        (KOREAN, "euc_kr"),
        *[(RUSSIAN, e) for e in ("cp1251", "koi8-r")],
    ],
)
def test_encodings_are_found(words: str, encoding: str) -> None:
    assert encodings.decode(words.encode(encoding)) == words


def test_a_declared_encoding_counts_where_utf8_does_not_read() -> None:
    assert encodings.decode("łódź".encode("iso8859-2"), "ISO-8859-2") == "łódź"
    assert encodings.decode("łódź".encode(), "ISO-8859-2") == "łódź", "valid UTF-8 is no accident"
    assert encodings.find_codec("no-such-code") is None
    assert encodings.find_codec("latin-1") == "cp1252"


@given(st.binary(max_size=200))
def test_any_bytes_decode_or_are_empty(data: bytes) -> None:
    try:
        words = encodings.decode(data)
    except ParserError as error:
        assert error.code is ErrorCode.PARSER_EMPTY
        return
    assert "\r" not in words and "\x00" not in words


def test_paragraphs_and_pages_of_plain_text() -> None:
    document = read("\n\nfirst line\r\nsecond line\r\n  \r\nnext\fpage two\n\n\n")
    assert [b.of(document.text) for b in document.blocks] == ["first line\nsecond line", "next", "page two"]
    assert [(p.number, p.of(document.text).strip()) for p in document.pages] == [
        (1, "first line\nsecond line\n  \nnext"),
        (2, "page two"),
    ]
    assert [b.page for b in document.blocks] == [1, 1, 2]
    assert document.title == "notes"


@given(st.text(alphabet=st.sampled_from(list("ab \n\f\t.")), max_size=60))
def test_paragraphs_hold_every_word_once(words: str) -> None:
    if not words.split():
        return
    document = read(words)
    joined = " ".join(b.of(document.text) for b in document.blocks)
    assert joined.split() == document.text.split()


MARKDOWN = """---
title: "The Guide"
author: Ann
---
Intro with *marks*.

# One `x` [link](http://a)

- a
- b
    - c

## Deep

| h | i |
| - | - |
| 1 | 2 |

```python
# not a heading
```

> said

Two
===

[^1]: a note

<div>raw</div>
"""


def test_markdown_is_kept_and_its_structure_located() -> None:
    document = read(MARKDOWN, markdown, "guide.md")
    assert document.text == MARKDOWN
    assert document.title == "The Guide" and document.metadata == {"title": "The Guide", "author": "Ann"}
    found = [(b.kind, b.of(MARKDOWN).split("\n")[0]) for b in document.blocks]
    assert found == [
        ("code", "---"),
        ("paragraph", "Intro with *marks*."),
        ("heading", "# One `x` [link](http://a)"),
        ("list", "- a"),
        ("heading", "## Deep"),
        ("table", "| h | i |"),
        ("code", "```python"),
        ("quote", "> said"),
        ("heading", "Two"),
        ("footnote", "[^1]: a note"),
        ("paragraph", "<div>raw</div>"),
    ]
    assert [(s.title, s.level) for s in document.sections] == [("One x link", 1), ("Deep", 2), ("Two", 1)]
    assert document.headings_at(MARKDOWN.index("# not")) == ("One x link", "Deep")
    assert document.headings_at(MARKDOWN.index("a note")) == ("Two",)


pieces = st.sampled_from(
    ["# h\n", "text\n", "\n", "- a\n", "    b\n", "```\n", "| a | b |\n|---|---|\n", "> q\n", "===\n"]
)


@given(st.lists(pieces, max_size=15))
def test_markdown_spans_are_exact_and_lose_no_word(parts: list[str]) -> None:
    words = "".join(parts)
    if not words.strip():
        return
    document = read(words, markdown, "x.md")
    assert document.text == words
    covered = " ".join(b.of(words) for b in document.blocks)
    assert covered.count("text") == words.count("text")
    for earlier, later in zip(document.blocks, document.blocks[1:], strict=False):
        assert earlier.end <= later.start


@pytest.mark.parametrize("parser", [text, markdown])
def test_empty_files_are_failures(parser: object) -> None:
    with pytest.raises(ParserError) as error:
        read(b" \n\n", parser)
    assert error.value.code is ErrorCode.PARSER_EMPTY


@pytest.mark.parametrize(
    ("words", "title"),
    [
        ("Bee keepers, minutes\n\n3 May 2026\nPresent: Ida\n", "Bee keepers, minutes"),
        ("BEES\n====\n\nThey swarm in May.\n", "BEES"),
        ("\n\nNeue Öffnungszeiten\n\nAb Mai.\n", "Neue Öffnungszeiten"),
        ("The bees swarmed today.\n\nWe caught them.\n", "notes"),
        ("Dear Ida,\n\nthe bees swarmed.\n", "notes"),
        ("Bees and hives\nare sold on Mondays.\n\nCome early.\n", "notes"),
        ("From: ida@example.org\n\nThe bees swarmed.\n", "notes"),
        ("- bees\n\n- wasps\n", "notes"),
        ("3 May 2026\n\nThe bees swarmed.\n", "notes"),
        ("Bees\n", "notes"),
    ],
)
def test_a_first_line_that_stands_alone_is_the_title(words: str, title: str) -> None:
    assert read(words).title == title


def test_a_title_that_a_source_gives_is_kept_and_a_file_name_is_none() -> None:
    words = b"Bees\n\nThey swarm in May.\n"
    given = RawDocument(uri="https://example.org/7", data=words, title="Ticket 7")
    named = RawDocument(uri="https://example.org/7", data=words, title="bees.txt")
    assert text.parse(given, ParseOptions()).title == "Ticket 7"
    assert text.parse(named, ParseOptions()).title == "Bees"
