"""Other systems under ROMA's measures: rankings in a TREC file, and functions that answer questions.

A ranking is scored by where its documents or passages lie; no model and no index is needed for it. A function is any
callable from a question to an answer, so that a rival is scored by the same call as ROMA.
"""

from __future__ import annotations

import asyncio
import inspect
import math
import threading
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from roma_core.codehash import code_sha256
from roma_core.environment import describe_unreadable
from roma_core.errors import (
    AgentFailure,
    DeadlineError,
    ErrorCode,
    EvalError,
    explain_invalid,
    foreign_code,
    guarded,
    guarded_call,
    name_some,
)
from roma_core.evals.evaluation import DocumentIterator, System
from roma_core.evals.golden.dataset import Golden, GoldenCase
from roma_core.evals.golden.evidence import find, locate, plain_uri
from roma_core.evals.judge.model import Judge
from roma_core.evals.measures.registry import import_attribute
from roma_core.evals.measures.retrieval import ndcg_at, recall_at, reciprocal_rank_at
from roma_core.evals.report.record import EvalReport
from roma_core.evals.runner import CaseRunner, run_cases
from roma_core.settings import Settings
from roma_core.types import (
    Answered,
    Chunk,
    Document,
    IngestionReport,
    Query,
    ScoredChunk,
    TailorOutput,
    Usage,
    digest,
)

FOREIGN = "other"
"""Name of the retriever of passages that another system has found."""
SYSTEM = "system"
"""Role under which a run names another system that was asked in place of ROMA."""
COLUMNS = 6
PassageIterator = Callable[[], AsyncIterator[Chunk]]
"""Called for each pass over the passages of a corpus."""


# Rankings


@dataclass(frozen=True)
class TrecRun:
    """A ranking a question: names of documents or passages with their scores, best first."""

    name: str
    rankings: Mapping[str, Sequence[tuple[str, float]]]
    sha256: str = ""
    """Hash of what it says, whatever the order of its lines."""

    @property
    def names(self) -> frozenset[str]:
        """Every document or passage that is named."""
        return frozenset(name for ranking in self.rankings.values() for name, _ in ranking)


class RankedReport(BaseModel):
    """The report of a ranking, with what of it could not be scored as it stands."""

    report: EvalReport
    notes: tuple[str, ...] = ()


def read_run(path: Path) -> TrecRun:
    """Read a file of lines ``question Q0 document rank score tag``. Raises ``EvalError`` that names the line.

    Documents are ordered by score, ties by name from the end of the alphabet, as trec_eval does; ranks do not count.
    """
    rankings: dict[str, dict[str, float]] = defaultdict(dict)
    tag = ""
    for number, line in enumerate(_read_lines(path), 1):
        if not line.strip():
            continue
        parts = line.split()
        if len(parts) != COLUMNS:
            raise _reject(path, number, f"expected {COLUMNS} columns (question Q0 document rank score tag)")
        question, _, document, _, score, tag = parts
        if document in rankings[question]:
            raise _reject(path, number, f"{document} is ranked twice for question {question}")
        rankings[question][document] = _read_score(path, number, score)
    if not rankings:
        raise EvalError(f"{path.name} holds no ranking.", ErrorCode.EVAL_DATASET)
    ordered = {
        question: sorted(scores.items(), key=lambda pair: (pair[1], pair[0]), reverse=True)
        for question, scores in rankings.items()
    }
    parts = [f"{question} {name} {score!r}" for question, ranking in ordered.items() for name, score in ranking]
    return TrecRun(name=tag, rankings=ordered, sha256=digest("trec run", *sorted(parts)))


def _read_lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise EvalError(
            f"The run {path} cannot be read ({describe_unreadable(error)}).", ErrorCode.EVAL_DATASET
        ) from None


def _read_score(path: Path, number: int, text: str) -> float:
    try:
        score = float(text)
    except ValueError:
        raise _reject(path, number, f"the score {text!r} is not a number") from None
    if not math.isfinite(score):
        raise _reject(path, number, f"the score {text!r} is not finite")
    return score


def _reject(path: Path, number: int, why: str) -> EvalError:
    return EvalError(f"{path.name}, line {number}: {why}.", ErrorCode.EVAL_DATASET)


