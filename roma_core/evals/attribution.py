"""Why items fail: the first stage of the way from the source to the answer that lost what the answer lacks.

Each label is a counterfactual that holds without a model: is the fact in the bytes of the source, in the parsed text,
in one passage of the index, among the passages that were looked up, among those that the answer was written from? The
first "no" names the stage. Where every answer is yes, the writer left the fact out, or said something else.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from pydantic import Field

from roma_core import display
from roma_core.evals.golden.dataset import Evidence, Golden, GoldenCase, Nugget
from roma_core.evals.golden.evidence import Place, locate, names
from roma_core.evals.judge.model import JUDGE, PASS_GRADE
from roma_core.evals.measures.nuggets import states
from roma_core.evals.measures.values import read_values
from roma_core.evals.report.comparison import choose_primary
from roma_core.evals.report.record import EvalReport, EvalRow, MeasureInfo
from roma_core.markup import remove_markers
from roma_core.types import Chunk, Document, Noun

if TYPE_CHECKING:
    import pandas as pd

ReadSource = Callable[[Document], Awaitable[str]]
"""The words in the bytes of a document's source; empty when they cannot be read."""
NEAREST_RATIO = 0.6
REFUTED = frozenset({"contradicted", "unsupported"})


class Fault(StrEnum):
    """The stage that lost an item, in the order in which a fact passes them."""

    GOLDEN = "golden"
    PARSE_LOSS = "parse loss"
    CHUNK_SPLIT = "chunk split"
    RETRIEVAL_MISS = "retrieval miss"
    RERANK_DROP = "rerank drop"
    CONTEXT_IGNORED = "context ignored"
    GENERATION = "generation"
    WRONG_CITATION = "wrong citation"
    JUDGE = "judge"


ADVICE = {
    Fault.GOLDEN: "mend the item: its reference answer, its facts or its anchor",
    Fault.PARSE_LOSS: "look at what the parser left out: `roma parse FILE`",
    Fault.CHUNK_SPLIT: "larger passages: ROMA_CHUNK_TOKENS",
    Fault.RETRIEVAL_MISS: "more candidates, another embedder, or words for the look-up: ROMA_RETRIEVE_LIMIT",
    Fault.RERANK_DROP: "more passages or another weight: --top-k, ROMA_RERANK_LIMIT, ROMA_RERANK_WEIGHT",
    Fault.CONTEXT_IGNORED: "the prompt or the model: `roma prompt new answer`",
    Fault.GENERATION: "the prompt or the model; ROMA_CITATIONS=strict takes out what no passage proves",
    Fault.WRONG_CITATION: "the prompt or the model; ROMA_CITATIONS=strict takes out what no passage proves",
    Fault.JUDGE: "calibrate the judge: `roma judge label`, `roma calibrate judge`",
}
TOPIC_LETTERS = 4
"""Letters from which a word of an ASCII script says what a text is about."""
_ORDER = {fault: number for number, fault in enumerate(Fault)}


class Attribution(Noun):
    """One failed item, the stage that lost it, and what shows it."""

    case_id: str
    question: str
    fault: Fault
    why: str
    lost: float
    """Share of the deciding measure's scale that the item misses."""


class FailureReport(Noun):
    """The failed items of a run by the stage that lost them."""

    run_id: str
    dataset: str
    primary: str
    items: int
    """Items with an answer of the system itself."""
    unanswered: int = 0
    """Items without one: failed, degraded or a fallback's. No stage is blamed for them."""
    attributions: tuple[Attribution, ...] = Field(default=(), repr=False)

    @property
    def counts(self) -> dict[Fault, int]:
        """Number of failed items by stage, in the order of the stages."""
        counted = Counter(found.fault for found in self.attributions)
        return {fault: counted[fault] for fault in Fault if counted[fault]}

    @property
    def gains(self) -> dict[Fault, float]:
        """Points of the deciding measure that mending a stage would give at most, were it mended alone and wholly."""
        lost: Counter[Fault] = Counter()
        for found in self.attributions:
            lost[found.fault] += found.lost  # type: ignore[assignment]
        return {fault: lost[fault] / self.items for fault in self.counts}

    def to_frame(self) -> pd.DataFrame:
        """One row a failed item."""
        from roma_core.types import frame

        return frame(self.attributions, ("case_id", "fault", "why", "lost", "question"))

    def rows(self) -> list[tuple[str, int, float, str]]:
        """Return stage, items, points and advice, the greatest gain first."""
        gains = self.gains
        order = sorted(self.counts, key=lambda fault: -gains[fault])
        return [(fault.value, self.counts[fault], gains[fault], ADVICE[fault]) for fault in order]

    def _repr_html_(self) -> str:
        head = f"{self.dataset}, run {self.run_id}: {len(self.attributions)} of {self.items} items fail"
        rows = [(a.case_id, a.fault.value, a.why, a.lost, a.question) for a in self.attributions]
        return display.box(
            display.heading(head),
            draw_gains(self),
            display.table(("Stage", "Items", f"Points of {self.primary}", "What to do"), self.rows()),
            display.table(("Case", "Stage", "What shows it", "Lost", "Question"), rows),
        )


