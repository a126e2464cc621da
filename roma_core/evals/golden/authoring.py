"""Writing golden sets: a new item from a passage, and all that is wrong with a set before anything is asked."""

from __future__ import annotations

import difflib
import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from roma_core.chunking import chunk
from roma_core.display import box, table
from roma_core.errors import ErrorCode, EvalError
from roma_core.evals.attribution import find_nearest
from roma_core.evals.golden.dataset import Evidence, Golden, GoldenCase, Kind, Nugget, add_cases
from roma_core.evals.golden.evidence import locate, names
from roma_core.evals.measures.nuggets import mentions, states
from roma_core.evals.measures.values import read_values
from roma_core.types import Document, Noun, Persona, ScoredChunk, digest

MOST_PLACES = 2
"""An anchor that stands in more places than this does not say where the answer is."""
ANCHOR_WORDS = 12
"""Most words of an anchor that is made from a passage."""
Severity = Literal["error", "warning"]


class GoldenFinding(Noun):
    """One thing that is wrong with an item (``error``), or that its author should look at (``warning``)."""

    case_id: str
    severity: Severity
    message: str


class GoldenCheck(Noun):
    """Faults found in a set. ``expressible`` is the share of its evidence that one passage can hold, by size."""

    dataset: str
    items: int
    findings: tuple[GoldenFinding, ...]
    expressible: dict[int, float] = Field(default_factory=dict)

    @property
    def errors(self) -> int:
        """Number of findings that make a score meaningless."""
        return sum(finding.severity == "error" for finding in self.findings)

    def _repr_html_(self) -> str:
        rows = [(finding.case_id, finding.severity, finding.message) for finding in self.findings]
        shares = [(size, f"{share:.3f}") for size, share in self.expressible.items()]
        return box(table(("Case", "", "What"), rows) + table(("Tokens of a passage", "Evidence it can hold"), shares))


def golden_schema() -> dict[str, Any]:
    """Return the JSON Schema of a golden set: a list of items, or an object that holds them.

    >>> golden_schema()["title"]
    'Golden set'
    """
    item = GoldenCase.model_json_schema(ref_template="#/$defs/{model}")
    definitions = item.pop("$defs", {})
    items = {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/GoldenCase"}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Golden set",
        "anyOf": [items, {"type": "object", "required": ["items"], "properties": {"items": items}}],
        "$defs": {**definitions, "GoldenCase": item},
    }


def check_golden(
    golden: Golden,
    documents: Iterable[Document] = (),
    *,
    count_tokens: Callable[[str], int] | None = None,
    sizes: Sequence[int] = (),
) -> GoldenCheck:
    """Return what is wrong with a set by itself and, where documents are given, against them.

    With ``count_tokens`` and ``sizes`` also the share of evidence that lies whole in one passage of each size.
    """
    held = list(documents)
    findings = [*_find_doubles(golden.cases)]
    for case in golden.cases:
        findings += _check_words(case)
        findings += _check_facts(case)
        if held:
            findings += _check_evidence(case, held)
    expressible = measure_expressible(golden, held, count_tokens, sizes) if held and count_tokens else {}
    return GoldenCheck(dataset=golden.name, items=len(golden.cases), findings=tuple(findings), expressible=expressible)


def measure_expressible(
    golden: Golden, documents: Sequence[Document], count_tokens: Callable[[str], int], sizes: Sequence[int]
) -> dict[int, float]:
    """Return, by the chunker's target size in tokens, the share of anchors that one passage holds whole."""
    wanted: dict[str, list[Evidence]] = defaultdict(list)
    by_id = {document.id: document for document in documents}
    for case in golden.cases:
        for evidence in case.evidence:
            for document in documents:
                if evidence.anchor and names(document.uri, evidence):
                    wanted[document.id].append(evidence)
    total = sum(map(len, wanted.values()))
    shares: dict[int, float] = {}
    for size in sizes:
        whole = 0
        for document_id, anchors in wanted.items():
            document = by_id[document_id]
            passages = [(part.start, part.end) for part in chunk(document, count_tokens, size)]
            for evidence in anchors:
                spans = locate(evidence.anchor, document.text)
                whole += any(start <= at.start and at.end <= end for at in spans for start, end in passages)
        shares[size] = whole / total if total else 0.0
    return shares


