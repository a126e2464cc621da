"""The pipeline and the orchestrator from settings and adapters; ``app`` chooses those."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from roma_core.agents.citations import CitationAgent
from roma_core.agents.conversation import ConversationAgent
from roma_core.agents.guardrails import GuardrailsAgent
from roma_core.agents.memory import MemoryAgent, RetrievalConfig
from roma_core.agents.orchestrator import ROMAOrchestrator
from roma_core.agents.pipeline import Pipeline, Stage, stage_specs
from roma_core.agents.planner import PlannerAgent
from roma_core.agents.prompts import all_prompts
from roma_core.agents.tailor import TailorAgent
from roma_core.embeddings.base import Embedder
from roma_core.entailment import make_entailment
from roma_core.hiding import hide_turns
from roma_core.identity import ScopeFinder, permit_everything
from roma_core.llm.base import LLM
from roma_core.prompts import Prompt
from roma_core.rerank import Reranker
from roma_core.sessions.service import Sessions, Turn
from roma_core.settings import Settings
from roma_core.store.base import ChunkStore
from roma_core.types import Principal
from roma_core.writers.base import Writer
from roma_core.writers.generative import GenerativeWriter


@dataclass(frozen=True)
class StageParts:
    """The parts that stages are built from; a plug-in's ``StageSpec.make`` is handed them."""

    settings: Settings
    store: ChunkStore
    embedder: Embedder
    reranker: Reranker | None
    llm: LLM | None
    """The language model; None where answers are quoted."""
    writers: Sequence[Writer]
    prompts: Mapping[str, Prompt]
    sessions: Sessions | None = None
    find_scope: ScopeFinder = permit_everything
    """Finds what the caller of a query may read."""


def build_orchestrator(
    settings: Settings,
    *,
    store: ChunkStore,
    embedder: Embedder,
    reranker: Reranker | None,
    llm: LLM | None,
    writers: Sequence[Writer] | None = None,
    sessions: Sessions | None = None,
    prompts: Mapping[str, Prompt] | None = None,
    find_scope: ScopeFinder = permit_everything,
) -> ROMAOrchestrator:
    """Wire the agents. Cheap: nothing is loaded or opened. Raises ``ConfigError`` for wrong rules.

    ``writers`` None has ``llm`` write. ``sessions`` lets queries with a ``session_id`` have a history; None forgets.
    ``prompts`` are those of ``all_prompts`` (default: ROMA's own).
    """
    prompts = prompts or all_prompts()
    if writers is None:
        writers = [GenerativeWriter(llm, prompts, max_output_tokens=settings.llm.max_output_tokens)] if llm else []
    parts = StageParts(
        settings=settings,
        store=store,
        embedder=embedder,
        reranker=reranker,
        llm=llm,
        writers=writers,
        prompts=prompts,
        sessions=sessions,
        find_scope=find_scope,
    )
    return ROMAOrchestrator(build_pipeline(parts), timeout_s=settings.answering.query_timeout_s)


async def _hide_forbidden(parts: StageParts, who: Principal, turns: Sequence[Turn]) -> Sequence[Turn]:
    """Return the turns of ``who`` without the answers whose sources it may no longer read."""
    return await hide_turns(turns, who, parts.store, await parts.find_scope(who))


def build_pipeline(parts: StageParts) -> Pipeline:
    """Return ROMA's own stages in their order, with the stages of plug-ins at their places.

    A new stage of ROMA is one line of this list.
    """
    settings = parts.settings
    limits = RetrievalConfig.of(settings.retrieval)
    guardrails = GuardrailsAgent(
        settings.answering.guardrails,
        max_question_chars=settings.answering.max_question_chars,
        holds_answers=settings.answering.citations == "strict",
    )
    planner = PlannerAgent(
        parts.llm if settings.answering.planner == "auto" else None,
        parts.prompts,
        follows_bridges=settings.answering.planner == "auto",
    )
    depth = settings.retrieval.rerank_depth
    memory = MemoryAgent(parts.store, parts.embedder, parts.reranker, limits, parts.find_scope, depth)
    tailor = TailorAgent(parts.writers)
    citations = CitationAgent(parts.store, settings.answering.citations, make_entailment(settings.answering.entailment))

    guard_question, guard_passages, guard_answer, guard_citations = guardrails.stages
    plan, find, follow = planner.stages
    write, compose = tailor.stages
    standalone: list[Stage] = []
    remember: list[Stage] = []
    if parts.sessions is not None:
        conversation = ConversationAgent(
            parts.sessions,
            parts.llm,
            parts.embedder.count_tokens,
            parts.prompts,
            history_tokens=settings.answering.history_tokens,
            hide=partial(_hide_forbidden, parts),
        )
        standalone, remember = [conversation.stages[0]], [conversation.stages[1]]

    retrieve, rerank, select = memory.stages
    stages = [
        guard_question,
        *standalone,
        plan,
        retrieve,
        rerank,
        find,
        follow,
        select,
        guard_passages,
        write,
        guard_answer,
        *citations.stages,
        guard_citations,
        compose,
        *remember,
    ]
    pipeline = Pipeline(stages)
    for spec in stage_specs().values():
        pipeline = spec.insert_into(pipeline, parts)
    return pipeline
