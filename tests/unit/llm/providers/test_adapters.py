"""The adapters against the real SDKs on a mocked transport: what is sent, how shapes are read, what errors become."""

import asyncio
import base64
import json
import time
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from pydantic import BaseModel, SecretStr

from roma_core.errors import ErrorCode, LLMError
from roma_core.llm.base import LLMRequest, Message, Picture, Provider, complete, complete_json
from roma_core.llm.providers.anthropic import AnthropicLLM
from roma_core.llm.providers.openai import OpenAILLM
from roma_core.llm.providers.server import FakeModelServer, Script
from tests.fakes.clock import StoppedClock

KEY = SecretStr("sk-secret-0123456789")
ASK = LLMRequest(messages=(Message(role="system", content="Be brief."), Message(role="user", content="Say hello.")))
Handler = Callable[[httpx2.Request], httpx2.Response]


class Answer(BaseModel):
    title: str
    score: int = 3


class Wire:
    """A transport that notes each body and answers in turn."""

    def __init__(self, *answers: httpx2.Response | Exception) -> None:
        self.answers = list(answers)
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[httpx2.Headers] = []

    async def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.bodies.append(json.loads(request.content))
        self.headers.append(request.headers)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def transport(self) -> httpx2.MockTransport:
        return httpx2.MockTransport(self)


def events(*parts: object, media_type: str = "text/event-stream") -> httpx2.Response:
    """A stream of server-sent events, named as Anthropic does when they have a type."""
    lines = []
    for part in parts:
        kind = part.get("type") if isinstance(part, dict) else None
        lines.append(
            (f"event: {kind}\n" if kind else "") + f"data: {part if isinstance(part, str) else json.dumps(part)}\n\n"
        )
    return httpx2.Response(200, text="".join(lines), headers={"content-type": media_type, "x-request-id": "r"})


def chunk(content: object = None, finish: str | None = None, **delta: object) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": content, **delta}, "finish_reason": finish}]}


def refused(message: str, **error: object) -> httpx2.Response:
    return httpx2.Response(400, json={"error": {"message": message, "type": "invalid_request_error", **error}})


