"""Memory that the adapters share: one client an event loop, parameters that a model rejected, addresses."""

from __future__ import annotations

import asyncio
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, Protocol, TypeVar
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from roma_core.llm.providers.faults import rejected_parameter
from roma_core.perloop import PerLoop
from roma_core.types import digest


class Closable(Protocol):
    """A client as the SDKs make them."""

    def close(self) -> Awaitable[None]: ...


C = TypeVar("C", bound=Closable)


class ClientPool(Generic[C]):
    """One SDK client for each event loop: connection pools do not survive their loop.

    ``load`` imports the SDK, which takes a second or two, and so runs in a thread.
    """

    def __init__(self, load: Callable[[], Any], make: Callable[[Any], C]) -> None:
        self._load = load
        self._clients: PerLoop[C] = PerLoop(lambda: make(self.sdk))
        self.sdk: Any = None
        """The SDK's module, once it is imported."""

    async def get(self) -> C:
        """Return the client of the running loop."""
        if self.sdk is None:
            self.sdk = await asyncio.to_thread(self._load)
        return self._clients.get()

    async def aclose(self) -> None:
        client = self._clients.discard()
        if client is not None:
            await client.close()


class RejectedParameters:
    """Parameters that a model was found to reject, so that each is tried once a process and not once a call."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = tuple(names)
        self._rejected: set[str] = set()

    def __contains__(self, name: str) -> bool:
        return name in self._rejected

    def __iter__(self) -> Any:
        return iter(sorted(self._rejected))

    def learn(self, body: object) -> bool:
        """Note the parameter that ``body`` rejects; False when it names none that a call can do without."""
        name = rejected_parameter(body, self._names)
        if name is None or name in self._rejected:
            return False
        self._rejected.add(name)
        return True


class PromptPrefixes:
    """Beginnings of prompts that a server has read lately: those whose caching pays.

    A cache of the vendor lives for minutes; writing it costs more than reading the prompt once, and each further read a
    tenth. So it is asked for when a beginning comes a second time, and was long enough to be kept at all.
    """

    def __init__(self, least_tokens: int, lives_s: float = 300.0) -> None:
        self._least_tokens = least_tokens
        self._lives_s = lives_s
        self._seen: OrderedDict[str, float] = OrderedDict()

    def note(self, prefix: str) -> None:
        """Remember that a server has read ``prefix``."""
        if len(prefix.encode()) < self._least_tokens * _BYTES_A_TOKEN:
            return
        key = digest(prefix)
        self._seen.pop(key, None)
        self._seen[key] = time.monotonic()
        if len(self._seen) > _MOST_PREFIXES:
            self._seen.popitem(last=False)

    def pays(self, prefix: str) -> bool:
        """Return whether caching ``prefix`` pays now."""
        seen_at = self._seen.get(digest(prefix))
        return seen_at is not None and time.monotonic() - seen_at < self._lives_s


_MOST_PREFIXES = 1024
_BYTES_A_TOKEN = 4

Rung = Literal["json_schema", "json_object", "tool", "words"]


class SchemaLadder:
    """The ways to structured output, best first, and the one that a model has been found to accept.

    ::

        ladder = SchemaLadder(("json_schema", "words"))
        ladder.below("json_schema")  # "words"
        ladder.settle("words")       # from now on the first choice
    """

    def __init__(self, rungs: tuple[Rung, ...]) -> None:
        self._rungs = rungs
        self.rung: Rung = rungs[0]
        self.proven = False
        """A request with a schema has been accepted on ``rung``."""

    def below(self, rung: Rung) -> Rung | None:
        """Return the next lower rung; None below the last one."""
        place = self._rungs.index(rung) + 1
        return self._rungs[place] if place < len(self._rungs) else None

    def settle(self, rung: Rung) -> None:
        """Remember that ``rung`` was accepted, and those above it were not."""
        self.rung, self.proven = rung, True


_PATHS = ("/chat/completions", "/completions", "/messages", "/responses")
_QUOTES = "\"'`<> \t\r\n"


@dataclass(frozen=True)
class Endpoint:
    """The address of an API. ``url`` has no query and no path of a single operation."""

    url: str
    query: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, address: str, version: str = "") -> Endpoint:
        """Return the endpoint that ``address`` means, as people write it.

        Blanks and quotes around it, a whole ``/chat/completions``, a query (Azure's ``?api-version=``) and slashes at
        the end are understood; ``version`` is the part of the path that the adapter adds itself::

            Endpoint.parse(" https://host/v1/chat/completions?api-version=1 ")
            # Endpoint("https://host/v1", (("api-version", "1"),))
        """
        parts = urlsplit(address.strip(_QUOTES))
        path = re.sub(r"/{2,}", "/", parts.path).rstrip("/")
        for operation in _PATHS:
            if path.endswith(operation):
                path = path.removesuffix(operation)
                break
        path = path.rstrip("/").removesuffix(version)
        bare = urlunsplit(parts._replace(path=path, query="", fragment=""))
        return cls(bare, tuple(parse_qsl(parts.query, keep_blank_values=True)))

    @property
    def is_azure(self) -> bool:
        """Return whether this is Azure, which is told its key by a header of its own."""
        host = urlsplit(self.url).hostname or ""
        return host.endswith((".azure.com", ".azure.us", ".azure.cn", ".azure-api.net"))
