"""A measure: a named function from a case and what became of it to a score.

A measure of one's own is a function of four lines::

    @measure(source="answers of at most three sentences are read")
    def brief(case, outcome):
        length = len(outcome.answer.split("."))
        return Score(float(length <= 4), f"{length} sentences")
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, Protocol, SupportsFloat, overload

from roma_core.codehash import code_sha256, package_sha256
from roma_core.errors import AgentFailure, ErrorCode, EvalError, foreign_code, guarded
from roma_core.evals.golden.dataset import GoldenCase
from roma_core.evals.golden.evidence import Places
from roma_core.llm.base import FALLBACK
from roma_core.types import Citation, Noun, ScoredChunk, Span, TailorOutput, Usage, digest

SCORING = ("evals/measures", "evals/golden", "evals/judge", "markup", "citations")
"""Folders of ROMA's own code that decide the scores of its own measures."""
ScoreState = Literal["scored", "unscored", "not_applicable"]
OutcomeState = Literal["ok", "degraded", "fallback", "failed"]
NO_USAGE = Usage()


@dataclass(frozen=True)
class Score:
    """A value with its reason; or no value, because none could be taken or because none applies.

    >>> Score(0.5, "missed 2038").value
    0.5
    >>> Score.unscored("the document is not in the corpus").state
    'unscored'

    Unscored is not zero: such cases are left out of means, counted beside them, and the worst score to the gate.
    """

    value: float | None = None
    reason: str = ""
    state: ScoreState = "scored"
    usage: Usage = NO_USAGE
    """The cost of taking the score."""

    def __post_init__(self) -> None:
        if (self.value is not None) != (self.state == "scored"):
            raise EvalError(
                "a score has a value, or is made by Score.unscored(...) or Score.not_applicable(...)",
                ErrorCode.EVAL_PARAMETERS,
            )
        if self.value is not None and not (isinstance(self.value, int | float) and math.isfinite(self.value)):
            raise EvalError(f"a score is a finite number, not {self.value!r}", ErrorCode.EVAL_PARAMETERS)
        if not isinstance(self.reason, str):
            raise EvalError(f"a reason is a text, not {type(self.reason).__name__}", ErrorCode.EVAL_PARAMETERS)
        # Half of a surrogate pair is in no file: with one the whole report could not be written.
        object.__setattr__(self, "reason", self.reason.encode("utf-8", "replace").decode())

    @classmethod
    def unscored(cls, reason: str, usage: Usage = NO_USAGE) -> Score:
        """Return the score of a case that the measure applies to and cannot be taken on."""
        return cls(None, reason, "unscored", usage)

    @classmethod
    def not_applicable(cls, reason: str = "") -> Score:
        """Return the score of a case that the measure says nothing about."""
        return cls(None, reason, "not_applicable")


class CaseOutcome(Noun):
    """An answer to one case with the proofs of its citations, or a failure.

    ``proofs[i]``: ``document.text[start:end] == quote`` holds for the i-th citation; None when the cited document could
    not be read. ``evidence[i]``: the places of the case's i-th piece of evidence.
    """

    output: TailorOutput | None = None
    failure: AgentFailure | None = None
    proofs: tuple[bool | None, ...] = ()
    considered: tuple[str, ...] = ()
    """Ids of all passages that were looked up, best first; empty where the system does not say."""
    evidence: tuple[Places, ...] = ()

    @property
    def state(self) -> OutcomeState:
        """``ok`` when the system that is measured wrote the answer with all its parts at work."""
        if self.output is None:
            return "failed"
        reasons = (self.output.model_reason, *self.output.degraded_reasons)
        if any(reason.startswith(FALLBACK) for reason in reasons):
            return "fallback"
        return "degraded" if self.output.degraded else "ok"

    @property
    def why_unusable(self) -> str:
        """The reason why no measure can be taken; empty when the answer is one."""
        if self.output is None:
            return f"failed: {self.failure.code}: {self.failure.message}" if self.failure else "failed"
        if self.state == "ok":
            return ""
        reasons = self.output.degraded_reasons or (self.output.model_reason,)
        return f"{self.state}: {'; '.join(r.removeprefix(FALLBACK) for r in reasons if r)}".rstrip(": ")

    @property
    def answer(self) -> str:
        """The text of the answer; empty without one."""
        return self.output.answer if self.output else ""

    @property
    def answered(self) -> bool:
        """False when the system says that it does not know, and when it failed."""
        return bool(self.output.answered) if self.output else False

    @property
    def passages(self) -> Sequence[ScoredChunk]:
        """The passages that the answer was written from, best first."""
        return self.output.passages if self.output else ()

    @property
    def citations(self) -> Sequence[Citation]:
        """The citations of the answer, in order."""
        return self.output.citations if self.output else ()

    @property
    def frame(self) -> Sequence[Span]:
        """The places of the lines that ROMA wrote around its quotes; a model that writes an answer declares none."""
        return self.output.frame if self.output else ()


ScoreFunction = Callable[[GoldenCase, CaseOutcome], "Score | float | Awaitable[Score | float]"]
"""Called for answers alone: what failed or is degraded is unscored before any measure looks at it."""


def always(case: GoldenCase) -> bool:
    """Return True: the measure applies to every case."""
    return True


