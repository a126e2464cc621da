"""Bridges: names by which one passage leads to the next, for questions of two hops. Rules alone, pure.

"Where was the designer of the Alba bridge born?" is answered by two passages, and no search for its words finds the
second one. The first one says "The Alba bridge was designed by Petra Vos"; its name that the question lacks is the
bridge to a second look-up, for "Petra Vos" and what the first passage does not say.

The rule: the question describes a thing by another one ("the designer of", "the company that"); its best passage has
at least half of its words, and neither it nor another one has all of them. Then the names that the question does not
have are taken from the sentence of this passage with most words of the question, or from one with half as many.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from roma_core.markup.questions import LIGHT_WORDS, STOP_WORDS, content_words, read_question, split_words, stem_word
from roma_core.markup.sentences import split_sentences
from roma_core.types import ScoredChunk

MOST_BRIDGES: Final = 2
LEAST_WORDS: Final = 3
"""Content words from which a question can ask for a thing by way of another one."""
LEAST_SHARE: Final = 0.5
"""Share of the question's words that the first passage has."""
PASSAGES_READ: Final = 5
MOST_NAME_WORDS: Final = 5

_DESCRIBES = re.compile(
    r"\b(?:the|an?|this|that|whose)\s+(?:[\w'’-]+\s+){1,4}?"
    r"(?:of|that|who|whom|which|whose|where|when|by|behind|from|for|in|at|on|to|with|after|before)\b"
    r"|\b\w+(?:'s|’s|s'|s’)\s+\w+",
    re.IGNORECASE,
)
_NAME = re.compile(
    r"(?<![\w'’-])[^\W\d_a-zà-öø-ÿ][\w'’-]*\.?"
    r"(?:\s+(?:(?:of|the|and|de|von|van|der|del|la|le|bin|al)\s+){0,2}[^\W\d_a-zà-öø-ÿ][\w'’-]*\.?)*"
)


_ASKING = LIGHT_WORDS | {stem_word(word) for word in "name called date year month day mean start begin person".split()}
"""Words that ask, or that say in every passage the same: they lead nowhere by themselves."""
_CALENDAR = frozenset(
    """
    january february march april may june july august september october november december monday tuesday wednesday
    thursday friday saturday sunday
    """.split()
)


@dataclass(frozen=True)
class Bridge:
    """A name that leads on, and the words of the question that the passage which has it does not answer."""

    name: str
    open_words: tuple[str, ...]

    @property
    def lookup(self) -> str:
        """The words of the second look-up.

        >>> Bridge("Petra Vos", ("born",)).lookup
        'Petra Vos born'
        """
        return " ".join((self.name, *self.open_words))

    def leads_to(self, passage: ScoredChunk) -> bool:
        """Return whether a passage speaks of the name and has half of the open words at least."""
        held = content_words(passage.chunk.indexed_text)
        opened = {stem_word(word) for word in self.open_words}
        return content_words(self.name) <= held and 2 * len(opened & held) >= len(opened)


def find_bridges(question: str, passages: Sequence[ScoredChunk]) -> tuple[Bridge, ...]:
    """Return the names to look up next, the best first; nothing where one passage can answer.

    ``passages`` are those of the question, best first.
    """
    wanted = read_question(question).words
    if len(wanted) < LEAST_WORDS or not passages or not _DESCRIBES.search(question):
        return ()
    held = [wanted & content_words(passage.chunk.indexed_text) for passage in passages[:PASSAGES_READ]]
    if len(held[0]) < LEAST_SHARE * len(wanted) or any(words == wanted for words in held):
        return ()
    open_words = _words_in_order(question, wanted - held[0])
    if all(stem_word(word) in _ASKING for word in open_words):
        return ()
    text = passages[0].chunk.text
    overlaps = {unit.of(text): len(wanted & content_words(unit.of(text))) for unit in split_sentences(text)}
    least = max(overlaps.values(), default=0) / 2
    for sentence in sorted(overlaps, key=lambda sentence: -overlaps[sentence]):
        names = _find_names(sentence, question) if overlaps[sentence] >= least > 0 else []
        if names:
            return tuple(Bridge(name, open_words) for name in names[:MOST_BRIDGES])
    return ()


def _words_in_order(question: str, stems: set[str] | frozenset[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word for word in split_words(question) if stem_word(word) in stems))


def _find_names(sentence: str, question: str) -> list[str]:
    """Return the names of a sentence that share no word with the question, those of several words first.

    A single word at the beginning of the sentence is capitalised whatever it is, so it counts only with a digit or a
    capital inside.
    """
    known = set(split_words(question))
    names: dict[str, None] = {}
    for found in _NAME.finditer(sentence):
        name = re.sub(r"['’]s?\Z", "", found[0].rstrip(".,"))
        words = split_words(name)
        is_first = not re.search(r"\w", sentence[: found.start()])
        is_single = " " not in name
        if is_first and not is_single and words[0] in STOP_WORDS:
            name = name.split(maxsplit=1)[1]
            words, is_first, is_single = split_words(name), False, " " not in name
        if not words or len(words) > MOST_NAME_WORDS or known.intersection(words) or _CALENDAR.issuperset(words):
            continue
        if is_first and is_single and not re.search(r"\w[A-Z\d]", name):
            continue
        if len(words) == 1 and (len(name) < 3 or words[0] in STOP_WORDS):
            continue
        names.setdefault(name)
    return sorted(names, key=lambda name: " " not in name)
