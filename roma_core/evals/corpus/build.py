"""From the texts in ``datasets/corpus`` to a folder of documents that anyone can ingest.

A source file is either a document as it is (``notice.md``, ``tides.csv``, ``letter.eml``) or a manuscript whose name
says which format it becomes (``minutes.docx.md``). A folder ``packing.zip`` becomes an archive, and the pages below
``web`` become one WARC file. What is built is compared with ``datasets/corpus.sha256``.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from roma_core.errors import ErrorCode, EvalError
from roma_core.evals.corpus.archive import write_warc
from roma_core.evals.corpus.manuscript import Manuscript, read_manuscript
from roma_core.evals.corpus.office import write_docx, write_pptx, write_xlsx
from roma_core.evals.corpus.opendocument import write_ods, write_odt
from roma_core.evals.corpus.packing import pack
from roma_core.evals.corpus.pdf import write_pdf
from roma_core.evals.corpus.texts import write_epub, write_ipynb, write_rtf
from roma_core.starter import find_shipped

FILES: Final = "files"
WEB: Final = "web.warc"
SITES: Final = ("www.skerrin.example/", "www.brannock.example/", "www.varnmoor.example/")
PICTURES: Final = "pictures"
"""Folder of the pictures that manuscripts show; not a document by itself."""
LEFT_BY_OTHERS: Final = frozenset({"__pycache__", ".DS_Store", "Thumbs.db"})
"""Names that others put into a folder: pip compiles the programs of a wheel, also those of the corpus."""
DAY: Final = datetime(2025, 6, 30, 12, tzinfo=UTC).timestamp()
"""Modification time of every file: a listing must not differ from one machine to the next."""


def find_datasets() -> Path:
    """Return the folder ``datasets`` of the checkout or of the wheel. Raises ``NotFoundError``."""
    return find_shipped("datasets/corpus").parent


def build_corpus(folder: Path, datasets: Path | None = None) -> list[Path]:
    """Build the frozen corpus in ``folder`` and return its files, sorted; what is right already is not touched.

    Raises ``EvalError`` when the texts are not those that the pinned hash belongs to.

    >>> paths = build_corpus(Path("corpus"))  # doctest: +SKIP
    """
    datasets = datasets or find_datasets()
    built = read_corpus(datasets)
    pinned = (datasets / "corpus.sha256").read_text(encoding="utf-8").split()[0]
    if corpus_digest(built) != pinned:
        raise EvalError(
            "The texts of the corpus differ from those that were pinned; its scores would mean something else. "
            "Get datasets/corpus again, or pin a changed corpus with `python -m roma_core.evals.corpus`.",
            ErrorCode.EVAL_DATASET,
        )
    paths = []
    for name, data in built.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_file() or path.read_bytes() != data:
            path.write_bytes(data)
        os.utime(path, (DAY, DAY))
        paths.append(path)
    return sorted(paths)


def corpus_sources(folder: Path, documents: Iterable[str] | None = None) -> list[str]:
    """Return what is to be ingested of a built corpus: the folder of files, and the archive of web pages.

    With ``documents`` only the files that they name (as evidence does), and the archive when a page is among them.

    >>> page = Path("corpus/files/drive/insurance.md")
    >>> page.parent.mkdir(parents=True)
    >>> page.touch()
    >>> corpus_sources(Path("corpus"), ["drive/insurance.md"]) == [str(page)]
    True
    """
    archive = f"warc://{(folder / WEB).resolve()}"
    if documents is None:
        return [str(folder / FILES), archive]
    sources = set()
    for document in documents:
        name = document.partition("#")[0]
        if name.startswith(SITES):
            sources.add(archive)
        for path in (folder / FILES / name, folder / FILES / "drive" / name):
            if path.is_file():
                sources.add(str(path))
    return sorted(sources)


def corpus_digest(built: dict[str, bytes]) -> str:
    """Return the hash of all files with their names."""
    hashed = hashlib.sha256()
    for name, data in sorted(built.items()):
        hashed.update(f"{name}\0{hashlib.sha256(data).hexdigest()}\n".encode())
    return hashed.hexdigest()


def read_corpus(datasets: Path) -> dict[str, bytes]:
    """Return each file of the corpus by its name, as it is written; sorted."""
    root = datasets / "corpus"
    read_picture = partial(_read_picture, root)
    files: dict[str, bytes] = {}
    archives: dict[str, dict[str, str | bytes]] = {}
    pages: dict[str, bytes] = {}
    for path in sorted(root.rglob("*"), key=lambda path: path.relative_to(root).as_posix()):
        place = path.relative_to(root)
        is_ours = LEFT_BY_OTHERS.isdisjoint(place.parts)
        if not path.is_file() or place.parts[0] == PICTURES or not is_ours:
            continue
        name, data = _build_file(path, read_picture)
        if place.parts[0] == "web":
            pages[f"https://{'/'.join(place.parts[1:])}"] = data
        elif place.parent.suffix == ".zip":
            archives.setdefault(place.parent.as_posix(), {})[name] = data
        else:
            files[f"{FILES}/{(place.parent / name).as_posix()}"] = data
    for archive, members in archives.items():
        files[f"{FILES}/{archive}"] = pack(members)
    files[WEB] = write_warc(pages)
    return dict(sorted(files.items()))


def _read_picture(root: Path, name: str) -> bytes:
    return (root / name).read_bytes()


Writer = Callable[[Manuscript, Callable[[str], bytes]], bytes]
WRITERS: Final[dict[str, Writer]] = {
    ".docx": write_docx,
    ".epub": lambda manuscript, _: write_epub(manuscript),
    ".ipynb": lambda manuscript, _: write_ipynb(manuscript),
    ".ods": lambda manuscript, _: write_ods(manuscript),
    ".odt": write_odt,
    ".pdf": write_pdf,
    ".pptx": write_pptx,
    ".rtf": lambda manuscript, _: write_rtf(manuscript),
    ".xlsx": lambda manuscript, _: write_xlsx(manuscript),
}


def _build_file(path: Path, read_picture: Callable[[str], bytes]) -> tuple[str, bytes]:
    """Return the name and the bytes of the document that a source file becomes."""
    data = path.read_bytes()
    writer = WRITERS.get(Path(path.stem).suffix) if path.suffix == ".md" else None
    if writer is None:
        return path.name, data
    return path.stem, writer(read_manuscript(data.decode()), read_picture)
