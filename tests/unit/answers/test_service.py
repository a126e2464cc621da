"""Records while they are written: begun with the question, followed, stopped, ended in exactly one state."""

from __future__ import annotations

import asyncio
import functools
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from roma_core.answers import AnswerIdentity, Answers
from roma_core.answers.record import make_ending
from roma_core.app import Roma
from roma_core.errors import AgentFailure, ErrorCode, InputError, NotFoundError
from roma_core.llm.base import LLMDelta, LLMRequest
from roma_core.llm.providers.fake import FakeLLM
from roma_core.types import (
    Answered,
    CompleteEvent,
    ErrorEvent,
    Principal,
    Query,
    StreamEvent,
    TailorOutput,
    TokenEvent,
)

QUESTION = "When was the rope bridge built?"
SECRET = "sk-ant-" + "a1B2c3D4e5F6g7H8i9J0"
DONE = CompleteEvent(output=TailorOutput(answer="In 1902."))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "answers.sqlite"


OpenAnswers = Callable[..., Answers]


@pytest.fixture(params=["sqlite", "postgresql"])
def server_url(request: pytest.FixtureRequest) -> str | None:
    """Where answers lie: in the workspace, or in a PostgreSQL that replicas share."""
    return None if request.param == "sqlite" else request.getfixturevalue("plain_url")


@pytest.fixture
def open_answers(server_url: str | None) -> OpenAnswers:
    """Open the answers as another process does."""
    return functools.partial(Answers, server_url=server_url)


def ask(text: str = QUESTION, **fields: object) -> Query:
    return Query.model_validate({"text": text, **fields})


async def write(answers: Answers, query: Query, *events: StreamEvent, record_id: str | None = None) -> str:
    recorder = answers.record(query, AnswerIdentity, record_id)
    assert await recorder.begin()
    for event in events[:-1]:
        recorder.add(event)
    await recorder.finish(events[-1])
    return recorder.id


async def collect(answers: Answers, record_id: str, first: int = 0) -> list[tuple[int, str]]:
    return [(number, event.type) async for number, event in answers.follow(Principal.local(), record_id, first)]


async def test_a_question_is_stored_before_anything_is_answered(path: Path, open_answers: OpenAnswers) -> None:
    answers, another = open_answers(path), open_answers(path)
    recorder = answers.record(ask(), AnswerIdentity)
    await recorder.begin()
    record = await another.get(Principal.local(), recorder.id)
    assert (record.state, record.query.text, record.output) == ("running", QUESTION, None)
    await recorder.finish(DONE)


async def test_any_client_follows_from_any_event_on_while_it_is_written_and_after(
    path: Path, open_answers: OpenAnswers
) -> None:
    answers, elsewhere = open_answers(path), open_answers(path)
    recorder = answers.record(ask(), AnswerIdentity)
    await recorder.begin()
    recorder.add(TokenEvent(text="In "))
    readers = [
        asyncio.create_task(collect(answers, recorder.id)),
        asyncio.create_task(collect(answers, recorder.id, 1)),
        asyncio.create_task(collect(elsewhere, recorder.id)),
    ]
    await asyncio.sleep(0)
    recorder.add(TokenEvent(text="1902."))
    await recorder.finish(DONE)
    whole = [(0, "token"), (1, "token"), (2, "complete")]
    assert await asyncio.gather(*readers) == [whole, whole[1:], whole]
    assert await collect(answers, recorder.id, 2) == whole[2:]


async def test_words_reach_the_disk_while_an_answer_is_written(path: Path, open_answers: OpenAnswers) -> None:
    answers, elsewhere = open_answers(path), open_answers(path)
    recorder = answers.record(ask(), AnswerIdentity)
    await recorder.begin()
    recorder.add(TokenEvent(text="In "))
    async with asyncio.timeout(30):
        while not (await elsewhere.get(Principal.local(), recorder.id)).events:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert (await elsewhere.get(Principal.local(), recorder.id)).text == "In "
    await recorder.finish(DONE)
    assert [event.type for event in (await elsewhere.get(Principal.local(), recorder.id)).events] == [
        "token",
        "complete",
    ]


async def test_an_answer_that_its_reader_leaves_is_stopped_with_the_words_so_far(
    path: Path, open_answers: OpenAnswers
) -> None:
    answers = open_answers(path)
    recorder = answers.record(ask(), AnswerIdentity)
    await recorder.begin()
    recorder.add(TokenEvent(text="In "))
    recorder.stop()
    await answers.close()
    record = await open_answers(path).get(Principal.local(), recorder.id)
    assert (record.state, record.text) == ("stopped", "In ")
    assert isinstance(record.events[-1], ErrorEvent)


