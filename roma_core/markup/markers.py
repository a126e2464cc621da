"""The grammar of the marker: how an answer names its passages. The one place that knows how a marker is spelt. Pure.

ROMA writes ``[1]``. It reads ``[1, 2]``, ``[1-3]``, ``[1][3]`` too, and the styles that models use instead:

======================  =================================================================================
brackets                ``【1】 ［1］ [[1]] [^1] [#1] [1 and 2] [1]-[3] 【1†source】 [1, p. 4] [1](#1)``
brackets with a noun    ``[Passage 1] [Source: 1, 2] [citation:1] [doc 1] (Passage 1) (see sources 1 and 2)``
with a title            ``[Passage 1: Rope bridge] (according to source 1) [P1] [ID:1]``
markup                  ``<sup>1</sup> <cite>1</cite> <cite id="1">words</cite> \\cite{1} ^1^ $^{1}$ ##1$$``
bare                    ``(1)``, ``①``, ``word.¹``, ``According to Source 1``: only where the answer has no other style
======================  =================================================================================

No markers are: whatever stands in code, links, formulas and behind a backslash, definitions (``[1]: ...``), what has a
number that is no number of a passage and could be a year, a power, a count, a list item or the number of an equation.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from roma_core.markup.parse import MarkedSpan, covering, parse_blocks

_OPEN, _CLOSE = r"[\[【［〔〖⟦❲]", r"[\]】］〕〗⟧❳]"
_NOUN = (
    r"(?:passages?|sources?|documents?|docs?|citations?|cites?|cit|references?|refs?|excerpts?|snippets?|contexts?"
    r"|chunks?|quotes?|evidence|texts?|numbers?|nos?\.|nr\.|n[.°]|№|(?-i:[PSD](?=\d))"
    r"|quellen?|dokumente?|abschnitte?|textstellen?|stellen?|auszug|fuentes?|documentos?|pasajes?|extraits?|fonti?|fontes?"
    r"|passaggi[oi]?|passagens?|trechos?|bron(?:nen)?|källor?|kilder?"
    r"|来源|來源|资料|資料|文档|文檔|片段|段落|引用|文献|出典|参考|출처|문서|구절|المصدر|источники?|фрагменты?|отрыв(?:ок|ки))"
)
_BARE_NOUN = (
    r"(?:passages?|sources?|documents?|docs?|citations?|references?|refs?|excerpts?|snippets?|quellen?|来源|出典)"
)
_DASH = r"[-–—‑−]"
_NUMBER = rf"(?:{_NOUN}\s*[:.#_-]?\s*)?#?\d{{1,3}}"
_LIST = rf"{_NUMBER}(?:\s*(?:,\s*(?:and|&|und|y|et)\b|[,;、，&+]|{_DASH}|\b(?:and|to|und|y|et|or)\b)\s*{_NUMBER})*"
_LOCATOR = (
    r"(?:\s*†[^\]】］〕\n]{0,80}"
    r"|\s*[,:]?\s*(?:pp?|pages?|lines?|sec(?:tion)?s?|para(?:graph)?s?|ll?|§)\.?\s*\d+(?:\s*[-–]\s*\d+)?)?"
)
_TITLE = r"(?:\s*[:–—-]\s+[^\W\d_][^\]】］〕()\n]{2,80})?"
"""A title behind the number: ``[Passage 1: Rope bridge]``."""
_PREAMBLE = (
    r"(?:according to|as (?:stated|described|noted|mentioned|shown|seen) in|based on|as per|laut|nach|siehe|vgl\.?"
    r"|selon|voir|según|véase|secondo|vedi)\s+(?:the\s+)?"
)
_LEAD = rf"(?:\^|[#*†]|(?:id|ref|see|cf|from|per)(?:\s*[:.]\s*|\s+)|{_PREAMBLE})?"
_NOT_A_LINK = r"(?!\(|\]|:[ \t]*\S*[:/])"
_NOT_A_NOTE = r"(?!:[ \t])"
_PLAIN = rf"\[\s*\d{{1,3}}(?:\s*[,;–-]\s*\d{{1,3}})*\s*\]{_NOT_A_LINK}"

_RAISED = "¹²³⁴⁵⁶⁷⁸⁹⁰"
_BRACKETED = re.compile(
    rf"(?P<double>\[\[\s*{_LIST}{_LOCATOR}\s*\]\](?!\())"
    rf"|(?P<range>\[\d{{1,3}}\]\s?{_DASH}\s?\[\d{{1,3}}\](?!\(|:))"
    rf"|(?P<plain>{_PLAIN})"
    rf"|(?P<anchor>\[{{1,2}}\^?\d{{1,3}}\]{{1,2}}\(#[^()\s]{{0,40}}\))"
    rf"|(?P<styled>\^?{_OPEN}\s*{_LEAD}{_LIST}(?:{_TITLE}|{_LOCATOR})\s*\^?{_CLOSE}(?:\^(?!\w))?{_NOT_A_LINK}{_NOT_A_NOTE})"
    rf"|(?P<openai>【\d+:\d+†[^】\n]{{0,80}}】)"
    rf"|(?P<named>[(（]\s*{_LEAD}{_BARE_NOUN}\s*[:.#]?\s*{_LIST}(?:{_TITLE}|{_LOCATOR})\s*[)）])"
    rf"|(?P<tag><(?P<name>cite|ref|citation|source|co)\b[^<>\n]{{0,40}}>\s*\[?{_LIST}\]?\s*</(?P=name)>"
    rf"|<(?:cite|ref|citation|source)\s+(?:id|index|n)\s*=\s*[\"']?\d{{1,3}}[\"']?\s*/?>)"
    rf"|(?P<raised_brackets><sup>\s*\[\s*{_LIST}\s*\]\s*</sup>|\[[{_RAISED}]{{1,3}}\])"
    rf"|(?P<hashed>##\d{{1,3}}\$\$)"
    rf"|(?P<cite>\\cite[pt]?\{{\s*{_LIST}\s*\}})",
    re.IGNORECASE,
)
_WRAPPED = re.compile(
    r"<(cite|ref|citation|source)\s+(?:id|ids|index|n|ref|doc|source|number)\s*=\s*[\"']?(\d{1,3}(?:\s*,\s*\d{1,3})*)[\"']?\s*>"
    r"([^<>\n]{1,600})</\1>",
    re.IGNORECASE,
)
_RAISED_GROUP = rf"[{_RAISED}]+(?:[,;˒’'⸴,\s]?[{_RAISED}]+)*"
_BARE = re.compile(
    rf"(?P<raised>⁽?{_RAISED_GROUP}⁾?|\$\^\{{?\[?\d{{1,3}}(?:,\s?\d{{1,3}})*\]?\}}?\$|<sup>\s*\[?\d{{1,3}}(?:\s*,\s*\d{{1,3}})*\]?\s*</sup>|\^\d{{1,3}}(?:,\s?\d{{1,3}})*\^)"
    rf"|(?P<paren>[(（]\s*\d{{1,3}}(?:\s*[,;–-]\s*\d{{1,3}})*\s*[)）]|[①-⑳]+)"
    rf"|(?P<spelt>\b{_BARE_NOUN}\s*[:#]?\s*#?\d{{1,3}}(?:\s*(?:,|and|&|und)\s*\d{{1,3}})*\b(?![.,]?\d|%|:\s*\w|\s+(?:of|in)\b))",
    re.IGNORECASE,
)
_ANY_OPENING = re.compile(r"(?<=<sup>)\s*\[|<(?!sup>\s*\[)|[#\[【［〔〖⟦❲(（\\]")
_CANDIDATE = re.compile(rf"[\[【［〔〖⟦❲(（<#$①-⑳\\{_RAISED}^]|\b{_BARE_NOUN}\b", re.IGNORECASE)
_MATHS = re.compile(
    r"(?<!##\d)(?<!##\d\d)\$\$.{1,400}?\$\$|(?<![\w$])\$(?=\S)[^$\n]{0,200}?[\\^_={}][^$\n]{0,200}?(?<=\S)\$(?!\w)"
    r"|\\\(.{1,400}?\\\)|\\\[(?!\d+\]).{1,400}?\\\]",
    re.DOTALL,
)
_PART = re.compile(rf"(\d+)(?:\s*(?:\]\s?{_DASH}\s?\[|{_DASH}|\bto\b)\s*(?:{_NOUN}\s*)?(\d+))?", re.IGNORECASE)
_TITLE_BEHIND = re.compile(rf"(?<=\d){_TITLE[:-1]}(?=\s*\^?[\])）】］〕])")
_OF_A_TUPLE = re.compile(
    r"(?:\b(?:intervals?|ranges?|between|vectors?|tuples?|points?|pairs?|shape|coordinates?|set|[a-z]\s+in)|[∈=])\s*\Z",
    re.IGNORECASE,
)
_NUMBERED_THING = re.compile(
    r"\b(?:eqs?|equations?|fig(?:ure)?s?|tables?|steps?|sections?|chapters?|types?|versions?|levels?|phases?|class(?:es)?"
    r"|grades?|rules?|items?|options?|parts?|no|nos|article|clause|paragraph|appendix|group|stage|question|case|line"
    r"|one|two|three|four|five|six|seven|eight|nine|ten)\.?\s*\Z",
    re.IGNORECASE,
)
_RAISED_UNIT = re.compile(
    r"(?:^|[\s\d./·(])(?:[a-zµμ]|[kcdmnµμhM]m|kg|ms|in|mi|yds?|yards?|ft|feet|foot|inch(?:es)?|miles?|[a-z]*met(?:er|re)s?|sec|mol|rad|deg"
    r"|sin|cos|tan|log|ln|exp|chi|sigma|R|CO|[A-Z])\Z",
    re.IGNORECASE,
)
_ENDS_WORD = re.compile(r"(?:[^\W\d_]{3,}|\s|\b\d{3,4}|[.,;:!?)\"”’])\s?\Z")
_ENDS_PHRASE = re.compile(r"\s*(?:[.,;:!?。，；！？)\]\"'”’*_]|\n|\Z|[(（]\s*\d)")
_SENTENCE_START = re.compile(r"(?:\A|[.!?:]\s|\n)[\s>*#_\"“(-]*\Z")
MOST_PASSAGES = 999
"""Passages that a marker can name: it has at most three digits."""
_WORD_JOINER = "\u2060"
_CONTEXT = 12
"""Characters before a number in brackets that must agree with the source's for it to be the source's own."""


@dataclass(frozen=True)
class Marker:
    """``text[start:end]`` is one group that names passages by ``numbers`` (1-based, as written).

    A *bare* marker is one that has no brackets of its own kind, such as ``(1)``.
    """

    start: int
    end: int
    numbers: tuple[int, ...]
    bare: bool = False


def read_markers(text: str, passages: int = MOST_PASSAGES) -> list[Marker]:
    """Return the markers of ``text`` in order, in every style that has brackets of its own.

    Ranges are cut at ``passages``, the number of passages that the answer was written from. Other numbers stay as
    written, so that a caller can count the ones that name no passage.

    >>> [marker.numbers for marker in read_markers("Built in 1902 [1], rebuilt in 1950 [2, 3].", passages=3)]
    [(1,), (2, 3)]
    """
    if not _CANDIDATE.search(text):
        return []
    return list(_find_bracketed(text, passages, _find_excluded(text)))


def _read_any_style(text: str, passages: int) -> list[Marker]:
    """Return the markers of a text fresh from a model: bare ones too where it has no others."""
    if not _CANDIDATE.search(text):
        return []
    excluded = _find_excluded(text)
    return list(_find_bracketed(text, passages, excluded)) or list(_bare(text, passages, excluded))


def _find_excluded(text: str) -> list[MarkedSpan]:
    """Return what no marker may touch: code, links, images, escaped signs, formulas; sorted."""
    spans = [span for block in parse_blocks(text) for span in block.spans]
    spans += [MarkedSpan("code", match.start(), match.end()) for match in _MATHS.finditer(text)]
    return sorted(spans, key=lambda span: (span.start, -span.end))


def _find_bracketed(text: str, passages: int, excluded: Sequence[MarkedSpan]) -> Iterator[Marker]:
    position = 0
    while match := _BRACKETED.search(text, position):
        position = match.end()
        escaped = covering(excluded, *match.span())
        may_be_covered = match["cite"] or (match["anchor"] and escaped and escaped.kind == "link")
        if escaped and not (may_be_covered and escaped.start == match.start()):
            position = max(match.start() + 1, min(escaped.end, match.end()))
            continue
        if text[match.start() - 1 : match.start()] == "\\" and not match["cite"]:
            continue
        numbers = () if match["openai"] else tuple(dict.fromkeys(_numbers(match[0], passages)))
        if match["openai"]:
            yield Marker(*match.span(), (0,))  # names a message and a file of another system: no passage of ours
        elif _may_be_marker(match, text, numbers, passages):
            yield Marker(*match.span(), numbers)


def _may_be_marker(match: re.Match[str], text: str, numbers: tuple[int, ...], passages: int) -> bool:
    before = text[max(0, match.start() - 24) : match.start()]
    if match["plain"]:
        is_tuple = len(numbers) > 1 and (0 in numbers or bool(_OF_A_TUPLE.search(before)))
        return not is_tuple
    if match["named"] or match["styled"]:
        return any(1 <= n <= passages for n in numbers) or bool(re.search(r"[【［†^]", match[0]))
    return True


def _bare(text: str, passages: int, excluded: Sequence[MarkedSpan]) -> Iterator[Marker]:
    for match in _BARE.finditer(text):
        is_formula = match[0].startswith("$")
        if (covering(excluded, *match.span()) and not is_formula) or text[match.start() - 1 : match.start()] == "\\":
            continue
        before = text[max(0, match.start() - 24) : match.start()]
        if match["raised"]:
            numbers = tuple(dict.fromkeys(_raised_numbers(match[0], passages)))
            fits = bool(before) and not _RAISED_UNIT.search(before) and not before[-1].isdigit()
            # "acres²" has a unit we know by its place: a power follows a number and a word
            fits = fits and not re.search(r"\d\s?[^\W\d_]+\Z", before)
            # "$^{3}$He" is an isotope, "mc$^2$" a power
            is_word = _ENDS_WORD.search(before) is not None and not text[match.end() : match.end() + 1].isalnum()
            fits = fits and (is_word or not is_formula)
        elif match["paren"]:
            numbers = tuple(dict.fromkeys(_numbers(match[0], passages)))
            fits = _stands_behind_words(text, match, before)
        else:
            numbers = tuple(dict.fromkeys(_numbers(match[0], passages)))
            fits = True
        if fits and numbers and all(1 <= n <= passages for n in numbers):
            yield _place_marker(text, match, numbers)


def _place_marker(text: str, match: re.Match[str], numbers: tuple[int, ...]) -> Marker:
    """Return the marker; a spelt one that begins a sentence keeps its words and marks the place behind them."""
    if match["spelt"] and _SENTENCE_START.search(text, max(0, match.start() - 12), match.start()):
        return Marker(match.end(), match.end(), numbers, bare=True)
    return Marker(*match.span(), numbers, bare=True)


def _stands_behind_words(text: str, match: re.Match[str], before: str) -> bool:
    """Return whether ``(1)`` ends a phrase: it is no call, no list item, no equation and no count."""
    glued = before[-1:].isalnum() or before[-1:] in {"_", ")", "]"}
    if not before.strip() or glued:
        return False
    if before[-1:] in set(".!?。！？"):
        return True
    if _SENTENCE_START.search(text, max(0, match.start() - 12), match.start()):
        ends_block = before.rstrip(" \t")[-1:] in set(".!?。") and bool(
            re.match(r"[ \t]*(?:\n|\Z)", text[match.end() :])
        )
        return ends_block
    if _NUMBERED_THING.search(before) or _OF_A_TUPLE.search(before) or re.search(r"[=+*/<>^]\s*\Z", before):
        return False
    return bool(_ENDS_PHRASE.match(text, match.end()))


def _numbers(group: str, passages: int) -> Iterator[int]:
    group = _TITLE_BEHIND.sub("", group.partition("](#")[0])
    group = re.split(
        "†",
        re.sub(r"(?<=\d)\s*[,:]?\s*(?:pp?|pages?|lines?|sec\w*|para\w*|§)\.?\s*\d.*\Z", "", group, flags=re.I | re.S),
    )[0]
    for first, last in _PART.findall(unicodedata.normalize("NFKC", group)):
        low, high = int(first), int(last or first)
        yield low
        yield from range(low + 1, min(high, passages) + 1)


def _raised_numbers(group: str, passages: int) -> Iterator[int]:
    plain = unicodedata.normalize("NFKC", group)
    for run in re.findall(r"\d+", plain):
        if int(run) <= passages or len(run) == 1:
            yield int(run)
        else:
            yield from map(int, run)  # "¹²" of two passages


def normalise_markers(text: str, passages: int, sources: Sequence[str] = ()) -> str:
    """Return the text with each marker, in whatever style, as ``[n]``; a number that ``sources`` has is escaped.

    >>> normalise_markers("Built in 1902 [Passage 1] and rebuilt in 1950【2†source】.", passages=2)
    'Built in 1902 [1] and rebuilt in 1950[2].'
    """
    escaped = escape_quoted(_unwrap_cited(text), sources)
    parts: list[str] = []
    last = 0
    markers = _without_quoted(escaped, _read_any_style(escaped, passages), sources)
    notes = _notes(escaped, markers)
    for marker in markers:
        between = escaped[last : marker.start]
        if marker in notes:
            group = escaped[marker.start : marker.end]
            parts += (between, _escape(group, [Marker(0, len(group), marker.numbers)]))
            last = marker.end
            continue
        spaced = marker.bare and between and not between[-1].isspace() and marker.start == marker.end
        parts += (between, " " if spaced else "", *(f"[{n}]" for n in marker.numbers))
        last = marker.end
    return "".join((*parts, escaped[last:]))


def _unwrap_cited(text: str) -> str:
    """Return the text with ``words [n]`` for words in a tag that names passages: ``<cite id="1">words</cite>``."""
    return _WRAPPED.sub(lambda match: f"{match[3]} [{match[2].strip()}]", text.replace("[cite_start]", ""))


def _notes(text: str, markers: Sequence[Marker]) -> list[Marker]:
    """Return the markers that begin the lines of a list of references at the end: ``[1] Handbook of bridges``."""
    notes: list[Marker] = []
    end = len(text)
    for marker in reversed(markers):
        line = text.rfind("\n", 0, marker.start) + 1
        begins_line = not text[line : marker.start].strip(" \t-*>") and "\n" not in text[marker.end : end].strip()
        if not begins_line or not text[marker.end : end].strip(" \t:\n"):
            break
        notes.append(marker)
        end = line
    used_before = {number for marker in markers[: len(markers) - len(notes)] for number in marker.numbers}
    return notes if notes and all(used_before.issuperset(note.numbers) for note in notes) else []


def _without_quoted(text: str, markers: Sequence[Marker], sources: Sequence[str]) -> list[Marker]:
    """Return the markers without the bare ones whose words stand in a source: "Document 1" of a treaty."""
    return [m for m in markers if not (m.bare and _is_quoted(text, m, sources))]


def _is_quoted(text: str, marker: Marker, sources: Sequence[str]) -> bool:
    phrase = text[max(0, marker.start - _CONTEXT) : marker.end]
    return len(phrase) > _CONTEXT // 2 and any(phrase in source for source in sources)


def rewrite_markers(text: str, passages: int, keep: Callable[[int], bool]) -> tuple[str, int]:
    """Return the text with each kept number as a marker of its own (``[1][3]``), and how many numbers were dropped.

    A group that loses all its numbers goes with the blanks before it. What is left may close up to a new marker, so
    this is repeated until nothing more is dropped: every marker of the result names a number that is kept.
    """
    total = 0
    while True:
        rewritten, dropped = _rewrite_once(text, passages, keep)
        total += dropped
        if not dropped or rewritten == text:
            return rewritten, total
        text = rewritten


def _rewrite_once(text: str, passages: int, keep: Callable[[int], bool]) -> tuple[str, int]:
    parts: list[str] = []
    last = dropped = 0
    for marker in read_markers(text, passages):
        kept = [n for n in marker.numbers if 1 <= n <= passages and keep(n)]
        dropped += len(marker.numbers) - len(kept)
        before = text[last : marker.start]
        parts.append(before if kept else before.rstrip(" \t"))
        parts.extend(f"[{n}]" for n in kept)
        last = marker.end
    parts.append(text[last:])
    return "".join(parts), dropped


def escape_markers(quote: str) -> str:
    """Return a quotation whose own references are escaped: ``\\[3]`` is shown as ``[3]`` and cites nothing.

    >>> print(escape_markers("Built by Ada Kern [1]."))
    Built by Ada Kern \\[1].
    """
    return _escape(quote, read_markers(quote))


def escape_quoted(text: str, sources: Sequence[str]) -> str:
    """Return the text with ``\\[7]`` for each ``[7]`` that a source has behind the same words: a reference of its own.

    Papers and encyclopedias are full of them, and a word-for-word quotation must not seem to cite another passage.
    """
    if not sources:
        return text
    return _escape(text, [marker for marker in read_markers(text) if _is_of_source(text, marker, sources)])


def _is_of_source(text: str, marker: Marker, sources: Sequence[str]) -> bool:
    if marker.bare or marker.start < _CONTEXT:
        return False
    context = text[marker.start - _CONTEXT : marker.end]
    return any(context in source for source in sources)


def _escape(text: str, markers: Sequence[Marker]) -> str:
    parts: list[str] = []
    last = 0
    for marker in markers:
        sign = _ANY_OPENING.search(text, marker.start)
        if marker.bare or sign is None:
            continue
        is_ascii = sign[0].isascii()
        at = sign.end() - 1 if is_ascii else sign.end()
        parts += (text[last:at], "\\" if is_ascii else _WORD_JOINER)
        last = at
    return "".join((*parts, text[last:]))


def remove_markers(text: str, passages: int = MOST_PASSAGES) -> str:
    """Return what the text says without its markers, with a blank in the place of each."""
    parts: list[str] = []
    last = 0
    for marker in read_markers(text, passages):
        parts += (text[last : marker.start], " ")
        last = marker.end
    return "".join((*parts, text[last:]))


def mask_markers(text: str, markers: Sequence[Marker]) -> str:
    """Return the text with blanks for markers: what the claims say, at the same offsets."""
    chars = list(text)
    for marker in markers:
        chars[marker.start : marker.end] = " " * (marker.end - marker.start)
    return "".join(chars)
