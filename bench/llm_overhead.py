"""What ``LLMService.stream`` costs over the bare SDK: 500 tokens from a server in another process, side by side."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from bench import report
from bench.model_server import serving
from roma_core.llm.base import LLMRequest, Message
from roma_core.llm.fakeserver import Script
from roma_core.llm.openai import OpenAILLM
from roma_core.llm.service import LLMService
from roma_core.telemetry import logs

TOKENS = 500
TEXT = " ".join(f"word{n}" for n in range(TOKENS))
PACES = ((0.0, 60), (0.005, 6))
"""Seconds between tokens (0: as fast as the server can), and how many pairs of streams are timed."""
ASK = LLMRequest(messages=(Message(role="user", content="Tell me."),))


def main() -> None:
    logs.configure()
    rows = [asyncio.run(measure(wait_s, pairs)) for wait_s, pairs in PACES]
    note = "Medians of alternating streams. The goals are at most 5 % more wall time and 1 ms more to the first token."
    report.write("llm_overhead", "LLMService over the bare SDK, 500-token streams", rows, note, ["openai", "httpx2"])


async def measure(wait_s: float, pairs: int) -> dict[str, object]:
    with serving(Script(TEXT, word_wait_s=wait_s)) as url:
        service = LLMService([OpenAILLM("gpt-4o", base_url=f"{url}/v1")])
        bare = _bare_client(url)
        timings: dict[str, list[tuple[float, float, float]]] = {"bare": [], "service": []}
        ways: dict[str, Callable[[], AsyncIterator[str]]] = {
            "bare": lambda: _bare_stream(bare),
            "service": lambda: _service_stream(service),
        }
        for number in range(pairs + 3):
            for name in sorted(ways, reverse=bool(number % 2)):
                timing = await timed(ways[name])
                if number >= 3:  # the first ones import and connect
                    timings[name].append(timing)
        await service.close()
        await bare.close()
    first, wall, cpu = (
        {name: statistics.median(t[column] for t in taken) * 1000 for name, taken in timings.items()}
        for column in range(3)
    )
    return {
        "pace": "flat out" if not wait_s else f"{wait_s * 1000:g} ms a token",
        "streams": pairs,
        "SDK ms": wall["bare"],
        "LLMService ms": wall["service"],
        "overhead %": 100 * (wall["service"] / wall["bare"] - 1),
        "SDK cpu ms": cpu["bare"],
        "LLMService cpu ms": cpu["service"],
        "SDK first token ms": first["bare"],
        "LLMService first token ms": first["service"],
        "more to the first token ms": first["service"] - first["bare"],
    }


async def timed(way: Callable[[], AsyncIterator[str]]) -> tuple[float, float, float]:
    """Seconds to the first token and to the end, and seconds of this process's CPU."""
    start, cpu = time.perf_counter(), time.process_time()
    first = 0.0
    parts: list[str] = []
    async for text in way():
        first = first or time.perf_counter() - start
        parts.append(text)
    whole, used = time.perf_counter() - start, time.process_time() - cpu
    if "".join(parts) != TEXT:
        raise RuntimeError("the stream lost or doubled text")
    return first, whole, used


def _bare_client(url: str) -> Any:
    import openai

    return openai.AsyncOpenAI(api_key="none", base_url=f"{url}/v1", max_retries=0)


async def _bare_stream(client: Any) -> AsyncIterator[str]:
    messages = [{"role": "user", "content": "Tell me."}]
    options = {"include_usage": True}
    async with await client.chat.completions.create(
        model="gpt-4o", messages=messages, stream=True, max_tokens=1024, temperature=0, stream_options=options
    ) as stream:
        async for chunk in stream:
            if chunk.choices and chunk.choices[0].delta.content:
                yield chunk.choices[0].delta.content


async def _service_stream(service: LLMService) -> AsyncIterator[str]:
    async for delta in service.stream(ASK):
        if delta.text:
            yield delta.text


if __name__ == "__main__":
    main()
