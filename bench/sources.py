"""Connectors: what is kept of web pages against trafilatura, and the memory of a 1 GB download from Drive.

``python -m bench sources``. Pages come from ``../shared/docs-dev`` (those with a reference text) and are read in place.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench import pages, report
from bench.parse_scores import token_f1
from tests.fakes.drive import Entry, FakeDrive
from tests.fakes.site import Reply, Request

SHARED = Path(os.environ.get("ROMA_SHARED") or Path(__file__).resolve().parents[2] / "shared")
GIB = 1 << 30
PIECE = bytes(range(256)) * 4096


def main() -> None:
    boilerplate()
    report.write(
        "sources_drive",
        "A 1 GiB file through the Drive connector",
        [asyncio.run(_measure_drive())],
        "Peak resident memory of the process that downloads; the fake Drive runs in another one.",
        ("google-api-python-client",),
    )


def _pages() -> Iterator[tuple[str, bytes, str]]:
    folder = SHARED / "docs-dev" / "files"
    for page in sorted(folder.glob("*.html")) if folder.is_dir() else ():
        truth = page.with_name(f"{page.name}.groundtruth.md")
        if truth.exists():
            yield page.name, page.read_bytes(), truth.read_text(encoding="utf-8")


def boilerplate() -> None:
    """Table of both kinds of pages: real ones with a reference, and references in the surroundings of a site."""
    rows = [_row(name, [(name, body, truth)]) for name, body, truth in _pages()]
    if not rows:
        return
    rows.append(_mean("mean of the real pages", rows))
    texts = list(pages.references(SHARED / "docs-dev" / "files"))
    made = [
        _row(
            f"{site}: {len(texts)} reference texts",
            [(f"{name}.html", *pages.page(site, _title(name), text)) for name, text in texts],
        )
        for site in pages.SITES
    ]
    report.write(
        "sources_boilerplate",
        "Web pages: text kept against the reference (token F1)",
        [_rounded(row) for row in [*rows, *made, _mean("mean of the sites", made)]],
        "ROMA: the page as the connector cleans it, then the HTML parser. trafilatura: `extract` on the page as it "
        "came, in its default mode with tables. Real pages first; below them the reference texts of documents of all "
        "formats, put as HTML into the surroundings that five kinds of sites have (`bench/pages.py`).",
        ("trafilatura", "lxml"),
    )


def _row(name: str, found: list[tuple[str, bytes, str]]) -> dict[str, object]:
    import trafilatura

    ours, theirs = [], []
    for page, body, truth in found:
        ours.append(token_f1(_ours(page, body), truth))
        other = trafilatura.extract(body, output_format="markdown", include_tables=True) or ""
        theirs.append(token_f1(other, truth))
    return {"page": name, "ROMA": statistics.fmean(ours), "trafilatura": statistics.fmean(theirs)}


def _mean(name: str, rows: list[dict[str, object]]) -> dict[str, object]:
    means = {key: statistics.fmean(float(str(row[key])) for row in rows) for key in ("ROMA", "trafilatura")}
    return {"page": name, **means}


def _title(name: str) -> str:
    return name.partition(".")[0].replace("_", " ").capitalize()


def _rounded(row: dict[str, object]) -> dict[str, object]:
    return {key: round(value, 3) if isinstance(value, float) else value for key, value in row.items()}


def _ours(name: str, body: bytes) -> str:
    from roma_core.connectors.web.page import read_page
    from roma_core.parsers.base import ParseOptions
    from roma_core.parsers.web.html import parse
    from roma_core.types import RawDocument

    url = f"https://pages.example.org/{name}"
    page = read_page(body, url)
    return parse(RawDocument(uri=url, data=page.html, media_type="text/html; charset=utf-8"), ParseOptions()).text


async def _measure_drive() -> dict[str, object]:
    """The download runs in a process of its own, so that its peak memory is the connector's."""
    async with _LargeFile() as drive:
        job = json.dumps({"endpoint": drive.base, "credentials": json.dumps(drive.service_account())})
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", "from bench.sources import download; download()"],
            input=job,
            capture_output=True,
            text=True,
            check=True,
            cwd=report.ROOT,
        )
    return dict(json.loads(done.stdout.splitlines()[-1]))


class _LargeFile(FakeDrive):
    """A Drive with one file of 1 GiB that is made up as it is sent."""

    def __init__(self) -> None:
        super().__init__(Entry("large", "large.bin", "application/octet-stream"))
        self.md5 = hashlib.md5()
        for _ in range(GIB // len(PIECE)):
            self.md5.update(PIECE)

    def reply_to(self, operation: str, file_id: str, query: dict[str, str], request: Request) -> Reply:
        if operation == "get" and file_id == "large":
            facts = self.entries["large"].resource() | {"size": str(GIB), "md5Checksum": self.md5.hexdigest()}
            return Reply(json.dumps(facts), media_type="application/json")
        if operation != "media":
            return super().reply_to(operation, file_id, query, request)
        start, stop = (int(n) for n in request.headers["range"].removeprefix("bytes=").split("-"))
        stop = min(stop + 1, GIB)
        offset = start % len(PIECE)
        body = (PIECE * ((stop - start) // len(PIECE) + 2))[offset : offset + stop - start]
        return Reply(body, 206, {"Content-Range": f"bytes {start}-{stop - 1}/{GIB}"})


def download() -> None:
    """In a child: download the large file and print what it took as one line of JSON."""
    print(json.dumps(asyncio.run(_download(json.loads(sys.stdin.read())))))


async def _download(job: dict[str, str]) -> dict[str, object]:
    from roma_core.connectors.base import Listing
    from roma_core.connectors.gdrive.connector import GDriveConnector
    from roma_core.settings import Settings
    from roma_core.types import RawDocument, Source

    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            workspace=Path(folder),
            parser_max_mb=2048,
            gdrive_api_endpoint=job["endpoint"],
            gdrive_credentials=job["credentials"],
        )
        connector, uri = GDriveConnector(settings), "gdrive://file/large"
        await connector.fetch(Source(uri=uri, kind="gdrive"), Listing(uri="gdrive://file/none"))  # loads the client
        before, start = _peak_mib(), time.perf_counter()
        raw = await connector.fetch(Source(uri=uri, kind="gdrive"), Listing(uri=uri))
        assert isinstance(raw, RawDocument), raw
        seconds = time.perf_counter() - start
        return {
            "bytes": raw.size,
            "seconds": round(seconds, 1),
            "MiB/s": round(raw.size / seconds / 2**20, 1),
            "peak MiB before": before,
            "peak MiB": _peak_mib(),
        }


def _peak_mib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main()
