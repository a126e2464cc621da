"""Languages of texts: from the script where a script has one language, else by py3langid. Pure.

Common English is recognised by its function words alone, so that the model of py3langid (100 MB in memory) is loaded
only where another language or a few bare keywords have to be told apart. ``docs/benchmarks/languages.md`` has the
measured hit rates.
"""

from __future__ import annotations

import functools
import threading
import unicodedata
from collections.abc import Set as AbstractSet
from typing import Any, Final

import regex

UNKNOWN: Final = ""
"""Language of a text that does not show one: a code, a number, one or two names."""
LEAST_SHARE: Final = 0.6
LEAST_SHARE_OF_SENTENCE: Final = 0.4
SENTENCE_WORDS: Final = 4
"""Probability from which py3langid is believed, and the lower one for four words and more. A few keywords of English
look like anything: at 0.3 one in twenty would be taken for another language, at 0.6 one in a hundred."""
MOST_CHARS: Final = 4000
"""Characters of a text that are looked at."""

LANGUAGE_NAMES: Final[dict[str, str]] = {
    "af": "Afrikaans", "am": "Amharic", "ar": "Arabic", "be": "Belarusian", "bg": "Bulgarian", "bn": "Bengali",
    "ca": "Catalan", "cs": "Czech", "cy": "Welsh", "da": "Danish", "de": "German", "el": "Greek", "en": "English",
    "es": "Spanish", "et": "Estonian", "eu": "Basque", "fa": "Persian", "fi": "Finnish", "fr": "French",
    "ga": "Irish", "gl": "Galician", "gu": "Gujarati", "he": "Hebrew", "hi": "Hindi", "hr": "Croatian",
    "hu": "Hungarian", "hy": "Armenian", "id": "Indonesian", "is": "Icelandic", "it": "Italian", "ja": "Japanese",
    "ka": "Georgian", "kk": "Kazakh", "km": "Khmer", "kn": "Kannada", "ko": "Korean", "lo": "Lao",
    "lt": "Lithuanian", "lv": "Latvian", "mk": "Macedonian", "ml": "Malayalam", "mr": "Marathi", "ms": "Malay",
    "my": "Burmese", "ne": "Nepali", "nl": "Dutch", "no": "Norwegian", "pa": "Punjabi", "pl": "Polish",
    "pt": "Portuguese", "ro": "Romanian", "ru": "Russian", "sk": "Slovak", "sl": "Slovenian", "sq": "Albanian",
    "sr": "Serbian", "sv": "Swedish", "sw": "Swahili", "ta": "Tamil", "te": "Telugu", "th": "Thai", "tl": "Tagalog",
    "tr": "Turkish", "uk": "Ukrainian", "ur": "Urdu", "vi": "Vietnamese", "zh": "Chinese",
}  # fmt: skip

SCRIPT_LANGUAGES: Final[dict[str, tuple[str, ...]]] = {
    "Latin": (
        *("af", "ca", "cs", "cy", "da", "de", "en", "es", "et", "eu", "fi", "fr", "ga", "gl", "hr", "hu", "id", "is"),
        *("it", "lt", "lv", "ms", "nl", "no", "pl", "pt", "ro", "sk", "sl", "sq", "sv", "sw", "tl", "tr", "vi"),
    ),
    "Cyrillic": ("be", "bg", "kk", "mk", "ru", "sr", "uk"),
    "Arabic": ("ar", "fa", "ur"),
    "Devanagari": ("hi", "mr", "ne"),
    "Hiragana": ("ja",),
    "Katakana": ("ja",),
    "Han": ("zh",),
    "Hangul": ("ko",),
    "Thai": ("th",),
    "Lao": ("lo",),
    "Khmer": ("km",),
    "Myanmar": ("my",),
    "Greek": ("el",),
    "Hebrew": ("he",),
    "Armenian": ("hy",),
    "Georgian": ("ka",),
    "Ethiopic": ("am",),
    "Bengali": ("bn",),
    "Gujarati": ("gu",),
    "Gurmukhi": ("pa",),
    "Kannada": ("kn",),
    "Malayalam": ("ml",),
    "Tamil": ("ta",),
    "Telugu": ("te",),
}
"""Languages that are told apart, by the script that they are written in."""

