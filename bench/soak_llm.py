"""Thousands of requests through a server that fails in every way it can, seeded: what comes out must always be right.

Among its ways are models that think, gateways with manners of their own, and servers that refuse structured output in
one form or another. Checked for every request: a whole answer with exactly its text, or one typed error; never an
unhandled exception, and never a thought. Over all: no call past the hard budget, no final error asked again, no more
calls per request than allowed.
``ROMA_SOAK_LLM_REQUESTS`` asks for another number of requests than 10 000; what they show is printed and not kept.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import time
from collections import Counter
from collections.abc import Callable
from contextlib import aclosing
from decimal import Decimal
from typing import Any, cast

from pydantic import BaseModel

from bench import report
from roma_core.errors import ErrorCode, RomaError
from roma_core.llm.base import LLMRequest, Message, Provider
from roma_core.llm.control.attempt import Limits
from roma_core.llm.control.budget import Budgets
from roma_core.llm.control.pricing import Price, Prices
from roma_core.llm.providers.anthropic import AnthropicLLM
from roma_core.llm.providers.openai import OpenAILLM
from roma_core.llm.providers.server import Asked, FakeModelServer, Script
from roma_core.llm.service import Deltas, LLMService
from roma_core.telemetry import logs
from roma_core.types import Usage

SEED = 20_261_122
REQUESTS = 10_000
CONCURRENCY = 32
STALL_S = 5.0
"""Short, as stalls are waited for, and long enough for a machine that is busy with something else."""
REST_S = 0.5
"""How long an open circuit rests, and who met one: without that, all other requests would be turned away at once."""
BUDGET_USD = 0.0004
"""For each request: a third less than all would cost, so that it runs out on the way in whatever order they come."""
PRICE = Price(input_usd=Decimal(3), output_usd=Decimal(15))
RETRY_HEADERS = (("Retry-After-Ms", "5"), ("Retry-After", "0.01"), ("Retry-After", "Sun, 22 Nov 2026 12:00:00 GMT"))
Fault = Callable[[random.Random, str], Script]


def _words(rng: random.Random, text: str) -> int:
    return rng.randint(0, len(text.split()) - 1)


def _status(status: int, **error: str) -> Fault:
    return lambda rng, text: Script(
        status=status, headers=(rng.choice(RETRY_HEADERS),), error={"message": "no", **error}
    )


def _ends(end: str) -> Fault:
    return lambda rng, text: Script(text, end=end, end_after_words=_words(rng, text))


TRANSIENT: dict[str, Fault] = {
    "429": _status(429, type="rate_limit_error"),
    "408": _status(408),
    "500": _status(500),
    "502 HTML": lambda rng, text: Script(status=502, raw=b"<html>bad gateway</html>", media_type="text/html"),
    "503": _status(503),
    "504": _status(504),
    "529": _status(529, type="overloaded_error"),
    "200 HTML": lambda rng, text: Script(raw=b"<html>login</html>", media_type="text/html"),
    "200 empty": lambda rng, text: Script(raw=b""),
    "200 half JSON": lambda rng, text: Script(raw=b'{"choices": ['),
    "stream cut": _ends("cut"),
    "stream reset": _ends("reset"),
    "stream stalled": _ends("stall"),
    "stream with broken JSON": _ends("broken"),
    "error inside the stream": _ends("error"),
}
FINAL: dict[str, Fault] = {
    "400": _status(400, type="invalid_request_error"),
    "401": _status(401, code="invalid_api_key"),
    "403": _status(403),
    "404": _status(404, code="model_not_found"),
    "429 no credit": _status(429, code="insufficient_quota"),
    "400 too long": _status(400, code="context_length_exceeded"),
}
WHOLE: dict[str, Fault] = {
    "whole": lambda rng, text: Script(text),
    "whole, cut inside of characters": lambda rng, text: Script(text, piece_bytes=rng.randint(1, 40)),
    "whole, with pings and unknown events": lambda rng, text: Script(text, pings=1, strange=True),
    "whole, usage left out": lambda rng, text: Script(text, usage=False),
    "cut at its limit": lambda rng, text: Script(text, finish="length"),
    "refused": lambda rng, text: Script(text, finish="refusal"),
    "empty": lambda rng, text: Script(""),
}
THOUGHT = "pondering-7"
"""A word that stands in thoughts alone."""


def _stream(
    rng: random.Random, text: str, *, fields: str = "content", head: bytes = b"", newline: str = "\n"
) -> Script:
    """Chat completions as gateways send them, byte by byte of ours: ``fields`` names where the words stand."""
    words = re.findall(r"\s*\S+", text)
    deltas = [{"role": "assistant"}, *({fields: word} for word in words)]
    chunks: list[dict[str, object]] = [
        {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas
    ]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": rng.choice(("stop", "STOP", "eos_token"))}]})
    chunks.append({"choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": len(words), "total_tokens": 0}})
    lines = [f"data:{json.dumps(chunk, ensure_ascii=False)}{newline}{newline}" for chunk in chunks]
    body = head + "".join([*lines, f"data: [DONE]{newline}{newline}"]).encode()
    return Script(raw=body, media_type=rng.choice(("text/event-stream", "text/plain", "application/octet-stream")))


def _reasoning(field: str) -> Fault:
    """Thoughts in a field of their own before the words."""

    def make(rng: random.Random, text: str) -> Script:
        thoughts = {"choices": [{"index": 0, "delta": {field: f"{THOUGHT} and on "}}]}
        head = f"data: {json.dumps(thoughts)}\n\n".encode() * rng.randint(1, 5)
        return _stream(rng, text, head=head)

    return make


def _numeric_error(code: int) -> Fault:
    """An error of a gateway's upstream inside a 200, with a number for a code."""
    error = {"error": {"code": code, "message": "Provider returned error", "metadata": {"provider_name": "x"}}}
    return lambda rng, text: Script(raw=json.dumps(error).encode())


