"""Anthropic's messages API, and servers and gateways that speak it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from roma_core.errors import ErrorCode, LLMError
from roma_core.llm.base import FinishReason, LLMDelta, LLMRequest, Message
from roma_core.llm.faults import FaultTable, fault, from_response, mapped
from roma_core.llm.schemas import schema_instruction, strict_schema
from roma_core.llm.wire import Clients, Refusals, count_of, ended, http_options, text_of, transport_faults, unreachable
from roma_core.types import Usage

if TYPE_CHECKING:
    import anthropic
    import httpx2
    from anthropic.types import RawMessageStreamEvent

OFFICIAL_URL = "https://api.anthropic.com"
DEFAULT_MODEL = "claude-sonnet-3.5"
ALIASES = {"claude-sonnet-3.5": "claude-3-5-sonnet-latest", "claude-opus-3": "claude-3-opus-latest"}
"""Names in common use and the ids that the API knows them by. Every other id is passed on as it is."""

_FINISH: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "refusal",
    "tool_use": "tool",
}
_OPTIONAL = ("temperature", "output_config", "stop_sequences")


class AnthropicLLM:
    """One model behind the messages API. ``transport`` replaces the network in tests."""

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
        self._model = ALIASES.get(model, model)
        self._key = api_key
        self._url = (base_url or OFFICIAL_URL).rstrip("/").removesuffix("/v1")  # the SDK adds it
        self._max_output_tokens = max_output_tokens
        self._timing: dict[str, Any] = {"first_token_s": first_token_s, "stall_s": stall_s, "transport": transport}
        self._clients: Clients[anthropic.AsyncAnthropic] = Clients("anthropic", self._make)
        self._refusals = Refusals(_OPTIONAL)

    @property
    def name(self) -> str:
        return f"anthropic:{self._model}"

    @property
    def generative(self) -> bool:
        return True

    @property
    def endpoint(self) -> str:
        return f"anthropic@{self._url}"

    @property
    def fingerprint(self) -> str:
        return f"{self.name}@{self._url}"

    @property
    def _vendor(self) -> str:
        return "Anthropic" if self._url == OFFICIAL_URL else "The model server"

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
                headers = stream.response.headers
                if "event-stream" not in headers.get("content-type", "text/event-stream"):
                    raise fault(self._vendor, ErrorCode.LLM_MALFORMED)
                state = _Progress(self._vendor)
                async for event in stream:
                    text = state.take(event)
                    if text:
                        yield LLMDelta(text=text)
                if state.finish is None or not state.complete:
                    raise ended(self._vendor)
                yield LLMDelta(
                    finish_reason=state.finish,
                    usage=state.usage(),
                    provider="anthropic",
                    model=self._model,
                    request_id=headers.get("request-id"),
                )

    async def _open(
        self, client: anthropic.AsyncAnthropic, request: LLMRequest
    ) -> anthropic.AsyncStream[RawMessageStreamEvent]:
        """Send the request; again without a parameter that the model turns out to refuse."""
        import anthropic

        while True:
            try:
                return await client.messages.create(**self._arguments(request))  # type: ignore[no-any-return]
            except (anthropic.BadRequestError, anthropic.UnprocessableEntityError) as error:
                if not self._refusals.learn(error.body):
                    raise

    def _arguments(self, request: LLMRequest) -> dict[str, Any]:
        system = [m.content for m in request.messages if m.role == "system"]
        arguments: dict[str, Any] = {
            "model": self._model,
            "stream": True,
            "max_tokens": request.max_output_tokens or self._max_output_tokens,
            "messages": [_message(m) for m in request.messages if m.role != "system"],
        }
        if request.temperature is not None and "temperature" not in self._refusals:
            arguments["extra_body"] = {"temperature": request.temperature}  # no parameter of the SDK any more
        if request.stop and "stop_sequences" not in self._refusals:
            arguments["stop_sequences"] = list(request.stop)
        if request.json_schema is not None:
            if "output_config" in self._refusals:
                system.append(schema_instruction(request.json_schema))
            else:
                wanted = {"type": "json_schema", "schema": strict_schema(request.json_schema)}
                arguments["output_config"] = {"format": wanted}
        if system:
            arguments["system"] = "\n\n".join(system)
        return arguments

    def _make(self, sdk: Any) -> anthropic.AsyncAnthropic:
        made: anthropic.AsyncAnthropic = sdk.AsyncAnthropic(
            # Servers of one's own need no key, but without one the SDK raises TypeError at the first call.
            api_key=self._key.get_secret_value() if self._key else "none",
            base_url=self._url,
            max_retries=0,
            http_client=sdk.DefaultAsyncHttpxClient(**http_options(**self._timing)),
        )
        return made

    def _faults(self) -> FaultTable:
        return transport_faults(self._vendor)


def _message(message: Message) -> dict[str, Any]:
    if not message.pictures:
        return {"role": message.role, "content": message.content}
    parts: list[dict[str, Any]] = [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": p.base64}}
        for p in message.pictures
    ]
    return {"role": message.role, "content": [*parts, {"type": "text", "text": message.content}]}


class _Progress:
    """What the events of one stream have told so far."""

    def __init__(self, vendor: str) -> None:
        self._vendor = vendor
        self._counts: dict[str, int] = {}
        self.finish: FinishReason | None = None
        self.complete = False

    def take(self, event: RawMessageStreamEvent) -> str:
        """Note what ``event`` says; returns its text."""
        match getattr(event, "type", None):
            case "message_start":
                self._count(getattr(getattr(event, "message", None), "usage", None))
            case "content_block_delta":
                return text_of(getattr(getattr(event, "delta", None), "text", None), self._vendor)
            case "message_delta":
                self._count(getattr(event, "usage", None))
                reason = getattr(getattr(event, "delta", None), "stop_reason", None)
                if reason is not None and reason not in _FINISH:
                    raise ended(self._vendor)
                self.finish = _FINISH[reason] if reason is not None else self.finish
            case "message_stop":
                self.complete = True
            case None:
                raise fault(self._vendor, ErrorCode.LLM_MALFORMED)
        return ""

    def _count(self, raw: object) -> None:
        """Counts are cumulative: the last one that is told holds."""
        for name in ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"):
            if count := count_of(raw, name):
                self._counts[name] = count

    def usage(self) -> Usage | None:
        """Input tokens include what was read from or written to the vendor's prompt cache."""
        if not self._counts:
            return None
        cached = self._counts.get("cache_read_input_tokens", 0)
        written = self._counts.get("cache_creation_input_tokens", 0)
        return Usage(
            calls=1,
            input_tokens=self._counts.get("input_tokens", 0) + cached + written,
            output_tokens=self._counts.get("output_tokens", 0),
            cached_tokens=cached,
        )


def _sdk_faults(vendor: str) -> FaultTable:
    import anthropic

    def status(error: anthropic.APIStatusError) -> LLMError:
        return from_response(vendor, error.status_code, error.body, error.response.headers)

    return (
        (anthropic.APIConnectionError, lambda e: unreachable(vendor, e)),
        (anthropic.APIStatusError, status),
        (anthropic.APIResponseValidationError, lambda e: fault(vendor, ErrorCode.LLM_MALFORMED)),
        (anthropic.APIError, lambda e: from_response(vendor, 200, e.body, {})),
        (anthropic.AnthropicError, lambda e: fault(vendor, ErrorCode.LLM_BAD_REQUEST, exception=type(e).__name__)),
    )
