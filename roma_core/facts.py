"""Facts about a document that searches filter by and answers name: author, date, type, language, collection. Pure.

They come from what the file says of itself (front matter, properties, headers), never from the file system: a copy of
a folder has other times, and the same answers.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import date
from email.utils import parsedate_to_datetime
from typing import Any, Final, Literal

from roma_core.languages import MONTH_WORDS, UNKNOWN, detect_language, drop_accents, find_script, read_language
from roma_core.types import Document, DocumentFacts

FactName = Literal["author", "published", "modified", "created"]
STATED_KEYS: Final[Mapping[FactName, tuple[str, ...]]] = {
    "author": ("author", "authors", "creator", "dccreator", "byline", "by", "from", "lastmodifiedby"),
    "published": ("date", "published", "publicationdate", "pubdate", "issued", "dcdate"),
    "modified": ("updated", "modified", "moddate", "lastmodified"),
    "created": ("created", "creationdate", "year"),
}
"""Keys of ``Document.metadata`` that may hold a fact, the first one first; compared in small letters without marks."""
DATE_FACTS: Final[tuple[FactName, ...]] = ("published", "modified", "created")
"""Facts that date a document; the first one that can be read counts."""
LANGUAGE_KEYS: Final = ("language", "lang")
MOST_AUTHOR_CHARS: Final = 200
OWN_LANGUAGE_CHARS: Final = 200
"""Characters from which a passage may have another language than its document."""
SAMPLES: Final = 8
SAMPLE_CHARS: Final = 500

TYPE_NAMES: Final[Mapping[str, str]] = {
    "adoc": "asciidoc", "application/pdf": "pdf", "email": "eml", "excel": "xlsx", "htm": "html", "ics": "calendar",
    "jpeg": "image", "jpg": "image", "mail": "eml", "md": "markdown", "notebook": "ipynb", "plain": "text",
    "png": "image", "powerpoint": "pptx", "presentation": "pptx", "spreadsheet": "xlsx", "srt": "subtitles",
    "tex": "latex", "text/csv": "csv", "text/html": "html", "text/markdown": "markdown", "text/plain": "text",
    "tif": "image", "tiff": "image", "tsv": "csv", "txt": "text", "vtt": "subtitles", "web": "html", "webp": "image",
    "word": "docx", "yml": "yaml",
}  # fmt: skip
"""Other names of a document's type, which is the name of the parser that read it."""

_MONTH_NAMES: Final = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_YEAR: Final = r"(?P<year>1[5-9]\d\d|20\d\d|21\d\d)"
_MONTH: Final = r"(?P<month>0?[1-9]|1[0-2])"
_DAY: Final = r"(?P<day>0?[1-9]|[12]\d|3[01])"
_NAME: Final = rf"(?P<name>{'|'.join(MONTH_WORDS)}|(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*)\.?"
_ORDINAL: Final = r"(?:st|nd|rd|th|er|º)?"
_FORMS: Final = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        rf"{_YEAR}[-/.]{_MONTH}[-/.]{_DAY}(?:[T\s].*)?",
        rf"{_YEAR}[-/.]{_MONTH}",
        rf"(?:D:)?{_YEAR}(?P<month>0[1-9]|1[0-2])(?P<day>0[1-9]|[12]\d|3[01])(?:\d.*|[T\s].*)?",
        rf"{_DAY}\.\s?{_MONTH}\.\s?{_YEAR}",
        rf"{_DAY}{_ORDINAL}\.?\s+(?:of\s+|de\s+)?{_NAME},?\s+(?:de\s+|del\s+)?{_YEAR}",
        rf"{_NAME}\s+{_DAY}{_ORDINAL},?\s+{_YEAR}",
        rf"{_NAME},?\s+{_YEAR}",
        rf"(?:D:)?{_YEAR}",
    )
)
_KEY_MARKS: Final = re.compile(r"[\W_]+")
_AUTHOR_WORD: Final = re.compile(r"[^\W_]+")
_ADDRESS: Final = re.compile(r"\s*<[^<>@\s]+@[^<>\s]+>")


def read_facts(document: Document) -> DocumentFacts:
    """Return what can be asked about a document beside its text.

    >>> stated = {"author": "Jane Doe"}
    >>> document = Document(id="1", uri="a", title="A", text="", content_sha256="", parser="text/1", metadata=stated)
    >>> read_facts(document).author
    'Jane Doe'
    """
    return DocumentFacts(
        author=read_author(document.metadata),
        date=next(iter(read_dates(document.metadata)), ""),
        type=re.split(r"[/+]", document.parser, maxsplit=1)[0],
        language=_read_document_language(document),
        source=document.source,
        collection=document.collection,
    )


