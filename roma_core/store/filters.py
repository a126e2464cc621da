"""Filters of a caller, checked once for every store, and those that a question's text holds.

>>> read_filters('travel costs author:"Jane Doe" after:2024')
('travel costs', {'author': 'Jane Doe', 'after': '2024'})
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from roma_core.errors import InputError
from roma_core.facts import TYPE_NAMES, read_date, read_type, split_author, trim_date
from roma_core.languages import read_language
from roma_core.store.base import Filters
from roma_core.types import Chunk

MOST_VALUES = 1000
LONGEST_VALUE = 8192
"""A condition is an expression that each search reads anew: 200 000 values took it 12 s and a gigabyte."""

FILTERS: Final[dict[str, str]] = {
    "document_id": "id of a document",
    "uri": "address of a document",
    "uri_prefix": "beginning of addresses",
    "author": "words of an author's name",
    "after": "first day, like 2024-03-01, 2024-03 or 2024",
    "before": "first day that is too late",
    "type": "type of document: pdf, docx, html, markdown, ...",
    "language": "language of the passage, like de or German",
    "source": "part of a source's name or of a document's address",
    "section": "part of a heading above the passage",
    "collection": "name that was given when the document was ingested",
}
"""Every filter by its name."""
IN_QUESTIONS: Final[dict[str, str]] = {
    name: name for name in ("author", "after", "before", "type", "source", "section", "collection", "language")
} | {"lang": "language"}
"""Filters that a question may hold as ``name:value``, with the name of each."""
_SINGLE: Final = frozenset({"uri_prefix", "after", "before"})
_TYPED: Final = re.compile(
    rf"(?<!\S)(?P<name>{'|'.join(IN_QUESTIONS)}):(?:\"(?P<quoted>[^\"]+)\"|(?P<bare>[^\s\"]+))", re.I
)
_KNOWN_TYPES: Final = frozenset({*TYPE_NAMES, *TYPE_NAMES.values(), "pdf", "rtf", "epub", "json", "xml", "code", "rst"})


@dataclass(frozen=True)
class Conditions:
    """Conditions on a passage and its document; those that are not None must all hold."""

    document_id: tuple[str, ...] | None = None
    uri: tuple[str, ...] | None = None
    uri_prefix: str | None = None
    author: tuple[tuple[str, ...], ...] | None = None
    """Names, each as its words without case and accents."""
    after: str | None = None
    before: str | None = None
    type: tuple[str, ...] | None = None
    language: tuple[str, ...] | None = None
    source: tuple[str, ...] | None = None
    section: tuple[str, ...] | None = None
    collection: tuple[str, ...] | None = None

    def match(self, chunk: Chunk) -> bool:
        """Return whether a passage satisfies every condition."""
        facts = chunk.facts
        place = f"{facts.source}\n{chunk.uri}".lower()
        section = " > ".join(chunk.headings).lower()
        return (
            (self.document_id is None or chunk.document_id in self.document_id)
            and (self.uri is None or chunk.uri in self.uri)
            and (self.uri_prefix is None or chunk.uri.startswith(self.uri_prefix))
            and (self.author is None or _is_one_of(self.author, split_author(facts.author)))
            and (self.after is None or facts.date >= self.after)
            and (self.before is None or "" < facts.date < self.before)
            and (self.type is None or facts.type in self.type)
            and (self.language is None or facts.language in self.language)
            and (self.source is None or any(part in place for part in self.source))
            and (self.section is None or any(part in section for part in self.section))
            and (self.collection is None or facts.collection in self.collection)
        )


def _is_one_of(names: tuple[tuple[str, ...], ...], author: list[str]) -> bool:
    return any(all(word in author for word in name) for name in names)


def parse_filters(filters: Filters | None) -> Conditions:
    """Return filters as typed conditions.

    Raises ``InputError`` for an unknown field, a wrong value, or too many values.
    """
    given = dict(filters or {})
    if "lang" in given:
        given.setdefault("language", given.pop("lang"))
    unknown = sorted(f"{str(field)[:40]!r}" for field in given if field not in FILTERS)
    if unknown:
        raise InputError(f"Unknown filter {', '.join(unknown[:2])}; allowed are {', '.join(FILTERS)}.")
    wanted: dict[str, Any] = {}
    for field, value in given.items():
        if value is None:
            continue
        values = _read_single(field, value) if field in _SINGLE else _read_values(field, value)
        wanted[field] = _READERS[field](values) if field in _READERS else values
    return Conditions(**wanted)


def read_filters(question: str) -> tuple[str, Filters]:
    """Return a question without its filters, and these; words that only look like filters stay.

    >>> read_filters("What does lang:xyzzy mean?")
    ('What does lang:xyzzy mean?', {})
    """
    filters: Filters = {}
    rest: list[str] = []
    at = 0
    for found in _TYPED.finditer(question):
        name = IN_QUESTIONS[found["name"].lower()]
        value = (found["quoted"] or found["bare"].rstrip("?!,;")).strip()
        if not value or name in filters or not _is_readable(name, value):
            continue
        filters[name] = value
        rest.append(question[at : found.start()])
        at = found.end()
    if not filters:
        return question, {}
    words = " ".join("".join([*rest, question[at:]]).split())
    return words or " ".join(str(value) for value in filters.values()), filters


def _is_readable(name: str, value: str) -> bool:
    if name == "type":
        return value.casefold().removeprefix(".") in _KNOWN_TYPES or read_type(value) in _KNOWN_TYPES
    try:
        parse_filters({name: value})
    except InputError:
        return False
    return True


def _read_single(field: str, value: Any) -> str:
    if not isinstance(value, str):
        raise InputError(f"Filter {field!r} must be a string.")
    _check_length(field, value)
    return value


def _read_values(field: str, value: Any) -> tuple[str, ...]:
    values = (value,) if isinstance(value, str) else value
    if not isinstance(values, list | tuple | set | frozenset) or not all(isinstance(v, str) for v in values):
        raise InputError(f"Filter {field!r} must be a string or a list of strings.")
    if len(values) > MOST_VALUES:
        raise InputError(f"Filter {field!r} has {len(values)} values; at most {MOST_VALUES} are allowed.")
    _check_length(field, *values)
    return tuple(sorted(values))


def _check_length(field: str, *values: str) -> None:
    if any(len(value) > LONGEST_VALUE for value in values):
        raise InputError(f"A value of filter {field!r} is longer than {LONGEST_VALUE} characters.")


def _read_authors(values: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    names = tuple(tuple(split_author(value)) for value in values)
    if not all(names):
        raise InputError("Filter 'author' needs a name with a letter or digit in it.")
    return names


def _read_day(value: str) -> str:
    day = read_date(value)
    if not day:
        raise InputError(f"{value[:40]!r} is no date; write it like 2024-03-01, 2024-03 or 2024.")
    return trim_date(day)


def _read_languages(values: tuple[str, ...]) -> tuple[str, ...]:
    codes = {value: read_language(value) for value in values}
    for value, code in codes.items():
        if code is None:
            raise InputError(f"{value[:40]!r} is no language; write a code like de or a name like German.")
    return tuple(sorted({code for code in codes.values() if code}))


def _read_parts(values: tuple[str, ...]) -> tuple[str, ...]:
    parts = tuple(value.strip().lower() for value in values)
    if not all(parts):
        raise InputError("The value of a filter is empty.")
    return parts


_READERS: Final[dict[str, Any]] = {
    "author": _read_authors,
    "after": _read_day,
    "before": _read_day,
    "type": lambda values: tuple(sorted({read_type(value) for value in values})),
    "language": _read_languages,
    "source": _read_parts,
    "section": _read_parts,
}
