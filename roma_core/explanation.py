"""Explanation of an answer: where it went wrong, with the passages, the statements and the time of each stage.

It reads the record of the answer and asks nothing again: no search, no model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from roma_core import display
from roma_core.citations import verify_claim
from roma_core.errors import AgentFailure, NotFoundError
from roma_core.markup import remove_markers
from roma_core.theme import colour
from roma_core.types import (
    PROVEN,
    VERDICT_WORDS,
    Answered,
    CitationVerdict,
    Noun,
    Principal,
    ScoredChunk,
    StageEvent,
    Statement,
    TailorOutput,
)

if TYPE_CHECKING:
    from roma_core.agents.pipeline import Pipeline
    from roma_core.answers import AnswerRecord
    from roma_core.app import Roma

ADVICE: dict[str, str] = {
    "guard": "Ask in other words: the question was refused before anything was searched.",
    "retrieve": "Look whether a document says it (roma search); other words or another ROMA_EMBEDDER may find it.",
    "rerank": "Raise top_k or ROMA_RERANK_LIMIT: the words were found and then left out.",
    "write": "Try another model or prompt: the words lay before the writer.",
    "": "",
}
"""What to do about the stage that went wrong, in the order of the stages."""
MOST_LEFT_OUT = 10
PASSAGE_CHARS = 300
BAR_WIDTH, BAR_LEFT, BAR_HEIGHT = 360, 130, 24


class StageTime(Noun):
    """The time that a stage took, in milliseconds, and when it began."""

    stage: str
    begin_ms: float
    took_ms: float


class StatementFault(Noun):
    """A statement that is not proven, and the stage that lost its proof."""

    text: str
    verdict: CitationVerdict
    decided_by: tuple[str, ...] = ()
    stage: str
    why: str


class AnswerExplanation(Noun):
    """Where an answer went wrong.

    >>> explanation = await explain_answer(roma, output)  # doctest: +SKIP
    >>> explanation.stage, explanation.why  # doctest: +SKIP
    ('rerank', 'A passage that says it was found at rank 14 and left out.')
    """

    question: str = ""
    answer: str = ""
    proof: str = ""
    stage: str
    """The first stage that went wrong, as far as its record shows; empty where nothing did."""
    why: str
    faults: tuple[StatementFault, ...] = ()
    stages: tuple[StageTime, ...] = ()
    passages: tuple[ScoredChunk, ...] = ()
    left_out: tuple[ScoredChunk, ...] = ()
    """Passages that were found and not used, best first."""
    degraded: tuple[str, ...] = ()
    is_recorded: bool = True
    """False where only the answer itself was at hand: neither times nor passages that were left out are known."""

    @property
    def advice(self) -> str:
        """Return what to do about the stage."""
        return ADVICE.get(self.stage, "See its words in roma replay --record.")

    def _repr_html_(self) -> str:
        return render_explanation(self)

    def _repr_markdown_(self) -> str:
        head = f"**{self.stage or 'nothing'}**: {display.escape_markdown(self.why)} {self.advice}"
        rows = [(time.stage, f"{time.took_ms:.0f} ms") for time in self.stages]
        faults = [(fault.text, VERDICT_WORDS[fault.verdict], fault.stage, fault.why) for fault in self.faults]
        passages = [(p.rank, p.score, p.chunk.title, p.chunk.place) for p in self.passages]
        parts = [head]
        parts += [display.markdown_table(("Statement", "Verdict", "Stage", "Why"), faults)] if faults else []
        parts += [display.markdown_table(("Stage", "Took"), rows)] if rows else []
        parts += [display.markdown_table(("Rank", "Score", "Source", "Where"), passages)] if passages else []
        return "\n\n".join(parts)


async def explain_answer(
    roma: Roma, answer: TailorOutput | AgentFailure | str, principal: Principal | None = None
) -> AnswerExplanation:
    """Return where an answer went wrong: what ``roma.query`` returned, the id of its record, or ``last``.

    An output whose record is gone is explained by itself. Raises ``NotFoundError`` for an id that nothing has.
    """
    if isinstance(answer, AgentFailure):
        return AnswerExplanation(stage=answer.agent, why=f"{answer.code}: {answer.message}", is_recorded=False)
    owner = principal or roma.user
    output = answer if isinstance(answer, TailorOutput) else None
    name = answer if isinstance(answer, str) else answer.answer_id
    if output is not None and not name:
        return _explain_output(output, (), is_recorded=False)
    try:
        record = await roma.answer_record(await roma.answers.find_id(owner, name), owner)
    except NotFoundError:
        if output is None:
            raise
        return _explain_output(output, (), is_recorded=False)
    return explain_record(record, roma.pipeline)


def explain_record(record: AnswerRecord, pipeline: Pipeline) -> AnswerExplanation:
    """Return where the answer of a record went wrong."""
    times = read_stage_times(record, pipeline)
    if record.output is not None:
        explained = _explain_output(record.output, record.candidates, is_recorded=bool(record.stages))
        return explained.model_copy(update={"question": record.query.text, "stages": times})
    ended_in = f" It ended in the stage {times[-1].stage}." if times else ""
    failure = f" {record.failure.code}: {record.failure.message}" if record.failure is not None else ""
    return AnswerExplanation(
        question=record.query.text,
        answer=record.text,
        stage=times[-1].stage if times else "guard",
        why=f"The answer is {record.state}.{ended_in}{failure}",
        stages=times,
        left_out=record.candidates,
    )


def read_stage_times(record: AnswerRecord, pipeline: Pipeline) -> tuple[StageTime, ...]:
    """Return how long each stage took, in the order in which they ran.

    Some stages report their end (``retrieved``) and some their beginning (``writing``), as the pipeline says. The last
    stage lasts until the answer ended.
    """
    ends = {stage.event_at_end: stage.name for stage in pipeline if stage.event_at_end}
    starts = {stage.start_event: stage.name for stage in pipeline if stage.start_event}
    events = [event for event in record.events if isinstance(event, StageEvent)]
    times: list[StageTime] = []
    before, running = 0.0, ""
    for event in events:
        name = ends.get(event.stage) or running or "start"
        times.append(StageTime(stage=name, begin_ms=before, took_ms=max(0.0, event.elapsed_ms - before)))
        before = event.elapsed_ms
        running = "" if event.stage in ends else starts.get(event.stage, event.stage)
    if events and record.ended_at is not None:
        rest_ms = (record.ended_at - record.created_at).total_seconds() * 1000 - before
        times.append(StageTime(stage=running or "end", begin_ms=before, took_ms=max(0.0, rest_ms)))
    return tuple(times)


def _explain_output(output: TailorOutput, candidates: Sequence[ScoredChunk], *, is_recorded: bool) -> AnswerExplanation:
    used = {passage.chunk.id for passage in output.passages}
    left_out = tuple(passage for passage in candidates if passage.chunk.id not in used)
    faults = tuple(
        _explain_statement(output, statement, left_out)
        for statement in (*output.statements, *output.removed)
        if statement.verdict not in PROVEN
    )
    stage, why = _find_first_fault(output, faults, has_candidates=bool(candidates or output.passages))
    return AnswerExplanation(
        answer=output.answer,
        proof=output.proof,
        stage=stage,
        why=why,
        faults=faults,
        passages=output.passages,
        left_out=left_out,
        degraded=output.degraded_reasons,
        is_recorded=is_recorded,
    )


def _explain_statement(output: TailorOutput, statement: Statement, left_out: Sequence[ScoredChunk]) -> StatementFault:
    """Return the stage that lost the proof of a statement: passages that say it are looked for among all found."""
    words = statement.text or remove_markers(output.answer[statement.start : statement.end]).strip()
    stage, why = "retrieve", "No passage that was found says it: retrieval missed it, or the writer made it up."
    used = _find_proof(words, output.passages)
    missed = _find_proof(words, left_out)
    if used is not None:
        stage, why = "write", f"The passage at rank {used.rank} says it; the answer cites another or none."
    elif statement.verdict == "contradicted":
        stage, why = "write", "The passages say otherwise."
    elif missed is not None:
        stage, why = "rerank", f"A passage of “{missed.chunk.title}” says it: it was found and then left out."
    elif statement.verdict == "partial":
        stage, why = "write", "The passages say a part of it."
    return StatementFault(text=words, verdict=statement.verdict, decided_by=statement.decided_by, stage=stage, why=why)


def _find_proof(words: str, passages: Sequence[ScoredChunk]) -> ScoredChunk | None:
    for passage in passages:
        if verify_claim(words, passage.chunk.text, passage.chunk.context).verdict in PROVEN:
            return passage
    return None


def _find_first_fault(
    output: TailorOutput, faults: Sequence[StatementFault], *, has_candidates: bool
) -> tuple[str, str]:
    """Return the first stage that went wrong, in the order of the stages, and why."""
    if not has_candidates:
        return "retrieve", "No passage was found."
    if output.answered is Answered.UNKNOWN and not faults:
        return "retrieve", "ROMA does not know: what was found is too weak to answer from. The nearest is shown below."
    if not faults:
        if output.degraded_reasons:
            return "write", "The answer is proven, yet written with less than was asked for: " + "; ".join(
                output.degraded_reasons
            )
        return "", "Every statement is proven."
    order = list(ADVICE)
    first = min(faults, key=lambda fault: order.index(fault.stage))
    several = f" (the first of {len(faults)} statements that are not proven)" if len(faults) > 1 else ""
    return first.stage, f"“{first.text}” is {VERDICT_WORDS[first.verdict]}. {first.why}{several}"


def render_explanation(explained: AnswerExplanation) -> display.Html:
    """Return an explanation as HTML: the verdict, the statements, the time of the stages, and the passages."""
    faults = [(fault.text, VERDICT_WORDS[fault.verdict], fault.stage, fault.why) for fault in explained.faults]
    heading = f"Where it went wrong: {explained.stage}" if explained.stage else "Nothing went wrong"
    return display.box(
        display.heading(heading),
        display.paragraph(f"{explained.why} {explained.advice}"),
        display.table(("Statement", "Verdict", "Lost in", "Why"), faults) if faults else "",
        draw_stage_times(explained.stages) if explained.stages else "",
        "" if explained.is_recorded else display.paragraph("No record is kept of this answer, so no stage is timed."),
        _passage_table("Passages that it was written from", explained.passages),
        _passage_table("Passages that were found and left out", explained.left_out[:MOST_LEFT_OUT]),
    )


def draw_stage_times(times: Sequence[StageTime]) -> display.Html:
    """Return the stages as bars on one line of time."""
    whole_ms = max(times[-1].begin_ms + times[-1].took_ms, 1e-9)
    parts: list[str] = []
    for number, time in enumerate(times):
        y = number * BAR_HEIGHT
        x = BAR_LEFT + BAR_WIDTH * time.begin_ms / whole_ms
        width = max(1.0, BAR_WIDTH * time.took_ms / whole_ms)
        name = display.cell(time.stage)
        parts.append(
            f'<text x="{BAR_LEFT - 8}" y="{y + 16}" text-anchor="end" font-size="13" fill="currentColor">{name}</text>'
            f'<rect x="{x:.1f}" y="{y + 4}" width="{width:.1f}" height="{BAR_HEIGHT - 8}" fill="{colour("accent")}"/>'
            f'<text x="{BAR_LEFT + BAR_WIDTH + 8}" y="{y + 16}" font-size="12" fill="currentColor">'
            f"{time.took_ms:,.0f} ms</text>"
        )
    return display.Html(
        f'<svg role="img" aria-label="Time of each stage" width="{BAR_LEFT + BAR_WIDTH + 90}" '
        f'height="{BAR_HEIGHT * len(times)}" style="max-width:100%" font-family="system-ui,sans-serif">'
        f"{''.join(parts)}</svg>"
    )


def _passage_table(title: str, passages: Sequence[ScoredChunk]) -> str:
    if not passages:
        return ""
    rows = [
        (passage.rank, passage.score, passage.chunk.title, passage.chunk.place, _shorten(passage.chunk.text))
        for passage in passages
    ]
    return display.heading(title) + display.table(("Rank", "Score", "Source", "Where", "Words"), rows)


def _shorten(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= PASSAGE_CHARS else f"{line[:PASSAGE_CHARS]} …"
