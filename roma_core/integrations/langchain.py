"""A retriever for LangChain (package ``langchain-core``)."""

from __future__ import annotations

from typing import Any

from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever

from roma_core.integrations.passages import describe_passage, run_in_thread, search_passages
from roma_core.types import Principal

__all__ = ["RomaLangChainRetriever"]


class RomaLangChainRetriever(BaseRetriever):  # type: ignore[misc]
    """Retriever of ROMA's passages, ranked as for an answer.

    >>> retriever = RomaLangChainRetriever(roma=build_roma(), top_k=5)  # doctest: +SKIP
    """

    roma: Any
    top_k: int = 5
    filters: dict[str, Any] | None = None
    principal: Principal | None = None

    def _get_relevant_documents(self, query: str, *, run_manager: Any = None) -> list[Document]:
        return run_in_thread(self._aget_relevant_documents(query))

    async def _aget_relevant_documents(self, query: str, *, run_manager: Any = None) -> list[Document]:
        passages = await search_passages(self.roma, query, self.top_k, self.filters, self.principal)
        return [
            Document(id=passage.chunk.id, page_content=passage.chunk.text, metadata=describe_passage(passage))
            for passage in passages
        ]