def draw_gains(report: FailureReport) -> display.Html:
    """Return what mending each stage would give as bars, in the order of the stages."""
    gains = report.gains
    if not gains:
        return display.paragraph("No item fails.")
    largest = max(*gains.values(), 1e-9)
    parts, height = [], 26
    for number, (fault, gain) in enumerate(gains.items()):
        y, width = number * height, 360 * gain / largest
        parts.append(
            f'<text x="150" y="{y + 17}" text-anchor="end" font-size="13" fill="currentColor">{fault.value}</text>'
            f'<rect x="158" y="{y + 4}" width="{width:.1f}" height="{height - 8}" fill="#2563eb"/>'
            f'<text x="{164 + width:.1f}" y="{y + 17}" font-size="12" fill="currentColor">'
            f"{gain:+.3f} ({report.counts[fault]})</text>"
        )
    return display.Html(
        f'<svg role="img" aria-label="Points that mending each stage would give" width="640" '
        f'height="{height * len(gains)}" style="max-width:100%" font-family="system-ui,sans-serif">'
        f"{''.join(parts)}</svg>"
    )


class SourcedDocuments(Protocol):
    """The part of a store that attribution reads."""

    def documents(self, tenant: str) -> AsyncIterator[Document]: ...

    async def chunks(self, tenant: str, document_id: str) -> list[Chunk]: ...


async def explain_failures(
    report: EvalReport,
    golden: Golden,
    store: SourcedDocuments,
    *,
    tenant: str = "default",
    read_source: ReadSource | None = None,
    primary: str = "",
) -> FailureReport:
    """Return why each failed item of a run failed, over the corpus as it is now. Asks no model.

    >>> failures = await explain_failures(report, golden, roma.store, read_source=roma.read_source)  # doctest: +SKIP

    An item fails when it misses a fact, claims an answer where there is none, cites wrongly, or fails the judge. Raises
    ``EvalError`` for a primary measure that the run does not have.
    """
    decides = choose_primary(report.measures, primary)
    info = next(m for m in report.measures if m.name == decides)
    cases = {case.id: case for case in golden.cases}
    rows = [row for row in report.rows if row.case_id in cases]
    answered = [row for row in rows if row.state == "ok"]
    wanted = [e for row in answered for e in cases[row.case_id].evidence]
    named = await _find_documents(wanted, store, tenant)
    chunks: dict[str, list[Chunk]] = {}
    sources: dict[str, str] = {}
    for document in {document.id: document for found in named.values() for document in found}.values():
        chunks[document.id] = await store.chunks(tenant, document.id)
    attributions = []
    for row in answered:
        case = cases[row.case_id]
        for evidence in case.evidence:
            for document in named[_key(evidence)]:
                lacks = bool(evidence.anchor) and not locate(evidence.anchor, document.text)
                if lacks and document.id not in sources:
                    sources[document.id] = await read_source(document) if read_source else ""
        found = _FailedCase(case, row, named, chunks, sources).explain()
        if found is not None:
            fault, why = found
            attributions.append(
                Attribution(
                    case_id=row.case_id, question=row.question, fault=fault, why=why, lost=measure_loss(row, info)
                )
            )
    return FailureReport(
        run_id=report.run_id,
        dataset=report.dataset,
        primary=decides,
        items=len(answered),
        unanswered=len(rows) - len(answered),
        attributions=tuple(attributions),
    )


def measure_loss(row: EvalRow, info: MeasureInfo) -> float:
    """Return the share of a measure's scale that a row misses; 0 where it is not scored."""
    score = row.scores.get(info.name)
    if score is None or info.scale is None:
        return 0.0
    low, high = info.scale
    share = (score - low) / (high - low)
    return share if info.higher is False else 1 - share


def _key(evidence: Evidence) -> str:
    return evidence.uri


