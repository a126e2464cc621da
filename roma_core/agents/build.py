"""The orchestrator from settings and adapters; ``app`` chooses those."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from roma_core.agents.citations import CitationAgent
from roma_core.agents.conversation import ConversationAgent
from roma_core.agents.guardrails import GuardrailsAgent
from roma_core.agents.memory import MemoryAgent, MemoryLimits
from roma_core.agents.orchestrator import ROMAOrchestrator
from roma_core.agents.planner import PlannerAgent
from roma_core.agents.prompts import all_prompts
from roma_core.agents.tailor import TailorAgent
from roma_core.embeddings.base import Embedder
from roma_core.llm.base import LLM
from roma_core.rerank import Reranker
from roma_core.sessions.service import Sessions
from roma_core.settings import Settings
from roma_core.store.base import ChunkStore


def build_orchestrator(
    settings: Settings,
    *,
    store: ChunkStore,
    embedder: Embedder,
    reranker: Reranker | None,
    llm: LLM,
    sessions: Sessions | None = None,
    prompt_files: Mapping[str, Path] | None = None,
) -> ROMAOrchestrator:
    """Wire the agents. Cheap: nothing is loaded or opened. Raises ``ConfigError`` for wrong rules or prompt files.

    ``sessions`` lets queries with a ``session_id`` have a history (``Sessions(database_url(...))``); None forgets.
    ``prompt_files`` puts files of the caller in for prompts by name (``answer``, ``persona_technical``, ...).
    """
    prompts = all_prompts(prompt_files)
    limits = MemoryLimits(
        retrieve=settings.retrieval.retrieve_limit,
        lexical_weight=settings.retrieval.lexical_weight,
        rerank=settings.retrieval.rerank_limit,
        rerank_weight=settings.retrieval.rerank_weight,
    )
    conversation = None
    if sessions is not None:
        conversation = ConversationAgent(
            sessions, llm, embedder.count_tokens, prompts, history_tokens=settings.answering.history_tokens
        )
    return ROMAOrchestrator(
        memory=MemoryAgent(store, embedder, reranker, limits),
        tailor=TailorAgent(llm, prompts, max_output_tokens=settings.llm.max_output_tokens),
        citations=CitationAgent(store),
        guardrails=GuardrailsAgent(
            settings.answering.guardrails, max_question_chars=settings.answering.max_question_chars
        ),
        planner=PlannerAgent(llm, prompts) if settings.answering.planner == "auto" else None,
        conversation=conversation,
        timeout_s=settings.answering.query_timeout_s,
    )