async def test_the_answer_of_a_process_that_is_gone_was_interrupted(
    path: Path, open_answers: OpenAnswers, server_url: str | None
) -> None:
    program = (
        "import asyncio, os, sys, time\nfrom pathlib import Path\n"
        "from roma_core.answers import AnswerIdentity, Answers\n"
        "from roma_core.types import Principal, Query, TokenEvent\n"
        "async def main():\n"
        "    answers = Answers(Path(sys.argv[1]), server_url=sys.argv[2] or None)\n"
        "    recorder = answers.record(Query(text='When?'), AnswerIdentity, 'lost')\n"
        "    await recorder.begin()\n    recorder.add(TokenEvent(text='In '))\n"
        "    elsewhere = Answers(Path(sys.argv[1]), server_url=sys.argv[2] or None)\n"
        "    while not (await elsewhere.get(Principal.local(), 'lost')).events:\n        await asyncio.sleep(0.02)\n"
        "    os._exit(9)\n"
        "asyncio.run(main())\n"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, str(path), server_url or "")
    assert await process.wait() == 9
    answers = open_answers(path)
    record = await answers.get(Principal.local(), "lost")
    assert (record.state, record.text) == ("interrupted", "In ")
    assert [event async for event in answers.follow(Principal.local(), "lost")][-1][1].type == "error"
    assert await answers.mark_interrupted() == 1
    assert [summary.state for summary in await answers.list(Principal.local())] == ["interrupted"]


async def test_one_key_is_one_answer(path: Path, open_answers: OpenAnswers) -> None:
    answers = open_answers(path)
    key = answers.id_of_key("default", "me", "k")
    first, again = (answers.record(ask(), AnswerIdentity, key) for _ in range(2))
    assert await asyncio.gather(first.begin(), again.begin()) == [True, False]
    await first.finish(DONE)
    assert not await open_answers(path).record(ask(), AnswerIdentity, key).begin()
    with pytest.raises(InputError, match="another question"):
        await answers.record(ask("Why?"), AnswerIdentity, key).begin()
    assert answers.id_of_key("default", "you", "k") != key != answers.id_of_key("other", "me", "k")


async def test_what_failed_is_asked_again_under_its_key(path: Path, open_answers: OpenAnswers) -> None:
    answers = open_answers(path)
    recorder = answers.record(ask(), AnswerIdentity, "key")
    await recorder.begin()
    await recorder.finish(make_ending("failed"))
    assert (await answers.get(Principal.local(), "key")).state == "failed"
    assert await answers.record(ask(), AnswerIdentity, "key").begin()


async def test_tenants_do_not_see_each_other(path: Path, open_answers: OpenAnswers) -> None:
    answers = open_answers(path)
    record_id = await write(answers, ask(principal=Principal.local("a")), DONE)
    assert [summary.id for summary in await answers.list(Principal.local("a"))] == [record_id]
    assert await answers.list(Principal.local("b")) == []
    for call in (
        answers.get(Principal.local("b"), record_id),
        answers.count_events(Principal.local("b"), record_id),
        answers.stop(Principal.local("b"), record_id),
    ):
        with pytest.raises(NotFoundError):
            await call
    with pytest.raises(NotFoundError):
        await answers.find_id(Principal.local("b"), record_id)


async def test_secrets_are_masked_and_offsets_hold(path: Path, open_answers: OpenAnswers) -> None:
    answers = open_answers(path)
    said = f"The key is {SECRET}, they said."
    await write(
        answers,
        ask(f"Is {SECRET} right?"),
        TokenEvent(text=said),
        CompleteEvent(output=TailorOutput(answer=said)),
        record_id="x",
    )
    record = await answers.get(Principal.local(), "x")
    assert record.output is not None
    assert len(record.output.answer) == len(said)
    assert record.output.answer.endswith(", they said.")
    await answers.close()
    stored = b"".join(file.read_bytes() for file in path.parent.glob("answers.sqlite*"))
    assert SECRET.encode() not in stored
    assert SECRET not in record.model_dump_json()


async def test_old_answers_go_and_the_oldest_ones_where_room_ends(path: Path, open_answers: OpenAnswers) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    days = iter(range(100))
    answers = open_answers(path, now=lambda: now + timedelta(days=next(days)))
    for name in ("one", "two", "three"):
        await write(answers, ask(), DONE, record_id=name)
    kept = [summary.id for summary in await answers.list(Principal.local())]
    assert kept == ["three", "two", "one"]
    newest = (await answers.get(Principal.local(), "three")).created_at
    assert answers.store.prune(3, 1 << 30, newest) == 1
    assert answers.store.prune(30, 0, newest) == 2
    assert await answers.list(Principal.local()) == []


