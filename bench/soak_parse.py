"""Mutated and hostile files through the sandbox: each must end as a document or a typed failure, the parent untouched.

``python -m bench.soak_parse [COUNT] [SEED] [NAMES]``; the seeds are the project's own files and, where they are beside
the checkout, the real documents of ``docs-dev``. ``NAMES`` (``doc,ppt,rtf``) chooses seeds and hostile files by their
extensions.
"""

from __future__ import annotations

import asyncio
import io
import os
import random
import resource
import struct
import sys
import time
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

from bench import parse_corpus, report
from roma_core.errors import AgentFailure
from roma_core.parsers import ole
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.sandbox.pool import ProcessSandbox, WorkerLimits
from roma_core.parsers.service import DolphinParserService
from roma_core.types import Document, RawDocument

COUNT = 1200
LIMITS = WorkerLimits(timeout_s=20.0, memory_mb=1024)
GRACE_S = 3.0
MAX_STREAM_BYTES = 2 << 20
"""Bytes of a stream of the OLE files that are made; the header of a larger file needs tables that they have not."""

SLOW_S = 5.0
"""Files that take longer are printed."""

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
    if data.startswith(ole.MAGIC):
        return _repacked_compound(rng, data, other)
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


def _repacked_compound(rng: random.Random, data: bytes, other: bytes) -> bytes:
    """Return an OLE file with one stream damaged: its directory is whole, the records of the stream are not."""
    import olefile

    from tests.fixtures.make_ole import compound

    tree: dict[str, Any] = {}
    with olefile.OleFileIO(io.BytesIO(data)) as file:
        paths = [path for path in file.listdir() if file.get_size(path)]
        hit = rng.choice(paths)
        for path in paths:
            content = file.openstream(path).read()
            if path == hit:
                content = rng.choice((flipped, numbered, swapped, truncated, repeated))(rng, content, other)
            storage = tree
            for name in path[:-1]:
                storage = storage.setdefault(name, {})
            storage[path[-1]] = content[:MAX_STREAM_BYTES]
    return compound(tree)


def numbered(rng: random.Random, data: bytes, other: bytes) -> bytes:
    """Put numbers that are too small, too large or negative where a size, a count or a position may be."""
    broken = bytearray(data)
    for _ in range(rng.choice((1, 4, 16))):
        at = rng.randrange(max(1, len(broken) - 4)) // 2 * 2
        number = rng.choice((0, 1, 8, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, len(data), rng.getrandbits(32)))
        broken[at : at + 4] = struct.pack("<I", number)[: len(broken) - at]
    return bytes(broken)


MUTATIONS: tuple[Mutation, ...] = (
    truncated,
    flipped,
    flipped,
    numbered,
    spliced,
    repeated,
    swapped,
    repacked,
    repacked,
)


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
    yield from hostile_rtf()
    yield from hostile_office()


def hostile_rtf() -> Iterator[tuple[str, bytes]]:
    """RTF files whose groups, fields and names cost more the more of them there are."""
    yield "unicode.rtf", rb"{\rtf1 " + rb"\u-10179 ? \u-9000 ?\u0 ?" * 50_000 + b"}"
    yield "stray.rtf", rb"{\rtf1 a}{\ud b}{\upr{c}{\*\ud d}}}}}}" * 1000
    yield "binary.rtf", rb"{\rtf1 Words.\bin2147483647 " + b"\x00" * 1000
    yield "names.rtf", rb"{\rtf1{\stylesheet" + b"a{}" * 500_000 + b"}Words.}"
    yield "fields.rtf", rb"{\rtf1 " + rb"{\field{\*\fldinst HYPERLINK " + b'"http://a.example"}{' * 400 + b"a" * 100_000
    yield "notes.rtf", rb"{\rtf1 " + rb"{\footnote a" * 450 + b"a" * 1_000_000
    yield "cells.rtf", rb"{\rtf1\trowd\intbl " + rb"a\cell " * 600_000 + rb"\row}"
    yield "rows.rtf", rb"{\rtf1 " + rb"\trowd\intbl a\cell\row " * 200_000 + b"}"
    yield "hidden.rtf", rb"{\rtf1 Words. " + rb"{\v a}" * 300_000 + b"}"
    yield "deleted.rtf", rb"{\rtf1 Words. " + rb"{\deleted a}" * 300_000 + b"}"
    yield "blanks.rtf", rb"{\rtf1 {\field{\*\fldinst HYPERLINK " + b" " * 3_000_000 + rb"}{\fldrslt a}} b}"
    yield "picture.rtf", rb"{\rtf1 Words.{\pict\pngblip " + (b"89504e47" * 16 + b"\n") * 200_000 + b"}}"


