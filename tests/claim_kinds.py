"""Kinds of changed claims and of honest ones, over small texts of our own: the reader of ``claim_kinds.txt``.

A line ``## name | limit`` begins a kind, ``P:`` a passage. ``A:`` is a claim that must not be accepted and ``C:`` one
that must be. ``a:`` and ``c:`` are such claims that the check gets wrong today: it cannot see the difference.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

KINDS = Path(__file__).with_suffix(".txt")


@dataclass(frozen=True)
class KindClaim:
    """A claim about a passage; ``is_known_miss`` says that the check judges it wrongly."""

    kind: str
    limit: float
    passage: str
    claim: str
    is_attack: bool
    is_known_miss: bool


def read_kinds(path: Path = KINDS) -> Iterator[KindClaim]:
    """Yield the claims of all kinds in order."""
    kind, limit, passage = "", 0.0, ""
    for line in path.read_text(encoding="utf-8").splitlines():
        mark, _, rest = line.partition(" ")
        text = rest.replace("\\n", "\n")
        if mark == "##":
            kind, _, share = rest.partition(" | ")
            limit = float(share)
        elif mark == "P:":
            passage = text
        elif mark in {"A:", "a:", "C:", "c:"}:
            yield KindClaim(kind, limit, passage, text, mark in {"A:", "a:"}, mark.islower())
