"""Writing: prompts by persona, the follow-ups kept back, nothing of the answer lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roma_core.agents.followups import MARK, AnswerSplitter, from_headings
from roma_core.agents.prompts import all_prompts
from roma_core.agents.tailor import Draft, TailorAgent
from roma_core.errors import AgentFailure, ConfigError, ErrorCode, LLMError
from roma_core.llm.base import I_DONT_KNOW
from roma_core.llm.extractive import ExtractiveLLM
from roma_core.llm.providers.fake import FakeLLM, Reply
from roma_core.types import Persona, Query, Usage


async def written(llm: Any, passages: list[Any], query: Query | None = None) -> tuple[str, Draft | AgentFailure]:
    pieces = [p async for p in TailorAgent(llm).write("When?", passages, query or Query(text="When?"))]
    last = pieces[-1]
    assert isinstance(last, Draft | AgentFailure)
    return "".join(p for p in pieces if isinstance(p, str)), last


async def test_the_pieces_make_up_the_draft(kit: Any) -> None:
    usage = Usage(calls=1, input_tokens=9, output_tokens=3)
    text, draft = await written(FakeLLM([Reply("Built in 1902 [1].", usage=usage)]), [kit.passage("Built in 1902.")])
    assert isinstance(draft, Draft)
    assert text == draft.text == "Built in 1902 [1]."
    assert (draft.model, draft.finish_reason, draft.usage) == ("fake:fake", "stop", usage)
    assert draft.prompt_hash


@pytest.mark.parametrize("persona", get_args(Persona))
def test_each_persona_has_a_prompt_of_its_own(kit: Any, persona: Persona) -> None:
    tailor = TailorAgent(FakeLLM())
    request = tailor.request("When?", [kit.passage("Text.")], Query(text="When?", persona=persona))
    system = request.messages[0].content
    assert all_prompts()[f"persona_{persona}"].template in system
    assert I_DONT_KNOW in system
    assert MARK in system
    others = {tailor.prompt_hash(p) for p in get_args(Persona)}
    assert len(others) == 3
    assert request.prompt_hash == tailor.prompt_hash(persona)


def test_the_request_carries_the_grounding_as_data(kit: Any) -> None:
    passages = [kit.passage("Text one."), kit.passage("Text two.", rank=2, headings=("Part", "Detail"), place="page 3")]
    query = Query(text="and then?", session_id="s", tenant="t")
    request = TailorAgent(FakeLLM(), max_output_tokens=77).request("What then?", passages, query)
    assert (request.question, request.passages) == ("What then?", tuple(passages))
    assert (request.session_id, request.tenant, request.max_output_tokens) == ("s", "t", 77)
    user = request.messages[1].content
    assert 'number="2" from="Doc › Part › Detail" place="page 3"' in user
    assert user.index("Text one.") < user.index("Text two.") < user.index("Question: What then?")


async def test_follow_ups_are_never_part_of_the_answer(kit: Any) -> None:
    reply = f"Built in 1902 [1].\n\n{MARK}\n- Who built it?\n2. How long is it?\nnot a question\n* Why? \n* And?"
    text, draft = await written(FakeLLM([reply]), [kit.passage("Built in 1902.")])
    assert text == "Built in 1902 [1]."
    assert isinstance(draft, Draft)
    assert draft.follow_ups == ("Who built it?", "How long is it?", "Why?")


async def test_without_follow_ups_the_headings_give_them(kit: Any) -> None:
    passages = [
        kit.passage("Text.", headings=("Guide", "Upkeep of ropes")),
        kit.passage("More.", rank=2, headings=("Guide", "When")),
        kit.passage("Again.", rank=3, headings=("Guide", "Upkeep of ropes")),
    ]
    _, draft = await written(ExtractiveLLM(), passages)
    assert isinstance(draft, Draft)
    assert draft.prompt_hash == ""
    assert from_headings("When?", passages) == ("What does “Doc” say about “Upkeep of ropes”?",)


async def test_a_failing_model_is_the_last_item(kit: Any) -> None:
    error = LLMError("slow", ErrorCode.LLM_TIMEOUT)
    text, failure = await written(FakeLLM([Reply("some words here", error=error, error_after_words=2)]), [])
    assert text.split() == ["some", "words"][: len(text.split())]
    assert isinstance(failure, AgentFailure)
    assert (failure.agent, failure.code) == ("tailor", ErrorCode.LLM_TIMEOUT)


async def test_leaving_closes_the_model(kit: Any) -> None:
    llm = FakeLLM([Reply("one two three four", word_wait_s=9)])
    stream = TailorAgent(llm).write("q", [], Query(text="q"))
    await anext(stream)
    await stream.aclose()
    assert llm.closed == 1


@pytest.mark.parametrize("split", range(1, 9))
def test_the_mark_is_found_however_it_is_cut(split: int) -> None:
    whole = f"An answer [1].\n\n{MARK}\nNext?"
    splitter = AnswerSplitter()
    shown = "".join(splitter.feed(whole[i : i + split]) for i in range(0, len(whole), split)) + splitter.rest()
    assert shown == "An answer [1]."
    assert splitter.questions() == ("Next?",)


@given(st.lists(st.sampled_from([*MARK, "<<<", " ", "\n", "word", "[1]"]) | st.text(max_size=3), max_size=30))
def test_no_character_of_an_answer_is_lost(pieces: list[str]) -> None:
    splitter = AnswerSplitter()
    shown = "".join(splitter.feed(p) for p in pieces) + splitter.rest()
    assert shown == "".join(pieces).partition(MARK)[0].rstrip()


def test_a_prompt_of_ones_own(tmp_path: Path, kit: Any) -> None:
    mine = tmp_path / "mine.md"
    mine.write_text("---\nversion: 7\n---\nShort! {{style}} {{unknown}} {{follow_up_mark}}", encoding="utf-8")
    prompts = all_prompts({"answer": mine})
    assert prompts["answer"].version == "7"
    tailor = TailorAgent(FakeLLM(), prompts)
    assert tailor.request("q", [], Query(text="q")).messages[0].content.startswith("Short!")
    assert tailor.prompt_hash("general") != TailorAgent(FakeLLM()).prompt_hash("general")
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
    text, draft = await written(llm, passages)
    assert isinstance(draft, Draft) and (text, draft.read) == ("Built [1].", 3)
    assert [len(r.passages) for r in llm.requests] == [5, 3]
    assert "Text 3." in llm.requests[1].messages[1].content
    assert "Text 4." not in llm.requests[1].messages[1].content


@pytest.mark.parametrize(("count", "replies"), [(5, 2), (1, 1)])
async def test_a_prompt_that_stays_too_long_is_a_failure(kit: Any, count: int, replies: int) -> None:
    llm = FakeLLM([TOO_LONG] * 3)
    _, failure = await written(llm, [kit.passage(f"Text {n}.", rank=n + 1) for n in range(count)])
    assert isinstance(failure, AgentFailure)
    assert (failure.code, llm.calls) == (ErrorCode.LLM_CONTEXT_LENGTH, replies)


async def test_what_was_shown_is_never_written_again(kit: Any) -> None:
    late = Reply("Built in 1902.", error=TOO_LONG.error, error_after_words=2)
    llm = FakeLLM([late, "Built [1]."])
    text, failure = await written(llm, [kit.passage(f"Text {n}.", rank=n + 1) for n in range(5)])
    assert isinstance(failure, AgentFailure) and text.startswith("Built") and llm.calls == 1