MONTH_WORDS: Final[dict[str, int]] = {
    name: number
    for number, names in enumerate(
        (
            "januar jänner janvier enero",
            "februar feber février fevrier febrero",
            "märz maerz mars marzo",
            "april avril abril",
            "mai mayo",
            "juni juin junio",
            "juli juillet julio",
            "august août aout agosto",
            "september septembre septiembre setiembre",
            "oktober octobre octubre",
            "november novembre noviembre",
            "dezember décembre decembre diciembre",
        ),
        start=1,
    )
    for name in names.split()
}
"""Months in German, French and Spanish, in small letters."""

UNSPACED_RANGES: Final = (
    r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    r"\U00020000-\U0003ffff"
)
"""Inside of a character class: scripts written without spaces (Thai, Lao, Burmese, Khmer, Chinese, Japanese)."""
UNSPACED: Final = regex.compile(rf"[{UNSPACED_RANGES}]+")
"""Runs of scripts that are written without spaces."""
UNSPACED_ALPHABETS: Final = regex.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]+")
"""Of these, runs of scripts whose signs are letters (Thai, Lao, Burmese, Khmer): a pair of them says little."""
_LATIN_MARKS: Final = regex.compile(r"(?<=\p{Latin})\p{Mn}+")
CHARS_PER_UNSPACED_WORD: Final = 2
"""Characters of a word, about, in a script without spaces."""

_SCRIPT_OF: Final = {script: regex.compile(rf"\p{{Script={script}}}") for script in SCRIPT_LANGUAGES}
_WORD: Final = regex.compile(r"[^\W\d_]+")
_LETTERS_PER_SIGN: Final = 3
"""Letters of an alphabet that say as much as one sign of Chinese or Japanese."""
_SIGNS: Final = frozenset({"Han", "Hiragana", "Katakana"})
_SIGNS_AS_ONE: Final = {"Hiragana": "Han", "Katakana": "Han"}
_LEAST_KANA: Final = 0.05
"""Share of kana among signs from which a text is Japanese."""
_ENGLISH: Final = frozenset(
    "the what which how does did are who when where why with that this from and has have been there their its you "
    "your of should can could would they".split()
)
_LEAST_ENGLISH: Final = 0.14
"""Share of English function words from which a text is English: German and Dutch, which share a few, have less."""
_WORDS_FOR_ONE_HIT: Final = 8
_NORWEGIAN: Final = {"nb": "no", "nn": "no"}
_lock = threading.Lock()


@functools.lru_cache(maxsize=4096)
def detect_language(text: str) -> str:
    """Return the ISO 639-1 code of a text's language, or ``UNKNOWN`` where it does not show one.

    >>> detect_language("What is the rule?"), detect_language("有給休暇は年に二十日です。"), detect_language("PPR-9087")
    ('en', 'ja', '')
    """
    sample = text[:MOST_CHARS]
    script = find_script(sample)
    languages = SCRIPT_LANGUAGES.get(script, ())
    if script == "Han":
        return "zh"
    if len(languages) < 2:
        return languages[0] if languages else UNKNOWN
    if script == "Latin" and _is_plain_english(sample):
        return "en"
    return _classify(sample)


def find_script(text: str) -> str:
    """Return the script of most of a text's letters (``Hiragana`` for Japanese), or an empty string.

    >>> find_script("Ελληνικά"), find_script("123")
    ('Greek', '')
    """
    sample = text[:MOST_CHARS]
    if sample.isascii():
        return "Latin" if _WORD.search(sample) else ""
    counts = {script: len(pattern.findall(sample)) for script, pattern in _SCRIPT_OF.items()}
    signs = sum(counts[script] for script in _SIGNS)
    kana = counts["Hiragana"] + counts["Katakana"]
    letters = {script: count for script, count in counts.items() if count and script not in _SIGNS}
    best = max(letters, key=lambda script: letters[script], default="")
    if signs and signs * _LETTERS_PER_SIGN >= letters.get(best, 0):
        return "Hiragana" if kana >= _LEAST_KANA * signs else "Han"
    return best


