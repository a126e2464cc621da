"""Faults that were planted are found at their stage, without a model."""

from __future__ import annotations

import io
import json
import random
import zipfile
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from itertools import count, pairwise

import pytest

from roma_core.errors import AgentFailure
from roma_core.evals import Judge
from roma_core.evals.attribution import FailureReport, Fault, explain_failures, find_nearest
from roma_core.evals.golden.dataset import Golden, GoldenCase
from roma_core.evals.golden.evidence import find
from roma_core.evals.measures import default_measures
from roma_core.evals.raw_words import read_raw_words
from roma_core.evals.runner import CaseRunner, run_cases
from roma_core.llm.base import I_DONT_KNOW
from roma_core.llm.providers.fake import FakeLLM
from roma_core.types import Answered, Chunk, Citation, CitationVerdict, Document, Query, ScoredChunk, TailorOutput

THINGS = "bridge tower harbour mill quarry canal lighthouse museum station abbey".split()
NAMES = "Arlo Bexa Cendra Dovik Elmora Fentis Garlo Hestia Ivaro Jelka Korvin Lumeta".split()


@dataclass
class World:
    """Documents, their chunks and sources, and the answers that a system with planted faults gives."""

    seed: int = 1
    documents: dict[str, Document] = field(default_factory=dict)
    pieces: dict[str, list[Chunk]] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    cases: list[GoldenCase] = field(default_factory=list)
    answers: dict[str, TailorOutput] = field(default_factory=dict)
    planted: dict[str, Fault | None] = field(default_factory=dict)
    rejected: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.numbers = count(1)

    async def all_documents(self, tenant: str) -> AsyncIterator[Document]:
        for document in self.documents.values():
            yield document

    async def query(self, query: Query) -> TailorOutput | AgentFailure:
        return self.answers[query.text]

    def add(self, fault: Fault | None, variety: int = 0) -> None:
        """Add a document with a fact, its case, and the answer of a system with this fault."""
        number = next(self.numbers)
        thing, name = f"{self.rng.choice(THINGS)} {number}", self.rng.choice(NAMES)
        year, wrong = 1500 + self.rng.randrange(200), 1800 + self.rng.randrange(100)
        fact = f"The {thing} of {name} was finished in {year} after long works"
        filler = [f"Note {i} on {thing} tells of {self.rng.choice(NAMES)} and wood." for i in range(8)]
        at = self.rng.randrange(len(filler))
        whole = "\n".join([*filler[:at], fact + ".", *filler[at:]])
        text = whole.replace(fact + ".\n", "") if fault is Fault.PARSE_LOSS else whole
        uri = f"file:///{number}.md"
        document = Document(
            id=Document.id_for(uri), content_sha256="0" * 64, parser="p", uri=uri, title=thing, text=text,
            media_type="text/markdown",
        )  # fmt: skip
        self.documents[uri], self.sources[document.id] = document, whole
        cuts = [i + 1 for i, c in enumerate(text) if c == "\n"]
        if fault is Fault.CHUNK_SPLIT:
            begin = text.index(fact)
            cuts = sorted({*cuts, begin + len(f"The {thing} of {name} was ")})
        bounds = [0, *cuts, len(text)]
        pieces = [
            Chunk(id=f"{number}-{i}", document_id=document.id, uri=uri, title=thing, text=text[a:b], start=a, end=b)
            for i, (a, b) in enumerate(pairwise(bounds))
            if b > a
        ]
        self.pieces[document.id] = pieces
        holding = [piece for piece in pieces if fact in piece.text]
        others = [piece for piece in pieces if str(year) not in piece.text]
        shown = [*holding, *others[:3]] if holding else others[:4]
        if fault in {Fault.RETRIEVAL_MISS, Fault.RERANK_DROP}:
            shown = others[:4]
        if fault is Fault.CHUNK_SPLIT and variety % 2:
            shown = [piece for piece in pieces if f"The {thing} of" in piece.text][:1] + others[:2]
        considered = [piece.id for piece in (*shown, *others[4:])]
        if fault is Fault.RERANK_DROP:
            considered.append(holding[0].id)
        question = f"When was {thing} finished?"
        right = f"The {thing} of {name} was finished in {year}."
        answer, verdict, reference, anchor = right, "supported", right, fact
        if (
            fault in {Fault.PARSE_LOSS, Fault.CHUNK_SPLIT, Fault.RETRIEVAL_MISS, Fault.RERANK_DROP}
            or fault is Fault.CONTEXT_IGNORED
        ):
            answer = I_DONT_KNOW if variety % 2 else f"{others[0].text.strip()}"
        elif fault is Fault.GENERATION:
            answer, verdict = f"The {thing} of {name} was finished in {wrong}.", "contradicted"
        elif fault is Fault.WRONG_CITATION:
            verdict = "unsupported"
        elif fault is Fault.GOLDEN:
            answer = I_DONT_KNOW if variety % 2 else others[0].text.strip()
            shown = others[:4]
            if variety % 3 == 0:
                anchor = fact.replace("finished", "finnished")
            elif variety % 3 == 1:
                uri = f"file:///{number}-renamed.md"
            else:
                reference = f"The {thing} is old."
        elif fault is Fault.JUDGE:
            self.rejected.add(right)
        case = {
            "id": f"{fault}-{number}", "question": question, "kind": "single", "answer": reference,
            "nuggets": [{"fact": str(year)}], "evidence": [{"uri": uri.rsplit("/", 1)[1], "anchor": anchor}],
        }  # fmt: skip
        if fault is Fault.GENERATION and variety % 2:
            case |= {"kind": "no_answer", "nuggets": [], "evidence": [], "answer": ""}
        self.cases.append(GoldenCase.model_validate(case))
        self.planted[str(case["id"])] = fault
        known = answer != I_DONT_KNOW
        self.answers[question] = TailorOutput(
            answer=f"{answer} [1]" if known else answer,
            citations=(self.cite(shown[0], answer, verdict),) if known else (),  # type: ignore[arg-type]
            passages=tuple(ScoredChunk(chunk=c, score=1 / r, rank=r, retriever="t") for r, c in enumerate(shown, 1)),
            considered=tuple(considered),
            answered=Answered.KNOWN if known else Answered.UNKNOWN,
            model="fake:fake",
        )

    def cite(self, chunk: Chunk, answer: str, verdict: CitationVerdict) -> Citation:
        return Citation(
            marker=1, chunk_id=chunk.id, document_id=chunk.document_id, uri=chunk.uri, title=chunk.title,
            start=chunk.start, end=chunk.start + 5, quote=chunk.text[:5], answer_start=0, answer_end=len(answer),
            verdict=verdict,
        )  # fmt: skip

    async def explain(self, with_sources: bool = True) -> FailureReport:
        async def read_text(document_id: str) -> str | None:
            return next((d.text for d in self.documents.values() if d.id == document_id), None)

        async def read_source(document: Document) -> str:
            return self.sources[document.id]

        def grade(request) -> str:  # type: ignore[no-untyped-def]
            text = request.messages[-1].content
            return json.dumps({"reason": "r", "grade": 1 if any(wrong in text for wrong in self.rejected) else 5})

        golden = Golden(name="planted", cases=tuple(self.cases))
        corpus = await find(golden.cases, self.all_documents("default"))
        llm = FakeLLM(rule=grade)
        measures = [*default_measures(5), Judge(llm).measure]
        runner = CaseRunner(self.query, measures, corpus=corpus, read_text=read_text)
        report = await run_cases(golden, runner)
        llm.requests.clear()
        store = _Store(self)
        found = await explain_failures(report, golden, store, read_source=read_source if with_sources else None)
        assert llm.calls == 0
        return found


