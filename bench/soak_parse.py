"""Mutated and hostile files through the sandbox: each must end as a document or a typed failure, the parent untouched.

``python -m bench.soak_parse [COUNT] [SEED]``; the seeds are the project's own files and, where they are beside the
checkout, the real documents of ``docs-dev``.
"""

from __future__ import annotations

import asyncio
import io
import os
import random
import resource
import sys
import time
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from bench import parse_corpus, report
from roma_core.errors import AgentFailure
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.sandbox.pool import ProcessSandbox, WorkerLimits
from roma_core.parsers.service import DolphinParserService
from roma_core.types import Document, RawDocument

COUNT = 1200
LIMITS = WorkerLimits(timeout_s=20.0, memory_mb=1024)
GRACE_S = 3.0

Mutation = Callable[[random.Random, bytes, bytes], bytes]


def truncated(rng: random.Random, data: bytes, other: bytes) -> bytes:
    return data[: rng.randrange(1, max(2, len(data)))]


def flipped(rng: random.Random, data: bytes, other: bytes) -> bytes:
    broken = bytearray(data)
    for _ in range(rng.choice((1, 8, 64, 512))):
        broken[rng.randrange(len(broken))] ^= 1 << rng.randrange(8)
    return bytes(broken)


def spliced(rng: random.Random, data: bytes, other: bytes) -> bytes:
    return data[: rng.randrange(len(data))] + other[rng.randrange(len(other)) :]


def repeated(rng: random.Random, data: bytes, other: bytes) -> bytes:
    at = rng.randrange(len(data))
    piece = data[at : at + rng.randrange(1, 4096)]
    return data[:at] + piece * rng.choice((2, 50, 500)) + data[at:]


def swapped(rng: random.Random, data: bytes, other: bytes) -> bytes:
    one, two = sorted(rng.randrange(len(data)) for _ in range(2))
    size = min(rng.randrange(1, 2048), two - one)
    return data[:one] + data[two : two + size] + data[one + size : two] + data[one : one + size] + data[two + size :]


def repacked(rng: random.Random, data: bytes, other: bytes) -> bytes:
    """A container with one entry damaged inside: the archive is whole, its content is not."""
    if not zipfile.is_zipfile(io.BytesIO(data)):
        return flipped(rng, data, other)
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as sink:
        entries = source.infolist()
        hit = rng.randrange(len(entries))
        for index, entry in enumerate(entries):
            try:
                content = source.read(entry)
            except (zipfile.BadZipFile, zlib.error, NotImplementedError):
                continue
            mutate = rng.choice((flipped, truncated, repeated))
            sink.writestr(entry.filename, mutate(rng, content, other) if index == hit and content else content)
    return out.getvalue()


MUTATIONS: tuple[Mutation, ...] = (truncated, flipped, flipped, spliced, repeated, swapped, repacked, repacked)


def zipped(*entries: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return buffer.getvalue()


def pdf_of(stream: bytes, filters: str = "") -> bytes:
    """The least PDF with ``stream`` as its page's content."""
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R "
        b"/Resources << /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>",
        b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(stream), filters.encode(), stream),
    ]
    body, offsets = b"%PDF-1.7\n", []
    for number, content in enumerate(objects, 1):
        offsets.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return body + b"xref\n0 5\n0000000000 65535 f \n%strailer << /Root 1 0 R /Size 5 >>\nstartxref\n%d\n%%%%EOF" % (
        table,
        len(body),
    )


