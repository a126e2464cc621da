"""What servers really send: each shape of the corpus in ``wire/`` is read right, through each adapter.

A case is data: the server and its version, the bytes of one response, and what must come out of them. ``body`` is the
response in UTF-8, ``body_base64`` where it is none. ``expect`` holds ``text``, ``finish``, ``reasoning``, ``usage`` and
``note``, or ``error`` with words of the ``advice`` that its message gives, of what the vendor ``said``, and the text
that was shown before it (``partial``); ``never`` is what no message may hold.
"""

import base64
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from roma_core.errors import LLMError
from roma_core.llm.base import LLMRequest, Message
from roma_core.llm.providers.anthropic import AnthropicLLM
from roma_core.llm.providers.openai import OpenAILLM

FOLDER = Path(__file__).parent / "wire"
PROMPT = "Why? The moon is why the tides come and go every day."
ASK = LLMRequest(messages=(Message(role="user", content=PROMPT),))
KEY = SecretStr("sk-secret-0123456789abcdef")
PIECES = {"as one piece": 0, "in pieces of 7 bytes": 7}


@dataclass(frozen=True)
class Case:
    """One response of one server."""

    server: str
    name: str
    body: bytes
    api: str
    status: int
    headers: dict[str, str]
    expect: dict[str, Any]

    @property
    def ends_properly(self) -> bool:
        return "error" not in self.expect


def read_cases() -> Iterator[Case]:
    for path in sorted(FOLDER.glob("*.json")):
        data = json.loads(path.read_text("utf-8"))
        for raw in data["cases"]:
            body = base64.b64decode(raw["body_base64"]) if "body_base64" in raw else raw["body"].encode()
            kind = {"content-type": raw["content_type"]} if raw["content_type"] else {}
            headers = {**kind, **raw.get("headers", {})}
            yield Case(data["server"], raw["name"], body, raw["api"], raw.get("status", 200), headers, raw["expect"])


CASES = list(read_cases())


def ids(case: Case) -> str:
    return f"{case.server}: {case.name}"


@dataclass
class Outcome:
    """What an adapter made of a response."""

    text: str = ""
    reasoning: str = ""
    finish: str | None = None
    usage: Any = None
    note: str = ""
    unread_bytes: int = 0
    error: LLMError | None = None


def transport(case: Case, size: int) -> httpx2.MockTransport:
    async def pieces() -> AsyncIterator[bytes]:
        step = size or max(1, len(case.body))
        for place in range(0, len(case.body), step):
            yield case.body[place : place + step]

    async def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(case.status, headers=case.headers, content=pieces())

    return httpx2.MockTransport(answer)


async def read(case: Case, api: str, size: int) -> Outcome:
    make = OpenAILLM if api == "openai" else AnthropicLLM
    llm = make("m", api_key=KEY, base_url="http://127.0.0.1:9/v1", transport=transport(case, size))
    outcome = Outcome()
    try:
        async for delta in llm.stream(ASK):
            if delta.restart:
                outcome.reasoning, outcome.text = outcome.reasoning + outcome.text, ""
            outcome.text += delta.text
            outcome.reasoning += delta.reasoning
            outcome.finish = delta.finish_reason or outcome.finish
            outcome.usage = delta.usage or outcome.usage
            outcome.note = delta.reason or outcome.note
            outcome.unread_bytes += delta.unread_bytes
    except LLMError as error:
        outcome.error = error
    await llm.aclose()
    return outcome


def check(case: Case, outcome: Outcome) -> None:
    expect = case.expect
    if outcome.error is not None:
        check_error(expect, outcome)
        return
    if expect.get("level") == "service":
        assert (outcome.text, outcome.reasoning, outcome.finish) == ("", expect["reasoning"], "length")
        return
    assert "error" not in expect, f"read as {outcome}"
    assert (outcome.text, outcome.finish) == (expect["text"], expect["finish"])
    if "reasoning" in expect:
        assert outcome.reasoning == expect["reasoning"]
    if expect.get("usage"):
        told = {"input": "input_tokens", "output": "output_tokens", "cached": "cached_tokens"}
        told["reasoning"] = "reasoning_tokens"
        assert {name: getattr(outcome.usage, told[name]) for name in expect["usage"]} == expect["usage"]
    elif "usage" in expect:
        assert outcome.usage is None
    assert expect.get("note", "") in outcome.note
    if "unread_at_least" in expect:
        assert outcome.unread_bytes >= expect["unread_at_least"]
    else:
        assert outcome.unread_bytes <= expect.get("unread_at_most", 0)


def check_error(expect: dict[str, Any], outcome: Outcome) -> None:
    error = outcome.error
    assert error is not None
    assert (error.code.value, outcome.text) == (expect.get("error"), expect.get("partial", "")), error.message
    assert (expect.get("advice") or "") in error.message
    assert (expect.get("said") or "") in error.message
    if "never" in expect:
        assert expect["never"] not in f"{error.message} {error.details}"
    if "retry_after_s" in expect:
        assert error.retry_after_s == expect["retry_after_s"]
    assert KEY.get_secret_value() not in error.message


def test_the_corpus_holds_the_shapes_of_many_servers() -> None:
    assert len(CASES) >= 450
    assert len({case.server for case in CASES}) >= 15
    assert len({ids(case) for case in CASES}) == len(CASES)


@pytest.mark.parametrize("pieces", PIECES)
@pytest.mark.parametrize("case", CASES, ids=ids)
async def test_each_shape_is_read_right(case: Case, pieces: str) -> None:
    check(case, await read(case, case.api, PIECES[pieces]))


@pytest.mark.parametrize("case", CASES, ids=ids)
async def test_the_other_adapter_reads_it_the_same_way(case: Case) -> None:
    other = "anthropic" if case.api == "openai" else "openai"
    check(case, await read(case, other, 0))
