"""PDF and web pages beside peers in the same run: order, tables, headings, losses, scans, speed."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

import roma_core  # noqa: F401  (sets the quiet switches before a library is imported)
from bench import parse_corpus, parse_measures, parse_scores, report
from bench.made_pages import KINDS, STREAMS, MadePage, make_pages
from bench.made_scans import make_scans
from bench.parse_corpus import Case
from bench.peers import Peer
from roma_core.errors import AgentFailure
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.sandbox.pool import InlineSandbox, ProcessSandbox, WorkerLimits
from roma_core.parsers.service import DolphinParserService
from roma_core.types import Document, RawDocument

PDF_PEERS = ("kreuzberg", "kreuzberg (plain)", "pymupdf4llm", "markitdown")
TABLE_PEERS = ("camelot", "pdfplumber", "pymupdf4llm", "markitdown")
HTML_PEERS = ("kreuzberg", "trafilatura", "unstructured", "markitdown")
SECONDS_A_SCAN = 600.0
"""What is read counts here, not how busy the machine is."""
SCANNED = ("kreuzberg_ocr_test_rotated_90.pdf", "kreuzberg_ocr_test_rotated_270.pdf", "ocr_test_rotated_180.pdf")
"""Scans of the sentence below, turned."""
SCANNED_PHRASES = ("Docling bundles PDF document conversion", "JSON and Markdown in an easy", "self contained package")


@dataclass(frozen=True)
class Reading:
    """A file as one contestant reads it: text, the loss ledger's text, CPU seconds."""

    text: str
    left_out: str = ""
    cpu_s: float = 0.0
    pages: int = 0
    error: str = ""


Read = Callable[[Path], Reading]


class RomaReader:
    """ROMA in this process, without OCR, as the peers are."""

    def __init__(self, options: ParseOptions | None = None) -> None:
        self._service = DolphinParserService(InlineSandbox())
        self._loop = asyncio.new_event_loop()
        self._options = options or ParseOptions(ocr=False)

    def __call__(self, path: Path) -> Reading:
        raw = RawDocument(uri=path.name, data=path.read_bytes())
        began = time.process_time()
        result = self._loop.run_until_complete(self._service.parse(raw, self._options))
        cpu_s = time.process_time() - began
        if isinstance(result, AgentFailure):
            return Reading("", cpu_s=cpu_s, error=result.code.value)
        return read_document(result, cpu_s)


def read_document(document: Document, cpu_s: float = 0.0) -> Reading:
    """Return a document as a reading: what it says and what it says that it left out."""
    entries = [(entry.text, parse_measures.count_pages(entry.place)) for entry in document.left_out]
    left_out = "\n".join(text for text, count in entries for _ in range(count))
    return Reading(document.text, left_out, cpu_s, len(document.pages))


def peer_reader(peer: Peer) -> Read:
    """Return the function that has a peer read a file."""

    def read(path: Path) -> Reading:
        found = peer.read(path)
        return Reading(found.text, cpu_s=found.cpu_s, error=found.error)

    return read


