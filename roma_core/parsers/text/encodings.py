"""Bytes to text: the encoding of a file that may or may not say which one it has.

UTF-8 is read with tolerance: a log with one broken line, or a download cut inside a character, is UTF-8 all the same.
What had to be replaced or guessed is a warning, never silent.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterable

from roma_core.errors import ErrorCode, ParserError
from roma_core.parsers.media import BOMS, find_wide_encoding, valid_utf8_share

Warn = Callable[[str], None]

LEAST_VALID_SHARE = 0.9
"""Share of the bytes above 0x7F in valid sequences, from which on a file is UTF-8 with damage. Legacy encodings stay
far below: their letters do not follow UTF-8's pattern of lead and continuation bytes."""
SURE_NON_ASCII = 200
"""Letters outside of ASCII from which on the statistics of a legacy encoding are reliable."""

_RUN = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7a3]{2,}")
_KANA = re.compile(r"[\u3040-\u30ff]")
_COMMON: dict[str, tuple[tuple[int, int], ...]] = {
    "cp932": ((0x82, 0x83), (0x88, 0x97)),
    "euc_jp": ((0xA4, 0xA5), (0xB0, 0xCF)),
    "euc_kr": ((0xB0, 0xC8),),
    "big5": ((0xA4, 0xC6),),
    "gb18030": ((0xB0, 0xD7),),
}
"""Lead bytes of the characters in daily use: kana, hangul and level 1 of JIS X 0208, Big5 and GB 2312."""
_SAMPLE = 1 << 16
_TERMINAL = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[PX^_][^\x1b]*\x1b\\|[ -/]*[0-~])|\x9b[0-?]*[ -/]*[@-~]"
)
"""Control sequences of terminals (ECMA-48): colours and cursor moves in logs are no words."""


def ignore_warning(message: str) -> None:
    """Drop a warning, for callers that have nowhere to show it."""


def decode(data: bytes, declared: str | None = None, warn: Warn = ignore_warning) -> str:
    """Return the text of ``data``, with line breaks as ``\\n``, without byte order mark and terminal codes.

    In order: byte order mark, UTF-16 or UTF-32 by structure, UTF-8, the declared encoding, UTF-8 with damage, a guess.
    ``warn`` is handed what was replaced or guessed. Raises ``EMPTY`` for nothing.
    """
    if not data.strip(b"\x00 \t\r\n"):
        raise ParserError("The file is empty.", ErrorCode.PARSER_EMPTY)
    text = data.decode(find_encoding(data, declared, warn), errors="replace")
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")
    return _TERMINAL.sub("", text) if "\x1b" in text or "\x9b" in text else text


def find_encoding(data: bytes, declared: str | None = None, warn: Warn = ignore_warning) -> str:
    """Return the name of the codec that ``data`` is most likely written in."""
    for mark, name in BOMS:
        if data.startswith(mark):
            return name
    wide = find_wide_encoding(data)
    if wide:
        return wide
    named = find_codec(declared)
    for candidate in ("utf-8", named):
        if candidate and _can_decode(data, candidate):
            return candidate
    valid_share = valid_utf8_share(data)
    if valid_share >= LEAST_VALID_SHARE or (named == "utf-8" and valid_share >= 0.5):
        warn("some bytes are no valid UTF-8 and were replaced by \ufffd; the file may be damaged")
        return "utf-8"
    guess = _guess(data)
    if sum(byte > 0x7F for byte in data[:_SAMPLE]) < SURE_NON_ASCII:
        warn(f"the file does not say its encoding, and is too short to be sure: it was read as {guess}")
    return guess


def find_codec(name: str | None) -> str | None:
    """Return the codec behind a declared name; what pages call latin-1 is read as cp1252, as browsers do."""
    try:
        codec = codecs.lookup((name or "").strip()).name
    except (LookupError, ValueError):
        return None
    return {"iso8859-1": "cp1252", "ascii": "cp1252", "shift_jis": "cp932", "gb2312": "gb18030"}.get(codec, codec)


def _can_decode(data: bytes, name: str) -> bool:
    try:
        data.decode(name)
    except (UnicodeError, LookupError):
        return False
    return True


def _guess(data: bytes) -> str:
    """Return a legacy encoding: East Asian by what it decodes to, the rest by charset-normalizer's statistics."""
    sample = data[:_SAMPLE]
    score, name = max(((_score_asian(sample, name), name) for name in _COMMON), key=lambda pair: pair[0])
    if score > 0.85 and _can_decode(data, name):
        return name
    from charset_normalizer import CharsetMatch, from_bytes

    matches: Iterable[CharsetMatch] = from_bytes(sample, cp_exclusion=list(_COMMON)) if len(sample) >= 32 else []
    readable = [match for match in matches if _can_decode(data, match.encoding)]
    # Western European is by far the likeliest where the statistics see no difference.
    best = min(readable, key=lambda m: (m.chaos, -m.coherence, "cp1252" not in m.could_be_from_charset), default=None)
    return "cp1252" if best is None or "cp1252" in best.could_be_from_charset else best.encoding


def _score_asian(sample: bytes, name: str) -> float:
    """Return the share of the wide characters, read as ``name``, that are in daily use; 0 if few stand in runs."""
    try:
        text = codecs.getincrementaldecoder(name)().decode(sample)
    except UnicodeError:
        return 0.0
    wide = [c for c in text if c >= "\x80"]
    if sum(map(len, _RUN.findall(text))) < 0.6 * max(1, len(wide)) or (name == "euc_jp" and not _KANA.search(text)):
        return 0.0
    leads = [c.encode(name)[0] for c in wide]
    return sum(any(low <= lead <= high for low, high in _COMMON[name]) for lead in leads) / len(leads)
