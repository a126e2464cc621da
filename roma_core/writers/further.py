"""Follow-up questions from what other documents add to an answer. Rules alone, pure.

A question is offered where a sentence of another document speaks of a thing that was asked about, and of one that
neither the question, nor the answer, nor its sources speak of. So the document answers what is offered, and nothing is
invented. Things are found by the small words around them, in the languages of ``GRAMMARS``; in others none is offered.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from roma_core.languages import detect_language
from roma_core.markup import read_markers, remove_markers
from roma_core.markup.questions import LIGHT_WORDS, stem_word
from roma_core.types import ScoredChunk

MOST_FURTHER: Final = 3
MOST_READ: Final = 24
"""Passages that are looked through."""
MOST_CHARS: Final = 2_000
"""Characters of a passage that are looked through."""
LONGEST_QUESTION: Final = 200
LONGEST_THING: Final = 3
"""Words of a thing."""
LEAST_LETTERS: Final = 3


@dataclass(frozen=True)
class Grammar:
    """The small words around the nouns of a language, and how it asks about things."""

    openers: frozenset[str]
    """Words directly before a noun: articles, possessives, prepositions."""
    verbs: frozenset[str]
    """Words directly behind a noun that does or is something."""
    others: frozenset[str]
    ask: str
    """A question with the places ``title`` and ``things``."""
    quotes: tuple[str, str]
    conjunction: str
    has_capital_nouns: bool = False

    def quote(self, words: str) -> str:
        """Return words within the quotes of the language."""
        return f"{self.quotes[0]}{words}{self.quotes[1]}"

    def is_small(self, word: str) -> bool:
        """Return whether a word is no part of a thing."""
        folded = word.casefold()
        return folded in self.openers or folded in self.verbs or folded in self.others


GRAMMARS: Final[Mapping[str, Grammar]] = {
    "en": Grammar(
        openers=frozenset(
            "the a an its his her their our your my this these those each every any some no of in on for from with by "
            "at into under over between against through during after before without per".split()
        ),
        verbs=frozenset("is are was were has have had can must may will should does do did of".split()),
        others=frozenset(
            "and or but nor not to as that which who whom whose what when where why how if then than so such it he "
            "she they them we us you i there here also only very more most much many less least all both one two "
            "three four five six seven eight nine ten about up out off again other another same be been being could "
            "would might while because until since once twice too own just still even never always often yes alone "
            "together later earlier away else apart instead therefore however already soon year "
            "years january february march april may june july august september october november december monday "
            "tuesday wednesday thursday friday saturday sunday".split()
        ),
        ask="What does {title} say about {things}?",
        quotes=("“", "”"),
        conjunction="and",
    ),
    "de": Grammar(
        openers=frozenset(
            "der die das den dem des ein eine einen einem einer eines im am zum zur vom beim in an auf für von mit "
            "bei aus nach vor unter über durch ohne pro".split()
        ),
        verbs=frozenset("ist sind war waren hat haben hatte kann können muss müssen darf soll wird werden".split()),
        others=frozenset(
            "und oder aber nicht als dass wer was wann wo warum wie wenn so sie er es wir ihr ich sich jahr jahre "
            "jahren januar februar märz april mai juni juli august september oktober november dezember montag "
            "dienstag mittwoch donnerstag freitag samstag sonntag".split()
        ),
        ask="Was sagt {title} über {things}?",
        quotes=("„", "“"),
        conjunction="und",
        has_capital_nouns=True,
    ),
    "fr": Grammar(
        openers=frozenset(
            "l d le la les un une des du de au aux ce cet cette ces son sa ses leur leurs notre nos votre vos chaque "
            "en dans sur sous pour par avec sans entre contre pendant après avant".split()
        ),
        verbs=frozenset("est sont était étaient fut furent a ont avait avaient peut doit sera seront de".split()),
        others=frozenset(
            "et ou mais ni ne pas plus que qui quoi dont où quand comment pourquoi si il elle ils elles on nous vous "
            "je se y très tout tous toute toutes aussi comme deux trois quatre cinq".split()
        ),
        ask="Que dit {title} de {things} ?",
        quotes=("« ", " »"),
        conjunction="et",
    ),
    "es": Grammar(
        openers=frozenset(
            "el la los las un una unos unas del de al este esta estos estas su sus cada en con por para sin sobre "
            "entre contra desde hasta durante".split()
        ),
        verbs=frozenset("es son era eran fue fueron está están ha han tiene tienen puede debe será de".split()),
        others=frozenset(
            "y e o u pero ni no más que quien qué quién cuándo cuando dónde donde cómo como si se lo le les muy todo "
            "todos también dos tres cuatro cinco".split()
        ),
        ask="¿Qué dice {title} sobre {things}?",
        quotes=("«", "»"),
        conjunction="y",
    ),
    "it": Grammar(
        openers=frozenset(
            "l d dell nell dall sull all un il lo la i gli le uno una del dello della dei degli delle al allo alla ai "
            "agli alle dal dalla nel nella nei sul sulla di in con su per tra fra da ogni questo questa suo sua".split()
        ),
        verbs=frozenset("è sono era erano fu furono ha hanno aveva può deve sarà di".split()),
        others=frozenset(
            "e o ma né non più che chi cosa quando dove come perché se si lui lei essi molto tutto tutti anche due "
            "tre quattro cinque".split()
        ),
        ask="Che cosa dice {title} su {things}?",
        quotes=("«", "»"),
        conjunction="e",
    ),
    "pt": Grammar(
        openers=frozenset(
            "o a os as um uma uns umas do da dos das de no na nos nas ao à pelo pela este esta seu sua cada em com "
            "por para sem sobre entre contra desde até durante".split()
        ),
        verbs=frozenset("é são era eram foi foram está estão tem têm pode deve será de".split()),
        others=frozenset(
            "e ou mas nem não mais que quem quando onde como porque se ele ela eles elas muito todo todos também dois "
            "três quatro cinco".split()
        ),
        ask="O que diz {title} sobre {things}?",
        quotes=("«", "»"),
        conjunction="e",
    ),
    "nl": Grammar(
        openers=frozenset(
            "de het een deze dit die dat zijn haar hun onze elke elk geen van in op voor met bij uit naar onder over "
            "door tussen tegen tijdens na zonder per".split()
        ),
        verbs=frozenset("is was waren heeft hebben had kan moet mag zal wordt worden werd werden van".split()),
        others=frozenset(
            "en of maar niet als wie wat wanneer waar waarom hoe dan zo hij zij ze we wij je ik er ook nog meer alle "
            "twee drie vier vijf".split()
        ),
        ask="Wat zegt {title} over {things}?",
        quotes=("“", "”"),
        conjunction="en",
    ),
}
"""Languages in which questions are offered."""

VAGUE: Final = frozenset(
    stem_word(word)
    for word in """
    amount basis beginning bit case change choice day detail difference end example fact file form group hand help hour
    kind kinds lack level line list look lot manner matter means minute moment month name need note number option order
    others page part people person piece place point question reason rest result row rule same second section sentence
    set side size sort start state step task term thing time times total type use user value version view way week word
    words work year years
    """.split()
)
"""Stems of nouns that say too little to ask about."""
_WORD = re.compile(r"[^\W_]+(?:[-’'][^\W_]+)*")
_ELISION = re.compile(r"\b(?:[dlmnsctj]|qu|dell|nell|dall|sull|all|un)[’'](?=\w)", re.IGNORECASE)
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"”»)\]]*\s+|\n+")
_IS_MARKUP = re.compile(r"\s*(?:[#|>`~]|!\[|\s{4})|.*[<>{}=|\\]")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_EMPHASIS = re.compile(r"[*_`]+")
_MAY_BE_VERB = re.compile(r".*(?:ed|ing|ly|s)$")


_Closer = Literal["verb", "sign", "word"]
"""The end of a run of words: a verb of the grammar, a sign or the end of the sentence, or any other word."""


@dataclass(frozen=True)
class Thing:
    """Some words that name a thing, as they are written, with their stems."""

    words: str
    stems: frozenset[str]
    head: str
    """Stem of the word that says which thing it is."""
    is_name: bool = False


@dataclass(frozen=True)
class _ProseToken:
    text: str
    gap: str
    """The signs before the word, without blanks."""
    is_first: bool

    @property
    def stem(self) -> str:
        return stem_word(self.text.casefold())

    @property
    def is_name(self) -> bool:
        return self.text[0].isupper() and not self.is_first


def find_further_questions(question: str, answer: str, passages: Sequence[ScoredChunk]) -> tuple[str, ...]:
    """Return questions about what documents add that the answer does not cite, the best passage first.

    ``passages`` are those that the writer was given, as the markers of the answer count them: an answer is hidden or
    blanked whole when one of them is, and its questions with it.

    >>> find_further_questions("How long is the bridge?", "It spans 48 m [1].", passages)  # doctest: +SKIP
    ('What does “Ferry rates” say about “bridge” and “landing stage”?',)
    """
    grammar = GRAMMARS.get(detect_language(question))
    if grammar is None:
        return ()
    cited = {number for marker in read_markers(answer, len(passages)) for number in marker.numbers}
    sources = [passage for rank, passage in enumerate(passages, 1) if rank in cited]
    cited_ids = {passage.chunk.document_id for passage in sources}
    read = [p for p in passages[:MOST_READ] if p.chunk.document_id not in cited_ids]
    if not read:
        return ()
    reader = ThingReader(grammar, [passage.chunk.text[:MOST_CHARS] for passage in (*sources, *read)])
    known = read_stems(" ".join([question, remove_markers(answer), *(p.chunk.text for p in sources)]))
    asked = reader.read(question, is_question=True)
    found: dict[str, str] = {}
    for passage in read:
        document = passage.chunk.document_id
        if document not in found and (asking := _ask(passage, reader, asked, known)):
            found[document] = asking
            known |= read_stems(asking)
        if len(found) == MOST_FURTHER:
            break
    return tuple(found.values())


def _ask(passage: ScoredChunk, reader: ThingReader, asked: Sequence[Thing], known: frozenset[str]) -> str | None:
    """Return a question about what a passage adds to one of the asked things; None where it adds nothing."""
    title = passage.chunk.title.strip()
    titled = read_stems(title)
    best: tuple[tuple[int, ...], Thing, Thing] | None = None
    for sentence in split_prose(passage.chunk.text[:MOST_CHARS]):
        stems = read_stems(sentence)
        shared = [thing for thing in asked if thing.head in stems]
        if not shared:
            continue
        for topic in reader.read(sentence):
            if topic.stems & known or topic.head in VAGUE or topic.words.isupper():
                continue
            rank = (len(shared), int(topic.is_name), len(topic.stems), len(topic.words))
            if best is None or rank > best[0]:
                best = (rank, max(shared, key=lambda thing: len(thing.stems)), topic)
    if best is None:
        return None
    _, subject, topic = best
    # what the title names needs no second mention
    things = [thing for thing in (subject, topic) if not thing.stems <= titled]
    if not things or not title:
        return None
    grammar = reader.grammar
    named = f" {grammar.conjunction} ".join(grammar.quote(thing.words) for thing in things)
    asking = grammar.ask.format(title=grammar.quote(title), things=named)
    return asking if len(asking) <= LONGEST_QUESTION else None


class ThingReader:
    """Reads the things that sentences name, by what all texts together show of their words.

    >>> reader = ThingReader(GRAMMARS["en"], ["The seal of the valve is changed by the keeper."])
    >>> [thing.words for thing in reader.read("The seal wears out.")]
    ['seal']
    """

    def __init__(self, grammar: Grammar, texts: Iterable[str]) -> None:
        self.grammar = grammar
        self._nouns: set[str] = set()
        for text in texts:
            for sentence in split_prose(text):
                runs = self._find_runs(_read_tokens(sentence))
                self._nouns.update(run[-1].stem for run, closer in runs if _is_whole(run, closer))

    def read(self, sentence: str, *, is_question: bool = False) -> list[Thing]:
        """Return the things of a sentence in their order."""
        things: dict[str, Thing] = {}
        for run, closer in self._find_runs(_read_tokens(sentence)):
            thing = self._choose(run, is_whole=_is_whole(run, closer, is_question=is_question))
            if thing is not None:
                things.setdefault(thing.head, thing)
        return list(things.values())

    def _find_runs(self, tokens: Sequence[_ProseToken]) -> Iterator[tuple[list[_ProseToken], _Closer]]:
        """Yield the runs of words behind an opener, and of names, and what closes them."""
        run: list[_ProseToken] = []
        is_open = False
        for token in tokens:
            is_small = self._is_no_part(token)
            if run and (is_small or token.gap or token.is_name != run[-1].is_name):
                if is_open or run[0].is_name:
                    is_verb = not token.gap and token.text.casefold() in self.grammar.verbs
                    yield run, "verb" if is_verb else "sign" if token.gap else "word"
                run, is_open = [], False
            if is_small:
                is_open = token.text.casefold() in self.grammar.openers
            else:
                is_open = is_open and (bool(run) or not token.gap)
                run.append(token)
        if run and (is_open or run[0].is_name):
            yield run, "sign"

    def _is_no_part(self, token: _ProseToken) -> bool:
        return self.grammar.is_small(token.text) or any(sign.isdigit() for sign in token.text)

    def _choose(self, run: Sequence[_ProseToken], *, is_whole: bool) -> Thing | None:
        """Return the thing that a run names: all of it, else up to the words that are nouns elsewhere."""
        nouns = [at for at, token in enumerate(run) if token.stem in self._nouns]
        if run[0].is_name or (is_whole and not self.grammar.has_capital_nouns):
            chosen = run
        elif nouns and not self.grammar.has_capital_nouns:
            end = nouns[0] + 1
            while end in nouns:
                end += 1
            chosen = run[:end]
        else:
            return None
        words = " ".join(token.text for token in chosen)
        stems = frozenset(token.stem for token in chosen)
        head = chosen[-1].stem
        is_short = len(chosen[-1].text) < LEAST_LETTERS
        if len(chosen) > LONGEST_THING or is_short or head in LIGHT_WORDS:
            return None
        is_name = chosen[0].is_name and not words.isupper()
        return Thing(words, stems, head, is_name=is_name)


def _is_whole(run: Sequence[_ProseToken], closer: _Closer, *, is_question: bool = False) -> bool:
    """Return whether all words of a run name a thing, with no verb at its end.

    A verb behind a run shows that it is. A sign shows it of a single word, and of several where the last one does not
    look like a verb; at the end of a question the verb may stand ("When does the valve open?").
    """
    if closer == "verb":
        return not run[-1].text.endswith("ly")
    return closer == "sign" and not is_question and (len(run) == 1 or not _MAY_BE_VERB.match(run[-1].text))


def split_prose(text: str) -> list[str]:
    """Return the sentences of a text without headings, tables, code and markup.

    >>> split_prose("# Care\\n\\nThe **seal** wears. It is [new](x).\\n\\n| a | b |")
    ['The seal wears.', 'It is new.']
    """
    lines = [_EMPHASIS.sub("", _LINK.sub(r"\1", line)) for line in text.splitlines() if not _IS_MARKUP.match(line)]
    pieces = (piece.strip() for line in lines for piece in _SENTENCE_END.split(line))
    return [piece for piece in pieces if piece]


def read_stems(text: str) -> frozenset[str]:
    """Return the stems of all words of a text."""
    return frozenset(stem_word(word.casefold()) for word in _WORD.findall(_ELISION.sub("", text)))


def _read_tokens(sentence: str) -> list[_ProseToken]:
    """Return the words of a sentence with the signs before them."""
    tokens: list[_ProseToken] = []
    end = 0
    plain = _ELISION.sub(lambda match: match[0][:-1] + " ", sentence)
    for match in _WORD.finditer(plain):
        gap = plain[end : match.start()].strip()
        is_first = not tokens or gap.endswith((".", "!", "?", ":"))
        tokens.append(_ProseToken(match[0], gap, is_first))
        end = match.end()
    return tokens
