"""Calendar files (iCalendar, RFC 5545): each event or task with its time, place, people and words."""

from __future__ import annotations

import re
from collections.abc import Iterator

from roma_core.errors import ParserError
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.builder import DocumentBuilder, one_line
from roma_core.parsers.text.encodings import decode
from roma_core.types import Document, RawDocument

COMPONENTS = ("VEVENT", "VTODO", "VJOURNAL")
FIELDS = {
    "DTSTART": "Start",
    "DTEND": "End",
    "DUE": "Due",
    "DURATION": "Duration",
    "RRULE": "Repeats",
    "LOCATION": "Place",
    "ORGANIZER": "Organizer",
    "ATTENDEE": "Attendee",
    "STATUS": "Status",
    "CATEGORIES": "Categories",
    "URL": "Address",
    "DESCRIPTION": "Description",
}
"""Properties that are shown, in this order, and their names for a reader."""
_FOLD = re.compile(r"\n[ \t]")
_LINE = re.compile(r'\s*(?P<name>[\w-]+)\s*(?P<parameters>(?:;(?:"[^"\n]*"|[^":\n])*)?):(?P<value>.*)', re.DOTALL)
"""Name, parameters and value; a parameter in quotes may hold colons (RFC 5545, 3.1)."""
_ESCAPE = re.compile(r"\\([\\;,nN])")
_DATE = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)(Z)?)?")


def parse(raw: RawDocument, options: ParseOptions) -> Document:
    """Read an iCalendar file. Raises ``MALFORMED`` when it holds no event, and ``EMPTY``."""
    builder = DocumentBuilder(raw, options, "calendar")
    if not write_events(builder, decode(raw.data, warn=builder.warn)):
        raise ParserError("The calendar holds no event; export it again.")
    return builder.build()


def write_events(builder: DocumentBuilder, text: str, level: int = 1) -> int:
    """Append the events of a calendar at heading ``level``; returns their number."""
    count = 0
    for event in read_events(text):
        builder.heading(event.pop("SUMMARY", ["Event"])[0], level)
        lines = [f"{label}: {value}" for name, label in FIELDS.items() for value in event.get(name, [])]
        builder.paragraph("\n".join(lines))
        count += 1
    return count


def read_events(text: str) -> Iterator[dict[str, list[str]]]:
    """Return the properties of each event by name, values as a reader writes them."""
    event: dict[str, list[str]] | None = None
    depth = 0
    for line in _FOLD.sub("", text).split("\n"):
        content = _LINE.match(line)
        if content is None:
            continue
        name, parameters, value = content["name"].upper(), content["parameters"], content["value"]
        if name == "BEGIN" and event is None and value.strip().upper() in COMPONENTS:
            event, depth = {}, 0
        elif name == "BEGIN":
            depth += 1
        elif name == "END" and event is not None and depth == 0:
            yield event
            event = None
        elif name == "END":
            depth -= 1
        elif event is not None and depth == 0 and value.strip():
            event.setdefault(name, []).append(_spell(name, value.strip(), parameters))


def _spell(name: str, value: str, parameters: str) -> str:
    if name.startswith("DT") or name == "DUE":
        zone = re.search(r'TZID="?([^;:"]+)', parameters)
        return _spell_date(value) + (f" ({zone[1]})" if zone else "")
    if name in {"ORGANIZER", "ATTENDEE"}:
        person = re.search(r'CN="?([^";]+)', parameters)
        address = re.sub(r"(?i)^mailto:", "", value)
        return f"{person[1]} <{address}>" if person else address
    words = _ESCAPE.sub(lambda match: "\n" if match[1] in "nN" else match[1], value)
    return words if name == "DESCRIPTION" else one_line(words)


def _spell_date(value: str) -> str:
    match = _DATE.fullmatch(value)
    if match is None:
        return value
    day = f"{match[1]}-{match[2]}-{match[3]}"
    return f"{day} {match[4]}:{match[5]}{' UTC' if match[7] else ''}" if match[4] else day
