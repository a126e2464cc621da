"""A retriever for Haystack (package ``haystack-ai``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from haystack import Document, component

from roma_core.integrations.passages import describe_passage, run_in_thread, search_passages

if TYPE_CHECKING:
    from roma_core.app import Roma
    from roma_core.types import Principal

__all__ = ["RomaHaystackRetriever"]


@component
class RomaHaystackRetriever:
    """Retriever of ROMA's passages, ranked as for an answer.

    >>> pipeline.add_component("retriever", RomaHaystackRetriever(build_roma()))  # doctest: +SKIP
    """

    def __init__(
        self, roma: Roma, top_k: int = 5, filters: Mapping[str, Any] | None = None, principal: Principal | None = None
    ) -> None:
        self._roma = roma
        self._top_k = top_k
        self._filters = filters
        self._principal = principal

    @component.output_types(documents=list[Document])  # type: ignore[untyped-decorator]
    def run(self, query: str, top_k: int | None = None) -> dict[str, list[Document]]:
        """Return the documents for ``query``."""
        limit = top_k or self._top_k
        found = run_in_thread(search_passages(self._roma, query, limit, self._filters, self._principal))
        documents: list[Document] = []
        for passage in found:
            meta = describe_passage(passage)
            documents.append(Document(id=passage.chunk.id, content=passage.chunk.text, meta=meta, score=passage.score))
        return {"documents": documents}