THINKING: dict[str, Fault] = {
    "thinks in tags": lambda rng, text: Script(f'<think>{THOUGHT} [1] {{"a": 1}}</think>{text}'),
    "thinks in tags cut inside": lambda rng, text: Script(
        f"<think>{THOUGHT}</think>{text}", piece_bytes=rng.randint(1, 9)
    ),
    "marks only the end of its thoughts": lambda rng, text: Script(f"{THOUGHT} so</think>{text}"),
    "thinks and is cut off": lambda rng, text: Script(f"<think>{THOUGHT}</think>{text}", end="cut", end_after_words=1),
    "thinks and falls silent": lambda rng, text: Script(
        f"<think>{THOUGHT}</think>{text}", end="reset", end_after_words=1
    ),
}
FIELDS: dict[str, Fault] = {
    "thinks in reasoning_content": _reasoning("reasoning_content"),
    "thinks in reasoning": _reasoning("reasoning"),
}
GATEWAYS: dict[str, Fault] = {
    "gateway, BOM first": lambda rng, text: _stream(rng, text, head=b"\xef\xbb\xbf"),
    "gateway, CRLF": lambda rng, text: _stream(rng, text, newline="\r\n"),
    "gateway, comments first": lambda rng, text: _stream(rng, text, head=b": PROCESSING\n\n" * 3),
}
GATEWAY_FAILS: dict[str, Fault] = {
    "gateway, 429 in a 200": _numeric_error(429),
    "gateway, 502 in a 200": _numeric_error(502),
    "gateway, 401 in a 200": _numeric_error(401),
}
ALL: dict[str, Fault] = {**TRANSIENT, **FINAL, **WHOLE, **THINKING, **FIELDS, **GATEWAYS, **GATEWAY_FAILS}
OPENAI_ONLY = {**FIELDS, **GATEWAYS}
"""Manners of chat completions: behind the other API the same words come as that API sends them."""
FINAL_FATES = frozenset(FINAL) | {"gateway, 401 in a 200"}
REFUSALS = (
    "This response_format type is unavailable now",
    "'response_format' of type 'json_schema' is not supported with this model",
    "Invalid parameter: output_config.format is not available",
    "Unknown field: tools",
    "Grammar error: unsupported schema",
    "No endpoints found that can handle the requested parameters.",
)
WEIGHTS = {
    **dict.fromkeys(TRANSIENT, 2),
    **dict.fromkeys(FINAL, 1),
    **dict.fromkeys(GATEWAY_FAILS, 1),
    **dict.fromkeys(WHOLE, 4),
    **dict.fromkeys(THINKING, 3),
    **dict.fromkeys(OPENAI_ONLY, 3),
    "whole": 40,
    "stream stalled": 1,
}


def text_of(number: int) -> str:
    """The answer to request ``number``: words that tell a lost or doubled one at once, and several alphabets."""
    return " ".join(f"{number}-{n}-wörd-字" for n in range(3 + number % 12))


