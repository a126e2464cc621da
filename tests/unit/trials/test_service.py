"""A trial on a running system: each conversation has its variant, also across restarts, and its ends are noted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from roma_core import Roma, Settings
from roma_core.chunking import chunk
from roma_core.embeddings.fake import FakeEmbedder
from roma_core.errors import ConfigError, InputError
from roma_core.llm.providers.fake import FakeLLM, Reply
from roma_core.llm.service import LLMService
from roma_core.sessions.service import Feedback
from roma_core.store.inmemory import InMemoryStore
from roma_core.trials import name_conversation, require_changes
from roma_core.types import CompleteEvent, Document, Principal, Query, TailorOutput, digest

TEXT = "# Rope bridge\n\nThe rope bridge of Quellfeld was built in 1902. It spans 48 metres."
QUESTION = "When was the rope bridge built?"
ANNA = Principal(subject="anna", roles=("reader",))


def reply(request: Any) -> Reply:
    if "broken" in request.messages[-1].content:
        return Reply("The rope", finish_reason=None)
    return Reply("The rope bridge was built in 1902. [1]")


async def build(workspace: Path) -> Roma:
    store, embedder = InMemoryStore(), FakeEmbedder()
    settings = Settings.load(workspace=workspace, planner="off", reranker="fake")
    roma = Roma(settings, store=store, embedder=embedder, llm=LLMService([FakeLLM(rule=reply)]))
    document = Document(
        id=Document.id_for("bridge"),
        uri="bridge",
        title="Bridge",
        text=TEXT,
        content_sha256=digest(TEXT),
        parser="t/1",
    )
    chunks = chunk(document, embedder.count_tokens)
    await store.put("default", document, chunks, (await embedder.embed([c.indexed_text for c in chunks])).vectors)
    return roma


@pytest.fixture
async def roma(tmp_path: Path) -> AsyncIterator[Roma]:
    made = await build(tmp_path)
    yield made
    await made.close()


async def finish_answers() -> None:
    """Wait for what is done behind the last word of an answer."""
    await asyncio.gather(*(task for task in asyncio.all_tasks() if task.get_name() == "answer"))


async def ask(roma: Roma, session_id: str | None, text: str = QUESTION, who: Principal = ANNA) -> TailorOutput | None:
    """Ask as the console does."""
    record_id = await roma.start_answer(Query(text=text, session_id=session_id, principal=who))
    async with aclosing(roma.answers.follow(who, record_id)) as events:
        last = [event async for _, event in events][-1]
    await finish_answers()
    return last.output if isinstance(last, CompleteEvent) else None


def start(roma: Roma) -> Any:
    changes = require_changes(roma.settings, ["rerank_weight=0"])
    return roma.trials.table.start("default", "brief", {}, changes, by="local")


async def test_each_conversation_keeps_one_variant_and_both_are_used(roma: Roma) -> None:
    trial = start(roma)
    settings: dict[str, set[Any]] = {"a": set(), "b": set()}
    for number in range(12):
        for _ in range(2):
            await ask(roma, f"conversation-{number}")
        (summary, *_) = await roma.answers.list(ANNA, f"conversation-{number}")
        record = await roma.answers.get(ANNA, summary.id)
        arm = trial.assign(name_conversation("anna", f"conversation-{number}"))
        settings[arm].add(record.identity.settings["rerank_weight"])
    assert settings["b"] == {0.0} and settings["a"] == {roma.settings.retrieval.rerank_weight}
    report = await roma.trials.report("default", "brief")
    assert sum(arm.answers for arm in report.arms) == 24 and sum(arm.conversations for arm in report.arms) == 12


async def test_what_is_streamed_is_in_the_trial_too(roma: Roma) -> None:
    start(roma)
    async with aclosing(roma.stream_query(QUESTION, session_id="streamed", principal=ANNA)) as events:
        last = [event async for event in events][-1]
    assert isinstance(last, CompleteEvent)
    report = await roma.trials.report("default", "brief")
    assert sum(arm.answers for arm in report.arms) == 1


@pytest.mark.parametrize("session_id", [None, "older"])
async def test_questions_outside_of_conversations_and_older_conversations_are_not_in_it(
    roma: Roma, session_id: str | None
) -> None:
    await ask(roma, "older")
    start(roma)
    assert await ask(roma, session_id) is not None
    report = await roma.trials.report("default", "brief")
    assert sum(arm.answers for arm in report.arms) == 0


async def test_a_stopped_trial_assigns_nobody_and_keeps_its_outcomes(roma: Roma) -> None:
    start(roma)
    await ask(roma, "one")
    roma.trials.table.stop("default", "brief")
    await ask(roma, "one")
    await ask(roma, "two")
    report = await roma.trials.report("default", "brief")
    assert sum(arm.answers for arm in report.arms) == 1


async def test_thumbs_and_failures_are_counted(roma: Roma) -> None:
    start(roma)
    output = await ask(roma, "one")
    assert output is not None and await ask(roma, "two", "Is it broken?") is None
    await roma.sessions.rate(ANNA, Feedback(answer_id=output.answer_id, rating="up", session_id="one"))
    report = await roma.trials.report("default", "brief")
    assert sum(arm.thumbs_up for arm in report.arms) == 1 and sum(arm.failed for arm in report.arms) == 1


async def test_a_table_that_cannot_be_used_costs_no_answer(roma: Roma) -> None:
    start(roma)
    (roma.settings.workspace / "trials.sqlite").write_bytes(b"no database " * 500)
    assert await ask(roma, "one") is not None


async def test_a_variant_that_can_no_longer_be_used_costs_no_answer(roma: Roma) -> None:
    gone = {"prompts": "answer=gone"}
    roma.trials.table.start("default", "gone", gone, {**gone, "rerank_weight": "0"}, by="local")
    assert await ask(roma, "one") is not None
    report = await roma.trials.report("default", "gone")
    assert sum(arm.answers for arm in report.arms) == 0


async def test_the_same_question_begun_twice_by_one_key_counts_once(roma: Roma) -> None:
    start(roma)
    query = Query(text=QUESTION, session_id="one", principal=ANNA)
    ids = {await roma.start_answer(query, key="k", owner="anna") for _ in range(2)}
    async with aclosing(roma.answers.follow(ANNA, ids.pop())) as events:
        assert [event async for _, event in events]
    await finish_answers()
    report = await roma.trials.report("default", "brief")
    assert not ids and sum(arm.answers for arm in report.arms) == 1


REFUSED: list[tuple[str, type[Exception]]] = [
    ("rerank_weight", InputError),
    ("nonsense=1", InputError),
    ("chunk_tokens=200", InputError),
    ("embedder=fake", InputError),
    ("host=0.0.0.0", InputError),
    ("rerank_weight=much", ConfigError),
    ("prompts=answer=missing", ConfigError),
]


@pytest.mark.parametrize(("given", "error"), REFUSED)
def test_changes_that_cannot_be_tried_are_refused(given: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        require_changes(Settings(), [given])
