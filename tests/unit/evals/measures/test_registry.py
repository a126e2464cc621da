"""Measures by name: ROMA's own, those of a plug-in, and one of anybody's by ``package:name``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from roma_core.errors import ErrorCode, EvalError
from roma_core.evals.measures import Measure, Score, default_measures, find_measure, measure, resolve_measures
from roma_core.plugins import forget_specs

OWN = """
from roma_core.evals import Score, measure

@measure(source="my house style")
def polite(case, outcome):
    return Score(float("please" in outcome.answer))

def loud(case, outcome):
    return float(outcome.answer.isupper())

number = 3
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A module of somebody's, and a distribution that brings it as a plug-in."""
    (tmp_path / "house_style.py").write_text(OWN)
    (tmp_path / "house_broken.py").write_text("import does_not_exist\n")
    info = tmp_path / "house_style-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: house-style\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[roma.measures]\npolite = house_style:polite\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "house_style", raising=False)
    forget_specs()
    yield "house_style"
    forget_specs()


def names(measures: tuple[Measure, ...]) -> list[str]:
    return [each.name for each in measures]


def test_a_measure_of_another_package_is_one_file(package: str) -> None:
    measures = resolve_measures([f"{package}:polite"], top_k=5)
    assert names(measures)[-1] == "polite" and "nugget_recall" in names(measures)
    assert measures[-1].source == "my house style"


def test_a_plugin_is_found_by_its_name(package: str) -> None:
    assert find_measure("polite", top_k=5).source == "my house style"


def test_a_plain_function_is_a_measure_too(package: str) -> None:
    assert find_measure(f"{package}:loud", top_k=5).name == "loud"


def test_measures_alone_and_in_place_of_a_default_one() -> None:
    @measure(name="nugget_recall", source="mine")
    def mine(case: object, outcome: object) -> Score:
        return Score(1.0)

    assert names(resolve_measures([mine], 5, defaults=False)) == ["nugget_recall"]
    taken = {each.name: each for each in resolve_measures([mine], 5)}
    assert taken["nugget_recall"] is mine and len(taken) == len(default_measures(5))
    assert names(resolve_measures(["R@3"], 3, defaults=False)) == ["R@3"]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("beauty", "There is no measure 'beauty'. Known: R@5, .*polite. One of your own is named package:name"),
        ("house_style:absent", "has no 'absent'"),
        ("house_style:number", "is no measure: write @measure"),
        ("nowhere_to_be_found:m", r"cannot be imported \(there is no module nowhere_to_be_found\)"),
        ("house_broken:m", r"cannot be imported \(.*does_not_exist"),
    ],
)
def test_a_name_that_means_nothing_is_an_error_that_says_what_to_do(package: str, name: str, why: str) -> None:
    with pytest.raises(EvalError, match=why) as caught:
        find_measure(name, top_k=5)
    assert caught.value.code is ErrorCode.EVAL_PARAMETERS


def test_two_measures_of_one_name_and_none_at_all_are_refused() -> None:
    with pytest.raises(EvalError, match="Two measures have the name R@5"):
        resolve_measures(["R@5", "R@5"], 5)
    with pytest.raises(EvalError, match="nothing to measure"):
        resolve_measures([], 5, defaults=False)