async def test_without_retention_nothing_is_stored_and_a_running_answer_can_be_followed(path: Path) -> None:
    answers = Answers(path, days=0)
    recorder = answers.record(ask(), AnswerIdentity)
    await recorder.begin()
    reader = asyncio.create_task(collect(answers, recorder.id))
    await asyncio.sleep(0)
    await recorder.finish(DONE)
    assert await reader == [(0, "complete")]
    assert not path.exists()


async def test_an_answer_is_given_where_its_record_cannot_be_kept(path: Path) -> None:
    path.write_bytes(b"this is not a database at all" * 200)
    answers = Answers(path)
    recorder = answers.record(ask(), AnswerIdentity)
    assert await recorder.begin()
    await recorder.finish(DONE)
    assert (await answers.health()).state == "degraded"


@pytest.mark.parametrize("name", ["9b1d0c4e77", "9b1d", "last", "content"])
async def test_an_answer_is_found_by_its_id_its_beginning_its_content_or_as_the_last(
    path: Path, name: str, open_answers: OpenAnswers
) -> None:
    answers = open_answers(path)
    output = TailorOutput(answer="x", answer_id="content")
    await write(answers, ask(), CompleteEvent(output=output), record_id="9b1d0c4e77")
    assert await answers.find_id(Principal.local(), name) == "9b1d0c4e77"
    with pytest.raises(NotFoundError, match="roma answers"):
        await answers.find_id(Principal.local(), "9b")


async def test_the_record_of_a_question_holds_what_made_its_answer(roma: Roma) -> None:
    output = await roma.query(QUESTION, record_id="it")
    assert isinstance(output, TailorOutput)
    record = await roma.answers.get(Principal.local(), "it")
    assert record.state == "complete"
    assert record.output is not None
    assert record.output.model_dump() == output.model_dump()
    assert record.identity.settings["retrieve_limit"] == 100
    assert record.identity.fingerprints.keys() >= {"embedder", "reranker", "stage.verify"}
    assert [stage.stage for stage in record.stages][:4] == ["guard_question", "standalone", "plan", "retrieve"]
    assert {passage.chunk.title for passage in record.candidates} == {"Rope bridge", "Water mill", "Bell tower"}
    assert all(passage.scores for passage in record.candidates)
    assert record.draft is not None
    assert [message.role for message in record.draft.prompt] == ["system", "user"]
    assert "built in 1902" in record.draft.prompt[1].content
    assert record.draft.text
    assert [event.type for event in record.events][-1] == "complete"


async def test_an_evaluation_leaves_no_records(roma: Roma) -> None:
    await roma.query(QUESTION, keep=False)
    assert await roma.answers.list(Principal.local()) == []


async def test_a_started_answer_is_written_to_its_end_without_a_reader(roma: Roma) -> None:
    ids = {await roma.start_answer(QUESTION, key="k", owner="me") for _ in range(3)}
    (record_id,) = ids
    events = [event async for _, event in roma.answers.follow(Principal.local(), record_id)]
    assert events[-1].type == "complete"
    assert len(await roma.answers.list(Principal.local())) == 1


async def test_forgetting_a_document_takes_its_words_out_of_every_record(roma: Roma, documents: Path) -> None:
    await roma.query(QUESTION, record_id="quotes", top_k=1)
    await roma.query("How heavy is the bell of the tower?", record_id="found-it-only", top_k=1)
    before = (await roma.answers.get(Principal.local(), "found-it-only")).output
    uri = (documents / "bridge.md").as_uri()
    report = await roma.forget(uri)
    assert report.answers == 1
    blanked = await roma.answers.get(Principal.local(), "quotes")
    assert blanked.forgotten == (uri,)
    assert blanked.output is not None
    assert "in 1902" not in blanked.model_dump_json()
    other = await roma.answers.get(Principal.local(), "found-it-only")
    assert other.output == before
    assert "in 1902" not in other.model_dump_json()


async def test_stopping_by_id_ends_the_answer(make_roma: Callable[..., Roma], documents: Path) -> None:
    never = asyncio.Event()

    class StuckLLM(FakeLLM):
        async def stream(self, request: LLMRequest) -> AsyncIterator[LLMDelta]:
            yield LLMDelta(text="The rope bridge ")
            await never.wait()

    async with make_roma(StuckLLM()) as roma:
        await roma.ingest(documents)
        record_id = await roma.start_answer(QUESTION)
        async with aclosing(roma.answers.follow(Principal.local(), record_id)) as events:
            async for _, event in events:
                if event.type == "token":
                    await roma.answers.stop(Principal.local(), record_id)
        record = await roma.answers.get(Principal.local(), record_id)
    assert (record.state, record.events[-1].type) == ("stopped", "error")
    assert record.text.startswith("The rope")


