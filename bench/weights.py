"""``python -m bench.weights``: what each dependency weighs and serves, by extra; writes ``docs/benchmarks/install.md``.

Sizes are those of the files that each installed distribution lists, so it is run in an environment that has all extras.
A dependency's own weight is what would go if it alone went: itself and what nothing else of the same extra brings.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from bench.installs import read_section
from bench.report import FOLDER, circumstances, table

ROOT = Path(__file__).resolve().parents[1]
SERVES: Mapping[str, str] = {
    "aiohttp": "streams of vendors' SDKs; proxies of the web connector",
    "alembic": "versions of the databases",
    "anthropic": "Claude models",
    "argon2-cffi": "passwords of local accounts",
    "charset-normalizer": "encodings of text files",
    "click": "the command line",
    "fastembed": "BM25 tokens and ONNX models of vectors and ranks",
    "filelock": "locks between processes",
    "genai-prices": "prices of models",
    "httpcore2": "connections to pinned addresses",
    "httpx2": "HTTP of models and sources",
    "lancedb": "the store: vectors, BM25, versions",
    "lxml": "HTML and XML",
    "lxml-html-clean": "the main text of web pages",
    "markdown-it-py": "Markdown, read and rendered",
    "mdit-py-plugins": "formulas and footnotes in Markdown",
    "nh3": "safe HTML",
    "numpy": "vectors",
    "onnxruntime": "local models",
    "openai": "OpenAI-compatible models",
    "pandas": "frames of reports and tables",
    "pathspec": "ignore rules",
    "pdfplumber": "words and lines of PDF pages",
    "pillow": "pictures",
    "pint": "units in the check of citations",
    "prometheus-client": "metrics",
    "protego": "robots.txt",
    "protobuf": "graphs of local models",
    "py-rust-stemmers": "stems of words",
    "py3langid": "languages of texts",
    "pyarrow": "rows of the store, Parquet",
    "pydantic": "types and settings",
    "pygments": "coloured code",
    "pypdfium2": "pages of PDF",
    "python-dotenv": "`.env`",
    "python-stdnum": "check digits of national numbers",
    "regex": "patterns with Unicode properties",
    "rich": "tables on a terminal",
    "sqlalchemy": "conversations, accounts, jobs",
    "structlog": "logs",
    "tenacity": "retries",
    "tokenizers": "tokens of local models",
    "tqdm": "progress bars",
    "trafilatura": "the main text of web pages",
}
"""What each dependency of the core is for."""
MB = 1 << 20
NAME = re.compile(r"[-_.]+")


def normalise(name: str) -> str:
    """Return a distribution's name as PEP 503 spells it."""
    return NAME.sub("-", name).lower()


@cache
def find_requirements(name: str, extras: frozenset[str] = frozenset()) -> tuple[tuple[str, frozenset[str]], ...]:
    """Return what an installed distribution requires here, with the extras of each; nothing for one that is missing."""
    try:
        lines = metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return ()
    found: list[tuple[str, frozenset[str]]] = []
    for requirement in map(Requirement, lines):
        environments = [{"extra": extra} for extra in extras] or [{"extra": ""}]
        if requirement.marker is None or any(requirement.marker.evaluate(each) for each in environments):
            found.append((normalise(requirement.name), frozenset(requirement.extras)))
    return tuple(found)


def close(roots: Iterable[tuple[str, frozenset[str]]]) -> set[str]:
    """Return the names of everything that roots bring, themselves included."""
    reached: set[tuple[str, frozenset[str]]] = set()
    waiting = set(roots)
    while waiting:
        each = waiting.pop()
        reached.add(each)
        waiting |= set(find_requirements(*each)) - reached
    return {name for name, _ in reached}


@cache
def measure_bytes(name: str) -> int:
    """Return the size of the files of an installed distribution; 0 for one that is missing."""
    try:
        files = metadata.distribution(name).files or []
    except metadata.PackageNotFoundError:
        return 0
    return sum(path.stat().st_size for file in files if (path := Path(str(file.locate()))).is_file())


def weigh(names: Iterable[str]) -> int:
    """Return the size of several distributions."""
    return sum(measure_bytes(name) for name in names)


def parse(lines: Iterable[str]) -> list[tuple[str, frozenset[str]]]:
    """Return requirements by name and extras, those of this machine alone."""
    requirements = [Requirement(line) for line in lines]
    return [(normalise(r.name), frozenset(r.extras)) for r in requirements if r.marker is None or r.marker.evaluate()]


def list_core(core: list[tuple[str, frozenset[str]]]) -> list[dict[str, object]]:
    """Return a row for each dependency of the core, the heaviest first."""
    rows: list[tuple[int, dict[str, object]]] = []
    whole = close(core)
    for root in core:
        own = whole - close(each for each in core if each != root)
        size = weigh(own)
        others = sorted(own - {root[0]})
        rows.append(
            (
                size,
                {
                    "dependency": root[0],
                    "MB": f"{measure_bytes(root[0]) / MB:.1f}",
                    "MB that would go with it": f"{size / MB:.1f}",
                    "brings alone": ", ".join(others[:6]) + (" ..." if len(others) > 6 else "") or "–",
                    "serves": SERVES[root[0]],
                },
            )
        )
    return [row for _, row in sorted(rows, key=lambda pair: -pair[0])]


def list_extras(project: Mapping[str, object], core: list[tuple[str, frozenset[str]]]) -> list[dict[str, object]]:
    """Return a row for each extra: how much it adds to the core, or why that is not known here."""
    optional: Mapping[str, list[str]] = project["optional-dependencies"]  # type: ignore[assignment]
    base = close(core)
    rows: list[dict[str, object]] = [
        {
            "extra": "(core)",
            "packages": len(base),
            "MB more": f"{weigh(base) / MB:.0f}",
            "brings": "everything without an extra",
        }
    ]
    for name, lines in optional.items():
        if any(line.startswith("roma-core") for line in lines) and name != "dev":
            continue
        roots = [each for each in parse(lines) if each[0] != "roma-core"]
        added = close(roots) - base
        missing = sorted(each for each, _ in roots if not measure_bytes(each))
        known = f"{weigh(added) / MB:.0f}" if not missing else f"not installed here: {', '.join(missing)}"
        brings = ", ".join(sorted(each for each, _ in roots))
        rows.append({"extra": name, "packages": len(added), "MB more": known, "brings": brings})
    return rows


def main() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    core = parse(project["dependencies"])
    section = read_section()
    timed = [section.rstrip("\n"), ""] if section else []
    text = "\n".join(
        [
            "# What an installation weighs",
            "",
            "After this page you know how long an installation takes, what each extra brings and what each dependency "
            "is for.",
            "",
            *timed,
            "## Extras",
            "",
            *table(list_extras(project, core)),
            "",
            "Sizes are those of the installed files. `all` is every extra but those that say *not in all*",
            "in `pyproject.toml`: readers beside ROMA's own, models that an English corpus has no use for, servers.",
            "",
            "## Dependencies of the core",
            "",
            *table(list_core(core)),
            "",
            f"*{circumstances(())}*",
            "",
        ]
    )
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "install.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
