"""A stream that is opened by its first item and then passes every other one through without a frame of its own."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Generic, Self, TypeVar

T = TypeVar("T")


class OpeningStream(Generic[T]):
    """An async iterator whose first item decides where the others come from.

    ``begin`` gives the first item and the generator of the others; it may try several sources before. What it raises
    is raised by the first ``anext``. A generator around another one would cost each item a step; this costs none::

        stream = OpeningStream(begin)
        async with aclosing(stream):
            async for item in stream: ...
    """

    def __init__(self, begin: Callable[[], Awaitable[tuple[T, AsyncGenerator[T, None]]]]) -> None:
        self._begin = begin
        self._rest: AsyncGenerator[T, None] | None = None

    def __aiter__(self) -> Self:
        return self

    def __anext__(self) -> Awaitable[T]:
        if self._rest is None:
            return self._first()
        return self._rest.__anext__()

    async def aclose(self) -> None:
        """Close the source, where one was opened."""
        if self._rest is not None:
            await self._rest.aclose()

    async def _first(self) -> T:
        first, self._rest = await self._begin()
        return first
