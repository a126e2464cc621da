"""Words by which a passage is found beside those that it holds: stems by language, parts of compounds, other spellings.

The full-text index has one stemmer, English, for all rows. What other languages need is added to the text that is
indexed, and in the same way to the question. Pure.

>>> related_words("Die Urlaubstage verfallen.", "de")[:1]
['urlaubstag']
"""

from __future__ import annotations

import functools
import re
import threading
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import Any, Final

import regex

from roma_core.languages import UNSPACED, drop_accents

STEMMERS: Final[dict[str, str]] = {
    "ar": "arabic", "da": "danish", "de": "german", "el": "greek", "es": "spanish", "fi": "finnish", "fr": "french",
    "hu": "hungarian", "it": "italian", "nl": "dutch", "no": "norwegian", "pt": "portuguese", "ro": "romanian",
    "ru": "russian", "sv": "swedish", "ta": "tamil", "tr": "turkish",
}  # fmt: skip
"""Snowball's stemmers by language; English is the index's own."""
COMPOUNDING: Final = frozenset({"da", "de", "fi", "nl", "no", "sv"})
"""Languages that write compounds as one word."""
SHORTEST_PART: Final = 5
"""Letters of a part of a compound: shorter ones are found by chance in any long word."""
LONGEST_COMPOUND: Final = 32
SHORTEST_STEMMED: Final = 4
MOST_LANGUAGES: Final = 4
"""Languages in whose way one question is stemmed."""

_WORD: Final = re.compile(r"[^\W\d_]{3,}")
_VOWEL: Final = re.compile("[aeiouyäöüåøæ]")
_MARKED: Final = regex.compile(r"[\p{Greek}\p{Cyrillic}\p{Arabic}\p{Hebrew}]")
"""Scripts whose marks the index does not fold itself; of й and ё, too, the marks are left out in writing."""
_UMLAUTS: Final = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})
_ARABIC_FORMS: Final = str.maketrans({"أ": "ا", "إ": "ا", "آ": "ا", "ى": "ي", "ة": "ه", "ـ": ""})
_lock = threading.Lock()


def related_words(text: str, language: str) -> list[str]:
    """Return the words to index or to search beside those of ``text``, each once.

    These are stems in ``language``, parts of compounds, and spellings without accents or with ``ae`` for ``ä``.
    """
    words = dict.fromkeys(word.casefold() for word in _WORD.findall(UNSPACED.sub(" ", text)))
    related: dict[str, None] = {}
    for word in words:
        for other in (*_respell(word), *_stems(word, language), *_parts(word, language)):
            if other not in words:
                related[other] = None
    return list(related)


def widen_question(question: str, languages: Iterable[str]) -> str:
    """Return a question with the words that passages in ``languages`` are found by.

    >>> widen_question("jours ouvrables", ["fr"])
    'jours ouvrables jour ouvrabl'
    """
    related = dict.fromkeys(word for language in languages for word in related_words(question, language))
    return " ".join([question, *related])


def choose_languages(language: str, present: AbstractSet[str]) -> list[str]:
    """Return the languages to stem a question in: its own where documents have it, else all that they have.

    >>> choose_languages("de", {"de", "en"}), choose_languages("", {"de", "en", "fr"})
    (['de'], ['de', 'fr'])
    """
    if language in present:
        return [language] if language in STEMMERS else []
    return sorted(present & STEMMERS.keys())[:MOST_LANGUAGES]


def _stems(word: str, language: str) -> list[str]:
    if language not in STEMMERS or len(word) < SHORTEST_STEMMED:
        return []
    stem = _stem(word, language)
    return [stem] if stem != word and len(stem) > 1 else []


def _parts(word: str, language: str) -> list[str]:
    """Return the stems of the two parts at each place where a compound may be joined.

    Without a dictionary all places are taken: what is no word is in no question.
    """
    if language not in COMPOUNDING or not 2 * SHORTEST_PART <= len(word) <= LONGEST_COMPOUND:
        return []
    parts: list[str] = []
    for at in range(SHORTEST_PART, len(word) - SHORTEST_PART + 1):
        for part in (word[:at], word[at:]):
            if _VOWEL.search(part):
                parts += [_stem(part, language)]
    return parts


def _respell(word: str) -> list[str]:
    forms: list[str] = []
    if any(letter in word for letter in "äöüß"):
        forms.append(word.translate(_UMLAUTS))
    if _MARKED.search(word):
        bare = drop_accents(word, every_script=True).translate(_ARABIC_FORMS)
        if bare != word:
            forms.append(bare)
    return forms


def _stem(word: str, language: str) -> str:
    with _lock:
        return str(_load_stemmer(language).stem_word(word))


@functools.cache
def _load_stemmer(language: str) -> Any:
    from py_rust_stemmers import SnowballStemmer

    return SnowballStemmer(STEMMERS[language])