def hostile() -> Iterator[tuple[str, bytes]]:
    """Files that were made to hang, fill or fool a parser; names carry the extension that they claim."""
    mega = 1 << 20
    yield "empty.pdf", b""
    yield "zeros.bin", bytes(5 * mega)
    yield "line.txt", b"a" * (100 * mega)
    yield "words.txt", b"word " * (8 * mega)
    yield "line.md", b"#" * (4 * mega) + b"[" * mega
    yield "line.csv", b"," * (20 * mega)
    yield "tags.html", b"<div>" * 200_000
    yield "comments.html", b"<html>" + b"<!--" * 100_000
    yield "attributes.html", b"<html><p " + b" ".join(b"a%d=1" % n for n in range(200_000)) + b">x"
    yield "braces.rtf", b"{\\rtf1" + b"{" * 300_000
    yield "json.ipynb", b'{"nbformat": 4, "cells": ' + b"[" * 200_000
    yield "bomb.docx", zipped(("word/document.xml", bytes(300 * mega)), ("[Content_Types].xml", b"<x/>"))
    yield "bomb.xlsx", zipped(("xl/workbook.xml", bytes(300 * mega)))
    yield "nested.docx", zipped(("word/document.xml", b"<w>" * 100_000))
    yield "crowd.epub", zipped(*[(f"META-INF/container.xml{n}", b"x") for n in range(30_000)])
    yield "slip.docx", zipped(("../../../escape.txt", b"x"), ("word/document.xml", b"<x/>"))
    entity = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">' + b"".join(
        b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(12)
    )
    yield "laughs.docx", zipped(("word/document.xml", entity + b"]><x>&m;</x>"), ("[Content_Types].xml", b"<x/>"))
    stolen = b'<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><x>&f;</x>'
    yield "thief.docx", zipped(("word/document.xml", stolen), ("[Content_Types].xml", b"<x/>"))
    yield "thief.xml", stolen
    flate = zlib.compress(b"q " * (150 * mega), 9)
    yield "flate.pdf", pdf_of(flate, "/Filter /FlateDecode")
    yield "twice.pdf", pdf_of(zlib.compress(flate, 9), "/Filter [/FlateDecode /FlateDecode]")
    yield "operators.pdf", pdf_of(b"0 0 m 1 1 l S\n" * 1_000_000)
    yield "chars.pdf", pdf_of(b"BT /F1 9 Tf 10 700 Td (" + b"x" * 1_000_000 + b") Tj ET")
    spread = b"".join(b"BT /F1 4 Tf %d %d Td (w) Tj ET\n" % (n % 597, n % 793) for n in range(60_000))
    yield "spread.pdf", pdf_of(spread)
    yield "grid.pdf", pdf_of(b"".join(b"%d 0 m %d 800 l S 0 %d m 600 %d l S\n" % (n, n, n, n) for n in range(600)))
    yield "dictionaries.pdf", pdf_of(b"x", "/A " + "<< /A " * 50_000)
    yield "header.png", b"\x89PNG\r\n\x1a\n" + bytes(1000)
    huge = b"\x00\x01\x00\x00\x00\x01\x00\x00\x08\x02\x00\x00\x00"
    yield "huge.png", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + huge + zlib.crc32(b"IHDR" + huge).to_bytes(4, "big")
    yield "bad.tiff", b"II*\x00\x08\x00\x00\x00" + b"\xff" * 4000


def seeds() -> list[tuple[str, bytes]]:
    """Whole files to mutate: the project's own, and the real ones when they are there."""
    from tests.fixtures import make_ole, make_pdf
    from tests.fixtures.make_xlsb import xlsb

    mail: make_ole.Properties = {0x001A: "IPM.Note", 0x0037: "Heron count", 0x0C1A: "Ada Reed", 0x1000: "Words. " * 900}
    to: list[make_ole.Properties] = [{0x3001: "Ben Marsh", 0x39FE: "ben@a.example"}]
    notes = (
        rb"{\rtf1\ansi{\fonttbl{\f0 Arial;}}\pard One{\footnote The {\b note}.} two{\*\annotation Why?}\par Three.\par}"
    )
    own = [
        ("report.pdf", make_pdf.report()),
        ("columns.pdf", make_pdf.two_columns()),
        ("locked.pdf", make_pdf.encrypted("")),
        ("page.html", b"<html><body><h1>Title</h1><p>Words</p><table><tr><td>1</td></tr></table></body></html>"),
        ("notes.md", b"# Title\n\nWords.\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n"),
        ("table.csv", b"name,size\nharbour,3\nmill,5\n" * 30),
        ("mail.msg", make_ole.msg(mail, to, [{0x3707: "a.csv", 0x3705: 1, 0x3701: b"a,b\n" * 2000}])),
        ("sheet.xls", make_ole.xls({"Q2": [(y, 0, float(y), 1) for y in range(200)]}, ["0.0%"])),
        ("sheet.xlsb", xlsb({"Q2": [["a", 1.5, True]] * 50})),
        ("notes.rtf", notes),
    ]
    root = parse_corpus.folder()
    real = [(c.path.name, c.path.read_bytes()) for c in parse_corpus.cases(root)] if root else []
    return own + [(name, data) for name, data in real if 0 < len(data) < 2_000_000]


