"""Differences that a change of parsers makes in the text, headings and cells of the same files."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import ValidationError

from roma_core.errors import InputError
from roma_core.parsers import tables
from roma_core.types import Document, Noun

_TOKEN = re.compile(r"\w+")
SHOWN = 12


class DocumentShape(Noun):
    """Amounts of a document's content, as the parse gate pins them (numbers only)."""

    tokens: int
    headings: int
    cells: int
    pages: int


class Change(Noun):
    """Comparison of two parses. ``lost`` and ``gained`` count tokens, headings and table cells by their text."""

    uri: str
    old_parser: str | None
    new_parser: str | None
    lost: dict[str, dict[str, int]]
    gained: dict[str, dict[str, int]]

    @property
    def is_loss(self) -> bool:
        return self.new_parser is None or any(self.lost.values())

    def summary(self) -> str:
        if self.old_parser is None or self.new_parser is None:
            return "new" if self.old_parser is None else "no longer parsed"
        parts = [
            f"{name} -{sum(self.lost[name].values())} +{sum(self.gained[name].values())}"
            for name in self.lost
            if self.lost[name] or self.gained[name]
        ]
        return ", ".join(parts) or "same"


class DiffReport(Noun):
    """All changes, documents that are the same left out."""

    compared: int
    changes: tuple[Change, ...]

    @property
    def has_loss(self) -> bool:
        return any(change.is_loss for change in self.changes)

    def to_markdown(self) -> str:
        """A table of the changed documents, then for each what was lost, the most frequent first."""
        lines = [f"{self.compared} documents compared, {len(self.changes)} changed.", ""]
        if self.changes:
            rows = [["document", "parsers", "change"]]
            rows += [[c.uri, f"{c.old_parser or '-'} → {c.new_parser or '-'}", c.summary()] for c in self.changes]
            lines += [tables.to_markdown(rows), ""]
        for change in self.changes:
            lines += [
                f"- {change.uri}: lost {name}: {_write_words(lost)}" for name, lost in change.lost.items() if lost
            ]
        return "\n".join(lines).rstrip() + "\n"


def shape(document: Document) -> DocumentShape:
    """Counts of tokens, headings, filled table cells and pages."""
    parts = _parts(document)
    return DocumentShape(pages=len(document.pages), **{name: sum(counter.values()) for name, counter in parts.items()})


def compare(old: Document, new: Document) -> Change:
    """Differences of two parses of one file as multisets of tokens, headings and cells."""
    before, after = _parts(old), _parts(new)
    return Change(
        uri=new.uri,
        old_parser=old.parser,
        new_parser=new.parser,
        lost={name: dict((before[name] - after[name]).most_common()) for name in before},
        gained={name: dict((after[name] - before[name]).most_common()) for name in before},
    )


def diff(old: Mapping[str, Document], new: Mapping[str, Document]) -> DiffReport:
    """Compare two sets of parsed documents by uri."""
    changes: list[Change] = []
    for uri in sorted({*old, *new}):
        if uri in old and uri in new:
            change = compare(old[uri], new[uri])
        else:
            one, two = old.get(uri), new.get(uri)
            none: dict[str, dict[str, int]] = {}
            change = Change(
                uri=uri,
                old_parser=one.parser if one else None,
                new_parser=two.parser if two else None,
                lost=none,
                gained=none,
            )
        if change.summary() != "same":
            changes.append(change)
    return DiffReport(compared=len({*old, *new}), changes=tuple(changes))


def load(path: Path) -> dict[str, Document]:
    """Documents by uri out of what ``roma parse --json`` wrote: a JSON file, JSON Lines, or a folder of either.

    Raises ``InputError`` for anything else.
    """
    files = sorted(path.rglob("*.json*")) if path.is_dir() else [path]
    if not files:
        raise InputError(f"{path.name} holds no parsed documents (*.json, *.jsonl).")
    return {document.uri: document for file in files for document in _documents(file)}


def _documents(file: Path) -> Iterable[Document]:
    try:
        text = file.read_text(encoding="utf-8")
        lines = text.splitlines() if file.suffix == ".jsonl" else [text]
        values = [json.loads(line) for line in lines if line.strip()]
        flat = [one for value in values for one in (value if isinstance(value, list) else [value])]
        return [Document.model_validate(one) for one in flat]
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, ValidationError) as error:
        raise InputError(f"{file.name} is no parsed document: write it by `roma parse FILE --json`.") from error


def _parts(document: Document) -> dict[str, Counter[str]]:
    text = document.text
    blocks = document.blocks
    headings = Counter(b.of(text).lstrip("# ").strip() for b in blocks if b.kind == "heading")
    grids = [tables.from_markdown(b.of(text)) for b in blocks if b.kind == "table"]
    cells = Counter(cell for grid in grids for row in grid for cell in row if cell)
    return {"tokens": Counter(_TOKEN.findall(text)), "headings": headings, "cells": cells}


def _write_words(lost: Mapping[str, int]) -> str:
    first = [f"“{text[:60]}” x{count}" if count > 1 else f"“{text[:60]}”" for text, count in list(lost.items())[:SHOWN]]
    return ", ".join(first) + (f" and {len(lost) - SHOWN} more" if len(lost) > SHOWN else "")
