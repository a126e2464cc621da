"""The page on ingestion lists the licence of every parser dependency, and none of the core is AGPL."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "03_INGESTION_STRATEGY.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[<>=!~\[; ]", line)[0].lower() for line in requirements}


def test_every_parser_dependency_has_a_row_with_its_licence():
    rows = dict(re.findall(r"^\| ([\w.-]+)[^|]*\| ([^|]+) \|", PAGE.partition("## Licences")[2], re.MULTILINE))
    extras = PROJECT["optional-dependencies"]
    wanted = names(extras["parsers"]) | names(extras["ocr"]) | {"pypdfium2", "pdfplumber", "lxml", "trafilatura"}
    assert wanted - {name.lower() for name in rows} == set()
    assert all(licence.strip() for licence in rows.values())


def test_no_agpl_in_what_the_core_asks_for():
    for name in names(PROJECT["dependencies"]) | names(PROJECT["optional-dependencies"]["parsers"]):
        facts = metadata.metadata(name)
        text = " ".join([facts.get("License-Expression") or "", *(facts.get_all("Classifier") or [])])
        assert "AGPL" not in text and "Affero" not in text, name


def test_page_names_every_limit_that_can_be_set_and_every_code():
    for name in ("MAX_MB", "TIMEOUT_S", "MEMORY_MB", "WORKERS"):
        assert f"ROMA_PARSER_{name}" in PAGE
    for code in ("MALFORMED", "ENCRYPTED", "UNSUPPORTED", "EMPTY", "TOO_LARGE", "TIMEOUT", "MEMORY"):
        assert f"ERR_PARSER_{code}" in PAGE
