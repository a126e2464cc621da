"""The audit log at size: rows written with the chain, and the time to look a document up. ``python -m bench.audit``.

The rows of the past are made in bulk with hashes that are as true as those that ``append`` writes; ``verify`` says so.
"""

from __future__ import annotations

import sqlite3
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench import report
from roma_core.audit import AuditLog
from roma_core.audit.log import FIRST_HASH, CoveredColumns
from roma_core.types import Principal

ROWS = 1_000_000
WRITTEN = 10_000
DOCUMENTS = 20_000
USERS = 200
LOOKED_UP = 20
TENANT = "default"


def main() -> None:
    given = [argument for argument in sys.argv[1:] if argument.isdecimal()]
    run(int(given[0]) if given else ROWS)


def run(rows: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        log = AuditLog(Path(folder))
        who = Principal(subject="anna", roles=("reader",))
        started = time.perf_counter()
        for number in range(WRITTEN):
            log.append(who, "show", documents=[f"d{number % DOCUMENTS}"], answer_id=f"a{number}")
        rows_per_s = WRITTEN / (time.perf_counter() - started)
        log.close()
        (path,) = Path(folder).glob("audit/*.sqlite")
        fill(path, rows - WRITTEN)
        times_ms = [look_up(log, number) for number in range(LOOKED_UP)]
        started = time.perf_counter()
        check = log.verify(TENANT)
        verify_s = time.perf_counter() - started
        log.close()
    row = {
        "rows": check.rows,
        "written with the chain, rows/s": round(rows_per_s),
        "who saw a document, P50 ms": round(statistics.median(times_ms), 1),
        "slowest ms": round(max(times_ms), 1),
        "verify, s": round(verify_s, 1),
        "whole": check.is_whole,
    }
    report.write(
        "audit",
        "The audit log",
        [row],
        "Written by one process, each row a transaction of its own. The question is who saw one of 20 000 documents in "
        "a span of time. Goals: 2 000 rows/s, and one second over 1 000 000 rows.",
    )


def look_up(log: AuditLog, number: int) -> float:
    """Return how many milliseconds it takes to find who saw a document in a span of time."""
    now = datetime.now(UTC)
    started = time.perf_counter()
    found = log.query(
        TENANT, document=f"d{number * 997 % DOCUMENTS}", since=now - timedelta(days=1), until=now + timedelta(days=1)
    )
    assert found
    return (time.perf_counter() - started) * 1000


def fill(path: Path, rows: int) -> None:
    """Add rows to the end of a chain, as ``append`` would one by one."""
    with sqlite3.connect(path) as db:
        number, before = db.execute("SELECT number, hash FROM heads WHERE tenant = ?", (TENANT,)).fetchone()
        entries, shown = [], []
        at = datetime.now(UTC)
        for n in range(rows):
            number += 1
            at += timedelta(milliseconds=1)
            document = f"d{n % DOCUMENTS}"
            row = CoveredColumns(
                TENANT, number, at.isoformat(), f"user{n % USERS}", "show", f'["{document}"]', f'{{"answer_id":"a{n}"}}'
            )
            before = row.hash_after(before)
            entries.append((*row, before))
            shown.append((TENANT, document, number))
        db.executemany("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?)", entries)
        db.executemany("INSERT INTO entry_documents VALUES (?, ?, ?)", shown)
        db.execute("UPDATE heads SET number = ?, hash = ? WHERE tenant = ?", (number, before, TENANT))
    assert before != FIRST_HASH


if __name__ == "__main__":
    main()
