"""Follow-ups that stand alone, by model and by rule, and what is remembered."""

from __future__ import annotations

from typing import Any

import pytest

from roma_core.agents.conversation import ConversationAgent, StandaloneQuestion, add_topic, is_follow_up, latest_turns
from roma_core.errors import ErrorCode, LLMError, StoreError
from roma_core.llm.providers.fake import FakeLLM, Reply
from roma_core.sessions.service import Sessions, Turn
from roma_core.types import CompleteEvent, Principal, Query, StageEvent
from roma_core.writers import ExtractiveWriter

FIRST = "When was the rope bridge of Quellfeld built?"


def turn(question: str, answer: str = "In 1902 [1].", standalone: str = "") -> Turn:
    return Turn(question=question, standalone=standalone or question, answer=answer, answer_id="id")


def count(text: str) -> int:
    return len(text.split())


@pytest.mark.parametrize(
    "question",
    ["Who built it?", "And the mill?", "What about winter?", "Why?", "How long are they?", "Is that true?", "Really?",
     "How much is its upkeep?", "What is that?", "Tell me more.", "Which one?", "And then?", "Who was she?",
     "What does it cost, and who built the mill?", "And the mill? When was it built?",
     "und wie lange ist die Lieferzeit?", "Was ist mit dem Bett?", "et le prix ?", "¿Y cuánto cuesta?"],
)  # fmt: skip
def test_follow_ups_point_back(question: str) -> None:
    assert is_follow_up(question)


@pytest.mark.parametrize(
    "question",
    [FIRST, "What does the mill that burned down grind?", "Why does LanceDB lock the table?", "Who is Ada Lovelace?",
     "Which variable turns off telemetry?", "What is there to see in Quellfeld?", "Explain min-max fusion",
     "Which offer was chosen for the mortar, and what does it cost?", "Is the mill open? Who runs it?",
     "Y a-t-il un parking ?", "Was kostet das Bett?"],
)  # fmt: skip
def test_questions_that_stand_alone_are_left(question: str) -> None:
    assert not is_follow_up(question)
    assert add_topic(question, [turn("Something else entirely?")]) == question


def test_the_rule_adds_what_the_talk_is_about() -> None:
    history = [turn(FIRST), turn("Who built it?")]
    assert add_topic("How long is it?", history) == "How long is it? (rope bridge Quellfeld built)"
    assert add_topic("Who built it?", history[:1]) == "Who built it? (rope bridge Quellfeld)"
    assert add_topic("Why?", [turn("And?")]) == "Why?"


@pytest.mark.parametrize(
    ("first", "second", "read"),
    [
        ("Was ist S-318?", "Und wie lange ist die Lieferzeit?", "Und wie lange ist die Lieferzeit? (S-318)"),
        ("Was wiegt das Bett Mika?", "und der Hocker?", "und der Hocker? (wiegt Bett Mika)"),
        ("Combien coûte le billet ?", "et pour les enfants ?", "et pour les enfants ? (coûte billet)"),
    ],
)
def test_the_rule_adds_no_small_words_of_other_languages(first: str, second: str, read: str) -> None:
    assert add_topic(second, [turn(first)]) == read


@pytest.mark.parametrize("code", ["T4", "PPR-9087", "2.4.0", "Q3", "x86_64", "v1.2-rc1"])
def test_the_rule_keeps_codes_whole(code: str) -> None:
    assert add_topic("Why?", [turn(f"When was {code} sold?")]) == f"Why? ({code} sold)"


def test_history_is_bounded_by_tokens_and_keeps_the_latest() -> None:
    turns = [turn(f"one two {i}", "three") for i in range(5)]
    assert latest_turns(turns, 8, count) == turns[3:]
    assert latest_turns(turns, 100, count) == turns
    assert latest_turns(turns, 3, count) == []


async def agent(sessions: Sessions, llm: Any, **options: Any) -> ConversationAgent:
    await sessions.append(Principal.local(), "s", turn(FIRST))
    return ConversationAgent(sessions, llm, count, **options)


async def test_a_model_rewrites_with_the_history(sessions: Sessions) -> None:
    llm = FakeLLM(["Who built the rope bridge?\n"])
    found = await (await agent(sessions, llm)).read_question("Who built it?", Query(text="x", session_id="s"))
    assert isinstance(found, StandaloneQuestion)
    assert found.text == "Who built the rope bridge?"
    assert found.usage.calls == 1
    (request,) = llm.requests
    assert FIRST in request.messages[1].content
    assert (request.purpose, request.session_id) == ("rewrite", "s")


@pytest.mark.parametrize(
    "reply",
    [
        "The question already stands alone.",
        "I'm sorry, I cannot help with that.",
        "<think> Let me see. </think>",
        "Here is a poem about the sea and its waves.",
    ],
)
async def test_a_rewrite_about_something_else_is_dropped_and_said(kit: Any, sessions: Sessions, reply: str) -> None:
    await sessions.append(Principal.local(), "s", turn(FIRST))
    llm = FakeLLM([reply, "It was Ada [1]."])
    events = await kit.events(kit.roma(await kit.store(), llm, sessions=sessions), "Who built it?", session_id="s")
    planned = next(e for e in events if isinstance(e, StageEvent) and e.stage == "planned")
    assert planned.detail == {"questions": ["Who built it? (rope bridge Quellfeld)"], "dropped": [reply]}
    assert "Question: Who built it?" in llm.requests[1].messages[1].content
    assert reply not in llm.requests[1].messages[1].content


