"""OpenAI, and every server that speaks its chat completions: vLLM, Ollama, llama.cpp, gateways."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from roma_core.errors import ErrorCode, LLMError
from roma_core.llm.base import FinishReason, LLMDelta, LLMRequest, Message
from roma_core.llm.faults import FaultTable, fault, from_response, mapped
from roma_core.llm.schemas import schema_instruction, strict_schema
from roma_core.llm.wire import Clients, Refusals, count_of, ended, http_options, text_of, transport_faults, unreachable
from roma_core.types import Usage

if TYPE_CHECKING:
    import httpx2
    import openai
    from openai.types.chat import ChatCompletionChunk

OFFICIAL_URL = "https://api.openai.com/v1"
DEFAULT_MODEL = "gpt-4o-mini"

_FINISH: dict[str, FinishReason] = {
    "stop": "stop",
    "eos": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "max_tokens": "length",
    "content_filter": "content_filter",
    "refusal": "refusal",
    "tool_calls": "tool",
    "function_call": "tool",
}
"""Finish markers of OpenAI and of servers that resemble it. Others (abort, error, ...) mean that it broke off."""
_OPTIONAL = ("max_completion_tokens", "max_tokens", "temperature", "stream_options", "response_format", "stop")


class OpenAILLM:
    """One model behind chat completions. ``transport`` replaces the network in tests."""

    def __init__(
        self,
        model: str = DEFAULT_MODEL,
        *,
        api_key: SecretStr | None = None,
        base_url: str | None = None,
        max_output_tokens: int = 1024,
        first_token_s: float = 10.0,
        stall_s: float = 15.0,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self._model = model
        self._key = api_key
        self._url = (base_url or OFFICIAL_URL).rstrip("/")
        self._max_output_tokens = max_output_tokens
        self._timing: dict[str, Any] = {"first_token_s": first_token_s, "stall_s": stall_s, "transport": transport}
        self._clients: Clients[openai.AsyncOpenAI] = Clients("openai", self._make)
        self._refusals = Refusals(_OPTIONAL)

    @property
    def name(self) -> str:
        return f"openai:{self._model}"

    @property
    def generative(self) -> bool:
        return True

    @property
    def endpoint(self) -> str:
        return f"openai@{self._url}"

    @property
    def fingerprint(self) -> str:
        return f"{self.name}@{self._url}"

    @property
    def _vendor(self) -> str:
        return "OpenAI" if self._url == OFFICIAL_URL else "The model server"

    async def ready(self) -> None:
        with mapped(self._faults()):
            await self._clients.get()

    async def aclose(self) -> None:
        await self._clients.aclose()

    async def stream(self, request: LLMRequest) -> AsyncIterator[LLMDelta]:
        with mapped(self._faults()):
            client = await self._clients.get()
        with mapped((*_sdk_faults(self._vendor), *self._faults())):
            async with await self._open(client, request) as stream:
                request_id = stream.response.headers.get("x-request-id")
                finish: FinishReason | None = None
                usage: Usage | None = None
                if "event-stream" not in stream.response.headers.get("content-type", "text/event-stream"):
                    text, finish, usage = self._whole(await stream.response.aread(), stream.response.headers)
                    yield LLMDelta(text=text)
                else:
                    async for chunk in stream:
                        text, mark, counted = self._read(chunk)
                        # A declined answer ends with "stop"; the refusal came before.
                        finish = finish if finish == "refusal" else mark or finish
                        usage = counted or usage
                        if text:
                            yield LLMDelta(text=text)
                if finish is None:
                    raise ended(self._vendor)
                yield LLMDelta(
                    finish_reason=finish, usage=usage, provider="openai", model=self._model, request_id=request_id
                )

    async def _open(self, client: openai.AsyncOpenAI, request: LLMRequest) -> openai.AsyncStream[ChatCompletionChunk]:
        """Send the request; again without a parameter that the model turns out to refuse."""
        import openai

        while True:
            try:
                return await client.chat.completions.create(**self._arguments(request))  # type: ignore[no-any-return]
            except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
                if not self._refusals.learn(error.body):
                    raise

    def _arguments(self, request: LLMRequest) -> dict[str, Any]:
        messages = list(request.messages)
        arguments: dict[str, Any] = {"model": self._model, "stream": True}
        arguments[self._limit_name()] = request.max_output_tokens or self._max_output_tokens
        optional: dict[str, Any] = {
            "stream_options": {"include_usage": True},
            "temperature": request.temperature,
            "stop": list(request.stop) or None,
        }
        if request.json_schema is not None:
            if "response_format" in self._refusals:
                told = f"{messages[-1].content}\n\n{schema_instruction(request.json_schema)}"
                messages[-1] = messages[-1].model_copy(update={"content": told})
            optional["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": "answer", "strict": True, "schema": strict_schema(request.json_schema)},
            }
        kept = {k: v for k, v in optional.items() if v is not None and k not in self._refusals}
        return {**arguments, **kept, "messages": [_message(m) for m in messages]}

    def _limit_name(self) -> str:
        """OpenAI renamed ``max_tokens``; older compatible servers silently ignore the new name, so they get the old."""
        names = ("max_completion_tokens", "max_tokens")
        preferred, other = names if self._url == OFFICIAL_URL else names[::-1]
        return other if preferred in self._refusals else preferred

    def _read(self, chunk: ChatCompletionChunk) -> tuple[str, FinishReason | None, Usage | None]:
        """Text, finish marker and usage of one chunk."""
        choices = getattr(chunk, "choices", None)
        usage = _usage(getattr(chunk, "usage", None))
        if not choices:
            if usage is None and choices is None:
                raise fault(self._vendor, ErrorCode.LLM_MALFORMED)
            return "", None, usage
        delta = getattr(choices[0], "delta", None)
        refusal = text_of(getattr(delta, "refusal", None), self._vendor)
        text = text_of(getattr(delta, "content", None), self._vendor)
        mark = self._finish(getattr(choices[0], "finish_reason", None))
        return text or refusal, "refusal" if refusal else mark, usage

    def _finish(self, reason: object) -> FinishReason | None:
        if reason is None or reason == "":
            return None
        if reason not in _FINISH:
            raise ended(self._vendor)
        return _FINISH[str(reason)]

    def _whole(self, body: bytes, headers: Mapping[str, str]) -> tuple[str, FinishReason, Usage | None]:
        """A server that ignores ``stream`` and sends the answer in one piece; or no answer at all."""
        from openai.types.chat import ChatCompletion

        data = json.loads(body)
        if isinstance(data, dict) and data.get("error"):
            raise from_response(self._vendor, 200, data, headers)
        if not (isinstance(data, dict) and data.get("choices")):
            raise fault(self._vendor, ErrorCode.LLM_MALFORMED)
        answer = ChatCompletion.construct(**data)
        choice = data["choices"][0]
        message = choice.get("message") or {}
        refusal = text_of(message.get("refusal"), self._vendor)
        finish = "refusal" if refusal else self._finish(choice.get("finish_reason"))
        if finish is None:
            raise ended(self._vendor)
        return text_of(message.get("content"), self._vendor) or refusal, finish, _usage(answer.usage)

    def _make(self, sdk: Any) -> openai.AsyncOpenAI:
        made: openai.AsyncOpenAI = sdk.AsyncOpenAI(
            # Servers of one's own need no key, but the SDK needs a string.
            api_key=self._key.get_secret_value() if self._key else "none",
            base_url=self._url,
            max_retries=0,
            http_client=sdk.DefaultAsyncHttpxClient(**http_options(**self._timing)),
        )
        return made

    def _faults(self) -> FaultTable:
        return transport_faults(self._vendor)


def _message(message: Message) -> dict[str, Any]:
    """Plain text where there is no picture: many compatible servers know nothing else."""
    if not message.pictures:
        return {"role": message.role, "content": message.content}
    parts: list[dict[str, Any]] = [{"type": "image_url", "image_url": {"url": p.url}} for p in message.pictures]
    return {"role": message.role, "content": [*parts, {"type": "text", "text": message.content}]}


def _sdk_faults(vendor: str) -> FaultTable:
    import openai

    def status(error: openai.APIStatusError) -> LLMError:
        return from_response(vendor, error.status_code, error.body, error.response.headers)

    return (
        (openai.APIConnectionError, lambda e: unreachable(vendor, e)),
        (openai.APIStatusError, status),
        (openai.APIResponseValidationError, lambda e: fault(vendor, ErrorCode.LLM_MALFORMED)),
        (openai.APIError, lambda e: from_response(vendor, 200, e.body, {})),
        (openai.OpenAIError, lambda e: fault(vendor, ErrorCode.LLM_BAD_REQUEST, exception=type(e).__name__)),
    )


def _usage(raw: object) -> Usage | None:
    """Input tokens include cached ones, output tokens include reasoning: the parts are told beside the sum."""
    if raw is None:
        return None
    return Usage(
        calls=1,
        input_tokens=count_of(raw, "prompt_tokens"),
        output_tokens=count_of(raw, "completion_tokens"),
        cached_tokens=count_of(raw, "prompt_tokens_details", "cached_tokens"),
        reasoning_tokens=count_of(raw, "completion_tokens_details", "reasoning_tokens"),
    )
