"""Does a passage say what a claim says? A deterministic lexical check, and the words of the passage that say it. Pure.

A claim is *verbatim* when its words stand in the passage in the same order, *supported* when most of its content words,
all of its numbers and its negation are found in one place and no name of it is foreign to the passage, *partial* when a
good part is found, else *unsupported*. The check reads words, not meaning: it cannot see that "bought" and "acquired"
agree, and it is not fooled by a number, a name or a "not" that differs. ``docs/benchmarks/citations.md`` tells how well
it does against human labels, and why the cross-encoder has no say: that tells what a passage is about, not whether it
agrees.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass

from roma_core.markup.sentences import split_sentences
from roma_core.types import Verdict

SUPPORTED = 0.65
"""Least coverage for *supported*; with ``PARTIAL`` near the best macro F1 on the development half of WiCE, on the
strict side."""
PARTIAL = 0.3
"""Least coverage for *partial*."""
ONE_FACT = 8
"""Claims of at most this many content words state one fact. There a word more decides, and a number or a negation that
differs contradicts it; in a longer claim it takes away a part."""
STRICTER = 0.1
"""Added to both thresholds for a claim of one fact."""
MAX_WINDOW = 3
"""A quote has at most this many sentences ..."""
LONGER = 0.04
"""... and another one must add this much coverage."""

_WORD = re.compile(
    r"(?P<skipped>\\?[\[【]\d{1,3}(?:\s*[,;–-]\s*\d{1,3})*\\?[\]】](?!\()|(?<=\])\((?:[^()\s]|\([^()\s]*\))*\))"
    r"|(?P<minus>(?<![\w.)])[-−](?=\d))?(?P<digits>\d+(?:[.,]\d+)*)"
    r"|(?P<single>[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0e7f])"
    r"|(?P<word>[^\W\d_]+(?:['’][^\W\d_]+)?)"
    r"|(?P<sign>[%$€£¥°])"
)
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_BEGINS_SENTENCE = re.compile(r"(?:\A|[.!?:\n])[\s\"“'(*_#>-]*\Z")
_STOP = frozenset(
    "a about above after again all also am an and any are as at be because been before being below between both but by "
    "can could did do does doing down during each few for from further had has have having he her here hers herself "
    "him himself his how i if in into is it its itself just may me might more most my myself of off on once only or "
    "other our ours out over own same she should so some such than that the their theirs them themselves then there "
    "these they this those through to too under until up upon very was we were what when where which while who whom "
    "whose why will with would you your yours".split()
)
_NEGATION = frozenset(
    "no not never none neither nor without cannot nothing nobody nowhere hardly barely ain't isn't aren't wasn't "
    "weren't don't doesn't didn't won't wouldn't can't couldn't shouldn't hasn't haven't hadn't mustn't".split()
)
_SAME = {"percent": "%", "dollar": "$", "dollars": "$", "euro": "€", "euros": "€", "degrees": "°"} | {
    word: str(value)
    for value, word in enumerate("two three four five six seven eight nine ten eleven twelve".split(), start=2)
}
_REACH = 4
"""A negation governs this many content words behind it."""


@dataclass(frozen=True)
class Word:
    """One word: as it is compared exactly (``form``) and loosely (``stem``), where it stands, and what kind it is."""

    form: str
    stem: str
    start: int
    end: int
    number: bool = False
    name: bool = False

    @property
    def content(self) -> bool:
        return self.number or (self.form not in _STOP and self.form not in _NEGATION)

    @property
    def weight(self) -> float:
        """Numbers and names decide more than other words."""
        return 2.0 if self.number or self.name else 1.0


@dataclass(frozen=True)
class Support:
    """``passage[start:end]`` is the best quote for a claim; ``score`` is the weighted coverage (0..1)."""

    start: int
    end: int
    verdict: Verdict
    score: float


@functools.cache
def _stemmer() -> Callable[[str], str]:
    from py_rust_stemmers import SnowballStemmer

    return functools.lru_cache(maxsize=50_000)(SnowballStemmer("english").stem_word)


def words(text: str) -> list[Word]:
    """The words of ``text`` with their offsets; references (``[12]``) and where links lead are not words."""
    return list(each_word(text))


def each_word(text: str) -> Iterator[Word]:
    """The same one by one, for who needs only the first ones."""
    return (_word(m, text) for m in _WORD.finditer(text) if not m["skipped"])


def _word(match: re.Match[str], text: str) -> Word:
    start, end = match.span()
    if digits := match["digits"]:
        plain = digits.replace(",", "") if _THOUSANDS.fullmatch(digits) else digits
        form = ("-" if match["minus"] else "") + plain
        return Word(match[0], form, start, end, number=True)
    raw = unicodedata.normalize("NFKC", match[0]).replace("’", "'")
    form = raw.casefold()
    name = raw[0].isupper() and not _BEGINS_SENTENCE.search(text, max(0, start - 12), start)
    same = _SAME.get(form)
    stem = same or (form if form in _NEGATION else _stemmer()(form.removesuffix("'s")))
    return Word(form, stem, start, end, number=stem[:1].isdigit(), name=name)


def support(claim: str, passage: str, context: str = "") -> Support:
    """The best quote for ``claim`` in ``passage`` and how well it supports the claim.

    ``context`` (title, headings) says what the passage is about: its words count as known, but are never quoted. A
    claim without content words is *unverified*.
    """
    wanted = words(claim)
    present = words(passage)
    if exact := _verbatim(wanted, present, passage):
        return exact
    content = [w for w in wanted if w.content]
    known = {w.stem for w in words(context) if w.content}
    best = max(_windows(passage, present), key=lambda w: (_rank(content, w, known), -w.start), default=None)
    if best is None or not content:
        return Support(0, len(passage), "unverified", 0.0)
    score = _coverage(content, best.stems | known)
    foreign = {w.stem for w in content if w.name} - {w.stem for w in present} - known
    return Support(best.start, best.end, _verdict(wanted, best, known, score, foreign), round(score, 4))


def _verbatim(wanted: Sequence[Word], present: Sequence[Word], passage: str) -> Support | None:
    """The first place where all words of the claim stand in their order."""
    if not any(w.content for w in wanted):
        return None
    forms = [w.form for w in wanted]
    have = [w.form for w in present]
    for i in range(len(have) - len(forms) + 1):
        if have[i] == forms[0] and have[i : i + len(forms)] == forms:
            start, end = _whole(passage, present[i].start, present[i + len(forms) - 1].end)
            return Support(start, end, "verbatim", 1.0)
    return None


def _whole(text: str, start: int, end: int) -> tuple[int, int]:
    """With the signs around it where the words are a whole sentence, else with the full stop behind them."""
    for unit in split_sentences(text):
        around = text[unit.start : start] + text[end : unit.end]
        if unit.start <= start and end <= unit.end and not words(around):
            return unit.start, unit.end
    return start, _with_full_stop(text, end)


def _with_full_stop(text: str, end: int) -> int:
    closing = re.compile(r"[%)\"”’*_`]*[.!?…。！？]+[)\"”’*_`]*").match(text, end)
    return closing.end() if closing else end


@dataclass(frozen=True)
class _Window:
    start: int
    end: int
    size: int
    words: tuple[Word, ...]
    stems: frozenset[str]


def _windows(passage: str, present: Sequence[Word]) -> Iterator[_Window]:
    """Every run of one to ``MAX_WINDOW`` sentences."""
    units = split_sentences(passage)
    for size in range(1, MAX_WINDOW + 1):
        for i in range(len(units) - size + 1):
            start, end = units[i].start, units[i + size - 1].end
            inside = tuple(w for w in present if start <= w.start < end)
            yield _Window(start, end, size, inside, frozenset(w.stem for w in inside if w.content))


def _rank(content: Sequence[Word], window: _Window, known: Iterable[str]) -> float:
    return _coverage(content, window.stems.union(known)) - LONGER * (window.size - 1)


def _coverage(content: Sequence[Word], stems: Set[str]) -> float:
    """Weighted share of the content words that are among ``stems``."""
    total = sum(w.weight for w in content)
    return sum(w.weight for w in content if w.stem in stems) / total if total else 0.0


def _verdict(wanted: Sequence[Word], window: _Window, known: Set[str], score: float, foreign: Set[str]) -> Verdict:
    numbers = {w.stem for w in wanted if w.number}
    missing = numbers - window.stems - known
    same_polarity = _same_polarity(wanted, window.words)
    one_fact = sum(w.content for w in wanted) <= ONE_FACT
    contradicted = one_fact and (missing == numbers != set() or not same_polarity)
    bar = STRICTER if one_fact else 0.0
    if contradicted or score < PARTIAL + bar:
        return "unsupported"
    agrees = not missing and not foreign and same_polarity
    return "supported" if agrees and score >= SUPPORTED + bar else "partial"


def _same_polarity(claim: Sequence[Word], quote: Sequence[Word]) -> bool:
    """False when one side negates words that both have, and the other negates none of them."""
    shared = {w.stem for w in claim if w.content} & {w.stem for w in quote if w.content}
    ours, theirs = _negated(claim) & shared, _negated(quote) & shared
    return bool(ours) == bool(theirs)


def _negated(run: Sequence[Word]) -> set[str]:
    """Stems of the content words that a negation governs ("not only" negates nothing)."""
    governed: set[str] = set()
    for i, word in enumerate(run):
        if word.form in _NEGATION and not (i + 1 < len(run) and run[i + 1].form == "only"):
            governed.update([w.stem for w in run[i + 1 :] if w.content][:_REACH])
    return governed