def _find_doubles(cases: Sequence[GoldenCase]) -> Iterable[GoldenFinding]:
    first: dict[str, str] = {}
    for case in cases:
        plain = " ".join(re.findall(r"\w+", case.question.casefold()))
        if plain in first:
            message = f"asks the same question as {first[plain]}"
            yield GoldenFinding(case_id=case.id, severity="error", message=message)
        first.setdefault(plain, case.id)


def _check_words(case: GoldenCase) -> Iterable[GoldenFinding]:
    if not _has_words(case.question):
        yield GoldenFinding(case_id=case.id, severity="error", message="the question has no words")
    if case.kind == "no_answer" and case.answer:
        message = "it has a reference answer although the documents do not answer it: a judge would ask for that answer"
        yield GoldenFinding(case_id=case.id, severity="error", message=message)
    for piece, times in Counter((each.uri, each.anchor) for each in case.evidence).items():
        if times > 1:
            message = f"the evidence {piece[0]} ({piece[1]!r}) is named {times} times and counts as often"
            yield GoldenFinding(case_id=case.id, severity="error", message=message)
    for evidence in case.evidence:
        if evidence.anchor and not _has_words(evidence.anchor):
            message = f"the anchor {evidence.anchor!r} has no words, so it means the whole of {evidence.uri}"
            yield GoldenFinding(case_id=case.id, severity="warning", message=message)


def _has_words(text: str) -> bool:
    return any(token.kind != "break" for token in read_values(text))


def _check_facts(case: GoldenCase) -> Iterable[GoldenFinding]:
    for fact, times in Counter(nugget.fact for nugget in case.nuggets).items():
        if times > 1:
            message = f"the fact {fact!r} is named {times} times and counts as often"
            yield GoldenFinding(case_id=case.id, severity="error", message=message)
    for one, other in itertools.combinations(case.nuggets, 2):
        if one.fact != other.fact and states(one.fact, other) and states(other.fact, one):
            message = (
                f"{one.fact!r} and {other.fact!r} are one fact, which counts twice: make one an alias of the other"
            )
            yield GoldenFinding(case_id=case.id, severity="error", message=message)
    for nugget in case.nuggets:
        for alias in nugget.aliases:
            if not _has_words(alias):
                message = f"the alias {alias!r} of {nugget.fact!r} has no words, so no answer can state it"
                yield GoldenFinding(case_id=case.id, severity="warning", message=message)
        if not _has_words(nugget.fact):
            message = f"the fact {nugget.fact!r} has no words, so no answer can state it"
            yield GoldenFinding(case_id=case.id, severity="error", message=message)
        elif case.answer and not states(case.answer, nugget):
            why = " (it stands there, and is denied)" if mentions(case.answer, nugget) else ""
            message = f"the reference answer does not state its own fact {nugget.fact!r}{why}"
            yield GoldenFinding(case_id=case.id, severity="error", message=message)
    if case.nuggets and not case.answer:
        yield GoldenFinding(case_id=case.id, severity="warning", message="there is no reference answer for a judge")
    if case.kind != "no_answer" and not case.nuggets:
        yield GoldenFinding(case_id=case.id, severity="warning", message="there is no fact, so no answer is scored")


def _check_evidence(case: GoldenCase, documents: Sequence[Document]) -> Iterable[GoldenFinding]:
    for evidence in case.evidence:
        named = [document for document in documents if names(document.uri, evidence)]
        if not named:
            near = find_near_uri(evidence.uri, [document.uri for document in documents])
            hint = f"; nearest is {near}" if near else ""
            message = f"there is no document {evidence.uri}{hint}"
            yield GoldenFinding(case_id=case.id, severity="error", message=message)
            continue
        if len(named) > 1:
            message = f"{evidence.uri} names {len(named)} documents; write more of the path"
            yield GoldenFinding(case_id=case.id, severity="warning", message=message)
        if not evidence.anchor:
            continue
        places = sum(len(locate(evidence.anchor, document.text)) for document in named)
        if not places:
            near = find_nearest(evidence.anchor, named[0].text)
            hint = f"; nearest is {near!r}" if near else ""
            message = f"{evidence.uri} does not hold {evidence.anchor!r}{hint}"
            yield GoldenFinding(case_id=case.id, severity="error", message=message)
        elif places > MOST_PLACES:
            message = f"{evidence.anchor!r} stands in {places} places of {evidence.uri}; add words"
            yield GoldenFinding(case_id=case.id, severity="warning", message=message)


