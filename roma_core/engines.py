"""Execution providers: what runs local models, by which rules, and whether its results are those of the CPU.

The CPU is the reference: it gives the same text the same bytes, alone or beside others. Another provider is compared
with it when a model is loaded, and is used only where both agree::

    chosen = choose_engine("openvino", make_engine, compare_vectors)
    chosen.describe()  # for the health report
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from roma_core.errors import ConfigError
from roma_core.settings.retrieval import ExecutionProvider
from roma_core.types import ComponentHealth

if TYPE_CHECKING:
    from roma_core.types import Vectors

E = TypeVar("E")

REFERENCE: Final[ExecutionProvider] = "cpu"
LEAST_COSINE: Final = 0.99
"""Cosine of two vectors of one text from which on two providers agree: rounding, and no other meaning."""
TOP: Final = 10
"""Best texts that two providers must have in common for each probing question."""


@dataclass(frozen=True)
class ExecutionRule:
    """The way in which a provider is used."""

    name: str
    """Its name in ONNX Runtime."""
    package: str
    """The distribution of ONNX Runtime that has it."""
    batch: int = 1
    """Texts a call. Several are padded to the longest, and an int8 model scales them together."""
    calls: int = 0
    """Calls side by side; 0 = one a core."""
    disabled_optimizers: tuple[str, ...] = ()
    """Rewritings of the graph, by their names in ONNX Runtime, that make it slower there."""


EXECUTION_RULES: Final[Mapping[ExecutionProvider, ExecutionRule]] = {
    "cpu": ExecutionRule("CPUExecutionProvider", "onnxruntime", disabled_optimizers=("SkipLayerNormFusion",)),
    "cuda": ExecutionRule("CUDAExecutionProvider", "onnxruntime-gpu", batch=32, calls=2),
    "openvino": ExecutionRule("OpenVINOExecutionProvider", "onnxruntime-openvino"),
    "coreml": ExecutionRule("CoreMLExecutionProvider", "onnxruntime", calls=1),
}
"""One text a call where the processor computes: there a batch is no faster, and changes the vectors."""


@dataclass(frozen=True)
class Agreement:
    """How well a provider agrees with the reference on the probes."""

    cosine: float
    """The least of all texts, or that of the scores of the worst question."""
    same_top: int
    """Texts that both have among the best ``TOP``, for the worst question."""

    @property
    def holds(self) -> bool:
        """Return whether both can stand for one another."""
        return self.cosine >= LEAST_COSINE and self.same_top == TOP


@dataclass(frozen=True)
class ChosenEngine(Generic[E]):
    """An engine, and what was found when it was compared with the reference; None for the reference itself."""

    engine: E
    provider: ExecutionProvider
    wanted: ExecutionProvider
    agreement: Agreement | None = None

    def describe(self) -> ComponentHealth:
        """Return ``degraded`` where the wanted provider disagrees, so that the CPU computes instead."""
        details: dict[str, Any] = {"execution_provider": self.provider}
        if self.agreement is None:
            return ComponentHealth(details=details)
        details |= {"least_cosine": round(self.agreement.cosine, 4), "same_top": self.agreement.same_top}
        if self.provider == self.wanted:
            return ComponentHealth(details=details)
        found = f"a cosine of {self.agreement.cosine:.3f} and {self.agreement.same_top} of the best {TOP} in common"
        return ComponentHealth(
            state="degraded",
            reason=f"ROMA_EXECUTION_PROVIDER={self.wanted} disagrees with the CPU ({found}), so the CPU computes; "
            f"set it to {REFERENCE}.",
            details=details,
        )


def choose_engine(
    wanted: ExecutionProvider,
    make: Callable[[ExecutionProvider], E],
    compare: Callable[[E, E], Agreement],
) -> ChosenEngine[E]:
    """Return the wanted engine if it agrees with the reference, else the reference. Raises what ``make`` raises."""
    if wanted == REFERENCE:
        return ChosenEngine(make(REFERENCE), REFERENCE, wanted)
    engine, reference = make(wanted), make(REFERENCE)
    agreement = compare(engine, reference)
    if agreement.holds:
        return ChosenEngine(engine, wanted, wanted, agreement)
    return ChosenEngine(reference, REFERENCE, wanted, agreement)


def require_provider(wanted: ExecutionProvider, available: Sequence[str]) -> ExecutionRule:
    """Return the rule of a provider. Raises ``ConfigError`` when the installed ONNX Runtime has it not.

    >>> require_provider("cpu", ["CPUExecutionProvider"]).batch
    1
    """
    rule = EXECUTION_RULES[wanted]
    if rule.name in available:
        return rule
    there = [name for name, each in EXECUTION_RULES.items() if each.name in available]
    raise ConfigError(
        f"ROMA_EXECUTION_PROVIDER={wanted} needs {rule.package} (pip install --force-reinstall {rule.package}) on a "
        f"machine that it supports; here it can be {' or '.join(there)}."
    )


def compare_vectors(texts: tuple[Vectors, Vectors], questions: tuple[Vectors, Vectors]) -> Agreement:
    """Return how well two engines agree: the vectors of the same texts, and of the same questions, by each."""
    import numpy as np

    cosines = np.concatenate([np.sum(a * b, axis=1) for a, b in (texts, questions)])
    same = [
        len(_best(questions[0][i] @ texts[0].T) & _best(questions[1][i] @ texts[1].T)) for i in range(len(questions[0]))
    ]
    return Agreement(float(cosines.min()), min(same))


def compare_scores(one: Sequence[Sequence[float]], other: Sequence[Sequence[float]]) -> Agreement:
    """Return how well two engines agree on the scores of texts, one list for each question.

    >>> compare_scores([[1.0, 2.0] * 10], [[1.0, 2.0] * 10]).holds
    True
    """
    import numpy as np

    cosines: list[float] = []
    same: list[int] = []
    for ours, theirs in zip(one, other, strict=True):
        a, b = np.asarray(ours), np.asarray(theirs)
        lengths = float(np.linalg.norm(a) * np.linalg.norm(b))
        cosines.append(float(a @ b) / lengths if lengths else 0.0)
        same.append(len(_best(a) & _best(b)))
    return Agreement(min(cosines), min(same))


def _best(scores: Any) -> set[int]:
    return {int(index) for index in sorted(range(len(scores)), key=lambda i: (-scores[i], i))[:TOP]}


PROBE_QUESTIONS: Final = (
    "How deep is the harbour since it was dredged?",
    "Which invoices are paid after thirty days?",
    "Why does bread rise?",
)
PROBE_TEXTS: Final = (
    "The harbour was dredged to nine metres in 1911, and to eleven metres after the war.",
    "Ships of more than seven metres draught wait for the tide outside of the breakwater.",
    "The lighthouse keeper wrote down the height of the water every morning.",
    "Depths on the chart are given in metres below the lowest tide of the year.",
    "Dredging of the river mouth is paid for by the port authority.",
    "An invoice is due thirty days after its date unless the contract says otherwise.",
    "Reminders are sent after thirty-five days; interest is charged from the sixtieth day on.",
    "Small suppliers are paid within ten days.",
    "The treasurer signs all payments above 5,000 euros.",
    "Discounts for early payment have to be agreed in writing.",
    "Yeast ferments sugar into alcohol and carbon dioxide, whose bubbles lift the dough.",
    "Sourdough holds bacteria beside the yeast, which give it its taste.",
    "Salt slows the fermentation down and makes the gluten firmer.",
    "A loaf is baked when its crust sounds hollow.",
    "Flour of rye rises less than flour of wheat.",
    "The museum of fishing opens on Sundays from ten to four.",
    "Annual leave is twenty days, and twenty-five from the fifth year on.",
    "Version 2.4.0 removed the flag --fast; use --jobs instead.",
    "The committee meets on the first Monday of each month.",
    "Copper conducts heat better than iron does.",
    "Nine students of the school of navigation passed the examination.",
    "The bridge was built of rope in 1850 and of steel in 1902.",
    "def add(a, b): return a + b",
    "| metal | melts at |\n| --- | --- |\n| tin | 232 |",
)
"""Texts of a few words each, about the questions and about other things."""
