"""The hash of a function follows what decides its result, and nothing else."""

from __future__ import annotations

import functools
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from roma_core.codehash import code_sha256, package_sha256


def made(source: str, name: str = "f") -> Callable[..., Any]:
    """A function as a notebook makes it: without a file."""
    space: dict[str, Any] = {"__name__": "notebook"}
    exec(source, space)
    function: Callable[..., Any] = space[name]
    return function


BASE = "LIMIT = 3\ndef helper(x): return x < LIMIT\ndef f(x): return helper(x)\n"


def test_the_same_code_has_the_same_hash() -> None:
    assert code_sha256(made(BASE)) == code_sha256(made(BASE))


@pytest.mark.parametrize(
    "changed",
    [
        BASE.replace("helper(x)\n", "not helper(x)\n"),
        BASE.replace("x < LIMIT", "x <= LIMIT"),
        BASE.replace("LIMIT = 3", "LIMIT = 4"),
        BASE.replace("def f(x)", "def f(x=1)"),
    ],
    ids=["body", "helper", "global", "default"],
)
def test_a_change_of_what_decides_changes_the_hash(changed: str) -> None:
    assert code_sha256(made(changed)) != code_sha256(made(BASE))


def test_what_the_function_does_not_use_does_not_count() -> None:
    assert code_sha256(made(BASE + "OTHER = 7\ndef unused(x): return x\n")) == code_sha256(made(BASE))


def test_closures_patterns_partials_and_methods_count() -> None:
    def matcher(pattern: str) -> Callable[[str], bool]:
        compiled = re.compile(pattern)
        return lambda text: bool(compiled.search(text))

    assert code_sha256(matcher("a" * 300 + "b")) != code_sha256(matcher("a" * 300 + "c"))
    power = functools.partial(pow, 2)
    assert code_sha256(power) != code_sha256(functools.partial(pow, 3))

    class Scorer:
        def __init__(self, weight: float) -> None:
            self.weight = weight

        def score(self, value: float) -> float:
            return value * self.weight

    assert code_sha256(Scorer(1.0).score) == code_sha256(Scorer(1.0).score)
    assert code_sha256(Scorer(1.0).score) != code_sha256(Scorer(2.0).score)


def test_a_class_of_a_notebook_counts_by_its_methods() -> None:
    source = (
        "class Scale:\n    top = 5\n    def share(self, x): return x / self.top\ndef f(x): return Scale().share(x)\n"
    )
    for old, new in (("x / self.top", "x * self.top"), ("top = 5", "top = 4")):
        assert code_sha256(made(source.replace(old, new))) != code_sha256(made(source))


def test_functions_that_call_each_other_end() -> None:
    loop = "def g(x): return f(x)\ndef f(x): return g(x)\n"
    assert len(code_sha256(made(loop))) == 64


def test_the_hash_is_the_same_in_every_process() -> None:
    code = (
        "from roma_core.codehash import code_sha256\nWORDS = frozenset('ab cd ef gh'.split())\n"
        "def f(x): return x in WORDS\nprint(code_sha256(f))"
    )
    runs = {
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        for _ in range(3)
    }
    assert len(runs) == 1


def test_folders_of_the_package_have_a_hash_of_their_own() -> None:
    assert package_sha256("markup") == package_sha256("markup") != package_sha256("citations")
    assert package_sha256() != package_sha256(without=frozenset({"evals"}))