def main() -> None:
    logs.configure("ERROR")
    requests = int(os.environ.get("ROMA_SOAK_LLM_REQUESTS", REQUESTS))
    rows = asyncio.run(soak(requests))
    if requests == REQUESTS:
        report.write("soak_llm", "Model faults", rows, NOTE, ["openai", "anthropic", "httpx2"])
    else:
        print(rows[0])


NOTE = (
    f"Seed {SEED}. Requests go in turn to the OpenAI and the Anthropic adapter first, the other is the fallback; each "
    "attempt draws its fate from the faults that the page on language models lists. The budget runs out on the way. "
    "Every twelfth request wants structured output, of models that each take another form of it. From the sixth column "
    "on all must be 0."
)


async def soak(requests: int) -> list[dict[str, object]]:
    fates: dict[tuple[int, bool], list[str]] = {}

    def play(asked: Asked) -> Script:
        number = int(re.findall(r"#(\d+)", str(asked.body["messages"]))[-1])
        if is_structured(number):
            script = play_structured(asked, number)
            if script.status == 200:
                bill.append(PRICE.cost(Usage(input_tokens=10, output_tokens=10)))
            return script
        drawn = fates.setdefault((number, asked.anthropic), [])
        rng = random.Random(f"{SEED}/{number}/{len(drawn)}")
        fate = rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        drawn.append(fate)
        words_alone = asked.anthropic and fate in OPENAI_ONLY
        script = Script(text_of(number)) if words_alone else ALL[fate](rng, text_of(number))
        if script.status == 200 and (
            script.raw is None or fate in OPENAI_ONLY
        ):  # what a vendor would bill, also for streams that broke off
            bill.append(PRICE.cost(Usage(input_tokens=10, output_tokens=len((script.text or text_of(number)).split()))))
        return script

    bill: list[float] = []
    limit_usd = BUDGET_USD * requests
    budgets = Budgets(run_usd=limit_usd)
    started = time.perf_counter()
    tally: Counter[str] = Counter()
    async with FakeModelServer(play).running() as server:
        service = _service(server.url, budgets)
        queue = iter(range(requests))

        def calls(number: int) -> int:
            return sum(len(fates.get((number, anthropic), ())) for anthropic in (False, True))

        async def work() -> None:
            for number in queue:
                became = await outcome(service, number, calls)
                tally[became] += 1
                if became == ErrorCode.LLM_UNAVAILABLE:
                    await asyncio.sleep(REST_S)

        await asyncio.gather(*(work() for _ in range(CONCURRENCY)))
        spent = budgets.spent_usd("run", "run")
        await service.close()
    final_again = sum(any(f in FINAL_FATES for f in drawn[:-1]) for drawn in fates.values())
    too_many = sum(len(drawn) > ATTEMPTS for drawn in fates.values())
    rows: list[dict[str, object]] = [
        {
            "requests": requests,
            "calls": sum(map(len, fates.values())),
            "whole answers": tally["whole"],
            "typed failures": sum(n for name, n in tally.items() if name.startswith("ERR_")),
            "of them for the budget": tally["ERR_LLM_BUDGET"],
            "unhandled exceptions": sum(n for name, n in tally.items() if name.startswith("unhandled")),
            "text missing or doubled": tally["wrong text"],
            "cut answers called whole": tally["half answer"],
            "thoughts in an answer": tally["thought shown"],
            "structured answers lost": tally["structured answer lost"],
            "final errors asked again": final_again,
            "asked again after the first token": tally["asked again"],
            "more calls than allowed": too_many,
            "dollars past the budget": max(0.0, sum(bill) - limit_usd, spent - limit_usd),
        }
    ]
    print(
        f"{requests} requests in {time.perf_counter() - started:.0f} s; {dict(tally)}; ${spent:.3f} of ${limit_usd:.3f}"
    )
    return rows


ATTEMPTS = 3


def _service(url: str, budgets: Budgets) -> LLMService:
    options: dict[str, Any] = {"first_token_s": 30.0, "stall_s": STALL_S, "thinking_tokens": 64}
    providers: list[Provider] = [
        OpenAILLM("soak", base_url=f"{url}/v1", **options),
        AnthropicLLM("soak", base_url=url, **options),
    ]
    service = LLMService(
        providers,
        limits=Limits(
            first_token_s=30.0,
            total_s=60.0,
            attempts=ATTEMPTS,
            max_output_tokens=64,
            max_concurrency=64,
            breaker_rest_s=REST_S,
        ),
        prices=Prices({"openai:*": PRICE, "anthropic:*": PRICE}),
        make=lambda spec: (
            OpenAILLM(spec.partition(":")[2], base_url=f"{url}/v1", **options)
            if spec.startswith("openai:")
            else AnthropicLLM(spec.partition(":")[2], base_url=url, **options)
        ),
        budgets=budgets,
    )
    return service


