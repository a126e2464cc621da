"""Bytes to text: the encoding of a file that may or may not say which one it has."""

from __future__ import annotations

import codecs
import re

from roma_core.errors import ErrorCode, ParserError
from roma_core.parsers.media import BOMS

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


def decode(data: bytes, declared: str | None = None) -> str:
    """Text of ``data``, with line breaks as ``\\n`` and without byte order mark. Raises ``EMPTY`` for nothing.

    In order: byte order mark, UTF-16/32 by its zero bytes, UTF-8, the declared encoding, then a guess.
    """
    if not data.strip(b"\x00 \t\r\n"):
        raise ParserError("The file is empty.", ErrorCode.PARSER_EMPTY)
    text = data.decode(encoding_of(data, declared), errors="replace")
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")


def encoding_of(data: bytes, declared: str | None = None) -> str:
    """Name of the codec that ``data`` is most likely written in."""
    for mark, name in BOMS:
        if data.startswith(mark):
            return name
    wide = _wide(data[:4096])
    if wide:
        return wide
    for candidate in ("utf-8", known(declared)):
        if candidate and _reads(data, candidate):
            return candidate
    return _guess(data)


def known(name: str | None) -> str | None:
    """The codec behind a declared name; what pages call latin-1 is read as cp1252, as browsers do."""
    try:
        codec = codecs.lookup((name or "").strip()).name
    except (LookupError, ValueError):
        return None
    return {"iso8859-1": "cp1252", "ascii": "cp1252", "shift_jis": "cp932", "gb2312": "gb18030"}.get(codec, codec)


def _wide(head: bytes) -> str | None:
    """UTF-16 or UTF-32 without a mark: Latin text has zeros at fixed places."""
    if len(head) < 4 or b"\x00" not in head:
        return None
    share = [head[i::4].count(0) / max(1, len(head[i::4])) for i in range(4)]
    for name, zeros in (
        ("utf-32-le", (1, 2, 3)),
        ("utf-32-be", (0, 1, 2)),
        ("utf-16-le", (1, 3)),
        ("utf-16-be", (0, 2)),
    ):
        if all(share[i] > 0.6 for i in zeros) and all(share[i] < 0.2 for i in range(4) if i not in zeros):
            return name
    return None


def _reads(data: bytes, name: str) -> bool:
    try:
        data.decode(name)
    except (UnicodeError, LookupError):
        return False
    return True


def _guess(data: bytes) -> str:
    """A legacy encoding: East Asian ones by what they decode to, the rest by charset-normalizer's statistics."""
    sample = data[:_SAMPLE]
    score, name = max(((_asian_score(sample, name), name) for name in _COMMON), key=lambda pair: pair[0])
    if score > 0.85 and _reads(data, name):
        return name
    from charset_normalizer import from_bytes

    matches = list(from_bytes(sample, cp_exclusion=list(_COMMON))) if len(sample) >= 64 else []
    readable = [match for match in matches if _reads(data, match.encoding)]
    # Western European is by far the likeliest where the statistics see no difference.
    best = min(readable, key=lambda m: (m.chaos, -m.coherence, "cp1252" not in m.could_be_from_charset), default=None)
    return "cp1252" if best is None or "cp1252" in best.could_be_from_charset else best.encoding


def _asian_score(sample: bytes, name: str) -> float:
    """Share of the wide characters of ``sample``, read as ``name``, that are in daily use; 0 if few stand in runs."""
    try:
        text = codecs.getincrementaldecoder(name)().decode(sample)
    except UnicodeError:
        return 0.0
    wide = [c for c in text if c >= "\x80"]
    if sum(map(len, _RUN.findall(text))) < 0.6 * max(1, len(wide)) or (name == "euc_jp" and not _KANA.search(text)):
        return 0.0
    leads = [c.encode(name)[0] for c in wide]
    return sum(any(low <= lead <= high for low, high in _COMMON[name]) for lead in leads) / len(leads)
