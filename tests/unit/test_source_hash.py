"""A function's hash follows its source, and the constants and helpers that it uses."""

from __future__ import annotations

import functools
from types import ModuleType
from typing import Any

import pytest

from roma_core.source_hash import source_sha256

PROMPT = "Answer briefly."


def helper(text: str) -> str:
    return text.upper()


def uses_helper(text: str) -> str:
    return helper(text)


def uses_constant(text: str) -> str:
    return PROMPT + text


def with_default(text: str, limit: int = 3) -> str:
    return text[:limit]


def make(bound: Any) -> Any:
    def inner(text: str) -> str:
        return f"{bound}{text}"

    return inner


class Worker:
    """A callable with a parameter."""

    def __init__(self, limit: int) -> None:
        self.limit = limit

    def run(self, text: str) -> str:
        return text[: self.limit]

    def __call__(self, text: str) -> str:
        return self.run(text)


def test_the_same_function_has_the_same_hash() -> None:
    assert source_sha256(uses_helper) == source_sha256(uses_helper)
    assert source_sha256(make("a")) == source_sha256(make("a"))


def test_other_words_give_another_hash() -> None:
    assert len({source_sha256(f) for f in (helper, uses_helper, uses_constant, with_default)}) == 4


def test_a_changed_constant_gives_another_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    before = source_sha256(uses_constant)
    monkeypatch.setitem(globals(), "PROMPT", "Answer at length.")
    assert source_sha256(uses_constant) != before


def test_a_changed_helper_gives_another_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    before = source_sha256(uses_helper)

    def replacement(text: str) -> str:
        return text.lower()

    monkeypatch.setitem(globals(), "helper", replacement)
    assert source_sha256(uses_helper) != before


def test_values_that_a_function_closes_over_count() -> None:
    assert source_sha256(make("a")) != source_sha256(make("b"))
    assert source_sha256(make({"k": [1]})) != source_sha256(make({"k": [2]}))


def test_arguments_of_a_partial_count() -> None:
    hashes = {source_sha256(functools.partial(with_default, limit=n)) for n in (1, 2)}
    assert len(hashes | {source_sha256(with_default)}) == 3


def test_the_state_of_a_method_and_of_a_callable_counts() -> None:
    assert source_sha256(Worker(1).run) != source_sha256(Worker(2).run)
    assert source_sha256(Worker(1)) != source_sha256(Worker(2))
    assert source_sha256(Worker(1)) == source_sha256(Worker(1))


def test_two_lambdas_of_one_line_differ() -> None:
    one, two = (lambda: 1), (lambda: 2)
    assert source_sha256(one) != source_sha256(two)


def test_code_without_a_source_is_told_apart_by_its_bytecode() -> None:
    def compiled(source: str) -> Any:
        module = ModuleType("typed_in")
        exec(source, module.__dict__)
        return module.f

    assert source_sha256(compiled("def f(): return 1")) == source_sha256(compiled("def f(): return 1"))
    assert source_sha256(compiled("def f(): return 1")) != source_sha256(compiled("def f(): return 2"))


def test_functions_that_call_each_other_end() -> None:
    def odd(n: int) -> bool:
        return n != 0 and even(n - 1)

    def even(n: int) -> bool:
        return n == 0 or odd(n - 1)

    assert source_sha256(odd) != source_sha256(even)
