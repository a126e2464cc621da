"""Writers in turn: the first that begins writes, the others are named, and nothing is written twice."""

from __future__ import annotations

from typing import Any

import pytest

from roma_core.agents.context import Context
from roma_core.agents.prompts import all_prompts
from roma_core.agents.tailor import TailorAgent
from roma_core.errors import EmbeddingError, ErrorCode, LLMError
from roma_core.llm.base import FALLBACK
from roma_core.llm.control.budget import Budgets
from roma_core.llm.providers.fake import FakeLLM, Reply
from roma_core.llm.service import Limits, LLMService
from roma_core.types import Answered, CompleteEvent, Query, TailorOutput
from roma_core.writers import Draft, ExtractiveWriter, GenerativeWriter

REFUSED = Reply(error=LLMError("The key was refused.", ErrorCode.LLM_AUTH))


def generative(*providers: FakeLLM, **options: Any) -> GenerativeWriter:
    return GenerativeWriter(LLMService(providers, **options), all_prompts())


def paid(*replies: Reply | str, name: str = "openai:gpt-4o") -> FakeLLM:
    return FakeLLM(replies, rule=lambda _: "Built in 1902 [1].", name=name)


async def answer(kit: Any, *writers: Any) -> TailorOutput:
    roma = kit.roma(await kit.store(), writers=list(writers))
    found = await roma.query(Query(text="When was the rope bridge built?"))
    assert isinstance(found, TailorOutput), found
    return found


async def test_the_pieces_make_up_the_draft(kit: Any) -> None:
    context = Context.begin(Query(text="When?"))
    context.passages = (kit.passage("Built in 1902."),)
    pieces = [piece async for piece in TailorAgent([generative(paid())]).write(context)]
    draft = pieces[-1]
    assert isinstance(draft, Draft)
    assert draft.text == "".join(piece for piece in pieces if isinstance(piece, str)) == "Built in 1902 [1]."


async def test_quotes_stand_in_for_every_model_that_failed(kit: Any) -> None:
    found = await answer(kit, generative(paid(REFUSED), paid(REFUSED, name="openai:mini")), ExtractiveWriter())
    failed = f"{FALLBACK}openai:gpt-4o ERR_LLM_AUTH, openai:mini ERR_LLM_AUTH"
    assert (found.model, bool(found.answered), found.degraded) == ("extractive", True, True)
    assert found.model_reason.startswith(failed)
    assert found.degraded_reasons[0].startswith(f"llm: {failed}")


async def test_a_model_that_does_not_begin_in_time_is_left_for_quotes(kit: Any) -> None:
    slow = paid(Reply("late", first_token_wait_s=60))
    found = await answer(kit, generative(slow, limits=Limits(first_token_s=0.05)), ExtractiveWriter())
    assert found.model_reason.startswith(f"{FALLBACK}openai:gpt-4o ERR_LLM_TIMEOUT")
    assert (slow.calls, slow.closed) == (1, 1)


async def test_an_exhausted_budget_leaves_quotes(kit: Any) -> None:
    first = paid()
    found = await answer(kit, generative(first, budgets=Budgets(run_usd=0.0)), ExtractiveWriter())
    assert (found.model, first.calls) == ("extractive", 0)
    assert found.model_reason.startswith(f"{FALLBACK}openai:gpt-4o ERR_LLM_BUDGET")


async def test_a_model_stands_in_for_a_ranker_that_fails(kit: Any) -> None:
    class Broken:
        name = "broken"

        async def scores(self, question: str, texts: Any) -> list[float]:
            raise EmbeddingError("no model", ErrorCode.EMBEDDING_MODEL)

    found = await answer(kit, ExtractiveWriter(Broken()), generative(paid()))
    assert found.model == "openai:gpt-4o"
    assert found.model_reason == f"{FALLBACK}extractive ERR_EMBEDDING_MODEL; configured"


async def test_nothing_is_written_again_once_a_piece_is_out(kit: Any) -> None:
    late = paid(Reply("Built in 1902.", error=LLMError("down"), error_after_words=2))
    roma = kit.roma(await kit.store(), writers=[generative(late), ExtractiveWriter()])
    events = await kit.events(roma)
    assert not any(isinstance(event, CompleteEvent) for event in events)
    assert events[-1].failure.agent == "tailor"


async def test_the_last_writer_s_error_ends_the_answer(kit: Any) -> None:
    roma = kit.roma(await kit.store(), writers=[generative(paid(REFUSED)), generative(paid(REFUSED, name="x:y"))])
    events = await kit.events(roma)
    assert (events[-1].failure.code, events[-1].failure.details["provider"]) == (ErrorCode.LLM_AUTH, "x:y")


async def test_leaving_closes_the_model() -> None:
    llm = FakeLLM([Reply("one two three four", word_wait_s=9)])
    stream = TailorAgent([GenerativeWriter(llm, all_prompts())]).write(Context.begin(Query(text="q")))
    await anext(stream)
    await stream.aclose()
    assert llm.closed == 1


async def test_without_a_writer_there_is_an_error_that_says_so() -> None:
    with pytest.raises(LLMError, match="ask again"):
        await anext(TailorAgent([]).write(Context.begin(Query(text="q"))))


async def test_an_answer_that_leaves_a_part_of_the_question_open_is_given_in_part(kit: Any) -> None:
    roma = kit.roma(await kit.store(), writers=[ExtractiveWriter()])
    whole = (await kit.events(roma, "When was the rope bridge built, and by whom was it built?"))[-1].output
    part = (await kit.events(roma, "When was the rope bridge built, and what is its telephone number?"))[-1].output
    assert (whole.answered, part.answered) == (Answered.KNOWN, Answered.PARTLY)
    assert "Not answered by these sources: what is its telephone number?" in part.answer
    assert whole.frame == ()
    assert [span.of(part.answer) for span in part.frame] == [
        "Not answered by these sources: what is its telephone number?"
    ]


async def test_a_model_writes_no_frame_whatever_it_says(kit: Any) -> None:
    claim = "Not answered by these sources: the bridge was built in 1999."
    found = await answer(kit, generative(paid(Reply(f"Built in 1902 [1].\n\n{claim}"))))
    assert found.frame == ()
    assert [s.verdict in {"contradicted", "unsupported"} for s in found.statements][-1]
