"""The door for OpenAI's clients, through the vendor's own SDK: the answers, citations, tokens and limits of /query."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import Any

import openai
import pytest

from roma_core.api.completions import ChatMessage, find_places, read_exchanges
from roma_core.llm.providers.server import Script
from roma_core.types import Citation, Exchange

QUESTION = "When was the rope bridge built?"
ASKED = [{"role": "user", "content": QUESTION}]
SLOW = Script(text=" ".join(f"word{i}" for i in range(400)) + " [1]", word_wait_s=0.02)
ODD = "The rope bridge of Quellfeld was built in 1902 [^1]. It spans 48 metres 【1†source】."


@asynccontextmanager
async def client_of(service: Any, secret: str = "none") -> Any:
    address = str(service.client.base_url).rstrip("/")
    async with openai.AsyncOpenAI(base_url=f"{address}/v1", api_key=secret, max_retries=0) as client:
        yield client


async def test_an_answer_is_that_of_query_with_citations_as_annotations(service: Any) -> None:
    async with client_of(service) as client:
        completion = await client.chat.completions.create(model="roma", messages=ASKED)
    whole = (await service.client.post("/query", json={"text": QUESTION})).json()
    message = completion.choices[0].message
    assert message.content == whole["answer"]
    assert completion.choices[0].finish_reason == "stop"
    assert completion.id == f"chatcmpl-{whole['answer_id']}"
    (annotation,), (citation,) = message.annotations, whole["citations"]
    cited = annotation.url_citation
    assert message.content[cited.start_index : cited.end_index] == "The rope bridge of Quellfeld was built in 1902."
    assert (cited.url, cited.title, cited.verdict) == (citation["uri"], citation["title"], citation["verdict"])
    assert (cited.start, cited.end, cited.quote) == (citation["start"], citation["end"], citation["quote"])
    assert completion.usage.prompt_tokens == whole["usage"]["input_tokens"]
    assert completion.usage.completion_tokens == whole["usage"]["output_tokens"]
    assert completion.roma["answer_id"] == whole["answer_id"]
    assert "passages" not in completion.roma


async def test_a_stream_has_the_same_words_annotations_and_usage(service: Any) -> None:
    async with client_of(service) as client:
        whole = await client.chat.completions.create(model="roma", messages=ASKED)
        stream = await client.chat.completions.create(
            model="roma", messages=ASKED, stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    assert "".join(delta.content or "" for delta in deltas) == whole.choices[0].message.content
    assert len([delta for delta in deltas if delta.content]) > 3
    assert [delta.role for delta in deltas if delta.role] == ["assistant"]
    (annotations,) = [delta.annotations for delta in deltas if getattr(delta, "annotations", None)]
    assert annotations == [a.model_dump() for a in whole.choices[0].message.annotations]
    assert [c.choices[0].finish_reason for c in chunks if c.choices and c.choices[0].finish_reason] == ["stop"]
    assert chunks[-1].choices == [] and chunks[-1].usage == whole.usage
    assert len({chunk.id for chunk in chunks}) == 1


async def test_without_being_asked_a_stream_sends_no_usage_and_ends_with_done(service: Any) -> None:
    reply = await service.client.post("/v1/chat/completions", json={"model": "roma", "messages": ASKED, "stream": True})
    assert reply.headers["content-type"].startswith("text/event-stream")
    lines = [line for line in reply.text.split("\n\n") if line]
    assert lines[-1] == "data: [DONE]"
    assert all("usage" not in json.loads(line.removeprefix("data: ")) for line in lines[:-1])


async def test_words_that_were_streamed_before_the_check_keep_annotations_at_their_places(start: Any) -> None:
    async with start(script=Script(text=ODD)) as service, client_of(service) as client:
        stream = await client.chat.completions.create(model="roma", messages=ASKED, stream=True)
        chunks = [chunk async for chunk in stream]
    deltas = [chunk.choices[0].delta for chunk in chunks]
    streamed = "".join(delta.content or "" for delta in deltas)
    (annotations,) = [delta.annotations for delta in deltas if getattr(delta, "annotations", None)]
    claims = [streamed[a["url_citation"]["start_index"] : a["url_citation"]["end_index"]].strip() for a in annotations]
    assert claims[0].startswith("The rope bridge of Quellfeld was built in 1902")
    assert claims[1].startswith("It spans 48 metres")
    assert "†" not in chunks[-1].roma["answer"], "the checked answer has markers of one kind"


async def test_a_checked_stream_is_the_answer_of_query_to_the_letter(start: Any) -> None:
    async with start(script=Script(text=ODD)) as service, client_of(service) as client:
        whole = (await service.client.post("/query", json={"text": QUESTION})).json()
        stream = await client.chat.completions.create(
            model="roma", messages=ASKED, stream=True, extra_body={"roma": {"checked": True}}
        )
        streamed = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
    assert streamed == whole["answer"]


async def test_models_are_personas_and_pipelines(service: Any) -> None:
    async with client_of(service) as client:
        names = [model.id async for model in client.models.list()]
        one = await client.models.retrieve("roma-technical/quotes")
    assert {"roma", "roma-technical", "roma-executive", "roma-general", "roma/quotes"} <= set(names)
    assert (one.id, one.owned_by) == ("roma-technical/quotes", "roma")


async def test_a_model_chooses_persona_and_pipeline(service: Any) -> None:
    async with client_of(service) as client:
        executive = await client.chat.completions.create(model="roma-executive", messages=ASKED)
        quoted = await client.chat.completions.create(model="roma-technical/quotes", messages=ASKED)
    assert (executive.roma["persona"], executive.roma["model"]) == ("executive", "openai:gpt-4o-mini")
    assert (quoted.roma["persona"], quoted.roma["model"]) == ("technical", "extractive")
    assert "1902" in quoted.choices[0].message.content


async def test_a_pipeline_of_ones_own_is_a_model(service: Any) -> None:
    seen: list[str] = []

    async def note(context: Any) -> None:
        seen.append(context.question)

    service.roma.pipelines["noted"] = service.roma.pipeline.insert_before("retrieve", note)
    async with client_of(service) as client:
        await client.chat.completions.create(model="roma/noted", messages=ASKED)
        await client.chat.completions.create(model="roma", messages=ASKED)
    assert seen == [QUESTION]


async def test_an_unknown_model_is_an_error_that_names_the_nearest(service: Any) -> None:
    async with client_of(service) as client:
        with pytest.raises(openai.NotFoundError, match="roma-technical"):
            await client.chat.completions.create(model="roma-tecnical", messages=ASKED)
        with pytest.raises(openai.NotFoundError):
            await client.models.retrieve("gpt-4o")


async def test_earlier_messages_are_the_conversation(service: Any) -> None:
    talk = [
        {"role": "system", "content": "You are a pirate."},
        {"role": "user", "content": QUESTION},
        {"role": "assistant", "content": "In 1902. [1]"},
        {"role": "user", "content": [{"type": "text", "text": "And how long is it?"}]},
    ]
    async with client_of(service) as client:
        await client.chat.completions.create(model="roma", messages=talk)
    prompts = json.dumps([asked.body for asked in service.model.asked])
    assert "In 1902." in prompts, "the rewriter reads the conversation"
    assert "pirate" not in prompts
    assert (await service.client.get("/sessions")).json() == [], "a client that keeps its conversation needs none here"


async def test_a_session_of_roma_goes_on(service: Any) -> None:
    extra = {"roma": {"session_id": "s1", "top_k": 2, "filters": {"uri": "bridge"}}}
    async with client_of(service) as client:
        await client.chat.completions.create(model="roma", messages=ASKED, extra_body=extra)
    turns = (await service.client.get("/sessions/s1")).json()
    assert [turn["question"] for turn in turns] == [QUESTION]


async def test_thoughts_are_reasoning_content_where_they_are_wanted(start: Any) -> None:
    script = Script(text="<think>Bridges are old.</think>The rope bridge of Quellfeld was built in 1902. [1]")
    async with start(script=script) as service, client_of(service) as client:
        for wanted in (False, True):
            stream = await client.chat.completions.create(
                model="roma", messages=ASKED, stream=True, extra_body={"roma": {"show_thinking": wanted}}
            )
            deltas = [chunk.choices[0].delta async for chunk in stream]
            thoughts = "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas)
            assert ("Bridges" in thoughts) is wanted
            assert "Bridges" not in "".join(delta.content or "" for delta in deltas)


@pytest.mark.parametrize("stream", [True, False])
async def test_a_failing_model_is_an_error_of_the_sdk_with_its_sentence(start: Any, stream: bool) -> None:
    async with start(script=Script(status=401, raw=b"{}"), llm_fallbacks=()) as service, client_of(service) as client:
        with pytest.raises(openai.APIStatusError) as caught:
            await client.chat.completions.create(model="roma", messages=ASKED, stream=stream)
    assert caught.value.status_code == 502
    assert caught.value.code == "ERR_LLM_AUTH"
    assert "LLM_API_KEY" in caught.value.message


async def test_an_answer_that_breaks_off_is_an_error_within_the_stream(start: Any) -> None:
    cut = Script("The rope bridge was built in 1902 by", end="cut", end_after_words=4)
    async with start(script=cut, llm_fallbacks=()) as service, client_of(service) as client:
        with pytest.raises(openai.APIError, match="broke off"):
            async for _ in await client.chat.completions.create(model="roma", messages=ASKED, stream=True):
                pass


@pytest.mark.parametrize("stream", [True, False])
async def test_a_client_that_goes_away_stops_the_model(start: Any, until: Any, stream: bool) -> None:
    async with start(script=SLOW) as service:
        body = {"model": "roma", "messages": ASKED, "stream": stream}
        task = asyncio.create_task(service.client.post("/v1/chat/completions", json=body))
        await until(lambda: service.model.asked)
        await asyncio.sleep(0.1)
        task.cancel()
        await until(lambda: service.model.left == 1)


async def test_tokens_scopes_and_tenants_hold(service: Any) -> None:
    query, _ = service.tokens.create("q", ("query",), tenant="default")
    ingest, _ = service.tokens.create("i", ("ingest",), tenant="default")
    other, _ = service.tokens.create("o", ("query",), tenant="other")
    async with client_of(service, query) as client:
        assert "1902" in (await client.chat.completions.create(model="roma", messages=ASKED)).choices[0].message.content
    async with client_of(service, "roma_wrong") as client:
        with pytest.raises(openai.AuthenticationError, match="valid token"):
            await client.models.list()
    async with client_of(service, ingest) as client:
        with pytest.raises(openai.PermissionDeniedError):
            await client.chat.completions.create(model="roma", messages=ASKED)
    async with client_of(service, other) as client:
        answer = await client.chat.completions.create(model="roma", messages=ASKED)
    assert answer.roma["answered"] == "unknown", "another tenant's documents are not read"


async def test_the_limit_of_requests_holds(start: Any) -> None:
    async with start(rate_limit_per_minute=1) as service, client_of(service) as client:
        await client.models.list()
        with pytest.raises(openai.RateLimitError):
            await client.models.list()


@pytest.mark.parametrize(
    "body",
    [
        {"model": "roma"},
        {"model": "roma", "messages": []},
        {"model": "roma", "messages": [{"role": "assistant", "content": "x"}]},
        {"model": "roma", "messages": [{"role": "wizard", "content": "x"}]},
        {"model": "roma", "messages": ASKED, "n": 2},
        {"model": "roma", "messages": ASKED, "tool_choice": "required"},
        {"model": "roma", "messages": ASKED, "roma": {"top_k": 0}},
        {"model": "roma", "messages": ASKED, "roma": {"colour": "red"}},
        {"model": "roma", "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
        {"model": "roma", "messages": [{"role": "user", "content": "  "}]},
    ],
)
async def test_what_cannot_be_asked_is_an_error_in_openais_shape(service: Any, body: dict[str, Any]) -> None:
    reply = await service.client.post("/v1/chat/completions", json=body)
    assert reply.status_code == 422
    assert reply.json()["error"]["message"] == reply.json()["detail"]
    assert reply.json()["error"]["type"] == "invalid_request_error"
    assert service.model.asked == []


async def test_fields_that_roma_does_not_know_do_no_harm(service: Any) -> None:
    body = {"model": "roma", "messages": ASKED, "temperature": 2, "tools": [], "user": "me", "seed": 1, "metadata": {}}
    assert (await service.client.post("/v1/chat/completions", json=body)).status_code == 200


def test_exchanges_are_read_from_messages_of_any_order() -> None:
    talk = [("assistant", "Hello"), ("user", "a"), ("user", "b"), ("assistant", "B"), ("tool", "x"), ("user", "c")]
    messages = [ChatMessage(role=role, content=text) for role, text in talk]  # type: ignore[arg-type]
    assert list(read_exchanges(messages)) == [
        Exchange(question="a"),
        Exchange(question="b", answer="B"),
        Exchange(question="c"),
    ]


def test_a_claim_is_found_in_words_with_other_markers() -> None:
    answer, streamed = "Yes [1]. It is old [2].", "Yes (1). It is old."
    citation = Citation(
        marker=2,
        chunk_id="c",
        document_id="d",
        uri="u",
        title="t",
        start=0,
        end=1,
        quote="q",
        answer_start=9,
        answer_end=18,
    )
    assert answer[9:18] == "It is old"
    ((start, end),) = find_places([citation], answer, streamed)
    assert streamed[start:end] == "It is old"