def hostile_office() -> Iterator[tuple[str, bytes]]:
    """Old Word and PowerPoint files whose tables point at the same bytes again and again."""
    from tests.fixtures import make_doc as make

    text = make.Paragraph("Words and more of them. " * 4000)
    whole = make.doc([text])
    length = len(text.runs[0][0]) + 1
    yield "pieces.doc", make.doc([text], pieces=[(length, 1024)] * 20_000)
    yield "backwards.doc", make.doc([text], pieces=[(length, 1024), (-length + 10, 0)] * 10_000)
    yield "looping.doc", whole.replace(struct.pack("<II", 0, length), struct.pack("<II", 0, 0xFFFFFFFF))
    marked = make.Paragraph("\x02" * 3000 + text.runs[0][0])
    yield "notes.doc", make.doc([marked], notes=["a"], note_limits=[0, length] * 1500, body_size=0)
    yield "fields.doc", make.doc([make.Paragraph("\x13\x14a" * 200_000 + "\x15" * 200_000)])
    yield "cells.doc", make.doc([make.Paragraph("a\x07" * 200_000)])
    shape = make.text_shape("Words. " * 10_000, (0, 0, 9, 9))
    yield "again.ppt", make.ppt([shape], again=20_000)
    cells = [make.text_shape("a", (n, n, 30_000, 30_000)) for n in range(3000)]
    option = make.record(0xF122, struct.pack("<HI", 0x039F, 1), instance=1)
    yield "grid.ppt", make.ppt([make.container(0xF003, make.container(0xF004, option), *cells)])
    yield (
        "shapes.ppt",
        make.ppt([make.text_shape("a", (n % 97, n % 89, n % 97 + 5, n % 89 + 5)) for n in range(20_000)]),
    )
    nested = make.text_shape("Words.", (0, 0, 9, 9))
    for _ in range(30):
        nested = make.overreaching(nested) + make.overreaching(nested[:64])
    yield "nested.ppt", make.ppt([nested])


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
        ("letter.rtf", _letter()),
        ("report.doc", _word_file()),
        ("slides.ppt", _presentation()),
    ]
    root = parse_corpus.folder()
    real = [(c.path.name, c.path.read_bytes()) for c in parse_corpus.cases(root)] if root else []
    return own + [(name, data) for name, data in real if 0 < len(data) < 2_000_000]


def _letter() -> bytes:
    """Return an RTF file with what its reader tells apart: tables, lists, fields, code pages, boxes, changes."""
    return (
        rb"{\rtf1\ansi\ansicpg1251\deff0{\fonttbl{\f0\fcharset204 Arial;}{\f1\fcharset2 Symbol;}{\f2\fcharset128 M;}}"
        rb"{\stylesheet{\s1\outlinelevel0 heading 1;}{\s2 heading 2;}}{\info{\title Heron count}{\author Ada}}"
        rb"{\header Page head}\pard\s1 \'cf\'f0\'e8\par\pard {\f1 \'b7}{\f2 \'8a\'bf\'8e\'9a}"
        rb" \u28450 ? 10{\super 6}\par"
        rb"{\pntext\f1 1.\tab}First item\par{\listtext 2)\tab}\ilvl1 Second\par"
        rb"\trowd\cellx1000\cellx2000\pard\intbl Name\cell Size\cell\row\trowd\intbl Mill\cell 5"
        rb"{\*\nesttableprops\trowd}\itap2 in\nestcell\nestrow\cell\row\pard"
        rb'{\field{\*\fldinst HYPERLINK "https://a.example/x"}{\fldrslt a link}}'
        rb"{\v secret}{\deleted old}{\revised new}\par"
        rb"{\shp{\*\shpinst{\shptxt In a box.\par}}}{\*\atnauthor Ben}{\*\annotation Why?}{\footnote\ftnalt End.}\par"
        rb"{\upr{Gr?n}{\*\ud Gr\u252 n}}{\pict 8950}{\bin4 abcd}\uc2\u8364 ??.\par}"
    )


def _word_file() -> bytes:
    from tests.fixtures import make_doc as make

    paragraphs = [
        make.Paragraph("Report 2003", style=1),
        make.Paragraph('See \x13 HYPERLINK "https://a.example" \x14the page\x15 and the note\x02. Gr\xf6\xdfe.'),
        make.Paragraph(("gone", make.DELETED), ("new", make.INSERTED), ("secret", make.HIDDEN), ("6", make.RAISED)),
        make.Paragraph("first", properties=make.LIST),
        *make.row("Name", "Size") * 3,
        *[make.Paragraph(f"Paragraph {n}. " * 9) for n in range(8)],
    ]
    return make.doc(paragraphs, notes=["Of 2003."], headers="Draft")


