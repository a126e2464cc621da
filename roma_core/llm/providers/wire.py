"""What both SDK adapters share: one client per event loop, memory of refused parameters, careful reading of JSON."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from roma_core.errors import ErrorCode
from roma_core.llm.providers.faults import fault, refused_parameter

C = TypeVar("C")


class Clients(Generic[C]):
    """One SDK client for the running event loop: connection pools do not survive their loop."""

    def __init__(self, package: str, make: Callable[[Any], C]) -> None:
        self._package = package
        self._make = make
        self._loop: asyncio.AbstractEventLoop | None = None
        self._client: C | None = None
        self.module: Any = None
        """The SDK itself, once the first client was made."""

    async def get(self) -> C:
        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is not loop:
            # Importing an SDK takes a second or two, which other tasks should not have to wait for.
            self.module = await asyncio.to_thread(_sdk, self._package)
            if self._client is None or self._loop is not loop:
                self._client, self._loop = self._make(self.module), loop
        return self._client

    async def aclose(self) -> None:
        client, self._client = self._client, None
        if client is not None and self._loop is asyncio.get_running_loop():
            await client.close()  # type: ignore[attr-defined]


def _sdk(package: str) -> Any:
    """The SDK, with what speaks HTTP for it."""
    module = importlib.import_module(package)
    importlib.import_module("roma_core.llm.providers.transport")
    return module


class Refusals:
    """Parameters that a model was found to refuse, so that each is tried once per process and not per call."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names
        self._refused: set[str] = set()

    def __contains__(self, name: str) -> bool:
        return name in self._refused

    def learn(self, body: object) -> bool:
        """Note the parameter that ``body`` refuses; False when it names none that we could do without."""
        name = refused_parameter(body, self._names)
        if name is None or name in self._refused:
            return False
        self._refused.add(name)
        return True


def text_of(value: object, vendor: str) -> str:
    """A piece of text as sent, where null means none."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise fault(vendor, ErrorCode.LLM_MALFORMED)
    return value


def at(value: Any, *path: str | int) -> Any:
    """What ``path`` leads to inside decoded JSON; None where it leads nowhere."""
    try:
        for step in path:
            value = value[step]
    except (KeyError, IndexError, TypeError):
        return None
    return value


def count_of(usage: object, *path: str) -> int:
    """A number inside a usage object; servers leave out, or send null for, what they do not count."""
    count = at(usage, *path)
    return count if isinstance(count, int) and count > 0 else 0
