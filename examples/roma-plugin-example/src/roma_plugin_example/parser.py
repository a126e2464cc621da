"""``.cards``: a question after ``Q:``, its answer after ``A:``, an empty line between cards."""

from __future__ import annotations

import re

from roma_core.errors import ParserError
from roma_core.parsers.base import ParseOptions, Parser, ParserSpec
from roma_core.parsers.builder import DocumentBuilder
from roma_core.types import Document, RawDocument

_CARD = re.compile(r"^Q:[ \t]*(?P<question>.+?)\s*^A:[ \t]*(?P<answer>.+?)\s*(?=^Q:|\Z)", re.MULTILINE | re.DOTALL)


def parse(raw: RawDocument, options: ParseOptions) -> Document:
    """Return the cards as headings with a paragraph each. Raises ``ParserError`` when there is none."""
    text = raw.data.decode("utf-8", errors="replace")
    builder = DocumentBuilder(raw, options, "cards")
    cards = list(_CARD.finditer(text))
    if not cards:
        raise ParserError("The file holds no card: a card is a line 'Q: ...' and a line 'A: ...'.")
    for card in cards:
        builder.heading(" ".join(card["question"].split()), 1)
        builder.paragraph(" ".join(card["answer"].split()))
    return builder.build()


SPEC = ParserSpec((Parser("cards", 1, ("text/x-cards",), "roma_plugin_example.parser:parse", suffixes=(".cards",)),))