@dataclass
class _Store:
    world: World

    def documents(self, tenant: str) -> AsyncIterator[Document]:
        return self.world.all_documents(tenant)

    async def chunks(self, tenant: str, document_id: str) -> list[Chunk]:
        return self.world.pieces[document_id]


@pytest.mark.parametrize("seed", [1, 7])
async def test_planted_faults_of_every_kind_are_found(seed: int) -> None:
    world = World(seed)
    for variety in range(12):
        for fault in (*Fault, None):
            world.add(fault, variety)
    report = await world.explain()
    found = {attribution.case_id: attribution.fault for attribution in report.attributions}
    wrong = [(case, fault, found.get(case)) for case, fault in world.planted.items() if found.get(case) is not fault]
    assert len(wrong) <= 0.05 * len(world.planted), wrong
    by_kind = Counter(fault for _, fault, _ in wrong)
    assert all(n <= 1 for n in by_kind.values()), by_kind
    assert report.items == len(world.planted)


@pytest.mark.parametrize(
    ("other", "fault"),
    [
        ("The gate of Arlo was painted with {year} litres of paint.", Fault.RETRIEVAL_MISS),
        ("{thing} was finished in {year}, as a letter says.", Fault.CONTEXT_IGNORED),
    ],
    ids=["the number of something else", "the fact in another document"],
)
async def test_a_fact_is_shown_by_a_passage_that_says_it_of_the_same_thing(other: str, fault: Fault) -> None:
    world = World()
    world.add(Fault.RETRIEVAL_MISS, 1)
    case = world.cases[0]
    thing = case.question.removeprefix("When was ").removesuffix(" finished?")
    text = other.format(thing=thing, year=case.nuggets[0].fact)
    chunk = Chunk(id="other", document_id="o", uri="file:///o.md", title="o", text=text, start=0, end=len(text))
    answer = world.answers[case.question]
    passages = (*answer.passages, ScoredChunk(chunk=chunk, score=0.1, rank=5, retriever="t"))
    world.answers[case.question] = answer.model_copy(update={"passages": passages})
    (found,) = (await world.explain()).attributions
    assert found.fault is fault


