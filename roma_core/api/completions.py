"""A door for clients of OpenAI: ``POST /v1/chat/completions`` and ``GET /v1/models``.

The answer is that of ``/query``, with the same tokens and limits. ``model`` chooses persona and pipeline
(``roma-technical/quotes``), the earlier messages are the conversation, and citations are annotations. What a client
sends beyond that (temperature, system prompts, tools) does not reach the model: ROMA's own prompt decides.
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Literal, get_args

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator
from starlette.types import Receive, Scope, Send

from roma_core.agents.orchestrator import THINKING
from roma_core.agents.tailor import CUT_REASON, DECLINED_REASON
from roma_core.api.problems import STATUS, describe_error, make_problem
from roma_core.api.query import answer_whole, get_principal, get_system
from roma_core.api.schemas import MOST_FIELDS, Body, Filter, FilterName
from roma_core.api.sse import KEEP_ALIVE_S, AnswerResponse, AnswerStream, log_client_gone, wait_until_gone
from roma_core.app import Roma
from roma_core.errors import InputError, NotFoundError, request_id, suggest_name
from roma_core.types import (
    Citation,
    CompleteEvent,
    ErrorEvent,
    Exchange,
    Persona,
    Principal,
    Query,
    StageEvent,
    StreamEvent,
    TailorOutput,
    TokenEvent,
    Usage,
)

router = APIRouter(prefix="/v1", tags=["openai"])

BASE_MODEL = "roma"
MOST_MESSAGES = 1000
MOST_CHARS = 100_000
_ALIGNED_CHARS = 50_000
"""Longest answer whose annotations are moved to the words that were streamed; it takes a second."""


class ContentPart(BaseModel):
    """A part of a message. Parts that are no text are refused in a question, and left out elsewhere."""

    model_config = ConfigDict(extra="ignore")

    type: str = Field(default="text", max_length=100)
    text: str | None = Field(default=None, max_length=MOST_CHARS)


class ChatMessage(BaseModel):
    """A message of the conversation."""

    model_config = ConfigDict(extra="ignore")

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[ContentPart] | None = Field(default=None, max_length=MOST_CHARS)

    @property
    def text(self) -> str:
        """Return the words of the message."""
        if isinstance(self.content, str):
            return self.content
        return "\n".join(part.text for part in self.content or () if part.text)

    @property
    def has_other_parts(self) -> bool:
        """Return whether the message holds pictures, sound or files."""
        return isinstance(self.content, list) and any(part.text is None for part in self.content)


class StreamOptions(BaseModel):
    """Report of a streamed answer."""

    model_config = ConfigDict(extra="ignore")

    include_usage: bool = False


class RomaOptions(Body):
    """ROMA's own fields, as of `/query`."""

    top_k: int = Field(default=5, ge=1, le=50, description="Passages that the answer may use.")
    filters: dict[FilterName, Filter] = Field(default_factory=dict, description="Which documents may be used.")
    session_id: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9_.:-]{1,64}$",
        description="A conversation that ROMA keeps, in place of the earlier messages.",
    )
    show_thinking: bool = Field(default=False, description="Send thoughts as `reasoning_content`.")
    checked: bool = Field(
        default=False,
        description="Stream no word before the answer is checked. Else the words come as they are written, and the "
        "checked answer is `roma.answer` of the last chunk.",
    )


class CompletionBody(BaseModel):
    """A request of a chat client; fields that ROMA does not know are ignored."""

    model_config = ConfigDict(
        extra="ignore",
        json_schema_extra={
            "examples": [{"model": "roma", "messages": [{"role": "user", "content": "What does tenacity do?"}]}]
        },
    )

    model: str = Field(max_length=200, description="One of `/v1/models`.")
    messages: list[ChatMessage] = Field(min_length=1, max_length=MOST_MESSAGES)
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    n: int | None = Field(default=1, ge=1, le=1, description="One answer is given.")
    tool_choice: Any = Field(default=None, description="`none` or `auto`: no tool is ever called.")
    roma: RomaOptions = Field(default_factory=RomaOptions)

    @model_validator(mode="before")
    @classmethod
    def _few_fields(cls, data: Any) -> Any:
        if isinstance(data, dict) and len(data) > MOST_FIELDS:
            raise ValueError(f"at most {MOST_FIELDS} fields are allowed")
        return data

    @model_validator(mode="after")
    def _no_forced_tool(self) -> CompletionBody:
        if self.tool_choice not in (None, "none", "auto"):
            raise ValueError("tool_choice: ROMA calls no tools; leave it out")
        return self

    def query(self, who: Principal, persona: Persona) -> Query:
        """Return the last message as a question of ``who``, with what was said before. Raises ``InputError``."""
        last = self.messages[-1]
        if last.role != "user":
            raise InputError("The last message must be the question, of the role 'user'.")
        if last.has_other_parts:
            raise InputError("ROMA reads text alone; send the question without pictures, sound and files.")
        return Query(
            text=last.text,
            persona=persona,
            top_k=self.roma.top_k,
            filters={str(name): value for name, value in self.roma.filters.items()},
            session_id=self.roma.session_id,
            history=tuple(read_exchanges(self.messages[:-1])),
            principal=who,
            show_thinking=self.roma.show_thinking,
        )


