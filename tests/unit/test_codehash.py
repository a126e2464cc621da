"""The hash of a function follows what decides its result, and nothing else."""

from __future__ import annotations

import functools
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
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


PROMPT = "Answer briefly."


def helper(text: str) -> str:
    return text.upper()


def uses_helper(text: str) -> str:
    return helper(text)


def uses_constant(text: str) -> str:
    return PROMPT + text


def with_default(text: str, limit: int = 3) -> str:
    return text[:limit]


class Worker:
    """A callable with a parameter."""

    def __init__(self, limit: int) -> None:
        self.limit = limit

    def __call__(self, text: str) -> str:
        return text[: self.limit]


def test_a_changed_constant_and_a_changed_helper_of_a_module_count(monkeypatch: pytest.MonkeyPatch) -> None:
    functions = (helper, uses_helper, uses_constant, with_default)
    before = [code_sha256(function) for function in functions]
    assert len(set(before)) == 4

    def replacement(text: str) -> str:
        return text.lower()

    monkeypatch.setitem(globals(), "PROMPT", "Answer at length.")
    monkeypatch.setitem(globals(), "helper", replacement)
    after = [code_sha256(function) for function in functions]
    assert [one == other for one, other in zip(before, after, strict=True)] == [True, False, False, True]


def test_values_that_a_function_closes_over_and_arguments_of_a_partial_count() -> None:
    def make(bound: Any) -> Callable[[str], str]:
        return lambda text: f"{bound}{text}"

    assert code_sha256(make("a")) == code_sha256(make("a")) != code_sha256(make("b"))
    assert code_sha256(make({"k": [1]})) != code_sha256(make({"k": [2]}))
    assert len({code_sha256(functools.partial(with_default, limit=n)) for n in (1, 2)}) == 2


def test_the_state_of_a_callable_counts() -> None:
    assert code_sha256(Worker(1)) == code_sha256(Worker(1)) != code_sha256(Worker(2))


def test_two_lambdas_of_one_line_differ() -> None:
    one, two = (lambda: 1), (lambda: 2)
    assert code_sha256(one) != code_sha256(two)


def test_code_without_a_source_is_told_apart_by_its_instructions() -> None:
    def compiled(source: str) -> Any:
        module = ModuleType("typed_in")
        exec(source, module.__dict__)
        return module.f

    assert code_sha256(compiled("def f(): return 1")) == code_sha256(compiled("def f(): return 1"))
    assert code_sha256(compiled("def f(): return 1")) != code_sha256(compiled("def f(): return 2"))


USES = {
    "name": "from near_helpers import shout\ndef f(x): return shout(x)\n",
    "module": "import near_helpers\ndef f(x): return near_helpers.shout(x)\n",
    "inside": "def f(x):\n    from near_helpers import shout\n    return shout(x)\n",
    "package": "import near.deep.words\ndef f(x): return near.deep.words.shout(x)\n",
    "package inside": "def f(x):\n    from near.deep.words import shout\n    return shout(x)\n",
    "class": "from near_helpers import Shouter\ndef f(x): return Shouter().shout(x)\n",
}
HELPERS = "MARK = '!'\ndef shout(x): return x + MARK\nclass Shouter:\n    def shout(self, x): return x + '!'\n"


def hash_beside(folder: Path, code: str, helpers: str) -> str:
    """The hash of ``f`` in a module whose helpers lie in files beside it, as another process finds it."""
    (folder / "near" / "deep").mkdir(parents=True, exist_ok=True)
    for name in ("near/__init__.py", "near/deep/__init__.py"):
        (folder / name).touch()
    for name in ("near_helpers.py", "near/deep/words.py"):
        (folder / name).write_text(helpers)
    (folder / "near_mine.py").write_text(code)
    command = "from near_mine import f; from roma_core.codehash import code_sha256; print(code_sha256(f))"
    done = subprocess.run([sys.executable, "-B", "-c", command], capture_output=True, text=True, check=True, cwd=folder)
    return done.stdout


@pytest.mark.parametrize("use", USES)
def test_a_helper_in_a_file_beside_counts_however_it_is_imported(tmp_path: Path, use: str) -> None:
    first = hash_beside(tmp_path, USES[use], HELPERS)
    assert hash_beside(tmp_path, USES[use], HELPERS) == first
    assert hash_beside(tmp_path, USES[use], HELPERS.replace("'!'", "'?'")) != first
