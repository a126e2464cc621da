"""Why a claim is not what its source says: the differences that decide, and what each means. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from roma_core.citations.lexicon import NEGATIONS, SOFT_DENIALS
from roma_core.citations.numbers import MONTHS, UNITS
from roma_core.types import CitationVerdict

ReasonKind = Literal[
    "quotation", "number", "unit", "code", "negation", "direction", "quantifier", "hedge", "condition", "attribution",
    "name", "order", "word", "left out", "splice", "coverage", "language", "entailment",
]  # fmt: skip
CONTRADICTING: frozenset[ReasonKind] = frozenset({"number", "unit", "code", "negation", "direction"})
"""Kinds of difference that turn a statement round when the source has something else in the same place."""
FINAL: frozenset[ReasonKind] = CONTRADICTING | {"quotation"}
"""Kinds that no model may overrule."""


@dataclass(frozen=True)
class Reason:
    """One difference that decided: ``claim`` has these words, ``source`` has those in their place."""

    kind: ReasonKind
    claim: str = ""
    source: str = ""
    is_slot: bool = True
    """True where the difference is a word or two in the same place, and no other way to say it."""

    def __str__(self) -> str:
        if self.kind == "language" and self.source:
            return f"language: the check was not measured on {self.source}"
        if self.kind == "entailment":
            return f"entailment: confirmed by {self.source}"
        both = f"{self.claim!r} for {self.source!r}" if self.claim and self.source else ""
        one = f"{self.claim!r} is not in the source" if self.claim else f"{self.source!r} is left out"
        return f"{self.kind}: {both or one}" if self.claim or self.source else self.kind

    @property
    def is_final(self) -> bool:
        """Return whether no model may overrule it.

        A unit without a number is one too ("an hour" for "a day"), a month is a number, and "declined to" denies.
        """
        claimed, said = (set(text.casefold().split()) for text in self.pair)
        is_unit = any(claimed & kind.keys() and said & kind.keys() for kind in (UNITS, MONTHS))
        return self.kind in FINAL or is_unit or bool((claimed ^ said) & (NEGATIONS | SOFT_DENIALS))

    @property
    def pair(self) -> tuple[str, str]:
        """The words of the claim and those of the source."""
        return self.claim, self.source

    @property
    def contradicts(self) -> bool:
        """Return whether the source says the opposite, or another number, in the same place."""
        if self.kind not in CONTRADICTING or not self.is_slot:
            return False
        return self.kind == "negation" or bool(self.claim and self.source)


@dataclass(frozen=True)
class Support:
    """``passage[start:end]`` is the best quote for a claim; ``score`` is the weighted coverage (0..1)."""

    start: int
    end: int
    verdict: CitationVerdict
    score: float
    reasons: tuple[Reason, ...] = ()

    @property
    def is_open(self) -> bool:
        """Return whether a model may confirm the claim: nothing final speaks against it."""
        return self.verdict in {"partial", "unsupported"} and not any(reason.is_final for reason in self.reasons)
