"""JSON objects in what a model writes: read as they are, out of fences and sentences, or mended where that is safe."""

from __future__ import annotations

import json
import re

MOST_STARTS = 50
"""Braces of a text that are tried as the beginning of an object."""

_READER = json.JSONDecoder(strict=False)  # models write line ends into strings
_STRING = re.compile(r'"(?:\\.|[^"\\])*"', re.DOTALL)
_TRAILING_COMMA = re.compile(r",(\s*[}\]])")
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_WORDS = {"True": "true", "False": "false", "None": "null"}
_WORD = re.compile(r"\b(?:True|False|None)\b")
_CURLED = str.maketrans({"“": '"', "”": '"', "„": '"'})
_CLOSERS = {"{": "}", "[": "]"}


def json_body(text: str) -> str:
    """Return the JSON object inside ``text``; ``text`` itself when there is none.

    Of several objects the longest counts: thoughts and examples are shorter than the answer. Trailing commas,
    comments, Python's literals, curled quotes and brackets that were left open are mended.

    >>> json_body('Here it is: ```json\\n{"a": [1, 2,],}\\n```')
    '{"a": [1, 2]}'
    """
    objects = read_objects(text)
    mended = None if objects and text.find(objects[0]) == text.find("{") else _mend(text)
    if mended is not None:
        objects.append(mended)
    return max(objects, key=len, default=text)


def read_objects(text: str) -> list[str]:
    """Return the whole JSON objects in ``text`` that do not lie within each other, as JSON."""
    found: list[str] = []
    place = text.find("{")
    for _ in range(MOST_STARTS):
        if place < 0:
            break
        try:
            value, end = _READER.raw_decode(text, place)
        except ValueError:
            end = place + 1
        else:
            found.append(json.dumps(value, ensure_ascii=False) if "\n" in text[place:end] else text[place:end])
        place = text.find("{", end)
    return found


def _mend(text: str) -> str | None:
    """Return the object that begins with the first brace of ``text``, mended; None when it cannot be read even so."""
    start = text.find("{")
    if start < 0:
        return None
    body = text[start:].translate(_CURLED)
    last = body.rfind("}")
    for candidate in (body[: last + 1], body):
        mended = _close(_outside_strings(candidate.rstrip("`\n ")))
        try:
            value = _READER.decode(mended)
        except ValueError:
            continue
        if isinstance(value, dict):
            return json.dumps(value, ensure_ascii=False)
    return None


def _outside_strings(body: str) -> str:
    """Return ``body`` with what JSON does not know mended, but for the strings in it."""
    parts: list[str] = []
    end = 0
    for match in _STRING.finditer(body):
        parts += [_WORD.sub(lambda word: _WORDS[word[0]], _COMMENT.sub("", body[end : match.start()])), match[0]]
        end = match.end()
    parts.append(_WORD.sub(lambda word: _WORDS[word[0]], _COMMENT.sub("", body[end:])))
    joined = "".join(parts)
    return _TRAILING_COMMA.sub(r"\1", _TRAILING_COMMA.sub(r"\1", joined)) if '",' not in joined else _no_commas(joined)


def _no_commas(body: str) -> str:
    """Return ``body`` without commas before a closing bracket, outside of strings."""
    parts: list[str] = []
    end = 0
    for match in _STRING.finditer(body):
        parts += [body[end : match.start()], "\0" * len(match[0])]
        end = match.end()
    shape = "".join((*parts, body[end:]))
    dropped = {match.start() for match in _TRAILING_COMMA.finditer(shape)}
    return "".join(sign for place, sign in enumerate(body) if place not in dropped)


def _close(body: str) -> str:
    """Return ``body`` with the brackets closed that were left open."""
    shape = _STRING.sub(lambda match: " " * len(match[0]), body)
    opened: list[str] = []
    for sign in shape:
        if sign in _CLOSERS:
            opened.append(_CLOSERS[sign])
        elif opened and sign == opened[-1]:
            opened.pop()
    ended = body.rstrip().rstrip(",")
    return ended + "".join(reversed(opened)) if opened else body