async def score_run(
    golden: Golden,
    run: TrecRun,
    documents: DocumentIterator,
    passages: PassageIterator | None = None,
    *,
    top_k: int = 5,
) -> RankedReport:
    """Return the scores of a ranking at ``top_k``: the share of the evidence, and how early it is found.

    Documents are named by id, by address, or by as much of its end as one document alone has; ``passages`` by id. A
    name that the corpus does not hold keeps its rank and is not relevant; a question that the run lacks has an empty
    ranking. Both are counted in the notes. Raises ``EvalError`` when no name and no question is known.

    >>> ranked = await score_run(golden, read_run(Path("run.trec")), documents)  # doctest: +SKIP
    """
    known = {case.id for case in golden.cases}
    asked = known & set(run.rankings)
    if not asked:
        raise EvalError(
            f"No question of the run is in {golden.name}: it has {name_some(run.rankings)}, the set "
            f"{name_some(case.id for case in golden.cases)}.",
            ErrorCode.EVAL_DATASET,
        )
    wanted = frozenset(name for question in asked for name, _ in run.rankings[question][:top_k])
    places = await _find_places(wanted, documents, passages)
    if not places:
        raise EvalError(
            f"None of the {len(wanted)} documents of the run is in the corpus ({name_some(wanted)}).",
            ErrorCode.EVAL_DATASET,
        )
    corpus = await find(golden.cases, documents())
    outputs = {case.id: _rank(run.rankings.get(case.id, ())[:top_k], places) for case in golden.cases}
    by_question = _by_question(golden.cases)

    async def look_up(query: Query) -> TailorOutput:
        return outputs[by_question[query.text]]

    runner = CaseRunner(
        look_up,
        (recall_at(top_k), reciprocal_rank_at(top_k), ndcg_at(top_k)),
        top_k=top_k,
        corpus=corpus,
        fingerprint=digest("trec run", run.sha256, corpus.sha256),
    )
    report = await run_cases(golden, runner)
    return RankedReport(report=report, notes=tuple(_describe_gaps(golden, run, wanted, places)))


def _by_question(cases: Iterable[GoldenCase]) -> dict[str, str]:
    """Return the id of each case by its question. Raises ``EvalError`` when two cases ask the same."""
    found: dict[str, str] = {}
    for case in cases:
        if case.question in found:
            raise EvalError(
                f"{case.id} and {found[case.question]} ask the same question, so a ranking cannot be told apart.",
                ErrorCode.EVAL_DATASET,
            )
        found[case.question] = case.id
    return found


async def _find_places(
    wanted: frozenset[str], documents: DocumentIterator, passages: PassageIterator | None
) -> dict[str, Chunk]:
    """Return a passage for each name that is known: the whole of a document, or the passage of this id."""
    found: dict[str, Chunk] = {}
    ends: dict[str, list[str]] = defaultdict(list)
    plain = {plain_uri(name): name for name in wanted}
    async for document in documents():
        for name in _names_of(document, wanted, plain):
            ends[name].append(document.uri)
            found[name] = _whole(document)
    twice = {name: uris for name, uris in ends.items() if len(uris) > 1}
    if twice:
        name, uris = next(iter(sorted(twice.items())))
        raise EvalError(
            f"{name} names {len(uris)} documents ({name_some(uris)}); write more of the address.",
            ErrorCode.EVAL_DATASET,
        )
    if passages is not None and len(found) < len(wanted):
        async for chunk in passages():
            if chunk.id in wanted and chunk.id not in found:
                found[chunk.id] = chunk
    return found


def _names_of(document: Document, wanted: frozenset[str], plain: Mapping[str, str]) -> set[str]:
    """Return the names in ``wanted`` that mean a document."""
    names = {document.id} & wanted
    return names | {plain[tail] for tail in list_tails(document.uri) if tail in plain}


def list_tails(uri: str) -> list[str]:
    """Return an address and every end of it after a slash, the longest first.

    >>> list_tails("a/b.md")
    ['a/b.md', 'b.md']
    """
    parts = plain_uri(uri).split("/")
    return ["/".join(parts[start:]) for start in range(len(parts))]


def _whole(document: Document) -> Chunk:
    return Chunk(
        id=document.id,
        document_id=document.id,
        uri=document.uri,
        title=document.title,
        text=document.text,
        start=0,
        end=len(document.text),
    )


def _rank(ranking: Sequence[tuple[str, float]], places: Mapping[str, Chunk]) -> TailorOutput:
    passages = tuple(
        ScoredChunk(chunk=places.get(name) or _unknown(name), score=score, rank=rank, retriever=FOREIGN)
        for rank, (name, score) in enumerate(ranking, start=1)
    )
    return TailorOutput(answer="", answered=Answered.UNKNOWN, model=FOREIGN, passages=passages)


