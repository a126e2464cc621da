"""Files of items: JSON, JSON Lines and CSV, read whole or refused with the place that is wrong."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from roma_core.environment import describe_unreadable
from roma_core.errors import EvalError

JSON_LINES = frozenset({".jsonl", ".ndjson"})
"""File names of sets with an item a line."""


def read_text(path: Path, what: str = "The set") -> str:
    """Return the text of a file with its line ends as they are. Raises ``EvalError``."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise EvalError(f"{what} {path} cannot be read ({describe_unreadable(error)}).") from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise EvalError(f"{path.name} is not UTF-8: {error}") from None


def read_items(path: Path, what: str = "The set") -> Any:
    """Return what a JSON file holds; of JSON Lines the list of its lines. Raises ``EvalError``."""
    text = read_text(path, what)
    if path.suffix in JSON_LINES:
        return [item for _, item in parse_json_lines(text, path.name)]
    return parse_json(text, path.name)


def parse_json_lines(text: str, name: str) -> Iterator[tuple[int, Any]]:
    """Yield number and content of each line that is not blank. Raises ``EvalError`` that names the line.

    Lines end at a line feed alone: JSON may hold U+2028 and U+0085 inside its strings.
    """
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield number, parse_json(line, f"{name}, line {number}")


def parse_json(text: str, place: str) -> Any:
    """Return the content of a JSON text. Raises ``EvalError`` that begins with ``place``."""
    try:
        data = json.loads(text)
        if "\\ud" in text.lower():
            json.dumps(data, ensure_ascii=False).encode()
    except RecursionError:
        raise EvalError(f"{place} is nested too deeply to be a set.") from None
    except UnicodeEncodeError:
        raise EvalError(f"{place} holds half of a surrogate pair, which is no text.") from None
    except ValueError as error:
        raise EvalError(f"{place} is not JSON: {error}") from None
    return data


def read_csv(path: Path, what: str = "The set") -> Iterator[tuple[int, Mapping[str, str]]]:
    """Yield the line at which each row of a CSV file ends, and its cells by column. Raises ``EvalError``.

    A row has as many cells as the header: one that has more or fewer was cut at a comma, or lacks its quotes.
    """
    text = read_text(path, what)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str] = []
    try:
        for row in reader:
            if not row:
                continue
            if not header:
                header = row
                continue
            if len(row) != len(header):
                raise EvalError(
                    f"{path.name}, line {reader.line_num}: {len(row)} cells under {len(header)} columns; put cells "
                    "that hold commas, quotes or line ends in quotes."
                )
            yield reader.line_num, dict(zip(header, row, strict=True))
    except csv.Error as error:
        raise EvalError(f"{path.name}, line {reader.line_num}: {error}.") from None