def read_exchanges(messages: Sequence[ChatMessage]) -> Iterator[Exchange]:
    """Yield the questions of a conversation with their answers, oldest first."""
    question = ""
    for message in messages:
        if message.role == "user":
            if question:
                yield Exchange(question=question)
            question = message.text
        elif message.role == "assistant" and question:
            yield Exchange(question=question, answer=message.text)
            question = ""
    if question:
        yield Exchange(question=question)


# --- models ---


@dataclass(frozen=True)
class ModelChoice:
    """The persona and the pipeline that a model's name stands for."""

    persona: Persona
    pipeline: str = ""


def list_models(roma: Roma) -> dict[str, ModelChoice]:
    """Return what ``model`` may be: ``roma``, ``roma-PERSONA``, and each with ``/PIPELINE`` behind it."""
    personas: tuple[Persona, ...] = get_args(Persona)
    bases: dict[str, Persona] = {BASE_MODEL: "general", **{f"{BASE_MODEL}-{persona}": persona for persona in personas}}
    choices = {name: ModelChoice(persona) for name, persona in bases.items()}
    for pipeline in roma.pipelines:
        choices |= {f"{name}/{pipeline}": ModelChoice(persona, pipeline) for name, persona in bases.items()}
    return choices


async def find_model(roma: Roma, name: str) -> ModelChoice:
    """Return the choice that ``name`` stands for. Raises ``NotFoundError`` that names the nearest one."""
    choices = await asyncio.to_thread(list_models, roma)
    if name not in choices:
        raise NotFoundError(f"There is no model {name[:100]!r}. {suggest_name(name, tuple(choices))}")
    return choices[name]


@router.get("/models", summary="Personas and pipelines, as models")
async def models(request: Request) -> dict[str, Any]:
    """Return what `model` may be."""
    choices = await asyncio.to_thread(list_models, get_system(request))
    return {"object": "list", "data": [_describe_model(name) for name in choices]}


@router.get("/models/{model:path}", summary="One model")
async def model(request: Request, model: str) -> dict[str, Any]:
    """Return one of the models."""
    await find_model(get_system(request), model)
    return _describe_model(model)


def _describe_model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "roma"}


# --- answers ---


@router.post("/chat/completions", summary="Ask a question, as OpenAI's clients do")
async def complete(request: Request, body: CompletionBody) -> Response:
    """Answer the last message. Citations are `annotations`; `roma` holds the whole answer as of `/query`."""
    who, roma = get_principal(request), get_system(request)
    chosen = await find_model(roma, body.model)
    events = roma.stream_query(body.query(who, chosen.persona), pipeline=chosen.pipeline)
    if not body.stream:
        return await answer_whole(request, events, lambda output: _show_completion(body.model, output))
    usage = body.stream_options is not None and body.stream_options.include_usage
    encoder = ChunkEncoder(body.model, include_usage=usage, checked=body.roma.checked)
    return CompletionResponse(request.app.state.streams.start(events, who.subject, 0.0, encoder), request.url.path)


def _show_completion(model: str, output: TailorOutput) -> bytes:
    message = {
        "role": "assistant",
        "content": output.answer,
        "refusal": None,
        "annotations": [
            annotate(citation, citation.answer_start, citation.answer_end) for citation in output.citations
        ],
    }
    completion = {
        "id": f"chatcmpl-{output.answer_id or uuid.uuid4().hex}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": find_finish_reason(output)}],
        "usage": count_usage(output.usage),
        "roma": show_output(output),
    }
    return json.dumps(completion, ensure_ascii=False).encode()


def annotate(citation: Citation, start: int, end: int) -> dict[str, Any]:
    """Return a citation as an annotation of the answer's code points from ``start`` to ``end``.

    ``start`` and ``end`` inside of it are the offsets of the quote in the source, as in ``/query``.
    """
    return {
        "type": "url_citation",
        "url_citation": {
            "url": citation.uri,
            "title": citation.title,
            "start_index": start,
            "end_index": end,
            "verdict": citation.verdict,
            "marker": citation.marker,
            "quote": citation.quote,
            "document_id": citation.document_id,
            "start": citation.start,
            "end": citation.end,
            "place": citation.place,
            "page": citation.page,
        },
    }