def find_near_uri(uri: str, uris: Sequence[str]) -> str:
    """Return the URI that is spelt most like ``uri``; empty when none is near.

    >>> find_near_uri("a/tides.md", ["file:///x/a/tide.md"])
    'file:///x/a/tide.md'
    """
    tails = {"/".join(each.split("/")[-(uri.count("/") + 1) :]): each for each in uris}
    near = difflib.get_close_matches(uri, tails, n=1, cutoff=0.6)
    return tails[near[0]] if near else ""


def make_case(
    passage: ScoredChunk,
    question: str,
    answer: str,
    facts: Sequence[str],
    *,
    kind: Kind = "single",
    persona: Persona = "general",
    tags: Sequence[str] = (),
    anchor: str = "",
    uri: str = "",
) -> GoldenCase:
    """Return an item whose evidence is a passage. The anchor is the sentence of the passage that states a fact.

    Raises ``EvalError`` when the answer does not state the facts, and when the passage states none of them or does not
    hold the anchor.
    """
    nuggets = tuple(Nugget(fact=fact) for fact in facts)
    for nugget in nuggets:
        if not states(answer, nugget):
            raise EvalError(f"The answer does not state the fact {nugget.fact!r}.", ErrorCode.EVAL_DATASET)
    text = passage.chunk.text
    if not anchor and not any(states(text, nugget) for nugget in nuggets):
        raise EvalError(
            "The passage states none of the facts, so it is no evidence for them: pick another one, or give words of "
            "it as the anchor.",
            ErrorCode.EVAL_DATASET,
        )
    anchor = anchor or choose_anchor(text, nuggets)
    if not locate(anchor, text):
        near = find_nearest(anchor, text)
        raise EvalError(
            f"The passage does not hold {anchor!r}" + (f"; nearest is {near!r}." if near else "."),
            ErrorCode.EVAL_DATASET,
        )
    place = uri or "/".join(passage.chunk.uri.split("/")[-2:])
    return GoldenCase(
        id=f"new-{digest('golden', question)[:10]}",
        question=question,
        persona=persona,
        kind=kind,
        answer=answer,
        nuggets=nuggets,
        evidence=(Evidence(uri=place, anchor=anchor),),
        tags=tuple(tags),
    )


def make_unanswerable(question: str, *, persona: Persona = "general", tags: Sequence[str] = ()) -> GoldenCase:
    """Return an item that the corpus does not answer: *I don't know* is right."""
    case_id = f"new-{digest('golden', question)[:10]}"
    return GoldenCase(id=case_id, question=question, persona=persona, kind="no_answer", tags=tuple(tags))


def choose_anchor(text: str, nuggets: Sequence[Nugget]) -> str:
    """Return a few words of the first sentence that states one of the facts, else of the passage's beginning."""
    sentences = [part.strip() for part in re.split(r"(?<=[.!?。])\s+|\n+", text) if part.strip()]
    stating = (s for s in sentences if any(states(s, nugget) for nugget in nuggets))
    return " ".join(next(stating, sentences[0] if sentences else text).split()[:ANCHOR_WORDS]).strip("#|*- ")


def find_near_cases(golden: Golden, question: str, most: int = 3) -> list[GoldenCase]:
    """Return the items of a set whose questions share most words with a new one, nearest first."""
    wanted = _words(question)
    scored: list[tuple[float, GoldenCase]] = []
    for case in golden.cases:
        words = _words(case.question)
        share = len(wanted & words) / len(wanted | words) if wanted | words else 0.0
        if share >= 0.3:
            scored.append((share, case))
    scored.sort(key=lambda pair: -pair[0])
    return [case for _, case in scored[:most]]


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.casefold()))


def write_case(path: Path, case: GoldenCase) -> None:
    """Add an item to a set in a file, which may be missing. Raises ``EvalError`` when its question is there."""
    if not add_cases(path, [case]):
        raise EvalError(f"{path.name} asks this question already.", ErrorCode.EVAL_DATASET)