@dataclass
class PdfScores:
    """What one contestant did with the PDF files."""

    continuations: list[tuple[float, str]] = field(default_factory=list)
    kept: int = 0
    pairs: int = 0
    kinds_wrong: set[str] = field(default_factory=set)
    made_right: int = 0
    tables: list[parse_measures.TableScore] = field(default_factory=list)
    headings: list[float] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    """Words of the text layer that are nowhere, each with its file."""
    pages: int = 0
    cpu_s: float = 0.0
    not_read: int = 0

    @property
    def continuity(self) -> float:
        return self.kept / max(1, self.pairs)

    @property
    def least(self) -> float:
        """Share of the file that keeps the least."""
        return min((share for share, _ in self.continuations), default=1.0)

    @property
    def rows(self) -> float:
        """Share of the wanted table rows that are exact."""
        return sum(one.rows_found for one in self.tables) / max(1, sum(one.rows for one in self.tables))

    @property
    def cells(self) -> float:
        return sum(one.cells_found for one in self.tables) / max(1, sum(one.cells for one in self.tables))

    @property
    def kinds_right(self) -> int:
        return len(KINDS) - len(self.kinds_wrong)

    def row(self, name: str) -> dict[str, object]:
        return {
            "reader": name,
            "line continuations": self.continuity,
            "files below .8": sum(share < 0.8 for share, _ in self.continuations),
            "least file": self.least,
            "kinds of made pages in order": f"{self.kinds_right}/{len(KINDS)}",
            "made pages in order": f"{self.made_right}/{len(KINDS) * len(STREAMS)}",
            "exact table rows": self.rows,
            "table cells": self.cells,
            "heading recall": fmean(self.headings) if self.headings else None,
            "words lost": len(self.lost),
            "pages per CPU s": self.pages / self.cpu_s if self.cpu_s else None,
            "not read": self.not_read,
        }


@dataclass(frozen=True)
class PdfFile:
    """A PDF of the corpus with what is known of it."""

    path: Path
    layer: list[list[str]]
    rows: list[parse_measures.Row]
    truth: str | None


def pdf_files(root: Path) -> list[PdfFile]:
    """Return the PDF files with a text layer: those for order, those with known tables, and the mixed ones."""
    import pypdfium2

    truths = {case.path.name: case.truth for case in parse_corpus.cases(root, "pdf")}
    failing = {case.path.name for case in parse_corpus.cases(root, "pdf") if case.failure}
    files: list[PdfFile] = []
    for path in sorted(path for folder in ("order", "icdar", "files") for path in (root / folder).glob("*.pdf")):
        if path.name in failing:
            continue
        try:
            layer = parse_measures.layer_lines(path.read_bytes())
        except pypdfium2.PdfiumError:
            continue
        if sum(len(line) for lines in layer for line in lines) < 20:
            continue
        structure = path.with_name(f"{path.stem}-str.xml")
        rows = parse_measures.rows_of_structure(structure) if structure.is_file() else []
        files.append(PdfFile(path, layer, rows, truths.get(path.name)))
    return files


def score_pdfs(read: Read, files: Iterable[PdfFile], made: Sequence[tuple[Path, MadePage]]) -> PdfScores:
    """Return what a contestant does with the files, and with the made pages that lie at the paths."""
    scores = PdfScores()
    for file in files:
        reading = read(file.path)
        scores.cpu_s += reading.cpu_s
        scores.pages += len(file.layer)
        scores.not_read += bool(reading.error)
        found = parse_measures.continuations(file.layer, reading.text)
        if found.counts:
            scores.continuations.append((found.share, file.path.name))
            scores.kept += found.kept
            scores.pairs += found.pairs
        if file.rows:
            scores.tables.append(parse_measures.score_tables(reading.text, file.rows))
        recall = parse_scores.heading_recall(reading.text, file.truth) if file.truth else None
        if recall is not None:
            scores.headings.append(recall)
        if not reading.error:
            scores.lost += [f"{file.path.name}: {word}" for word in lost_words(file, reading)]
    for path, page in made:
        if page.is_read_in_order(read(path).text):
            scores.made_right += 1
        else:
            scores.kinds_wrong.add(page.kind)
    return scores


def lost_words(file: PdfFile, reading: Reading) -> list[str]:
    """Return the words of a file's text layer that a reading has nowhere; letters drawn twice are one."""
    known = f"{reading.text}\n{reading.left_out}"
    lost = parse_measures.lost_words(file.layer, known)
    if not lost:
        return []
    return parse_measures.lost_words(file.layer, known, parse_measures.doubled_letters(file.path.read_bytes()))


def write_made_pages(folder: Path) -> list[tuple[Path, MadePage]]:
    """Write the made pages and return them with their paths."""
    written: list[tuple[Path, MadePage]] = []
    for number, page in enumerate(make_pages()):
        path = folder / f"made-{number}.pdf"
        path.write_bytes(page.data)
        written.append((path, page))
    return written


