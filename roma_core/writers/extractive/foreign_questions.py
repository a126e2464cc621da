"""German, French and Spanish questions to tables and lists, read with an English frame. Rules alone, pure.

What a table computes is told by a few words of the question ("am meisten", "le plus cher", "en total"), and which rows
and columns it is about by words that stand in the table. So the frame is put into English, the other words are spelled
as the table spells them, and the rules for English questions do the rest.

>>> read_foreign_question("Welche Station hat die meisten Betten?", ["de"], "Station Leitung Betten").kind
'table_max'
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import takewhile
from typing import Final

from roma_core.citations.numbers import MONTH_NAMES
from roma_core.languages import MONTH_WORDS, drop_accents
from roma_core.markup.function_words import FUNCTION_WORDS
from roma_core.markup.questions import Question, read_question
from roma_core.writers.extractive.numerals import find_language_style, write_plainly

_FRAMES: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "de": (
        (r"(?:am )?(?:teuerste\w*|teuersten|kostspieligste\w*)", "most expensive"),
        (r"(?:am )?(?:billigste\w*|g[üu]nstigste\w*|preiswerteste\w*)", "cheapest"),
        (r"(?:am |die )?meisten", "most"),
        (r"(?:am |die )?wenigsten", "fewest"),
        (r"(?:am )?(?:höchste\w*|hoechste\w*)", "highest"),
        (r"(?:am )?(?:niedrigste\w*|tiefste\w*)", "lowest"),
        (r"(?:am )?(?:größte\w*|groesste\w*)", "largest"),
        (r"(?:am )?kleinste\w*", "smallest"),
        (r"(?:am )?längste\w*", "longest"),
        (r"(?:am )?kürzeste\w*", "shortest"),
        (r"(?:am )?schwerste\w*", "heaviest"),
        (r"(?:am )?leichteste\w*", "lightest"),
        (r"(?:am )?schnellste\w*", "fastest"),
        (r"(?:am )?langsamste\w*", "slowest"),
        (r"(?:am )?älteste\w*", "oldest"),
        (r"(?:am )?(?:neu(?:e)?ste\w*|jüngste\w*)", "newest"),
        (r"(?:am )?früheste\w*", "earliest"),
        (r"(?:am )?späteste\w*", "latest"),
        (r"(?:mehr|teurer|länger|schwerer|größer|höher|älter) als(?=\s*\d)|über(?=\s*\d)", "more than"),
        (
            r"(?:weniger|billiger|günstiger|kürzer|leichter|kleiner|niedriger) als(?=\s*\d)|unter(?=\s*\d)",
            "less than",
        ),
        (r"mindestens(?=\s*\d)|ab(?=\s*\d)", "at least"),
        (r"höchstens(?=\s*\d)|bis zu(?=\s*\d)|maximal(?=\s*\d)", "at most"),
        (r"insgesamt|zusammen(?:gerechnet)?|im ganzen|gesamtsumme|summe", "total"),
        (r"(?:im )?(?:durchschnitt|mittel)|durchschnittlich\w*", "average"),
        (r"wie ?viele", "how many"),
        (r"wie ?viel|wie teuer", "how much"),
        (r"kostet|kosten(?=\s)", "costs"),
        (r"alle[rnms]?", "all"),
        (r"\A\W*wer|\A\W*wessen", "who"),
        (r"\A\W*wann", "when"),
        (r"welche[rnms]?", "which"),
        (r"\A\W*(?:was|wie)", "what"),
        (r"euro|€", "EUR"),
        (r"gibt es|es gibt", ""),
        (r"nicht", "not"),
        (r"\A\W*wie hoch ist", "what is"),
    ),
    "fr": (
        (r"(?:le |la |les )?plus (?:ch[eè]re?s?|co[uû]teu\w+)", "most expensive"),
        (r"(?:le |la |les )?moins ch[eè]re?s?|(?:le |la )?meilleur marché", "cheapest"),
        (r"(?:le |la |les )?plus (?:élevée?s?|haute?s?)", "highest"),
        (r"(?:le |la |les )?(?:plus (?:basse?s?|faibles?)|moins élevée?s?)", "lowest"),
        (r"(?:le |la |les )?plus (?:grande?s?|grosse?s?|importante?s?)", "largest"),
        (r"(?:la|le) plus grand(?:e)?|maximal\w*", "largest"),
        (r"(?:le |la |les )?(?:plus petite?s?|moins grande?s?)", "smallest"),
        (r"(?:le |la |les )?plus longue?s?", "longest"),
        (r"(?:le |la |les )?plus courte?s?", "shortest"),
        (r"(?:le |la |les )?plus lourde?s?|p[eè]se(?:nt)? le plus", "heaviest"),
        (r"(?:le |la |les )?plus légère?s?|(?:le |la |les )?plus légers?|p[eè]se(?:nt)? le moins", "lightest"),
        (r"(?:le |la |les )?plus rapides?", "fastest"),
        (r"(?:le |la |les )?plus lente?s?", "slowest"),
        (r"(?:le |la |les )?plus (?:ancien(?:ne)?s?|vieux|vieille?s?|âgée?s?)", "oldest"),
        (r"(?:le |la |les )?plus (?:récente?s?|nouveaux?|nouvelles?)", "newest"),
        (r"plus de(?=\s*\d)|supérieure?s? à(?=\s*\d)|au-dessus de(?=\s*\d)", "more than"),
        (r"moins de(?=\s*\d)|inférieure?s? à(?=\s*\d)|au-dessous de(?=\s*\d)", "less than"),
        (r"au moins(?=\s*\d)|à partir de(?=\s*\d)", "at least"),
        (r"au plus(?=\s*\d)|au maximum(?=\s*\d)|jusqu['’]à(?=\s*\d)", "at most"),
        (r"le plus(?: de| d['’])?", "most"),
        (r"le moins(?: de| d['’])?", "fewest"),
        (r"au total|en tout|tota(?:l|le|ux|les)|somme|à eux tous", "total"),
        (r"en moyenne|moyenne?s?", "average"),
        (r"combien(?= (?:co[uû]t|p[eè]s|dur|val))", "how much"),
        (r"combien(?: de\b| d['’])?", "how many"),
        (r"co[uû]te(?:nt)?", "costs"),
        (r"\A\W*qui", "who"),
        (r"\A\W*quand", "when"),
        (r"quel(?:le)?s?", "which"),
        (r"\A\W*(?:qu['’]est-ce qu(?:e|['’]|i)|que|qu['’])", "what"),
        (r"euros?|€", "EUR"),
        (r"tou(?:te)?s les", "all"),
        (r"y a-t-il|il y a", ""),
    ),
    "es": (
        (r"m[aá]s (?:car[oa]s?|costos[oa]s?)", "most expensive"),
        (r"m[aá]s (?:barat[oa]s?|econ[oó]mic[oa]s?)|menos car[oa]s?", "cheapest"),
        (r"m[aá]s (?:alt[oa]s?|elevad[oa]s?)", "highest"),
        (r"m[aá]s baj[oa]s?", "lowest"),
        (r"m[aá]s grandes?|(?:el |la |los |las )?mayor(?:es)?(?! (?:de|que|a) \d)", "largest"),
        (r"m[aá]s pequeñ[oa]s?|(?:el |la |los |las )?menor(?:es)?(?! (?:de|que|a) \d)", "smallest"),
        (r"m[aá]s larg[oa]s?", "longest"),
        (r"m[aá]s cort[oa]s?", "shortest"),
        (r"m[aá]s pesad[oa]s?|pesan? m[aá]s(?! de)", "heaviest"),
        (r"m[aá]s liger[oa]s?|pesan? menos(?! de)", "lightest"),
        (r"m[aá]s r[aá]pid[oa]s?", "fastest"),
        (r"m[aá]s lent[oa]s?", "slowest"),
        (r"m[aá]s (?:antigu[oa]s?|viej[oa]s?)", "oldest"),
        (r"m[aá]s (?:nuev[oa]s?|recientes?|j[oó]ven(?:es)?)", "newest"),
        (r"m[aá]s de(?=\s*\d)|mayor(?:es)? (?:de|que|a)(?=\s*\d)|por encima de(?=\s*\d)", "more than"),
        (r"menos de(?=\s*\d)|menor(?:es)? (?:de|que|a)(?=\s*\d)|por debajo de(?=\s*\d)", "less than"),
        (r"al menos(?=\s*\d)|a partir de(?=\s*\d)|desde(?=\s*\d)", "at least"),
        (r"como m[aá]ximo(?=\s*\d)|hasta(?=\s*\d)", "at most"),
        (r"m[aá]s(?= \w| ?\W*\Z)", "most"),
        (r"menos(?= \w| ?\W*\Z)", "fewest"),
        (r"en total|total(?:es)?|suman?|en conjunto", "total"),
        (r"de media|en promedio|promedio|medi[oa]", "average"),
        (r"cu[aá]nt[oa]s", "how many"),
        (r"cu[aá]nt[oa]", "how much"),
        (r"cuestan?|valen?", "costs"),
        (r"\A\W*qui[eé]n(?:es)?", "who"),
        (r"\A\W*cu[aá]ndo", "when"),
        (r"cu[aá]l(?:es)?(?: (?:es|son))?", "which"),
        (r"\A\W*qu[eé]", "which"),
        (r"euros?|€", "EUR"),
        (r"tod[oa]s l[oa]s", "all"),
        (r"hay", ""),
    ),
}
"""Words that frame a question, by language, and what they are in English; the first one that is found counts."""
_COMPILED: Final = {
    language: tuple((re.compile(rf"(?<!\w)(?:{pattern})(?!\w)", re.IGNORECASE), english) for pattern, english in frames)
    for language, frames in _FRAMES.items()
}
_SEVERAL: Final = {
    "de": re.compile(r"(?<!\w)welche\s+(?:\w+(?:en|ern|eln|er)\b|\w+\s+\w+en\b)", re.IGNORECASE),
    "fr": re.compile(r"(?<!\w)quel(?:le)?s(?!\w)", re.IGNORECASE),
    "es": re.compile(r"(?<!\w)(?:cu[aá]les|qu[eé]\s+\w+s)(?!\w)", re.IGNORECASE),
}
"""What asks for several things."""
_ASKS_LIST: Final = {
    "de": re.compile(
        r"\A\W*(?:was|welche)\b.*\b(?:muss|müssen|soll\w*|brauch\w*|benötig\w*|nimmt|gehör\w*|braucht)\b|\A\W*welche\b",
        re.IGNORECASE,
    ),
    "fr": re.compile(
        r"\A\W*(?:que|qu['’]est-ce que|qu['’])\b.*\b(?:faut|dois|doit|apporter|fournir|prendre|prévoir)\b"
        r"|\A\W*quel(?:le)?s\b",
        re.IGNORECASE,
    ),
    "es": re.compile(
        r"\A\W*qu[eé]\b.*\b(?:hay que|debo|debe|tengo que|necesito|hace falta|llevar|traer)\b"
        r"|\A\W*(?:cu[aá]les|qu[eé]\s+\w+s)\b",
        re.IGNORECASE,
    ),
}
"""What asks for the items of a list."""
_MONTH: Final = "|".join(MONTH_WORDS)
_YEAR: Final = r"(?:19|20)\d\d(?!\d)"
_TIME: Final = rf"(?:(?:\d{{1,2}}(?:\.|er|º)?\s+(?:de\s+)?)?(?:{_MONTH})\b(?:\s+(?:del?\s+)?{_YEAR})?|{_YEAR})"
_RANGE_WORDS: Final = {
    "de": ("vom|von|zwischen", "bis(?: zum)?|und"),
    "fr": ("de|du|entre", "à|au|jusqu'(?:à|en|au)|et"),
    "es": ("del|desde|de|entre", "al|a|hasta|y"),
}
"""Words before the first and the last time of a range."""
_RANGES: Final = {
    language: re.compile(
        rf"(?<!\w)(?:{before})\s+(?P<first>{_TIME})\s+(?:{between})\s+(?P<last>{_TIME})(?!\w)", re.IGNORECASE
    )
    for language, (before, between) in _RANGE_WORDS.items()
}
_WORD: Final = re.compile(r"\w[\w.+-]*\w|\w")
_HAS_DIGIT: Final = re.compile(r"\d")
_MARK: Final = "\0"
_LEAST_COMMON: Final = 4
_MOST_ENDING: Final = 4
"""Letters that two forms of a word have in common, and letters of their endings."""


def find_framed_language(languages: Iterable[str]) -> str:
    """Return the first of some languages whose frames of questions are known; else nothing."""
    return next((language for language in languages if language in _COMPILED), "")


def read_foreign_question(question: str, languages: Sequence[str], vocabulary: str) -> Question | None:
    """Return a question with its frame in English and its words as ``vocabulary`` spells them.

    ``languages`` are those that it may be in, the likeliest first. None where no frame of theirs is known. Its codes
    and names are those of the question as it was asked.

    >>> read_foreign_question("¿Qué modelos cuestan más de 1.500 euros?", ["es"], "Modelo Precio").text
    'which Modelo costs more than 1500 EUR?'
    """
    language = find_framed_language(languages)
    if not language:
        return None
    parts = _split_frame(write_plainly(question, find_language_style(language)), language)
    spelled, small = _Spelling(vocabulary), FUNCTION_WORDS[language]
    words: list[str] = []
    for part, is_frame in parts:
        if is_frame:
            words.append(part)
        else:
            words += [spelled.spell(word) for word in _list_words(part) if word.casefold() not in small]
    text = " ".join(word for word in words if word)
    asked = read_question(f"{text}?")
    own = read_question(question)
    asks_several = asked.asks_several or _SEVERAL[language].search(question) is not None
    kind = asked.kind
    if kind in {"open", "definition", "table_lookup", "keywords", "summary"}:
        kind = "list" if _ASKS_LIST[language].search(question) else "table_lookup"
    return replace(asked, kind=kind, asks_several=asks_several, codes=own.codes, names=())


def _split_frame(question: str, language: str) -> list[tuple[str, bool]]:
    """Return the parts of a question in order, those of its frame in English, and which ones these are."""
    parts = [(question, False)]
    if found := _RANGES[language].search(question):
        said = f"from {_translate_time(found['first'])} to {_translate_time(found['last'])}"
        parts = [(question[: found.start()], False), (said, True), (question[found.end() :], False)]
    for pattern, english in _COMPILED[language]:
        split: list[tuple[str, bool]] = []
        for part, is_frame in parts:
            if is_frame:
                split.append((part, True))
                continue
            pieces = pattern.sub(f"{_MARK}{english}{_MARK}", part).split(_MARK)
            split += [(piece, at % 2 == 1) for at, piece in enumerate(pieces)]
        parts = split
    return parts


def find_frames(question: str, languages: Sequence[str]) -> list[tuple[str, str]]:
    """Return the words that frame a question, each with what it is in English.

    >>> find_frames("Welche Tonne ist am teuersten?", ["de"])
    [('am teuersten', 'most expensive'), ('Welche', 'which')]
    """
    language = find_framed_language(languages)
    found: list[tuple[str, str]] = []
    rest = question
    for pattern, english in _COMPILED.get(language, ()):
        found += [(match[0].strip(), english) for match in pattern.finditer(rest)]
        rest = pattern.sub(_MARK, rest)
    return found


def _translate_time(text: str) -> str:
    """Return a time in English: "5. Juli 2026" is "5 July 2026"."""
    words: list[str] = []
    for word in text.split():
        if month := MONTH_WORDS.get(word.casefold()):
            words.append(MONTH_NAMES[month - 1].capitalize())
        elif word[:1].isdigit():
            words.append(word.rstrip(".º").removesuffix("er"))
        elif word.casefold() not in {"de", "del"}:
            words.append(word)
    return " ".join(words)


def _list_words(text: str) -> list[str]:
    """Return the words of a text, codes whole, and the parts of other words with hyphens: "faut-il".

    >>> _list_words("faut-il BK-340")
    ['faut', 'il', 'BK-340']
    """
    whole = _WORD.findall(text)
    return [part for word in whole for part in ([word] if _HAS_DIGIT.search(word) else word.split("-")) if part]


class _Spelling:
    """Spells words as a text does that has them, or has another form of them.

    >>> _Spelling("Leistung Preis").spell("Leistungen")
    'Leistung'
    """

    def __init__(self, text: str) -> None:
        written = dict.fromkeys(_list_words(text))
        self._folded = {_fold(word): word for word in reversed(list(written))}

    def spell(self, word: str) -> str:
        """Return the word as the text spells it; the word itself where the text has no form of it."""
        folded = _fold(word)
        if folded in self._folded or not folded.isalpha():
            return self._folded.get(folded, word)
        alike = (other for other in self._folded if _are_forms(folded, other))
        best = max(alike, key=lambda other: (_count_common(folded, other), -len(other), other), default="")
        return self._folded.get(best, word)


def _fold(word: str) -> str:
    return drop_accents(word.casefold())


def _count_common(one: str, other: str) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _are_forms(one: str, other: str) -> bool:
    """Return whether two words begin alike and differ in their endings: "leitet" and "leitung", no compounds."""
    if not other.isalpha():
        return False
    common = _count_common(one, other)
    shorter, longer = sorted((len(one), len(other)))
    return common >= max(_LEAST_COMMON, shorter - 3) and longer - common <= _MOST_ENDING
