"""Calibrates when ROMA answers: every question of a labelled set is answered whatever the evidence, and labelled.

The questions go through the pipeline of quoted answers as a user's would; only the threshold is off.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from roma_core.errors import AgentFailure, EvalError
from roma_core.evals.abstention import AbstentionCard, label_answer, place_range, write_card
from roma_core.evals.evaluation import TOP_K, load_dataset, prepare_tenant
from roma_core.evals.golden.dataset import GoldenCase
from roma_core.evals.stats.risk import LabelledAnswer
from roma_core.parts import build_quotes_pipeline, build_quotes_writer
from roma_core.types import Query
from roma_core.workspace import Workspace
from roma_core.writers.base import Draft
from roma_core.writers.extractive import QuotedAnswer
from roma_core.writers.extractive.calibration import thresholds_of

if TYPE_CHECKING:
    from roma_core.agents.context import Context
    from roma_core.app import Roma

Progress = Callable[[int, int], None]
"""Called with how many questions are done, of how many."""
CONCURRENCY: Final = 4


async def weigh_question(roma: Roma, query: Query) -> QuotedAnswer | AgentFailure:
    """Return the quoted answer to a question as if no evidence were too little, with its evidence."""
    from roma_core.agents.orchestrator import fold_events

    writer = build_quotes_writer(roma)
    weighed: list[QuotedAnswer] = []

    async def weigh(context: Context) -> AsyncGenerator[str | Draft, None]:
        answer = await writer.weigh(context.question, context.passages, context)
        weighed.append(answer)
        for piece in answer.pieces:
            yield piece
        yield Draft(text="".join(answer.pieces), model=writer.name, added=answer.added)

    orchestrator = roma.orchestrator.with_pipeline(build_quotes_pipeline(roma).replace("write", weigh))
    output = await fold_events(orchestrator.stream_query(query))
    if isinstance(output, AgentFailure):
        return output
    return weighed[0] if weighed else await writer.answer(query.text, ())


async def calibrate_abstention(
    roma: Roma, dataset: str, *, limit: int | None = None, progress: Progress | None = None
) -> AbstentionCard:
    """Answer a labelled set, write the card of the ranker into the workspace and return it.

    ``dataset`` is a golden set over the corpus of the workspace, or ``beir:DIR``, which is ingested under a tenant of
    its own. Raises ``EvalError`` for a set without a label.
    """
    golden = load_dataset(dataset)
    tenant = await prepare_tenant(roma, dataset, golden)
    gate = asyncio.Semaphore(CONCURRENCY)
    cases = golden.sample(limit).cases
    labellable = [case for case in cases if case.kind == "no_answer" or case.nuggets]
    done = 0

    async def weigh(case: GoldenCase) -> QuotedAnswer | AgentFailure:
        nonlocal done
        async with gate:
            answer = await weigh_question(roma, case.query(TOP_K, tenant))
        done += 1
        if progress is not None:
            progress(done, len(labellable))
        return answer

    answers = await asyncio.gather(*(weigh(case) for case in labellable))
    failures = [answer for answer in answers if isinstance(answer, AgentFailure)]
    if failures and len(failures) == len(answers):
        raise EvalError(f"No question could be asked: {failures[0].message}")
    labelled: dict[str, LabelledAnswer] = {}
    for case, answer in zip(labellable, answers, strict=True):
        label = None if isinstance(answer, AgentFailure) else label_answer(case, answer)
        if label is not None:
            labelled[case.id] = label
    writer = build_quotes_writer(roma)
    shipped = thresholds_of(writer.ranker_name)
    evidence_range, tested, placed_on = place_range(labelled, shipped.evidence_range if shipped is not None else None)
    card = AbstentionCard(
        ranker=writer.ranker_name,
        scorer=writer.scorer,
        dataset=golden.name,
        dataset_sha256=golden.sha256,
        created_at=datetime.now(UTC),
        risk=roma.settings.answering.answer_risk,
        evidence_range=evidence_range,
        placed_on=placed_on,
        unlabelled=len(cases) - len(labellable),
        failed=len(failures),
        answers=tuple(tested),
    )
    write_card(card, Workspace(roma.settings.workspace).abstention)
    return card
