"""Questions: their kind, their names and codes, and the question within a long text. Rules alone, pure.

>>> from roma_core.markup.questions import read_question
>>> read_question("Which product is the cheapest?").kind
'table_max'
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from roma_core.markup.sentences import split_sentences

QuestionKind = Literal[
    "definition",
    "who",
    "when",
    "how_many",
    "list",
    "comparison",
    "yes_no",
    "summary",
    "table_lookup",
    "table_max",
    "table_filter",
    "table_sum",
    "keywords",
    "open",
]
"""Kinds of questions by what answers them; *open* is answered by the best sentences."""

LEAST_FOCUS_WORDS = 3
"""Content words with which the question of a long text stands alone."""
LONGEST_TOKENS = 96
"""Estimated tokens of a question that a cross-encoder reads whole; with the passage it reads 256 at most."""

STOP_WORDS = frozenset(
    """
    a about all am an and any are as at be been being but by can could did do does doing for from get give had has have
    having he her his how i if in into is it its list many may me might more most much must my name no not of on one or
    our out per please shall she should show so some tell than that the their them then there these they this those to
    under up us was we were what when where which while who whom whose why will with would you your yours
    """.split()
)
"""English words that say nothing of what a question is about."""

_WORD = re.compile(r"[^\W_](?:[\w.+'’-]*\w)?")
_QUESTION_WORD = re.compile(
    r"\b(?:what|which|who|whom|whose|when|where|why|how|is|are|was|were|do|does|did|can|could|may|must|should|will"
    r"|would|has|have|had|list|name|give|tell|show|explain|describe|summari[sz]e|compare|find)\b",
    re.IGNORECASE,
)
_STARTS_QUESTION = re.compile(rf"\W*(?:please\s+|so\s+|and\s+|but\s+|now\s+)*{_QUESTION_WORD.pattern}", re.IGNORECASE)
_ASKS_FIRST = re.compile(r"\b(?:what|which|who|whom|whose|when|where|why|how)\b", re.IGNORECASE)
_CLAUSE = re.compile(
    r"[,:;–—]\s+(?:and\s+|but\s+|so\s+)?(?=(?:what|which|who|whom|whose|when|where|why|how)\b)", re.IGNORECASE
)
_REFERS = re.compile(r"\b(?:it|its|they|them|their|this|that|these|those|there|he|she|his|her)\b", re.IGNORECASE)
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uac00-\ud7af]")

_MAX_WORDS = frozenset(
    """
    largest highest most maximum max biggest greatest longest latest newest top heaviest tallest priciest dearest
    loudest widest broadest deepest thickest hottest warmest strongest busiest farthest furthest slowest
    """.split()
)
_MIN_WORDS = frozenset(
    """
    smallest lowest least minimum min shortest earliest oldest cheapest fewest lightest youngest fastest quickest
    quietest narrowest shallowest thinnest coldest coolest weakest nearest closest
    """.split()
)
_COMPOUND = re.compile(
    r"\band\s+(?:by |in |for |to |at )?(?:what|which|who|whom|whose|when|where|why|how)\b", re.IGNORECASE
)
_LAST = re.compile(r"^\W*(?:which|what|who)\b.*\b(?P<order>last|first)\W*$", re.IGNORECASE)
_NO_SUPERLATIVE = re.compile(r"\bat (?:most|least)\b|\bmost (?:of|people|users|common)\b", re.IGNORECASE)
_SUM = re.compile(
    r"\b(?:total|sum|altogether|combined|in all|overall|average|the mean)\b|\badd(?:ed)? up\b|\bput together\b"
    r"|\b(?:cost|weigh|pay|earn|hold|have|seat|use)\b.*\btogether\b",
    re.IGNORECASE,
)
_AVERAGE = re.compile(r"\b(?:average|the mean)\b", re.IGNORECASE)
_COMPARED = re.compile(
    r"\b(?:more|less|fewer|greater|higher|lower|larger|smaller|longer|shorter|older|newer|younger|later|earlier|cheaper"
    r"|heavier|lighter|bigger)\s+than\s+(?=[^\w]*\d)"
    r"|\b(?:over|above|under|below|exceed(?:s|ing)?|at least|at most|up to|no more than|between|not under|beyond"
    r"|before|after|since)\s+(?=[^\w]{0,3}\d)",
    re.IGNORECASE,
)
_COMPARISON = re.compile(
    r"\b(?:differences?|differs?|compared?|comparison|versus|vs\.?|contrast)\b"
    r"|\b(?:which|who|what)\b.{0,60}\b(?:\w+er|more|less)\b.{0,60}\bor\b|\bbetter\b.{0,40}\bor\b|\bbetween\s+\w+.{0,40}\band\b(?!.*\d)",
    re.IGNORECASE,
)
_SUMMARY = re.compile(
    r"\b(?:summari[sz]e|summary|overview|gist|tl;?dr|in short|main (?:points?|ideas?|topics?))\b"
    r"|\bkey (?:points?|takeaways?)\b"
    r"|\bwhat(?:'s|\s+is|\s+are|\s+does|\s+do)?\b.{0,80}\b(?:about|cover|deal with|discuss)(?:s|ed)?\s*\W*$"
    r"|\bwhat\s+topics?\b",
    re.IGNORECASE,
)
_SUMMARY_FRAME = re.compile(
    r"\b(?:summari[sz]e|summary|overview|gist|tl;?dr|in short|main|key|points?|ideas?|takeaways?|topics?|about|covers?"
    r"|covered|deals?|dealt|discuss(?:es|ed)?|documents?|files?|papers?|texts?|pages?|reports?|articles?|sources?"
    r"|briefly|short|quick|contents?)\b",
    re.IGNORECASE,
)
_WHO = re.compile(
    r"^\W*(?:and\s+|so\s+)?(?:who|whom|whose|by whom)\b|\b(?:which|what) (?:person|people)\b", re.IGNORECASE
)
_WHEN = re.compile(
    r"^\W*(?:and\s+|so\s+)?(?:(?:since|until|from|by) )?(?:when|what time)\b"
    r"|^\W*(?:and\s+|so\s+)?(?:which|what) (?:date|day|year|month|week)\b"
    r"|\b(?:in|on|by|since|from|until|at) (?:which|what) (?:date|day|year|month|week|time)\b"
    r"|\bwhat (?:is|was) the (?:\w+ )?(?:date|deadline)\b",
    re.IGNORECASE,
)
_ENDS_WITH_WHAT = re.compile(r"\b(?!(?:and|by|for|from|in|of|on|or|to|with)\b)\w+\s+what\W*$", re.IGNORECASE)
"""The end of "When the lava cools, it becomes what?", which asks for no time."""
_HOW_MANY = re.compile(
    r"\bhow many\b|\b(?:what is|what's) the number of\b|^\W*number of\b|\bcount (?:the|of|all)\b", re.IGNORECASE
)
_LIST_VERB = re.compile(
    r"^\W*(?:please\s+|can you\s+|could you\s+)?"
    r"(?:list|name|enumerate|(?:give me|show me|show) (?:all|a list|the list))\b",
    re.IGNORECASE,
)
_LIST_NOUN = (
    r"(?:types?|kinds?|criteria|steps?|stages?|phases?|reasons?|requirements?|features?|items?|members?|options?|rules?"
    r"|parts?|topics?|principles?|responsibilities|duties|benefits|advantages|disadvantages|risks?|tasks?|examples?"
    r"|categories|conditions?|documents?|forms?|tools?|ways?|methods?|symptoms?|incidents?|participants?|attendees"
    r"|decisions?|action items?|actions?|goals?|objectives?|values?|roles?|names?|ingredients?|courses?|departments?"
    r"|languages?|variants?|algorithms?|plans?|changes?|exceptions?|events?|holidays?|rights|offices?|locations?"
    r"|products?|parameters?|arguments|flags|errors|codes|endpoints|fees|prices|models|colou?rs|countries|cities|people|things|fields|columns|settings|variables|contacts|suppliers|projects)"
)
_LIST = re.compile(
    r"\b(?:which|what)(?:\s+(?:are|were))?"
    r"(?:\s+(?:all|the|of|our|its|their|different|main|possible|supported|various|other|open))*"
    rf"\s+(?:\w+\s+){{0,2}}?{_LIST_NOUN[:-1]})\b"
    r"|\ball (?:the |of the |our )?\w+|\bwhat are the\b"
    r"|\bwhat (?:do|should|must) (?:i|we|you) (?:bring|pack|need)\b",
    re.IGNORECASE,
)
_DEFINITION = re.compile(
    r"^\W*(?:and\s+)?(?:"
    r"(?:what|who)(?:'s|\s+is|\s+are|\s+was|\s+were)\s+(?:(?:an?|the|meant by)\s+)?(?P<subject>[^?]{1,60})\W*$"
    r"|(?:define|definition of|meaning of|explain)\s+(?P<defined>[^?]{1,60})\W*$"
    r"|what\s+(?:does|do|did)\s+(?:the\s+)?(?:\w+\s+){0,2}?(?P<meant>\S+(?:\s+\S+){0,3}?)"
    r"\s+(?:mean|stand for|refer to)\b)",
    re.IGNORECASE,
)
_YES_NO = re.compile(
    r"^\W*(?:and\s+|so\s+|but\s+)?(?:is|are|was|were|do|does|did|can|could|may|must|should|will|would|has|have|had"
    r"|isn't|aren't|doesn't|don't|can't|am)\b",
    re.IGNORECASE,
)
_OPERATORS = re.compile(r"\b(?:AND|OR|NOT)\b|[()|&\"“”„]|(?:^|\s)[-+](?=\w)|\b\w+:(?=\S)|\w\*")
_ASKED = re.compile(
    r"[?？]\s*$|\b(?:what|which|who|whom|whose|when|where|why|how|is|are|was|were|does|did|can|could|should|would|will"
    r"|list|explain|describe|summari[sz]e|compare|tell|define)\b",
    re.IGNORECASE,
)
_CODE = re.compile(
    r"(?<![\w.])(?:v(?:ersion)?\.?\s*)?(?P<code>"
    r"\d+(?:\.\d+){2,}(?:[-+.]\w+)*"  # 2.4.0
    r"|0x[0-9a-f]+"
    r"|(?=[\w./-]*\d)(?=[\w./-]*[a-z])[a-z0-9]+(?:[-_/.][a-z0-9]+)+"  # PPR-9087, RFC-2119, A/12
    r"|(?=\w*\d)(?=\w*[A-Z])[A-Z0-9]{4,}"  # KB5012, E1234
    r")(?![\w])",
    re.IGNORECASE,
)
_VERSION = re.compile(r"\b(?:v|ver|version|release)\.?\s*(?P<code>\d+\.\d+(?:\.\d+)*)\b", re.IGNORECASE)
_ORDINAL = re.compile(r"\d+(?:st|nd|rd|th|s|%|px|km|kg|mm|cm|mb|gb|am|pm|h)", re.IGNORECASE)
_DATE = re.compile(r"\d{4}-\d{1,2}(?:-\d{1,2})?|\d{1,2}[./]\d{1,2}[./]\d{2,4}")
_NAME_INSIDE = re.compile(r"\d|_|[a-z][A-Z]")


@dataclass(frozen=True)
class Question:
    """A question as rules read it.

    >>> read_question("What does error 0x80070005 mean?").codes
    ('0x80070005',)
    """

    text: str
    kind: QuestionKind
    words: frozenset[str]
    """Content words, folded and stemmed."""
    names: tuple[str, ...] = ()
    """Names in the question, see ``find_names``."""
    codes: tuple[str, ...] = ()
    """Codes, versions and part numbers: what answers must speak of exactly these."""
    subject: str = ""
    """The thing that a definition or a summary is about; empty for "this document"."""
    wants_lowest: bool = False
    """True when an arg-max asks for the smallest instead."""
    is_average: bool = False
    is_compound: bool = False
    """True when it asks two things: "Which tool was bought, and what does it cost?"."""
    asks_several: bool = False
    """True when it asks for more than one thing: "Which versions does it support?"."""


@functools.lru_cache(maxsize=256)
def read_question(text: str) -> Question:
    """Return the kind of a question and what it names.

    >>> read_question("annual leave carry over").kind
    'keywords'
    """
    text = " ".join(text.split())
    kind, subject = _classify(text)
    lowered = set(re.findall(r"[a-z]+", text.casefold()))
    return Question(
        text=text,
        kind=kind,
        words=frozenset(content_words(_TAKES_PLACE.sub(" ", _HOW_MEASURED.sub("how", text)))),
        names=tuple(find_names(text)),
        codes=tuple(find_codes(text)),
        subject=subject,
        wants_lowest=bool(lowered & _MIN_WORDS) or bool((order := _LAST.match(text)) and order["order"] == "first"),
        is_average=_AVERAGE.search(text) is not None,
        is_compound=_COMPOUND.search(text) is not None,
        asks_several=_asks_several(text),
    )


_TAKES_PLACE = re.compile(r"\b(?:takes?|took|taking|taken) place\b", re.IGNORECASE)
_HOW_MEASURED = re.compile(
    r"\bhow (?:long|often|far|high|deep|wide|broad|tall|thick|fast|quick(?:ly)?|soon|old|big|large|heavy|steep)\b",
    re.IGNORECASE,
)
"""Question words of two words: the second one is said of nothing, so that no source needs it."""

_PICTURED = re.compile(
    r"\b(?:pictures?|photos?|photographs?|images?|figures?|diagrams?|charts?|maps?|drawings?|illustrations?|screenshots?"
    r"|graphs?|sketch(?:es)?|paintings?|posters?|pictured|depicted|drawn|bild(?:er)?|fotos?|abbildung(?:en)?)\b",
    re.IGNORECASE,
)


def asks_picture(text: str) -> bool:
    """Return whether a question speaks of a picture, so that the words of pictures may answer it.

    >>> asks_picture("What does the otter on the picture hold?"), asks_picture("What does the otter eat?")
    (True, False)
    """
    return _PICTURED.search(text) is not None


_SEVERAL = re.compile(
    r"\b(?:which|what)\s+(?:are\s+(?:the\s+)?)?"
    r"(?:(?:two|three|four|five|both|other|different)\s+(?P<counted>\w+)|(?P<noun>(?:\w+-)+\w+s|\w{3,}s)"
    r"|[\w-]+\s+(?P<described>\w{3,}s)(?=\s+(?:do|does|did|are|were|have|had|can|could|must|should|may|will|of|for|in)\b))\b",
    re.IGNORECASE,
)
_NO_PLURAL = re.compile(
    r"(?:\w*(?:ss|us|is)|does|has|was|its|goes|happens|causes|makes|means|says|needs|takes|comes|becomes|follows|remains"
    r"|counts|costs|weighs|lasts|gives|holds|keeps|brings|shows|uses|runs|sets|always|series|news|as)",
    re.IGNORECASE,
)


def _asks_several(text: str) -> bool:
    """Return whether a question asks for several things by a plural or a number.

    >>> _asks_several("Which versions does it support?"), _asks_several("What does it cost?")
    (True, False)
    """
    found = _SEVERAL.search(text)
    if found is None:
        return False
    noun = found["noun"] or found["described"]
    return noun is None or _NO_PLURAL.fullmatch(noun) is None


_CIRCUMSTANCE = re.compile(
    r"^\W*(?:when|while|after|before|if|although|where)\s+"
    r"(?!(?:is|are|was|were|am|do|does|did|will|would|can|could|must|may|might|shall|should|has|have|had|and|or)\b)"
    r"[^,?]{3,},\s+(?=(?:in |at |on |by |from |to |of )?(?:what|which|who|whom|whose|how|where|why|when)\b)",
    re.IGNORECASE,
)


def drop_circumstance(text: str) -> str:
    """Return a question without a clause before it, which begins like a question and asks nothing.

    >>> drop_circumstance("When the mill burnt, who put the fire out?"), drop_circumstance("When did it burn?")
    ('who put the fire out?', 'When did it burn?')
    """
    return _CIRCUMSTANCE.sub("", text)


def _classify(text: str) -> tuple[QuestionKind, str]:
    if is_keywords(text):
        return "keywords", ""
    text = drop_circumstance(text)
    if _SUMMARY.search(text):
        subject = " ".join(
            word for word in _WORD.findall(_SUMMARY_FRAME.sub(" ", text)) if word.casefold() not in STOP_WORDS
        )
        return "summary", subject
    lowered = set(re.findall(r"[a-z]+", text.casefold()))
    if _COMPARISON.search(text) and not _COMPARED.search(text):
        return "comparison", ""
    if _LAST.match(text) or (lowered & (_MAX_WORDS | _MIN_WORDS) and not _NO_SUPERLATIVE.search(text)):
        return "table_max", ""
    if _HOW_MANY.search(text):
        return "how_many", ""
    if _SUM.search(text):
        return "table_sum", ""
    if _COMPARED.search(text) and not _YES_NO.match(text) and not _WHEN.search(text):
        return "table_filter", ""
    if _WHO.search(text):
        return "who", ""
    if _WHEN.search(text) and not _ENDS_WITH_WHAT.search(text):
        return "when", ""
    if _LIST_VERB.match(text):
        return "list", ""
    if meant := _DEFINITION.match(text):
        subject = next(group for group in meant.groups() if group)
        if not re.search(
            r"\b(?:of|for|in|from|by|at|on|between|to|with|per|when|after)\b", subject
        ) and not _LIST.search(text):
            return "definition", subject.strip(" \"'“”?.")
    if _LIST.search(text):
        return "list", ""
    if _YES_NO.match(text):
        return "yes_no", ""
    if re.match(
        r"\W*(?:what|which|how (?:much|long|old|far|high|big|large|fast|tall|heavy|often))\b", text, re.IGNORECASE
    ):
        return "table_lookup", ""
    return "open", ""


def is_keywords(text: str) -> bool:
    """True for words without a question: search syntax, or up to eight words that ask nothing.

    >>> is_keywords('"annual leave" AND (carry OR rollover) -sick'), is_keywords("Where is it?")
    (True, False)
    """
    if re.search(r"[?？]\s*$", text):
        return False
    words = _WORD.findall(text)
    if not words:
        return False
    if _OPERATORS.search(text) and not _ASKED.search(text):
        return True
    return (
        len(words) <= 8
        and not _ASKED.search(text)
        and not _STARTS_QUESTION.match(text)
        and not text.rstrip().endswith((".", "!"))
    )


@dataclass(frozen=True)
class KeywordQuery:
    """Search syntax taken apart: words to rank by, phrases that must stand, words that must not, words of the title."""

    words: str
    phrases: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    title: tuple[str, ...] = ()


def read_keywords(text: str) -> KeywordQuery:
    """Return what search syntax asks for.

    >>> read_keywords('"annual leave" AND (carry OR rollover) -sick')
    KeywordQuery(words='annual leave carry rollover', phrases=('annual leave',), excluded=('sick',), title=())
    """
    phrases = tuple(" ".join(part.split()) for part in re.findall(r"[\"“„]([^\"“”]+)[\"”“]", text))
    excluded = tuple(re.findall(r"(?:^|\s)-(\w[\w-]*)", text)) + tuple(re.findall(r"\bNOT\s+(\w[\w-]*)", text))
    title = tuple(re.findall(r"\b(?:title|intitle):\"?(\w[\w-]*)", text, re.IGNORECASE))
    plain = re.sub(r"(?:^|\s)-\w[\w-]*|\bNOT\s+\w[\w-]*", " ", text)
    plain = re.sub(r"\b(?:AND|OR)\b|\b\w+:(?=\S)|[()|&\"“”„*+~^]", " ", plain)
    return KeywordQuery(" ".join(plain.split()), phrases, excluded, title)


def focus_question(text: str, longest: int = LONGEST_TOKENS) -> str:
    """Return a question as it stands, or what of a long one asks: its last question.

    The sentence before comes too where the question refers to it. A cross-encoder reads the beginning of what is too
    long, and the question stands at the end; the words around it draw all scores down.

    >>> focus_question("Where is the tent?")
    'Where is the tent?'
    """
    text = " ".join(text.split())
    if count_tokens(text) <= longest:
        return text
    sentences = [sentence.of(text) for sentence in split_sentences(text)] or [text]
    asking = _find_asking(sentences)
    focus = _cut_sentence(_asking_clause(sentences[asking]), longest)
    if asking and (_REFERS.search(focus) or len(content_words(focus)) < LEAST_FOCUS_WORDS):
        before = sentences[asking - 1]
        if count_tokens(before) + count_tokens(focus) <= longest:
            return f"{before} {focus}"
    return focus


def _asking_clause(sentence: str) -> str:
    """Return the last clause of a sentence that begins with a question word and says enough; else the sentence."""
    for opened in reversed(list(_CLAUSE.finditer(sentence))):
        clause = sentence[opened.end() :]
        if len(content_words(clause)) >= LEAST_FOCUS_WORDS:
            return clause
    return sentence


def _find_asking(sentences: list[str]) -> int:
    """Return the index of the sentence that asks: the last with a question mark, else the last that begins like one."""
    marked = [
        index for index, sentence in enumerate(sentences) if sentence.rstrip("\"'”’)] ").endswith(("?", "？", "؟"))
    ]
    if marked:
        return marked[-1]
    opened = [index for index, sentence in enumerate(sentences) if _STARTS_QUESTION.match(sentence)]
    if opened:
        return opened[-1]
    return len(sentences) - 1


def _cut_sentence(sentence: str, longest: int) -> str:
    """Return the end of a sentence that is too long: from its last question word where the rest fits."""
    if count_tokens(sentence) <= longest:
        return sentence
    for opened in reversed(list(_ASKS_FIRST.finditer(sentence))):
        rest = sentence[opened.start() :]
        if count_tokens(rest) > longest:
            break
        if len(_WORD.findall(rest)) >= 3 or _UNSPACED.search(rest):
            return rest
    asks_at_start = _ASKS_FIRST.match(sentence.lstrip("\"'“ ")) and not sentence.rstrip().endswith(("?", "？"))
    words = sentence.split(" ")
    kept: list[str] = []
    room = longest
    for word in words if asks_at_start else reversed(words):
        room -= count_tokens(word)
        if room < 0:
            break
        kept.append(word)
    if not kept:
        return sentence[-longest:]
    return " ".join(kept if asks_at_start else reversed(kept))


def count_tokens(text: str) -> int:
    """Return an estimate of the tokens of a text: a word has one for each five letters, an unspaced sign is one."""
    unspaced, spaced = 0, text
    if not text.isascii():
        unspaced, spaced = len(_UNSPACED.findall(text)), _UNSPACED.sub(" ", text)
    return unspaced + sum(-(-len(word) // 5) for word in spaced.split())


LONGEST_REMEMBERED = 4_000
"""Characters of a text whose content words are remembered: sentences and passages are asked for again and again."""


def content_words(text: str) -> set[str]:
    """Return the words of a text that say what it is about, folded and stemmed.

    >>> sorted(content_words("How many days of leave do we carry over?"))
    ['carry', 'day', 'leav', 'over']
    """
    return set(_remembered_words(text) if len(text) <= LONGEST_REMEMBERED else _find_content_words(text))


_CONTRACTED = re.compile(r"(?:n(?<=\wn)['’]t|['’](?<=\w['’])(?:m|re|ve|ll|d))\b")
"""The short form of a verb behind a word in small letters: "i'm", "doesn't". What is before it is looked at last, as
looking back at each letter takes long."""


def _find_content_words(text: str) -> frozenset[str]:
    folded = text.casefold()
    plain = _CONTRACTED.sub("", folded) if "'" in folded or "’" in folded else folded
    return frozenset().union(*map(_stem_written, set(_WRITTEN.findall(plain))))


_remembered_words = functools.lru_cache(maxsize=4096)(_find_content_words)
_WRITTEN = re.compile(r"\w[\w.+'’-]*")


@functools.lru_cache(maxsize=50_000)
def _stem_written(written: str) -> frozenset[str]:
    """Return the stems of the content words in a run of signs without a blank."""
    return frozenset(stem_word(word) for word in _take_apart(written) if word not in STOP_WORDS)


def split_words(text: str) -> list[str]:
    """Return the words of a text, folded; words with an underscore, hyphen or dot inside are taken apart as well."""
    return [word for written in _WRITTEN.findall(text.casefold()) for word in _take_apart(written)]


def _take_apart(written: str) -> list[str]:
    """Return a word, or its parts where it has several, with the whole of one that holds a digit."""
    if written.isalnum():  # as most are; taking them apart costs more than all else here
        return [written]
    word = written.rstrip(".'’-+").removesuffix("'s").removesuffix("’s")
    parts = [part for part in re.split(r"[_.'’-]+", word) if part]
    if len(parts) <= 1:
        return [word] if word else []
    return [*parts, word] if any(c.isdigit() for c in word) else parts


LIGHT_WORDS: frozenset[str]
"""Stems of verbs and frames that say little of what a question is about; a table or list need not have them."""

_FINAL_E = re.compile(r"(?<=[^e])e$")
_SUFFIXES = ("ingly", "edly", "ings", "ing", "edly", "ied", "ies", "ed", "es", "s", "ly")


_IRREGULAR = {
    form: forms.split()[0]
    for forms in """
    approve approval approvals; arise arose arisen; arrive arrival arrivals; become became; begin began begun; bend
    bent; blow blew blown; break broke broken; bring brought; build built; burn burnt; buy bought; catch caught;
    choose chose chosen; come came; deal dealt; dig dug; draw drew drawn; drink drank drunk; drive drove driven; eat
    ate eaten; fall fell fallen; feed fed; fight fought; fly flew flown; forget forgot forgotten; freeze froze
    frozen; give gave given; go went gone; grow grew grown; hang hung; hide hid hidden; hold held; keep kept; know
    knew known; lead led; learn learnt; lend lent; lose lost; mean meant; meet met; oversee oversaw overseen; pay
    paid; ride rode ridden; remove removal removals; renew renewal renewals; refuse refusal refusals; run ran; see
    seen; seek sought; sell sold; send sent; shake shook shaken; show shown; sing sang sung; sink sank sunk; sleep
    slept; speak spoken; spend spent; stand stood; steal stole stolen; strike struck; swear swore sworn; sweep
    swept; swim swam swum; take took taken; teach taught; tear tore torn; tell told; think thought; throw threw
    thrown; understand understood; undertake undertook undertaken; wear wore worn; win won; withdraw withdrew
    withdrawn withdrawal withdrawals; write wrote written; child children; foot feet; man men; mouse mice; taxi
    taxis; tooth teeth; woman women
    """.split(";")
    for form in forms.split()[1:]
}
"""Forms that no ending makes, with the word that they are of."""


@functools.lru_cache(maxsize=50_000)
def stem_word(word: str) -> str:
    """Return a word without its commonest English endings; an irregular form as its word.

    >>> [stem_word(word) for word in ("policies", "carried", "days", "process", "licences", "withdrew")]
    ['policy', 'carry', 'day', 'process', 'licenc', 'withdraw']
    """
    word = _IRREGULAR.get(word, word)
    if len(word) <= 3 or not word.isascii() or any(c.isdigit() for c in word):
        return word
    for suffix in _SUFFIXES:
        if not word.endswith(suffix) or len(word) - len(suffix) < 3:
            continue
        if suffix == "s" and word.endswith(("ss", "us", "is")):
            return word
        root = word[: -len(suffix)]
        if suffix in {"ies", "ied"}:
            return root + "y"
        if suffix in {"ed", "ing", "ings"} and len(root) > 3 and root[-1] == root[-2] and root[-1] not in "lsz":
            root = root[:-1]
        return _FINAL_E.sub("", root)
    return _FINAL_E.sub("", word)


def is_search_syntax(text: str) -> bool:
    """Return whether a text uses operators of a search: quotation marks, AND, OR, NOT, "-word", "field:".

    >>> is_search_syntax("leave -sick"), is_search_syntax("sick leave")
    (True, False)
    """
    return _OPERATORS.search(text) is not None


def find_names(question: str) -> list[str]:
    """Return the words that name something: capitalised within the sentence, or with a digit, ``_`` or capital inside.

    A question that capitalises most of its words (a title, German nouns) names nothing by it.

    >>> find_names("Which year did NASA trust attrs?")
    ['NASA']
    """
    words = _WORD.findall(question)
    if 2 * sum(word[0].isupper() for word in words) > len(words) and len(words) > 3:
        return []
    return [
        word
        for position, word in enumerate(words)
        if (position and word[0].isupper() and word != "I") or _NAME_INSIDE.search(word)
    ]


_MOST_ACRONYM_CHARS = 3
"""Letters of a name up to which a last "s" belongs to it."""


def holds_name(name: str, text: str) -> bool:
    """Return whether a text has a name, in one number or the other.

    A possessive is held by a possessive alone: who has something is named in every sentence of theirs, so that the bare
    name would prefer any of these to one that says "we".

    >>> holds_name("Normans", "a Norman knight"), holds_name("Moss", "Mogens"), holds_name("St.", "the st bernard")
    (True, False, True)
    """
    bare = name.casefold().rstrip(".")
    is_plural = bare.endswith("s") and not bare.endswith("ss") and len(bare) > _MOST_ACRONYM_CHARS
    return (bare[:-1] if is_plural else bare) in text.casefold()


def find_codes(text: str) -> list[str]:
    """Return codes, versions and part numbers, each once.

    >>> find_codes("Is PPR-9087 fixed in version 2.4.0?")
    ['PPR-9087', '2.4.0']
    """
    codes: dict[str, None] = {}
    for found in [*_VERSION.finditer(text), *_CODE.finditer(text)]:
        code = re.sub(r"\Av(?=\d+\.)", "", found["code"].rstrip("."), flags=re.IGNORECASE)
        if not _ORDINAL.fullmatch(code) and not _DATE.fullmatch(code):
            codes.setdefault(code)
    whole = [code for code in codes if not any(code != other and code in other for other in codes)]
    return sorted(whole, key=text.find)


def holds_code(code: str, text: str) -> bool:
    """True when a text names exactly this code, however its parts are joined.

    >>> holds_code("PPR-9087", "ppr 9087 is fixed"), holds_code("2.4.0", "2.4.0.1")
    (True, False)
    """
    parts = re.findall(r"[^\W_]+", code)
    joined = r"[\s._/-]{0,2}".join(re.escape(part) for part in parts)
    if re.fullmatch(r"[\d.]+", code):
        joined = re.escape(code)
    return re.search(rf"(?<![\w])(?<!\d\.)v?{joined}(?![\w])(?!\.\d)", text, re.IGNORECASE) is not None


def holds_all_codes(codes: Iterable[str], text: str) -> bool:
    """True when a text names all of ``codes``."""
    return all(holds_code(code, text) for code in codes)


LIGHT_WORDS = frozenset(
    stem_word(word)
    for word in """
    made make makes consist get take taken use used need want know work come go called happen happens there exist
    belong located based find contact call person reach
    """.split()
)