class StructuredAnswer(BaseModel):
    """What structured requests ask for."""

    answer: str


def is_structured(number: int) -> bool:
    """Every twelfth request wants structured output, of one of some models that each take another form of it."""
    return number % 12 == 5


def play_structured(asked: Asked, number: int) -> Script:
    """The answer of a model that takes one form of structured output, and refuses the others in words of its own."""
    body = asked.body
    accepted = _forms(asked.anthropic)[sum(map(ord, str(body["model"]))) % len(_forms(asked.anthropic))]
    if _form_of(body) != accepted:
        rng = random.Random(f"{SEED}/{number}/{_form_of(body)}")
        error = {"type": "invalid_request_error", "message": rng.choice(REFUSALS)}
        return Script(status=rng.choice((400, 404, 422, 501)), error=error)
    answer = json.dumps({"answer": text_of(number)}, ensure_ascii=False)
    if accepted == "words":
        return Script(f"<think>{THOUGHT}</think>Here it is:\n```json\n{answer}\n```")
    if accepted != "tool":
        return Script(answer)
    if asked.anthropic:
        block = {"type": "tool_use", "id": "t", "name": "give_answer", "input": {"answer": text_of(number)}}
        message: dict[str, object] = {
            "id": "m",
            "type": "message",
            "role": "assistant",
            "model": "m",
            "content": [block],
        }
        usage = {"input_tokens": 10, "output_tokens": 10}
        return Script(raw=json.dumps({**message, "stop_reason": "tool_use", "usage": usage}).encode())
    call = {"index": 0, "id": "t", "type": "function", "function": {"name": "give_answer", "arguments": answer}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    usage = {"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    return Script(raw=json.dumps({"object": "chat.completion", "choices": [choice], "usage": usage}).encode())


def _forms(anthropic: bool) -> tuple[str, ...]:
    return ("json_schema", "tool", "words") if anthropic else ("json_schema", "json_object", "tool", "words")


def _form_of(body: dict[str, Any]) -> str:
    """Return the way in which a request asks for structured output."""
    if "tools" in body:
        return "tool"
    if body.get("output_config", {}).get("format"):
        return "json_schema"
    return str(body.get("response_format", {}).get("type", "words"))


async def structured_outcome(service: LLMService, number: int) -> str:
    """What became of one request for structured output: whole, a typed error of ours, or lost."""
    model = f"{('openai', 'anthropic')[number // 12 % 2]}:ladder-{number // 24 % 20}"
    request = LLMRequest(messages=(Message(role="user", content=f"Say #{number}"),), model=model, purpose="plan")
    try:
        value, _ = await service.complete_json(request, StructuredAnswer)
    except RomaError as error:
        is_ours = error.code is ErrorCode.LLM_BUDGET or "breaker" in error.details
        return error.code.value if is_ours else "structured answer lost"
    except Exception as error:  # noqa: BLE001  (that there is none is what is measured)
        return f"unhandled {type(error).__name__}"
    return "whole" if value.answer == text_of(number) else "structured answer lost"


async def outcome(service: LLMService, number: int, calls: Callable[[int], int]) -> str:
    """What became of one request; ``calls`` tells how often the server was asked for it so far."""
    if is_structured(number):
        return await structured_outcome(service, number)
    model = ("openai:soak", "anthropic:soak")[number % 2]
    request = LLMRequest(messages=(Message(role="user", content=f"Say #{number}"),), model=model)
    text, finish, asked = "", None, 0
    try:
        async with aclosing(cast(Deltas, service.stream(request))) as stream:
            async for delta in stream:
                asked = asked or calls(number)
                text = "" if delta.restart else text
                text += delta.text
                finish = delta.finish_reason or finish
    except RomaError as error:
        if THOUGHT in text:
            return "thought shown"
        if not text_of(number).startswith(text):
            return "wrong text"
        if finish:
            return "half answer"
        return "asked again" if text and calls(number) > asked else error.code.value
    except Exception as error:  # noqa: BLE001  (that there is none is what is measured)
        return f"unhandled {type(error).__name__}"
    if finish is None:
        return "half answer"
    if calls(number) > asked:
        return "asked again"
    if THOUGHT in text:
        return "thought shown"
    return "whole" if text == text_of(number) else "wrong text"


if __name__ == "__main__":
    main()
