"""Content of a document of the frozen corpus, before it has a format: front matter and blocks of a small Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_FIGURE = re.compile(r"!\[(?P<alt>[^\]]*)\]\((?P<path>[^)]+)\)")
_HEADING = re.compile(r"(?P<marks>#{1,3}) (?P<text>.+)")
_NUMBERED = re.compile(r"\d+\. ")


@dataclass(frozen=True)
class ManuscriptBlock:
    """A piece of a document. ``kind``: heading, text, list, table, figure or code."""

    kind: str
    text: str = ""
    level: int = 0
    items: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    path: str = ""


@dataclass(frozen=True)
class Manuscript:
    """A document: what its front matter says, and its blocks in order."""

    blocks: tuple[ManuscriptBlock, ...]
    facts: dict[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The title of the front matter, else the first heading."""
        headings = (block.text for block in self.blocks if block.kind == "heading")
        return self.facts.get("title") or next(headings, "")

    @property
    def author(self) -> str:
        return self.facts.get("author", "")

    @property
    def date(self) -> str:
        """The day as ``2024-03-12``; empty when there is none."""
        return self.facts.get("date", "")

    @property
    def language(self) -> str:
        return self.facts.get("language", "en")

    def parts(self) -> Iterator[tuple[str, tuple[ManuscriptBlock, ...]]]:
        """Yield the heading of level 1 and the blocks behind it, part by part: slides, sheets, chapters."""
        heading, blocks = "", list[ManuscriptBlock]()
        for block in self.blocks:
            if block.kind == "heading" and block.level == 1:
                if heading or blocks:
                    yield heading, tuple(blocks)
                heading, blocks = block.text, []
            else:
                blocks.append(block)
        yield heading, tuple(blocks)


def read_manuscript(text: str) -> Manuscript:
    """Return the manuscript that a source file holds.

    >>> read_manuscript("# Tides").blocks[0].text
    'Tides'
    """
    facts: dict[str, str] = {}
    if text.startswith("---\n"):
        head, _, text = text[4:].partition("\n---\n")
        for line in head.splitlines():
            name, _, value = line.partition(":")
            facts[name.strip()] = value.strip().strip('"')
    return Manuscript(tuple(_read_blocks(text)), facts)


def _read_blocks(text: str) -> Iterator[ManuscriptBlock]:
    fences = text.split("```")
    for number, part in enumerate(fences):
        if number % 2:
            yield ManuscriptBlock("code", part.partition("\n")[2].rstrip("\n"))
            continue
        for paragraph in re.split(r"\n\s*\n", part.strip()):
            if paragraph.strip():
                yield _read_block(paragraph.strip())


def _read_block(paragraph: str) -> ManuscriptBlock:
    lines = paragraph.splitlines()
    if (found := _HEADING.fullmatch(paragraph)) is not None:
        return ManuscriptBlock("heading", found["text"], level=len(found["marks"]))
    if (found := _FIGURE.fullmatch(paragraph)) is not None:
        return ManuscriptBlock("figure", found["alt"], path=found["path"])
    if lines[0].startswith("|"):
        rows = [tuple(cell.strip() for cell in line.strip().strip("|").split("|")) for line in lines]
        return ManuscriptBlock("table", rows=(rows[0], *rows[2:]))
    if lines[0].startswith("- "):
        return ManuscriptBlock("list", items=tuple(line.removeprefix("- ") for line in lines))
    if _NUMBERED.match(lines[0]):
        return ManuscriptBlock("list", items=tuple(_NUMBERED.sub("", line, count=1) for line in lines), level=1)
    return ManuscriptBlock("text", " ".join(lines))
