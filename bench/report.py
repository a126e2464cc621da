"""Tables of ``docs/benchmarks/``: written by the run that measured them, with what they were measured on."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "docs" / "benchmarks"
PAGE = ROOT / "docs" / "benchmarks.md"
_PICTURE = re.compile(r"\]\(([\w-]+\.svg)\)")
"""A picture beside a part; the page stands one folder above."""
INTRO = """# Benchmarks

After this page you know how fast and how good ROMA was where it was measured, and beside what.

Written by `make bench`, `make bench-parse` and `make soak`; no number here is typed by hand. Machines are noisy and
differ: read the ratios, each is against a reference that ran beside it.
"""


def write(
    name: str, title: str, rows: Sequence[Mapping[str, object]], note: str = "", packages: Sequence[str] = ()
) -> str:
    """Write ``rows`` (one mapping a row, the same keys in each) as ``docs/benchmarks/<name>.md`` and rebuild the page.

    ``packages`` are those whose versions matter. Returns the text.
    """
    text = "\n".join(
        [f"## {title}", "", *table(rows), "", *([note, ""] if note else []), f"*{circumstances(packages)}*", ""]
    )
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / f"{name}.md").write_text(text, encoding="utf-8")
    rebuild()
    print(text)
    return text


def table(rows: Sequence[Mapping[str, object]]) -> list[str]:
    """A Markdown table."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    lines = [[cell(row.get(column)) for column in columns] for row in rows]
    return ["| " + " | ".join(line) + " |" for line in (columns, ["---"] * len(columns), *lines)]


def cell(value: object) -> str:
    """Three significant digits; missing values are a dash."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return str(value).replace("|", "\\|")


def circumstances(packages: Sequence[str] = ()) -> str:
    """Date, revision, machine and versions."""
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in packages)
    facts = [
        datetime.now(UTC).date().isoformat(),
        f"revision {revision()}",
        f"{os.cpu_count()} cores, {processor()}",
        f"{platform.system()}, Python {platform.python_version()}",
        versions,
    ]
    return "; ".join(fact for fact in facts if fact)


def revision() -> str:
    """Short hash of the commit that was measured; ``+`` when the tree had other changes."""
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty=+"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"


def processor() -> str:
    """The processor's name."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def rebuild() -> None:
    """``docs/benchmarks.md`` out of its parts."""
    parts = [path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.md"))]
    parts = [_PICTURE.sub(rf"]({FOLDER.name}/\1)", part) for part in parts]
    parts = [f"#{part}" if part.startswith("# ") else part for part in parts]  # a page of its own is a section here
    PAGE.write_text("\n".join([INTRO, *parts]), encoding="utf-8")
