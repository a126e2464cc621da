"""A work of the literature: what every catalogue says of one, as metadata of a document and as a text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote

from roma_core.errors import InputError

SEARCH: Final = "search"
MOST_FOUND: Final = 200
"""Works of a search, unless the source says how many (``max_pages`` pages of ``PER_PAGE``)."""


@dataclass(frozen=True)
class WorkReference:
    """What is known of a work. Empty fields are unknown."""

    title: str
    authors: Sequence[str] = ()
    date: str = ""
    """Publication: a year, or a date as ``2026-11-28``."""
    venue: str = ""
    doi: str = ""
    abstract: str = ""
    url: str = ""
    keywords: Sequence[str] = ()
    kind: str = ""
    more: dict[str, Any] = field(default_factory=dict)
    """Further metadata of the catalogue's own."""

    @property
    def metadata(self) -> dict[str, Any]:
        """The metadata of a document about the work. The names are the same whatever the catalogue."""
        year = self.date[:4]
        facts: dict[str, Any] = {
            "authors": list(self.authors),
            "date": self.date,
            "year": int(year) if year.isdigit() else None,
            "venue": self.venue,
            "doi": plain_doi(self.doi),
            "url": self.url or (f"https://doi.org/{plain_doi(self.doi)}" if self.doi else ""),
            "keywords": list(self.keywords),
            "work_type": self.kind,
            **self.more,
        }
        return {key: value for key, value in facts.items() if value not in (None, "", [])}

    @property
    def markdown(self) -> bytes:
        """The work as a text: its title, who wrote it, where, and its abstract."""
        where = ", ".join(part for part in (self.venue, self.date) if part)
        lines = [f"# {self.title or 'Without a title'}"]
        if self.authors:
            lines.append(", ".join(self.authors))
        if where:
            lines.append(where)
        if self.doi:
            lines.append(f"DOI: {plain_doi(self.doi)}")
        if self.abstract:
            lines += ["## Abstract", self.abstract]
        if self.keywords:
            lines.append(f"Keywords: {', '.join(self.keywords)}")
        return "\n\n".join(lines).encode() + b"\n"


def plain_doi(doi: str) -> str:
    """Return a DOI without the address of its resolver.

    >>> plain_doi("https://doi.org/10.1000/182")
    '10.1000/182'
    """
    text = doi.strip()
    for prefix in ("https://doi.org/", "http://doi.org/", "https://dx.doi.org/", "http://dx.doi.org/", "doi:"):
        if text.lower().startswith(prefix):
            return text[len(prefix) :]
    return text


@dataclass(frozen=True)
class Works:
    """The works that an address means: ``arxiv://ID,ID``, or ``arxiv://search/WORDS``."""

    ids: tuple[str, ...] = ()
    query: str = ""

    @classmethod
    def of(cls, uri: str, options: dict[str, Any]) -> Works:
        """Return what an address means; the words of a search may be the source's ``query``. Raises ``InputError``."""
        scheme, _, rest = uri.partition("://")
        head, _, words = rest.partition("/")
        if head == SEARCH:
            query = str(options.get("query") or unquote(words)).strip()
            if not query:
                raise InputError(f"A search is {scheme}://search/WORDS, or {scheme}://search with a query.")
            return cls(query=query)
        ids = tuple(part.strip() for part in unquote(rest).split(",") if part.strip())
        if not ids:
            raise InputError(f"A source of this kind is {scheme}://ID, {scheme}://ID,ID or {scheme}://search/WORDS.")
        return cls(ids=tuple(dict.fromkeys(ids)))

    @classmethod
    def demand_ids(cls, uri: str, check: Callable[[str], object]) -> None:
        """Raise ``InputError`` for an address of works without ids, or with one that ``check`` refuses.

        The words of a search may come later, by the source's settings.
        """
        if uri.partition("://")[2].partition("/")[0] != SEARCH:
            for work in cls.of(uri, {}).ids:
                check(work)
