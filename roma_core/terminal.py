"""Text that a terminal may show: control characters of documents, models and file names are spelt out.

A control character may set a terminal's title, clear its screen, write its clipboard or turn the direction of words.
"""

from __future__ import annotations

import re

CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufff9-\ufffb]")
"""Characters that a terminal obeys: C0 but tab and line feed, C1, separators of lines, and overrides of writing
direction. Marks that only steer (U+200E), which Arabic and Hebrew texts need, stay."""


def neutralise(text: str) -> str:
    r"""Replace each control character by a visible spelling.

    >>> neutralise("red \x1b[31m")
    'red \\x1b[31m'
    """
    return CONTROL.sub(lambda match: match.group().encode("unicode_escape").decode(), text)


def escape_json(text: str) -> str:
    r"""Spell out control characters in JSON, whose value stays.

    >>> escape_json('{"a": "\u202e"}')
    '{"a": "\\u202e"}'
    """
    return CONTROL.sub(lambda match: f"\\u{ord(match.group()):04x}", text)