def read_language(name: str) -> str | None:
    """Return the code of a language given by code, tag or English name; None for one that is not known.

    >>> read_language("German"), read_language("pt-BR"), read_language("Klingon")
    ('de', 'pt', None)
    """
    plain = name.strip().casefold()
    code = plain.replace("_", "-").partition("-")[0]
    if code in LANGUAGE_NAMES:
        return code
    if code in _NORWEGIAN:
        return _NORWEGIAN[code]
    return next((code for code, known in LANGUAGE_NAMES.items() if known.casefold() == plain), None)


def is_covered(languages: AbstractSet[str] | None, language: str) -> bool:
    """Return whether a model that was measured on ``languages`` may judge a text; None covers all.

    A text that shows no language is taken as one of them.

    >>> is_covered({"en"}, "de"), is_covered({"en"}, ""), is_covered(None, "de")
    (False, True, True)
    """
    return languages is None or language in {*languages, UNKNOWN}


def is_same_script(one: str, other: str) -> bool:
    """Return whether readers of one text can read the script of the other; a text without letters is in any.

    >>> is_same_script("What?", "Τι;"), is_same_script("年假", "ねんか"), is_same_script("What?", "12")
    (False, True, True)
    """
    first, second = (_SIGNS_AS_ONE.get(script, script) for script in (find_script(one), find_script(other)))
    return first == second or "" in {first, second}


def describe_language(code: str) -> str:
    """Return the English name of a language.

    >>> describe_language("de")
    'German'
    """
    return LANGUAGE_NAMES.get(code, code or "an unknown language")


def count_words(text: str) -> int:
    """Return the number of words; in scripts without spaces two characters count as one.

    >>> count_words("four words of English"), count_words("年假为二十天")
    (4, 3)
    """
    signs = sum(len(run) for run in UNSPACED.findall(text))
    return len(UNSPACED.sub(" ", text).split()) + -(-signs // CHARS_PER_UNSPACED_WORD)


def drop_accents(text: str, *, every_script: bool = False) -> str:
    """Return a text with the letters of the Latin script without their accents, which people leave out when they type.

    In other scripts a mark makes another letter, as in Cyrillic or kana. With ``every_script`` their marks go too, and
    compatibility forms become plain ones: for what is only searched by, as accents are left out in Greek. The text
    comes in NFC.

    >>> drop_accents("sábado über Ελλάδα"), drop_accents("Ελλάδα", every_script=True)
    ('sabado uber Ελλάδα', 'Ελλαδα')
    """
    if text.isascii():
        return text
    if every_script:
        decomposed = unicodedata.normalize("NFKD", text)
        bare = "".join(sign for sign in decomposed if not unicodedata.combining(sign))
    else:
        bare = _LATIN_MARKS.sub("", unicodedata.normalize("NFD", text))
    return unicodedata.normalize("NFC", bare)


def _is_plain_english(text: str) -> bool:
    """Return whether function words show English, so that no model need be asked."""
    words = [word.casefold() for word in _WORD.findall(text)]
    hits = sum(word in _ENGLISH for word in words)
    return hits >= (1 if len(words) <= _WORDS_FOR_ONE_HIT else 2) and hits >= _LEAST_ENGLISH * len(words)


def _classify(text: str) -> str:
    words = _WORD.findall(text)
    with _lock:
        language, share = _load_identifier().classify(" ".join(words))
    least = LEAST_SHARE_OF_SENTENCE if len(words) >= SENTENCE_WORDS else LEAST_SHARE
    return _NORWEGIAN.get(language, str(language)) if share >= least else UNKNOWN


@functools.cache
def _load_identifier() -> Any:
    """Return py3langid's classifier for the languages of ``LANGUAGE_NAMES``, with probabilities."""
    from py3langid import langid

    identifier = langid.LanguageIdentifier.from_model_file(langid.MODEL_FILE, norm_probs=True)
    wanted = {*LANGUAGE_NAMES, *_NORWEGIAN}
    identifier.set_languages([language for language in identifier.labels if language in wanted])
    identifier._full_model = None  # it would keep the other half of 100 MB
    return identifier
