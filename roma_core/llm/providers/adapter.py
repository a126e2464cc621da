"""A model behind a vendor's SDK: everything but the shapes of that vendor's requests.

The SDKs come from one generator, so their clients and errors have the same members. They make the request; the bytes
of the response are read by ``reader.py``, since what an SDK does not expect it drops in silence or calls an error.
"""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, TypedDict, Unpack

from pydantic import SecretStr

from roma_core.errors import ErrorCode, LLMError
from roma_core.llm.base import LLMDelta, LLMRequest, Message, Picture
from roma_core.llm.providers.faults import FaultTable, Private, fault, from_response, map_faults, read_error
from roma_core.llm.providers.meanings import meaning_of
from roma_core.llm.providers.reader import WireReader
from roma_core.llm.providers.retired import find_retirement
from roma_core.llm.providers.spec import Reach
from roma_core.llm.providers.wire import ClientPool, Endpoint, RejectedParameters, Rung, SchemaLadder
from roma_core.telemetry import logs
from roma_core.telemetry.health import Probe, make_model_server_probe
from roma_core.types import ComponentHealth

if TYPE_CHECKING:
    import httpx2

log = logs.get("llm")


@dataclass(frozen=True)
class Vendor:
    """The differences of one SDK and the API behind it."""

    name: str
    """The name in ``provider:model``."""
    title: str
    """The name for people."""
    url: str
    path: str
    client: str
    error: str
    """Names of the SDK's client and of the root of its errors."""
    request_id: str
    """The header that holds it."""
    optional: tuple[str, ...]
    """Parameters that a call can do without when a model rejects them."""
    default_model: str
    ladder: tuple[Rung, ...]
    """Ways to structured output, best first."""
    aliases: Mapping[str, str] = field(default_factory=dict)
    """Names in common use and the ids that the API knows them by. Every other id is passed on as it is."""
    version: str = ""
    """The part of the path that people put at the end of addresses, or not."""


class ReachChanges(TypedDict, total=False):
    """Fields of ``Reach``, as keyword arguments."""

    api_key: SecretStr | None
    base_url: str | None
    max_output_tokens: int
    first_token_s: float
    stall_s: float
    headers: Mapping[str, str]
    extra_body: Mapping[str, Any]
    thinking_tokens: int | None
    effort: str | None
    api_version: str
    deployment: str | None


UNASKED_THINKING_TOKENS = 4096
"""Room that is given to a model that was seen to think, when no setting says how much."""

_NOT_ABOUT_THE_SCHEMA = frozenset(
    {
        ErrorCode.LLM_AUTH,
        ErrorCode.LLM_QUOTA,
        ErrorCode.LLM_RATE_LIMIT,
        ErrorCode.LLM_CONTEXT_LENGTH,
        ErrorCode.LLM_TIMEOUT,
        ErrorCode.LLM_REFUSED,
    }
)
_REST_S = 0.25
"""Longest wait for the end of a response, so that its connection can be used again."""


@dataclass(frozen=True)
class Call:
    """One request on its way, in the shape that is sent."""

    request: LLMRequest
    rung: Rung | None
    """The way to structured output; None when there is no schema."""
    private: Private


