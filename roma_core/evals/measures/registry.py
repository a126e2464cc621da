"""Measures by name: the ones of a run, ROMA's own, those of plug-ins, and anybody's by ``package:name``."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from roma_core.errors import AgentFailure, ErrorCode, EvalError, guarded_call, suggest_name
from roma_core.evals.measures import answers, citations, retrieval
from roma_core.evals.measures.base import Measurable, Measure, measure
from roma_core.plugins import Specs, declared_names, load_specs

if TYPE_CHECKING:
    from roma_core.evals.judge.model import Judge

    FindJudge = Callable[[str], Judge]

JUDGED = ("judge", "faithfulness")
"""Measures that a model takes by a rubric of this name."""
DEEPEVAL = "deepeval:"
PLUGINS = "roma.measures"
"""Entry point group of measures that other packages bring."""


def default_measures(top_k: int) -> tuple[Measure, ...]:
    """Return the measures that every run takes, for questions that are shown ``top_k`` passages."""
    return (
        retrieval.recall_at(top_k),
        retrieval.reciprocal_rank_at(top_k),
        retrieval.ndcg_at(top_k),
        answers.nugget_recall,
        answers.nugget_f,
        citations.support,
        citations.contradicted,
        citations.cited,
        citations.citation_coverage,
        citations.citation_precision,
        citations.citation_validity,
        answers.false_answers,
        answers.answered,
        answers.answer_words,
        answers.repetition,
    )


def resolve_measures(
    wanted: Iterable[Measurable | str],
    top_k: int,
    defaults: bool = True,
    find_judge: FindJudge | None = None,
) -> tuple[Measure, ...]:
    """Return the measures of a run: the default ones (unless ``defaults`` is off), then ``wanted``.

    A string names a measure of ROMA, of a plug-in, or ``package:name``. A measure replaces a default one of its name.
    Measures that a model takes (``judge``, ``faithfulness``, ``deepeval:NAME``) ask the judge of ``find_judge``.
    Raises ``EvalError`` (``ERR_EVAL_PARAMETERS``).
    """
    own = [
        find_measure(each, top_k, find_judge) if isinstance(each, str) else _require_measure(each) for each in wanted
    ]
    names = [each.name for each in own]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise EvalError(f"Two measures have the name {', '.join(twice)}; rename one.", ErrorCode.EVAL_PARAMETERS)
    before = [each for each in default_measures(top_k) if each.name not in names] if defaults else []
    if not before and not own:
        raise EvalError("There is nothing to measure; name a measure.", ErrorCode.EVAL_PARAMETERS)
    return (*before, *own)


def require_measure(name: str, measures: Sequence[Measure]) -> None:
    """Raise ``EvalError`` when ``name`` is given and none of ``measures`` has it."""
    names = [each.name for each in measures]
    if name and name not in names:
        raise EvalError(f"The measure {name!r} is not taken. {suggest_name(name, names)}", ErrorCode.EVAL_PARAMETERS)


def plugin_measures() -> Specs[Measure]:
    """Return the measures of plug-ins by their names."""
    return load_specs(PLUGINS, Measure)


def find_measure(name: str, top_k: int, find_judge: FindJudge | None = None) -> Measure:
    """Return a measure by its name, or by ``package:name``. Raises ``EvalError`` (``ERR_EVAL_PARAMETERS``)."""
    if name in JUDGED or name.startswith(DEEPEVAL):
        return _find_judged(name, find_judge)
    module, colon, attribute = name.partition(":")
    if colon:
        return _require_measure(import_attribute(module, attribute, "measure"), name)
    known = {each.name: each for each in default_measures(top_k)}
    if name in known:
        return known[name]
    if name in declared_names(PLUGINS):
        return plugin_measures().require(name)
    raise EvalError(
        f"There is no measure {name!r}. Known: {', '.join([*known, *JUDGED, *declared_names(PLUGINS)])}. "
        "One of your own is named package:name.",
        ErrorCode.EVAL_PARAMETERS,
    )


def _find_judged(name: str, find_judge: FindJudge | None) -> Measure:
    if find_judge is None:
        raise EvalError(
            f"The measure {name!r} asks a model, and the system brings none: hand in Judge(llm) instead of its name.",
            ErrorCode.EVAL_PARAMETERS,
        )
    if name in JUDGED:
        return find_judge(name).measure
    from roma_core.evals.judge.deepeval import deepeval_measure

    return deepeval_measure(name.removeprefix(DEEPEVAL), find_judge(JUDGED[0]).llm)


def import_attribute(module: str, attribute: str, kind: str) -> Any:
    """Return what ``module:attribute`` names. Raises ``EvalError``; ``kind`` says what was wanted."""
    found: Any = guarded_call("evals", partial(importlib.import_module, module))
    if isinstance(found, AgentFailure):
        missing = str(found.details.get("module", ""))
        why = found.details.get("exception", found.message)
        if missing and missing.partition(".")[0] == module.partition(".")[0]:
            why = f"there is no module {missing}"
        raise EvalError(
            f"The {kind} {module}:{attribute} cannot be imported ({why}); run in the folder of its module, or "
            "install it.",
            ErrorCode.EVAL_PARAMETERS,
        )
    for part in attribute.split("."):
        found = getattr(found, part, None)
    if found is None:
        raise EvalError(f"The module {module} has no {attribute!r}.", ErrorCode.EVAL_PARAMETERS)
    return found


def _require_measure(value: Any, name: str = "") -> Measure:
    """Return ``value`` as a measure; a plain function of a case and its outcome is one too."""
    offered = getattr(value, "measure", None)
    if isinstance(offered, Measure):
        return offered
    if callable(value) and not isinstance(value, type):
        return measure(value)
    raise EvalError(
        f"{name or value!r} is no measure: write @measure(source=...) over a function of a case and its outcome.",
        ErrorCode.EVAL_PARAMETERS,
    )
