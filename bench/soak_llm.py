"""Thousands of requests through a server that fails in every way it can, seeded: what comes out must always be right.

Checked for every request: a whole answer with exactly its text, or one typed error; never an unhandled exception. Over
all: no call past the hard budget, no final error asked again, no more calls per request than allowed.
``ROMA_SOAK_LLM_REQUESTS`` asks for another number of requests than 10 000; what they show is printed and not kept.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import time
from collections import Counter
from collections.abc import Callable
from contextlib import aclosing
from decimal import Decimal
from typing import Any, cast

from bench import report
from roma_core.errors import ErrorCode, RomaError
from roma_core.llm.base import LLMRequest, Message, Provider
from roma_core.llm.control.budget import Budgets
from roma_core.llm.control.pricing import Price, Prices
from roma_core.llm.providers.anthropic import AnthropicLLM
from roma_core.llm.providers.openai import OpenAILLM
from roma_core.llm.providers.server import Asked, FakeModelServer, Script
from roma_core.llm.service import Deltas, Limits, LLMService
from roma_core.telemetry import logs
from roma_core.types import Usage

SEED = 20_261_122
REQUESTS = 10_000
CONCURRENCY = 32
STALL_S = 5.0
"""Short, as stalls are waited for, and long enough for a machine that is busy with something else."""
REST_S = 0.5
"""How long an open circuit rests, and who met one: without that, all other requests would be turned away at once."""
BUDGET_USD = 0.0003
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
WEIGHTS = {
    **dict.fromkeys(TRANSIENT, 2),
    **dict.fromkeys(FINAL, 1),
    **dict.fromkeys(WHOLE, 4),
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
    "From the sixth column on all must be 0."
)


async def soak(requests: int) -> list[dict[str, object]]:
    fates: dict[tuple[int, bool], list[str]] = {}

    def play(asked: Asked) -> Script:
        number = int(re.findall(r"#(\d+)", str(asked.body["messages"]))[-1])
        drawn = fates.setdefault((number, asked.anthropic), [])
        rng = random.Random(f"{SEED}/{number}/{len(drawn)}")
        fate = rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        drawn.append(fate)
        script = {**TRANSIENT, **FINAL, **WHOLE}[fate](rng, text_of(number))
        if script.status == 200 and script.raw is None:  # what a vendor would bill, also for streams that broke off
            bill.append(PRICE.cost(Usage(input_tokens=10, output_tokens=len(script.text.split()))))
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
    final_again = sum(any(f in FINAL for f in drawn[:-1]) for drawn in fates.values())
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
    options: dict[str, Any] = {"first_token_s": 30.0, "stall_s": STALL_S}
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
        prices=Prices({"openai:soak": PRICE, "anthropic:soak": PRICE}),
        budgets=budgets,
    )
    return service


async def outcome(service: LLMService, number: int, calls: Callable[[int], int]) -> str:
    """What became of one request; ``calls`` tells how often the server was asked for it so far."""
    model = ("openai:soak", "anthropic:soak")[number % 2]
    request = LLMRequest(messages=(Message(role="user", content=f"Say #{number}"),), model=model)
    text, finish, asked = "", None, 0
    try:
        async with aclosing(cast(Deltas, service.stream(request))) as stream:
            async for delta in stream:
                asked = asked or calls(number)
                text += delta.text
                finish = delta.finish_reason or finish
    except RomaError as error:
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
    return "whole" if text == text_of(number) else "wrong text"


if __name__ == "__main__":
    main()
