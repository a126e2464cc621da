"""What ``LLMService.stream`` costs over the bare SDK: streams of a server in another process, side by side."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from bench import report
from bench.model_server import serving
from roma_core.llm.base import LLMRequest, Message
from roma_core.llm.providers.openai import OpenAILLM
from roma_core.llm.providers.server import Script
from roma_core.llm.service import LLMService
from roma_core.telemetry import logs

STREAMS = ((500, 0.0, 60), (500, 0.005, 6), (10, 0.0, 80), (10, 0.005, 80))
"""Tokens of a stream, seconds between them (0: as fast as the server can), and how often each way is timed."""
ASK = LLMRequest(messages=(Message(role="user", content="Tell me."),))


NOTE = (
    "Medians of alternating streams. The goals are at most 5 % more wall time (500 tokens) and 1 ms more to the first "
    "token (10 tokens) than the SDK needs, which builds a typed object for each event. LLMService takes the events "
    "as the JSON that they are; so does the column that says so, with the SDK alone. Streams of seconds say little "
    "about the first token: between two of them the system takes memory and clock away, from the SDK as well."
)


def main() -> None:
    logs.configure()
    rows = [asyncio.run(measure(tokens, wait_s, rounds)) for tokens, wait_s, rounds in STREAMS]
    report.write("llm_overhead", "LLMService over the bare SDK", rows, NOTE, ["openai", "httpx2"])


async def measure(tokens: int, wait_s: float, rounds: int) -> dict[str, object]:
    answer = " ".join(f"word{n}" for n in range(tokens))
    with serving(Script(answer, word_wait_s=wait_s)) as url:
        service = LLMService([OpenAILLM("gpt-4o", base_url=f"{url}/v1")])
        bare = _bare_client(url)
        timings: dict[str, list[tuple[float, float, float]]] = {"bare": [], "json": [], "service": []}
        ways: dict[str, Callable[[], AsyncIterator[str]]] = {
            "bare": lambda: _bare_stream(bare),
            "json": lambda: _json_stream(bare),
            "service": lambda: _service_stream(service),
        }
        for number in range(rounds + 3):
            for name in sorted(ways, reverse=bool(number % 2)):
                timing = await timed(ways[name], answer)
                if number >= 3:  # the first ones import and connect
                    timings[name].append(timing)
        await service.close()
        await bare.close()
    first, wall, cpu = (
        {name: statistics.median(t[column] for t in taken) * 1000 for name, taken in timings.items()}
        for column in range(3)
    )
    return {
        "tokens": tokens,
        "pace": "flat out" if not wait_s else f"{wait_s * 1000:g} ms a token",
        "rounds": rounds,
        "SDK ms": wall["bare"],
        "SDK, events as JSON ms": wall["json"],
        "LLMService ms": wall["service"],
        "overhead %": 100 * (wall["service"] / wall["bare"] - 1),
        "SDK cpu ms": cpu["bare"],
        "SDK, events as JSON cpu ms": cpu["json"],
        "LLMService cpu ms": cpu["service"],
        "SDK first token ms": first["bare"],
        "LLMService first token ms": first["service"],
        "more to the first token ms": first["service"] - first["bare"],
    }


async def timed(way: Callable[[], AsyncIterator[str]], answer: str) -> tuple[float, float, float]:
    """Seconds to the first token and to the end, and seconds of this process's CPU."""
    start, cpu = time.perf_counter(), time.process_time()
    first = 0.0
    parts: list[str] = []
    async for text in way():
        first = first or time.perf_counter() - start
        parts.append(text)
    whole, used = time.perf_counter() - start, time.process_time() - cpu
    if "".join(parts) != answer:
        raise RuntimeError("the stream lost or doubled text")
    return first, whole, used


def _bare_client(url: str) -> Any:
    import openai

    return openai.AsyncOpenAI(api_key="none", base_url=f"{url}/v1", max_retries=0)


BODY: dict[str, Any] = {
    "model": "gpt-4o",
    "messages": [{"role": "user", "content": "Tell me."}],
    "stream": True,
    "max_tokens": 1024,
    "temperature": 0,
    "stream_options": {"include_usage": True},
}


async def _bare_stream(client: Any) -> AsyncIterator[str]:
    async with await client.chat.completions.create(**BODY) as stream:
        async for chunk in stream:
            if chunk.choices and chunk.choices[0].delta.content:
                yield chunk.choices[0].delta.content


async def _json_stream(client: Any) -> AsyncIterator[str]:
    import openai

    stream_of = openai.AsyncStream[object]
    async with await client.post(
        "/chat/completions", body=BODY, cast_to=object, stream=True, stream_cls=stream_of
    ) as stream:
        async for chunk in stream:
            if chunk["choices"] and chunk["choices"][0]["delta"].get("content"):
                yield chunk["choices"][0]["delta"]["content"]


async def _service_stream(service: LLMService) -> AsyncIterator[str]:
    async for delta in service.stream(ASK):
        if delta.text:
            yield delta.text


if __name__ == "__main__":
    main()
