"""Words of a lexical search: spellings of versions, words without a hit, and words one edit away. Pure.

The index cuts text by ICU's word breaks, so that Chinese, Japanese and Thai words are found; it keeps codes and part
numbers whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from roma_core.languages import UNSPACED
from roma_core.store.words import related_words

TOKENIZER: Final = "icu"
"""LanceDB's tokenizer. ``icu/split`` takes codes apart and drops their digits: X-200.1 would be X-200.2."""
TOKENIZERS: Final = ("icu", "icu/split", "simple", "whitespace", "ngram")
"""Tokenizers that a table can be indexed with, without further files."""
MODEL_TOKENIZERS: Final = ("jieba/", "lindera/")
"""Prefixes of tokenizers whose models lie in ``LANCE_LANGUAGE_MODEL_HOME``."""
STOP_WORDS = tuple(
    """
    a an and are as at be been but by did do does for from had has have how in into is it of on or such than that the
    their then there these they this to was were what when where which while who whom whose why with
    """.split()
)
"""English words that no passage is found by.

LanceDB's own list for ICU holds those of all languages, and with them *AI, war, door, cat, dog, man, sea, sale* and
*want*: words that another language does without. Words of other languages that stand everywhere count for little.
"""
SHORTEST_FUZZY: Final = 4
"""Letters of a word from which on one wrong letter still leaves the word recognisable."""

_WORD = re.compile(r"[^\W_]+")
_VERSION = re.compile(r"(?<![\w.-])(v)?(\d+(?:\.\d+)+)(?![\w.])", re.IGNORECASE)
_SUFFIX = 3
"""Letters at a word's end that a stemmer may take away."""


JOINED: Final = r"(\S*[A-Za-z][._][A-Za-z]\S*)|\S+"
"""Words that a dot or an underscore joins (group 1), and all others; also read by the store's SQL."""


def add_word_parts(text: str) -> str:
    """Add the parts of joined words, which ICU keeps whole: ``user_name`` is found by ``user``, too.

    >>> add_word_parts("set user_name now")
    'set user_name now user name'
    """
    parts = [re.sub(r"[._]+", " ", match[1]) for match in re.finditer(JOINED, text) if match[1]]
    return " ".join([text, *parts])


def make_search_text(indexed_text: str, language: str) -> str:
    """Return the text that a passage is found by: its own, parts of joined words, and related words of its language.

    >>> make_search_text("Die Urlaubstage.", "fr")
    'Die Urlaubstage. urlaubstag'
    """
    return " ".join([add_word_parts(indexed_text), *related_words(indexed_text, language)])


def expand_versions(text: str) -> str:
    """Add the other spelling of each version number: the index holds ``v2.4.0`` and ``2.4.0`` as different words.

    >>> expand_versions("what is new in 2.4.0?")
    'what is new in 2.4.0? v2.4.0'
    """
    others = [number if mark else f"v{number}" for mark, number in _VERSION.findall(text)]
    return " ".join([text, *dict.fromkeys(others)])


def find_missing_words(question: str, texts: Iterable[str]) -> list[str]:
    """Return the words of a question that occur in no text, not even with another ending; stop words left out.

    The index holds no stop words, so that they are missing in no useful sense.

    >>> find_missing_words("anual leeve days", ["The annual leave is 20 days."])
    ['anual', 'leeve']
    """
    held = "\n".join(texts).casefold()
    words = dict.fromkeys(word.casefold() for word in _WORD.findall(question))
    candidates = [
        word for word in words if len(word) >= SHORTEST_FUZZY and not _is_fixed(word) and word not in STOP_WORDS
    ]
    return [word for word in candidates if word[: max(SHORTEST_FUZZY, len(word) - _SUFFIX)] not in held]


def stem_words(words: Iterable[str]) -> list[str]:
    """Return the English stems of words, as LanceDB's index holds them.

    >>> stem_words(["leaves"])
    ['leav']
    """
    from py_rust_stemmers import SnowballStemmer

    stemmer = SnowballStemmer("english")
    return [str(stemmer.stem_word(word)) for word in words]


def _is_fixed(word: str) -> bool:
    """Return whether a word is a number, a code or of an unspaced script: one edit away is another thing there."""
    return any(character.isdigit() for character in word) or UNSPACED.search(word) is not None


def is_within_one_edit(word: str, other: str) -> bool:
    """Return whether one edit turns ``word`` into ``other``: a letter added, removed or replaced, or two swapped.

    >>> is_within_one_edit("anual", "annual")
    True
    """
    if abs(len(word) - len(other)) > 1:
        return False
    start = 0
    while start < min(len(word), len(other)) and word[start] == other[start]:
        start += 1
    end = 0
    while end < min(len(word), len(other)) - start and word[-1 - end] == other[-1 - end]:
        end += 1
    left, right = word[start : len(word) - end], other[start : len(other) - end]
    return max(len(left), len(right)) <= 1 or (len(left) == len(right) == 2 and left == right[::-1])