def files(count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """``count`` files: every hostile one, then mutations; one in eight gets the extension of another format."""
    rng = random.Random(seed)
    made = 0
    for name, data in hostile():
        if made < count:
            yield name, data
            made += 1
    whole = seeds()
    while made < count:
        name, data = rng.choice(whole)
        other_name, other = rng.choice(whole)
        suffix = (other_name if rng.random() < 0.125 else name).rpartition(".")[2]
        yield f"{made}-{name}.{suffix}", rng.choice(MUTATIONS)(rng, data, other)
        made += 1


async def soak(count: int, seed: int) -> dict[str, object]:
    """Outcomes, the slowest file and the parent's growth. Raises ``AssertionError`` for what must not happen."""
    service = DolphinParserService(ProcessSandbox(os.cpu_count() or 1, LIMITS))
    outcomes: Counter[str] = Counter()
    slowest, late = 0.0, []
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    gate = asyncio.Semaphore(os.cpu_count() or 1)

    async def one(name: str, data: bytes) -> None:
        nonlocal slowest
        async with gate:
            begin = time.perf_counter()
            result = await service.parse(RawDocument(uri=f"soak/{name}", data=data), ParseOptions(ocr=False))
            seconds = time.perf_counter() - begin
        slowest = max(slowest, seconds)
        if seconds > LIMITS.timeout_s + GRACE_S:
            late.append(name)
        outcomes[outcome_of(name, result)] += 1

    batch: list[asyncio.Task[None]] = []
    for name, data in files(count, seed):
        batch.append(asyncio.create_task(one(name, data)))
        if len(batch) >= 8:
            await asyncio.gather(*batch)
            batch = []
    await asyncio.gather(*batch)
    await service.close()
    if late:
        raise AssertionError(f"longer than the timeout: {late}")
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    return {
        "files": count,
        "documents": outcomes.pop("document", 0),
        **dict(sorted(outcomes.items())),
        "slowest s": slowest,
        "parent grew MB": grown,
    }


def outcome_of(name: str, result: Document | AgentFailure) -> str:
    """``document`` or the failure's code. Anything else than a typed parser failure is an error of ROMA."""
    if isinstance(result, Document):
        if not result.text.strip():
            raise AssertionError(f"{name}: an empty document")
        if "root:x:0:" in result.text:
            raise AssertionError(f"{name}: a file of this machine was read")
        return "document"
    if not result.code.value.startswith("ERR_PARSER_") and result.code.value != "ERR_DEPENDENCY_MISSING":
        raise AssertionError(f"{name}: {result.code} {result.details}")
    return result.code.value


def main(arguments: Sequence[str] = ()) -> None:
    count = int(arguments[0]) if arguments else int(os.environ.get("ROMA_SOAK_FILES", COUNT))
    seed = int(arguments[1]) if len(arguments) > 1 else 1
    facts = asyncio.run(soak(count, seed))
    report.write(
        "soak_parse",
        "Hostile and mutated files through the parser sandbox",
        [facts],
        f"Limits of a worker: {LIMITS.timeout_s:g} s, {LIMITS.memory_mb} MB. Every file ended as a document or a typed "
        f"failure within the timeout; the parent lived on. Seed {seed}.",
    )


if __name__ == "__main__":
    main(sys.argv[1:])