LOGIN_PAGE = httpx2.Response(200, text="<html>login</html>", headers={"content-type": "text/html"})
OPENAI_OK = (chunk("Hel"), chunk("lo."), chunk(None, "stop"), "[DONE]")
ANTHROPIC_OK = (
    {"type": "message_start", "message": {"usage": {"input_tokens": 5, "output_tokens": 1}}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "hm"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello."}},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 7}},
    {"type": "message_stop"},
)


def openai_on(
    *answers: httpx2.Response | Exception, url: str | None = None, model: str = "gpt-4o"
) -> tuple[OpenAILLM, Wire]:
    wire = Wire(*answers)
    return OpenAILLM(model, api_key=KEY, base_url=url, transport=wire.transport), wire


def anthropic_on(*answers: httpx2.Response | Exception, model: str = "claude-opus-5-5") -> tuple[AnthropicLLM, Wire]:
    wire = Wire(*answers)
    return AnthropicLLM(model, api_key=KEY, transport=wire.transport), wire


async def failure(llm: Provider, request: LLMRequest = ASK) -> LLMError:
    with pytest.raises(LLMError) as caught:
        await complete(llm, request)
    assert "sk-secret" not in f"{caught.value.message} {caught.value.details}"
    assert caught.value.__cause__ is None
    return caught.value


# --- what is sent ---


async def test_openai_gets_its_own_names() -> None:
    llm, wire = openai_on(events(*OPENAI_OK))
    request = ASK.model_copy(update={"stop": ("END",), "max_output_tokens": 9, "temperature": 0.5})
    assert (await complete(llm, request)).text == "Hello."
    assert wire.bodies[0] == {
        "model": "gpt-4o",
        "stream": True,
        "stream_options": {"include_usage": True},
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Say hello."}],
        "max_completion_tokens": 9,
        "temperature": 0.5,
        "stop": ["END"],
    }
    assert wire.headers[0]["authorization"] == "Bearer sk-secret-0123456789"


async def test_other_servers_get_the_older_name_of_the_limit() -> None:
    llm, wire = openai_on(events(*OPENAI_OK), url="http://127.0.0.1:9/v1/")
    await complete(llm, ASK.model_copy(update={"temperature": None}))
    assert (wire.bodies[0]["max_tokens"], "max_completion_tokens" in wire.bodies[0]) == (1024, False)
    assert "temperature" not in wire.bodies[0]
    assert llm.endpoint == "openai@http://127.0.0.1:9/v1"


async def test_anthropic_gets_its_own_shape() -> None:
    llm, wire = anthropic_on(events(*ANTHROPIC_OK))
    answer = await complete(llm, ASK.model_copy(update={"stop": ("END",)}))
    assert (answer.text, answer.finish_reason) == ("Hello.", "stop")
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (5, 7)
    assert wire.bodies[0] == {
        "model": "claude-opus-5-5",
        "stream": True,
        "max_tokens": 1024,
        "system": "Be brief.",
        "messages": [{"role": "user", "content": "Say hello."}],
        "stop_sequences": ["END"],
        "temperature": 0.0,
    }


PNG = b"\x89PNG and more"
SEE = LLMRequest(messages=(Message(role="user", content="What is it?", pictures=(Picture.of(PNG),)),))


async def test_pictures_go_out_in_the_shape_of_each_vendor() -> None:
    shown = base64.b64encode(PNG).decode()
    llm, wire = openai_on(events(*OPENAI_OK))
    await complete(llm, SEE)
    picture, words = wire.bodies[0]["messages"][0]["content"]
    assert picture == {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{shown}"}}
    assert words == {"type": "text", "text": "What is it?"}
    claude, wire = anthropic_on(events(*ANTHROPIC_OK))
    await complete(claude, SEE)
    picture, words = wire.bodies[0]["messages"][0]["content"]
    assert picture["source"] == {"type": "base64", "media_type": "image/png", "data": shown}
    assert words == {"type": "text", "text": "What is it?"}


async def test_a_schema_in_words_goes_beside_the_picture() -> None:
    body = json.dumps({"title": "t", "score": 1})
    llm, wire = openai_on(
        refused("Unsupported parameter: response_format", param="response_format"),
        events(chunk(body), chunk(None, "stop")),
    )
    await complete_json(llm, SEE, Answer)
    words = wire.bodies[1]["messages"][0]["content"][1]["text"]
    assert words.startswith("What is it?\n\n") and "JSON" in words


@pytest.mark.parametrize(
    ("alias", "model"),
    [
        ("claude-sonnet-3.5", "claude-sonnet-5-5"),
        ("claude-opus-3", "claude-opus-5-5"),
        ("claude-x-9", "claude-x-9"),
    ],
)
def test_aliases_are_names_that_the_api_knows(alias: str, model: str) -> None:
    assert AnthropicLLM(alias).name == f"anthropic:{model}"


async def test_schemas_are_sent_as_structured_output() -> None:
    ok = events(chunk('{"title": "x", "score": 1}'), chunk(None, "stop"))
    openai, wire = openai_on(ok)
    assert (await complete_json(openai, ASK, Answer))[0] == Answer(title="x", score=1)
    sent = wire.bodies[0]["response_format"]["json_schema"]
    assert sent["strict"] is True
    assert (sent["schema"]["required"], sent["schema"]["additionalProperties"]) == (["title", "score"], False)
    said = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": '{"title": "y"}'}}
    anthropic, wire = anthropic_on(events(*ANTHROPIC_OK[:1], said, *ANTHROPIC_OK[3:]))
    assert (await complete_json(anthropic, ASK, Answer))[0] == Answer(title="y")
    assert wire.bodies[0]["output_config"]["format"]["schema"] == sent["schema"]


# --- parameters that a model refuses ---


@pytest.mark.parametrize(
    ("message", "error", "gone"),
    [
        (
            "Unsupported parameter: 'max_completion_tokens' is not supported here. Use 'max_tokens' instead.",
            {"param": "max_completion_tokens", "code": "unsupported_parameter"},
            "max_completion_tokens",
        ),
        (
            "Unsupported value: 'temperature' does not support 0 with this model. Only the default (1) is supported.",
            {"param": "temperature", "code": "unsupported_value"},
            "temperature",
        ),
        ("Unrecognized request argument supplied: stream_options", {}, "stream_options"),
    ],
)
async def test_a_parameter_that_is_refused_is_left_out_from_then_on(
    message: str, error: dict[str, Any], gone: str
) -> None:
    llm, wire = openai_on(refused(message, **error), events(*OPENAI_OK), events(*OPENAI_OK))
    assert (await complete(llm, ASK)).text == "Hello."
    await complete(llm, ASK)
    assert [gone in body for body in wire.bodies] == [True, False, False]
    assert [bool({"max_tokens", "max_completion_tokens"} & set(body)) for body in wire.bodies] == [True] * 3


async def test_anthropic_models_that_refuse_a_temperature_are_asked_without() -> None:
    llm, wire = anthropic_on(refused("temperature: Extra inputs are not permitted"), events(*ANTHROPIC_OK))
    assert (await complete(llm, ASK)).text == "Hello."
    assert ["temperature" in body for body in wire.bodies] == [True, False]


async def test_models_without_structured_output_are_told_the_schema_instead() -> None:
    ok = events(chunk('{"title": "x"}'), chunk(None, "stop"))
    openai, wire = openai_on(refused("response_format is not supported by this model", param="response_format"), ok)
    assert (await complete_json(openai, ASK, Answer))[0].title == "x"
    assert wire.bodies[1]["response_format"] == {"type": "json_object"}
    assert "JSON schema" in wire.bodies[1]["messages"][-1]["content"]
    said = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": '{"title": "y"}'}}
    anthropic, wire = anthropic_on(
        refused("output_config.format: not supported for this model"),
        refused("tools are not supported for this model"),
        events(*ANTHROPIC_OK[:1], said, *ANTHROPIC_OK[3:]),
    )
    assert (await complete_json(anthropic, ASK, Answer))[0].title == "y"
    assert wire.bodies[1]["tool_choice"] == {"type": "tool", "name": "give_answer"}
    assert "JSON schema" in wire.bodies[2]["system"]


async def test_a_refusal_that_repeats_itself_is_final() -> None:
    twice = [refused("Unsupported parameter: temperature", param="temperature") for _ in range(2)]
    llm, wire = openai_on(*twice)
    assert (await failure(llm)).code is ErrorCode.LLM_BAD_REQUEST
    assert len(wire.bodies) == 2
    llm, wire = openai_on(refused("max_tokens is too large: 90000. At most 4096 are supported.", param="max_tokens"))
    assert (await failure(llm)).details["param"] == "max_tokens"


# --- shapes ---


@pytest.mark.parametrize(
    ("mark", "reason"), [("length", "length"), ("content_filter", "content_filter"), ("eos", "stop")]
)
async def test_openai_finish_markers(mark: str, reason: str) -> None:
    llm, _ = openai_on(events(chunk("Hi"), chunk(None, mark)))
    assert (await complete(llm, ASK)).finish_reason == reason


async def test_openai_refusals_are_refusals_although_they_end_with_stop() -> None:
    llm, _ = openai_on(events(chunk(None, None, refusal="I won't."), chunk(None, "stop")))
    answer = await complete(llm, ASK)
    assert (answer.text, answer.finish_reason) == ("I won't.", "refusal")


@pytest.mark.parametrize("mark", ["abort", "error", "insufficient_system_resource"])
async def test_unknown_finish_markers_mean_that_it_broke_off(mark: str) -> None:
    llm, _ = openai_on(events(chunk("Hi"), chunk(None, mark)))
    assert (await failure(llm)).code is ErrorCode.LLM_TRUNCATED
    spoiled = {"type": "message_delta", "delta": {"stop_reason": mark}, "usage": {}}
    claude, _ = anthropic_on(events(*ANTHROPIC_OK[:3], spoiled, ANTHROPIC_OK[4]))
    assert (await failure(claude)).code is ErrorCode.LLM_TRUNCATED


@pytest.mark.parametrize(("mark", "reason"), [("max_tokens", "length"), ("refusal", "refusal"), ("tool_use", "tool")])
async def test_anthropic_stop_reasons(mark: str, reason: str) -> None:
    stop = {"type": "message_delta", "delta": {"stop_reason": mark}, "usage": {"output_tokens": 2}}
    llm, _ = anthropic_on(events(*ANTHROPIC_OK[:3], stop, ANTHROPIC_OK[4]))
    assert (await complete(llm, ASK)).finish_reason == reason


async def test_anthropic_needs_both_its_markers() -> None:
    llm, _ = anthropic_on(events(*ANTHROPIC_OK[:4]))
    assert (await failure(llm)).code is ErrorCode.LLM_TRUNCATED
    llm, _ = anthropic_on(events(*ANTHROPIC_OK[:3], ANTHROPIC_OK[4]))
    assert (await failure(llm)).code is ErrorCode.LLM_TRUNCATED


async def test_a_server_that_ignores_streaming_is_read_all_the_same() -> None:
    whole = {"choices": [{"message": {"content": "Hello."}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 3}}
    llm, _ = openai_on(httpx2.Response(200, json=whole))
    answer = await complete(llm, ASK)
    assert (answer.text, answer.usage.input_tokens) == ("Hello.", 3)
    message = {
        "type": "message",
        "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "Hello."}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 3, "output_tokens": 2},
    }
    claude, _ = anthropic_on(httpx2.Response(200, json=message))
    answer = await complete(claude, ASK)
    assert (answer.text, answer.usage.input_tokens, answer.usage.output_tokens) == ("Hello.", 3, 2)


async def test_of_a_whole_answer_that_broke_off_nothing_is_shown() -> None:
    half: list[Provider] = [
        openai_on(httpx2.Response(200, json={"choices": [{"message": {"content": "Hel"}}]}))[0],
        anthropic_on(httpx2.Response(200, json={"type": "message", "content": [{"text": "Hel"}]}))[0],
    ]
    for llm in half:
        seen = []
        with pytest.raises(LLMError) as caught:
            async for delta in llm.stream(ASK):
                seen.append(delta)
        assert ("".join(delta.text for delta in seen), caught.value.code) == ("", ErrorCode.LLM_TRUNCATED)


@pytest.mark.parametrize(
    ("response", "code"),
    [
        (
            LOGIN_PAGE,
            ErrorCode.LLM_MALFORMED,
        ),
        (httpx2.Response(200, text="", headers={"content-type": "application/json"}), ErrorCode.LLM_MALFORMED),
        (httpx2.Response(200, json={"error": {"type": "server_error"}}), ErrorCode.LLM_UNAVAILABLE),
        (httpx2.Response(200, json={"choices": [{"message": None}]}), ErrorCode.LLM_MALFORMED),
        (httpx2.Response(200, json={"detail": "nothing here"}), ErrorCode.LLM_MALFORMED),
        (httpx2.Response(200, json=[1]), ErrorCode.LLM_MALFORMED),
        (events({"object": "odd"}), ErrorCode.LLM_TRUNCATED),
        (events(chunk({"a": 1})), ErrorCode.LLM_MALFORMED),
        (events('{"choices": [{'), ErrorCode.LLM_MALFORMED),
        (events("3"), ErrorCode.LLM_MALFORMED),
        (events({"choices": "none"}), ErrorCode.LLM_TRUNCATED),
        (events({"choices": [3]}, {"choices": [{"delta": "x"}]}), ErrorCode.LLM_TRUNCATED),
        (events(chunk("Hi", {"odd": 1})), ErrorCode.LLM_TRUNCATED),  # type: ignore[arg-type]
        (events({"error": {"code": "rate_limit_exceeded", "message": "x"}}), ErrorCode.LLM_RATE_LIMIT),
        (events({"error": {"code": "context_length_exceeded", "message": "x"}}), ErrorCode.LLM_CONTEXT_LENGTH),
        (httpx2.Response(502, text="<html>bad gateway</html>"), ErrorCode.LLM_UNAVAILABLE),
        (httpx2.Response(501, json={}), ErrorCode.LLM_BAD_REQUEST),
        (httpx2.Response(409, json={"error": "a sentence"}), ErrorCode.LLM_BAD_REQUEST),
    ],
)
async def test_openai_oddities_end_in_typed_failures(response: httpx2.Response, code: ErrorCode) -> None:
    llm, _ = openai_on(response)
    assert (await failure(llm)).code is code


@pytest.mark.parametrize(
    ("response", "code"),
    [
        (
            LOGIN_PAGE,
            ErrorCode.LLM_MALFORMED,
        ),
        (events({"type": "error", "error": {"type": "overloaded_error"}}), ErrorCode.LLM_UNAVAILABLE),
        (events({"type": "error", "error": {"type": "invalid_request_error"}}), ErrorCode.LLM_BAD_REQUEST),
        (events({"type": "message_start", "message": 3}), ErrorCode.LLM_TRUNCATED),
        (events({"type": "message_delta", "delta": {"stop_reason": ["odd"]}}), ErrorCode.LLM_TRUNCATED),
        (events({"type": "content_block_delta", "delta": {"text": 3}}), ErrorCode.LLM_MALFORMED),
        (httpx2.Response(200, json={"type": "message", "content": 3}), ErrorCode.LLM_MALFORMED),
        (httpx2.Response(200, json={"type": "message", "content": None}), ErrorCode.LLM_MALFORMED),
        (httpx2.Response(200, json={"type": "message", "content": [3], "stop_reason": "x"}), ErrorCode.LLM_TRUNCATED),
        (httpx2.Response(200, json={"error": {"type": "api_error"}}), ErrorCode.LLM_UNAVAILABLE),
        (httpx2.Response(200, json=[1]), ErrorCode.LLM_MALFORMED),
        (
            httpx2.Response(529, json={"type": "error", "error": {"type": "overloaded_error"}}),
            ErrorCode.LLM_UNAVAILABLE,
        ),
        (
            httpx2.Response(413, json={"type": "error", "error": {"type": "request_too_large"}}),
            ErrorCode.LLM_CONTEXT_LENGTH,
        ),
    ],
)
async def test_anthropic_oddities_end_in_typed_failures(response: httpx2.Response, code: ErrorCode) -> None:
    llm, _ = anthropic_on(response)
    assert (await failure(llm)).code is code


@pytest.mark.parametrize(
    ("error", "code", "sent"),
    [
        (httpx2.ConnectError("no route to sk-secret"), ErrorCode.LLM_UNAVAILABLE, False),
        (httpx2.ConnectTimeout("slow"), ErrorCode.LLM_TIMEOUT, False),
        (httpx2.ReadTimeout("slow"), ErrorCode.LLM_TIMEOUT, None),
        (httpx2.ReadError("reset"), ErrorCode.LLM_UNAVAILABLE, None),
        (httpx2.RemoteProtocolError("lies"), ErrorCode.LLM_UNAVAILABLE, None),
    ],
)
async def test_broken_connections_tell_whether_anything_was_sent(
    error: Exception, code: ErrorCode, sent: object
) -> None:
    for make in (openai_on, anthropic_on):
        llm, _ = make(error)
        caught = await failure(llm)
        assert (caught.code, caught.recoverable, caught.details.get("sent")) == (code, True, sent)


async def test_details_hold_short_codes_and_never_sentences() -> None:
    llm, _ = openai_on(refused("the prompt said: my password is sk-secret", code="odd_thing", param="a b"))
    error = await failure(llm)
    assert error.details == {"status": 400, "type": "invalid_request_error", "reason": "odd_thing"}


# --- the wire itself ---


async def test_pings_are_a_sign_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = StoppedClock(monkeypatch)
    drip = Script("one", word_wait_s=1.0, pings=9)  # nine seconds of pings, each well before the limit
    async with FakeModelServer(lambda a: drip).running() as server:
        for make, root in ((OpenAILLM, f"{server.url}/v1"), (AnthropicLLM, server.url)):
            llm = make(base_url=root, first_token_s=8.0, stall_s=8.0)
            answering = asyncio.create_task(complete(llm, ASK))
            while not answering.done():
                await asyncio.to_thread(time.sleep, 0.02)  # for what is on its way between the two
                clock.move(0.5)
            assert (await answering).text == "one"
            await llm.aclose()


WELL_FORMED = {
    "cut inside of characters": Script("naïve 字 😀 e\u0301 done.", piece_bytes=1),
    "cut inside of lines": Script("Überall  doppelte\nZeilen. ", piece_bytes=7),
    "a line of 3 MB": Script("字" * 1_000_000),
    "an event of an unknown kind": Script("Hello there.", strange=True),
    "keep-alive lines": Script("Hello there.", pings=2),
}


@pytest.mark.parametrize("script", WELL_FORMED.values(), ids=list(WELL_FORMED))
async def test_odd_but_well_formed_streams_are_read_to_the_letter(script: Script) -> None:
    async with FakeModelServer(lambda a: script).running() as server:
        for llm in (OpenAILLM(base_url=f"{server.url}/v1"), AnthropicLLM(base_url=server.url)):
            answer = await complete(llm, ASK)
            assert (answer.text, answer.finish_reason) == (script.text, "stop")
            await llm.aclose()


async def test_a_new_event_loop_gets_a_new_client() -> None:
    import asyncio
    import threading

    async with FakeModelServer(lambda a: Script("Hi.")).running() as server:
        llm = OpenAILLM(base_url=f"{server.url}/v1")
        assert (await complete(llm, ASK)).text == "Hi."
        answers: list[str] = []
        other = threading.Thread(target=lambda: answers.append(asyncio.run(complete(llm, ASK)).text))
        other.start()
        await asyncio.to_thread(other.join)
        assert answers == ["Hi."]
        await llm.aclose()