async def read_scans(root: Path) -> list[dict[str, object]]:
    """Return one row a scan, made or real: the phrases that OCR reads of those that are on it."""
    rows: list[dict[str, object]] = []
    limits = WorkerLimits(timeout_s=SECONDS_A_SCAN)
    async with DolphinParserService(ProcessSandbox(1, limits)) as service:
        for scan in make_scans():
            result = await service.parse(RawDocument(uri="scan.pdf", data=scan.data))
            read = scan.count_read(result.text) if isinstance(result, Document) else 0
            rows.append({"scan": scan.kind, "read": read, "phrases": len(scan.phrases)})
        for path in sorted(path for folder in ("order", "files") for path in (root / folder).glob("*.pdf")):
            if path.name not in SCANNED:
                continue
            result = await service.parse(RawDocument(uri=path.name, data=path.read_bytes()))
            text = result.text if isinstance(result, Document) else ""
            read = sum(parse_scores.holds(text, phrase) for phrase in SCANNED_PHRASES)
            rows.append({"scan": path.name, "read": read, "phrases": len(SCANNED_PHRASES)})
    return rows


def share_read(rows: Sequence[dict[str, object]]) -> float:
    """Return the share of all phrases that were read."""
    return sum(int(str(row["read"])) for row in rows) / max(1, sum(int(str(row["phrases"])) for row in rows))


def _html_row(name: str, read: Read, cases: Sequence[Case]) -> dict[str, object]:
    read(cases[0].path)  # imports are not measured
    f1: list[float] = []
    headings: list[float] = []
    cpu_s, not_read = 0.0, 0
    for case in cases:
        reading = read(case.path)
        cpu_s += reading.cpu_s
        not_read += bool(reading.error)
        if case.truth is not None:
            f1.append(parse_scores.token_f1(reading.text, case.truth))
            recall = parse_scores.heading_recall(reading.text, case.truth)
            headings += [] if recall is None else [recall]
    return {
        "reader": name,
        "token F1": fmean(f1),
        "heading recall": fmean(headings),
        "CPU ms a page": 1000 * cpu_s / len(cases),
        "not read": not_read,
    }


def main() -> None:
    root = parse_corpus.folder()
    if root is None:
        print("docs-dev is not beside this checkout: nothing measured", file=sys.stderr)
        return
    chosen = {name: Peer(name) for name in dict.fromkeys((*PDF_PEERS, *TABLE_PEERS, *HTML_PEERS))}
    skipped = [f"{peer.name}: {peer.missing}" for peer in chosen.values() if peer.missing]
    _write_pdf(root, {name: chosen[name] for name in PDF_PEERS if not chosen[name].missing}, skipped)
    _write_tables(root, {name: chosen[name] for name in TABLE_PEERS if not chosen[name].missing}, skipped)
    _write_html(root, {name: chosen[name] for name in HTML_PEERS if not chosen[name].missing}, skipped)
    for peer in chosen.values():
        peer.close()
    _write_scans(root)


def _write_scans(root: Path) -> None:
    scans = asyncio.run(read_scans(root))
    report.write(
        "parse_scans",
        "Scans read by OCR",
        scans,
        "Phrases of four words, of made scans at 150 dots an inch and of real ones that are turned. In all "
        f"{share_read(scans):.3f} are read.",
        ("rapidocr",),
    )


