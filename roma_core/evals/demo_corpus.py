"""A real corpus without a download: the long descriptions of the installed packages, with ROMA's own documentation."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Iterable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Protocol

from roma_core.evals.corpus.build import build_corpus, corpus_sources
from roma_core.evals.golden.dataset import Golden
from roma_core.evals.golden.evidence import names
from roma_core.settings import Settings
from roma_core.starter import find_shipped
from roma_core.types import Document, IngestionReport

EXTENSIONS = {"text/markdown": ".md", "text/x-rst": ".rst", "text/plain": ".txt"}
DOCS = "docs"
OWN_NAME = "roma-core"
FROZEN, PACKAGES = "corpus", "demo-corpus"
"""Folders of a workspace in which the two corpora are built."""


def normalise_name(name: str) -> str:
    """A package's one spelling, as in PEP 503: ``Foo.Bar_baz`` is ``foo-bar-baz``."""
    return re.sub(r"[-_.]+", "-", name).lower()


def description(dist: metadata.Distribution) -> tuple[str, str] | None:
    """File name and text of a package's long description; None when it has none.

    A description without a content type is written as plain text: guessing a markup would be guessing offsets.
    """
    text = str(dist.metadata.json.get("description") or "").strip()
    name = dist.metadata["Name"]
    if not name or normalise_name(name) == OWN_NAME or text in {"", "UNKNOWN"}:
        return None
    kind = str(dist.metadata.json.get("description_content_type") or "text/plain").partition(";")[0].strip().lower()
    lines = (line.rstrip() for line in text.splitlines())
    return normalise_name(name) + EXTENSIONS.get(kind, ".txt"), "\n".join(lines) + "\n"


def descriptions(distributions: Iterable[metadata.Distribution]) -> dict[str, str]:
    """Text by file name, sorted by name; where a package is installed twice the first on the path counts."""
    found: dict[str, tuple[str, str]] = {}
    for dist in distributions:
        if (entry := description(dist)) is not None:
            found.setdefault(normalise_name(dist.metadata["Name"]), entry)
    return dict(sorted(found.values()))


def own_docs(checkout: Path) -> dict[str, str]:
    """Markdown below ``docs/`` of a checkout by relative path; nothing when ROMA is installed from a wheel."""
    folder = checkout / DOCS
    if not (checkout / "pyproject.toml").is_file() or not folder.is_dir():
        return {}
    return {
        path.relative_to(checkout).as_posix(): path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*.md"))
    }


class StoredDocuments(Protocol):
    """The documents that a system has ingested."""

    def documents(self, tenant: str) -> AsyncIterator[Document]: ...


class Ingests(Protocol):
    """The part of a system that a corpus is put into: ``Roma``."""

    @property
    def settings(self) -> Settings: ...

    @property
    def store(self) -> StoredDocuments: ...

    def ingest(self, *sources: str | Path) -> Awaitable[IngestionReport]: ...


async def prepare_corpus(
    roma: Ingests, golden: Golden, sources: Sequence[str | Path] = (), *, whole: bool = False
) -> IngestionReport | None:
    """Bring into a workspace what a golden set asks about; None when all of it is one's own and was ingested before.

    ``sources`` are files and addresses of one's own. Without any, the documents that the set asks about are built and
    ingested (``whole``: the whole corpus): of the frozen corpus, else of the installed packages. A set about other
    documents needs nothing of either.
    """
    if sources:
        return await roma.ingest(*sources)
    workspace = roma.settings.workspace.resolve()
    if await _holds_own_documents(roma, golden, (workspace / FROZEN, workspace / PACKAGES)):
        return None
    needed = {document for case in golden.cases for document in (case.group, *(e.uri for e in case.evidence))}
    frozen = _build_needed(workspace / FROZEN, needed, whole)
    if frozen:
        return await roma.ingest(*frozen)
    folder = workspace / PACKAGES
    paths = gather_demo_corpus(folder)
    wanted = [path for path in paths if path.relative_to(folder).as_posix() in needed]
    if not wanted:
        return None
    return await roma.ingest(*([folder] if whole else wanted))


async def _holds_own_documents(roma: Ingests, golden: Golden, built: Sequence[Path]) -> bool:
    """Return True when the set asks about a stored document that was not built here."""
    evidence = [each for case in golden.cases for each in case.evidence]
    prefixes = tuple(f"{folder.as_uri()}/" for folder in built)
    async for document in roma.store.documents(roma.settings.tenant):
        if not document.uri.startswith(prefixes) and any(names(document.uri, each) for each in evidence):
            return True
    return False


def prepare_documents(folder: Path, documents: Sequence[str] = (), *, packages: bool = False) -> list[str]:
    """Build the demo corpus in ``folder`` and return the sources of the named documents; without names, of all.

    ``packages`` takes the large corpus, the descriptions of the installed packages, in place of the frozen one.

    >>> prepare_documents(Path("corpus"), ["skerrin/tariffs/harbour-dues-2024.pdf"])  # doctest: +SKIP
    ['corpus/files/skerrin/tariffs/harbour-dues-2024.pdf']
    """
    if packages:
        paths = gather_demo_corpus(folder)
        named = [str(path) for path in paths if path.relative_to(folder).as_posix() in documents]
        return named if documents else [str(folder)]
    build_corpus(folder)
    return corpus_sources(folder, documents or None)


def _build_needed(folder: Path, needed: set[str], whole: bool) -> list[str]:
    """Build the frozen corpus and return the sources of what is needed of it; nothing when the set is not about it."""
    build_corpus(folder)
    wanted = corpus_sources(folder, needed)
    return corpus_sources(folder) if wanted and whole else wanted


def gather_demo_corpus(
    folder: Path,
    distributions: Iterable[metadata.Distribution] | None = None,
    checkout: Path | None = None,
) -> list[Path]:
    """Write the corpus to ``folder`` and return its files, sorted.

    Files that hold the right bytes already are not touched, so that a second ingest finds nothing new.
    """
    found = metadata.distributions() if distributions is None else distributions
    texts = descriptions(found) | own_docs(checkout or find_shipped(DOCS).parent)
    paths = []
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = text.encode()
        if not path.is_file() or path.read_bytes() != data:
            path.write_bytes(data)
        paths.append(path)
    return sorted(paths)
