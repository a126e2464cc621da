"""What the retrievers of all frameworks share: passages of ROMA, and their metadata."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from roma_core.errors import AgentFailure, RomaError
from roma_core.types import Principal, ScoredChunk

if TYPE_CHECKING:
    from roma_core.app import Roma

T = TypeVar("T")


async def search_passages(
    roma: Roma, text: str, limit: int, filters: Mapping[str, Any] | None, principal: Principal | None
) -> tuple[ScoredChunk, ...]:
    """Return the passages for ``text``, best first. Raises ``RomaError``."""
    found = await roma.search(text, limit=limit, filters=filters, principal=principal)
    if isinstance(found, AgentFailure):
        raise RomaError(found.message, found.code, retry_after_s=found.retry_after_s)
    return found


def describe_passage(passage: ScoredChunk) -> dict[str, Any]:
    """Return where a passage stands: ``document.text[start:end]`` are its words."""
    fields = ("document_id", "uri", "title", "start", "end", "page", "place")
    described = {name: getattr(passage.chunk, name) for name in fields}
    return {**described, "chunk_id": passage.chunk.id, "rank": passage.rank, "score": passage.score}


def run_in_thread(work: Coroutine[Any, Any, T]) -> T:
    """Return the result of ``work`` to a caller that cannot wait; also where an event loop runs already."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(asyncio.run, work).result()
