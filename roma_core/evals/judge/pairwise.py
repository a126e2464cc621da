"""Two answers side by side, asked in both orders, so that a judge's liking for a place does not count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel, ValidationError

from roma_core.errors import AgentFailure, EvalError, guarded
from roma_core.evals.golden.dataset import Golden, GoldenCase
from roma_core.evals.judge.labels import make_item
from roma_core.evals.judge.model import JUDGE, PROMPTS, UNANSWERABLE, find_trouble, require_model, show_data
from roma_core.evals.report.record import EvalReport
from roma_core.evals.stats.inference import Difference, compare_pairs
from roma_core.llm.base import LLM, LLMRequest, Message, complete
from roma_core.llm.structured import json_body
from roma_core.prompts import Prompt, load_prompt
from roma_core.types import Noun, Usage, digest

Place = Literal["first", "second", "tie"]


class _PairGrade(BaseModel):
    reason: str = ""
    better: Place


class PairVerdict(Noun):
    """The verdict about two answers. ``better`` is ``tie`` too where the two orders disagree."""

    better: Place | None
    """None when a reply could not be read."""
    orders: tuple[Place | None, Place | None] = (None, None)
    """What was said of the two answers in either order, in terms of the first and the second answer."""
    reason: str = ""
    usage: Usage = Usage()

    @property
    def is_consistent(self) -> bool:
        """True when both orders gave the same verdict."""
        return self.orders[0] == self.orders[1] and self.orders[0] is not None


@dataclass(frozen=True)
class PairJudge:
    """A model that compares two answers: each pair is asked twice, with the places swapped."""

    llm: LLM
    rubric: Prompt = field(default_factory=lambda: load_prompt(PROMPTS / "pair.md"))

    def __post_init__(self) -> None:
        require_model(self.llm)

    def request(self, case: GoldenCase, first: str, second: str) -> LLMRequest:
        """Return one call. All that is shown of the answers lies between lines that no answer can hold."""
        values = {
            "question": case.question,
            "reference": case.answer or (UNANSWERABLE if case.kind == "no_answer" else "(none given)"),
            "facts": "\n".join(f"- {n.fact}" for n in case.nuggets) or "- (none)",
            "first": show_data(first),
            "second": show_data(second),
        }
        fence = f"answer-{digest('fence', self.rubric.sha256, *values.values())[:16]}"
        text = self.rubric.render(fence=fence, **values)
        schema = {
            "type": "object",
            "properties": {
                "reason": {"type": "string"},
                "better": {"type": "string", "enum": ["first", "second", "tie"]},
            },
            "required": ["reason", "better"],
            "additionalProperties": False,
        }
        return LLMRequest(
            messages=(Message(role="user", content=text),),
            json_schema=schema,
            prompt_hash=self.rubric.sha256,
            purpose=JUDGE,
        )

    async def compare(self, case: GoldenCase, first: str, second: str) -> PairVerdict:
        """Return which answer is better: the verdict of both orders, or a tie where they disagree."""
        straight, reason, cost = await self._ask(case, first, second)
        swapped, _, more = await self._ask(case, second, first)
        turned: dict[Place | None, Place | None] = {"first": "second", "second": "first"}
        back = turned.get(swapped, swapped)
        unread = straight is None or back is None
        better = None if unread else straight if straight == back else "tie"
        return PairVerdict(better=better, orders=(straight, back), reason=reason, usage=cost + more)

    async def _ask(self, case: GoldenCase, first: str, second: str) -> tuple[Place | None, str, Usage]:
        response = await guarded(JUDGE, complete(self.llm, self.request(case, first, second)))
        if isinstance(response, AgentFailure):
            return None, response.code, Usage()
        if trouble := find_trouble(response):
            return None, trouble, response.usage
        try:
            reply = _PairGrade.model_validate_json(json_body(response.text))
        except ValidationError:
            return None, "the reply could not be read", response.usage
        return reply.better, reply.reason, response.usage


class PairComparison(Noun):
    """B against A over the same questions, by a judge of pairs."""

    a: str
    b: str
    wins: int
    losses: int
    ties: int
    unread: int
    inconsistent: int
    """Pairs in which the two orders disagreed; counted as ties."""
    first_place: float
    """Share of the decided replies that preferred the answer shown first: 0.5 without a bias of place."""
    difference: Difference
    """Mean of +1 for each win and -1 for each loss of B, clustered."""
    usage: Usage
    judge: str

    @property
    def words(self) -> str:
        """The result in a sentence."""
        d = self.difference
        verdict = "better" if d.low > 0 else "worse" if d.high < 0 else "inconclusive"
        return (
            f"B is {verdict}: {self.wins} won, {self.losses} lost, {self.ties} tied (of these {self.inconsistent} by a "
            f"change of place), {self.unread} unread; difference {d.mean:+.3f} ({d.low:+.3f} to {d.high:+.3f})"
        )


async def compare_answers(a: EvalReport, b: EvalReport, golden: Golden, judge: PairJudge) -> PairComparison:
    """Return whether B's answers are better than A's, pair by pair. Raises ``EvalError`` when they share no case."""
    cases = {case.id: case for case in golden.cases}
    rows_b = {row.case_id: row for row in b.rows if row.state == "ok"}
    pairs = [(row, rows_b[row.case_id]) for row in a.rows if row.state == "ok" and row.case_id in rows_b]
    if not pairs:
        raise EvalError("The two runs have no answered case in common.")
    verdicts, values, clusters = [], [], []
    for first, second in pairs:
        case = cases.get(first.case_id) or make_item(first, None).case
        same = first.answer == second.answer
        verdict = (
            PairVerdict(better="tie", orders=("tie", "tie"))
            if same
            else await judge.compare(case, first.answer or "", second.answer or "")
        )
        verdicts.append(verdict)
        if verdict.better is not None:
            values.append({"first": -1.0, "second": 1.0, "tie": 0.0}[verdict.better])
            clusters.append(first.cluster)
    return PairComparison(
        a=a.run_id,
        b=b.run_id,
        wins=values.count(1.0),
        losses=values.count(-1.0),
        ties=values.count(0.0),
        unread=sum(v.better is None for v in verdicts),
        inconsistent=sum(v.better is not None and not v.is_consistent for v in verdicts),
        first_place=measure_first_place(verdicts),
        difference=compare_pairs([0.0] * len(values), values, clusters, scale=(-1.0, 1.0)),
        usage=Usage.total(v.usage for v in verdicts),
        judge=judge.llm.name,
    )


def measure_first_place(verdicts: Sequence[PairVerdict]) -> float:
    """Return the share of decided replies that preferred what stood first; 0.5 when none decided."""
    firsts = seconds = 0
    for verdict in verdicts:
        straight, back = verdict.orders
        firsts += (straight == "first") + (back == "second")
        seconds += (straight == "second") + (back == "first")
    return firsts / (firsts + seconds) if firsts + seconds else 0.5
