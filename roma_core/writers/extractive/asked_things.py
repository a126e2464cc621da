"""The thing that a question asks for where it is no amount: a name, a person, a time, a colour; does a text state one?

"Which firm built the plant?" is not answered by a sentence about the plant that names nobody. Each kind is read
generously: a text is said to lack it only where nothing in it could be one. Pure.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Final, Literal

from roma_core.citations.lexicon import WEEKDAYS
from roma_core.citations.numbers import MONTHS
from roma_core.markup.questions import STOP_WORDS, drop_circumstance, split_words

ThingKind = Literal[
    "name", "person", "time", "clock time", "year", "frequency", "colour", "wood", "metal", "material", "phone number",
    "email address", "web address", "licence",
]  # fmt: skip

_WOODS = (
    r"oak|pine|larch|beech|ash|birch|spruce|fir|cedar|teak|mahogany|walnut|maple|elm|cherry|poplar|bamboo|ebony|plywood"
    r"|alder|lime|linden|willow|yew|chestnut|hickory|balsa|rosewood|sapele|iroko|chipboard|redwood|hornbeam|acacia"
    r"|eucalyptus|sycamore|driftwood"
)
_METALS = (
    r"steel|iron|copper|brass|bronze|zinc|tin|lead|alumini?um|nickel|chrom(?:e|ium)|titanium|gold|silver|platinum"
    r"|pewter|cobalt|tungsten|lithium|magnesium|mercury|alloys?"
)
_MATERIALS = (
    r"wood\w*|timber|stones?|granite|marble|slate|sandstone|limestone|bricks?|concrete|cement|clay|ceramics?|porcelain"
    r"|glass|plastics?|rubber|leather|wool|cotton|linen|silk|paper|cardboard|felt|nylon|polyester|polymer\w*|carbon"
    r"|fibreglass|fiberglass|fibres?|fibers?|foam|wax|cork|straw|peat|gravel|sand|canvas|silicone|epoxy|resin|metals?"
    r"|hemp|rope|bone|ivory|plaster|gypsum|asphalt|tar|vinyl|acrylic|teflon|latex|kevlar|diamond|quartz|sapphire"
)
CLOCK: Final = (
    r"(?:o['’]?clock|half past|quarter (?:past|to)"
    r"|(?:at|by|from|until|till)\s+(?:(?:about|around)\s+)?"
    r"(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\d{1,2})"
    r"(?=\W*$|[.,;:!?)]|\s+(?:in|on|to|till|until|and|or|every|each|sharp|daily|today|tomorrow|tonight)\b))"
)
"""A time of day in words: "at nine", "from nine to five". The pressure "at six bar" is none."""
_PATTERNS: Final[dict[ThingKind, re.Pattern[str]]] = {
    "time": re.compile(
        r"\d|\b(?:day|week|month|year|hour|minute|today|tomorrow|yesterday|daily|weekly|monthly|yearly|annually|morning"
        r"|afternoon|evening|noon|night|midnight|dawn|dusk|spring|summer|autumn|winter|christmas|easter|weekend|season"
        r"|century|decade|(?:mon|tues|wednes|thurs|fri|satur|sun)day|mon|tue|wed|thu|fri|sat"
        rf"|{CLOCK}|{'|'.join(sorted(MONTHS))}|after|before|until|till|since|during|while|when\w*|once|as soon as|only"
        r"|if|every|always|never|soon|later|immediately|recently|first|second|third|last|next|end|beginning|yet|now|ago)s?\b",
        re.IGNORECASE,
    ),
    "clock time": re.compile(
        r"\d{1,2}[:.h]\d\d|\b\d{1,2}\s?(?:a\.?m\.?|p\.?m\.?|o['’]?clock|hours?|hrs|h|uhr)\b|\b(?:noon|midday|midnight|dawn"
        r"|dusk|sunrise|sunset|morning|evening|night)\b"
        rf"|\b{CLOCK}|\b\d{{1,2}}\s?(?:to|[–-])",
        re.IGNORECASE,
    ),
    "year": re.compile(r"(?<!\d)\d{3,4}(?!\d)|['’]\d\d\b|\b(?:century|year|decade)s?\b", re.IGNORECASE),
    "frequency": re.compile(
        r"\b(?:times?|once|twice|thrice|daily|weekly|fortnightly|monthly|quarterly|yearly|annual\w*|hourly|nightly|every"
        r"|each|per|always|never|constant\w*|continu\w*|regular\w*|often|seldom|rarely|biennial\w*|interval\w*|whenever"
        r"|(?:mon|tues|wednes|thurs|fri|satur|sun)days?)\b|\ban? (?:second|minute|hour|day|week|month|quarter|year)\b"
        r"|\d\s*(?:hz|khz|mhz)\b|\b\d+\s+(?:seconds|minutes|hours|days|weeks|months|years)\b|/\s?\w",
        re.IGNORECASE,
    ),
    "colour": re.compile(
        r"\b(?:red|blue|green|yellow|black|white|gr[ea]y|brown|orange|purple|violet|pink|silver|gold\w*|turquoise|beige"
        r"|crimson|scarlet|magenta|cyan|navy|maroon|olive|teal|ivory|cream|bronze|copper|transparent|colou?rless"
        r"|multicolou?red|striped|tan|ochre|khaki|indigo|dark|light|bright|pale)\w*\b|#[0-9a-f]{6}\b|\bRAL\b",
        re.IGNORECASE,
    ),
    "wood": re.compile(rf"\b(?:{_WOODS})\w*\b", re.IGNORECASE),
    "metal": re.compile(rf"\b(?:{_METALS})\b", re.IGNORECASE),
    "material": re.compile(
        rf"\b(?:{_WOODS}|{_METALS}|{_MATERIALS})\b|\b(?:made|built|cast|cut|carved|consists?|woven|knitted)\b.{{0,20}}"
        r"\b(?:of|from|out of|in)\b",
        re.IGNORECASE,
    ),
    "phone number": re.compile(r"(?<![\w.])\+?\(?\d[\d /().-]{4,}\d|\b(?:extension|ext\.?|dial|call)\s+\d"),
    "email address": re.compile(r"\w@\w|\w\s?\(at\)\s?\w|\bat\b.*\bdot\b", re.IGNORECASE),
    "web address": re.compile(r"https?:|\bwww\.|\w\.[a-z]{2,}\b", re.IGNORECASE),
    "licence": re.compile(
        r"\b(?:0BSD|BSD\w*|MIT|ISC|[AL]?GPL\w*|Apache|MPL\w*|Mozilla Public|EUPL\w*|EPL\w*|CDDL\w*|CC0|CC[- ]BY[\w-]*"
        r"|Creative Commons|Unlicense|WTFPL|Zlib|PSF\w*|Python Software Foundation|Artistic|Boost|BSL\w*|SSPL\w*|OFL)\b"
        r"|\b[Pp]ublic [Dd]omain\b|\b(?i:proprietary|all rights reserved)\b"
        r"|\b[A-Z][\w.+-]*(?: v?\d[\d.]*)? (?:(?:Public|Software|Open Source) )?Licen[cs]e\b"
        r"|\b[A-Z\d][\w.+-]*-licen[cs]ed\b"
    ),
}
_DESCRIPTIONS: Final[dict[ThingKind, str]] = {
    "name": "a name",
    "person": "a person",
    "time": "a time",
    "clock time": "a time of day",
    "year": "a year",
    "frequency": "how often",
    "colour": "a colour",
    "wood": "a kind of wood",
    "metal": "a metal",
    "material": "a material",
    "phone number": "a telephone number",
    "email address": "an e-mail address",
    "web address": "a web address",
    "licence": "a licence",
}

_COMPARABLE: Final[frozenset[ThingKind]] = frozenset({"colour", "wood", "metal", "phone number"})
"""Kinds of which two things can be told apart by their words."""
_OPEN: Final[frozenset[ThingKind]] = frozenset({"colour", "wood", "metal", "material"})
"""Kinds of which no list is whole: a word that a text says of something may be one (vermilion, ironwood, pinchbeck)."""
_SAID_OF: Final = re.compile(
    r"\b(?:is|are|was|were|be|been|being|painted|dyed|coloured|colored|turned|of|from|in|with)\s+"
    r"(?:(?:an?|the|very|quite|deep|pure|solid|usually|always|originally|once)\s+)*(?=([^\W\d_]{3,})\b)",
    re.IGNORECASE,
)
"""A word behind a copula or a preposition: what something is said to be, or to be made of."""
_NO_THING: Final = re.compile(
    r"(?:\w+(?:ed|ing|ly)|built|made|kept|found|known|held|sold|bought|worn|given|taken|seen|lost|left|not|never|also|only"
    r"|about|more|most|less|than|that|this|these|those|there|here|it|its|his|her|their|our|and|for|one|two|three|four"
    r"|five|six|seven|eight|nine|ten|open|closed|new|old|large|small|long|short|high|low|good|bad|free|full|empty"
    r"|january|february|march|april|may|june|july|august|september|october|november|december|spring|summer|autumn|winter)",
    re.IGNORECASE,
)
_COUNTED: Final[frozenset[ThingKind]] = frozenset({"time", "clock time", "year", "frequency"})
"""Kinds that are stated by numbers and dates."""

_NAMED = (
    r"firm|company|companies|manufacturer|maker|supplier|contractor|brand|foundation|bank|charity|boat|ship|vessel|tug"
    r"|ferry|band|choir|orchestra|bakery|brewery|school|university|college|hotel|restaurant|pub|street|road|river|lake"
    r"|mountain|town|city|village|county|country|island|person|man|woman|engineer|architect|author|artist|painter|poet"
    r"|composer|player|singer|team|club|newspaper|magazine|journal|airline|airport|station|agency|ministry|party|tribe"
    r"|king|queen|emperor|general|president|minister|mayor|bishop|saint|actor|actress|director|scientist|biologist"
    r"|chemist|physicist|doctor|nurse|teacher|professor|student|league|museum|theatre|theater|church|hospital|dealer"
    r"|shop|publisher|insurer|carrier|operator|lawyer|designer|planet|nation|state|province|dynasty"
)
_BEGINNING: Final = (
    r"^\W*(?:(?:and|so|but|for|at|to|by|in|on|over|below|above|under|up to|from|with|of|after|since|until|near|before"
    r"|till|through|into|around|about)\s+)*"
)
_QUESTIONS: Final[tuple[tuple[str, ThingKind], ...]] = (
    (r"(?:what|which)(?:'s| is| was| are)?(?: the| our| your| its| their)? (?:\w+[\w'’]*\s+){0,3}"
     r"(?:telephone|phone|fax|mobile)(?: number)?\b", "phone number"),
    (r"(?:what|which)(?:'s| is| was)?(?: the| our| your| its| their)? (?:\w+[\w'’]*\s+){0,3}(?:e-?mail(?: address)?)\b",
     "email address"),
    (r"(?:what|which)(?:'s| is| was)?(?: the| our| your| its| their)? (?:\w+[\w'’]*\s+){0,3}(?:web ?site|web address"
     r"|url)\b",
     "web address"),
    (r"(?:what|which) (?:\w+ ){0,2}licen[cs]es?\b"
     r"(?=\W*$| (?:has|have|is|are|was|were|does|do|did|covers?|applies|governs?)\b)"
     r"(?!.*\b(?:need|needs|needed|require\w*|drive|fish|hold|holds|apply for)\b)",
     "licence"),
    (r"(?:what|which) colou?rs?\b|what is the colou?r\b", "colour"),
    (r"(?:what|which) (?:kind of |type of |sort of )?(?:wood|timber)\b", "wood"),
    (r"(?:what|which) (?:kind of |type of |sort of )?metal\b", "metal"),
    (r"(?:what|which) (?:kind of |type of |sort of )?(?:material|fabric|cloth)\b", "material"),
    (r"how often\b|how frequently\b", "frequency"),
    (r"(?:what|which) year\b", "year"),
    (r"(?:what|which) (?:time|hour)\b(?! (?:zone|span|limit|of year))", "clock time"),
    (r"when\b|(?:what|which) (?:date|day|month|season|weekday)\b", "time"),
    (r"(?:who|whom)\b(?!'s| is| are| was| were)|(?:who)(?:'s| is| are| was| were)\b", "person"),
    (r"whose\b", "person"),
    (r"(?:what|which)(?:'s| is| was)? the (?:\w+ ){0,1}names? of\b"
     r"|what (?:is|are|was|were) .{2,60} (?:called|named)\W*$",
     "name"),
    (r"what(?:'s| is| was| are| were) (?:the |our |your )?[\w-]+(?:['’]s|s['’]) names?\b", "name"),
    (rf"(?:what|which) (?:[a-z-]+ )?(?:{_NAMED})\b(?!['’\w])", "name"),
)  # fmt: skip
_KINDS: Final = tuple((re.compile(_BEGINNING + pattern, re.IGNORECASE), kind) for pattern, kind in _QUESTIONS)

_NAME = re.compile(r"[^\W\d_][\w'’&.-]*")
_QUOTED = re.compile(r"[\"“„«‘*_`][^\"”“»’*_`]{2,60}[\"”“»’*_`]")
_PERSON_NOUN = re.compile(
    r"\b(?:\w{2,}(?:er|or|ist|ian|eer|ess|ant|ent|man|men|woman|women|ee)s?|people|persons?|staff|crews?|council"
    r"|board"
    r"|committee|teams?|family|wife|wives|husband|sons?|daughters?|guests?|child(?:ren)?|nurses?|king|queen|pilots?|clerks?"
    r"|guards?|chief|head|monks?|nuns?|police|army|company|firm|groups?|club|society|association|office|department|desk"
    r"|trust|ministry|government|court|church|parish|town|city|state|school|university|hospital|volunteers?|divers?"
    r"|pupils?"
    r"|boys?|girls?|parents?|everyone|everybody|anyone|nobody|no one|all|members?|cooks?|judges?|saints?|priests?"
    r"|scouts?"
    r"|i|we|he|she|they|you|us|our|my|public|house|bank|students?|adults?|youths?|chair|aunt|uncle|friends?|neighbours?)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class AskedThing:
    """The kind of thing that a question asks for; ``words`` are those of the question, which are no answer to it."""

    kind: ThingKind
    words: frozenset[str] = frozenset()

    @property
    def is_counted(self) -> bool:
        """Return whether numbers and dates state it."""
        return self.kind in _COUNTED

    @property
    def description(self) -> str:
        """The kind in words: "a telephone number"."""
        return _DESCRIPTIONS[self.kind]


@functools.lru_cache(maxsize=256)
def find_asked_thing(question: str) -> AskedThing | None:
    """Return the kind of thing that a question asks for; None where no kind is certain.

    >>> find_asked_thing("Which firm built the ice plant?").kind, find_asked_thing("Why is it closed?")
    ('name', None)
    """
    text = " ".join(question.split())
    asking = drop_circumstance(text)
    for pattern, kind in _KINDS:
        if pattern.match(asking):
            return AskedThing(kind, frozenset(split_words(text)))
    return None


_OWNED: Final = re.compile(
    r"(?:\b[A-ZÀ-Þ][\w-]*['’]s?\s+|\bthe\s+(?=[a-z-]+\s+of\s+[A-ZÀ-Þ]))(?P<owned>[a-zß-ÿ][\w-]*)"
)
_NO_RELATION: Final = frozenset({"name", "names", "own", "new", "old", "first", "last"})


def find_owned(question: str) -> str:
    """Return what a named one has in a question, "" without one.

    >>> find_owned("What is the name of Mara Lindqvist's husband?"), find_owned("Who is the husband of Mara Lindqvist?")
    ('husband', 'husband')
    >>> find_owned("What is the name of Mara?")
    ''
    """
    owned = [match["owned"] for match in _OWNED.finditer(question)]
    return next((word for word in owned if word not in _NO_RELATION), "")


def states_thing(asked: AskedThing, text: str) -> bool:
    """Return whether something in a text could be what is asked.

    >>> asked = find_asked_thing("Which firm built the ice plant?")
    >>> states_thing(asked, "The ice plant makes 8 tonnes a day."), states_thing(asked, "Frosta of Kiel built it.")
    (False, True)
    """
    if asked.kind == "name":
        return _has_new_name(asked, text) or _calls(asked, text)
    if asked.kind == "person":
        return _has_new_name(asked, text) or _PERSON_NOUN.search(text) is not None
    if _PATTERNS[asked.kind].search(text) is not None:
        return True
    return asked.kind in _OPEN and _says_something_else(asked, text)


def _says_something_else(asked: AskedThing, text: str) -> bool:
    """Return whether a text says of something what the question does not, in a word that could be any thing.

    >>> asked = find_asked_thing("Which colour was the coat of the smuggler?")
    >>> states_thing(asked, "The coat of the smuggler was vermilion."), states_thing(asked, "The coat was sold in May.")
    (True, False)
    """
    said = (found[1] for found in _SAID_OF.finditer(text))
    return any(
        word[0].islower() and not set(split_words(word.casefold())) <= asked.words and not _NO_THING.fullmatch(word)
        for word in said
    )


def compare_things(asked: AskedThing, one: str, other: str) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """Return the things that two texts name, where none of them is the same; None where one names none.

    >>> compare_things(find_asked_thing("What colour is it?"), "It is red.", "It is blue.")
    (('red',), ('blue',))
    """
    if asked.kind not in _COMPARABLE:
        return None
    pattern = _PATTERNS[asked.kind]
    mine = {found[0].casefold(): found[0] for found in pattern.finditer(one)}
    theirs = {found[0].casefold(): found[0] for found in pattern.finditer(other)}
    mine = {key: text for key, text in mine.items() if key not in asked.words}
    theirs = {key: text for key, text in theirs.items() if key not in asked.words}
    if not mine or not theirs or mine.keys() & theirs.keys():
        return None
    return tuple(mine.values()), tuple(theirs.values())


def _has_new_name(asked: AskedThing, text: str) -> bool:
    """Return whether a text has a name that the question does not have: capitals, letters with digits, or quotes."""
    if _QUOTED.search(text):
        return True
    for found in _NAME.finditer(text):
        word = found[0].rstrip(".'’-")
        folded = word.casefold()
        if set(split_words(folded)) <= asked.words or folded in MONTHS or folded in WEEKDAYS or len(word) < 2:
            continue
        if re.search(r"\w[A-Z\d]", word):
            return True
        is_first = re.search(r"(?:^|[.!?:;|]\s*|[\n(\"“])\W*$", text[: found.start()]) is not None
        if is_first and (folded in STOP_WORDS or folded in _OPENERS):
            continue  # "Since March", "In Bergen": the name stands behind it, where there is one
        if word[0].isupper() and (not is_first or _goes_on_named(text[found.end() :])):
            return True
        if word[0].isupper() and _does_asked(asked, text[found.end() :]):
            return True
    return False


_CALLED: Final = re.compile(
    r"\b(?:called|named|known as|termed|dubbed|nicknamed)\s+(?:(?:an?|the|as|by)\s+)?(?P<name>[^\W\d_][\w-]+)",
    re.IGNORECASE,
)


def _calls(asked: AskedThing, text: str) -> bool:
    """Return whether a text says what something is called, in a word that the question does not have.

    >>> _calls(find_asked_thing("What are the stages called?"), "These stages were called expansions.")
    True
    """
    names = (found["name"].casefold() for found in _CALLED.finditer(text))
    return any(name not in STOP_WORDS and name not in asked.words for name in names)


_OPENERS: Final = frozenset(
    """
    since until till before after during from between within about above below under over by near beside because
    although while when where if as once some many most several few all each every any no only also then now today
    """.split()
)
"""Words that open a sentence and begin no name."""


_DEED: Final = re.compile(r"\s+(?:(?:has|had|have|will|also|then)\s+)*(?P<verb>[a-z]+)")


def _does_asked(asked: AskedThing, rest: str) -> bool:
    """Return whether a capital word at the beginning does what is asked: "Sam has approved it"."""
    deed = _DEED.match(rest)
    return deed is not None and deed["verb"] in asked.words - STOP_WORDS


def _goes_on_named(rest: str) -> bool:
    """Return whether a capital word at the beginning is part of a name: another one follows, or it acts."""
    return re.match(r"\s+(?:(?:of|and|&|de|von|van)\s+)?[A-Z]|['’]s\b", rest) is not None