def _unknown(name: str) -> Chunk:
    """Return the passage that stands for a name that the corpus does not hold: it overlaps nothing."""
    return Chunk(id=name, document_id="", uri=name, title=name, text="", start=0, end=0)


def _describe_gaps(golden: Golden, run: TrecRun, wanted: frozenset[str], places: Mapping[str, Chunk]) -> Iterable[str]:
    unknown = sorted(wanted - set(places))
    if unknown:
        share = f"{len(unknown)} of {len(wanted)} names"
        yield f"{share} are not in the corpus and count as not relevant: {name_some(unknown)}"
    lacking = [case.id for case in golden.cases if case.id not in run.rankings and case.evidence]
    if lacking:
        yield f"{len(lacking)} questions are not in the run and count as empty rankings: {name_some(lacking)}"
    more = sorted(set(run.rankings) - {case.id for case in golden.cases})
    if more:
        yield f"{len(more)} questions of the run are not in the set: {name_some(more)}"


# Functions


class ForeignContext(BaseModel):
    """A text that another system has found, and the document that it is from: an id or an address."""

    model_config = ConfigDict(extra="ignore")

    text: str = Field(min_length=1)
    document: str = ""
    score: float | None = None


class ForeignAnswer(BaseModel):
    """An answer of another system. ``answered`` is False when it says that it does not know."""

    model_config = ConfigDict(extra="forbid")

    answer: str
    contexts: tuple[ForeignContext | str, ...] = ()
    answered: bool = True
    model: str = FOREIGN
    usage: Usage = Usage()


