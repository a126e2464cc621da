"""A model behind a vendor's SDK: everything but the shapes of that vendor's requests and events.

The SDKs come from one generator, so their clients, errors and streams have the same members. Events are taken as the
JSON that they are (``cast_to=object``): the typed object that an SDK builds for each token is more work than all of the
rest, and checks nothing.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import SecretStr

from roma_core.errors import ErrorCode, LLMError
from roma_core.llm.base import FinishReason, LLMDelta, LLMRequest, Message, Picture
from roma_core.llm.providers.faults import FaultTable, fault, from_response, mapped
from roma_core.llm.providers.wire import Clients, Refusals, at
from roma_core.telemetry.health import Probe, Status, model_server
from roma_core.types import Usage

if TYPE_CHECKING:
    import httpx2


@dataclass(frozen=True)
class Vendor:
    """What is different about one SDK and the API behind it."""

    name: str
    """As in ``provider:model``; the SDK's package has the same name."""
    title: str
    """As people write it."""
    url: str
    path: str
    client: str
    error: str
    """Names of the SDK's client and of the root of its errors."""
    request_id: str
    """The header that holds it."""
    optional: tuple[str, ...]
    """Parameters that a call can do without when a model refuses them."""
    default_model: str
    aliases: Mapping[str, str] = field(default_factory=dict)
    """Names in common use and the ids that the API knows them by. Every other id is passed on as it is."""
    version: str = ""
    """The part of the path that people put at the end of addresses, or not."""


class Reading(ABC):
    """What the events of one stream have told so far."""

    def __init__(self, server: str) -> None:
        self._server = server
        self.finish: FinishReason | None = None

    @property
    def complete(self) -> bool:
        """Whether the vendor has said that nothing follows."""
        return self.finish is not None

    @abstractmethod
    def take(self, event: object) -> str:
        """Note one event, or a whole answer from a server that does not stream; returns its text.

        Events of kinds that are not known are passed over. Raises ``LLMError`` for what is no object, for text that is
        none, and for a finish marker that means "broken off".
        """

    @property
    @abstractmethod
    def usage(self) -> Usage | None:
        """As counted by the server; None when it does not say."""

    def _marked(self, marker: object, known: Mapping[str, FinishReason]) -> FinishReason | None:
        """What ``marker`` means. One that nobody knows (abort, error, ...) says that the answer broke off."""
        if not marker:
            return None
        if not isinstance(marker, str) or marker not in known:
            raise fault(self._server, ErrorCode.LLM_TRUNCATED)
        return known[marker]


