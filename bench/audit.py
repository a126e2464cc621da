"""The audit log at size, in files and in PostgreSQL: ``python -m bench.audit [ROWS]``.

Measured are rows written with the chain, and the time to look a document up among many. The rows of the past are made
in bulk with hashes that are as true as those that ``append`` writes; ``verify`` says so. The server is that of
``ROMA_TEST_POSTGRES_URL``, else one of the machine's own programs, which waits for the disk at each commit; without
one the files are measured alone.
"""

from __future__ import annotations

import sqlite3
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench import report
from roma_core.audit import AuditLog
from roma_core.audit.log import FIRST_HASH, CoveredColumns
from roma_core.audit.server import ServerAuditLog
from roma_core.types import Principal
from tests.postgres import run_postgres

ROWS = 1_000_000
WRITTEN = 10_000
WRITERS = 32
DOCUMENTS = 20_000
USERS = 200
LOOKED_UP = 20
TENANT = "default"
WHO = Principal(subject="anna", roles=("reader",))
Fill = Callable[[int], None]
"""Adds so many rows to the end of a chain, as ``append`` would one by one."""


def main() -> None:
    given = [argument for argument in sys.argv[1:] if argument.isdecimal()]
    run(int(given[0]) if given else ROWS)


def run(rows: int) -> None:
    with tempfile.TemporaryDirectory() as folder, run_postgres(is_durable=True) as url:
        measured = [
            measure("files (SQLite)", AuditLog(Path(folder)), lambda count: fill_files(Path(folder), count), rows)
        ]
        if url:
            log = ServerAuditLog(url, Path(folder) / "other")
            measured.append(measure("PostgreSQL", log, lambda count: fill_server(url, count), rows))
    report.write(
        "audit",
        "The audit log",
        measured,
        f"Written by one process, each row committed before the next step: by one thread, and by {WRITERS} that share "
        "the chain. The question is who saw one of 20 000 documents in a span of time. Goals: 2 000 rows/s, and one "
        "second over 1 000 000 rows. Files outlive a killed process; PostgreSQL, with its own defaults on the same "
        "machine, a power cut too, and so waits for the disk at each commit: one thread writes as many rows as the "
        "disk has commits, threads that wait together share one.",
    )


def measure(store: str, log: AuditLog, fill: Fill, rows: int) -> dict[str, object]:
    """Return the row of the table of one store."""
    with closing(log):
        write(log, 0, 1)  # opened, and its tables made
        rows_per_s = measure_writers(log, 1)
        shared_rows_per_s = measure_writers(log, WRITERS)
        written = log.query(TENANT, limit=1)[0].number
        fill(rows - written)
        times_ms = [look_up(log, number) for number in range(LOOKED_UP)]
        started = time.perf_counter()
        check = log.verify(TENANT)
        verify_s = time.perf_counter() - started
    return {
        "store": store,
        "rows": check.rows,
        "written with the chain, rows/s": round(rows_per_s),
        f"by {WRITERS} threads": round(shared_rows_per_s),
        "who saw a document, P50 ms": round(statistics.median(times_ms), 1),
        "slowest ms": round(max(times_ms), 1),
        "verify, s": round(verify_s, 1),
        "whole": check.is_whole,
    }


def measure_writers(log: AuditLog, writers: int) -> float:
    """Return how many rows a second so many threads write together."""
    share = WRITTEN // writers
    threads = [threading.Thread(target=write, args=(log, number * share, share)) for number in range(writers)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return share * writers / (time.perf_counter() - started)


def write(log: AuditLog, first: int, count: int) -> None:
    for number in range(first, first + count):
        log.append(WHO, "show", documents=[f"d{number % DOCUMENTS}"], answer_id=f"a{number}")


def look_up(log: AuditLog, number: int) -> float:
    """Return how many milliseconds it takes to find who saw a document in a span of time."""
    now = datetime.now(UTC)
    started = time.perf_counter()
    found = log.query(
        TENANT, document=f"d{number * 997 % DOCUMENTS}", since=now - timedelta(days=1), until=now + timedelta(days=1)
    )
    assert found
    return (time.perf_counter() - started) * 1000


def make_rows(number: int, before: str, count: int) -> Iterator[tuple[object, ...]]:
    """Yield so many rows that follow the row ``number`` with the hash ``before``."""
    assert before != FIRST_HASH
    at = datetime.now(UTC)
    for n in range(count):
        at += timedelta(milliseconds=1)
        documents, details = f'["d{n % DOCUMENTS}"]', f'{{"answer_id":"a{n}"}}'
        row = CoveredColumns(TENANT, number + n + 1, at.isoformat(), f"user{n % USERS}", "show", documents, details)
        before = row.hash_after(before)
        yield (*row, before)


def list_shown(rows: Sequence[tuple[object, ...]]) -> list[tuple[object, ...]]:
    """Return the rows of the index of documents."""
    return [(TENANT, f"d{n % DOCUMENTS}", row[1]) for n, row in enumerate(rows)]


def fill_files(folder: Path, count: int) -> None:
    (path,) = folder.glob("audit/*.sqlite")
    with closing(sqlite3.connect(path)) as db, db:
        number, before = db.execute("SELECT number, hash FROM heads WHERE tenant = ?", (TENANT,)).fetchone()
        rows = list(make_rows(number, before, count))
        db.executemany("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
        db.executemany("INSERT INTO entry_documents VALUES (?, ?, ?)", list_shown(rows))
        db.execute("UPDATE heads SET number = ?, hash = ? WHERE tenant = ?", (rows[-1][1], rows[-1][-1], TENANT))


def fill_server(url: str, count: int) -> None:
    import psycopg

    with psycopg.connect(url.replace("+psycopg", "")) as db:
        db.execute("SELECT set_config('roma.every_tenant', 'on', true)")
        head = db.execute("SELECT number, hash FROM roma_audit_heads WHERE tenant = %s", (TENANT,)).fetchone()
        assert head is not None
        number, before = head
        rows = list(make_rows(number, before, count))
        cursor = db.cursor()
        for table, filled in (("roma_audit_entries", rows), ("roma_audit_documents", list_shown(rows))):
            with cursor.copy(f"COPY {table} FROM STDIN") as copy:
                for row in filled:
                    copy.write_row(row)
        end = "UPDATE roma_audit_heads SET number = %s, hash = %s WHERE tenant = %s"
        db.execute(end, (rows[-1][1], rows[-1][-1], TENANT))
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as db:
        db.execute("ANALYZE")  # as the server's own upkeep does


if __name__ == "__main__":
    main()