def _write_pdf(root: Path, peers: dict[str, Peer], skipped: Sequence[str]) -> None:
    files = pdf_files(root)
    readers: dict[str, Read] = {"ROMA": RomaReader(), **{name: peer_reader(peer) for name, peer in peers.items()}}
    rows: list[dict[str, object]] = []
    notes: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        made = write_made_pages(Path(folder))
        for name, read in readers.items():
            read(files[0].path)  # imports are not measured
            scores = score_pdfs(read, files, made)
            rows.append(scores.row(name))
            print(rows[-1], file=sys.stderr, flush=True)
            if name == "ROMA":
                below = [f"{file} ({share:.2f})" for share, file in sorted(scores.continuations) if share < 0.9]
                notes = [f"ROMA's files below .9: {', '.join(below) or 'none'}."]
                notes.append(f"Words that ROMA loses: {', '.join(scores.lost[:10]) or 'none'}.")
    versions = ", ".join(f"{peer.name} {peer.version}" for peer in peers.values() if "(" not in peer.name)
    report.write(
        "parse_peers",
        f"PDF beside peers: {len(files)} real files and {len(KINDS)} kinds of made pages",
        rows,
        "A line continuation is a pair of lines of the text layer that one sentence runs through; it is kept when both "
        "stand together in the text. Made pages are each written in three orders of their stream; a kind is right when "
        "all three are. Rows and cells against the structure of the ICDAR 2013 files. A word is lost when neither the "
        "text nor ROMA's loss ledger has it; peers have no ledger, so running heads count for them. The self-check of "
        "each page is part of ROMA's time. "
        + " ".join(notes)
        + f" Peers: {versions or 'none'}."
        + (f" Not measured: {'; '.join(skipped)}." if skipped else "")
        + " unstructured reads PDF only with its part that brings torch, and is measured on web pages.",
        ("pypdfium2", "pdfplumber"),
    )


def _write_tables(root: Path, peers: dict[str, Peer], skipped: Sequence[str]) -> None:
    """Write what readers make of the ICDAR tables; camelot and pdfplumber read tables alone."""
    files = [file for file in pdf_files(root) if file.rows]
    rows = []
    readers: dict[str, Read] = {"ROMA": RomaReader(), **{name: peer_reader(peer) for name, peer in peers.items()}}
    for name, read in readers.items():
        read(files[0].path)  # imports are not measured
        scores = PdfScores()
        for file in files:
            reading = read(file.path)
            scores.tables.append(parse_measures.score_tables(reading.text, file.rows))
            scores.cpu_s += reading.cpu_s
            scores.pages += len(file.layer)
            scores.not_read += bool(reading.error)
        found = {"exact table rows": scores.rows, "table cells": scores.cells}
        rows.append(
            {"reader": name, **found, "pages per CPU s": scores.pages / scores.cpu_s, "errors": scores.not_read}
        )
        print(rows[-1], file=sys.stderr, flush=True)
    versions = ", ".join(f"{peer.name} {peer.version}" for peer in peers.values())
    report.write(
        "parse_tables",
        f"Tables of PDF beside peers: {len(files)} files with known structure",
        rows,
        "The ICDAR 2013 files with their table structure, borders or none. camelot chooses its way by the page "
        f"(`auto`), pdfplumber by its defaults. Peers: {versions or 'none'}."
        + (f" Not measured: {'; '.join(skipped)}." if skipped else ""),
        ("pypdfium2", "pdfplumber"),
    )


def _write_html(root: Path, peers: dict[str, Peer], skipped: Sequence[str]) -> None:
    cases = [case for case in parse_corpus.cases(root, "html") if case.failure is None]
    readers: dict[str, Read] = {
        "ROMA": RomaReader(),
        "ROMA, whole page": RomaReader(ParseOptions(main_text=False)),
        **{name: peer_reader(peer) for name, peer in peers.items()},
    }
    rows = [_html_row(name, read, cases) for name, read in readers.items()]
    report.write(
        "parse_html",
        f"Web pages beside peers: {len(cases)} real files",
        rows,
        "Token F1 and heading recall against the reference Markdown of the files that have one (the whole page); "
        "CPU seconds of the reader's process." + (f" Not measured: {'; '.join(skipped)}." if skipped else ""),
        ("lxml", "trafilatura"),
    )


if __name__ == "__main__":
    main()
