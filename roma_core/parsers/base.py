"""The seam to file formats: a parser is a pure function that raises ``ParserError``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pydantic import Field

from roma_core.settings import SettingsSection, TrackedChanges
from roma_core.types import Document, Noun, RawDocument


class ParseOptions(Noun):
    """Options that a caller gives a parser; part of the cache key."""

    tenant: str = "default"
    password: str | None = None
    pages: tuple[int, ...] | None = None
    """1-based numbers of the pages wanted; None = all."""
    ocr: bool = True
    defer_ocr: bool = False
    """Name the pages that OCR would have to read instead of reading them: each is a job of its own."""
    readings: dict[int, str] | None = Field(default=None, exclude=True)
    """What OCR read on a page, by its number, as ``OcrResult`` in JSON; None before the pages were given to it.
    Crosses processes beside the file."""
    backend: str | None = None
    """Name of the backend that reads the file, ``own`` for ROMA's parser; None = what the settings say."""
    parts_apart: bool = False
    """Leave the text of files inside of the file to documents of their own (``containers.py``)."""
    tracked_changes: TrackedChanges | None = None
    """Text of a document with tracked changes: with them (``accepted``), without (``original``), or ``both`` between
    marks; None = what the settings say."""
    main_text: bool = True
    """Of a web page: without navigation and what else surrounds its content. False keeps all that it shows."""


Parse = Callable[[RawDocument, ParseOptions], Document]
"""Bytes to a document. Pure and sync: it runs in a worker process. Raises ``ParserError``."""


@dataclass(frozen=True)
class Parser:
    """One format. ``version`` rises whenever the output for some file changes, so that the file is parsed again."""

    name: str
    version: int
    media_types: tuple[str, ...]
    parse: str
    """``module:function`` of a ``Parse``; named, not imported, so that the dispatcher loads no format library."""
    suffixes: tuple[str, ...] = ()
    """Endings of names (``.gmi``) by which files of a plug-in's format are known."""
    magic: tuple[bytes, ...] = ()
    """Bytes that files of a plug-in's format begin with."""
    tracks_changes: bool = False
    """True where documents of this format can hold tracked changes."""
    variant: str = ""
    """Way of reading that is not the default: documents that were read in another one are parsed again."""

    def claims(self, data: bytes, suffix: str) -> bool:
        """Return whether a file of no well-known type is this format, by its first bytes or its name."""
        return suffix in self.suffixes or (bool(self.magic) and data.startswith(self.magic))

    @property
    def id(self) -> str:
        return f"{self.name}/{self.version}{f'+{self.variant}' if self.variant else ''}"


@dataclass(frozen=True)
class ParserSpec:
    """The formats of one package: one entry point of the group ``roma.parsers``.

    A package that reads Gemini pages declares::

        SPEC = ParserSpec((Parser("gemini", 1, ("text/gemini",), "roma_gemini:parse", suffixes=(".gmi",)),))
    """

    parsers: tuple[Parser, ...]
    settings: type[SettingsSection] | None = None
