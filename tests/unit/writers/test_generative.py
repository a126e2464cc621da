"""Writing: prompts by persona, the follow-ups kept back, nothing of the answer lost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest

from roma_core.agents.context import Context
from roma_core.agents.prompts import all_prompts
from roma_core.errors import ConfigError, ErrorCode, LLMError
from roma_core.llm.base import I_DONT_KNOW
from roma_core.llm.providers.fake import FakeLLM, Reply
from roma_core.types import Persona, Principal, Query, Usage
from roma_core.writers import Draft, GenerativeWriter
from roma_core.writers.followups import MARK


def context(reading: str = "", **fields: Any) -> Context:
    return replace(Context.begin(Query(**{"text": "When?", **fields})), reading=reading)


def writer(llm: Any, **options: Any) -> GenerativeWriter:
    return GenerativeWriter(llm, all_prompts(), **options)


async def write(llm: Any, passages: list[Any]) -> tuple[str, Draft]:
    pieces = [piece async for piece in writer(llm).write("When?", passages, context())]
    draft = pieces[-1]
    assert isinstance(draft, Draft)
    return "".join(piece for piece in pieces if isinstance(piece, str)), draft


async def write_until_failure(llm: Any, passages: list[Any]) -> tuple[str, LLMError]:
    pieces: list[str | Draft] = []
    with pytest.raises(LLMError) as raised:
        async for piece in writer(llm).write("When?", passages, context()):
            pieces.append(piece)
    return "".join(piece for piece in pieces if isinstance(piece, str)), raised.value


async def test_the_pieces_make_up_the_draft(kit: Any) -> None:
    usage = Usage(calls=1, input_tokens=9, output_tokens=3)
    text, draft = await write(FakeLLM([Reply("Built in 1902 [1].", usage=usage)]), [kit.passage("Built in 1902.")])
    assert text == draft.text == "Built in 1902 [1]."
    assert (draft.model, draft.finish_reason, draft.usage) == ("fake:fake", "stop", usage)
    assert draft.prompt_hash


@pytest.mark.parametrize("persona", get_args(Persona))
def test_each_persona_has_a_prompt_of_its_own(kit: Any, persona: Persona) -> None:
    tailor = writer(FakeLLM())
    request = tailor.request("When?", [kit.passage("Text.")], context(persona=persona))
    system = request.messages[0].content
    assert all_prompts()[f"persona_{persona}"].template in system
    assert I_DONT_KNOW in system
    assert MARK in system
    others = {tailor.prompt_hash(p) for p in get_args(Persona)}
    assert len(others) == 3
    assert request.prompt_hash == tailor.prompt_hash(persona)


def test_the_request_carries_the_grounding_as_data(kit: Any) -> None:
    passages = [kit.passage("Text one."), kit.passage("Text two.", rank=2, headings=("Part", "Detail"), place="page 3")]
    request = writer(FakeLLM(), max_output_tokens=77).request(
        "What then?", passages, context(session_id="s", principal=Principal.local("t"))
    )
    assert (request.session_id, request.tenant, request.max_output_tokens) == ("s", "t", 77)
    user = request.messages[1].content
    assert 'number="2" from="Doc › Part › Detail" place="page 3"' in user
    assert user.index("Text one.") < user.index("Text two.") < user.index("Question: What then?")


def test_the_question_stays_in_the_users_words_and_its_reading_is_added(kit: Any) -> None:
    request = writer(FakeLLM()).request("And then?", [], context(reading="What came after the bridge?"))
    assert request.messages[1].content.endswith(
        "Question: And then?\nIn this conversation that means: What came after the bridge?"
    )


async def test_follow_ups_are_never_part_of_the_answer(kit: Any) -> None:
    reply = f"Built in 1902 [1].\n\n{MARK}\n- Who built it?\n2. How long is it?\nnot a question\n* Why? \n* And?"
    text, draft = await write(FakeLLM([reply]), [kit.passage("Built in 1902.")])
    assert text == "Built in 1902 [1]."
    assert draft.follow_ups == ("Who built it?", "How long is it?", "Why?")


async def test_without_follow_ups_other_documents_give_them(kit: Any) -> None:
    passages = [
        kit.passage("The bridge was built in 1902.", name="bridge"),
        kit.passage("The bridge leads to the quarry.", rank=2, name="quarry", title="Quarry book"),
    ]
    pieces = [
        piece
        async for piece in writer(FakeLLM(["In 1902 [1]."])).write("When was the bridge built?", passages, context())
    ]
    assert pieces[-1].follow_ups == ("What does “Quarry book” say about “bridge”?",)


async def test_a_failing_model_ends_the_stream_with_its_error(kit: Any) -> None:
    error = LLMError("slow", ErrorCode.LLM_TIMEOUT)
    text, failure = await write_until_failure(FakeLLM([Reply("some words here", error=error, error_after_words=2)]), [])
    assert text.split() == ["some", "words"][: len(text.split())]
    assert failure.code is ErrorCode.LLM_TIMEOUT


async def test_leaving_closes_the_model(kit: Any) -> None:
    llm = FakeLLM([Reply("one two three four", word_wait_s=9)])
    stream = writer(llm).write("q", [], context())
    await anext(stream)
    await stream.aclose()
    assert llm.closed == 1


def test_a_prompt_of_ones_own(tmp_path: Path, kit: Any) -> None:
    mine = tmp_path / "mine.md"
    mine.write_text("---\nversion: 7\n---\nShort! {{style}} {{unknown}} {{follow_up_mark}}", encoding="utf-8")
    prompts = all_prompts({"answer": mine})
    assert prompts["answer"].version == "7"
    mine_writer = GenerativeWriter(FakeLLM(), prompts)
    assert mine_writer.request("q", [], context()).messages[0].content.startswith("Short!")
    assert mine_writer.prompt_hash("general") != writer(FakeLLM()).prompt_hash("general")
    assert mine_writer.fingerprint != writer(FakeLLM()).fingerprint
    mine.write_text("---\nversion: 7\n---\nNothing to fill", encoding="utf-8")
    with pytest.raises(ConfigError, match="must have the places"):
        all_prompts({"answer": mine})


def test_every_prompt_has_a_version_and_says_what_it_is_for() -> None:
    prompts = all_prompts()
    assert {"answer", "plan", "find", "rewrite", "persona_technical"} <= set(prompts)
    assert all(p.version and p.description for p in prompts.values())


TOO_LONG = Reply(error=LLMError("The prompt is too long.", ErrorCode.LLM_CONTEXT_LENGTH))


async def test_a_prompt_that_is_too_long_is_tried_once_more_with_the_better_half(kit: Any) -> None:
    passages = [kit.passage(f"Text {n}.", rank=n) for n in range(1, 6)]
    llm = FakeLLM([TOO_LONG, "Built [1]."])
    text, draft = await write(llm, passages)
    assert (text, draft.passages_read) == ("Built [1].", 3)
    assert ["Text 5." in r.messages[1].content for r in llm.requests] == [True, False]
    assert "Text 3." in llm.requests[1].messages[1].content
    assert "Text 4." not in llm.requests[1].messages[1].content


@pytest.mark.parametrize(("count", "replies"), [(5, 2), (1, 1)])
async def test_a_prompt_that_stays_too_long_is_a_failure(kit: Any, count: int, replies: int) -> None:
    llm = FakeLLM([TOO_LONG] * 3)
    _, failure = await write_until_failure(llm, [kit.passage(f"Text {n}.", rank=n + 1) for n in range(count)])
    assert (failure.code, llm.calls) == (ErrorCode.LLM_CONTEXT_LENGTH, replies)


async def test_what_was_shown_is_never_written_again(kit: Any) -> None:
    late = Reply("Built in 1902.", error=TOO_LONG.error, error_after_words=2)
    llm = FakeLLM([late, "Built [1]."])
    text, failure = await write_until_failure(llm, [kit.passage(f"Text {n}.", rank=n + 1) for n in range(5)])
    assert failure.code is ErrorCode.LLM_CONTEXT_LENGTH and text.startswith("Built") and llm.calls == 1
