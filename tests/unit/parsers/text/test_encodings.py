"""Damaged and short files keep their words, and say what was replaced or guessed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roma_core.parsers.base import ParseOptions
from roma_core.parsers.media import BINARY, TEXT, detect
from roma_core.parsers.text import plain
from roma_core.parsers.text.encodings import decode
from roma_core.types import RawDocument

LANGUAGES = {
    "Chinese": "第7条 本合同自双方签字之日起生效，有效期为三年。\n",
    "Japanese": "この契約は署名の日から三年間有効である。\n",
    "Korean": "이 계약은 서명한 날부터 삼 년 동안 유효합니다.\n",
    "Russian": "Договор вступает в силу со дня подписания.\n",
    "Greek": "Η σύμβαση ισχύει για τρία χρόνια.\n",
    "Arabic": "يسري هذا العقد لمدة ثلاث سنوات.\n",
    "Hindi": "यह अनुबंध तीन वर्ष के लिए मान्य है।\n",
    "Thai": "สัญญานี้มีผลบังคับใช้เป็นเวลาสามปี\n",
    "German": "Die Größe der Straße beträgt fünf Meter – „genau“.\n",
}


@pytest.mark.parametrize("words", LANGUAGES.values(), ids=LANGUAGES)
@pytest.mark.parametrize("damage", [b"\xff", b"\xe9", b"\x80\x81", b"\xc3", b"\xf0\x9f"])
def test_a_bad_byte_damages_nothing_but_itself(words: str, damage: bytes) -> None:
    data = (words * 20).encode() + damage + b"\n" + (words * 20).encode()
    warnings: list[str] = []
    text = decode(data, warn=warnings.append)
    assert text.count(words.strip()) == 40 and "\ufffd" in text
    assert len(warnings) == 1 and "UTF-8" in warnings[0]


@pytest.mark.parametrize("words", LANGUAGES.values(), ids=LANGUAGES)
def test_a_file_cut_inside_a_character_keeps_the_rest(words: str) -> None:
    data = (words * 20).encode()
    last = max(i for i, byte in enumerate(data) if byte >= 0x80)
    assert decode(data[:last]).count(words.strip()) >= 19


@pytest.mark.parametrize("words", LANGUAGES.values(), ids=LANGUAGES)
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_wide_text_without_a_mark_is_read(words: str, encoding: str) -> None:
    data = (words * 10).encode(encoding)
    assert decode(data) == words * 10
    assert detect(RawDocument(uri="a.txt", data=data)) == TEXT


@pytest.mark.parametrize("words", LANGUAGES.values(), ids=LANGUAGES)
def test_zero_bytes_in_utf8_are_dropped(words: str) -> None:
    data = (words * 10).encode() + b"\x00\x00" + (words * 10).encode()
    assert decode(data) == words * 20
    assert detect(RawDocument(uri="a.txt", data=data)) == TEXT


def test_a_short_legacy_file_says_that_its_encoding_is_a_guess() -> None:
    document = plain.parse(RawDocument(uri="a.txt", data="Größe: fünf".encode("cp1252")), ParseOptions())
    assert document.text == "Größe: fünf" and "encoding" in document.warnings[0]


def test_terminal_codes_are_no_words() -> None:
    log = "10:00 \x1b[31mERROR\x1b[0m disk \x1b]0;title\x07full\x1b[K on node-7"
    assert decode(log.encode()) == "10:00 ERROR disk full on node-7"


@pytest.mark.parametrize("data", [bytes(range(256)) * 16, b"\x7fELF\x02\x01\x01" + bytes(9) + bytes(range(200)) * 9])
def test_a_program_is_no_text(data: bytes) -> None:
    assert detect(RawDocument(uri="a.txt", data=data)) == BINARY


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\x00\r\x1b\x9b\ufeff"), min_size=1))
def test_utf8_is_read_as_it_is(text: str) -> None:
    if text.strip("\x00 \t\r\n"):
        assert decode(b"\xef\xbb\xbf" + text.encode()) == text
