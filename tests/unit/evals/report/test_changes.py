"""What is missing to decide, in a sentence."""

from __future__ import annotations

import re

import numpy as np

from roma_core.evals import compare, describe_missing, render_changes
from roma_core.evals.golden.dataset import Golden
from roma_core.evals.report.changes import count_needed
from tests.fakes.evals import make_run


def scores(n: int, shift: float, seed: int = 1) -> tuple[list[float], list[float]]:
    rng = np.random.default_rng(seed)
    a = rng.integers(0, 2, n).astype(float)
    b = np.where(rng.random(n) < 0.3, 1 - a, a)
    gained = rng.random(n) < shift
    return a.tolist(), np.where(gained, 1.0, b).tolist()


def test_a_decided_comparison_misses_nothing() -> None:
    assert describe_missing(compare(make_run([0.0] * 40), make_run([1.0] * 40))) == ""


def test_runs_in_which_no_case_differs_do_not_count_as_decided() -> None:
    words = describe_missing(compare(make_run([0.0, 1.0] * 20), make_run([0.0, 1.0] * 20)))
    assert words.startswith("No case differs in nugget_recall, so there is nothing to decide by; 40 questions do not")


def test_changes_are_shown_as_html_in_a_notebook() -> None:
    a, b = make_run([0.0, 1.0] * 20), make_run([1.0] * 40)
    changed = render_changes(Golden(name="set", cases=()), a, b, compare(a, b))
    same = render_changes(Golden(name="set", cases=()), a, a, compare(a, a))
    assert changed._repr_html_().startswith("<div") and "changed most" in changed._repr_html_()
    assert same._repr_html_() == "<p>No case changed in nugget_recall.</p>"


def test_an_undecided_one_says_how_many_questions_would_decide() -> None:
    a, b = scores(60, 0.05)
    comparison = compare(make_run(a), make_run(b))
    found = re.search(r"about (\d+) questions .* \(now 60\)", describe_missing(comparison))
    assert found is not None and int(found[1]) > 60
    assert count_needed(comparison.of(comparison.primary)) == int(found[1])


def test_so_many_questions_do_decide() -> None:
    a, b = scores(60, 0.15)
    needed = count_needed(compare(make_run(a), make_run(b)).of("nugget_recall"))
    assert needed is not None and 60 <= needed < 5000
    shift = float(np.mean(b) - np.mean(a))
    rng, decided = np.random.default_rng(2), 0
    for _ in range(100):
        index = rng.integers(0, 60, needed)
        decided += compare(make_run([a[i] for i in index]), make_run([b[i] for i in index])).decision.value == "better"
    assert shift > 0 and decided >= 65


def test_a_few_documents_cannot_decide() -> None:
    assert "cannot decide anything" in describe_missing(compare(make_run([0.0] * 4), make_run([1.0] * 4)))
