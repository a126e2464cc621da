"""Questions of the corpus: for an empty conversation, while one types, and beside an answer."""

from __future__ import annotations

import asyncio
import math
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Final

from roma_core.citations.words import read_words
from roma_core.display import show_overrides
from roma_core.types import Document

MOST_QUESTIONS: Final = 4
MOST_OFFERED: Final = 5
"""Questions that are offered while one is typed."""
MOST_RELATED: Final = 3
"""Related questions that are offered below an answer."""
LEAST_RELATED: Final = 0.2
"""Share of the weight of a question's words that a related one has at least."""
MOST_KNOWN: Final = 2000
"""Questions of the corpus among which those are looked for."""
MOST_READ: Final = 24
"""Documents that are looked at."""
_DEFINED = re.compile(r"(?:^|[.!?]\s+)(?:The |An? )?([A-Z][\w-]*(?: [A-Za-z][\w-]*){0,3}) (is|are) (?:an?|the) [a-z]")
_WORDS = re.compile(r"\w+")
_NUMBERING = re.compile(r"^\s*(?:\d+(?:\.\d+)*\.?|[IVX]+\.|[A-Z]\.)\s+")
_PLAIN = frozenset(
    "introduction overview contents summary abstract references appendix conclusion conclusions background notes index "
    "faq license changelog readme usage example examples installation discussion results methods".split()
)
_PRONOUNS = frozenset("this that these those it they he she there here we you i what which who each such".split())


async def suggest_questions(documents: AsyncIterator[Document]) -> list[str]:
    """Return at most four questions that documents answer, each of another document where there are enough."""
    by_document: list[list[str]] = []
    async for document in documents:
        by_document.append(find_questions(document))
        if len(by_document) >= MOST_READ:
            break
    questions: list[str] = []
    for rank in range(MOST_QUESTIONS):
        for found in by_document:
            if rank < len(found) and found[rank] not in questions and len(questions) < MOST_QUESTIONS:
                questions.append(found[rank])
    return questions


async def list_questions(documents: AsyncIterator[Document]) -> list[str]:
    """Return the questions that documents answer, each once."""
    questions: dict[str, None] = {}
    async for document in documents:
        questions.update(dict.fromkeys(find_questions(document)))
        await asyncio.sleep(0)  # others are served between two documents
        if len(questions) >= MOST_KNOWN:
            break
    return list(questions)[:MOST_KNOWN]


def match_questions(typed: str, questions: Iterable[str]) -> list[str]:
    """Return the questions that have all typed words, each as the beginning of one of theirs; in the given order.

    >>> match_questions("what bri", ["What does the bridge span?", "What is a mill?"])
    ['What does the bridge span?']
    """
    wanted = _WORDS.findall(typed.casefold())
    found: dict[str, None] = {}
    for question in questions:
        words = _WORDS.findall(question.casefold())
        has_all = all(any(word.startswith(part) for word in words) for part in wanted)
        if has_all and wanted and question.casefold() != typed.casefold().strip():
            found.setdefault(question)
        if len(found) >= MOST_OFFERED:
            break
    return list(found)


def find_related(question: str, known: Sequence[str]) -> list[str]:
    """Return the questions that share most with one that was asked, by the rarity of the words that they share.

    >>> find_related("How long is the bridge?", ["Who built the bridge?", "What is a mill?"])
    ['Who built the bridge?']
    """
    words = {other: _content_words(other) for other in dict.fromkeys(known)}
    frequencies = Counter(word for own in words.values() for word in own)
    asked = _content_words(question)
    weights = {word: math.log(1 + len(words) / (1 + frequencies[word])) for word in asked}
    total = sum(weights.values())
    if not total:
        return []
    ranked: list[tuple[float, str]] = []
    for other, own in words.items():
        share = sum(weights[word] for word in asked & own) / total
        if share >= LEAST_RELATED and own != asked:
            ranked.append((share, other))
    ranked.sort(key=lambda pair: -pair[0])
    return [other for _, other in ranked[:MOST_RELATED]]


def _content_words(text: str) -> frozenset[str]:
    """Return the words that a question is about, by their stems; without those that ask."""
    words = [word for word in read_words(text) if word.is_content or word.is_number]
    return frozenset(word.stem or word.key for word in words)


def find_questions(document: Document) -> list[str]:
    """Return questions that a document answers, the best first: its own, what it defines, what its headings name."""
    own = [title for section in document.sections if is_question(title := section.title.strip())]
    text = document.text[:20_000]
    defined = [
        f"What {found[2]} {_with_small_start(found[1], found[0])}?"
        for found in _DEFINED.finditer(text)
        if found[1].split()[0].lower() not in _PRONOUNS
    ]
    titles = [_NUMBERING.sub("", section.title).strip() for section in document.sections]
    named = [
        f"What does “{document.title}” say about “{title}”?" for title in titles if _names_subject(title, document)
    ]
    whole = [f"What is “{document.title}” about?"]
    return list(dict.fromkeys(show_overrides(question) for question in (*own, *defined, *named, *whole)))


def _names_subject(title: str, document: Document) -> bool:
    """Return whether a heading names what its section is about."""
    is_plain = title.lower() in _PLAIN or title == document.title
    return not is_plain and 4 <= len(title) <= 60 and not any(sign in title for sign in "?#|`<")


def is_question(title: str) -> bool:
    """Return whether a heading asks something."""
    return title.endswith(("?", "？", "؟")) and 8 <= len(title) <= 120


def _with_small_start(name: str, sentence: str) -> str:
    """Return the defined name as it stands in a question, with its article."""
    article = re.search(r"\b(The|An?) $", sentence[: sentence.index(name)])
    if article:
        return f"{article[1].lower()} {name}"
    return name
