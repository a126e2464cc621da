"""Facts in an answer: whether it states them, compared by value, and not denied."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from roma_core.evals.golden.dataset import GoldenCase, Nugget
from roma_core.evals.measures.values import ValueToken, find_fact, put_amounts_in_order, read_values
from roma_core.markup import remove_markers

REACH = 6
"""Tokens behind a negation that it denies, up to the end of its clause."""
_NEGATIONS = frozenset(
    "not no never neither nor without cannot none nothing nobody nowhere hardly barely isn't aren't wasn't weren't "
    "don't doesn't didn't won't wouldn't can't couldn't shouldn't hasn't haven't hadn't mustn't ain't whether lacks "
    "nicht kein keine keinen keiner keinem keines nie niemals ohne weder ob "
    "pas jamais sans aucun aucune nunca jamás sin ningún ninguna non senza nessun nessuna não nem sem "
    "niet geen nooit zonder inte ikke ingen utan uden nigdy bez není не нет без никогда "
    "ليس ليست لا لم لن غير بدون 不 没 沒 非 未 无 無 안 못".split()
)
_ENDS_SCOPE = frozenset(
    "and or but however although though while whereas because since "
    "than unless until except if und oder aber sondern mais sino pero mas ma bensì maar а но 而".split()
)
_ONLY = frozenset("only just merely nur seulement".split())
_BOUNDS = frozenset(
    "before until till earlier later sooner more less fewer longer shorter higher lower over under above below after "
    "beyond exceeding exceed exceeds vor nach bis später früher mehr weniger länger über unter höher "
    "avant après plus moins antes después más menos".split()
)
"""Words that make a bound of the amount or date behind them: *not before 20 June* states 20 June."""
_BETWEEN = frozenset("than the a an dem den der als que de le la el".split())
"""Words that may stand between such a word and the amount."""
_CERTAIN = frozenset("doubt question wonder zweifel doute duda".split())
"""Words that turn a negation round: *there is no doubt that it is red* states red."""
_FALSE = (
    r"false|untrue|incorrect|wrong|not true|not correct|not the case|a myth|a lie|a rumou?r|falsch|unwahr|faux|falso"
)
_DENIED_BEFORE = re.compile(
    rf"\b(?:{_FALSE}|rejected|denied|denies|deny|refuted|disputed?|disputes|doubtful|unlikely)\b\s*,?\s*"
    r"(?:that|to (?:say|call|claim|think|believe|assume|state)|dass|daß|que)\b"
    rf"|\b(?:{_FALSE}|not so|nicht so)\s*:"
)
_DENIED_AFTER = re.compile(rf"\b(?:is|are|was|were|ist|est|es)\s+(?:{_FALSE})\b")
_REPLACED = re.compile(
    r"\b(?:anything but|far from|rather than|instead of|in place of|fail(?:s|ed)? to|used to (?:be|have|cost)|"
    r"no longer|statt|anstatt|anstelle|au lieu de|en lugar de|invece di|n(?:e |')\w+ plus)(?:\s+\w+){0,3}\s*\Z"
    r"|ไม่\S{0,6}\Z"
)
"""Ends of a text before a fact that does not hold; of amounts the old one is a fact, too: *3.3 V instead of 3.1*."""
_NEGATED_BEHIND = re.compile(
    r"\A\W{0,2}(?:では|じゃ|で|く|が|は)?\W?(?:なく|ない|なか|ありません|ません)"
    r"|\A\W{0,2}(?:[이가은는을를]\s?)?(?:아니|아닙|아닌|지 않|하지 않|않|없)|\A\W{0,2}ไม่|\A\s(?:değil|नहीं)"
)
_AFFIRMED = re.compile(r"\A\W*(?:yes|ja|oui|sí|sì|sim|да)\b")
_SENTENCE_END = re.compile(r"[.!?。！？]+(?=\s|\Z)|[。！？]|\n")


def states(answer: str, nugget: Nugget) -> bool:
    """Return True when the answer states the fact, or one of its aliases, and does not deny it.

    >>> states("It is not red.", Nugget(fact="red"))
    False
    """
    plain, tokens = _read_answer(answer)
    return any(_is_stated(_read_fact(spelling), plain, tokens) for spelling in nugget.spellings)


def mentions(answer: str, nugget: Nugget) -> bool:
    """Return True when the words of the fact stand in the answer, stated or denied."""
    _, tokens = _read_answer(answer)
    return any(True for spelling in nugget.spellings for _ in find_fact(_read_fact(spelling), tokens))


def denies(statement: str) -> bool:
    """Return True when a statement says of something that it is false.

    >>> denies("It is false that the door is red.")
    True
    """
    folded = unicodedata.normalize("NFKC", statement).casefold()
    return bool(_DENIED_BEFORE.search(folded) or _DENIED_AFTER.search(folded))


def missed_facts(case: GoldenCase, answer: str) -> list[str]:
    """Return the vital facts of the case that the answer does not state."""
    plain = remove_markers(answer)
    return [nugget.fact for nugget in case.vital_nuggets if not states(plain, nugget)]


@lru_cache(maxsize=64)
def _read_answer(answer: str) -> tuple[str, tuple[ValueToken, ...]]:
    folded = unicodedata.normalize("NFKC", answer).casefold().replace("’", "'")
    return folded, tuple(put_amounts_in_order(read_values(answer)))


@lru_cache(maxsize=4096)
def _read_fact(spelling: str) -> tuple[ValueToken, ...]:
    return tuple(put_amounts_in_order(read_values(spelling)))


def _is_stated(fact: Sequence[ValueToken], plain: str, tokens: Sequence[ValueToken]) -> bool:
    denies_itself = any(_is_negation(token) for token in fact)
    places = find_fact(fact, tokens)
    return any(denies_itself or not _is_denied(first, last, plain, tokens) for first, last in places)


def _is_negation(token: ValueToken) -> bool:
    return token.kind == "word" and not token.values.isdisjoint(_NEGATIONS)


def _is_denied(first: int, last: int, plain: str, tokens: Sequence[ValueToken]) -> bool:
    """Return True when a negation governs the fact, or its sentence says that it is false."""
    is_amount = any(token.kind in {"number", "date", "percent"} for token in tokens[first : last + 1])
    is_bounded = is_amount and _has_bound_before(first, tokens)
    for distance, index in enumerate(range(first - 1, -1, -1), start=1):
        token = tokens[index]
        if distance > REACH or token.kind == "break" or not token.values.isdisjoint(_ENDS_SCOPE):
            break
        if _is_negation(token) and tokens[index + 1].values.isdisjoint(_ONLY | _CERTAIN) and not is_bounded:
            return True
    begin, end = _sentence_around(plain, tokens[first].start)
    before, behind = plain[begin : tokens[first].start], plain[tokens[last].start : end]
    if _DENIED_BEFORE.search(before) or _DENIED_AFTER.search(behind):
        return True
    if not is_amount and _REPLACED.search(before):
        return True
    if behind.rstrip().endswith(("?", "？")) and not _AFFIRMED.match(plain[end:]):
        return True
    rest = behind[_width(tokens[last], behind) :]
    return bool(_NEGATED_BEHIND.search(rest))


def _has_bound_before(first: int, tokens: Sequence[ValueToken]) -> bool:
    """Return True when a word stands before an amount that makes it a bound."""
    before = [token for token in tokens[max(0, first - 3) : first] if token.values.isdisjoint(_BETWEEN)]
    return bool(before) and not before[-1].values.isdisjoint(_BOUNDS)


def _width(token: ValueToken, text: str) -> int:
    """Return how many characters the token takes at the beginning of ``text``."""
    found = re.match(r"[\w.,]+" if token.kind in {"number", "date"} else r"\w", text)
    whole = re.match(r"[^\W\d_]+", text) if token.kind == "word" and max(map(len, token.values)) > 1 else None
    return (whole or found).end() if (whole or found) else 0  # type: ignore[union-attr]


def _sentence_around(text: str, place: int) -> tuple[int, int]:
    begin, end = 0, len(text)
    for match in _SENTENCE_END.finditer(text):
        if match.end() <= place:
            begin = match.end()
        elif match.start() >= place:
            end = match.end()
            break
    return begin, end
