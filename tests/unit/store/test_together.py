"""Reads that are asked for in one turn of a loop are one read; each caller gets its own value, or the same error."""

from __future__ import annotations

import asyncio

from roma_core.store.together import ReadTogether


class Shelf:
    """Values by group and key, and the keys of each read."""

    def __init__(self) -> None:
        self.reads: list[tuple[str, list[str]]] = []
        self.has_begun = asyncio.Event()
        self.is_gone = False

    async def read(self, group: str, keys: frozenset[str]) -> dict[str, str]:
        self.reads.append((group, sorted(keys)))
        self.has_begun.set()
        await asyncio.sleep(0)
        if self.is_gone:
            raise OSError("gone")
        return {key: f"{group}/{key}" for key in keys if key != "missing"}


async def test_what_is_asked_for_at_the_same_time_is_read_at_once_by_group() -> None:
    shelf = Shelf()
    together = ReadTogether(shelf.read)
    wanted = [("t", "a"), ("t", "b"), ("u", "a"), ("t", "missing"), ("t", "a")]
    assert await asyncio.gather(*(together.get(*each) for each in wanted)) == ["t/a", "t/b", "u/a", None, "t/a"]
    assert shelf.reads == [("t", ["a", "b", "missing"]), ("u", ["a"])]
    assert await together.get("t", "c") == "t/c"
    assert shelf.reads[2:] == [("t", ["c"])]


async def test_who_asks_while_a_read_is_under_way_gets_the_next_one() -> None:
    shelf = Shelf()
    together = ReadTogether(shelf.read)
    first = asyncio.ensure_future(together.get("t", "a"))
    await shelf.has_begun.wait()
    assert await asyncio.gather(first, together.get("t", "b")) == ["t/a", "t/b"]
    assert shelf.reads == [("t", ["a"]), ("t", ["b"])]


async def test_a_cancelled_caller_stops_no_other_and_an_error_reaches_all() -> None:
    shelf = Shelf()
    together = ReadTogether(shelf.read)
    first, second = (asyncio.ensure_future(together.get("t", key)) for key in "ab")
    await asyncio.sleep(0)
    first.cancel()
    assert await second == "t/b"
    shelf.is_gone = True
    outcomes = await asyncio.gather(together.get("t", "a"), together.get("t", "b"), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [OSError, OSError]
    shelf.is_gone = False
    assert await together.get("t", "a") == "t/a"


def test_each_event_loop_reads_for_itself() -> None:
    shelf = Shelf()
    together = ReadTogether(shelf.read)
    for _ in range(2):
        assert asyncio.run(together.get("t", "a")) == "t/a"
    assert len(shelf.reads) == 2
