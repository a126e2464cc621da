"""A stream is opened by its first item, and closed with its source."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from roma_core.streams import OpeningStream


async def test_the_first_item_and_the_rest_come_in_order() -> None:
    async def rest() -> AsyncGenerator[int, None]:
        yield 2
        yield 3

    async def begin() -> tuple[int, AsyncGenerator[int, None]]:
        return 1, rest()

    assert [item async for item in OpeningStream(begin)] == [1, 2, 3]


async def test_nothing_is_begun_before_the_first_item_is_wanted() -> None:
    begun: list[str] = []

    async def begin() -> tuple[int, AsyncGenerator[int, None]]:
        begun.append("now")
        raise ValueError("cannot begin")

    stream = OpeningStream(begin)
    await stream.aclose()
    assert begun == []
    with pytest.raises(ValueError, match="cannot begin"):
        await anext(stream)


async def test_closing_closes_the_source() -> None:
    closed: list[str] = []

    async def rest() -> AsyncGenerator[int, None]:
        try:
            yield 2
            yield 3
        finally:
            closed.append("source")

    async def begin() -> tuple[int, AsyncGenerator[int, None]]:
        source = rest()
        return await anext(source), source

    async with aclosing(OpeningStream(begin)) as stream:
        assert await anext(stream) == 2
    assert closed == ["source"]
