"""Calibrates the choice between two models: every question of a labelled set is answered by both."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from roma_core.errors import AgentFailure, ConfigError, EvalError
from roma_core.evals.evaluation import TOP_K, load_dataset, prepare_tenant
from roma_core.evals.golden.dataset import GoldenCase
from roma_core.evals.measures.nuggets import missed_facts
from roma_core.evals.routing import RoutedCase, RouterCard, write_card
from roma_core.types import Query, TailorOutput
from roma_core.workspace import Workspace
from roma_core.writers.base import Piece, Writer
from roma_core.writers.routing import RoutingWriter, measure_difficulty

if TYPE_CHECKING:
    from roma_core.agents.context import Context
    from roma_core.app import Roma

Progress = Callable[[int, int], None]
"""Called with how many questions are done, of how many."""
CONCURRENCY: Final = 4


async def calibrate_router(
    roma: Roma, dataset: str, *, limit: int | None = None, progress: Progress | None = None
) -> RouterCard:
    """Answer a labelled set by both models, write their card into the workspace and return it.

    ``dataset`` is a golden set over the corpus of the workspace, or ``beir:DIR``, which is ingested under a tenant of
    its own. Raises ``ConfigError`` where no second model is set, ``EvalError`` for a set without labels.
    """
    router = find_router(roma)
    golden = load_dataset(dataset)
    tenant = await prepare_tenant(roma, dataset, golden)
    cases = golden.sample(limit).cases
    labelled = [case for case in cases if case.kind == "no_answer" or case.nuggets]
    if not labelled:
        raise EvalError("No question of the set has facts by which an answer is right or wrong, nor is unanswerable.")
    gate = asyncio.Semaphore(CONCURRENCY)
    done = 0

    async def compare(case: GoldenCase) -> RoutedCase | AgentFailure:
        nonlocal done
        async with gate:
            compared = await compare_models(roma, router, case, case.query(TOP_K, tenant))
        done += 1
        if progress is not None:
            progress(done, len(labelled))
        return compared

    compared = await asyncio.gather(*(compare(case) for case in labelled))
    failures = [case for case in compared if isinstance(case, AgentFailure)]
    kept = tuple(case for case in compared if isinstance(case, RoutedCase))
    if not kept:
        raise EvalError(f"No question could be asked: {failures[0].message}")
    card = RouterCard(
        cheap=router.cheap.name,
        strong=router.strong.name,
        dataset=golden.name,
        dataset_sha256=golden.sha256,
        created_at=datetime.now(UTC),
        unlabelled=len(cases) - len(labelled),
        failed=len(failures),
        cases=kept,
    )
    write_card(card, Workspace(roma.settings.workspace).router)
    return card


def find_router(roma: Roma) -> RoutingWriter:
    """Return the writer that chooses between two models. Raises ``ConfigError`` where there is none."""
    for writer in roma.writers:
        if isinstance(writer, RoutingWriter):
            return writer
    raise ConfigError(
        "There is no second model to compare: set ROMA_ROUTER=difficulty (or cascade) and "
        "ROMA_ROUTER_MODEL=provider:model, and LLM_PROVIDER for the strong one."
    )


async def compare_models(
    roma: Roma, router: RoutingWriter, case: GoldenCase, query: Query
) -> RoutedCase | AgentFailure:
    """Return the worth of both models' answers to a question, and its difficulty."""
    difficulties: list[float] = []
    cheap = await _ask(roma, router.cheap, query, difficulties)
    if isinstance(cheap, AgentFailure):
        return cheap
    strong = await _ask(roma, router.strong, query, difficulties)
    if isinstance(strong, AgentFailure):
        return strong
    return RoutedCase(
        case_id=case.id,
        group=case.group,
        difficulty=difficulties[0] if difficulties else 0.0,
        cheap=weigh_answer(case, cheap),
        strong=weigh_answer(case, strong),
        cheap_usd=cheap.usage.cost_usd,
        strong_usd=strong.usage.cost_usd,
    )


async def _ask(roma: Roma, writer: Writer, query: Query, difficulties: list[float]) -> TailorOutput | AgentFailure:
    """Return the answer of one model to a question; its difficulty is added to ``difficulties``."""

    async def write(context: Context) -> AsyncGenerator[Piece, None]:
        difficulty = measure_difficulty(context.question, context.passages, context.lookup_count)
        difficulties.append(difficulty.value)
        async for piece in writer.write(context.question, context.passages, context):
            yield piece

    return await roma.orchestrator.with_pipeline(roma.pipeline.replace("write", write)).query(query)


def weigh_answer(case: GoldenCase, output: TailorOutput) -> float:
    """Return the share of the facts that an answer states; for a question without an answer, whether it is refused."""
    if case.kind == "no_answer":
        return 0.0 if output.answered else 1.0
    if not output.answered:
        return 0.0
    return 1.0 - len(missed_facts(case, output.answer)) / len(case.vital_nuggets)