@dataclass(frozen=True)
class Measure:
    """A named function with what its numbers mean. ``@measure`` makes one of a function.

    ``higher``: which way is better; None when neither is. ``scale``: least and greatest value; None when unbounded.
    """

    name: str
    function: ScoreFunction = field(repr=False)
    source: str = ""
    """Origin of the definition: a paper, a standard, or a sentence."""
    applies: Callable[[GoldenCase], bool] = field(default=always, repr=False)
    higher: bool | None = True
    scale: tuple[float, float] | None = (0.0, 1.0)
    length_sensitive: bool = False
    """True when a longer answer scores higher by chance: it is not called better against a much shorter one."""
    sees: frozenset[str] = frozenset()
    """Names of the mutations (``measures.mutations``) that must lower the score."""
    prompts: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Hash of each prompt that the measure reads, by name."""
    models: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Each model that the measure asks, by its role."""
    judge: str = ""
    """Identity of the judge whose grades these are: its calibration corrects them."""
    role: str = "measure"
    """Under which name the cost of its calls is shown."""
    cache_key: Callable[[GoldenCase, CaseOutcome], str] | None = field(default=None, repr=False)
    """Hash of all that the score depends on beside the code, for a measure that is worth caching."""

    def __post_init__(self) -> None:
        if not self.name.strip() or not self.name.isprintable():
            raise EvalError(f"A measure cannot be called {self.name!r}.", ErrorCode.EVAL_PARAMETERS)
        if self.scale is not None and not self.scale[0] < self.scale[1]:
            raise EvalError(
                f"The scale of the measure {self.name} goes from {self.scale[0]} to {self.scale[1]}: give the least "
                "value first.",
                ErrorCode.EVAL_PARAMETERS,
            )

    def __repr__(self) -> str:
        return self.name

    @property
    def is_own(self) -> bool:
        """True for a measure of ROMA's, False for one that a user wrote."""
        return getattr(self.function, "__module__", "").partition(".")[0] == __package__.partition(".")[0]

    @property
    def is_ruled(self) -> bool:
        """True where the same case and outcome always give the same score: a measure of ROMA's that asks no model."""
        return self.is_own and not self.models and self.cache_key is None

    @cached_property
    def code_sha256(self) -> str:
        """Hash of the measure's code: part of the identity of each run that takes it."""
        if self.is_own:
            return package_sha256(*SCORING)
        return digest("measure", code_sha256(self.function), code_sha256(self.applies))

    @cached_property
    def identity(self) -> str:
        """Hash of all that decides a score beside the case and its outcome."""
        depends = [f"{name}={value}" for name, value in sorted({**self.prompts, **self.models}.items())]
        return digest("measure", self.name, self.code_sha256, *depends)

    @property
    def measure(self) -> Measure:
        """The measure itself, as ``Judge.measure`` is the judge's."""
        return self

    async def score(self, case: GoldenCase, outcome: CaseOutcome) -> Score:
        """Return the score of one outcome. A function that raises leaves its case unscored, with the reason."""
        taken = await guarded("evals", self._take(case, outcome))
        if isinstance(taken, AgentFailure):
            return Score.unscored(_explain(taken))
        if taken.value is not None and self.scale and not self.scale[0] <= taken.value <= self.scale[1]:
            return Score.unscored(f"{taken.value:g} is outside of the scale {self.scale[0]:g} to {self.scale[1]:g}")
        return taken

    async def _take(self, case: GoldenCase, outcome: CaseOutcome) -> Score:
        with nullcontext() if self.is_own else foreign_code("the measure"):
            if not self.applies(case):
                return Score.not_applicable()
            if outcome.why_unusable:
                return Score.unscored(outcome.why_unusable)
            result = self.function(case, outcome)
            if inspect.isawaitable(result):
                result = await result
            if isinstance(result, Score):
                return result
            value = None if isinstance(result, str | bytes) or not isinstance(result, SupportsFloat) else float(result)
        if value is not None:
            return Score(value)
        raise EvalError(
            f"the measure {self.name} returned {type(result).__name__}; return a Score or a number",
            ErrorCode.EVAL_PARAMETERS,
        )


def _explain(failure: AgentFailure) -> str:
    raised = failure.details.get("exception")
    return f"the measure raised {raised} in {failure.details.get('where')}" if raised else failure.message


class Measurable(Protocol):
    """Anything that offers a measure: a ``Measure``, or a ``Judge``."""

    @property
    def measure(self) -> Measure: ...


@overload
def measure(function: ScoreFunction, /) -> Measure: ...
@overload
def measure(
    *,
    name: str = "",
    source: str = "",
    applies: Callable[[GoldenCase], bool] = always,
    higher: bool | None = True,
    scale: tuple[float, float] | None = (0.0, 1.0),
    length_sensitive: bool = False,
    sees: Iterable[str] = (),
) -> Callable[[ScoreFunction], Measure]: ...
def measure(
    function: ScoreFunction | None = None,
    /,
    *,
    name: str = "",
    source: str = "",
    applies: Callable[[GoldenCase], bool] = always,
    higher: bool | None = True,
    scale: tuple[float, float] | None = (0.0, 1.0),
    length_sensitive: bool = False,
    sees: Iterable[str] = (),
) -> Measure | Callable[[ScoreFunction], Measure]:
    """Make a measure of a function of a case and its outcome; the function may be ``async``.

    >>> @measure(source="share of capitals", applies=lambda case: case.kind != "no_answer")
    ... def loud(case, outcome):
    ...     return sum(c.isupper() for c in outcome.answer) / max(1, len(outcome.answer))
    >>> loud.name
    'loud'

    The name is the function's unless one is given. ``sees`` names the mutations of an answer that must lower the score
    (``roma_core.evals.measures.mutations``). The hash of its code is part of a run's identity.
    """

    def make(score: ScoreFunction) -> Measure:
        described = (inspect.getdoc(score) or "").partition("\n")[0]
        return Measure(
            name=name or getattr(score, "__name__", type(score).__name__),
            function=score,
            source=source or described,
            applies=applies,
            higher=higher,
            scale=scale,
            length_sensitive=length_sensitive,
            sees=frozenset(sees),
        )

    return make if function is None else make(function)