async def test_a_rewrite_is_looked_up_beside_the_users_own_words(kit: Any, sessions: Sessions) -> None:
    await sessions.append(Principal.local(), "s", turn(FIRST))
    llm = FakeLLM(["Who built the rope bridge of Quellfeld?", "It was Ada [1]."])
    events = await kit.events(kit.roma(await kit.store(), llm, sessions=sessions), "Who built it?", session_id="s")
    planned = next(e for e in events if isinstance(e, StageEvent) and e.stage == "planned")
    assert planned.detail["questions"] == ["Who built it?", "Who built the rope bridge of Quellfeld?"]
    assert (
        llm.requests[1]
        .messages[1]
        .content.endswith(
            "Question: Who built it?\nIn this conversation that means: Who built the rope bridge of Quellfeld?"
        )
    )


@pytest.mark.parametrize(
    "reply",
    ["   ", "x" * 600, Reply("Half a", finish_reason="length"), Reply(error=LLMError("no", ErrorCode.LLM_AUTH))],
)
async def test_the_rule_stands_in_for_a_model_that_fails(sessions: Sessions, reply: Any) -> None:
    found = await (await agent(sessions, FakeLLM([reply]))).read_question(
        "Who built it?", Query(text="x", session_id="s")
    )
    assert isinstance(found, StandaloneQuestion)
    assert found.text == "Who built it? (rope bridge Quellfeld)"


async def test_without_a_model_the_rule_decides(sessions: Sessions) -> None:
    talk = await agent(sessions, None)
    found = await talk.read_question("Who built it?", Query(text="x", session_id="s"))
    assert found == StandaloneQuestion("Who built it? (rope bridge Quellfeld)")


@pytest.mark.parametrize("session", [None, "new"])
async def test_without_history_a_question_is_as_it_is(sessions: Sessions, session: str | None) -> None:
    llm = FakeLLM()
    found = await (await agent(sessions, llm)).read_question("Who built it?", Query(text="x", session_id=session))
    assert found == StandaloneQuestion()
    assert llm.calls == 0


async def test_history_that_does_not_fit_is_not_sent(sessions: Sessions) -> None:
    llm = FakeLLM()
    talk = await agent(sessions, llm, history_tokens=3)
    await talk.read_question("Who built it?", Query(text="x", session_id="s"))
    assert llm.calls == 0


async def test_a_conversation_through_the_orchestrator(kit: Any, sessions: Sessions) -> None:
    roma = kit.roma(await kit.store(), writers=[ExtractiveWriter()], sessions=sessions)
    await kit.events(roma, "How many metres does the rope bridge span?", session_id="s")
    events = await kit.events(roma, "When was it built?", session_id="s")
    last = events[-1]
    assert isinstance(last, CompleteEvent)
    assert "1902" in last.output.answer
    first, second = await sessions.turns(Principal.local(), "s")
    assert (second.question, second.answer_id) == ("When was it built?", last.output.answer_id)
    assert second.standalone.startswith("When was it built? (")
    assert "bridge" in second.standalone
    assert second.references[0].document_id == last.output.citations[0].document_id
    assert first.answered
    await kit.events(roma, "When was the mill built?")
    assert len(await sessions.turns(Principal.local(), "s")) == 2, "no session, no history"


async def test_history_away_is_said_and_the_question_stands_as_it_is(kit: Any, sessions: Sessions) -> None:
    away = [StoreError("The database is away.")] * 9
    flaky = kit.Flaky(sessions, turns=list(away), append=list(away))
    roma = kit.roma(await kit.store(), FakeLLM(["Built in 1902 [1]."]), sessions=flaky)
    events = await kit.events(roma, "When was it built?", session_id="s")
    last = events[-1]
    assert isinstance(last, CompleteEvent)
    assert last.output.answered
    assert last.output.degraded
    assert last.output.degraded_reasons == (f"conversation: {ErrorCode.STORAGE_UNAVAILABLE}",)
    assert flaky.calls.count("append") == 2


async def test_an_answer_that_cannot_be_remembered_is_degraded(kit: Any, sessions: Sessions) -> None:
    flaky = kit.Flaky(sessions, append=[StoreError("full", ErrorCode.STORAGE_FULL)] * 9)
    roma = kit.roma(await kit.store(), FakeLLM(["Built in 1902 [1]."]), sessions=flaky)
    events = await kit.events(roma, session_id="s")
    last = events[-1]
    assert isinstance(last, CompleteEvent)
    assert last.output.degraded_reasons == (f"conversation: {ErrorCode.STORAGE_FULL}",)


async def test_health_is_degraded_when_the_history_is_away(kit: Any, sessions: Sessions) -> None:
    assert (await ConversationAgent(sessions, FakeLLM(), count).health()).state == "ok"

    class Down:
        async def health(self) -> Any:
            from roma_core.types import ComponentHealth

            return ComponentHealth(name="sessions", state="down", reason="gone")

    down: Any = Down()
    found = await ConversationAgent(down, FakeLLM(), count).health()
    assert (found.state, found.reason) == ("degraded", "gone")
