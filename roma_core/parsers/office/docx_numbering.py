"""Numbers and bullets of Word paragraphs: what the reader sees in front of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from roma_core.parsers.office.ooxml import Package

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_PLACE = re.compile(r"%(\d)")
_ROMAN = ((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"), (10, "x"))
_ROMAN_UNITS = ((9, "ix"), (5, "v"), (4, "iv"), (1, "i"))


def roman(number: int) -> str:
    """Return a number in capital Roman numerals."""
    text = ""
    for value, letters in (*_ROMAN, *_ROMAN_UNITS):
        count, number = divmod(number, value)
        text += letters * min(count, 20)
    return text


def letters(number: int) -> str:
    """a, b, ... z, aa, bb: Word repeats the letter."""
    return chr(ord("a") + (number - 1) % 26) * min(1 + (number - 1) // 26, 20) if number > 0 else ""


_FORMATS: dict[str, Callable[[int], str]] = {
    "decimal": str,
    "decimalZero": lambda n: f"{n:02d}",
    "lowerRoman": roman,
    "upperRoman": lambda n: roman(n).upper(),
    "lowerLetter": letters,
    "upperLetter": lambda n: letters(n).upper(),
    "ordinal": lambda n: f"{n}.",
    "none": lambda n: "",
}


@dataclass(frozen=True)
class Level:
    """One level of a list definition: ``text`` is a pattern such as ``%1.%2``."""

    format: str = "bullet"
    text: str = ""
    start: int = 1
    restart: int | None = None
    legal: bool = False


@dataclass
class Numbering:
    """Definitions of a document's lists, and how far each has counted."""

    levels: dict[str, dict[int, Level]] = field(default_factory=dict)
    lists: dict[str, str] = field(default_factory=dict)
    """numId -> the abstract definition that it counts on."""
    starts: dict[tuple[str, int], int] = field(default_factory=dict)
    counters: dict[str, dict[int, int]] = field(default_factory=dict)
    _begun: set[tuple[str, int]] = field(default_factory=set)

    def label(self, number: str, depth: int) -> str | None:
        """Count one paragraph and give its label: ``-`` for a bullet, None when the list has no such level."""
        abstract = self.lists.get(number)
        level = self.levels.get(abstract, {}).get(depth) if abstract is not None else None
        if abstract is None or level is None:
            return None
        if level.format == "bullet":
            return "-"
        counters = self._count(number, abstract, depth, level)
        return _PLACE.sub(
            lambda m: self._write_number(abstract, counters, int(m[1]) - 1, level.legal), level.text
        ).strip()

    def _count(self, number: str, abstract: str, depth: int, level: Level) -> dict[int, int]:
        counters = self.counters.setdefault(abstract, {})
        override = self.starts.get((number, depth))
        if override is not None and (number, depth) not in self._begun:
            counters[depth] = override
        else:
            counters[depth] = counters.get(depth, level.start - 1) + 1
        self._begun.add((number, depth))
        for skipped in range(depth):  # a level that was jumped over counts as begun
            if skipped in self.levels[abstract]:
                counters.setdefault(skipped, self.levels[abstract][skipped].start)
        for deeper in [d for d in counters if d > depth]:
            restart = self.levels[abstract].get(deeper, Level()).restart
            if restart != 0 and (restart is None or depth < restart):
                del counters[deeper]
        return counters

    def _write_number(self, abstract: str, counters: dict[int, int], depth: int, legal: bool) -> str:
        level = self.levels[abstract].get(depth, Level("decimal"))
        value = counters.get(depth, level.start)
        return str(value) if legal else _FORMATS.get(level.format, str)(value)


def read_numbering(package: Package, part: str) -> Numbering:
    """List definitions of the document ``part``; empty when it has none."""
    name = next(iter(package.related(part, "numbering")), None)
    root = package.part(name)
    numbering = Numbering()
    if root is None:
        return numbering
    for abstract in root.iter(f"{W}abstractNum"):
        numbering.levels[abstract.get(f"{W}abstractNumId") or ""] = dict(map(_level, abstract.iter(f"{W}lvl")))
    for num in root.iterchildren(f"{W}num"):
        _read_list(numbering, num)
    return numbering


def _read_list(numbering: Numbering, num: Any) -> None:
    number, abstract = num.get(f"{W}numId") or "", value(num.find(f"{W}abstractNumId"))
    for override in num.iterchildren(f"{W}lvlOverride"):
        depth = integer(override.get(f"{W}ilvl"), 0)
        start = value(override.find(f"{W}startOverride"))
        if start:
            numbering.starts[number, depth] = integer(start, 1)
        levels = dict(map(_level, override.iterchildren(f"{W}lvl")))
        if levels:
            own = f"{abstract}/{number}"
            numbering.levels[own] = {**numbering.levels.get(abstract, {}), **numbering.levels.get(own, {}), **levels}
            abstract = own
    numbering.lists[number] = abstract


def _level(element: Any) -> tuple[int, Level]:
    restart = value(element.find(f"{W}lvlRestart"))
    return integer(element.get(f"{W}ilvl"), 0), Level(
        format=value(element.find(f"{W}numFmt")) or "decimal",
        text=value(element.find(f"{W}lvlText")),
        start=integer(value(element.find(f"{W}start")), 1),
        restart=integer(restart, 0) if restart else None,
        legal=element.find(f"{W}isLgl") is not None,
    )


def value(element: Any) -> str:
    """Return the ``w:val`` of an element; empty when there is none."""
    return (element.get(f"{W}val") or "") if element is not None else ""


def integer(text: str | None, default: int) -> int:
    """Return a short decimal number; ``default`` for anything else."""
    return int(text) if text and re.fullmatch(r"-?\d{1,9}", text) else default