async def test_the_points_of_a_stage_are_what_its_items_lost() -> None:
    world = World()
    for fault in (Fault.RETRIEVAL_MISS, Fault.RETRIEVAL_MISS, Fault.CONTEXT_IGNORED, None):
        world.add(fault)
    report = await world.explain()
    assert report.gains == {Fault.RETRIEVAL_MISS: 0.5, Fault.CONTEXT_IGNORED: 0.25}
    assert report.rows()[0][:2] == ("retrieval miss", 2) and "<svg" in report._repr_html_()
    assert list(report.to_frame()["fault"]) == [a.fault for a in report.attributions]


async def test_without_the_source_a_lost_text_is_no_parse_loss() -> None:
    world = World()
    world.add(Fault.PARSE_LOSS)
    (attribution,) = (await world.explain(with_sources=False)).attributions
    assert attribution.fault is Fault.GOLDEN and "neither" in attribution.why


@pytest.mark.parametrize(
    ("shown", "fault", "why"),
    [
        ((0, 1), Fault.CONTEXT_IGNORED, "both sides were shown; the answer does not say of them: 'disagree'"),
        ((0,), Fault.RERANK_DROP, "'built in 1903' of b.md is at rank 2, below the 1 that were shown"),
    ],
)
async def test_that_sources_disagree_is_for_the_answer_to_say(shown: tuple[int, ...], fault: Fault, why: str) -> None:
    world = World()
    passages = []
    for number, (name, year) in enumerate((("a.md", 1902), ("b.md", 1903)), start=1):
        text, uri = f"The tower was built in {year}.", f"file:///{name}"
        document = Document(
            id=Document.id_for(uri), content_sha256="0" * 64, parser="p", uri=uri, title=name, text=text,
            media_type="text/markdown",
        )  # fmt: skip
        piece = Chunk(id=name, document_id=document.id, uri=uri, title=name, text=text, start=0, end=len(text))
        world.documents[uri], world.pieces[document.id] = document, [piece]
        passages.append(ScoredChunk(chunk=piece, score=1 / number, rank=number, retriever="t"))
    case = GoldenCase.model_validate(
        {
            "id": "q", "question": "When was the tower built?", "kind": "conflict",
            "answer": "The sources disagree: 1902 and 1903.",
            "nuggets": [{"fact": "1902"}, {"fact": "1903"}, {"fact": "disagree"}],
            "evidence": [{"uri": "a.md", "anchor": "built in 1902"}, {"uri": "b.md", "anchor": "built in 1903"}],
        }
    )  # fmt: skip
    answer = "In 1902, or in 1903." if len(shown) == 2 else "In 1902."
    world.answers[case.question] = TailorOutput(
        answer=answer, passages=tuple(passages[i] for i in shown), considered=("a.md", "b.md")
    )
    runner = CaseRunner(world.query, default_measures(5))
    golden = Golden(name="g", cases=(case,))
    failures = await explain_failures(await run_cases(golden, runner), golden, _Store(world))
    assert [(found.fault, found.why) for found in failures.attributions] == [(fault, why)]


def test_the_nearest_words_of_a_typing_error() -> None:
    text = "Long before. The mill of Arlo was finished in 1604, they say. Long after."
    assert find_nearest("mill of Arol was finishd in 1604", text) == "mill of Arlo was finished in 1604"
    assert find_nearest("nothing of the kind here at all", text) == "" and find_nearest("", text) == ""


def packed(text: str) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("word/document.xml", f"<w:p><w:t>{text[:5]}</w:t><w:t>{text[5:]}</w:t></w:p>")
    return data.getvalue()


@pytest.mark.parametrize("make", [str.encode, packed, lambda text: f"<p>{text}</p><script>no()</script>".encode()])
def test_the_words_of_a_file_are_read_without_a_parser(make: Callable[[str], bytes]) -> None:
    words = read_raw_words(make("The tower was finished"))
    assert "The tower was finished" in words and "no()" not in words


def test_bytes_without_words_are_empty() -> None:
    assert read_raw_words(b"PK\x03\x04 broken") == "" and read_raw_words(b"%PDF-1.7 broken") == ""
    assert read_raw_words(bytes(range(128, 256)) * 20) == ""