async def _find_documents(
    wanted: Sequence[Evidence], store: SourcedDocuments, tenant: str
) -> dict[str, tuple[Document, ...]]:
    found: dict[str, list[Document]] = {_key(evidence): [] for evidence in wanted}
    distinct = {_key(evidence): evidence for evidence in wanted}
    async for document in store.documents(tenant):
        for key, evidence in distinct.items():
            if names(document.uri, evidence):
                found[key].append(document)
    return {key: tuple(documents) for key, documents in found.items()}


def _read_topic(text: str, nugget: Nugget) -> frozenset[str]:
    """Return the words that say what a text is about: the long ones and the numbers, without those of the fact."""
    fact = {value for spelling in nugget.spellings for token in read_values(spelling) for value in token.values}
    words = {value for token in read_values(text) if token.kind != "break" for value in token.values}
    return frozenset(w for w in words - fact if len(w) >= TOPIC_LETTERS or not w.isascii() or w.isdigit())


class _FailedCase:
    """One item with all that decides its label."""

    def __init__(
        self,
        case: GoldenCase,
        row: EvalRow,
        named: Mapping[str, Sequence[Document]],
        chunks: Mapping[str, Sequence[Chunk]],
        sources: Mapping[str, str],
    ) -> None:
        self.case, self.row, self.named, self.chunks, self.sources = case, row, named, chunks, sources
        self.answer = remove_markers(row.answer or "")
        self.shown = {passage.chunk.id for passage in row.passages}
        self.looked_up = set(row.considered) | self.shown

    def explain(self) -> tuple[Fault, str] | None:
        """Return the stage that lost the item and what shows it; None for an item that did not fail."""
        if self.case.kind == "no_answer":
            if self.row.answered:
                return Fault.GENERATION, "claims an answer where the documents hold none"
            return self._blame_judge("says that it does not know, which is right")
        missed = [nugget for nugget in self.case.vital_nuggets if not states(self.answer, nugget)]
        if missed or not self.row.answered:
            return self._blame_stage(missed)
        if why := self._find_wrong_citation():
            return Fault.WRONG_CITATION, why
        if not self.case.nuggets:
            judged = self.row.scores.get(JUDGE)
            return self._blame_stage([]) if judged is not None and judged < PASS_GRADE else None
        return self._blame_judge("states every fact, and its citations hold")

    def _blame_judge(self, why: str) -> tuple[Fault, str] | None:
        grade = self.row.scores.get(JUDGE)
        if grade is None or grade >= PASS_GRADE:
            return None
        return Fault.JUDGE, f"{why}; the judge gives {grade:g}: {self.row.reasons.get(JUDGE, '')}".rstrip(": ")

    def _find_wrong_citation(self) -> str:
        for citation, proof in zip(
            self.row.citations, (*self.row.proofs, *[None] * len(self.row.citations)), strict=False
        ):
            if proof is False:
                return f"[{citation.marker}] quotes what {citation.uri} does not hold at these offsets"
            if citation.verdict in REFUTED:
                return f"[{citation.marker}] is {citation.verdict} by {citation.uri}"
        if not self.row.citations:
            return "states the facts without a citation"
        return ""

    def _blame_stage(self, missed: Sequence[Nugget]) -> tuple[Fault, str]:
        """Return the first stage that lost one of the missed facts."""
        for nugget in missed:
            if self.case.answer and not states(self.case.answer, nugget):
                return Fault.GOLDEN, f"the reference answer does not state {nugget.fact!r} itself"
        verdicts = [nugget for nugget in missed if self._judges_sources(nugget)]
        unshown = [nugget for nugget in missed if nugget not in verdicts and not self._is_shown(nugget)]
        lost = [self._trace(evidence) for evidence in self.case.evidence]
        before_writing = [found for found in lost if found is not None]
        is_told_elsewhere = bool(missed) and all(self._is_told_elsewhere(nugget) for nugget in missed)
        if before_writing and (verdicts or not is_told_elsewhere):
            return min(before_writing, key=lambda found: _ORDER[found[0]])
        if unshown and not before_writing:
            return Fault.GOLDEN, f"the evidence was shown, and does not state {unshown[0].fact!r}"
        facts = ", ".join(repr(nugget.fact) for nugget in missed) or "the answer"
        if verdicts and len(verdicts) == len(missed):
            return Fault.CONTEXT_IGNORED, f"both sides were shown; the answer does not say of them: {facts}"
        if self.row.answered and self._says_something_else():
            return Fault.GENERATION, f"the passages hold {facts}; the answer says what no passage supports"
        return Fault.CONTEXT_IGNORED, f"the passages hold {facts}; the answer does not say it"

    def _judges_sources(self, nugget: Nugget) -> bool:
        """Return True for what an answer must say of sources that disagree, and that none of them says itself."""
        if self.case.kind != "conflict":
            return False
        documents = [document for evidence in self.case.evidence for document in self.named[_key(evidence)]]
        return bool(documents) and not any(states(document.text, nugget) for document in documents)

    def _is_shown(self, nugget: Nugget) -> bool:
        return any(states(passage.chunk.text, nugget) for passage in self.row.passages)

    def _is_told_elsewhere(self, nugget: Nugget) -> bool:
        """Return True when a passage states the fact of what was asked: the same number of another thing is none."""
        about = [self.case.question, self.case.answer, *(evidence.anchor for evidence in self.case.evidence)]
        wanted = [words for text in about if (words := _read_topic(text, nugget))]
        return any(
            states(passage.chunk.text, nugget)
            and any(len(words & _read_topic(passage.chunk.text, nugget)) * 2 >= len(words) for words in wanted)
            for passage in self.row.passages
        )

    def _says_something_else(self) -> bool:
        """True when a statement of the answer is not supported by what was shown."""
        contradicted, support = self.row.scores.get("contradicted"), self.row.scores.get("support")
        if contradicted or (support is not None and support < 1):
            return True
        return any(citation.verdict in REFUTED for citation in self.row.citations)

    def _trace(self, evidence: Evidence) -> tuple[Fault, str] | None:
        """Return the stage that lost a piece of evidence; None when it was shown whole."""
        documents = self.named[_key(evidence)]
        if not documents:
            return Fault.GOLDEN, f"there is no document {evidence.uri!r}"
        places = [
            Place(document_id=document.id, start=span.start, end=span.end)
            for document in documents
            for span in (locate(evidence.anchor, document.text) if evidence.anchor else ())
        ]
        if not evidence.anchor:
            ids = {chunk.id for document in documents for chunk in self.chunks[document.id]}
            return self._trace_passages(ids, f"a passage of {evidence.uri}")
        if not places:
            return self._explain_missing(evidence, documents)
        whole = {
            chunk.id
            for place in places
            for chunk in self.chunks[place.document_id]
            if chunk.start <= place.start and place.end <= chunk.end
        }
        if not whole:
            return Fault.CHUNK_SPLIT, f"no passage of {evidence.uri} holds {evidence.anchor!r} whole"
        return self._trace_passages(whole, f"{evidence.anchor!r} of {evidence.uri}")

    def _trace_passages(self, whole: set[str], what: str) -> tuple[Fault, str] | None:
        if whole & self.shown:
            return None
        if whole & self.looked_up:
            rank = next(i for i, chunk in enumerate(self.row.considered, start=1) if chunk in whole)
            return Fault.RERANK_DROP, f"{what} is at rank {rank}, below the {len(self.shown)} that were shown"
        return Fault.RETRIEVAL_MISS, f"{what} is in the index, and was not found"

    def _explain_missing(self, evidence: Evidence, documents: Sequence[Document]) -> tuple[Fault, str]:
        for document in documents:
            if locate(evidence.anchor, self.sources.get(document.id, "")):
                return (
                    Fault.PARSE_LOSS,
                    f"{evidence.anchor!r} is in the file {evidence.uri}, and not in its parsed text",
                )
        nearest = find_nearest(evidence.anchor, documents[0].text)
        hint = f"; nearest is {nearest!r}" if nearest else ""
        return Fault.GOLDEN, f"{evidence.anchor!r} is neither in {evidence.uri} nor in its parsed text{hint}"


def find_nearest(anchor: str, text: str) -> str:
    """Return the words of ``text`` that are most like ``anchor``; empty when none is near.

    >>> find_nearest("the door is rde", "We saw that the door is red today.")
    'the door is red'
    """
    wanted, words = anchor.split(), text.split()
    size = len(wanted)
    if not size or not words:
        return ""
    best, best_ratio = "", NEAREST_RATIO
    matcher = difflib.SequenceMatcher(autojunk=False)
    matcher.set_seq2(anchor.casefold())
    for start in range(max(1, len(words) - size + 1)):
        window = " ".join(words[start : start + size]).strip(".,;:!?")
        matcher.set_seq1(window.casefold())
        if matcher.real_quick_ratio() <= best_ratio or matcher.quick_ratio() <= best_ratio:
            continue
        if (ratio := matcher.ratio()) > best_ratio:
            best, best_ratio = window, ratio
    return best
