"""Citations are proven against the stored document, whatever the answer and the passages look like."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from roma_core.agents.citations import CitationAgent
from roma_core.citations import Cited, cite
from roma_core.errors import AgentFailure, ErrorCode, StoreError
from roma_core.llm.providers.fake import FakeLLM, Reply
from roma_core.markup import read_markers
from roma_core.store.inmemory import InMemoryStore
from roma_core.types import Chunk, Document, Page, ScoredChunk, Section, digest
from tests.sizes import examples

TEXT = "Intro.\n\nThe bridge was built in 1902. It spans 48 metres.\n\nThe ropes are new."


def document(text: str = TEXT, **fields: Any) -> Document:
    return Document(
        id=Document.id_for("doc"),
        uri="doc",
        title="Doc",
        text=text,
        content_sha256=digest(text),
        parser="t/1",
        **fields,
    )


def passage(held: Document, start: int, end: int, rank: int = 1) -> ScoredChunk:
    part = Chunk(
        id=digest(held.id, str(start), str(end))[:16],
        document_id=held.id,
        uri=held.uri,
        title=held.title,
        text=held.text[start:end],
        start=start,
        end=end,
    )
    return ScoredChunk(chunk=part, score=1.0, rank=rank, retriever="test")


async def stored(held: Document) -> InMemoryStore:
    import numpy as np

    store = InMemoryStore()
    await store.put("default", held, [], np.zeros((0, 4), dtype=np.float32))
    return store


async def resolve(answer: str, passages: list[ScoredChunk], held: Document) -> Cited:
    found = await CitationAgent(await stored(held)).resolve(answer, passages, "default")
    assert isinstance(found, Cited), found
    return found


async def test_a_citation_names_its_claim_and_its_words() -> None:
    held = document(
        pages=(Page(start=0, end=len(TEXT), number=7),), sections=(Section(start=0, end=len(TEXT), title="S", level=1),)
    )
    answer = "The bridge dates from 1902 and was built then [1]. It is 48 metres long [2]."
    found = await resolve(answer, [passage(held, 8, 58), passage(held, 8, 58, 2)], held)
    first, second = found.citations
    assert answer[first.answer_start : first.answer_end] == "The bridge dates from 1902 and was built then"
    assert held.text[first.start : first.end] == first.quote == "The bridge was built in 1902."
    assert held.text[second.start : second.end] == second.quote == "It spans 48 metres."
    assert (first.marker, second.marker) == (1, 2)
    assert first.page == 7
    assert first.place == "page 7"
    assert first.score is not None and 0 < first.score <= 1


async def test_markers_outside_of_the_passages_are_dropped_and_counted() -> None:
    held = document()
    found = await resolve("Built in 1902 [1, 4]. Also [9].", [passage(held, 8, 58)], held)
    assert found.answer == "Built in 1902 [1]. Also."
    assert (found.unknown, found.stale, len(found.citations)) == (2, 0, 1)


@pytest.mark.parametrize("change", ["moved", "gone", "shorter"])
async def test_what_does_not_stand_in_the_stored_document_is_dropped(change: str) -> None:
    held = document()
    cited = [passage(held, 8, 58)]
    now = {"moved": document("New. " + TEXT), "shorter": document("New."), "gone": None}[change]
    store = await stored(now) if now else InMemoryStore()
    found = await CitationAgent(store).resolve("Built in 1902 [1].", cited, "default")
    assert isinstance(found, Cited)
    assert (found.answer, found.citations, found.stale) == ("Built in 1902.", (), 1)


async def test_another_tenants_document_proves_nothing() -> None:
    held = document()
    found = await CitationAgent(await stored(held)).resolve("Built in 1902 [1].", [passage(held, 8, 58)], "other")
    assert isinstance(found, Cited)
    assert found.stale == 1


async def test_the_store_away_is_a_failure() -> None:
    class Away(InMemoryStore):
        async def document(self, tenant: str, document_id: str) -> Document | None:
            raise StoreError("away")

    found = await CitationAgent(Away()).resolve("A [1].", [passage(document(), 8, 58)], "default")
    assert isinstance(found, AgentFailure)
    assert (found.agent, found.code) == ("citations", ErrorCode.STORAGE_UNAVAILABLE)


@pytest.mark.parametrize(
    ("answer", "uncited"),
    [
        ("The bridge was built in 1902 [1].", 0),
        ("The bridge was built in 1902 [1]. It was painted green in spring.", 1),
        ("Here is what I found:\n\n- built in 1902 [1]", 0),
        ("## The old rope bridge of the village\n\nBuilt in 1902 [1].", 0),
        ("```\nlong code line with many words\n```", 0),
        ("It cost 40.", 1),
        ("Yes.", 0),
    ],
)
async def test_sentences_that_state_something_without_a_marker_are_counted(answer: str, uncited: int) -> None:
    held = document()
    assert (await resolve(answer, [passage(held, 8, 58)], held)).uncited == uncited


def test_a_references_list_of_the_source_is_not_ours() -> None:
    text = "Attention was proposed earlier [2] and refined."
    held = document(text)
    parts = [passage(held, 0, len(text)), passage(held, 0, 9, 2)]
    found = asyncio.run(resolve(f"{text} [1]", parts, held))
    assert [c.marker for c in found.citations] == [1]
    assert found.citations[0].verdict == "verbatim"
    assert found.answer.endswith(r"earlier \[2] and refined. [1]")


PIECES = st.sampled_from(
    ["[1]", "[2][3]", "[1, 2]", "[1-9]", "[99]", "[0]", "[", "]", "\n\n", "- ", "| ", ". ", " not ", "1902", "[[9]1]",
     "the bridge", "`x[1]`", "```", "é", "\u3002", "\u200b", "[1](http://x)", "\\[2]", "# ", "  "]
)  # fmt: skip
ANSWERS = st.lists(PIECES | st.text(max_size=8), max_size=25).map("".join) | st.text()


@settings(max_examples=examples(60, whole=300), suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(ANSWERS, st.text(min_size=1, max_size=200) | st.just(TEXT), st.data())
def test_any_answer_over_any_passages_is_exact_and_never_raises(answer: str, text: str, data: st.DataObject) -> None:
    held = document(text)
    passages = []
    for rank in range(1, data.draw(st.integers(1, 4)) + 1):
        start = data.draw(st.integers(0, len(text) - 1))
        passages.append(passage(held, start, data.draw(st.integers(start + 1, len(text))), rank))
    stale = data.draw(st.sets(st.integers(1, len(passages))))
    proven = {n: held for n in range(1, len(passages) + 1) if n not in stale}
    found = cite(answer, passages, proven)
    for c in found.citations:
        assert held.text[c.start : c.end] == c.quote
        assert passages[c.marker - 1].chunk.start <= c.start <= c.end <= passages[c.marker - 1].chunk.end
        assert 0 <= c.answer_start < c.answer_end <= len(found.answer)
    left = {n for m in read_markers(found.answer, len(passages)) for n in m.numbers}
    assert left <= set(proven)
    assert {c.marker for c in found.citations} <= left


WORKS = (
    "The ferry office in Aldern closed in May because its roof leaked. It sold 40 tickets a day. "
    "The harbour did not freeze. The clerk said “we had no choice”."
)


class AgreeingModel:
    """An entailment model that says yes to everything, and notes what it is asked."""

    name, fingerprint = "agreeing", "1"

    def __init__(self) -> None:
        self.calls: list[list[tuple[str, str]]] = []

    async def entail(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        self.calls.append(list(pairs))
        return [1.0] * len(pairs)


async def test_a_model_confirms_what_the_words_leave_open_in_one_call() -> None:
    held = document(WORKS)
    model = AgreeingModel()
    agent = CitationAgent(await stored(held), entailment=model)
    answer = "Water came through the office's ceiling [1]. Passengers in Aldern had nowhere to buy from spring on [1]."
    cited = await agent.confirm(answer, [passage(held, 0, len(WORKS))], "default")
    assert isinstance(cited, Cited)
    assert [statement.verdict for statement in cited.statements] == ["supported", "supported"]
    assert cited.statements[0].decided_by == ("entailment: confirmed by agreeing",)
    assert len(model.calls) == 1 and len(model.calls[0]) == 2


@pytest.mark.parametrize(
    "claim",
    [
        "It sold 400 tickets a day",
        "It sold 40 tickets an hour",
        "The harbour did freeze",
        "The ferry office in Aldern did not close in May because its roof leaked",
        "The clerk said “we had every choice”",
    ],
)
async def test_no_model_overrules_a_number_a_unit_a_negation_or_a_quotation(claim: str) -> None:
    held = document(WORKS)
    agent = CitationAgent(await stored(held), entailment=AgreeingModel())
    assert await agent.confirm(f"{claim} [1].", [passage(held, 0, len(WORKS))], "default") is None


async def test_an_answer_is_given_without_a_model_that_cannot_be_loaded(kit: Any, tmp_path: Path) -> None:
    said = "Water came through the ceiling in Aldern's ferry office [1]."
    llm = FakeLLM([Reply(said)])
    roma = kit.roma(await kit.store({"works": WORKS}), llm=llm, entailment=str(tmp_path))
    output = (await kit.events(roma, "Why did the ferry office close?"))[-1].output
    assert output.degraded_reasons == ("citations: the entailment model was not asked: ERR_EMBEDDING_MODEL",)
    assert output.citations
