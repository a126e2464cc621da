"""Questions of the corpus for an empty conversation: a person sees at once what can be asked."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Final

from roma_core.types import Document

MOST_QUESTIONS: Final = 4
MOST_READ: Final = 24
"""Documents that are looked at."""
_DEFINED = re.compile(r"(?:^|[.!?]\s+)(?:The |An? )?([A-Z][\w-]*(?: [A-Za-z][\w-]*){0,3}) (is|are) (?:an?|the) [a-z]")
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
    return list(dict.fromkeys([*own, *defined, *named, *whole]))


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
