"""A scripted provider: answers by queue or by rule, and fails, cuts and dawdles on demand."""

from __future__ import annotations

import asyncio
import json
import re
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from typing import Any

from roma_core.errors import RomaError
from roma_core.llm.base import I_DONT_KNOW, FinishReason, LLMDelta, LLMRequest
from roma_core.markup.sentences import split_sentences
from roma_core.types import ComponentHealth, Usage


@dataclass(frozen=True)
class Reply:
    """The script of one call. Waits are in seconds."""

    text: str = ""
    finish_reason: FinishReason | None = "stop"
    """None cuts the stream: it ends without its marker, as a broken connection does."""
    error: RomaError | None = None
    error_after_words: int = 0
    """Words that are sent before ``error`` is raised."""
    first_token_wait_s: float = 0.0
    word_wait_s: float = 0.0
    usage: Usage | None = None
    """None counts the words of prompt and answer."""
    thoughts: str = ""
    """Reasoning that comes before the text, word by word and as slowly."""


ReplyRule = Callable[[LLMRequest], Reply | str]
_PASSAGE = re.compile(
    r"^<(?P<fence>passage-\w+) number=\"(?P<number>\d+)\"[^>]*>\n(?P<text>.*?)\n</(?P=fence)>$",
    re.MULTILINE | re.DOTALL,
)
"""A numbered passage as answer prompts hold it."""


class FakeLLM:
    """Answers with ``replies`` in turn, then by ``rule`` (by default ``first_passage``). Deterministic.

    ``requests`` holds what was asked, ``calls`` counts it, ``closed`` counts streams left before their end.
    """

    def __init__(
        self,
        replies: Iterable[Reply | str] = (),
        *,
        rule: ReplyRule | None = None,
        name: str = "fake:fake",
    ) -> None:
        self._queue = deque(replies)
        self._rule = rule or first_passage
        self._name = name
        self.requests: list[LLMRequest] = []
        self.closed = 0

    @property
    def name(self) -> str:
        return self._name

    @property
    def endpoint(self) -> str:
        return self.name

    @property
    def thinking_tokens(self) -> int:
        return 0

    @property
    def fingerprint(self) -> str:
        return self._name

    @property
    def calls(self) -> int:
        return len(self.requests)

    async def ready(self) -> None:
        """Nothing is loaded here."""

    async def health(self) -> ComponentHealth:
        return ComponentHealth()

    async def aclose(self) -> None:
        """Nothing is held open."""

    async def stream(self, request: LLMRequest) -> AsyncIterator[LLMDelta]:
        self.requests.append(request)
        scripted = self._queue.popleft() if self._queue else self._rule(request)
        reply = scripted if isinstance(scripted, Reply) else Reply(scripted)
        try:
            await asyncio.sleep(reply.first_token_wait_s)
            for thought in re.findall(r"\s*\S+\s*$|\s*\S+", reply.thoughts):
                yield LLMDelta(reasoning=thought)
                await asyncio.sleep(reply.word_wait_s)
            for sent, word in enumerate(re.findall(r"\s*\S+\s*$|\s*\S+", reply.text)):
                if reply.error is not None and sent >= reply.error_after_words:
                    break
                if sent:
                    await asyncio.sleep(reply.word_wait_s)
                yield LLMDelta(text=word)
            if reply.error is not None:
                raise reply.error
            if reply.finish_reason is not None:
                yield self._finish(request, reply)
        except (GeneratorExit, asyncio.CancelledError):
            self.closed += 1
            raise

    def _finish(self, request: LLMRequest, reply: Reply) -> LLMDelta:
        provider, _, model = self._name.partition(":")
        return LLMDelta(
            finish_reason=reply.finish_reason,
            usage=reply.usage or count_words(request, reply.text),
            provider=provider,
            model=model,
            request_id=f"fake-{self.calls}",
        )


def count_words(request: LLMRequest, text: str) -> Usage:
    """Usage with a token a word."""
    asked = sum(len(m.content.split()) for m in request.messages)
    return Usage(calls=1, input_tokens=asked, output_tokens=len(text.split()))


def first_passage(request: LLMRequest) -> Reply:
    """The first sentence of the first passage with its marker; the least instance of a wanted schema."""
    if request.json_schema is not None:
        return Reply(json.dumps(least_instance(request.json_schema)))
    for number, text in enumerate(read_passages(request), start=1):
        for sentence in split_sentences(text):
            if sentence.kind in {"paragraph", "list"}:
                return Reply(f"{sentence.of(text)} [{number}]")
    return Reply(I_DONT_KNOW)


def read_passages(request: LLMRequest) -> list[str]:
    """Return the texts of the passages that an answer's prompt holds, in order."""
    return [passage["text"] for passage in _PASSAGE.finditer(request.messages[-1].content)]


def read_question(request: LLMRequest) -> str:
    """Return the question that an answer's prompt asks."""
    asked = request.messages[-1].content.rpartition("\n\nQuestion: ")[2]
    return asked.splitlines()[0] if asked else ""


def least_instance(schema: dict[str, Any], root: dict[str, Any] | None = None) -> Any:
    """The smallest value that a JSON schema (of the kind pydantic writes) allows."""
    root = root or schema
    if "$ref" in schema:
        return least_instance(root["$defs"][schema["$ref"].rsplit("/", 1)[-1]], root)
    for keyword in ("const", "default"):
        if keyword in schema:
            return schema[keyword]
    if "enum" in schema:
        return schema["enum"][0]
    for keyword in ("anyOf", "oneOf", "allOf"):
        if keyword in schema:
            return least_instance(schema[keyword][0], root)
    match schema.get("type"):
        case "object":
            wanted = schema.get("required", [])
            return {name: least_instance(schema["properties"][name], root) for name in wanted}
        case "array":
            return [least_instance(schema.get("items", {}), root)] * schema.get("minItems", 0)
        case "string":
            return "x" * schema.get("minLength", 0)
        case "integer" | "number":
            return schema.get("minimum", 0)
        case "boolean":
            return False
    return None