def find_stated(metadata: Mapping[str, Any], name: FactName) -> list[Any]:
    """Return the values that a file states for a fact, the best key first.

    >>> find_stated({"Mod-Date": "2024-03-01", "title": "Tides"}, "modified")
    ['2024-03-01']
    """
    values = {_KEY_MARKS.sub("", str(key).casefold()): value for key, value in metadata.items()}
    return [values[key] for key in STATED_KEYS[name] if values.get(key) not in (None, "", [], ())]


def state_fact(metadata: Mapping[str, Any], names: Sequence[FactName]) -> str:
    """Return the first of some facts in the words of the file, and an author without an address; "" for none.

    >>> state_fact({"created": "Spring 2024"}, ("published", "created"))
    'Spring 2024'
    """
    for name in names:
        if name == "author":
            stated = [read_author(metadata)]
        else:
            stated = [" ".join(str(value).split()) for value in find_stated(metadata, name) if _is_plain(value)]
        if words := next((words for words in stated if words), ""):
            return words
    return ""


def read_dates(metadata: Mapping[str, Any]) -> list[str]:
    """Return the dates that a file states, as ``read_date`` writes them: published, modified, created.

    >>> read_dates({"modified": "2 May 2024", "date": "2024"})
    ['2024', '2024-05-02']
    """
    values = [value for name in DATE_FACTS for value in find_stated(metadata, name)]
    return [day for value in values if (day := read_date(value))]


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int | float | date) and not isinstance(value, bool)


def read_author(metadata: Mapping[str, Any]) -> str:
    """Return the authors that a document names, or an empty string.

    >>> read_author({"authors": ["Jane Doe", {"name": "M. Roe"}]})
    'Jane Doe, M. Roe'
    """
    for value in find_stated(metadata, "author"):
        entries = value if isinstance(value, list | tuple) else [value]
        names = [name for entry in entries if (name := _read_name(entry))]
        if names:
            return ", ".join(dict.fromkeys(names))[:MOST_AUTHOR_CHARS]
    return ""


def _read_name(entry: Any) -> str:
    named = entry.get("name") or entry.get("author") if isinstance(entry, Mapping) else entry
    plain = _ADDRESS.sub("", str(named)) if isinstance(named, str) else ""
    return " ".join(plain.replace('"', " ").split())


def read_date(value: Any) -> str:
    """Return a date as ``2024-03-01``, ``2024-03`` or ``2024``; an empty string for what is none.

    >>> read_date("1 March 2024"), read_date("D:20240301120000Z"), read_date(2024)
    ('2024-03-01', '2024-03-01', '2024')
    """
    if isinstance(value, bool) or value is None:
        return ""
    if isinstance(value, list | tuple):
        return next((day for entry in value if (day := read_date(entry))), "")
    text = " ".join(str(value).split())
    for form in _FORMS:
        found = form.fullmatch(text)
        if found is not None:
            return _write_date(found.groupdict())
    return _read_mail_date(text)


_DATED: Final = (
    r"(?:(?:last|date)\s+)?(?:updated?|revised|revision|modified|reviewed|changed)|dated?|as of|valid from"
    r"|effective(?: from)?"
    r"|(?:zuletzt )?(?:aktualisiert|geändert|überarbeitet)|(?:letzte )?(?:aktualisierung|änderung)|stand|datum|fassung"
    r"|(?:dernière )?mise? à jour|actualisée?|révisée?|version du|date"
    r"|(?:última )?actualizaci[oó]n|actualizad[oa]|revisad[oa]|modificad[oa]|fecha"
)
_DATED_LINE: Final = re.compile(
    rf"^[\W_]*(?:{_DATED})(?:\s+(?:on|am|vom|from|le|du|en|el|del?|a))?[\s:*_]+(?P<date>[\w./º -]{{4,24}}?)[\s.*_)]*$",
    re.IGNORECASE,
)
"""A line that says when its text was brought up to date, and nothing else."""
_BARE_DATE: Final = re.compile(r"^[\s*_(]*(?P<date>\d[\w./º -]{6,24}?)[\s.*_)]*$")
_SLASHED: Final = re.compile(rf"{_DAY}/{_MONTH}/{_YEAR}")
DATED_LINES: Final = 30
"""Lines at the beginning and at the end of a text that may date it."""
BARE_LINES: Final = 6
"""Lines at the beginning of a text of which one may be its date alone."""