class VendorLLM(ABC):
    """One model of ``vendor``, or of a server that speaks its API. ``transport`` replaces the network in tests."""

    vendor: ClassVar[Vendor]

    def __init__(
        self,
        model: str | None = None,
        *,
        api_key: SecretStr | None = None,
        base_url: str | None = None,
        max_output_tokens: int = 1024,
        first_token_s: float = 10.0,
        stall_s: float = 15.0,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        model = model or self.vendor.default_model
        self._model = self.vendor.aliases.get(model, model)
        self._key = api_key
        self._url = (base_url or self.vendor.url).rstrip("/").removesuffix(self.vendor.version)
        self._max_output_tokens = max_output_tokens
        self._timing: dict[str, Any] = {"first_token_s": first_token_s, "stall_s": stall_s, "transport": transport}
        self._clients: Clients[Any] = Clients(self.vendor.name, self._make)
        self._refusals = Refusals(self.vendor.optional)

    @property
    def name(self) -> str:
        return f"{self.vendor.name}:{self._model}"

    @property
    def generative(self) -> bool:
        return True

    @property
    def endpoint(self) -> str:
        return f"{self.vendor.name}@{self._url}"

    @property
    def fingerprint(self) -> str:
        return f"{self.name}@{self._url}"

    @property
    def official(self) -> bool:
        """Whether the vendor itself is asked."""
        return self._url == self.vendor.url

    async def ready(self) -> None:
        await self._client()

    async def health(self) -> Status:
        """Asks the server for its list of models, with the key and on the way of a call."""
        return await self._asked_for_models()

    async def aclose(self) -> None:
        await self._clients.aclose()

    async def stream(self, request: LLMRequest) -> AsyncIterator[LLMDelta]:
        client = await self._client()
        with mapped(self._faults):
            async with await self._open(client, request) as events:
                headers: Mapping[str, str] = events.response.headers
                reading = self._reading()
                if "event-stream" in headers.get("content-type", "text/event-stream"):
                    async for event in events:
                        if text := reading.take(event):
                            yield LLMDelta(text)
                else:
                    text = self._whole(reading, await events.response.aread(), headers)
                    if text and reading.complete:
                        yield LLMDelta(text)
                if not reading.complete:
                    raise fault(self._server, ErrorCode.LLM_TRUNCATED)
                yield LLMDelta(
                    finish_reason=reading.finish,
                    usage=reading.usage,
                    provider=self.vendor.name,
                    model=self._model,
                    request_id=headers.get(self.vendor.request_id),
                )

    @abstractmethod
    def _body(self, request: LLMRequest) -> dict[str, Any]:
        """The request as the API wants it, without the parameters that the model is known to refuse."""

    @staticmethod
    @abstractmethod
    def _headers(key: str) -> dict[str, str]:
        """How the API is told the key, as the SDK does it."""

    @staticmethod
    @abstractmethod
    def _picture(picture: Picture) -> dict[str, Any]:
        """A picture as a part of a message's content."""

    @abstractmethod
    def _reading(self) -> Reading: ...

    def _message(self, message: Message) -> dict[str, Any]:
        """Plain text where there is no picture: many compatible servers know nothing else."""
        if not message.pictures:
            return {"role": message.role, "content": message.content}
        parts = [self._picture(picture) for picture in message.pictures]
        return {"role": message.role, "content": [*parts, {"type": "text", "text": message.content}]}

    @property
    def _server(self) -> str:
        """Who is blamed for errors. Not the address: who asks a question need not know where models run."""
        return self.vendor.title if self.official else self.name

    @cached_property
    def _asked_for_models(self) -> Probe:
        return model_server(
            self._url + self.vendor.version,
            name=self._server,
            headers=self._headers(self._shown_key),
            transport=self._timing["transport"],
        )

    @property
    def _shown_key(self) -> str:
        """Servers of one's own need no key, but the SDKs need a string."""
        return self._key.get_secret_value() if self._key else "none"

    async def _client(self) -> Any:
        return await self._clients.get()

    async def _open(self, client: Any, request: LLMRequest) -> Any:
        """Send the request; again without a parameter that the model turns out to refuse."""
        sdk = self._clients.module
        while True:
            try:
                return await client.post(
                    self.vendor.version + self.vendor.path,
                    body=self._body(request),
                    cast_to=object,
                    stream=True,
                    stream_cls=sdk.AsyncStream[object],
                )
            except (sdk.BadRequestError, sdk.UnprocessableEntityError) as error:
                if not self._refusals.learn(error.body):
                    raise

    def _whole(self, reading: Reading, body: bytes, headers: Mapping[str, str]) -> str:
        """The answer of a server that does not stream; some send errors, or pages, with status 200."""
        data = json.loads(body)
        if at(data, "error"):
            raise from_response(self._server, 200, data, headers)
        text = reading.take(data)
        if not text and not reading.complete:
            raise fault(self._server, ErrorCode.LLM_MALFORMED)
        return text

    def _make(self, sdk: Any) -> Any:
        from roma_core.llm.providers.transport import http_options, transport_faults, without_credentials

        url, headers = without_credentials(self._url)
        with mapped(transport_faults(self._server)):
            return getattr(sdk, self.vendor.client)(
                api_key=self._shown_key,
                base_url=url,
                default_headers=headers,
                max_retries=0,
                http_client=sdk.DefaultAioHttpClient(**http_options(**self._timing)),
            )

    @cached_property
    def _faults(self) -> FaultTable:
        """What becomes of the errors of the SDK, and of those that pass through it. Read once the SDK is imported."""
        from roma_core.llm.providers.transport import transport_faults, unreachable

        sdk, server = self._clients.module, self._server

        def status(error: Any) -> LLMError:
            return from_response(server, error.status_code, error.body, error.response.headers)

        return (
            (sdk.APIConnectionError, lambda e: unreachable(server, e)),
            (sdk.APIStatusError, status),
            (sdk.APIResponseValidationError, lambda e: fault(server, ErrorCode.LLM_MALFORMED)),
            (sdk.APIError, lambda e: from_response(server, 200, e.body, {})),
            (
                getattr(sdk, self.vendor.error),
                lambda e: fault(server, ErrorCode.LLM_BAD_REQUEST, exception=type(e).__name__),
            ),
            *transport_faults(server),
        )