async def test_an_answer_belongs_to_its_user_within_the_tenant(path: Path, open_answers: OpenAnswers) -> None:
    anna, bert = (Principal(subject=name, roles=("reader",)) for name in ("anna", "bert"))
    answers = open_answers(path)
    record_id = await write(answers, ask(principal=anna, session_id="s"), DONE)
    assert (await answers.get(anna, record_id)).query.principal == anna
    assert await answers.list(bert) == []
    assert await answers.delete_session(bert, "s") == 0
    for call in (answers.get(bert, record_id), answers.find_session(bert, record_id), answers.stop(bert, record_id)):
        with pytest.raises(NotFoundError):
            await call
    with pytest.raises(NotFoundError):
        await answers.find_id(bert, "last")
    assert [summary.id for summary in await answers.list(anna)] == [record_id]


async def test_a_running_answer_is_followed_by_its_user_alone(path: Path, open_answers: OpenAnswers) -> None:
    anna, bert = (Principal(subject=name, roles=("reader",)) for name in ("anna", "bert"))
    answers = open_answers(path)
    recorder = answers.record(ask(principal=anna), AnswerIdentity, "key")
    await recorder.begin()
    assert answers.find_live(anna, "key") is recorder
    assert answers.find_live(bert, "key") is None
    with pytest.raises(NotFoundError):
        await answers.count_events(bert, "key")
    with pytest.raises(InputError, match="another question"):
        await answers.record(ask(principal=bert), AnswerIdentity, "key").begin()
    await recorder.finish(DONE)


async def test_answers_of_before_owners_go_to_their_token_or_to_the_user_of_the_machine(path: Path) -> None:
    from roma_core.answers.store import ANSWERS
    from roma_core.database import connect

    db = connect(path, replace(ANSWERS, steps=ANSWERS.steps[:1]))
    query = '{"text": "When?", "tenant": "default", "persona": "general", "top_k": 5}'
    for record_id, session_id in (("api", "demo"), ("console", "token:4f9a61c0de77:chat"), ("single", None)):
        db.execute(
            "INSERT INTO answers (tenant, id, session_id, state, query, identity, created_at, host, pid, process, "
            "lease_until) VALUES ('default', ?, ?, 'complete', ?, '{}', '2026-11-01T10:00:00+00:00', 'h', 1, 'p', 0)",
            (record_id, session_id, query),
        )
    db.close()
    answers = Answers(path)
    token = Principal(subject="token:4f9a61c0de77")
    assert {summary.id for summary in await answers.list(Principal.local())} == {"api", "single"}
    assert [summary.question for summary in await answers.list(token)] == ["When?"]
    assert (await answers.get(token, "console")).query.principal == token


async def test_the_use_of_answers_is_counted(path: Path, open_answers: OpenAnswers) -> None:
    answers = open_answers(path)
    hostile = "What is \\u0000 and 'x' and %s and :name?"
    output = TailorOutput(answer="In 1902.", model="m", answered=Answered.KNOWN)
    first = await write(answers, ask(hostile), CompleteEvent(output=output))
    failure = AgentFailure(agent="tailor", code=ErrorCode.LLM_TIMEOUT, message="late", recoverable=True)
    second = await write(answers, ask(), ErrorEvent(failure=failure))
    figures = {each.id: each for each in answers.store.figures("default")}
    assert (figures[first].question, figures[first].model, figures[first].code) == (hostile, "m", "")
    assert (figures[second].question, figures[second].answered, figures[second].code) == (
        QUESTION,
        "",
        "ERR_LLM_TIMEOUT",
    )
    third = await write(answers, ask("Nul \x00 here?"), DONE)
    counted = {each.id: each.question for each in answers.store.figures("default")}
    assert counted[third].startswith("Nul ")
    assert answers.store.forget_tenant("default") == 3
    assert answers.store.list_ids("default") == []
    await answers.close()


async def test_replicas_share_answers_and_take_over_those_of_their_workspaces(tmp_path: Path, plain_url: str) -> None:
    of_before = [await write(Answers(tmp_path / f"{n}.sqlite"), ask(f"{QUESTION} {n}"), DONE) for n in range(2)]
    replicas = [Answers(tmp_path / f"{n}.sqlite", server_url=plain_url) for n in range(2)]
    assert await replicas[0].find_id(Principal.local(), of_before[0]) == of_before[0]
    assert await replicas[1].find_id(Principal.local(), of_before[1]) == of_before[1]
    recorder = replicas[0].record(ask(), AnswerIdentity)
    assert await recorder.begin()
    recorder.add(TokenEvent(text="In "))
    following = asyncio.create_task(collect(replicas[1], recorder.id))
    await recorder.finish(DONE)
    assert [kind for _, kind in await following] == ["token", "complete"]
    for replica in replicas:
        held = await replica.list(Principal.local())
        assert {summary.id for summary in held} == {*of_before, recorder.id}
        await replica.close()
    assert Answers(tmp_path / "0.sqlite").store.list_ids("default") == []
