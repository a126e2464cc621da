"""Questions about documents themselves: what they ask, and which document they mean by its title. Pure."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from roma_core.facts import find_stated_date, read_dates
from roma_core.markup.questions import Question, content_words, stem_word
from roma_core.types import Document

_AUTHOR = re.compile(
    r"\b(?:who|whom|authors?|whose)\b.*"
    r"\b(?:wrote|written|write|authors?|authored|created|compiled|prepared|drafted|published|sent)\b"
    r"|\bauthors?\b.*\b(?:of|is|are|was)\b|^\W*who(?:'s| is| are| was) (?:the )?authors?\b",
    re.IGNORECASE,
)
_DATE = re.compile(
    r"\b(?:when|date|how (?:old|recent|current)|what (?:date|day|year)|which (?:date|day|year))\b.*"
    r"\b(?:written|wrote|published|updated?|modified|changed|created|dated|issued|document|revised|from)\b"
    r"|\b(?:date|publication date) of\b|\blast (?:update|revision|change|modification)\b",
    re.IGNORECASE,
)
_DOCUMENTS = re.compile(
    r"\b(?:which|what|list|show|how many|any|find|name)\b"
    r".*\b(?P<noun>documents?|files?|papers?|sources?|reports?|articles?|pages?|notes)\b"
    r".*\b(?:about|on|mention\w*|cover\w*|deal\w*|discuss\w*|concern\w*|contain\w*|talk\w*|say|have|regarding|by|for)\b",
    re.IGNORECASE,
)
_FRAME = frozenset(
    stem_word(word)
    for word in """
    author authors wrote written write created compiled prepared drafted published update updated modified changed
    dated issued document documents file files paper report article page pages date last latest when revision revised
    title name called sent recent old source sources mention mentions about cover covers deal discuss concern contain
    talk say regarding describe note notes there exist any find known
    """.split()
)


def asks_author(question: Question) -> bool:
    """True when a question asks who wrote a document."""
    return _AUTHOR.search(question.text) is not None


def asks_date(question: Question) -> bool:
    """True when a question asks when a document was written or changed."""
    return _DATE.search(question.text) is not None


def asks_documents(question: Question) -> bool:
    """True when a question asks which documents there are about something."""
    return _DOCUMENTS.search(question.text) is not None


def find_documents_noun(question: Question) -> str:
    """Return the word by which a question calls the documents that it asks for; nothing where it asks for none."""
    found = _DOCUMENTS.search(question.text)
    return found["noun"] if found is not None else ""


def subject_words(question: Question) -> set[str]:
    """Return the words that say which document a question about documents means."""
    return {word for word in question.words if word not in _FRAME}


def read_newest_date(document: Document) -> str:
    """Return the date of a document as ``YYYY-MM-DD``, or its beginning; "" without one.

    What its text says counts first, then the newest date of its file, then that of its title or name.
    """
    stated = find_stated_date(document.text) or max(read_dates(document.metadata), default="")
    return stated or find_date(f"{document.title} {file_name(document.uri)}")


def find_date(text: str) -> str:
    """Return the first date in a text as far as it is given.

    >>> find_date("Minutes of 3 March 2025"), find_date("plan-2024")
    ('2025-03-03', '2024')
    """
    from roma_core.citations.words import read_words

    if iso := re.search(r"(?<!\d)((?:19|20)\d\d)-(\d\d)(?:-(\d\d))?(?!\d)", text):
        return "-".join(part for part in iso.groups() if part)
    for word in read_words(text):
        if word.date is not None and word.date.year:
            parts = [f"{word.date.year:04d}", f"{word.date.month:02d}", f"{word.date.day:02d}"]
            return "-".join(part for part in parts if int(part))
    year = re.search(r"(?<!\d)(?:19|20)\d\d(?!\d)", text)
    return year[0] if year else ""


def match_title(words: set[str], document: Document) -> float:
    """Return the share of ``words`` in a document's title or file name."""
    if not words:
        return 0.0
    held = content_words(f"{document.title} {file_name(document.uri)}")
    return len(words & held) / len(words)


def count_other_words(words: set[str], document: Document) -> int:
    """Return how many words a document's title has beside ``words``: that of one year has its year."""
    return len(content_words(document.title) - words)


def file_name(uri: str) -> str:
    """Return the words of a file's name, without folder and ending."""
    return re.sub(r"[\W_]+", " ", PurePosixPath(unquote(urlsplit(uri).path)).stem)


def title_span(document: Document) -> tuple[int, int] | None:
    """Return where the title stands in the text; None where it does not."""
    at = document.text.find(document.title) if document.title else -1
    return (at, at + len(document.title)) if at >= 0 else None