def _presentation() -> bytes:
    from tests.fixtures import make_doc as make

    option = make.record(0xF122, struct.pack("<HI", 0x039F, 1), instance=1)
    places = [(left, top, left + 90, top + 90) for top in (0, 100) for left in (0, 100, 200)]
    cells = [make.text_shape(f"cell {n}", place) for n, place in enumerate(places)]
    table = make.container(0xF003, make.container(0xF004, option), *cells)
    title = make.text_shape("Heron count", (10, 10, 500, 60), kind=0)
    body = make.text_shape("One\rTwo\rThree", (10, 80, 500, 300), kind=1)
    return make.ppt([title, body], [table], [body], old=[title], notes="Say it slowly.")


def files(count: int, seed: int, names: Collection[str] = ()) -> Iterator[tuple[str, bytes]]:
    """``count`` files: every hostile one, then mutations; one in eight gets the extension of another format.

    ``names`` keeps those with one of these extensions.
    """

    def is_chosen(name: str) -> bool:
        return not names or name.rpartition(".")[2] in names

    rng = random.Random(seed)
    made = 0
    for name, data in hostile():
        if made < count and is_chosen(name):
            yield name, data
            made += 1
    whole = [(name, data) for name, data in seeds() if is_chosen(name)]
    while made < count:
        name, data = rng.choice(whole)
        other_name, other = rng.choice(whole)
        suffix = (other_name if rng.random() < 0.125 else name).rpartition(".")[2]
        yield f"{made}-{name}.{suffix}", rng.choice(MUTATIONS)(rng, data, other)
        made += 1


async def soak(count: int, seed: int, names: Collection[str] = ()) -> dict[str, object]:
    """Outcomes, the slowest file and the parent's growth. Raises ``AssertionError`` for what must not happen."""
    service = DolphinParserService(ProcessSandbox(os.cpu_count() or 1, LIMITS))
    outcomes: Counter[str] = Counter()
    slowest, late = 0.0, []
    defects: Counter[str] = Counter()
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
        defects[defect_of(result)] += 1
        if seconds > SLOW_S or defect_of(result):
            print(f"{name}: {outcome_of(name, result)} after {seconds:.1f} s {defect_of(result)}", flush=True)

    batch: list[asyncio.Task[None]] = []
    for name, data in files(count, seed, names):
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
        "left to the last guard": sum(number for place, number in defects.items() if place),
        **dict(sorted(outcomes.items())),
        "slowest s": slowest,
        "parent grew MB": grown,
    }


def defect_of(result: Document | AgentFailure) -> str:
    """Return the exception that no reader expected and the last guard took, with its place; empty for none."""
    details = result.details if isinstance(result, AgentFailure) else {}
    return f"{details['exception']} in {details.get('where')}" if "exception" in details else ""


def outcome_of(name: str, result: Document | AgentFailure) -> str:
    """``document`` or the failure's code. Anything else than a typed parser failure is an error of ROMA."""
    if isinstance(result, Document):
        if not result.text.strip():
            raise AssertionError(f"{name}: an empty document")
        result.model_dump_json().encode()  # a text with half a character would raise here
        if "root:x:0:" in result.text:
            raise AssertionError(f"{name}: a file of this machine was read")
        return "document"
    if not result.code.value.startswith("ERR_PARSER_") and result.code.value != "ERR_DEPENDENCY_MISSING":
        raise AssertionError(f"{name}: {result.code} {result.details}")
    return result.code.value


def main(arguments: Sequence[str] = ()) -> None:
    count = int(arguments[0]) if arguments else int(os.environ.get("ROMA_SOAK_FILES", COUNT))
    seed = int(arguments[1]) if len(arguments) > 1 else 1
    names = arguments[2].split(",") if len(arguments) > 2 else []
    facts = asyncio.run(soak(count, seed, names))
    print(facts)
    if names:
        return
    report.write(
        "soak_parse",
        "Hostile and mutated files through the parser sandbox",
        [facts],
        f"Limits of a worker: {LIMITS.timeout_s:g} s, {LIMITS.memory_mb} MB. Every file ended as a document or a typed "
        "failure within the timeout; the parent lived on. Left to the last guard: files that made a library or a "
        f"reader fail in a way that it does not name; they end as damaged. Seed {seed}.",
    )


if __name__ == "__main__":
    main(sys.argv[1:])