def find_stated_date(text: str) -> str:
    """Return the date by which a text says that it is up to date, as ``read_date`` writes it; "" without one.

    A line has to say that and nothing else: "Updated 3 May 2026", "Stand: 3.5.2026", "Mis à jour le 3 mai 2026", or the
    date alone near the beginning, as of minutes. Of "03/05/2026" the day counts first; where it can be the month, as
    English is written, only the year is known.

    >>> find_stated_date("# Visits\\n\\nStand: 3.5.2026\\n\\nDaily."), find_stated_date("It opened on 3 May 2026.")
    ('2026-05-03', '')
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    near = lines if len(lines) <= 2 * DATED_LINES else [*lines[:DATED_LINES], *lines[-DATED_LINES:]]
    found = (_DATED_LINE.match(line) for line in near)
    stated = (_read_line_date(match, text) for match in found if match is not None)
    if day := next((day for day in stated if day), ""):
        return day
    alone = (_BARE_DATE.match(line) for line in lines[:BARE_LINES])
    dates = (_read_line_date(match, text) for match in alone if match is not None)
    return next((day for day in dates if len(day) == len("2026-05-03")), "")


def is_date_line(line: str) -> bool:
    """Return whether a line says when its text was brought up to date, and nothing else.

    >>> is_date_line("Mis à jour le 1er octobre 2026"), is_date_line("Open since 3 May 2026")
    (True, False)
    """
    found = _DATED_LINE.match(line) or _BARE_DATE.match(line)
    return found is not None and bool(_read_line_date(found, line))


def _read_line_date(found: re.Match[str], text: str) -> str:
    stated = " ".join(found["date"].split())
    slashed = _SLASHED.fullmatch(stated)
    if slashed is None:
        return read_date(stated) if any(form.fullmatch(stated) for form in _FORMS) else ""
    is_certain = int(slashed["day"]) > len(_MONTH_NAMES) or detect_language(text) != "en"
    return _write_date(slashed.groupdict()) if is_certain else slashed["year"]


def _write_date(fields: Mapping[str, str | None]) -> str:
    year, month, day, name = (fields.get(key) for key in ("year", "month", "day", "name"))
    if name is not None:
        folded = name.casefold()
        month = str(MONTH_WORDS.get(folded) or _MONTH_NAMES.index(folded[:3]) + 1)
    if month is None:
        return str(year)
    if day is None:
        return f"{year}-{int(month):02}"
    try:
        return date(int(year or 0), int(month), int(day)).isoformat()
    except ValueError:  # 31 February
        return ""


def _read_mail_date(text: str) -> str:
    try:
        return parsedate_to_datetime(text).date().isoformat()
    except (ValueError, TypeError, IndexError, OverflowError):
        return ""


def trim_date(day: str) -> str:
    """Return a date without what its beginning says already, so that ISO dates of any precision compare as texts.

    >>> trim_date("2024-01-01") <= "2024" <= "2024-05"
    True
    """
    return day.removesuffix("-01").removesuffix("-01") if len(day) == 10 else day.removesuffix("-01")


def read_type(name: str) -> str:
    """Return the name of a document's type.

    >>> read_type(".PDF"), read_type("md")
    ('pdf', 'markdown')
    """
    plain = name.strip().casefold().removeprefix(".")
    return TYPE_NAMES.get(plain, plain)


def split_author(name: str) -> list[str]:
    """Return the words of a name as they are compared: without case and accents.

    >>> split_author("José Müller-Lüdenscheidt")
    ['jose', 'muller', 'ludenscheidt']
    """
    plain = drop_accents(name.casefold(), every_script=True)
    return _AUTHOR_WORD.findall(unicodedata.normalize("NFKD", plain))  # tables hold names of Hangul in their parts


def describe_facts(facts: DocumentFacts) -> str:
    """Return author and date in words, for readers and models; empty when neither is known.

    >>> describe_facts(DocumentFacts(author="Jane Doe", date="2024-03-01"))
    'Jane Doe, 2024-03-01'
    """
    return ", ".join(part for part in (facts.author, facts.date) if part)


def detect_passage_language(text: str, document_language: str) -> str:
    """Return the language of a passage: its document's, unless it is long enough to show another one.

    Another script shows at once.
    """
    language = detect_language(text)
    if language in {UNKNOWN, document_language}:
        return document_language
    if not document_language or len(text) >= OWN_LANGUAGE_CHARS:
        return language
    return language if find_script(text) not in {"", "Latin"} else document_language


def _read_document_language(document: Document) -> str:
    """Return the language of most of a text: what files say of their own language is often a template's."""
    text = document.text
    step = max(SAMPLE_CHARS, len(text) // SAMPLES)
    places = range(0, max(1, len(text) - SAMPLE_CHARS // 2), step)
    if len(text) <= SAMPLES * SAMPLE_CHARS:
        detected = detect_language(text)
    else:
        votes = [detect_language(text[at : at + SAMPLE_CHARS]) for at in places]
        detected = max(dict.fromkeys(vote for vote in votes if vote), key=votes.count, default=UNKNOWN)
    if detected:
        return detected
    declared = (document.metadata.get(key) for key in LANGUAGE_KEYS)
    return next((code for value in declared if isinstance(value, str) and (code := read_language(value))), UNKNOWN)