def count_usage(usage: Usage) -> dict[str, Any]:
    """Return the tokens of an answer under OpenAI's names."""
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }


def find_finish_reason(output: TailorOutput) -> str:
    """Return why the answer ended, in OpenAI's words."""
    if CUT_REASON in output.degraded_reasons:
        return "length"
    return "content_filter" if DECLINED_REASON in output.degraded_reasons else "stop"


def show_output(output: TailorOutput) -> dict[str, Any]:
    """Return the whole answer as ``/query`` gives it."""
    return output.model_dump(mode="json", exclude={"passages"})


# --- streams ---


class ChunkEncoder:
    """Encoder of one answer's events as chunks of a completion."""

    def __init__(self, model: str, *, include_usage: bool, checked: bool) -> None:
        self._frame = {
            "id": f"chatcmpl-{uuid.uuid4().hex}",
            "object": "chat.completion.chunk",
            "created": int(time.time()),
            "model": model,
        }
        self._include_usage = include_usage
        self._checked = checked
        self._pieces: list[str] = []
        self._has_begun = False

    def __call__(self, event: StreamEvent, event_id: str) -> bytes:
        """Return the chunks of an event; none for the stages of the pipeline, and for words that are to be checked."""
        match event:
            case TokenEvent() if not self._checked:
                self._pieces.append(event.text)
                return self._delta({"content": event.text})
            case StageEvent(stage=stage, detail={"text": str(text)}) if stage == THINKING:
                return self._delta({"reasoning_content": text}) if text else b""
            case CompleteEvent():
                return self._finish(event.output)
            case ErrorEvent():
                status = STATUS.get(event.failure.code, 500)
                return _encode({"error": describe_error(event.failure, status)})
        return b""

    def _finish(self, output: TailorOutput) -> bytes:
        streamed = "".join(self._pieces)
        parts: list[bytes] = []
        if output.answer.startswith(streamed) and output.answer != streamed:
            parts.append(self._delta({"content": output.answer[len(streamed) :]}))
            streamed = output.answer
        places = find_places(output.citations, output.answer, streamed)
        annotations = [annotate(citation, *place) for citation, place in zip(output.citations, places, strict=True)]
        if annotations:
            parts.append(self._delta({"annotations": annotations}))
        parts.append(self._delta({}, finish_reason=find_finish_reason(output), roma=show_output(output)))
        if self._include_usage:
            parts.append(_encode({**self._frame, "choices": [], "usage": count_usage(output.usage)}))
        return b"".join([*parts, b"data: [DONE]\n\n"])

    def _delta(self, delta: dict[str, Any], finish_reason: str | None = None, **more: Any) -> bytes:
        if not self._has_begun:
            self._has_begun = True
            delta = {"role": "assistant", **delta}
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return _encode({**self._frame, "choices": [choice], **more})


def find_places(citations: Sequence[Citation], answer: str, streamed: str) -> list[tuple[int, int]]:
    """Return where each citation's claim stands in ``streamed``, which may have other markers than ``answer``.

    >>> find_places([], "It was 1902. [1]", "It was 1902. (1)")
    []
    """
    places = [(citation.answer_start, citation.answer_end) for citation in citations]
    if answer == streamed or not places or max(len(answer), len(streamed)) > _ALIGNED_CHARS:
        return [(min(start, len(streamed)), min(end, len(streamed))) for start, end in places]
    opcodes = SequenceMatcher(None, answer, streamed, autojunk=False).get_opcodes()

    def move(position: int) -> int:
        for _, start, end, other_start, other_end in opcodes:
            if start <= position < end:
                return min(other_start + position - start, other_end)
        return len(streamed)

    return [(move(start), max(move(start), move(end))) for start, end in places]


class CompletionResponse(AnswerResponse):
    """A streamed completion. A failure before its first word is a response with a status of its own."""

    def __init__(self, stream: AnswerStream, path: str) -> None:
        super().__init__(stream)
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wait for the first word, for a while, and send what comes."""
        begun = asyncio.ensure_future(self.stream.begun.wait())
        gone = asyncio.ensure_future(wait_until_gone(receive))
        try:
            await asyncio.wait({begun, gone}, timeout=KEEP_ALIVE_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            begun.cancel()
            gone.cancel()
        if gone.done() and not gone.cancelled():
            log_client_gone(0, request_id.get())
            self.stream.task.cancel()
            return
        if self.stream.failure is not None and len(self.stream.sent) == 1:
            await make_problem(self.stream.failure, counted=True, path=self._path)(scope, receive, send)
            return
        await super().__call__(scope, receive, send)


def _encode(value: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n".encode()
