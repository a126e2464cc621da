"""Settings of finding passages: the models that read, and the numbers of the search."""

from __future__ import annotations

from typing import Literal

from roma_core.settings.base import SettingsSection, setting

RerankDepth = Literal["adaptive", "full"]
"""``adaptive`` reads windows of passages until the order of the best is settled, ``full`` all candidates whole."""
ExecutionProvider = Literal["cpu", "cuda", "openvino", "coreml"]
"""Engine that runs the local embedder and reranker."""


class RetrievalSettings(SettingsSection):
    """Settings of looking up, fusing and reranking passages."""

    embedder: str = setting("local", "local, multilingual, fake, openai, openai:<model> or a fastembed hub name.")
    image_embedder: str = setting("none", "none, labels, clip:FOLDER or a hub name: how pictures are seen at ingest.")
    reranker: str = setting("local", "local, none, fake or a fastembed cross-encoder hub name.")
    embed_threads: int = setting(0, "Embedding sessions side by side; 0 = one per core.", ge=0, decides_answers=False)
    retrieve_limit: int = setting(100, "Candidates taken from each retriever.", ge=1, le=1000)
    lexical_weight: float = setting(0.4, "Weight of BM25 in the min-max fusion.", ge=0, le=1)
    rerank_limit: int = setting(20, "Candidates that the cross-encoder sees.", ge=0, le=200)
    rerank_weight: float = setting(0.5, "Weight of the cross-encoder in the mix.", ge=0, le=1)
    rerank_depth: RerankDepth = setting("adaptive", "adaptive: read windows until the best are settled; full.")
    execution_provider: ExecutionProvider = setting("cpu", "What runs the local embedder and reranker.")
