"""A retriever for LlamaIndex (package ``llama-index-core``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

from roma_core.integrations.passages import describe_passage, run_in_thread, search_passages

if TYPE_CHECKING:
    from roma_core.app import Roma
    from roma_core.types import Principal

__all__ = ["RomaLlamaIndexRetriever"]


class RomaLlamaIndexRetriever(BaseRetriever):  # type: ignore[misc]
    """Retriever of ROMA's passages, ranked as for an answer.

    >>> retriever = RomaLlamaIndexRetriever(build_roma(), top_k=5)  # doctest: +SKIP
    """

    def __init__(
        self, roma: Roma, top_k: int = 5, filters: Mapping[str, Any] | None = None, principal: Principal | None = None
    ) -> None:
        self._roma = roma
        self._top_k = top_k
        self._filters = filters
        self._principal = principal
        super().__init__()

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return run_in_thread(self._aretrieve(query_bundle))

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        found = await search_passages(self._roma, query_bundle.query_str, self._top_k, self._filters, self._principal)
        nodes: list[NodeWithScore] = []
        for passage in found:
            node = TextNode(id_=passage.chunk.id, text=passage.chunk.text, metadata=describe_passage(passage))
            nodes.append(NodeWithScore(node=node, score=passage.score))
        return nodes