@dataclass
class ForeignSystem:
    """A function in the place of ``Roma``: scored over the corpus of ``host``, with its judge and its workspace.

    The function takes a ``Query`` and returns a text, a mapping (``answer``, ``contexts``, ``answered``, ``model``), a
    ``TailorOutput`` or an ``AgentFailure``; it may be ``async``. Its answers are never taken from an earlier run.

    >>> system = ForeignSystem(roma, rival, "my_module:rival")  # doctest: +SKIP
    >>> report = await evaluate("golden.json", system, resume=False)  # doctest: +SKIP
    """

    host: System
    function: Callable[[Query], Any]
    name: str
    version: str = ""
    """Name of this version of the system, beside the hash of the function's code."""
    unplaced: int = 0
    """Texts that the function has returned and that no document of the corpus holds."""
    prompts: Mapping[str, str] = field(default_factory=dict)
    _addresses: dict[str, str] = field(default_factory=dict, repr=False)
    """Ids of documents by the ends of their addresses."""

    @property
    def settings(self) -> Settings:
        """The settings of the host."""
        return self.host.settings

    @property
    def store(self) -> Any:
        """The documents of the host."""
        return self.host.store

    @property
    def fingerprints(self) -> Mapping[str, str]:
        """The function's name, code and version."""
        return {SYSTEM: f"{self.name} {self.version} {code_sha256(self.function)[:12]}"}

    def observe_usage(self, observer: Callable[[str, Usage], None]) -> Callable[[], None]:
        """Report the calls of the host's models: those of judges."""
        return self.host.observe_usage(observer)

    def ingest(self, *sources: str, tenant: str | None = None) -> Awaitable[IngestionReport]:
        """Ingest into the host's corpus."""
        return self.host.ingest(*sources, tenant=tenant)

    def find_judge(self, name: str) -> Judge:
        """Return a judge of the host. Raises ``EvalError``."""
        found: Judge = self.host.find_judge(name)  # type: ignore[attr-defined]
        return found

    async def query(self, query: Query, /, *, keep: bool = True) -> TailorOutput | AgentFailure:
        """Ask the function; its answer in ROMA's form. Raises ``EvalError`` for one that has no such form."""
        given = await guarded("system", self._call(query))
        if isinstance(given, TailorOutput | AgentFailure):
            return given
        answer = self._read_answer(given)
        passages = [await self._place(each, query.tenant) for each in answer.contexts]
        return TailorOutput(
            answer=answer.answer,
            answered=Answered.KNOWN if answer.answered else Answered.UNKNOWN,
            model=answer.model,
            usage=answer.usage,
            passages=tuple(
                ScoredChunk(chunk=chunk, score=score, rank=rank, retriever=FOREIGN)
                for rank, (chunk, score) in enumerate(passages, start=1)
            ),
        )

    async def _call(self, query: Query) -> Any:
        """Return what the function returns. Raises ``EvalError`` when it raises, ``DeadlineError`` when it hangs."""
        limit_s = self.settings.answering.query_timeout_s
        try:
            async with asyncio.timeout(limit_s):
                with foreign_code(self.name):
                    is_async = inspect.iscoroutinefunction(self.function)
                    given = self.function(query) if is_async else await self._call_in_thread(query)
                    return await given if inspect.isawaitable(given) else given
        except TimeoutError:
            raise DeadlineError(
                f"{self.name} did not answer within {limit_s:g} s: raise ROMA_QUERY_TIMEOUT_S where it needs longer."
            ) from None

    async def _call_in_thread(self, query: Query) -> Any:
        """Return what a blocking function returns. One that never returns does not keep the process alive."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Any] = loop.create_future()

        def call() -> Any:
            with foreign_code(self.name):
                return self.function(query)

        def settle(result: Any) -> None:
            if not done.done():
                done.set_result(result)

        def work() -> None:
            result = guarded_call("system", call)
            with suppress(RuntimeError):  # the loop is closed: the answer came too late
                loop.call_soon_threadsafe(settle, result)

        threading.Thread(target=copy_context().run, args=(work,), name="roma-system", daemon=True).start()
        return await done

    def _read_answer(self, given: object) -> ForeignAnswer:
        if isinstance(given, str):
            return ForeignAnswer(answer=given)
        if not isinstance(given, Mapping):
            raise EvalError(
                f"{self.name} returned {type(given).__name__}; return a text, or a mapping with answer and contexts.",
                ErrorCode.EVAL_PARAMETERS,
            )
        try:
            return ForeignAnswer.model_validate(given)
        except ValidationError as error:
            raise EvalError(f"{self.name}: {explain_invalid(error)}.", ErrorCode.EVAL_PARAMETERS) from None

    async def _place(self, context: ForeignContext | str, tenant: str) -> tuple[Chunk, float]:
        """Return a text with its place in the corpus and its score; a text without a place overlaps no evidence."""
        found = ForeignContext(text=context) if isinstance(context, str) else context
        score = found.score if found.score is not None else 0.0
        document = await self._find_document(found.document, tenant) if found.document else None
        if document is not None:
            start = document.text.find(found.text)
            spans = [(start, start + len(found.text))] if start >= 0 else []
            spans = spans or [(span.start, span.end) for span in locate(found.text, document.text)[:1]]
            if spans:
                start, end = spans[0]
                placed = _whole(document).model_copy(
                    update={"id": digest("context", document.id, str(start), str(end))[:32]}
                )
                return placed.model_copy(update={"text": document.text[start:end], "start": start, "end": end}), score
        self.unplaced += 1
        name = digest("context", found.document, found.text)[:32]
        unplaced = _unknown(name).model_copy(update={"uri": found.document, "title": found.document})
        return unplaced.model_copy(update={"text": found.text, "end": len(found.text)}), score

    async def _find_document(self, name: str, tenant: str) -> Document | None:
        """Return the document with this id, or the only one whose address ends in ``name``."""
        document: Document | None = await self.host.store.document(tenant, name)
        if document is not None:
            return document
        if not self._addresses:
            self._addresses = await self._list_addresses(tenant)
        document_id = self._addresses.get(plain_uri(name))
        return await self.host.store.document(tenant, document_id) if document_id else None

    async def _list_addresses(self, tenant: str) -> dict[str, str]:
        """Return the ids of documents by each end of their addresses that one document alone has."""
        found: dict[str, str] = {}
        twice: set[str] = set()
        async for document in self.host.store.documents(tenant):
            for tail in list_tails(document.uri):
                if tail in found:
                    twice.add(tail)
                found[tail] = document.id
        return {tail: document_id for tail, document_id in found.items() if tail not in twice}


def import_task(spec: str) -> Callable[[Query], Any]:
    """Return the function that ``module:function`` names. Raises ``EvalError``.

    >>> import_task("roma_core.evals.foreign:read_run").__name__
    'read_run'
    """
    module, colon, attribute = spec.partition(":")
    if not colon:
        raise EvalError(f"A system is named module:function, not {spec!r}.", ErrorCode.EVAL_PARAMETERS)
    found = import_attribute(module, attribute, "system")
    if not callable(found) or inspect.isclass(found):
        raise EvalError(f"{spec} is no function of a question.", ErrorCode.EVAL_PARAMETERS)
    task: Callable[[Query], Any] = found
    return task