class VendorLLM(ABC):
    """One model of ``vendor``, or of a server that speaks its API. ``transport`` replaces the network in tests."""

    vendor: ClassVar[Vendor]

    def __init__(
        self,
        model: str | None = None,
        reach: Reach | None = None,
        *,
        transport: httpx2.AsyncBaseTransport | None = None,
        **changes: Unpack[ReachChanges],
    ) -> None:
        self.reach = replace(reach or Reach(), **changes)
        model = (model or "").strip() or self.vendor.default_model
        self._model = self.vendor.aliases.get(model, model)
        if model != self._model:
            log.warning(
                "llm_model_renamed",
                provider=self.vendor.name,
                asked=model,
                model=self._model,
                reason=f"{model} is retired; {self._model} answers in its place. Set LLM_MODEL to the model you want.",
            )
        self._endpoint = Endpoint.parse(self.reach.base_url or self.vendor.url, self.vendor.version)
        self._transport = transport
        self._clients: ClientPool[Any] = ClientPool(self._load, self._make)
        self._rejected = RejectedParameters(self.vendor.optional)
        self._ladder = SchemaLadder(self.vendor.ladder)
        self._thinks = False

    @property
    def name(self) -> str:
        return f"{self.vendor.name}:{self._model}"

    @property
    def endpoint(self) -> str:
        return f"{self.vendor.name}@{self._endpoint.url}"

    @property
    def fingerprint(self) -> str:
        settings = [f"{name}={value}" for name, value in self._decisive().items()]
        return "&".join([f"{self.name}@{self._endpoint.url}", *settings])

    @property
    def official(self) -> bool:
        """Return whether the vendor itself is asked."""
        return self._endpoint.url == Endpoint.parse(self.vendor.url, self.vendor.version).url

    @property
    def thinking_tokens(self) -> int:
        """Return how many tokens thoughts may take beside those of the answer."""
        if self.reach.thinking_tokens is not None:
            return self.reach.thinking_tokens
        return UNASKED_THINKING_TOKENS if self._thinks else 0

    @property
    def traits(self) -> Mapping[str, Any]:
        """Return what has been learned about the model: its rung of structured output, what it rejects, thoughts."""
        return {
            "structured_output": self._ladder.rung if self._ladder.proven else f"{self._ladder.rung} (not tried)",
            "rejects": list(self._rejected),
            "thinks": self._thinks,
        }

    async def ready(self) -> None:
        await self._clients.get()

    async def health(self) -> ComponentHealth:
        """Ask the server for its list of models, with the key and on the way of a call.

        A model that the vendor has retired, or that is not in the list, degrades it.
        """
        status = await self._ask_for_models()
        retirement = find_retirement(self.vendor.name, self._model) if self.official else None
        if retirement is not None and status.state == "ok":
            reason = (
                f"{self._server} has retired {self._model} on {retirement.day}; set LLM_MODEL to {retirement.successor}"
            )
            return ComponentHealth(state="degraded", reason=reason, details=status.details)
        return status

    async def aclose(self) -> None:
        await self._clients.aclose()

    async def stream(self, request: LLMRequest) -> AsyncIterator[LLMDelta]:
        """Yield the answer. Before its first token a delta without content is a sign of life."""
        client = await self._clients.get()
        key = self.reach.api_key.get_secret_value() if self.reach.api_key else ""
        private = (key, *(message.content for message in request.messages))
        call = Call(request, self._ladder.rung if request.json_schema else None, private)
        with map_faults(self._faults(private)):
            events, call = await self._open(client, call)
            self._note_accepted(request)
            async with events:
                response = events.response
                reader = self._reader(response.headers, call)
                chunks = aiter(response.aiter_bytes())
                begun = False
                while not reader.ended:
                    try:
                        chunk = await anext(chunks)
                    except StopAsyncIteration:
                        break
                    except tuple(kind for kind, _ in self._faults(private)):
                        # Whatever ends the connection once the answer is whole costs the connection alone.
                        if reader.complete:
                            break
                        raise
                    deltas = reader.feed(chunk)
                    for delta in deltas:
                        yield delta
                    if not begun and any(delta.text or delta.reasoning for delta in deltas):
                        begun = True
                        response.stream.silence_s = self.reach.stall_s
                    if not begun and not deltas:
                        yield LLMDelta()
                if reader.ended:
                    await _drain(chunks)
                for delta in reader.close():
                    yield delta
                yield self._last(reader, response.headers)

    def _last(self, reader: WireReader, headers: Mapping[str, str]) -> LLMDelta:
        usage = reader.counts.usage
        if reader.thought or (usage is not None and usage.reasoning_tokens):
            self._thinks = True
        return LLMDelta(
            finish_reason=reader.finish,
            usage=usage,
            provider=self.vendor.name,
            model=self._model,
            reason=reader.note or None,
            request_id=headers.get(self.vendor.request_id),
            unread_bytes=reader.unread_bytes,
        )

    # --- what a vendor's adapter says ---

    @staticmethod
    @abstractmethod
    def _load() -> Any:
        """Import the SDK and what speaks HTTP for it."""

    @abstractmethod
    def _body(self, request: LLMRequest, rung: Rung | None) -> dict[str, Any]:
        """Return the request as the API wants it, without the parameters that the model is known to reject."""

    @staticmethod
    @abstractmethod
    def _headers(key: str) -> dict[str, str]:
        """Return how the API is told the key, as the SDK does it."""

    @staticmethod
    @abstractmethod
    def _picture(picture: Picture) -> dict[str, Any]:
        """Return a picture as a part of a message's content."""

    def _note_accepted(self, request: LLMRequest) -> None:
        """Remember a request that the server has taken; for vendors whose prompt cache must be asked for."""
        return

    def _message(self, message: Message) -> dict[str, Any]:
        """Return a message; plain text where there is no picture: many compatible servers know nothing else."""
        if not message.pictures:
            return {"role": message.role, "content": message.content}
        parts = [self._picture(picture) for picture in message.pictures]
        return {"role": message.role, "content": [*parts, {"type": "text", "text": message.content}]}

    # --- the call ---

    def _decisive(self) -> dict[str, str]:
        """Return settings of this provider that decide an answer besides the request; the usual ones are left out."""
        settings = {
            "query": "&".join("=".join(pair) for pair in self._endpoint.query),
            "body": json.dumps(dict(self.reach.extra_body), sort_keys=True) if self.reach.extra_body else "",
            "thinking": "" if self.reach.thinking_tokens is None else str(self.reach.thinking_tokens),
            "effort": self.reach.effort or "",
        }
        return {name: value for name, value in settings.items() if value}

    @property
    def _server(self) -> str:
        """Return the provider's name for errors. Not its address: clients need not know where models run."""
        return self.vendor.title if self.official else self.name

    def _limit(self, request: LLMRequest) -> int:
        """Return the most tokens that may be generated: those of the answer and those of thoughts."""
        return (request.max_output_tokens or self.reach.max_output_tokens) + self.thinking_tokens

    def _reader(self, headers: Mapping[str, str], call: Call) -> WireReader:
        return WireReader(self._server, headers, read_tool_calls=call.rung == "tool", private=call.private)

    @cached_property
    def _ask_for_models(self) -> Probe:
        return make_model_server_probe(
            self._list_url,
            name=self._server,
            headers={**self._headers(self._key), **self._own_headers()},
            query=dict(self._endpoint.query) or None,
            model=self._listed_model,
            transport=self._transport,
        )

    @property
    def _list_url(self) -> str:
        """Return the address below which the server has its list of models."""
        return self._endpoint.url + self.vendor.version

    @property
    def _listed_model(self) -> str:
        """Return the model that must be in that list; empty where the list says nothing about it."""
        return self._model

    @property
    def _key(self) -> str:
        """Return the key. Servers of one's own need none, but the SDKs need a string."""
        return self.reach.api_key.get_secret_value() if self.reach.api_key else "none"

    def _own_headers(self) -> dict[str, str]:
        azure = {"api-key": self._key} if self._endpoint.is_azure and self.reach.api_key else {}
        return {**azure, **self.reach.headers}

    async def _open(self, client: Any, call: Call) -> tuple[Any, Call]:
        """Send the request; again without what the model turns out to reject, each thing once."""
        sdk = self._clients.sdk
        rung, first_error = call.rung, None
        while True:
            try:
                body = {**self._body(call.request, rung), **self.reach.extra_body}
                events = await client.post(
                    self.vendor.version + self.vendor.path,
                    body=body,
                    cast_to=object,
                    stream=True,
                    stream_cls=sdk.AsyncStream[object],
                )
            except sdk.APIStatusError as error:
                if self._may_reject(error) and self._rejected.learn(_body_of(error.response)):
                    continue
                first_error = first_error or error
                lower = self._ladder.below(rung) if rung and _may_be_the_schema(error) else None
                if lower is None:
                    raise first_error from None
                rung = lower
            else:
                if rung is not None:
                    self._ladder.settle(rung)
                return events, replace(call, rung=rung)

    @staticmethod
    def _may_reject(error: Any) -> bool:
        return error.status_code in {400, 404, 405, 415, 422, 501}

    def _make(self, sdk: Any) -> Any:
        from roma_core.llm.providers.transport import http_options, transport_faults, without_credentials

        url, headers = without_credentials(self._endpoint.url)
        options = http_options(
            first_token_s=self.reach.first_token_s, stall_s=self.reach.stall_s, transport=self._transport
        )
        with map_faults(transport_faults(self._server)):
            return getattr(sdk, self.vendor.client)(
                api_key=self._key,
                default_headers={**headers, **self._own_headers()},
                max_retries=0,
                http_client=sdk.DefaultAioHttpClient(**options),
                **self._client_options(url),
            )

    def _client_options(self, url: str) -> dict[str, Any]:
        """Return how the SDK's client is told the address, which has no credentials."""
        return {"base_url": url, "default_query": dict(self._endpoint.query) or None}

    def _faults(self, private: Private) -> FaultTable:
        """Return what becomes of the errors of the SDK, and of those that pass through it."""
        from roma_core.llm.providers.transport import transport_faults, unreachable

        sdk, server = self._clients.sdk, self._server

        def by_status(error: Any) -> LLMError:
            response = error.response
            return from_response(server, error.status_code, _body_of(response), response.headers, private)

        def unusable(error: Any) -> LLMError:
            return fault(server, ErrorCode.LLM_BAD_REQUEST, exception=type(error).__name__)

        return (
            (sdk.APIConnectionError, lambda e: unreachable(server, e)),
            (sdk.APIStatusError, by_status),
            (sdk.APIResponseValidationError, lambda e: fault(server, ErrorCode.LLM_MALFORMED)),
            (sdk.APIError, lambda e: from_response(server, 200, e.body, {}, private)),
            (getattr(sdk, self.vendor.error), unusable),
            *transport_faults(server),
        )


def _body_of(response: Any) -> object:
    """Return the body of an error as JSON, or else as text."""
    try:
        text = response.text
        return json.loads(text)
    except ValueError:
        return text
    except RuntimeError:  # it was closed before it was read
        return ""


def _may_be_the_schema(error: Any) -> bool:
    """Return whether a refusal may come from the schema: any 4xx or 501 that says nothing else for certain."""
    if not (400 <= error.status_code < 500 or error.status_code == 501):
        return False
    said = read_error(_body_of(error.response))
    if "response_format" in said.sentence or "json_schema" in said.sentence or "structured" in said.sentence.lower():
        return True
    if error.status_code in {401, 402, 403, 408, 413, 429}:
        return False
    meaning = meaning_of(error.status_code, said.words, said.sentence)
    return meaning is None or meaning.code not in _NOT_ABOUT_THE_SCHEMA


async def _drain(chunks: AsyncIterator[bytes]) -> None:
    """Read the end of a response, which is mostly there already."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_REST_S):
            async for _ in chunks:
                pass
